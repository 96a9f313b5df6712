"""GSA, adaptive Gram-Schmidt, in its hypersharpening form."""

from __future__ import annotations

import time
from typing import Optional

import numpy as np

from paddle_umsft.cameras.resize import bicubic_upsample
from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.data.records import OnRecord
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.methods.baselines.guesses import find_psf
from paddle_umsft.methods.regression import mix, regress


def fuse_gsa(
    observation: Observation,
    settings: None = None,
    *,
    seed: int = 0,
    on_record: Optional[OnRecord] = None,
) -> FusionResult:
    """Add to every interpolated HSI band what its sharp partner shows beyond the HSI.

    fused_k = up(hsi_k) + g_k · (p_k − up(i_k)): p_k is the mix of MSI bands that fits band k best at low resolution,
    i_k the same mix of the MSI bands as the HSI sees them (each regressed on all HSI bands: the "adaptive" intensity),
    and g_k = cov(hsi_k, i_k) / var(i_k) the Gram-Schmidt gain. The PSF, if unknown, is the box or Gaussian that fits
    best.

    Args:
        observation: What the cameras saw.
        settings: None: there is nothing to set.
        seed: Not used: nothing is drawn.
        on_record: Not used: there are no iterations.

    Returns:
        (H, W, C) cube and the PSF in use; no SRF.

    References:
        B. Aiazzi, S. Baronti, M. Selva, "Improving component substitution pansharpening through multivariate regression
        of MS+Pan data", IEEE TGRS 45(10), 2007; hypersharpening: M. Selva et al., IEEE JSTARS 8(6), 2015.
    """
    start = time.perf_counter()
    scale = observation.scale
    lr_hsi = observation.lr_hsi
    hr_msi = observation.hr_msi
    psf = find_psf(observation)
    spatial = SpatialDegradation(psf, scale)
    lr_msi = spatial.forward(hr_msi)
    weights = regress(lr_msi, lr_hsi)  # (M + 1, C)
    adaptive = regress(lr_hsi, lr_msi)  # (C + 1, M)
    intensity = mix(lr_hsi, adaptive)  # (h, w, M)
    partner = mix(intensity, weights)  # (h, w, C)
    gain = _gain(lr_hsi, partner)
    fused = bicubic_upsample(lr_hsi, scale)
    # A constant survives interpolation, so it cancels between the partner and its interpolation.
    smooth = bicubic_upsample(intensity, scale)
    details = hr_msi.astype(np.float32) - smooth
    injected = weights[:-1] * gain  # (M, C)
    fused += details @ injected.astype(np.float32)
    return FusionResult(
        fused=fused,
        psf=psf,
        method="gsa",
        seconds=time.perf_counter() - start,
    )


def _gain(lr_hsi: np.ndarray, partner: np.ndarray) -> np.ndarray:
    """Gram-Schmidt injection gain of each band, (C,); 0 for a partner without contrast."""
    band = _centred(lr_hsi)
    other = _centred(partner)
    # Both times the number of pixels, which the ratio does not see.
    covariance = np.sum(band * other, axis=(0, 1))  # (C,)
    variance = np.sum(other**2, axis=(0, 1))
    has_contrast = variance > 0
    divisor = np.where(has_contrast, variance, 1.0)
    gain = covariance / divisor
    return np.where(has_contrast, gain, 0.0)


def _centred(image: np.ndarray) -> np.ndarray:
    """(h, w, C) in float64, every band without its mean."""
    mean = image.mean(axis=(0, 1), dtype=np.float64)
    centred = image.astype(np.float64) - mean
    return np.asarray(centred)
