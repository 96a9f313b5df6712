"""Bicubic interpolation of the LR-HSI: what one has without the HR-MSI, and the yardstick of all other figures."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from paddle_umsft.data.scene import FusionResult, Observation


def _cubic(distance: np.ndarray, a: float) -> np.ndarray:
    """Keys' cubic convolution kernel at |distance| < 2 pixels."""
    d = np.abs(distance)
    near = ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0
    far = a * (((d - 5.0) * d + 8.0) * d - 4.0)
    return np.asarray(np.where(d <= 1.0, near, far))


def _stretch(values: np.ndarray, scale: int, a: float) -> np.ndarray:
    """Interpolates along the first axis: (n, ...) to (n * scale, ...)."""
    n = values.shape[0]
    # align_corners = False: pixel centres lie at (i + 1/2); the edge pixel is repeated outwards.
    position = (np.arange(n * scale) + 0.5) / scale - 0.5
    left = np.floor(position).astype(int)
    shape = (-1,) + (1,) * (values.ndim - 1)
    result = np.zeros((n * scale, *values.shape[1:]))
    for tap in (-1, 0, 1, 2):
        weight = _cubic(position - (left + tap), a).reshape(shape)
        result += weight * values[np.clip(left + tap, 0, n - 1)]
    return result


def bicubic_upsample(lr_hsi: np.ndarray, scale: int, a: float = -0.75) -> np.ndarray:
    """Bicubic interpolation by a whole factor, as PyTorch's and Paddle's `interpolate` with align_corners false.

    Args:
        lr_hsi: (h, w, C).
        scale: Whole factor s.
        a: Parameter of the kernel; -0.75 is PyTorch's, -0.5 Keys' own and MATLAB's.

    Returns:
        (h * s, w * s, C) float32.

    References:
        R. Keys, "Cubic convolution interpolation for digital image processing", IEEE TASSP 29(6), 1981.
    """
    rows = _stretch(np.asarray(lr_hsi, dtype=np.float64), scale, a)
    return np.ascontiguousarray(_stretch(rows.swapaxes(0, 1), scale, a).swapaxes(0, 1), dtype=np.float32)


def fuse_bicubic(
    observation: Observation, config: Any = None, on_record: Callable[[dict[str, Any]], None] | None = None
) -> FusionResult:
    """Interpolates the LR-HSI and takes no notice of the HR-MSI.

    Args:
        observation: What the cameras saw.
        config: Not used; here because every method is called alike.
        on_record: Not used: there are no iterations.

    Returns:
        (H, W, C) interpolation; no PSF, no SRF.

    References:
        See `bicubic_upsample`.
    """
    start = time.perf_counter()
    fused = bicubic_upsample(observation.lr_hsi, observation.scale)
    return FusionResult(fused=fused, method="bicubic", seconds=time.perf_counter() - start)
