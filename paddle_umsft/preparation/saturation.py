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
    height, width, _ = hr_msi.shape
    top = hr_msi.max(axis=(0, 1))
    bottom = hr_msi.min(axis=(0, 1))
    span = top - bottom
    at_top = hr_msi >= top - LEVEL * span
    enough = max(LEAST_PIXELS, LEAST_SHARE * (height * width))
    counts = at_top.sum(axis=(0, 1))  # (M,)
    is_plateau = counts >= enough
    return np.asarray(at_top & is_plateau)


def _looked_at(view: View, image: np.ndarray) -> np.ndarray:
    """(n, M) what LR pixels see of (H, W, M)."""
    seen = look(
        image,
        view.placement,
        view.lr_shape,
        view.profile,
    )
    return seen.values


def touched(view: View, censored: np.ndarray) -> np.ndarray:
    """(h, w, M) share of each LR pixel's footprint that is censored."""
    share = _looked_at(view, censored.astype(np.float64))
    return share.reshape(*view.lr_shape, -1)


def untouched_pixels(view: View, censored: np.ndarray) -> np.ndarray:
    """(h, w) LR pixels that see no plateau in any band."""
    share = touched(view, censored)
    sees_any = np.any(share > TOUCHED, axis=2)
    return np.asarray(~sees_any)


def asked_for(view: View, censored: np.ndarray) -> bool:
    """Whether the HSI shows more light than the plateaus do."""
    clean = view.trusted & untouched_pixels(view, censored)
    msi_bands = view.hr_msi.shape[2]
    least = CLEAN_PER_BAND * msi_bands + LEAST_CLEAN
    if clean.sum() < least:
        return False
    other = view.but(trusted=clean)
    seen = other.seen()
    start = majority(other, seen)
    found = fit(other, seen=seen, start=start)
    share = touched(view, censored).reshape(found.rest.shape)
    inner = share > INNER_SHARE
    if not inner.any():
        return False
    scale = np.maximum(found.scale, TINY)
    missing = -found.rest / scale
    usual = np.median(missing[inner])
    return bool(usual > TIMES_USUAL)


def domes(censored: np.ndarray, scale: int) -> np.ndarray:
    """(H, W, M) how what a plateau lacks rises from its rim inwards, in pixels to a power; 0 outside.

    Args:
        censored: (H, W, M) pixels at a plateau.
        scale: H / h.
    """
    heights = np.zeros(censored.shape)
    for band in range(censored.shape[2]):
        plateau = censored[..., band]
        if not plateau.any():
            continue
        # The border of the picture is no rim.
        wider = np.pad(plateau, 1, mode="edge")
        from_rim = distance_transform_edt(wider)
        depth = from_rim[1:-1, 1:-1]
        height = np.minimum(depth, scale)
        heights[..., band] = height**POWER_OF_DEPTH
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

    def enlarged(values: np.ndarray) -> np.ndarray:
        """Interpolate (n, M) between LR pixels: (H, W, M)."""
        on_grid = values.reshape(*view.lr_shape, -1)
        return view.placement.enlarged(on_grid)

    # Each LR pixel is as sure as its share of the plateau.
    sure = enlarged(weight)
    sure = np.maximum(sure, LEAST_SURE)
    shape = domes(censored, view.scale)
    # Domes of all sizes weigh alike: over what an LR pixel sees of them in the mean.
    height = _looked_at(view, shape) / np.maximum(share, TINY)
    mean = enlarged(height * weight) / sure
    shape /= np.maximum(mean, LEAST_DOME)
    excess = np.zeros_like(view.hr_msi)
    for _ in range(PASSES):
        seen = _looked_at(view, view.hr_msi + excess)
        lack = (wanted - seen) / np.maximum(share, LEAST_PART)
        over = enlarged(lack * weight)
        more = shape * over / sure
        excess = np.maximum(excess + more, 0.0)
    return np.asarray(view.hr_msi + excess)
