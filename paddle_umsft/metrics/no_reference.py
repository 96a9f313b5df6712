"""Figures that need no truth: agreement with what the cameras saw."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from paddle_umsft.errors import DataError
from paddle_umsft.metrics.common import PEAK, band_mse, check_cube, check_pair, decibels, judged, live_bands, mean_angle
from paddle_umsft.metrics.quality_index import quality_ratio

# Blocks on which Q is taken: this many LR pixels a side, and no fewer HR pixels than the other.
_LR_BLOCK = 8
_SMALLEST_BLOCK = 32


def consistency(
    lr_hsi: Any,
    hr_msi: Any,
    *,
    degraded_hsi: Any,
    degraded_msi: Any,
    mask_hsi: Optional[np.ndarray] = None,
    mask_msi: Optional[np.ndarray] = None,
) -> dict[str, float]:
    """Tell how well the degraded result agrees with both observations.

    PSNR has the peak 1, SAM is in degrees, both as in `author`. A low figure proves a result wrong; a high one proves
    little, since many cubes explain the same observations.

    Args:
        lr_hsi: (h, w, C) as observed.
        hr_msi: (H, W, M) as observed.
        degraded_hsi: (h, w, C): PSF(fused).
        degraded_msi: (H, W, M): SRF(fused).
        mask_hsi: (h, w) bool, pixels of the LR-HSI that count; None: all.
        mask_msi: (H, W) bool, the same for the HR-MSI.

    Returns:
        `PSNR_HSI`, `SAM_HSI`, `PSNR_MSI`, `SAM_MSI`.

    Raises:
        DataError: Shapes differ or NaN.
    """
    hsi, hsi_again = check_pair(lr_hsi, degraded_hsi, mask_hsi)
    msi, msi_again = check_pair(hr_msi, degraded_msi, mask_msi)
    hsi, hsi_again = judged(hsi, mask_hsi), judged(hsi_again, mask_hsi)
    msi, msi_again = judged(msi, mask_msi), judged(msi_again, mask_msi)
    return {
        "PSNR_HSI": _mean_psnr(hsi, hsi_again),
        "SAM_HSI": mean_angle(hsi, hsi_again),
        "PSNR_MSI": _mean_psnr(msi, msi_again),
        "SAM_MSI": mean_angle(msi, msi_again),
    }


def _mean_psnr(observed: np.ndarray, again: np.ndarray) -> float:
    """Return the mean over bands of PSNR in dB; a dead band (constant as observed) has no say in it."""
    mse = band_mse(observed, again)
    psnr = decibels(PEAK, mse)  # (C,)
    return float(psnr[live_bands(observed)].mean())


def _edges(length: int, block: int) -> np.ndarray:
    """Return the borders of nearly equal blocks that cover the length, (blocks + 1,)."""
    blocks = max(1, round(length / block))
    borders = np.linspace(0, length, blocks + 1)
    borders = borders.round()
    return np.asarray(borders, dtype=int)


def _band_quality(cube: np.ndarray, block: int) -> np.ndarray:
    """Return Q between every two bands of a cube, mean over distinct blocks, (C, C)."""
    height, width, bands = cube.shape
    rows = _edges(height, block)
    columns = _edges(width, block)
    total = np.zeros((bands, bands))
    blocks = 0
    for top, bottom in zip(rows[:-1], rows[1:]):
        for left, right in zip(columns[:-1], columns[1:]):
            part = cube[top:bottom, left:right]
            values = part.reshape(-1, bands)  # (pixels, C)
            total += _quality_of_pairs(values)
            blocks += 1
    return total / blocks


def _quality_of_pairs(values: np.ndarray) -> np.ndarray:
    """Return Q between every two bands of one block, (pixels, C) to (C, C)."""
    mean = values.mean(axis=0)
    centred = values - mean
    covariance = centred.T @ centred / len(values)  # (C, C)
    variance = np.diag(covariance)
    return quality_ratio(
        mean_a=mean[:, None],
        mean_b=mean[None, :],
        var_a=variance[:, None],
        var_b=variance[None, :],
        covariance=covariance,
    )


def qnr(
    fused: Any,
    lr_hsi: Any,
    hr_msi: Any,
    *,
    scale: int,
) -> dict[str, float]:
    """Return D_lambda, D_s and QNR, for an MSI in the place of the panchromatic image.

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
    sharp = check_cube(fused, where="fused")
    low = check_cube(lr_hsi, where="lr_hsi")
    msi = check_cube(hr_msi, where="hr_msi")
    height, width, bands = sharp.shape
    low_height, low_width, low_bands = low.shape
    enlarged = (low_height * scale, low_width * scale, low_bands)
    if enlarged != sharp.shape:
        raise DataError(
            "does not agree with the fused cube",
            where="lr_hsi",
            expected=f"fused/{scale}",
            got=low.shape,
        )
    if msi.shape[:2] != (height, width):
        raise DataError(
            "does not agree with the fused cube",
            where="hr_msi",
            expected=(height, width),
            got=msi.shape,
        )
    pixels_by_cell = msi.reshape(low_height, scale, low_width, scale, -1)  # (h, s, w, s, M)
    low_msi = pixels_by_cell.mean(axis=(1, 3))  # (h, w, M)

    # The same ground at both resolutions.
    block = max(_SMALLEST_BLOCK, _LR_BLOCK * scale)
    low_block = max(block // scale, 1)
    all_high = np.concatenate([sharp, msi], axis=2)  # (H, W, C + M)
    all_low = np.concatenate([low, low_msi], axis=2)  # (h, w, C + M)
    high_quality = _band_quality(all_high, block)  # (C + M, C + M)
    low_quality = _band_quality(all_low, low_block)
    change = np.abs(high_quality - low_quality)

    spectral = 0.0
    if bands > 1:
        # Each pair stands there twice, and the diagonal adds nothing: a band is always like itself.
        pairs = bands * (bands - 1)
        among_hsi = change[:bands, :bands]
        spectral = float(among_hsi.sum() / pairs)
    partners = bands + _best_partner(low, low_msi)  # the MSI's bands come after those of the HSI
    to_partner = change[np.arange(bands), partners]  # (C,)
    spatial = float(to_partner.mean())
    return {
        "D_lambda": spectral,
        "D_s": spatial,
        "QNR": (1.0 - spectral) * (1.0 - spatial),
    }


def _best_partner(low: np.ndarray, low_msi: np.ndarray) -> np.ndarray:
    """Return for each HSI band the number of the MSI band it is correlated best with, (C,)."""
    hsi = _centred_pixels(low)  # (pixels, C)
    msi = _centred_pixels(low_msi)  # (pixels, M)
    norms = np.linalg.norm(msi, axis=0)
    # A flat band is correlated with nothing, whatever it is divided by.
    divisors = np.where(norms > 0, norms, 1.0)
    directions = msi / divisors
    # The norm of the HSI band is the same for all partners, so it is left out.
    correlation = hsi.T @ directions  # (C, M)
    return np.asarray(np.argmax(correlation, axis=1))


def _centred_pixels(image: np.ndarray) -> np.ndarray:
    """Return the pixels without their mean, (h, w, C) to (pixels, C)."""
    mean = image.mean(axis=(0, 1))
    centred = image - mean
    return np.asarray(centred.reshape(-1, image.shape[2]))
