"""Interpolation from LR to HR pixels, with pixel centres where the cameras have them."""

from __future__ import annotations

import numpy as np

# The parameter of Keys' kernel in PyTorch, Paddle and OpenCV; -0.5 is Keys' own and MATLAB's.
PYTORCH_A = -0.75


def _cubic(distance: np.ndarray, a: float) -> np.ndarray:
    """Keys' cubic convolution kernel at |distance| < 2 pixels (his equations 4 and 15 with parameter a)."""
    d = np.abs(distance)
    near = ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0  # |d| <= 1
    far = a * (((d - 5.0) * d + 8.0) * d - 4.0)  # 1 < |d| < 2
    return np.asarray(np.where(d <= 1.0, near, far))


def _stretch(values: np.ndarray, scale: int, a: float) -> np.ndarray:
    """Interpolate along the first axis: (n, ...) to (n * scale, ...)."""
    length = values.shape[0]
    # align_corners = False: pixel centres lie at (i + 1/2); the edge pixel is repeated outwards.
    position = (np.arange(length * scale) + 0.5) / scale - 0.5
    left = np.floor(position).astype(int)
    one_each_row = (-1,) + (1,) * (values.ndim - 1)
    result = np.zeros((length * scale, *values.shape[1:]))
    for tap in (-1, 0, 1, 2):
        weight = _cubic(position - (left + tap), a)
        neighbour = np.clip(left + tap, 0, length - 1)
        result += weight.reshape(one_each_row) * values[neighbour]
    return result


def bicubic_upsample(lr_hsi: np.ndarray, scale: int, a: float = PYTORCH_A) -> np.ndarray:
    """Return the bicubic interpolation by a whole factor, as PyTorch's `interpolate` with align_corners false.

    Args:
        lr_hsi: (h, w, C).
        scale: Whole factor s.
        a: Parameter of the kernel.

    Returns:
        (h * s, w * s, C) float32.

    References:
        R. Keys, "Cubic convolution interpolation for digital image processing", IEEE TASSP 29(6), 1981.
    """
    values = np.asarray(lr_hsi, dtype=np.float64)
    rows = _stretch(values, scale, a)  # (H, w, C)
    both = _stretch(rows.swapaxes(0, 1), scale, a)  # (W, H, C)
    return np.ascontiguousarray(both.swapaxes(0, 1), dtype=np.float32)
