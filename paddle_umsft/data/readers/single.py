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
    return np.dtype(dtype).name in EXACT_TYPES


def tells_alike(no_data: Optional[float]) -> bool:
    """Whether a number that means "no data" is found in float32 just where it is found in the file's own type.

    Args:
        no_data: The number; None: there is none.
    """
    if no_data is None or np.isnan(no_data):
        return True
    # 3.0000001 stands nowhere among whole numbers, but is 3 in float32.
    return float(no_data).is_integer()


def read_single(shape: tuple[int, int, int], block: FileBlock, read: ReadPart) -> np.ndarray:
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
    is_apart = block.bands < bands
    if is_apart and block.rows * width * bands > MOST_OF_A_BLOCK:
        step = block.bands * max(1, VALUES_AT_ONCE // (height * width * block.bands))
        for first in range(0, bands, step):
            some = slice(first, min(first + step, bands))
            single[:, :, some] = read(slice(0, height), some)
        return single
    step = block.rows * max(1, VALUES_AT_ONCE // (width * bands * block.rows))
    for top in range(0, height, step):
        rows = slice(top, min(top + step, height))
        single[rows] = read(rows, slice(0, bands))
    return single


def stored_order(shape: tuple[int, ...], layout: str, bands: Optional[int]) -> tuple[int, int, int]:
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
        return 1, 2, 0
    return 0, 1, 2


def in_stored_order(single: np.ndarray, order: tuple[int, int, int]) -> np.ndarray:
    """Return an image (H, W, C) with the axes that the file has, in the memory that it has.

    Args:
        single: Of `read_single`.
        order: Of `stored_order`.
    """
    return np.transpose(single, np.argsort(order))


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

    def read(rows: slice, bands: slice) -> np.ndarray:
        part = [slice(None)] * IMAGE_AXES
        part[order[0]] = rows
        part[order[2]] = bands
        return np.transpose(load(tuple(part)), order)

    height, width, bands = (shape[place] for place in order)
    return in_stored_order(read_single((height, width, bands), block, read), order)
