"""What the LR-HSI shows and the spectral subspace cannot hold, brought back where it is signal."""

from __future__ import annotations

from typing import Optional

import numpy as np

from paddle_umsft.cameras.spatial import SpatialDegradation

# Of an inner pixel, along rows and columns.
NEIGHBOURS = 4.0
# The mean of four independent neighbours has half a pixel's standard deviation, so the slope of white noise on it
# strays by this over the root of the number of pixels.
SLOPE_ERROR = 2.0
# So many standard errors of the slope count as noise: one band in forty of pure noise would get anything.
STANDARD_ERRORS = 2.0
# Values of a residual that are looked at together.
AT_ONCE = 2**24


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
    if inner == 0:
        return np.zeros(bands)
    doubt = STANDARD_ERRORS * SLOPE_ERROR / np.sqrt(inner)
    if doubt >= 1.0:
        return np.zeros(bands)
    if leftover.size > AT_ONCE and bands > 1:
        # A large image band by band: it is never there in float64.
        return np.concatenate([share_of_signal(leftover[:, :, [band]]) for band in range(bands)])
    image = leftover.astype(np.float64)
    pixel = image[1:-1, 1:-1]  # (h - 2, w - 2, C): those with four neighbours
    above = image[:-2, 1:-1]
    below = image[2:, 1:-1]
    before = image[1:-1, :-2]
    after = image[1:-1, 2:]
    near = (above + below + before + after) / NEIGHBOURS
    power = np.sum(near**2, axis=(0, 1))  # (C,)
    agreement = np.sum(pixel * near, axis=(0, 1))
    slope = agreement / np.where(power > 0, power, 1.0)
    share = (slope - doubt) / (1.0 - doubt)
    return np.asarray(np.clip(share, 0.0, 1.0))


def add_leftover(
    fused: np.ndarray,
    lr_hsi: np.ndarray,
    operator: SpatialDegradation,
    lr_trust: Optional[np.ndarray] = None,
    *,
    floor: float = 0.0,
) -> np.ndarray:
    """Add the interpolated part of LR-HSI − PSF(fused) that is smooth enough to be signal.

    Args:
        fused: (H, W, C) float32, changed in place.
        lr_hsi: (h, w, C), in the same units.
        operator: The PSF.
        lr_trust: (h, w) weights of the LR pixels; None: all alike.
        floor: Smallest value of the result.

    Returns:
        (h, w) what is missed all the same, see `signal_of`. `fused` is still not below the floor, and as sharp as
        before: what is added has no detail finer than an LR pixel.
    """
    leftover, missed = signal_of(lr_hsi - operator.forward(fused), lr_trust)
    if np.any(leftover):
        fused += operator.enlarge(leftover)
        np.maximum(fused, floor, out=fused)
    return missed


def signal_of(
    leftover: np.ndarray,
    lr_trust: Optional[np.ndarray] = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The part of a residual that is smooth enough to be signal.

    Args:
        leftover: (h, w, C), changed in place.
        lr_trust: (h, w) weights of the LR pixels; None: all alike.

    Returns:
        (h, w, C) float32, and the mean square over bands of what is left then, (h, w); 0 where nothing is trusted.
    """
    if lr_trust is None:
        lr_trust = np.ones(leftover.shape[:2])
    # What is no part of the scene must not decide what is signal.
    leftover[lr_trust == 0] = 0.0
    share = share_of_signal(leftover)
    missed = np.empty(leftover.shape[:2])
    # Row by row: a second image of the size of the LR-HSI is never there.
    for row, trust in enumerate(lr_trust):
        residual = leftover[row].copy()  # (w, C)
        leftover[row] *= share
        leftover[row] *= trust[:, None]
        rest = residual - leftover[row]
        missed[row] = np.mean(rest**2, axis=1)
    return np.asarray(leftover, dtype=np.float32), missed
