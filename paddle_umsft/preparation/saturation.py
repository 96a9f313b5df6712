"""Saturated MSI pixels: their true value is at least what they show; the HSI tells how much more in the mean."""

from __future__ import annotations

import numpy as np

from paddle_umsft.preparation.footprint import look
from paddle_umsft.preparation.view import View, fit, majority

# A plateau: so many pixels of a band at its largest value.
LEAST_PIXELS = 12
LEAST_SHARE = 2e-3
# Share of a footprint that may be saturated in an LR pixel that still counts for the fits.
TOUCHED = 0.01
# The HSI has to ask for more by this many scales, in the middle of the plateau.
TIMES_USUAL = 3.0
PASSES = 30


def plateaus(hr_msi: np.ndarray) -> np.ndarray:
    """(H, W, M) pixels at the largest value of their band, in bands where that is a plateau."""
    top = hr_msi.max(axis=(0, 1))
    span = top - hr_msi.min(axis=(0, 1))
    at_top = hr_msi >= top - 1e-6 * span
    enough = np.maximum(LEAST_PIXELS, LEAST_SHARE * at_top[..., 0].size)
    return np.asarray(at_top & (at_top.sum(axis=(0, 1)) >= enough))


def touched(view: View, censored: np.ndarray) -> np.ndarray:
    """(h, w, M) share of each LR pixel's footprint that is censored."""
    seen = look(censored.astype(np.float64), view.placement, view.lr_shape, view.profile)
    return np.asarray(seen.values.reshape(*view.lr_shape, -1))


def asked_for(view: View, censored: np.ndarray) -> bool:
    """Whether the HSI shows more light than the plateaus do."""
    share = touched(view, censored)
    clean = view.trusted & ~np.any(share > TOUCHED, axis=2)
    if clean.sum() < 4 * view.hr_msi.shape[2] + 16:
        return False
    other = view.but(trusted=clean)
    seen = other.seen()
    found = fit(other, seen=seen, start=majority(other, seen))
    inside = share.reshape(-1, share.shape[2]) > 0.3
    missing = -found.rest / np.maximum(found.scale, 1e-30)
    return bool(inside.any() and np.median(missing[inside]) > TIMES_USUAL)


def desaturated(view: View, censored: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """The MSI with what the plateaus lack, as smooth as it can be: back-projection within them.

    Args:
        view: The pair.
        censored: (H, W, M) pixels at a plateau.
        clean: (h, w) LR pixels that the SRF is fitted on.

    Returns:
        (H, W, M), nowhere below the MSI.
    """
    found = fit(view.but(trusted=clean))
    wanted = found.seen.values - found.rest  # (n, M): SRF(HSI) everywhere
    share = touched(view, censored).reshape(wanted.shape)
    excess = np.zeros_like(view.hr_msi)
    shape = (*view.lr_shape, -1)
    for _ in range(PASSES):
        seen = look(view.hr_msi + excess, view.placement, view.lr_shape, view.profile).values
        lack = (wanted - seen) / np.maximum(share, 0.1)
        weight = np.where(share > TOUCHED, share, 0.0)
        # Interpolated between LR pixels, each as sure as its share of the plateau.
        over = view.placement.enlarged((lack * weight).reshape(shape))
        sure = view.placement.enlarged(weight.reshape(shape))
        excess = np.maximum(excess + censored * over / np.maximum(sure, 1e-3), 0.0)
    return np.asarray(view.hr_msi + excess)
