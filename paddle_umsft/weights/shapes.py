"""The shapes that a published state_dict must have, made from a few sizes, and those sizes read off a file.

References:
    Shapes of the published network (``MultiLevelFus`` in HIFtool, commit 6a515e4) for 31×3 and 128×4 bands.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from paddle_umsft.weights.names import DEAD_FROM, LEVELS, PSF_KEYS, conv_step

Shape = tuple[int, ...]
Shapes = dict[str, Shape]

# torchvision's VGG16-BN: (index among `features`, channels in, channels out); the BN sits at index + 1.
VGG_CONVOLUTIONS = (
    (0, 3, 64), (3, 64, 64), (7, 64, 128), (10, 128, 128), (14, 128, 256), (17, 256, 256), (20, 256, 256),
    (24, 256, 512), (27, 512, 512), (30, 512, 512), (34, 512, 512), (37, 512, 512), (40, 512, 512),
)  # fmt: skip
# torchvision's VGG19 without BN, up to layer 14, all that the perceptual term uses.
VGG19_CONVOLUTIONS = (
    (0, 3, 64), (2, 64, 64), (5, 64, 128), (7, 128, 128), (10, 128, 256), (12, 256, 256), (14, 256, 256),
)  # fmt: skip
_HOURGLASS_SCALES = (3, 2, 2)
_TAPS = (256, 128, 64)


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
    """Returns every key of the published network with its shape, in the published order."""
    bands, msi_bands = sizes.bands, len(sizes.supports)
    shapes: Shapes = {}
    for suffix, level in LEVELS.items():
        inner = sizes.attention[level]
        shapes.update({f"attention{suffix}.{name}.weight": (inner, bands) for name in ("w_qs", "w_ks", "w_vs")})
        shapes[f"attention{suffix}.fc.weight"] = (bands, inner)
    for suffix, level in LEVELS.items():
        shapes.update(_hourglass(f"super{suffix}.", level, sizes))
    for number in range(1, 7):
        channels, size = _TAPS[(number - 1) // 2], 3 if number == 1 else 1
        shapes.update(conv_shapes(f"FeatureMerge{number}.0", channels, bands, size))
        shapes.update(conv_shapes(f"FeatureMerge{number}.2", bands, bands, 3))
    for encoder, channels in (("HSIFE", bands), ("MSIFE", msi_bands)):
        shapes.update(vgg_shapes(f"{encoder}.extractor", channels))
    shapes.update(srf_shapes(sizes.supports, "rm.srf."))
    shapes.update(conv_shapes("rm.refine.0", msi_bands, 2 * msi_bands, 1))
    shapes.update(conv_shapes("rm.refine.2", 2 * msi_bands, bands, 1))
    return shapes


def vgg_shapes(prefix: str = "features", channels: int = 3, dead: bool = True) -> Shapes:
    """Returns the keys of a VGG16-BN feature stack.

    Args:
        prefix: What stands before the layer's index.
        channels: Of the input.
        dead: Whether to go on beyond the last layer in use.
    """
    shapes: Shapes = {}
    for index, before, after in VGG_CONVOLUTIONS:
        if dead or index < DEAD_FROM:
            shapes.update(conv_shapes(f"{prefix}.{index}", channels if index == 0 else before, after, 3))
            shapes.update(norm_shapes(f"{prefix}.{index + 1}", after))
    return shapes


def vgg19_shapes() -> Shapes:
    """Returns the keys of VGG19's feature stack up to layer 14."""
    shapes: Shapes = {}
    for index, before, after in VGG19_CONVOLUTIONS:
        shapes.update(conv_shapes(f"features.{index}", before, after, 3))
    return shapes


def srf_shapes(supports: tuple[int, ...], prefix: str = "") -> Shapes:
    """Returns the keys of the SRF net for supports of these lengths."""
    shapes: Shapes = {f"{prefix}srf_list.{band}": (length,) for band, length in enumerate(supports)}
    for band in range(len(supports)):
        shapes[f"{prefix}conv_lst.{band}.weight"] = (1, 1, 3)
        shapes[f"{prefix}conv_lst.{band}.bias"] = (1,)
    return shapes


def psf_shapes(size: int) -> Shapes:
    """Returns the keys of the PSF net for a kernel of this size."""
    return dict.fromkeys(PSF_KEYS, (1, 1, size, size))


def umsft_sizes(found: Mapping[str, Shape]) -> Sizes:
    """Reads the sizes off a checkpoint's shapes.

    Each size is seen in several tensors and the majority counts, so that one wrong tensor is reported as such
    instead of making all others look wrong.

    Args:
        found: Shapes by published key; some may be missing or wrong.
    """
    bands = majority(found, [f"FeatureMerge{n}.2.bias" for n in range(1, 7)] + ["rm.refine.2.bias"], 31)
    # Three witnesses; the number of srf_list entries is none, as a missing one must show as missing.
    votes = [found[key][1] for key in ("rm.refine.0.weight", "MSIFE.extractor.0.weight") if len(found.get(key, ())) > 1]
    votes += [found[key][0] // 2 for key in ("rm.refine.0.bias",) if found.get(key)]
    msi_bands = Counter(votes).most_common(1)[0][0] if votes else 3
    msi_bands = min(msi_bands, 10_000)  # a wrong tensor must not make the table endless
    lengths = tuple(_first(found, f"rm.srf.srf_list.{band}") for band in range(msi_bands))
    attention, widths, skips = [], [], []
    for suffix, level in LEVELS.items():
        rows = [f"attention{suffix}.{name}.weight" for name in ("w_qs", "w_ks", "w_vs")]
        attention.append(majority(found, rows, 5 * (bands // 5)))
        top = f"super{suffix}."
        norms = [f"{top}{place}.bias" for place in ("1.1.2", "1.1.5", "4", "7")]
        widths.append(majority(found, norms, 191))
        step = conv_step(level)
        skips.append(majority(found, [f"{top}1.0.1.{step}.bias", f"{top}1.0.2.bias", f"{top}1.0.2.weight"], 20))
    return Sizes(bands, lengths, tuple(attention), tuple(widths), tuple(skips))


def srf_supports(found: Mapping[str, Shape]) -> tuple[int, ...]:
    """Reads the supports' lengths off the shapes of an SRF net."""
    numbers = [int(n) for key in found for n in re.findall(r"^(?:srf_list|conv_lst)\.(\d{1,4})(?:\.|$)", key)]
    return tuple(_first(found, f"srf_list.{band}") for band in range(max(numbers, default=-1) + 1))


def _first(found: Mapping[str, Shape], key: str) -> int:
    shape = found.get(key, ())
    return shape[0] if len(shape) == 1 else 1


def majority(found: Mapping[str, Shape], keys: list[str], default: int, axis: int = 0) -> int:
    """Reads a size off several tensors; the most frequent counts."""
    sizes = Counter(found[key][axis] for key in keys if len(found.get(key, ())) > axis)
    return sizes.most_common(1)[0][0] if sizes else default


def _hourglass(prefix: str, level: int, sizes: Sizes) -> Iterator[tuple[str, Shape]]:
    width = sizes.widths[level]
    channels = sizes.bands + len(sizes.supports)
    yield from scale_shapes(
        prefix, conv_step(level), _HOURGLASS_SCALES[level], channels, width, sizes.skips[level]
    )
    yield from conv_shapes(f"{prefix}9.{conv_step(level)}", width, sizes.bands, 1)


def scale_shapes(
    prefix: str, step: str, scales: int, channels: int, width: int, skip: int
) -> Iterator[tuple[str, Shape]]:
    """Yields the keys of an hourglass's scale and of those inside it.

    Args:
        prefix: What stands before the scale's positions.
        step: Index of a convolution behind its place (``names.conv_step``).
        scales: How many there are.
        channels: Coming in.
        width: Of the deeper branch.
        skip: Of the thin branch.
    """
    yield from conv_shapes(f"{prefix}1.0.1.{step}", channels, skip, 1)
    yield from norm_shapes(f"{prefix}1.0.2", skip)
    yield from conv_shapes(f"{prefix}1.1.1.{step}", channels, width, 3)
    yield from norm_shapes(f"{prefix}1.1.2", width)
    yield from conv_shapes(f"{prefix}1.1.4.{step}", width, width, 3)
    yield from norm_shapes(f"{prefix}1.1.5", width)
    if scales > 1:
        yield from scale_shapes(f"{prefix}1.1.7.", step, scales - 1, width, width, skip)
    yield from norm_shapes(f"{prefix}2", width + skip)
    yield from conv_shapes(f"{prefix}3.{step}", width + skip, width, 3)
    yield from norm_shapes(f"{prefix}4", width)
    yield from conv_shapes(f"{prefix}6.{step}", width, width, 1)
    yield from norm_shapes(f"{prefix}7", width)


def conv_shapes(name: str, before: int, after: int, size: int) -> list[tuple[str, Shape]]:
    """Returns the keys of a convolution."""
    return [(f"{name}.weight", (after, before, size, size)), (f"{name}.bias", (after,))]


def norm_shapes(name: str, channels: int) -> list[tuple[str, Shape]]:
    """Returns the keys of a batch normalisation."""
    parts: list[tuple[str, Shape]] = [
        (f"{name}.{part}", (channels,)) for part in ("weight", "bias", "running_mean", "running_var")
    ]
    return [*parts, (f"{name}.num_batches_tracked", ())]
