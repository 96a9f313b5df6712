"""PSF and SRF for the baselines: the known ones, or simple guesses, so that all of them run blind too."""

from __future__ import annotations

import numpy as np

from paddle_umsft.cameras.psf import box_psf, gaussian_psf
from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.data.scene import Observation
from paddle_umsft.preparation.srf_fit import fit_srf

# Widths tried for the PSF, as parts of the LR pixel.
WIDTHS = (0.25, 0.35, 0.5, 0.7, 1.0)


def find_srf(observation: Observation, lr_msi: np.ndarray) -> np.ndarray:
    """Return the known SRF; else that of plain non-negative least squares, each MSI band within its support.

    Args:
        observation: What the cameras saw; without supports every MSI band may see all HSI bands.
        lr_msi: (h, w, M), the MSI at the resolution of the HSI.

    Returns:
        (M, C) response.
    """
    if observation.srf is not None:
        return observation.srf
    return _plain_srf(observation, lr_msi)


def _plain_srf(observation: Observation, lr_msi: np.ndarray) -> np.ndarray:
    whole = ((0, observation.bands),) * observation.msi_bands
    return fit_srf(
        observation.lr_hsi,
        lr_msi,
        observation.supports or whole,
        strength=0.0,  # nothing but the fit: no prior on the curve's shape
    )


def find_psf(observation: Observation) -> np.ndarray:
    """Return the known PSF; else the box or Gaussian (of the LR pixel's size) under which the images agree best.

    Args:
        observation: What the cameras saw.

    Returns:
        (k, k), sums to 1.
    """
    if observation.psf is not None:
        return observation.psf
    scale = observation.scale
    candidates = [box_psf(scale)]
    for width in WIDTHS:
        gaussian = gaussian_psf(scale, width * scale, scale)
        candidates.append(gaussian)
    errors = [_disagreement(observation, psf) for psf in candidates]
    best = int(np.argmin(errors))
    return candidates[best]


def _disagreement(observation: Observation, psf: np.ndarray) -> float:
    """Sum of squares of PSF(hr_msi) that no SRF explains from the LR-HSI; a known SRF may be on another scale."""
    spatial = SpatialDegradation(psf, observation.scale)
    lr_msi = spatial.forward(observation.hr_msi)
    srf = _plain_srf(observation, lr_msi)
    made = observation.lr_hsi @ srf.T  # (h, w, M)
    misfit = made - lr_msi
    return float(np.sum(misfit**2))
