"""Saturated MSI pixels: their true value is at least what they show; the HSI tells how much more in the mean."""

from __future__ import annotations

import numpy as np

from paddle_umsft.preparation.footprint import look
from paddle_umsft.preparation.view import View, fit, majority

# A plateau: so many pixels of a band within this part of its range below its largest value.
LEAST_PIXELS = 12
LEAST_SHARE = 2e-3
LEVEL = 1e-6
# Share of a footprint that may be saturated in an LR pixel that still counts for the fits.
TOUCHED = 0.01
# The HSI has to ask for more by this many scales, where so much of the footprint is a plateau.
TIMES_USUAL = 3.0
INNER_SHARE = 0.3
# LR pixels without a plateau that have to be left, per MSI band and besides.
CLEAN_PER_BAND = 4
LEAST_CLEAN = 16
# Back-projections, and the shares below which a division by them would make noise.
PASSES = 30
LEAST_PART = 0.1
LEAST_SURE = 1e-3
TINY = 1e-30


def plateaus(hr_msi: np.ndarray) -> np.ndarray:
    """(H, W, M) pixels at the largest value of their band, in bands where that is a plateau."""
    top = hr_msi.max(axis=(0, 1))
    span = top - hr_msi.min(axis=(0, 1))
    at_top = hr_msi >= top - LEVEL * span
    pixels = hr_msi.shape[0] * hr_msi.shape[1]
    enough = max(LEAST_PIXELS, LEAST_SHARE * pixels)
    is_plateau = at_top.sum(axis=(0, 1)) >= enough  # (M,)
    return np.asarray(at_top & is_plateau)


def touched(view: View, censored: np.ndarray) -> np.ndarray:
    """(h, w, M) share of each LR pixel's footprint that is censored."""
    seen = look(censored.astype(np.float64), view.placement, view.lr_shape, view.profile)
    return np.asarray(seen.values.reshape(*view.lr_shape, -1))


def untouched_pixels(view: View, censored: np.ndarray) -> np.ndarray:
    """(h, w) LR pixels that see no plateau in any band."""
    share = touched(view, censored)
    return np.asarray(~np.any(share > TOUCHED, axis=2))


def asked_for(view: View, censored: np.ndarray) -> bool:
    """Whether the HSI shows more light than the plateaus do."""
    clean = view.trusted & untouched_pixels(view, censored)
    if clean.sum() < CLEAN_PER_BAND * view.hr_msi.shape[2] + LEAST_CLEAN:
        return False
    other = view.but(trusted=clean)
    seen = other.seen()
    found = fit(other, seen=seen, start=majority(other, seen))
    share = touched(view, censored).reshape(found.rest.shape)
    inner = share > INNER_SHARE
    if not inner.any():
        return False
    missing = -found.rest / np.maximum(found.scale, TINY)
    return bool(np.median(missing[inner]) > TIMES_USUAL)


def desaturated(
    view: View,
    censored: np.ndarray,
    clean: np.ndarray,
) -> np.ndarray:
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
    weight = np.where(share > TOUCHED, share, 0.0)
    on_grid = (*view.lr_shape, -1)
    # Interpolated between LR pixels, each as sure as its share of the plateau.
    sure = view.placement.enlarged(weight.reshape(on_grid))  # (H, W, M)
    sure = np.maximum(sure, LEAST_SURE)
    excess = np.zeros_like(view.hr_msi)
    for _ in range(PASSES):
        seen = look(view.hr_msi + excess, view.placement, view.lr_shape, view.profile)
        lack = (wanted - seen.values) / np.maximum(share, LEAST_PART)
        over = view.placement.enlarged((lack * weight).reshape(on_grid))
        excess = np.maximum(excess + censored * over / sure, 0.0)
    return np.asarray(view.hr_msi + excess)
