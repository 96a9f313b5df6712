"""A constant in the MSI's bands that the HSI does not have: a dark level, haze, a product's own offset."""

from __future__ import annotations

import numpy as np

from paddle_umsft.preparation.gains import Undone
from paddle_umsft.preparation.srf_fit import ResponseFit, curvature
from paddle_umsft.preparation.view import View, counted_pixels

TINY = 1e-30


def constant_of(
    lr_hsi: np.ndarray,
    lr_msi: np.ndarray,
    trusted: np.ndarray,
) -> np.ndarray:
    """(M,) constants beside smooth non-negative SRFs: what is fitted without the means, then misses in them.

    Args:
        lr_hsi: (h, w, C).
        lr_msi: (h, w, M), the MSI behind the PSF.
        trusted: (h, w) LR pixels that count.
    """
    pixels = lr_hsi[trusted].astype(np.float64)  # (n, C)
    targets = lr_msi[trusted].astype(np.float64)  # (n, M)
    mean_spectrum = pixels.mean(axis=0)
    centred_fit = ResponseFit(pixels - mean_spectrum, curvature(pixels.shape[1]))
    means = targets.mean(axis=0)
    offset = np.zeros(targets.shape[1])
    for band in range(len(offset)):
        centred = targets[:, band] - means[band]
        srf = centred_fit.response_to(centred, None)
        offset[band] = means[band] - mean_spectrum @ srf
    return offset


def without_offset(view: View) -> Undone:
    """The MSI less a constant for each band."""
    seen = view.seen()
    counted = counted_pixels(view, seen).reshape(view.lr_shape)
    lr_msi = seen.values.reshape(*view.lr_shape, -1)
    offset = constant_of(view.lr_hsi, lr_msi, counted)
    brightness = np.abs(seen.values).mean(axis=0)
    share = np.abs(offset) / np.maximum(brightness, TINY)
    return Undone(
        view=view.but(hr_msi=view.hr_msi - offset),
        note=offset_note(offset),
        freedom=len(offset),
        size=float(np.max(share)),
    )


def offset_note(offset: np.ndarray) -> str:
    """What the user is told."""
    listed = ", ".join(f"{value:.4g}" for value in offset)
    return f"the MSI's bands hold a constant that the HSI does not have ({listed}), taken off"
