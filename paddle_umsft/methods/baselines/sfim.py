"""SFIM, smoothing filter-based intensity modulation, in its hypersharpening form."""

from __future__ import annotations

import time
from typing import Optional

import numpy as np
from scipy.optimize import nnls

from paddle_umsft.data.records import OnRecord
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.methods.baselines.by_rows import ByRows, Learned, upsampled
from paddle_umsft.methods.baselines.guesses import find_operator

# Partners darker than this part of their mean do not modulate: the ratio would be noise.
DARK = 1e-3

# Beside a sharp edge the interpolated partner dips towards zero and the ratio grows without bound: a guard that the
# paper does not have, worth 1 to 5 dB at x8.
LARGEST_RATIO = 5.0
# Rows of the smooth MSI that are made at a time for its mean.
ROWS_AT_ONCE = 256


def fuse_sfim(
    observation: Observation,
    settings: None = None,
    *,
    seed: int = 0,
    on_record: Optional[OnRecord] = None,
) -> FusionResult:
    """Multiply every interpolated HSI band with the ratio of its sharp partner to the partner's smoothed form.

    fused_k = up(hsi_k) · p_k / up(PSF(p_k)), p_k the non-negative mix of MSI bands that fits band k best at low
    resolution (non-negative, so that no denominator crosses zero), the ratio at most 5. The PSF, if unknown, is the box
    or Gaussian that fits best.

    Args:
        observation: What the cameras saw.
        settings: None: there is nothing to set.
        seed: Not used: nothing is drawn.
        on_record: Not used: there are no iterations.

    Returns:
        (H, W, C) cube and the PSF in use; no SRF.

    References:
        J. G. Liu, "Smoothing filter-based intensity modulation: a spectral preserve image fusion technique for
        improving spatial details", IJRS 21(18), 2000; hypersharpening: M. Selva et al., IEEE JSTARS 8(6), 2015.
    """
    start = time.perf_counter()
    learned = learn_sfim(observation)
    fused = sfim_rows(learned, observation.lr_hsi, observation.hr_msi, observation.scale)
    return FusionResult(
        fused=fused,
        psf=learned.psf,
        method="sfim",
        seconds=time.perf_counter() - start,
    )


def learn_sfim(observation: Observation) -> Learned:
    """Fit the partners at low resolution: `lr_msi` (h, w, M), `weights` (M, C), and `floors` (C,), which are dark."""
    operator = find_operator(observation)
    lr_msi = operator.forward(observation.hr_msi.astype(np.float32))
    weights = _positive_mix(lr_msi, observation.lr_hsi)  # (M, C)
    floors = DARK * (_mean_light(lr_msi, observation.scale) @ weights)
    arrays = {
        "lr_msi": lr_msi,
        "weights": weights,
        "floors": floors,
    }
    return Learned(arrays, operator.psf, operator.border)


def _smooth(
    lr_msi: np.ndarray,
    scale: int,
    rows: Optional[np.ndarray],
) -> np.ndarray:
    """The MSI without its details, (n, W, M)."""
    smooth = upsampled(lr_msi, scale, rows)
    return np.asarray(np.maximum(smooth, 0.0))  # a cubic overshoots beside edges


def _mean_light(lr_msi: np.ndarray, scale: int) -> np.ndarray:
    """Mean of the smooth MSI's bands, (M,) float64, summed up over rows."""
    height = lr_msi.shape[0] * scale
    width = lr_msi.shape[1] * scale
    total = np.zeros(lr_msi.shape[2])
    for top in range(0, height, ROWS_AT_ONCE):
        rows = np.arange(top, min(top + ROWS_AT_ONCE, height))
        total += _smooth(lr_msi, scale, rows).sum(axis=(0, 1), dtype=np.float64)
    return np.asarray(total / (height * width))


def sfim_rows(
    learned: Learned,
    lr_hsi: np.ndarray,
    hr_msi: np.ndarray,
    scale: int,
    rows: Optional[np.ndarray] = None,
) -> np.ndarray:
    """Multiply the interpolation by the ratios; see `MakeRows`."""
    weights = learned.arrays["weights"]
    sharp_msi = hr_msi.astype(np.float32)
    fused = upsampled(lr_hsi, scale, rows)
    smooth = _smooth(learned.arrays["lr_msi"], scale, rows)
    for band, floor in enumerate(learned.arrays["floors"]):
        sharp = sharp_msi @ weights[:, band]  # (n, W), the partner
        blurred = smooth @ weights[:, band]
        bright = blurred > floor
        divisor = np.where(bright, blurred, 1.0)
        ratio = np.where(bright, sharp / divisor, 1.0)
        fused[:, :, band] *= np.minimum(ratio, LARGEST_RATIO)
    return fused


def _positive_mix(lr_msi: np.ndarray, lr_hsi: np.ndarray) -> np.ndarray:
    """Non-negative weights from MSI to HSI bands, (M, C) float32; a band no mix explains gets all MSI bands alike."""
    msi_bands = lr_msi.shape[2]
    bands = lr_hsi.shape[2]
    inputs = lr_msi.reshape(-1, msi_bands).astype(np.float64)
    targets = lr_hsi.reshape(-1, bands).astype(np.float64)
    # The triangular factor has the same least squares problems with as many rows as MSI bands.
    orthogonal, factor = np.linalg.qr(inputs)
    projected = orthogonal.T @ targets  # (M, C)
    columns = []
    for band in range(bands):
        column, _ = nnls(factor, projected[:, band])
        columns.append(column)
    weights = np.stack(columns, axis=1)  # (M, C)
    unexplained = weights.sum(axis=0) == 0
    weights[:, unexplained] = 1.0 / msi_bands
    return weights.astype(np.float32)


BY_ROWS = ByRows("sfim", learn_sfim, sfim_rows)
