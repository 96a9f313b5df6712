"""Bicubic interpolation by a whole factor, for any method that needs an image at the other resolution."""

from __future__ import annotations

import numpy as np

# Free parameter of the kernel. PyTorch, Paddle and OpenCV have -0.75; Keys' own and MATLAB's is -0.5.
PYTORCH_KERNEL = -0.75
# Pixels that the kernel reaches, counted from the one to the left.
TAPS = (-1, 0, 1, 2)


def bicubic_upsample(lr_hsi: np.ndarray, scale: int, a: float = PYTORCH_KERNEL) -> np.ndarray:
    """Interpolate by a whole factor, as PyTorch's and Paddle's `interpolate` with align_corners false.

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
    tall = _stretch(values, scale, a)  # (h * s, w, C)
    turned = tall.swapaxes(0, 1)  # (w, h * s, C)
    both = _stretch(turned, scale, a).swapaxes(0, 1)  # (h * s, w * s, C)
    return np.ascontiguousarray(both, dtype=np.float32)


def _stretch(values: np.ndarray, scale: int, a: float) -> np.ndarray:
    """Interpolate along the first axis: (n, ...) to (n * scale, ...)."""
    count = values.shape[0]
    # align_corners = False: pixel centres lie at (i + 1/2); the edge pixel is repeated outwards.
    position = (np.arange(count * scale) + 0.5) / scale - 0.5
    left = np.floor(position).astype(int)
    other_axes = (1,) * (values.ndim - 1)
    result = np.zeros((count * scale, *values.shape[1:]))
    for tap in TAPS:
        neighbour = left + tap
        weight = _cubic(position - neighbour, a).reshape(-1, *other_axes)
        result += weight * values[np.clip(neighbour, 0, count - 1)]
    return result


def _cubic(distance: np.ndarray, a: float) -> np.ndarray:
    """Return Keys' cubic convolution kernel at |distance| < 2 pixels."""
    d = np.abs(distance)
    near = ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0
    far = a * (((d - 5.0) * d + 8.0) * d - 4.0)
    return np.asarray(np.where(d <= 1.0, near, far))
