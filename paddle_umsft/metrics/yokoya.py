"""The convention `yokoya`: HSMSFusionToolbox."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from paddle_umsft.metrics.common import band_mse, check_pair, decibels, ergas, judged, live_bands, mean_angle
from paddle_umsft.metrics.quality_index import q2n


def yokoya(
    reference: Any,
    fused: Any,
    *,
    scale: float,
    valid: Optional[np.ndarray] = None,
) -> dict[str, float]:
    """Return PSNR, SAM, ERGAS and Q2n in the convention `yokoya`.

    | key | definition |
    |---|---|
    | PSNR | mean over bands not constant in the reference of 10·log10(max_b²/MSE_b) in dB, max_b the maximum there |
    | SAM | degrees, mean over the pixels where neither spectrum is all zero |
    | ERGAS | 100/s·√(mean_b(MSE_b/mean_b²)), mean_b of the reference |
    | Q2n | distinct blocks of 32×32 |

    Args:
        reference: (H, W, C) truth.
        fused: (H, W, C) estimate.
        scale: Ratio of the resolutions, for ERGAS.
        valid: (H, W) bool, the pixels that count; None: all.

    Returns:
        The four figures.

    Raises:
        DataError: Shapes differ, NaN, or no positive scale.

    References:
        N. Yokoya, C. Grohnfeldt, J. Chanussot, "Hyperspectral and multispectral data fusion: a comparative review of
        the recent literature", IEEE GRSM 5(2), 2017.
    """
    truth, estimate = check_pair(reference, fused, valid)
    psnr = yokoya_bands(truth, estimate, valid=valid)["PSNR"]  # (C,)
    truths, estimates = judged(truth, valid), judged(estimate, valid)
    # A band that is black in the reference has no peak to compare with; a perfect one is infinitely good.
    has_peak = (np.isfinite(psnr) | np.isposinf(psnr)) & live_bands(truths)
    mean_psnr = float("nan")
    if has_peak.any():
        mean_psnr = float(psnr[has_peak].mean())
    return {
        "PSNR": mean_psnr,
        "SAM": mean_angle(truths, estimates),
        "ERGAS": ergas(truths, estimates, scale=scale),
        "Q2n": q2n(truth, estimate, valid=valid),
    }


def yokoya_bands(
    reference: Any,
    fused: Any,
    *,
    valid: Optional[np.ndarray] = None,
) -> dict[str, np.ndarray]:
    """Return PSNR of each band in dB, (C,); see `yokoya`."""
    truth, estimate = check_pair(reference, fused, valid)
    truth, estimate = judged(truth, valid), judged(estimate, valid)
    peaks = truth.max(axis=(0, 1))  # (C,)
    mse = band_mse(truth, estimate)
    return {"PSNR": decibels(peaks, mse)}
