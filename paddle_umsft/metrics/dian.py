"""The convention `dian`: the MATLAB family of Dian, Dong and others (NSSR, CSTF, LTMR, CNN-Fus, MoG-DCN)."""

from __future__ import annotations

from typing import Any

import numpy as np

from paddle_umsft.errors import DataError
from paddle_umsft.metrics.common import band_mse, check_pair, decibels, ergas, mean_correlation
from paddle_umsft.metrics.quality_index import band_uiqi

_EPS = float(np.finfo(np.float64).eps)


def gaussian_ssim(truth: np.ndarray, estimate: np.ndarray) -> np.ndarray:
    """SSIM of each band in Wang's 11×11 Gaussian window, σ 1.5, K1 0.01, K2 0.03, range 255, where the window fits.

    Args:
        truth: (H, W, C) in [0, 255], 11 pixels a side at least.
        estimate: (H, W, C) in [0, 255].

    Returns:
        (C,).

    Raises:
        DataError: The image is smaller than the window.

    References:
        Z. Wang et al., "Image quality assessment: from error visibility to structural similarity", IEEE TIP 13(4),
        2004.
    """
    from skimage.metrics import structural_similarity

    if min(truth.shape[:2]) < 11:
        raise DataError("too small for SSIM's 11×11 window", where="reference", got="×".join(map(str, truth.shape[:2])))
    values = [
        structural_similarity(
            truth[:, :, band],
            estimate[:, :, band],
            data_range=255.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for band in range(truth.shape[2])
    ]
    return np.array(values)


def angle_with_eps(truth: np.ndarray, estimate: np.ndarray) -> float:
    """Mean spectral angle in degrees with eps in the denominator: a pixel without a spectrum counts 90°.

    Args:
        truth: (H, W, C).
        estimate: (H, W, C).

    Returns:
        Degrees.
    """
    norms = np.linalg.norm(truth, axis=2) * np.linalg.norm(estimate, axis=2)
    cosine = np.sum(truth * estimate, axis=2) / (norms + _EPS)
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))).mean())


def dian(reference: Any, fused: Any, *, scale: float) -> dict[str, float]:
    """PSNR, SAM, ERGAS, SSIM, RMSE, UIQI, DD and CC in the convention `dian`; values are expected in about [0, 1].

    | key | definition, on values × 255, neither rounded nor clipped |
    |---|---|
    | PSNR | mean over bands of 10·log10(255²/MSE_b) in dB |
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

    Returns:
        The eight figures.

    Raises:
        DataError: Shapes differ, NaN, no positive scale, or smaller than 11 pixels.

    References:
        `quality_assessment.m` as handed on from HySure (Simões et al., IEEE TGRS 53(6), 2015) to that family.
    """
    truth, estimate = (255.0 * cube for cube in check_pair(reference, fused))
    mse = band_mse(truth, estimate)
    return {
        "PSNR": float(decibels(255.0, mse).mean()),
        "SAM": angle_with_eps(truth, estimate),
        "ERGAS": ergas(truth, estimate, scale=scale),
        "SSIM": float(gaussian_ssim(truth, estimate).mean()),
        "RMSE": float(np.sqrt(mse.mean())),
        "UIQI": float(band_uiqi(truth, estimate).mean()),
        "DD": float(np.abs(truth - estimate).mean()),
        "CC": mean_correlation(truth, estimate),
    }


def dian_bands(reference: Any, fused: Any) -> dict[str, np.ndarray]:
    """PSNR (dB), SSIM, RMSE (0–255) and UIQI of each band, (C,) each; see `dian`."""
    truth, estimate = (255.0 * cube for cube in check_pair(reference, fused))
    mse = band_mse(truth, estimate)
    return {
        "PSNR": decibels(255.0, mse),
        "SSIM": gaussian_ssim(truth, estimate),
        "RMSE": np.sqrt(mse),
        "UIQI": band_uiqi(truth, estimate),
    }
