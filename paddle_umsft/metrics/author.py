"""The convention `author`: what the papers of the method use (imgvision 0.1.7), made safe.

Made safe means: the cosine of SAM is clipped, pixels without a spectrum are left out of SAM (imgvision: NaN), the
scale of ERGAS is the true one (imgvision: 16 unless told) and its means are the reference's (imgvision: those of the
second argument), and SSIM cannot exceed 1.
"""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from paddle_umsft.metrics.common import (
    EIGHT_BIT,
    PEAK,
    band_mse,
    check_pair,
    decibels,
    ergas,
    judged,
    live_bands,
    mean_angle,
    mean_correlation,
)

# Wang's constants, K1 and K2 squared for a range of 1: they keep dark and flat images from dividing by zero.
_SSIM_C1 = 0.01**2
_SSIM_C2 = 0.03**2


def global_ssim(truth: np.ndarray, estimate: np.ndarray) -> np.ndarray:
    """Return SSIM of each band with the whole image as its one window; K1 0.01, K2 0.03, range 1.

    The covariance divides by N − 1 and the variances by N, as imgvision does; that takes the figure of (nearly) equal
    images past 1 by about 1/N, so it is cut off there.

    Args:
        truth: (H, W, C).
        estimate: (H, W, C).

    Returns:
        (C,).

    References:
        Z. Wang et al., "Image quality assessment: from error visibility to structural similarity", IEEE TIP 13(4),
        2004, eq. 13, without the local windows.
    """
    mean_a = truth.mean(axis=(0, 1))
    mean_b = estimate.mean(axis=(0, 1))
    var_a = truth.var(axis=(0, 1))
    var_b = estimate.var(axis=(0, 1))
    products = (truth - mean_a) * (estimate - mean_b)
    height, width, _ = truth.shape
    pixels = height * width
    # One pixel has no spread, and must not divide by zero.
    freedom = max(pixels - 1, 1)
    covariance = np.sum(products, axis=(0, 1)) / freedom  # (C,)

    luminance = 2 * mean_a * mean_b + _SSIM_C1
    structure = 2 * covariance + _SSIM_C2
    most_luminance = mean_a**2 + mean_b**2 + _SSIM_C1
    most_structure = var_a + var_b + _SSIM_C2
    ssim = luminance * structure / (most_luminance * most_structure)
    return np.asarray(np.minimum(ssim, 1.0))


def author(
    reference: Any,
    fused: Any,
    *,
    scale: float,
    valid: Optional[np.ndarray] = None,
) -> dict[str, float]:
    """Return PSNR, SAM, ERGAS, SSIM, RMSE and CC in the convention `author`; values are expected in about [0, 1].

    | key | definition |
    |---|---|
    | PSNR | mean over bands that are not constant in the truth of 10·log10(1/MSE_b) in dB; peak 1, no clipping |
    | SAM | degrees, mean over the pixels where neither spectrum is all zero |
    | ERGAS | 100/s·√(mean_b(MSE_b/mean_b²)), mean_b of the reference |
    | SSIM | one global window per band, mean over bands |
    | RMSE | √(mean MSE)·255 |
    | CC | Pearson correlation, mean over bands |

    Args:
        reference: (H, W, C) truth.
        fused: (H, W, C) estimate.
        scale: Ratio of the resolutions, for ERGAS.
        valid: (H, W) bool, the pixels that count; None: all.

    Returns:
        The six figures.

    Raises:
        DataError: Shapes differ, NaN, or no positive scale.

    References:
        imgvision 0.1.7, class `spectra_metric`.
    """
    truth, estimate = _judged_pair(reference, fused, valid)
    mse = band_mse(truth, estimate)
    psnr = decibels(PEAK, mse)  # (C,)
    ssim = global_ssim(truth, estimate)  # (C,)
    rmse = np.sqrt(mse.mean())
    return {
        "PSNR": float(psnr[live_bands(truth)].mean()),
        "SAM": mean_angle(truth, estimate),
        "ERGAS": ergas(truth, estimate, scale=scale),
        "SSIM": float(ssim.mean()),
        "RMSE": float(rmse * EIGHT_BIT),
        "CC": mean_correlation(truth, estimate),
    }


def _judged_pair(
    reference: Any,
    fused: Any,
    valid: Optional[np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Return truth and estimate, checked, of the pixels that count: no figure here asks where a pixel lies."""
    truth, estimate = check_pair(reference, fused, valid)
    return judged(truth, valid), judged(estimate, valid)


def author_bands(
    reference: Any,
    fused: Any,
    *,
    valid: Optional[np.ndarray] = None,
) -> dict[str, np.ndarray]:
    """Return PSNR (dB), SSIM and RMSE (0–255) of each band, (C,) each; see `author`."""
    truth, estimate = _judged_pair(reference, fused, valid)
    mse = band_mse(truth, estimate)
    return {
        "PSNR": decibels(PEAK, mse),
        "SSIM": global_ssim(truth, estimate),
        "RMSE": np.sqrt(mse) * EIGHT_BIT,
    }
