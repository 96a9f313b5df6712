"""Saturated MSI pixels: their true value is at least what they show; the HSI tells how much more in the mean.

Where in a plateau the light lies that is lacking no camera says. But light passes the limit at the plateau's rim, so
there next to nothing is lacking, and the more the farther inside.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt

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
# What is lacking grows from the rim of a plateau inwards by this power of the distance, over one LR pixel at most: a
# cone (1) is too pointed where a plateau ends at the edge of a thing, a lid (0) is wrong at every rim.
POWER_OF_DEPTH = 0.7
# A plateau may lie where an LR pixel hardly looks: there its domes are not blown up further.
LEAST_DOME = 0.3
TINY = 1e-30
# What a user is told of saturated pixels, after how many they are.
SATURATED = "% of the MSI's pixels are saturated; what they lack is taken from the HSI"


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


def domes(censored: np.ndarray, scale: int) -> np.ndarray:
    """(H, W, M) how what a plateau lacks rises from its rim inwards, in pixels to a power; 0 outside.

    Args:
        censored: (H, W, M) pixels at a plateau.
        scale: H / h.
    """
    heights = np.zeros(censored.shape)
    for band in range(censored.shape[2]):
        if not censored[..., band].any():
            continue
        # The border of the picture is no rim.
        wider = np.pad(censored[..., band], 1, mode="edge")
        depth = distance_transform_edt(wider)[1:-1, 1:-1]
        heights[..., band] = np.minimum(depth, scale) ** POWER_OF_DEPTH
    return heights


def desaturated(
    view: View,
    censored: np.ndarray,
    clean: np.ndarray,
) -> np.ndarray:
    """The MSI with what the plateaus lack, as smooth domes on them: back-projection within them.

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
    shape = domes(censored, view.scale)
    # Domes of all sizes weigh alike: over what an LR pixel sees of them in the mean.
    looked = look(shape, view.placement, view.lr_shape, view.profile).values / np.maximum(share, TINY)
    mean = view.placement.enlarged((looked * weight).reshape(on_grid)) / sure
    shape /= np.maximum(mean, LEAST_DOME)
    excess = np.zeros_like(view.hr_msi)
    for _ in range(PASSES):
        seen = look(view.hr_msi + excess, view.placement, view.lr_shape, view.profile)
        lack = (wanted - seen.values) / np.maximum(share, LEAST_PART)
        over = view.placement.enlarged((lack * weight).reshape(on_grid))
        excess = np.maximum(excess + shape * over / sure, 0.0)
    return np.asarray(view.hr_msi + excess)
