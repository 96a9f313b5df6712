"""Values between pixels by straight lines: along one axis, or anywhere in a picture as a matrix."""

from __future__ import annotations

import numpy as np
from scipy import sparse

# Pixels around a place that lies between two rows and two columns.
AROUND = 4


def linear_along(
    values: np.ndarray,
    index: np.ndarray,
    axis: int,
) -> np.ndarray:
    """Values at places along one axis.

    Args:
        values: Any shape, n along the axis; along the first one, anything that gives rows of it.
        index: (m,) places, counted in pixels; those beyond the first and the last are at these.
        axis: Which one.

    Returns:
        The same shape, but m along the axis; float32 values stay float32.
    """
    length = values.shape[axis]
    low, share = _lines_around(index, length)
    # A single line has none that follows it, and the share of that is zero.
    high = np.minimum(low + 1, length - 1)
    if axis == 0:
        # The image may lie in a file: no more rows of it are asked for than are seen.
        reached = np.unique([low, high])
        values = values[reached]
        low = np.searchsorted(reached, low)
        high = np.searchsorted(reached, high)
    # (m,) as it multiplies values: the other axes have length 1.
    others = [other for other in range(values.ndim) if other != axis]
    share = np.expand_dims(share, tuple(others))
    share = share.astype(values.dtype)
    mixed = np.take(values, low, axis=axis) * (1 - share)
    mixed += np.take(values, high, axis=axis) * share
    return np.asarray(mixed)


def linear_between(
    index: np.ndarray,
    shape: tuple[int, int],
    dtype: np.dtype,
) -> sparse.csr_matrix:
    """Linear interpolation of an (h, w) picture as a matrix, the same for every band.

    Args:
        index: (n, 2) places, counted in pixels; those beyond the picture are at its border.
        shape: (h, w).
        dtype: Of the weights.

    Returns:
        (n, h * w), four weights in every row.
    """
    count = len(index)
    height, width = shape
    row, down = _lines_around(index[:, 0], height)
    column, across = _lines_around(index[:, 1], width)
    down = down.astype(dtype)
    across = across.astype(dtype)
    # From a pixel to the next row and column; a picture of one line has none, and its weight is zero.
    next_row = width * min(height - 1, 1)
    next_column = min(width - 1, 1)
    first = row * width + column
    places = np.empty((count, AROUND), dtype=np.int32)
    places[:, 0] = first
    places[:, 1] = first + next_column
    places[:, 2] = first + next_row
    places[:, 3] = first + next_row + next_column
    # (1 - down) * (1 - across) and its like, with the one product that all four share.
    both = down * across
    weights = np.empty((count, AROUND), dtype=dtype)
    weights[:, 0] = 1 - down - across + both
    weights[:, 1] = across - both
    weights[:, 2] = down - both
    weights[:, 3] = both
    # Every row of the matrix has as many weights.
    row_begins = np.arange(0, AROUND * count + 1, AROUND)
    content = (weights.ravel(), places.ravel(), row_begins)
    return sparse.csr_matrix(content, shape=(count, height * width))


def _lines_around(
    index: np.ndarray,
    length: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the line before each place, and how far behind it that lies: (n,) int32 and (n,) of 0 to 1.

    Args:
        index: (n,) places.
        length: Lines of the picture; places beyond the first and the last are at these.
    """
    inside = np.clip(index, 0, length - 1)
    # The last line follows another one; that of a picture of one line is the only one.
    last_low = max(length - 2, 0)
    low = np.minimum(inside.astype(np.int32), last_low)
    return low, inside - low
