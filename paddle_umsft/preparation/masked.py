"""What masks mean for the fits: an LR pixel that sees MSI pixels of no data says nothing of PSF and SRF."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import maximum_filter

from paddle_umsft.data.grid import HsiGrid
from paddle_umsft.data.scene import Observation

# A PSF reaches about half an LR pixel beyond its own, and its tails as much again: the wider margin goes first, and
# gives way where it would leave less than this share of the LR pixels that have data.
MARGINS = (1.0, 0.5, 0.0)
ENOUGH = 0.3


def lr_pixels_with_data(observation: Observation) -> np.ndarray:
    """(h, w) LR pixels that no mask hides."""
    if observation.mask_hsi is None:
        return np.ones(observation.lr_hsi.shape[:2], dtype=bool)
    return np.asarray(observation.mask_hsi, dtype=bool)


def lr_pixels_to_fit(observation: Observation) -> np.ndarray:
    """(h, w) LR pixels with data that see MSI pixels with data only, and so say something of PSF and SRF."""
    has_data = lr_pixels_with_data(observation)
    mask_msi = observation.mask_msi
    if mask_msi is None or mask_msi.all():
        return has_data
    for margin in MARGINS:
        reach = round(margin * observation.scale)
        if observation.grid is None:
            sees_data = ~_sees_hidden(mask_msi, observation.scale, reach)
        else:
            sees_data = ~_sees_hidden_on(observation.grid, mask_msi, has_data.shape, reach)
        chosen = has_data & sees_data
        if chosen.sum() > ENOUGH * has_data.sum():
            return np.asarray(chosen)
    return has_data


def _sees_hidden(
    mask_msi: np.ndarray,
    scale: int,
    margin: int,
) -> np.ndarray:
    """(h, w) LR pixels with a hidden MSI pixel within them or so many HR pixels around."""
    hidden = maximum_filter(~mask_msi, size=2 * margin + 1, mode="nearest")
    height, width = hidden.shape
    cells = hidden.reshape(height // scale, scale, width // scale, scale)
    return np.asarray(cells.any(axis=(1, 3)))


def _sees_hidden_on(
    grid: HsiGrid,
    mask_msi: np.ndarray,
    lr_shape: tuple[int, ...],
    margin: int,
) -> np.ndarray:
    """(h, w) the same where the HSI's pixels lie on a grid of their own; what lies beyond the MSI is hidden, too."""
    height, width = lr_shape[:2]
    half = int(np.ceil(grid.ratios.max() / 2))
    # Around the middle of an LR pixel half of it, and the margin.
    reach = 2 * (half + margin) + 1
    hidden = maximum_filter(~mask_msi, size=reach, mode="constant", cval=True)
    places = np.rint(grid.middles((height, width))).astype(int)  # (h, w, 2)
    is_outside = np.any((places < 0) | (places >= np.array(hidden.shape)), axis=2)
    rows = np.clip(places[:, :, 0], 0, hidden.shape[0] - 1)
    columns = np.clip(places[:, :, 1], 0, hidden.shape[1] - 1)
    return np.asarray(hidden[rows, columns] | is_outside)


def msi_weights(observation: Observation) -> np.ndarray:
    """(H, W) float32: 1 for the MSI's pixels, 0 where a mask hides them."""
    if observation.mask_msi is None:
        return np.ones(observation.shape, dtype=np.float32)
    return observation.mask_msi.astype(np.float32)
