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


def umsft_shapes(sizes: Sizes) -> Shapes:
    """Return every key of the published network with its shape, in the published order."""
    bands = sizes.bands
    msi_bands = len(sizes.supports)
    shapes: Shapes = {}
    for suffix, level in LEVELS.items():
        shapes.update(_attention(f"attention{suffix}", bands, sizes.attention[level]))
    for suffix, level in LEVELS.items():
        shapes.update(_hourglass(f"super{suffix}.", level, sizes))
    number = 0
    for channels in _TAPS:
        # One for the HSI's features, one for the MSI's.
        for _ in range(2):
            number += 1
            shapes.update(_merge(f"FeatureMerge{number}", channels, bands, first=number == 1))
    shapes.update(vgg_shapes("HSIFE.extractor", channels=bands))
    shapes.update(vgg_shapes("MSIFE.extractor", channels=msi_bands))
    shapes.update(srf_shapes(sizes.supports, PUBLISHED_SRF_PREFIX))
    widened = _REFINE_WIDENING * msi_bands
    shapes.update(_conv("rm.refine.0", msi_bands, widened, size=1))
    shapes.update(_conv("rm.refine.2", widened, bands, size=1))
    return shapes


def vgg_shapes(prefix: str = "features", *, channels: Optional[int] = None, blocks: Optional[int] = None) -> Shapes:
    """Return the keys of a VGG16-BN feature stack.

    Args:
        prefix: What stands before the layer's index.
        channels: Of the input, if it is no picture.
        blocks: Of how many blocks, None: of all, also of those that nobody listens to.
    """
    shapes: Shapes = {}
    for layer in VGG16_BN.convolutions(blocks):
        channels_in = layer.channels_in
        if layer.index == 0 and channels is not None:
            channels_in = channels
        shapes.update(_conv(f"{prefix}.{layer.index}", channels_in, layer.channels_out, size=KERNEL_SIZE))
        shapes.update(_norm(f"{prefix}.{layer.index + 1}", layer.channels_out))
    return shapes


def srf_shapes(supports: tuple[int, ...], prefix: str = "") -> Shapes:
    """Return the keys of the SRF net for supports of these lengths."""
    shapes: Shapes = {}
    for band, length in enumerate(supports):
        shapes[f"{prefix}srf_list.{band}"] = (length,)
    for band in range(len(supports)):
        shapes[f"{prefix}conv_lst.{band}.weight"] = (1, 1, _SRF_TAPS)
        shapes[f"{prefix}conv_lst.{band}.bias"] = (1,)
    return shapes


def psf_shapes(size: int) -> Shapes:
    """Return the keys of the PSF net for a kernel of this size."""
    return dict.fromkeys(PSF_KEYS, (1, 1, size, size))


def _attention(prefix: str, bands: int, inner: int) -> Shapes:
    shapes: Shapes = {}
    for name in ("w_qs", "w_ks", "w_vs"):
        shapes[f"{prefix}.{name}.weight"] = (inner, bands)
    shapes[f"{prefix}.fc.weight"] = (bands, inner)
    return shapes


def _merge(prefix: str, channels: int, bands: int, *, first: bool) -> Shapes:
    # Only the very first one looks at neighbours while it reduces the channels.
    size = 1
    if first:
        size = 3
    shapes = _conv(f"{prefix}.0", channels, bands, size=size)
    shapes.update(_conv(f"{prefix}.2", bands, bands, size=3))
    return shapes


def _hourglass(prefix: str, level: int, sizes: Sizes) -> Shapes:
    width = sizes.widths[level]
    # The HSI and the MSI, one upon the other.
    channels = sizes.bands + len(sizes.supports)
    shapes = _scale(prefix, level, _HOURGLASS_SCALES[level], channels, width, sizes.skips[level])
    shapes.update(_conv(f"{prefix}9.{conv_step(level)}", width, sizes.bands, size=1))
    return shapes


def _scale(prefix: str, level: int, scales: int, channels: int, width: int, skip: int) -> Shapes:
    """Return the keys of one scale of an hourglass and of those inside it."""
    step = conv_step(level)
    joined = width + skip
    shapes = _conv(f"{prefix}1.0.1.{step}", channels, skip, size=1)
    shapes.update(_norm(f"{prefix}1.0.2", skip))
    shapes.update(_conv(f"{prefix}1.1.1.{step}", channels, width, size=3))
    shapes.update(_norm(f"{prefix}1.1.2", width))
    shapes.update(_conv(f"{prefix}1.1.4.{step}", width, width, size=3))
    shapes.update(_norm(f"{prefix}1.1.5", width))
    if scales > 1:
        shapes.update(_scale(f"{prefix}1.1.7.", level, scales - 1, width, width, skip))
    shapes.update(_norm(f"{prefix}2", joined))
    shapes.update(_conv(f"{prefix}3.{step}", joined, width, size=3))
    shapes.update(_norm(f"{prefix}4", width))
    shapes.update(_conv(f"{prefix}6.{step}", width, width, size=1))
    shapes.update(_norm(f"{prefix}7", width))
    return shapes


def _conv(name: str, channels_in: int, channels_out: int, *, size: int) -> Shapes:
    return {
        f"{name}.weight": (channels_out, channels_in, size, size),
        f"{name}.bias": (channels_out,),
    }


def _norm(name: str, channels: int) -> Shapes:
    return {
        f"{name}.weight": (channels,),
        f"{name}.bias": (channels,),
        f"{name}.running_mean": (channels,),
        f"{name}.running_var": (channels,),
        f"{name}.num_batches_tracked": (),
    }
