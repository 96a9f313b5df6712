"""The shapes that a published state_dict must have, made from a few sizes.

References:
    Shapes of the published network (`MultiLevelFus` in HIFtool, commit 6a515e4) for 31×3 and 128×4 bands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from paddle_umsft.weights.fit import Shape
from paddle_umsft.weights.names import LEVELS, PSF_KEYS, PUBLISHED_SRF_PREFIX, conv_step
from paddle_umsft.weights.vgg_stacks import KERNEL_SIZE, VGG16_BN

Shapes = dict[str, Shape]

# Scales of each level's hourglass: the lowest has fewer pixels to halve.
_HOURGLASS_SCALES = (3, 2, 2)
# Channels of the VGG features that each level's pair of FeatureMerge takes: VGG's third, second and first block.
_TAPS = (256, 128, 64)
# An SRF row is learned with a convolution of three taps along the bands.
_SRF_TAPS = 3
# The refining of the spatial fusion goes through twice the MSI's bands.
_REFINE_WIDENING = 2


@dataclass(frozen=True)
class Sizes:
    """What a UMSFT checkpoint's shapes depend on.

    Args:
        bands: C.
        supports: Number of HSI bands that each MSI band sees; M of them.
        attention: Heads times head size, per level.
        widths: Channels of each level's hourglass.
        skips: Channels of their skip branches.
    """

    bands: int
    supports: tuple[int, ...]
    attention: tuple[int, ...]
    widths: tuple[int, ...]
    skips: tuple[int, ...]


class _Table:
    """A state_dict's shapes in the making, layer by layer.

    Args:
        prefix: What stands before every name.
    """

    def __init__(self, prefix: str = "") -> None:
        self.shapes: Shapes = {}
        self._prefix = prefix

    def put(self, name: str, *shape: int) -> None:
        """Add a tensor."""
        self.shapes[f"{self._prefix}{name}"] = shape

    def conv(
        self,
        name: str,
        channels_in: int,
        channels_out: int,
        size: int,
    ) -> None:
        """Add a convolution of size x size."""
        self.put(f"{name}.weight", channels_out, channels_in, size, size)
        self.put(f"{name}.bias", channels_out)

    def norm(self, name: str, channels: int) -> None:
        """Add a batch normalisation."""
        self.put(f"{name}.weight", channels)
        self.put(f"{name}.bias", channels)
        self.put(f"{name}.running_mean", channels)
        self.put(f"{name}.running_var", channels)
        self.put(f"{name}.num_batches_tracked")


def umsft_shapes(sizes: Sizes) -> Shapes:
    """Return every key of the published network with its shape, in the published order."""
    bands = sizes.bands
    msi_bands = len(sizes.supports)
    shapes: Shapes = {}
    for suffix, level in LEVELS.items():
        shapes.update(_attention(f"attention{suffix}.", bands, sizes.attention[level]))
    for suffix, level in LEVELS.items():
        shapes.update(_hourglass(f"super{suffix}.", level, sizes))
    shapes.update(_merges(bands))
    shapes.update(vgg_shapes("HSIFE.extractor", channels=bands))
    shapes.update(vgg_shapes("MSIFE.extractor", channels=msi_bands))
    shapes.update(srf_shapes(sizes.supports, PUBLISHED_SRF_PREFIX))
    shapes.update(_refine(bands, msi_bands))
    return shapes


def vgg_shapes(
    prefix: str = "features",
    *,
    channels: Optional[int] = None,
    blocks: Optional[int] = None,
) -> Shapes:
    """Return the keys of a VGG16-BN feature stack.

    Args:
        prefix: What stands before the layer's index.
        channels: Of the input, if it is no picture.
        blocks: Of how many blocks, None: of all, also of those that nobody listens to.
    """
    table = _Table(f"{prefix}.")
    for layer in VGG16_BN.convolutions(blocks):
        channels_in = layer.channels_in
        if layer.index == 0 and channels is not None:
            channels_in = channels
        table.conv(f"{layer.index}", channels_in, layer.channels_out, KERNEL_SIZE)
        table.norm(f"{layer.index + 1}", layer.channels_out)
    return table.shapes


def srf_shapes(supports: tuple[int, ...], prefix: str = "") -> Shapes:
    """Return the keys of the SRF net for supports of these lengths."""
    table = _Table(prefix)
    # All starts first, then all convolutions: two lists of modules there.
    for band, length in enumerate(supports):
        table.put(f"srf_list.{band}", length)
    for band in range(len(supports)):
        table.put(f"conv_lst.{band}.weight", 1, 1, _SRF_TAPS)
        table.put(f"conv_lst.{band}.bias", 1)
    return table.shapes


def psf_shapes(size: int) -> Shapes:
    """Return the keys of the PSF net for a kernel of this size."""
    table = _Table()
    for name in PSF_KEYS:
        table.put(name, 1, 1, size, size)
    return table.shapes


def _attention(
    prefix: str,
    bands: int,
    inner: int,
) -> Shapes:
    table = _Table(prefix)
    # PyTorch's Linear layers: (out, in).
    table.put("w_qs.weight", inner, bands)
    table.put("w_ks.weight", inner, bands)
    table.put("w_vs.weight", inner, bands)
    table.put("fc.weight", bands, inner)
    return table.shapes


def _merges(bands: int) -> Shapes:
    """Return the keys of FeatureMerge1 to FeatureMerge6: a pair a level, for the HSI's features and the MSI's."""
    table = _Table("FeatureMerge")
    number = 0
    for channels in _TAPS:
        for _ in range(2):
            number += 1
            # Only the very first one looks at neighbours while it reduces the channels.
            size = 1
            if number == 1:
                size = 3
            table.conv(f"{number}.0", channels, bands, size)
            table.conv(f"{number}.2", bands, bands, 3)
    return table.shapes


def _refine(bands: int, msi_bands: int) -> Shapes:
    table = _Table("rm.refine.")
    widened = _REFINE_WIDENING * msi_bands
    table.conv("0", msi_bands, widened, 1)
    table.conv("2", widened, bands, 1)
    return table.shapes


def _hourglass(
    prefix: str,
    level: int,
    sizes: Sizes,
) -> Shapes:
    width = sizes.widths[level]
    table = _Table(prefix)
    _put_scale(
        table,
        place="",
        step=conv_step(level),
        scales=_HOURGLASS_SCALES[level],
        # The HSI and the MSI, one upon the other.
        channels=sizes.bands + len(sizes.supports),
        width=width,
        skip=sizes.skips[level],
    )
    table.conv(f"9.{conv_step(level)}", width, sizes.bands, 1)
    return table.shapes


def _put_scale(
    table: _Table,
    *,
    place: str,
    step: str,
    scales: int,
    channels: int,
    width: int,
    skip: int,
) -> None:
    """Add one scale of an hourglass and those inside it.

    Args:
        table: Where to.
        place: Where the scale sits in the hourglass.
        step: Where a convolution sits behind its own place.
        scales: How many there are, with this one.
        channels: Coming in.
        width: Of the scale.
        skip: Of its skip branch.
    """
    # The branch that stays at this scale.
    table.conv(f"{place}1.0.1.{step}", channels, skip, 1)
    table.norm(f"{place}1.0.2", skip)
    # The branch that goes down, where the next scale sits, and up again.
    table.conv(f"{place}1.1.1.{step}", channels, width, 3)
    table.norm(f"{place}1.1.2", width)
    table.conv(f"{place}1.1.4.{step}", width, width, 3)
    table.norm(f"{place}1.1.5", width)
    if scales > 1:
        _put_scale(
            table,
            place=f"{place}1.1.7.",
            step=step,
            scales=scales - 1,
            channels=width,
            width=width,
            skip=skip,
        )
    # Both joined.
    table.norm(f"{place}2", width + skip)
    table.conv(f"{place}3.{step}", width + skip, width, 3)
    table.norm(f"{place}4", width)
    table.conv(f"{place}6.{step}", width, width, 1)
    table.norm(f"{place}7", width)
