"""A constant in the MSI's bands that the HSI does not have: a dark level, haze, a product's own offset."""

from __future__ import annotations

import numpy as np

from paddle_umsft.preparation.gains import Undone
from paddle_umsft.preparation.srf_fit import curvature, fit_band
from paddle_umsft.preparation.view import View, counted_pixels


def constant_of(lr_hsi: np.ndarray, lr_msi: np.ndarray, trusted: np.ndarray) -> np.ndarray:
    """(M,) constants beside smooth non-negative SRFs: what is fitted without the means, then misses in them.

    Args:
        lr_hsi: (h, w, C).
        lr_msi: (h, w, M), the MSI behind the PSF.
        trusted: (h, w) LR pixels that count.
    """
    pixels, targets = lr_hsi[trusted].astype(np.float64), lr_msi[trusted].astype(np.float64)
    second = curvature(pixels.shape[1])
    offset = np.zeros(targets.shape[1])
    for band in range(len(offset)):
        centred = targets[:, band] - targets[:, band].mean()
        srf = fit_band(pixels - pixels.mean(axis=0), centred, second, None)
        offset[band] = targets[:, band].mean() - pixels.mean(axis=0) @ srf
    return offset


def without_offset(view: View) -> Undone:
    """The MSI less a constant for each band."""
    seen = view.seen()
    counted = counted_pixels(view, seen).reshape(view.lr_shape)
    values = seen.values.reshape(*view.lr_shape, -1)
    offset = constant_of(view.lr_hsi, values, counted)
    size = float(np.max(np.abs(offset) / np.maximum(np.abs(seen.values).mean(axis=0), 1e-30)))
    return Undone(view.but(hr_msi=view.hr_msi - offset), offset_note(offset), len(offset), size)


def offset_note(offset: np.ndarray) -> str:
    """What the user is told."""
    listed = ", ".join(f"{value:.4g}" for value in offset)
    return f"the MSI's bands hold a constant that the HSI does not have ({listed}), taken off"
