"""The convention `yokoya`: HSMSFusionToolbox."""

from __future__ import annotations

from typing import Any

import numpy as np

from paddle_umsft.metrics.common import band_mse, check_pair, decibels, ergas, mean_angle
from paddle_umsft.metrics.quality_index import q2n


def yokoya(
    reference: Any,
    fused: Any,
    *,
    scale: float,
) -> dict[str, float]:
    """Return PSNR, SAM, ERGAS and Q2n in the convention `yokoya`.

    | key | definition |
    |---|---|
    | PSNR | mean over bands of 10·log10(max_b²/MSE_b) in dB, max_b that band's maximum in the reference |
    | SAM | degrees, mean over the pixels where neither spectrum is all zero |
    | ERGAS | 100/s·√(mean_b(MSE_b/mean_b²)), mean_b of the reference |
    | Q2n | distinct blocks of 32×32 |

    Args:
        reference: (H, W, C) truth.
        fused: (H, W, C) estimate.
        scale: Ratio of the resolutions, for ERGAS.

    Returns:
        The four figures.

    Raises:
        DataError: Shapes differ, NaN, or no positive scale.

    References:
        N. Yokoya, C. Grohnfeldt, J. Chanussot, "Hyperspectral and multispectral data fusion: a comparative review of
        the recent literature", IEEE GRSM 5(2), 2017.
    """
    truth, estimate = check_pair(reference, fused)
    psnr = yokoya_bands(truth, estimate)["PSNR"]  # (C,)
    # A band that is black in the reference has no peak to compare with; a perfect one is infinitely good.
    has_peak = np.isfinite(psnr) | np.isposinf(psnr)
    mean_psnr = float("nan")
    if has_peak.any():
        mean_psnr = float(psnr[has_peak].mean())
    return {
        "PSNR": mean_psnr,
        "SAM": mean_angle(truth, estimate),
        "ERGAS": ergas(truth, estimate, scale=scale),
        "Q2n": q2n(truth, estimate),
    }


def yokoya_bands(reference: Any, fused: Any) -> dict[str, np.ndarray]:
    """Return PSNR of each band in dB, (C,); see `yokoya`."""
    truth, estimate = check_pair(reference, fused)
    peaks = truth.max(axis=(0, 1))  # (C,)
    mse = band_mse(truth, estimate)
    return {"PSNR": decibels(peaks, mse)}
