"""uHNTC's second set of attentions: fixed to one image size, never called, and so in published checkpoints alone.

Here they are dropped by name. What is remembered is for how many pixels they were, so that a published checkpoint can
be made again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Optional

from paddle_umsft.errors import ConfigError
from paddle_umsft.weights.fit import Shape
from paddle_umsft.weights.shapes import Shapes, Table
from paddle_umsft.weights.shapes_uhntc import TAPS

# The entry of a file's metadata that remembers the pixels.
PIXELS_ENTRY = "unused_pixels"
# Where nothing is known of the image: the published script's crop.
PUBLISHED_CROP = (128, 128)

# Pixels of each level's tap ("h", "m", "l").
Pixels = dict[str, int]

# Five heads of ten.
_INNER = 50
# How much shorter than the image's sides those of each level's tap are.
_SHRINK = {"h": 4, "m": 2, "l": 1}
# A shorter side leaves the high level without a pixel.
_SHORTEST_SIDE = 4
# They are filled in for images up to this size; for one of 2048 by 2048 they take 4.4 GB.
_LONGEST_SIDE = 2048


def unused_shapes(pixels: Mapping[str, int]) -> Shapes:
    """Return the keys of the attentions `FTB_h2`, `FTB_m2` and `FTB_l2`, in the published order.

    Args:
        pixels: Of each level's tap.
    """
    shapes: Shapes = {}
    for level, count in pixels.items():
        table = Table(f"FTB_{level}2.multiatt1.")
        # PyTorch's Linear layers, (out, in): from pixel to pixel.
        table.put("w_qs.weight", _INNER, count)
        table.put("w_ks.weight", _INNER, count)
        table.put("w_vs.weight", _INNER, count)
        table.put("fc.weight", count, _INNER)
        table.norm("OutBN", TAPS[level])
        shapes.update(table.shapes)
    return shapes


# Every name there is, whatever the size.
UNUSED_KEYS = frozenset(unused_shapes(dict.fromkeys(TAPS, 1)))


def check_image_size(image_size: tuple[int, int]) -> None:
    """Raise ConfigError if these attentions cannot be made for an image of this size.

    Args:
        image_size: (H, W).
    """
    if all(_SHORTEST_SIDE <= side <= _LONGEST_SIDE for side in image_size):
        return
    height, width = image_size
    raise ConfigError(
        "size of the image",
        where="image_size",
        expected=f"{_SHORTEST_SIDE} to {_LONGEST_SIDE}",
        got=f"{height}x{width}",
    )


def pixels_of_image(height: int, width: int) -> Pixels:
    """Return the pixels of each level's tap for an image of that size."""
    pixels: Pixels = {}
    for level, shrink in _SHRINK.items():
        pixels[level] = (height // shrink) * (width // shrink)
    return pixels


def known_pixels(found: Mapping[str, Shape], metadata: Mapping[str, str]) -> Optional[Pixels]:
    """Return the pixels that a file was made for; None if it does not show.

    Args:
        found: Shapes by published key of the file's own unused attentions.
        metadata: What the file says of itself, for instance of a published file it came from.
    """
    own = _pixels_of_shapes(found)
    if own is not None:
        return own
    try:
        recorded = json.loads(metadata.get(PIXELS_ENTRY, "{}"))
    except (ValueError, RecursionError):
        return None
    return _checked(recorded)


def pixels_as_text(pixels: Mapping[str, int]) -> str:
    """Return what `known_pixels` reads back from a file's metadata."""
    return json.dumps(dict(pixels), sort_keys=True)


def _pixels_of_shapes(found: Mapping[str, Shape]) -> Optional[Pixels]:
    pixels: Pixels = {}
    for level in TAPS:
        shape = found.get(f"FTB_{level}2.multiatt1.w_qs.weight", ())
        if len(shape) != 2 or shape[0] != _INNER:
            return None
        pixels[level] = shape[1]
    return _checked(pixels)


def _checked(pixels: Any) -> Optional[Pixels]:
    """Return the pixels of the levels, None if a count is missing or cannot be: the file may say anything."""
    if not isinstance(pixels, dict):
        return None
    checked: Pixels = {}
    for level in TAPS:
        count = pixels.get(level)
        # `type`, as True is an integer to isinstance.
        if type(count) is not int or not 0 < count <= _LONGEST_SIDE**2:
            return None
        checked[level] = count
    return checked
