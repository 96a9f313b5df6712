"""PSF and SRF for the baselines: the known ones, or simple guesses, so that all of them run blind too."""

from __future__ import annotations

import numpy as np

from paddle_umsft.cameras.observe import border_of
from paddle_umsft.cameras.psf import box_psf, gaussian_psf
from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.data.scene import Observation
from paddle_umsft.preparation.srf_fit import fit_srf

# Widths tried for the PSF, as parts of the LR pixel.
WIDTHS = (0.25, 0.35, 0.5, 0.7, 1.0)
# A Gaussian that is not cut at the LR pixel ends after so many standard deviations.
TAILS = 4.0
# At a real border, LR pixels that see less than this of the image do not judge.
WHOLE = 0.98


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


def find_operator(observation: Observation) -> SpatialDegradation:
    """Return the known PSF as an operator; else the simple one under which the images agree best.

    Boxes and Gaussians of the LR pixel's size compete; where the border is a real one, the image is no simulator's,
    and Gaussians with their tails compete too.

    Args:
        observation: What the cameras saw, and what lies beyond it.
    """
    scale = observation.scale
    border = border_of(observation)
    if observation.psf is not None:
        return SpatialDegradation(observation.psf, scale, border)
    psfs = [box_psf(scale)]
    for width in WIDTHS:
        psfs.append(gaussian_psf(scale, width * scale, scale))
    if border != "wrap":
        longest = min(observation.shape) // 2
        for width in WIDTHS:
            reach = min(int(np.ceil(TAILS * width * scale)), longest)
            # As even or odd as the scale: then the middle of the array is the centre of the LR pixel.
            psfs.append(gaussian_psf(2 * reach + scale % 2, width * scale, scale))
    candidates = [SpatialDegradation(psf, scale, border) for psf in psfs]
    errors = [_disagreement(observation, operator) for operator in candidates]
    return candidates[int(np.argmin(errors))]


def find_psf(observation: Observation) -> np.ndarray:
    """Return the PSF of `find_operator`, (k, k), sums to 1."""
    return find_operator(observation).psf


def _disagreement(observation: Observation, operator: SpatialDegradation) -> float:
    """Mean square of PSF(hr_msi) that no SRF explains from the LR-HSI; a known SRF may be on another scale."""
    lr_msi = operator.forward(observation.hr_msi)
    srf = _plain_srf(observation, lr_msi)
    misfit = observation.lr_hsi @ srf.T - lr_msi  # (h, w, M)
    height, width = misfit.shape[:2]
    is_whole = operator.inside((height, width)) > WHOLE
    if is_whole.any():
        misfit = misfit[is_whole]
    return float(np.mean(misfit**2))
