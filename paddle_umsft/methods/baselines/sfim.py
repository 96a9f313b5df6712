"""SFIM, smoothing filter-based intensity modulation, in its hypersharpening form."""

from __future__ import annotations

import time
from typing import Optional

import numpy as np
from scipy.optimize import nnls

from paddle_umsft.cameras.resize import bicubic_upsample
from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.data.records import OnRecord
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.methods.baselines.guesses import find_psf

# Partners darker than this part of their mean do not modulate: the ratio would be noise.
DARK = 1e-3

# Beside a sharp edge the interpolated partner dips towards zero and the ratio grows without bound: a guard that the
# paper does not have, worth 1 to 5 dB at x8.
LARGEST_RATIO = 5.0


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
    scale = observation.scale
    lr_hsi = observation.lr_hsi
    hr_msi = observation.hr_msi.astype(np.float32)
    psf = find_psf(observation)
    spatial = SpatialDegradation(psf, scale)
    lr_msi = spatial.forward(hr_msi)
    weights = _positive_mix(lr_msi, lr_hsi)  # (M, C)
    fused = bicubic_upsample(lr_hsi, scale)
    smooth = bicubic_upsample(lr_msi, scale)
    smooth = np.maximum(smooth, 0.0)  # a cubic overshoots beside edges
    for band in range(lr_hsi.shape[2]):
        sharp = hr_msi @ weights[:, band]  # (H, W), the partner
        blurred = smooth @ weights[:, band]
        floor = DARK * float(blurred.mean())
        bright = blurred > floor
        divisor = np.where(bright, blurred, 1.0)
        ratio = np.where(bright, sharp / divisor, 1.0)
        fused[:, :, band] *= np.minimum(ratio, LARGEST_RATIO)
    return FusionResult(
        fused=fused,
        psf=psf,
        method="sfim",
        seconds=time.perf_counter() - start,
    )


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
