"""Interpolation from LR to HR pixels, with pixel centres where the cameras have them."""

from __future__ import annotations

from typing import Optional

import numpy as np
from scipy import sparse

# The parameter of Keys' kernel in PyTorch, Paddle and OpenCV; -0.5 is Keys' own and MATLAB's.
PYTORCH_A = -0.75
# The pixels that a cubic reaches, counted from the one to the left of a position.
NEIGHBOURS = (-1, 0, 1, 2)


def _cubic(distance: np.ndarray, a: float) -> np.ndarray:
    """Keys' cubic convolution kernel at |distance| < 2 pixels (his equations 4 and 15 with parameter a)."""
    d = np.abs(distance)
    # (a + 2) d^3 - (a + 3) d^2 + 1 up to one pixel ...
    near = (a + 2.0) * d - (a + 3.0)
    near = near * d * d + 1.0
    # ... and a (d^3 - 5 d^2 + 8 d - 4) from there to two.
    far = (d - 5.0) * d + 8.0
    far = a * (far * d - 4.0)
    cubic = np.where(d <= 1.0, near, far)
    return np.asarray(cubic)


def _taps(
    length: int,
    scale: int,
    a: float,
    lines: Optional[np.ndarray] = None,
) -> sparse.csr_matrix:
    """(n, length) weights by which a line of pixels becomes `scale` times as long, or some of these places only."""
    if lines is None:
        lines = np.arange(length * scale)
    # align_corners = False: pixel centres lie at (i + 1/2); the edge pixel is repeated outwards.
    centres = lines + 0.5
    position = centres / scale - 0.5
    left = np.floor(position)
    left = left.astype(int)
    weights, neighbours = [], []
    for tap in NEIGHBOURS:
        neighbour = left + tap
        weights.append(_cubic(position - neighbour, a))
        neighbours.append(np.clip(neighbour, 0, length - 1))
    places = (np.tile(np.arange(len(position)), len(NEIGHBOURS)), np.concatenate(neighbours))
    # Where the edge pixel is repeated its weights add up.
    return sparse.csr_matrix((np.concatenate(weights), places), shape=(len(position), length))


def bicubic_upsample(
    lr_hsi: np.ndarray,
    scale: int,
    a: float = PYTORCH_A,
    *,
    rows: Optional[np.ndarray] = None,
) -> np.ndarray:
    """Return the bicubic interpolation by a whole factor, as PyTorch's `interpolate` with align_corners false.

    Args:
        lr_hsi: (h, w, C), or where only some rows are wanted, anything that gives rows of it.
        scale: Whole factor s.
        a: Parameter of the kernel.
        rows: HR rows that are wanted; None: all.

    Returns:
        (h * s, w * s, C) float32; (rows, w * s, C) where only some are wanted.

    References:
        R. Keys, "Cubic convolution interpolation for digital image processing", IEEE TASSP 29(6), 1981.
    """
    height, width, bands = lr_hsi.shape
    dtype = lr_hsi.dtype
    if dtype != np.float32:
        dtype = np.dtype(np.float64)
    down = _taps(height, scale, a, rows).astype(dtype)
    across = _taps(width, scale, a).astype(dtype)
    seen = lr_hsi
    if rows is not None:
        # The image may lie in a file: no more of it is asked for than the rows see.
        reached = np.unique(down.indices)
        down = down[:, reached]
        seen = lr_hsi[reached]
    image = np.ascontiguousarray(seen, dtype=dtype)
    narrow = down @ image.reshape(len(image), -1)  # (H, w * C)
    enlarged = np.empty((len(narrow), width * scale, bands), dtype=np.float32)
    # Row by row: nothing has to be turned.
    for number, row in enumerate(narrow):
        enlarged[number] = across @ row.reshape(width, bands)
    return enlarged
