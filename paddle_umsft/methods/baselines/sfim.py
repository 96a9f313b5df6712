"""SFIM, smoothing filter-based intensity modulation, in its hypersharpening form."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import nnls

from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.methods.baselines.bicubic import bicubic_upsample
from paddle_umsft.methods.baselines.guesses import find_psf

# Partners darker than this part of their mean do not modulate: the ratio would be noise.
_DARK = 1e-3

# Beside a sharp edge the interpolated partner dips towards zero and the ratio grows without bound: a guard that the
# paper does not have, worth 1 to 5 dB at x8.
_LARGEST_RATIO = 5.0


def fuse_sfim(
    observation: Observation, config: Any = None, on_record: Callable[[dict[str, Any]], None] | None = None
) -> FusionResult:
    """Multiplies every interpolated HSI band with the ratio of its sharp partner to the partner's smoothed form.

    fused_k = up(hsi_k) · p_k / up(PSF(p_k)), p_k the non-negative mix of MSI bands that fits band k best at low
    resolution (non-negative, so that no denominator crosses zero), the ratio at most 5. The PSF, if unknown, is the box
    or Gaussian that fits best.

    Args:
        observation: What the cameras saw.
        config: Not used; here because every method is called alike.
        on_record: Not used: there are no iterations.

    Returns:
        (H, W, C) cube and the PSF in use; no SRF.

    References:
        J. G. Liu, "Smoothing filter-based intensity modulation: a spectral preserve image fusion technique for
        improving spatial details", IJRS 21(18), 2000; hypersharpening: M. Selva et al., IEEE JSTARS 8(6), 2015.
    """
    start = time.perf_counter()
    scale, lr_hsi = observation.scale, observation.lr_hsi
    hr_msi = observation.hr_msi.astype(np.float32)
    psf = find_psf(observation)
    lr_msi = SpatialDegradation(psf, scale).forward(hr_msi)
    weights = _positive_mix(lr_msi, lr_hsi)  # (M, C)
    fused = bicubic_upsample(lr_hsi, scale)
    smooth = np.clip(bicubic_upsample(lr_msi, scale), 0.0, None)
    for band in range(lr_hsi.shape[2]):
        sharp, blurred = hr_msi @ weights[:, band], smooth @ weights[:, band]
        floor = _DARK * float(blurred.mean())
        bright = blurred > floor
        ratio = np.where(bright, sharp / np.where(bright, blurred, 1.0), 1.0)
        fused[:, :, band] *= np.minimum(ratio, _LARGEST_RATIO)
    return FusionResult(fused=fused, psf=psf, method="sfim", seconds=time.perf_counter() - start)


def _positive_mix(lr_msi: np.ndarray, lr_hsi: np.ndarray) -> np.ndarray:
    """Non-negative weights from MSI to HSI bands, (M, C) float32; a band no mix explains gets all MSI bands alike."""
    inputs = lr_msi.reshape(-1, lr_msi.shape[2]).astype(np.float64)
    targets = lr_hsi.reshape(-1, lr_hsi.shape[2]).astype(np.float64)
    q, r = np.linalg.qr(inputs)
    projected = q.T @ targets
    columns = [nnls(r, projected[:, band])[0] for band in range(targets.shape[1])]
    weights = np.stack(columns, axis=1)
    weights[:, weights.sum(axis=0) == 0] = 1.0 / lr_msi.shape[2]
    return weights.astype(np.float32)
