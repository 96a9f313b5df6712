"""Pictures that say how the camera was held: turned upright, as every viewer shows them.

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
