"""Weights of a few pixels each as sparse matrices along an axis, and pictures mixed by them."""

from __future__ import annotations

import numpy as np
from scipy import sparse


def taps_matrix(
    pixels: np.ndarray,
    taps: np.ndarray,
    length: int,
) -> sparse.csr_matrix:
    """The matrix that applies taps to pixels.

    Args:
        pixels: (n, k) which ones; where one comes twice in a row its taps add up.
        taps: (n, k) their weights.
        length: Of all pixels.

    Returns:
        (n, length).
    """
    count, width = pixels.shape
    rows = np.repeat(np.arange(count), width)
    places = (rows, pixels.ravel())
    return sparse.csr_matrix((taps.ravel(), places), shape=(count, length))


def rows_then_columns(
    image: np.ndarray,
    down: sparse.csr_matrix,
    across: sparse.csr_matrix,
) -> np.ndarray:
    """Mix the rows of a picture, then its columns.

    Args:
        image: (H, W, M).
        down: (n, H).
        across: (m, W).

    Returns:
        (n, m, M) float64.
    """
    rows_done = _first_axis(down, image)  # (n, W, M)
    turned = rows_done.transpose(1, 0, 2)
    both_done = _first_axis(across, turned)  # (m, n, M)
    upright = both_done.transpose(1, 0, 2)
    return np.ascontiguousarray(upright)


def _first_axis(
    matrix: sparse.csr_matrix,
    values: np.ndarray,
) -> np.ndarray:
    """Mix (N, a, b) by an (n, N) matrix: (n, a, b) float64."""
    _, *others = values.shape
    lines = values.reshape(len(values), -1)  # (N, a * b)
    mixed = matrix @ np.asarray(lines, dtype=np.float64)
    return np.asarray(mixed).reshape(-1, *others)
