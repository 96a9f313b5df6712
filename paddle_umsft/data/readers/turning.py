"""Images that are stored otherwise than they lie: pictures by the camera's orientation, maps with the south above.

References:
    TIFF 6.0, tag 274 (Orientation); Exif 2.32 uses the same numbers.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from paddle_umsft.data.readers.base import RawArray

# Number of the tag -> what to do: mirrored left to right first, then quarter turns against the clock.
TURNS = {
    2: (True, 0),
    3: (False, 2),
    4: (True, 2),
    5: (True, 1),
    6: (False, 3),
    7: (True, 3),
    8: (False, 1),
}


def turned(
    found: RawArray,
    orientation: int,
    name: str,
) -> RawArray:
    """Turn a picture upright by its orientation tag, and say so.

    Args:
        found: (H, W) or (H, W, C), and its mask.
        orientation: 2 to 8; other numbers mean that nothing is to be done.
        name: Of the file, for the note.
    """
    if orientation not in TURNS or not (found.is_upright or found.values.ndim == 2):
        return found
    mask = found.mask
    if mask is not None:
        mask = _turn(mask, orientation)
    note = f"{name}: turned upright by its orientation tag ({orientation})"
    return replace(
        found,
        values=np.ascontiguousarray(_turn(found.values, orientation)),
        mask=mask,
        notes=(*found.notes, note),
    )


def _turn(image: np.ndarray, orientation: int) -> np.ndarray:
    """Turn (H, W) or (H, W, C)."""
    is_mirrored, quarters = TURNS[orientation]
    if is_mirrored:
        image = image[:, ::-1]
    return np.rot90(image, quarters)


def is_upside_down(found: RawArray) -> bool:
    """Return whether an image's first row is its southernmost, or its first column its easternmost, by its place."""
    transform = found.facts.ground.transform
    if transform is None or not (found.is_upright or found.values.ndim == 2):
        return False
    across, turned_x, _, turned_y, down, _ = transform
    # A turned grid has no side that is north.
    return turned_x == 0 and turned_y == 0 and (down > 0 or across < 0)


def north_up(found: RawArray, name: str) -> RawArray:
    """Mirror an image so that its first row is the northernmost and its first column the westernmost, and say so.

    Latitudes that ascend (netCDF) and positive heights of pixels make such images: beside one that lies the usual way
    they would show another place at every pixel but those of the middle row.

    Args:
        found: An image for which `is_upside_down` holds.
        name: Of the file, for the note.
    """
    ground = found.facts.ground
    assert ground.transform is not None
    across, _, left, _, down, top = ground.transform
    rows, columns = found.values.shape[:2]
    sides = []
    order = [slice(None), slice(None)]
    if down > 0:
        order[0] = slice(None, None, -1)
        top += rows * down
        sides.append("its first row is the southernmost")
    if across < 0:
        order[1] = slice(None, None, -1)
        left += columns * across
        sides.append("its first column is the easternmost")
    mask = found.mask
    if mask is not None:
        mask = mask[tuple(order)]
    moved = replace(
        ground,
        transform=(abs(across), 0.0, left, 0.0, -abs(down), top),
        map_info="",
    )
    return replace(
        found,
        values=np.ascontiguousarray(found.values[tuple(order)]),
        mask=mask,
        facts=found.facts.with_ground(moved),
        notes=(*found.notes, f"{name}: {' and '.join(sides)} by its coordinates: turned north up"),
    )
