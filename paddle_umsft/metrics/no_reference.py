"""Figures that need no truth: agreement with what the cameras saw."""

from __future__ import annotations

from typing import Any

import numpy as np

from paddle_umsft.errors import DataError
from paddle_umsft.metrics.common import band_mse, check_cube, check_pair, decibels, mean_angle
from paddle_umsft.metrics.quality_index import quality_ratio


def consistency(lr_hsi: Any, hr_msi: Any, *, degraded_hsi: Any, degraded_msi: Any) -> dict[str, float]:
    """How well the degraded result agrees with both observations; PSNR with peak 1, SAM in degrees, as in `author`.

    A low figure proves a result wrong; a high one proves little, since many cubes explain the same observations.

    Args:
        lr_hsi: (h, w, C) as observed.
        hr_msi: (H, W, M) as observed.
        degraded_hsi: (h, w, C): PSF(fused).
        degraded_msi: (H, W, M): SRF(fused).

    Returns:
        `PSNR_HSI`, `SAM_HSI`, `PSNR_MSI`, `SAM_MSI`.

    Raises:
        DataError: Shapes differ or NaN.
    """
    hsi, hsi_again = check_pair(lr_hsi, degraded_hsi)
    msi, msi_again = check_pair(hr_msi, degraded_msi)
    return {
        "PSNR_HSI": float(decibels(1.0, band_mse(hsi, hsi_again)).mean()),
        "SAM_HSI": mean_angle(hsi, hsi_again),
        "PSNR_MSI": float(decibels(1.0, band_mse(msi, msi_again)).mean()),
        "SAM_MSI": mean_angle(msi, msi_again),
    }


def _edges(length: int, block: int) -> np.ndarray:
    """Borders of nearly equal blocks that cover the length."""
    return np.asarray(np.linspace(0, length, max(1, round(length / block)) + 1).round().astype(int))


def _band_quality(cube: np.ndarray, block: int) -> np.ndarray:
    """Q between every two bands of a cube, mean over distinct blocks, (C, C)."""
    rows, columns = _edges(cube.shape[0], block), _edges(cube.shape[1], block)
    total = np.zeros((cube.shape[2], cube.shape[2]))
    for top, bottom in zip(rows[:-1], rows[1:]):
        for left, right in zip(columns[:-1], columns[1:]):
            values = cube[top:bottom, left:right].reshape(-1, cube.shape[2])
            mean = values.mean(axis=0)
            centred = values - mean
            covariance = centred.T @ centred / len(values)
            variance = np.diag(covariance)
            total += quality_ratio(mean[:, None], mean[None, :], variance[:, None], variance[None, :], covariance)
    return total / ((len(rows) - 1) * (len(columns) - 1))


def qnr(fused: Any, lr_hsi: Any, hr_msi: Any, *, scale: int) -> dict[str, float]:
    """D_lambda, D_s and QNR, for an MSI in the place of the panchromatic image.

    D_lambda = mean over band pairs of |Q(fused_l, fused_r) − Q(lr_l, lr_r)|: relations between bands should survive.
    D_s = mean over bands of |Q(fused_l, msi_m) − Q(lr_l, msi'_m)|: so should those to the MSI band m that is correlated
    best with band l at low resolution; msi' is the MSI averaged over each LR pixel. QNR = (1 − D_lambda)(1 − D_s).
    Q is taken on distinct blocks of 8 LR pixels a side, 32 HR pixels at least, the same ground at both resolutions.

    Args:
        fused: (H, W, C).
        lr_hsi: (h, w, C).
        hr_msi: (H, W, M).
        scale: Whole ratio s of the resolutions.

    Returns:
        `D_lambda`, `D_s` (0 is best) and `QNR` (1 is best).

    Raises:
        DataError: Shapes do not agree, or NaN.

    References:
        L. Alparone et al., "Multispectral and panchromatic data fusion assessment without reference", PE&RS 74(2),
        2008.
    """
    sharp, low = check_cube(fused, where="fused"), check_cube(lr_hsi, where="lr_hsi")
    msi = check_cube(hr_msi, where="hr_msi")
    height, width, bands = sharp.shape
    if low.shape != (height // scale, width // scale, bands) or (low.shape[0] * scale, low.shape[1] * scale) != (
        height,
        width,
    ):
        raise DataError("does not agree with the fused cube", where="lr_hsi", expected=f"fused/{scale}", got=low.shape)
    if msi.shape[:2] != (height, width):
        raise DataError("does not agree with the fused cube", where="hr_msi", expected=(height, width), got=msi.shape)
    low_msi = msi.reshape(low.shape[0], scale, low.shape[1], scale, -1).mean(axis=(1, 3))
    block = max(32, 8 * scale)
    high_quality = _band_quality(np.concatenate([sharp, msi], axis=2), block)
    low_quality = _band_quality(np.concatenate([low, low_msi], axis=2), max(block // scale, 1))
    change = np.abs(high_quality - low_quality)
    spectral = float(change[:bands, :bands].sum() / (bands * (bands - 1))) if bands > 1 else 0.0
    spatial = float(change[np.arange(bands), bands + _best_partner(low, low_msi)].mean())
    return {"D_lambda": spectral, "D_s": spatial, "QNR": (1.0 - spectral) * (1.0 - spatial)}


def _best_partner(low: np.ndarray, low_msi: np.ndarray) -> np.ndarray:
    """For each HSI band the number of the MSI band it is correlated best with, (C,)."""
    a = low.reshape(-1, low.shape[2]) - low.mean(axis=(0, 1))
    b = low_msi.reshape(-1, low_msi.shape[2]) - low_msi.mean(axis=(0, 1))
    norms = np.linalg.norm(b, axis=0)
    # The norm of the HSI band is the same for all partners.
    return np.asarray(np.argmax(a.T @ (b / np.where(norms > 0, norms, 1.0)), axis=1))
