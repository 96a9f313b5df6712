"""Whether a pair is what the solvers assume already: then nothing need be looked for, and nothing is touched."""

from __future__ import annotations

import numpy as np

from paddle_umsft.cameras.spatial import first_tap
from paddle_umsft.data.scene import Observation
from paddle_umsft.preparation.drowned import drowned_bands
from paddle_umsft.preparation.estimate import Degradations

# What PSF and SRF may leave, as a share of the contrast: the families do not hold every PSF to the last digit. Effects
# that matter leave four times as much at least.
EXPLAINED = 5e-3
# HR pixels that the PSF's middle may lie beside that of the LR pixel; further off, the images are moved.
CENTRED = 0.75


def middle_of(psf: np.ndarray, scale: int) -> np.ndarray:
    """(2,) middle of a PSF against that of its LR pixel, HR pixels."""
    size = len(psf)
    places = np.arange(size) + first_tap(size, scale) - (scale - 1) / 2
    return np.array([psf.sum(axis=1) @ places, psf.sum(axis=0) @ places])


def is_explained(observation: Observation, degradations: Degradations) -> bool:
    """Whether one PSF and one SRF leave nothing of the pair.

    Args:
        observation: The image pair, as it came.
        degradations: What was found for it.
    """
    left = max(1.0 - degradations.agreement, 0.0)
    if left > EXPLAINED**2:
        return False
    middle = middle_of(degradations.psf, observation.scale)
    if observation.psf is None and np.max(np.abs(middle)) > CENTRED:
        return False
    return not drowned_bands(observation.lr_hsi.astype(np.float64)).size
