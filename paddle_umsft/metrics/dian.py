"""The convention `dian`: the MATLAB family of Dian, Dong and others (NSSR, CSTF, LTMR, CNN-Fus, MoG-DCN)."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from paddle_umsft.errors import DataError
from paddle_umsft.metrics.common import (
    EIGHT_BIT,
    angles_by,
    band_mse,
    check_pair,
    decibels,
    ergas,
    judged,
    live_bands,
    mean_correlation,
    mean_of_finite,
    norm_products,
    whole_windows,
)
from paddle_umsft.metrics.quality_index import band_uiqi

# Wang's window: 11 pixels a side, a Gaussian of this width.
_WINDOW = 11
_WINDOW_SIGMA = 1.5

# MATLAB's eps, which keeps the angle of a black pixel from dividing by zero.
_EPS = float(np.finfo(np.float64).eps)


def gaussian_ssim(
    truth: np.ndarray,
    estimate: np.ndarray,
    valid: Optional[np.ndarray] = None,
) -> np.ndarray:
    """Return SSIM of each band in Wang's 11×11 Gaussian window, wherever the window fits.

    The Gaussian has σ 1.5; K1 is 0.01, K2 0.03, the range 255.

    Args:
        truth: (H, W, C) in [0, 255], 11 pixels a side at least.
        estimate: (H, W, C) in [0, 255].
        valid: (H, W) bool, the pixels that count: windows with any other are left out; None: all.

    Returns:
        (C,); NaN where no window is whole.

    Raises:
        DataError: The image is smaller than the window.

    References:
        Z. Wang et al., "Image quality assessment: from error visibility to structural similarity", IEEE TIP 13(4),
        2004.
    """
    from skimage.metrics import structural_similarity

    height, width, bands = truth.shape
    if min(height, width) < _WINDOW:
        raise DataError(
            f"too small for SSIM's {_WINDOW}×{_WINDOW} window",
            where="reference",
            got=f"{height}×{width}",
        )
    whole = whole_windows(valid, (height, width), (_WINDOW, _WINDOW))
    margin = _WINDOW // 2
    values = []
    for band in range(bands):
        _, similar = structural_similarity(
            truth[:, :, band],
            estimate[:, :, band],
            data_range=EIGHT_BIT,
            gaussian_weights=True,
            sigma=_WINDOW_SIGMA,
            use_sample_covariance=False,
            full=True,
        )
        inner = similar[margin : height - margin, margin : width - margin]  # where the window fits
        values.append(mean_of_finite(inner[whole]))
    return np.array(values)


def angle_with_eps(truth: np.ndarray, estimate: np.ndarray) -> float:
    """Return the mean spectral angle in degrees with eps in the denominator: a pixel without a spectrum counts 90°.

    Args:
        truth: (H, W, C).
        estimate: (H, W, C).

    Returns:
        Degrees.
    """
    norms = norm_products(truth, estimate)
    angles = angles_by(truth, estimate, norms + _EPS)  # (H, W)
    return float(angles.mean())


def _as_eight_bit(
    reference: Any,
    fused: Any,
    valid: Optional[np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Return truth and estimate, checked, on the scale of 8-bit images, neither rounded nor clipped."""
    truth, estimate = check_pair(reference, fused, valid)
    return EIGHT_BIT * truth, EIGHT_BIT * estimate


def dian(
    reference: Any,
    fused: Any,
    *,
    scale: float,
    valid: Optional[np.ndarray] = None,
) -> dict[str, float]:
    """Return PSNR, SAM, ERGAS, SSIM, RMSE, UIQI, DD and CC in the convention `dian`.

    Values are expected in about [0, 1].

    | key | definition, on values × 255, neither rounded nor clipped |
    |---|---|
    | PSNR | mean over bands that are not constant in the truth of 10·log10(255²/MSE_b) in dB |
    | SAM | degrees, eps in the denominator: a black pixel counts 90° |
    | ERGAS | 100/s·√(mean_b(MSE_b/mean_b²)), mean_b of the reference |
    | SSIM | 11×11 Gaussian window σ 1.5 per band, range 255 |
    | RMSE | √(mean MSE) |
    | UIQI | windows of 32×32, moved by one pixel |
    | DD | degree of distortion: mean absolute difference |
    | CC | Pearson correlation, mean over bands |

    Args:
        reference: (H, W, C) truth.
        fused: (H, W, C) estimate.
        scale: Ratio of the resolutions, for ERGAS.
        valid: (H, W) bool, the pixels that count; windows with any other are left out. None: all.

    Returns:
        The eight figures.

    Raises:
        DataError: Shapes differ, NaN, no positive scale, or smaller than 11 pixels.

    References:
        `quality_assessment.m` as handed on from HySure (Simões et al., IEEE TGRS 53(6), 2015) to that family.
    """
    truth, estimate = _as_eight_bit(reference, fused, valid)
    # Where pixels lie matters to what has windows, and to nothing else.
    ssim = gaussian_ssim(truth, estimate, valid)  # (C,)
    uiqi = band_uiqi(truth, estimate, valid=valid)  # (C,)
    truths = judged(truth, valid)
    estimates = judged(estimate, valid)
    mse = band_mse(truths, estimates)
    psnr = decibels(EIGHT_BIT, mse)  # (C,)
    distortion = np.abs(truths - estimates)
    return {
        "PSNR": float(psnr[live_bands(truths)].mean()),
        "SAM": angle_with_eps(truths, estimates),
        "ERGAS": ergas(truths, estimates, scale=scale),
        "SSIM": float(ssim.mean()),
        "RMSE": float(np.sqrt(mse.mean())),
        "UIQI": float(uiqi.mean()),
        "DD": float(distortion.mean()),
        "CC": mean_correlation(truths, estimates),
    }


def dian_bands(
    reference: Any,
    fused: Any,
    *,
    valid: Optional[np.ndarray] = None,
) -> dict[str, np.ndarray]:
    """Return PSNR (dB), SSIM, RMSE (0–255) and UIQI of each band, (C,) each; see `dian`."""
    truth, estimate = _as_eight_bit(reference, fused, valid)
    mse = band_mse(judged(truth, valid), judged(estimate, valid))
    return {
        "PSNR": decibels(EIGHT_BIT, mse),
        "SSIM": gaussian_ssim(truth, estimate, valid),
        "RMSE": np.sqrt(mse),
        "UIQI": band_uiqi(truth, estimate, valid=valid),
    }
