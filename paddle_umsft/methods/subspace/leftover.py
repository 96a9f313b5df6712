"""What the LR-HSI shows and the spectral subspace cannot hold, brought back where it is signal."""

from __future__ import annotations

import numpy as np

from paddle_umsft.cameras.operators import PsfOperator
from paddle_umsft.methods.baselines.bicubic import bicubic_upsample

STANDARD_ERRORS = 2.0


def share_of_signal(leftover: np.ndarray) -> np.ndarray:
    """How far each band of a residual can be told from its neighbouring pixels, between 0 and 1.

    The slope of the regression of every inner pixel on the mean of its four neighbours is 1 for a smooth image and 0
    for white noise, give or take 2/√pixels. Twice that much is taken off, so that noise gets nothing.

    Args:
        leftover: (h, w, C).

    Returns:
        (C,) shares; zeros where the image is too small to tell.
    """
    height, width, bands = leftover.shape
    inner = max(height - 2, 0) * max(width - 2, 0)
    doubt = STANDARD_ERRORS * 2.0 / np.sqrt(inner) if inner else 1.0
    if doubt >= 1.0:
        return np.zeros(bands)
    image = leftover.astype(np.float64)
    near = (image[:-2, 1:-1] + image[2:, 1:-1] + image[1:-1, :-2] + image[1:-1, 2:]) / 4.0
    power = np.sum(near**2, axis=(0, 1))
    slope = np.sum(image[1:-1, 1:-1] * near, axis=(0, 1)) / np.where(power > 0, power, 1.0)
    return np.asarray(np.clip((slope - doubt) / (1.0 - doubt), 0.0, 1.0))


def add_leftover(fused: np.ndarray, lr_hsi: np.ndarray, operator: PsfOperator) -> np.ndarray:
    """Adds the interpolated part of LR-HSI − PSF(fused) that is smooth enough to be signal.

    Args:
        fused: (H, W, C) float32, changed in place.
        lr_hsi: (h, w, C), in the same units.
        operator: The PSF.

    Returns:
        `fused`, still non-negative, and as sharp as before: what is added has no detail finer than an LR pixel.
    """
    leftover = lr_hsi - operator.forward(fused)
    leftover *= share_of_signal(leftover)
    if np.any(leftover):
        fused += bicubic_upsample(leftover.astype(np.float32), operator.scale)
        np.maximum(fused, 0.0, out=fused)
    return fused
