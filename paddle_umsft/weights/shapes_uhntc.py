"""The shapes that a published uHNTC state_dict must have, and the sizes they depend on, read off a file.

References:
    Shapes of the published network (``MultiLevelFsusionTransformer`` in FeafusFormer, commit d5c5de2) for 31×3 bands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Optional

from paddle_umsft.weights.names_uhntc import LAST_VGG_LAYER, QUERY_KEYS
from paddle_umsft.weights.shapes import (
    VGG_CONVOLUTIONS,
    Shape,
    Shapes,
    conv_shapes,
    majority,
    norm_shapes,
    scale_shapes,
)

MIDDLE_PER_BAND = 2.06  # channels between the two doublings of up_16
TAPS = {"h": 256, "m": 128, "l": 64}
# Of each skip block: kernel of its entry, scales and thin branches of its hourglass.
_SKIPS = {"skiph": (3, 3, 1), "skipm": (3, 3, 1), "skipl": (1, 5, 5)}
# The attentions that are never called: 5 heads of 10, and how much smaller than the image each tap is.
_UNUSED_INNER = 50
_UNUSED_SHRINK = {"h": 4, "m": 2, "l": 1}
PUBLISHED_CROP = (128, 128)  # of the published script


@dataclass(frozen=True)
class UhntcSizes:
    """What a uHNTC checkpoint's shapes depend on, but for its unused attentions.

    Args:
        bands: C.
        msi_bands: M.
    """

    bands: int
    msi_bands: int


def uhntc_sizes(found: Mapping[str, Shape]) -> UhntcSizes:
    """Reads the sizes off a checkpoint's shapes; the majority counts, so that one wrong tensor is reported as such.

    Args:
        found: Shapes by published key; some may be missing or wrong.
    """
    witnesses = [f"{block}.0.weight" for block in _SKIPS] + ["up_16.11.weight", "up_4.6.weight"]
    first = found.get("FE.model.0.weight", ())
    msi_bands = first[1] if len(first) > 1 else 3
    return UhntcSizes(bands=majority(found, witnesses, 31), msi_bands=msi_bands)


def uhntc_shapes(sizes: UhntcSizes, *, query: bool, pixels: Optional[Mapping[str, int]] = None) -> Shapes:
    """Returns every key of the network with its shape, in the published order.

    Args:
        sizes: Of the network.
        query: Whether the query convolution is among them, which no published checkpoint has (P12).
        pixels: Per unused attention ("h", "m", "l") the pixels of its tap; None: without them.
    """
    shapes: Shapes = dict(_upsamplings(sizes.bands))
    for tap, count in (pixels or {}).items():
        shapes.update(unused_shapes(tap, count))
    for block, (kernel, scales, skip) in _SKIPS.items():
        shapes.update(_skip_block(block, sizes.bands, kernel, scales, skip))
    for index, before, after in VGG_CONVOLUTIONS:
        if index < LAST_VGG_LAYER:
            shapes.update(conv_shapes(f"FE.model.{index}", sizes.msi_bands if index == 0 else before, after, 3))
            shapes.update(norm_shapes(f"FE.model.{index + 1}", after))
    if query:
        shapes[QUERY_KEYS[0]] = (VGG_CONVOLUTIONS[0][2], sizes.bands, 3, 3)
        shapes[QUERY_KEYS[1]] = (VGG_CONVOLUTIONS[0][2],)
    return shapes


def unused_shapes(tap: str, pixels: int) -> Shapes:
    """Returns the keys of the attention ``FTB_<tap>2``, which is fixed to one image size and never called."""
    prefix = f"FTB_{tap}2.multiatt1."
    shapes: Shapes = {f"{prefix}{name}.weight": (_UNUSED_INNER, pixels) for name in ("w_qs", "w_ks", "w_vs")}
    shapes[f"{prefix}fc.weight"] = (pixels, _UNUSED_INNER)
    shapes.update(norm_shapes(f"{prefix}OutBN", TAPS[tap]))
    return shapes


UNUSED_KEYS = frozenset(key for tap in TAPS for key in unused_shapes(tap, 1))


def pixels_of_image(height: int, width: int) -> dict[str, int]:
    """Returns per unused attention the pixels of its tap, for an image of that size."""
    return {tap: (height // shrink) * (width // shrink) for tap, shrink in _UNUSED_SHRINK.items()}


def pixels_of_file(found: Mapping[str, Shape]) -> Optional[dict[str, int]]:
    """Reads those pixels off a checkpoint's shapes; None where an attention is missing or odd."""
    pixels = {}
    for tap in TAPS:
        shape = found.get(f"FTB_{tap}2.multiatt1.w_qs.weight", ())
        if len(shape) != 2:
            return None
        pixels[tap] = shape[1]
    return pixels


def _upsamplings(bands: int) -> Iterator[tuple[str, Shape]]:
    middle = int(MIDDLE_PER_BAND * bands)
    yield "up_16.0.weight", (TAPS["h"], 1, 3, 3)
    yield "up_16.2.weight", (4 * middle, TAPS["h"], 1, 1)
    yield "up_16.5.weight", (middle, 1, 3, 3)
    yield "up_16.7.weight", (4 * bands, middle, 1, 1)
    yield "up_16.10.weight", (bands, 1, 3, 3)
    yield "up_16.11.weight", (bands, bands, 1, 1)
    yield "up_4.0.weight", (TAPS["m"], 1, 3, 3)
    yield "up_4.2.weight", (4 * bands, TAPS["m"], 1, 1)
    yield "up_4.5.weight", (bands, 1, 3, 3)
    yield "up_4.6.weight", (bands, bands, 1, 1)


def _skip_block(block: str, bands: int, kernel: int, scales: int, skip: int) -> Iterator[tuple[str, Shape]]:
    tap = TAPS["l"] if block == "skipl" else bands
    yield f"{block}.0.weight", (bands, tap + bands, kernel, kernel)
    yield from scale_shapes(f"{block}.3.", "0", scales, bands, bands, skip)
    yield from conv_shapes(f"{block}.3.9.0", bands, bands, 1)
