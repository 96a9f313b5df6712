"""PSF and SRF for the baselines: the known ones, or simple guesses, so that all of them run blind too."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from paddle_umsft.cameras.psf import box_psf, gaussian_psf
from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.data.scene import Observation

# Widths tried for the PSF, as parts of the LR pixel.
_WIDTHS = (0.25, 0.35, 0.5, 0.7, 1.0)


def fit_srf(lr_hsi: np.ndarray, lr_msi: np.ndarray, observation: Observation) -> tuple[np.ndarray, float]:
    """SRF by non-negative least squares, each MSI band within its support.

    Args:
        lr_hsi: (h, w, C).
        lr_msi: (h, w, M), the MSI at the resolution of the HSI.
        observation: Gives the supports; without them every MSI band may see all HSI bands.

    Returns:
        (M, C) response, and the sum of squared residuals.
    """
    bands, msi_bands = lr_hsi.shape[2], lr_msi.shape[2]
    supports = observation.supports or ((0, bands),) * msi_bands
    # The triangular factor has the same least squares problems with far fewer rows.
    stacked = np.concatenate([lr_hsi.reshape(-1, bands), lr_msi.reshape(-1, msi_bands)], axis=1)
    factor = np.linalg.qr(stacked.astype(np.float64))[1]
    srf, squares = np.zeros((msi_bands, bands)), 0.0
    for band, (start, stop) in enumerate(supports):
        srf[band, start:stop], residual = nnls(factor[:, start:stop], factor[:, bands + band])
        squares += float(residual) ** 2
    return srf, squares


def find_psf(observation: Observation) -> np.ndarray:
    """The known PSF; else the box or Gaussian (of the LR pixel's size) under which the two images agree best.

    Args:
        observation: What the cameras saw.

    Returns:
        (k, k), sums to 1.
    """
    if observation.psf is not None:
        return observation.psf
    scale = observation.scale
    best, smallest = box_psf(scale), np.inf
    for psf in [best] + [gaussian_psf(scale, width * scale, scale) for width in _WIDTHS]:
        lr_msi = SpatialDegradation(psf, scale).forward(observation.hr_msi)
        squares = fit_srf(observation.lr_hsi, lr_msi, observation)[1]
        if squares < smallest:
            best, smallest = psf, squares
    return best
