"""Values brought to float32 as they are read, a block at a time: a large image is never there in its file's own type.

Only where float32 holds each of the file's numbers exactly: whatever is computed of them comes out to the same bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from paddle_umsft.data.layout import guess_layout

# Of these types every number is one of float32, too.
EXACT_TYPES = ("uint8", "int8", "uint16", "int16", "float32")
IMAGE_AXES = 3
# Of rows, columns and bands their places in an array.
BANDS_LAST = (0, 1, 2)
BANDS_FIRST = (1, 2, 0)
# Values that are read at a time: 16 MB of float32.
VALUES_AT_ONCE = 2**22
# A file's own block of rows may have so many; beyond that its bands are read one after the other, if it has them apart.
MOST_OF_A_BLOCK = 2**24


@dataclass(frozen=True)
class FileBlock:
    """What a file has to be read of at one go: a strip, a tile, a chunk.

    Attributes:
        rows: Of it.
        bands: Of it.
    """

    rows: int
    bands: int


# Half-open ranges of rows and of bands -> (n, W, m) of the image, in the file's own type.
ReadPart = Callable[[slice, slice], np.ndarray]


def is_exact(dtype: Any) -> bool:
    """Whether float32 holds all numbers of a type."""
    # Without the order of its bytes.
    name = np.dtype(dtype).name
    return name in EXACT_TYPES


def tells_alike(no_data: Optional[float]) -> bool:
    """Whether a number that means "no data" is found in float32 just where it is found in the file's own type.

    Args:
        no_data: The number; None: there is none.
    """
    if no_data is None:
        return True
    # Whole numbers are all numbers.
    if np.isnan(no_data):
        return True
    # 3.0000001 stands nowhere among whole numbers, but is 3 in float32.
    return float(no_data).is_integer()


def read_single(
    shape: tuple[int, int, int],
    block: FileBlock,
    read: ReadPart,
) -> np.ndarray:
    """Read an image into one array of float32.

    Args:
        shape: (H, W, C).
        block: Of the file: none is read twice where that can be helped.
        read: Reads a part.

    Returns:
        (H, W, C) float32, in one block of memory of its own.
    """
    height, width, bands = shape
    single = np.empty(shape, dtype=np.float32)
    block_of_rows = block.rows * width * bands
    if block.bands < bands and block_of_rows > MOST_OF_A_BLOCK:
        # Bands lie apart, and a few rows of all of them would be all of the file.
        values = height * width * block.bands
        step = block.bands * _blocks_at_once(values)
        every_row = slice(0, height)
        for first in range(0, bands, step):
            end = min(first + step, bands)
            some = slice(first, end)
            single[:, :, some] = read(every_row, some)
        return single
    step = block.rows * _blocks_at_once(block_of_rows)
    every_band = slice(0, bands)
    for top in range(0, height, step):
        bottom = min(top + step, height)
        rows = slice(top, bottom)
        single[rows] = read(rows, every_band)
    return single


def _blocks_at_once(values: int) -> int:
    """How many blocks of so many values are read together; one at least."""
    fitting = VALUES_AT_ONCE // values
    return max(1, fitting)


def stored_order(
    shape: tuple[int, ...],
    layout: str,
    bands: Optional[int],
) -> tuple[int, int, int]:
    """Return of rows, columns and bands their places in an array; in doubt the bands are its last axis.

    A wrong guess costs a copy, and nothing else: the array keeps its own axes.

    Args:
        shape: Three axes.
        layout: "hwc", "chw" or "auto".
        bands: Number of bands, if known beforehand.
    """
    if layout == "auto":
        layout = guess_layout(shape, bands)
    if layout == "chw":
        return BANDS_FIRST
    return BANDS_LAST


def in_stored_order(single: np.ndarray, order: tuple[int, int, int]) -> np.ndarray:
    """Return an image (H, W, C) with the axes that the file has, in the memory that it has.

    Args:
        single: Of `read_single`.
        order: Of `stored_order`.
    """
    back = np.argsort(order)
    return np.transpose(single, back)


def read_stored(
    shape: tuple[int, ...],
    order: tuple[int, int, int],
    block: FileBlock,
    load: Callable[[tuple[slice, ...]], np.ndarray],
) -> np.ndarray:
    """Read an array of three axes into float32.

    Args:
        shape: As it is stored.
        order: Of rows, columns and bands their places in it.
        block: See `read_single`.
        load: One slice an axis -> that part of it.

    Returns:
        Of the same shape, its memory in the order rows, columns, bands.
    """
    row_axis, column_axis, band_axis = order

    def read(rows: slice, bands: slice) -> np.ndarray:
        part = [slice(None)] * IMAGE_AXES
        part[row_axis] = rows
        part[band_axis] = bands
        stored = load(tuple(part))
        return np.transpose(stored, order)  # (n, W, m)

    upright = (
        shape[row_axis],
        shape[column_axis],
        shape[band_axis],
    )
    single = read_single(upright, block, read)
    return in_stored_order(single, order)
