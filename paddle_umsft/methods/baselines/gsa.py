"""GSA, adaptive Gram-Schmidt, in its hypersharpening form."""

from __future__ import annotations

import time
from typing import Optional

import numpy as np

from paddle_umsft.data.records import OnRecord
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.methods.baselines.by_rows import ByRows, Learned, upsampled
from paddle_umsft.methods.baselines.guesses import find_operator
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
    learned = learn_gsa(observation)
    fused = gsa_rows(learned, observation.lr_hsi, observation.hr_msi, observation.scale)
    return FusionResult(
        fused=fused,
        psf=learned.psf,
        method="gsa",
        seconds=time.perf_counter() - start,
    )


def learn_gsa(observation: Observation) -> Learned:
    """Regress the images on each other at low resolution: `intensity` (h, w, M), and `injected` (M, C) for details."""
    lr_hsi = observation.lr_hsi
    operator = find_operator(observation)
    lr_msi = operator.forward(observation.hr_msi)
    weights = regress(lr_msi, lr_hsi)  # (M + 1, C)
    adaptive = regress(lr_hsi, lr_msi)  # (C + 1, M)
    intensity = mix(lr_hsi, adaptive)  # (h, w, M)
    partner = mix(intensity, weights)  # (h, w, C)
    gain = _gain(lr_hsi, partner)
    injected = weights[:-1] * gain  # (M, C)
    arrays = {
        "intensity": intensity,
        "injected": injected.astype(np.float32),
    }
    return Learned(arrays, operator.psf, operator.border)


def gsa_rows(
    learned: Learned,
    lr_hsi: np.ndarray,
    hr_msi: np.ndarray,
    scale: int,
    rows: Optional[np.ndarray] = None,
) -> np.ndarray:
    """Add the details to the interpolation; see `MakeRows`."""
    fused = upsampled(lr_hsi, scale, rows)
    # A constant survives interpolation, so it cancels between the partner and its interpolation.
    smooth = upsampled(learned.arrays["intensity"], scale, rows)
    details = hr_msi.astype(np.float32) - smooth
    fused += details @ learned.arrays["injected"]
    return fused


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


BY_ROWS = ByRows("gsa", learn_gsa, gsa_rows)
