"""A prepared pair for methods that know nothing of placements and masks: the HSI interpolated where it has to be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from paddle_umsft.data.scene import Observation
from paddle_umsft.preparation.prepared import Prepared

# Standard deviation, in LR pixels, of the neighbourhood that fills an LR pixel nobody trusts.
NEIGHBOURHOOD = 1.0


def _filled(lr_hsi: np.ndarray, trusted: np.ndarray) -> np.ndarray:
    """Untrusted LR pixels replaced by the weighted mean of the trusted ones around."""
    if trusted.all() or not trusted.any():
        return lr_hsi
    known = trusted.astype(np.float64)
    weight = gaussian_filter(known, NEIGHBOURHOOD, mode="nearest") + 1e-9 * known.mean()
    total = gaussian_filter(lr_hsi * known[..., None], (NEIGHBOURHOOD, NEIGHBOURHOOD, 0), mode="nearest")
    return np.where(trusted[..., None], lr_hsi, total / weight[..., None])


def on_the_grid(prepared: Prepared) -> Observation:
    """The pair with the HSI where the MSI's grid says, to the price of one interpolation.

    Args:
        prepared: See `prepare_pair`.

    Returns:
        The observation; as it was where nothing moved and all is trusted.
    """
    observation, placement = prepared.observation, prepared.placement
    # Those that see beyond the MSI are good spectra, only the others are to be filled.
    lr_hsi = _filled(observation.lr_hsi.astype(np.float64), prepared.own_trust)
    if placement is not None:
        lr_shape = (lr_hsi.shape[0], lr_hsi.shape[1])
        middle = placement.middle(lr_shape)
        wanted = placement.own_places(lr_shape)
        there = (wanted - middle - placement.shift) @ np.linalg.inv(placement.matrix).T + middle
        index = np.moveaxis((there - (placement.scale - 1) / 2) / placement.scale, 2, 0)
        bands = [map_coordinates(lr_hsi[..., band], index, order=3, mode="nearest") for band in range(lr_hsi.shape[2])]
        lr_hsi = np.stack(bands, axis=2)
    return replace(observation, lr_hsi=lr_hsi.astype(np.float32))
