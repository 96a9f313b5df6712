"""Whether the images are off by more than an affine map: shifts that differ from place to place.

Around every LR pixel the residual of the pair is explained by one more shift, to first order (Lucas and Kanade). What
an affine map could do about these shifts is taken off; the rest is told to the user, for nothing here undoes it.

References:
    B. D. Lucas, T. Kanade: An iterative image registration technique with an application to stereo vision. IJCAI 1981.
    D. Scheffler et al.: AROSICS: an automated and robust open-source image co-registration software for multi-sensor
    satellite data. Remote Sensing 9(7), 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from paddle_umsft.preparation.robust import TINY
from paddle_umsft.preparation.view import View, fit

# Standard deviation of a neighbourhood, LR pixels: some thirty of them say where they lie.
NEIGHBOURHOOD = 2.5
# Shifts of less than this (HR pixels, root mean square) the solvers bear ...
LEAST_SHIFT = 0.4
# ... and so do those that are no larger than this many of their standard deviations.
SURE = 4.0
# Fewer neighbourhoods than this say nothing of a structure.
LEAST_PLACES = 12
# Every shift counts by its own uncertainty, but none by less than this, HR pixels.
LEAST_DEVIATION = 0.05
# Share of the largest shifts that is left out of what is told.
TOLD_QUANTILE = 0.95
# Steps to first order fall short where the shift is as long as an edge is wide: several, none longer than this (LR
# pixels), each from where the last one ended.
STEPS = 6
# Shifts below this, root mean square in HR pixels, are not gone into.
STILL = 0.1
LONGEST_STEP = 0.5
RIDGE = 1e-3


@dataclass
class Warp:
    """Shifts beyond an affine map.

    Attributes:
        shifts: (n, 2) HR pixels.
        deviations: (n,) their standard deviations.
    """

    shifts: np.ndarray
    deviations: np.ndarray

    @property
    def size(self) -> float:
        """Root mean square, HR pixels."""
        squares = np.sum(self.shifts**2, axis=1)
        return float(np.sqrt(np.mean(squares)))

    @property
    def largest(self) -> float:
        """What all but the largest few stay below, HR pixels."""
        lengths = np.linalg.norm(self.shifts, axis=1)
        return float(np.quantile(lengths, TOLD_QUANTILE))

    @property
    def is_there(self) -> bool:
        """Whether it is more than the solvers bear, and more than chance."""
        if len(self.shifts) < LEAST_PLACES:
            return False
        variance = np.mean(self.deviations**2)
        by_chance = float(np.sqrt(variance))
        return self.size > max(LEAST_SHIFT, SURE * by_chance)


def _around(values: np.ndarray, lr_shape: tuple[int, int]) -> np.ndarray:
    """(h, w) sums of (n, M) values over bands and neighbourhoods."""
    image = np.sum(values, axis=1).reshape(lr_shape)
    means = gaussian_filter(image, NEIGHBOURHOOD, mode="constant")
    area = 4 * np.pi * NEIGHBOURHOOD**2
    return np.asarray(area * means)


def _one_step(view: View) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(h, w, 2) shifts that the pair asks for, (h, w) their standard deviations, and (h, w) where that counts."""
    seen = view.seen(change=True)
    found = fit(view, seen=seen)
    assert seen.down is not None
    assert seen.right is not None
    # Bands in units of their own residual; what does not belong counts little.
    roots = np.sqrt(found.weights)
    unit = roots[:, None] / np.maximum(found.scale, TINY)
    down = seen.down * unit
    right = seen.right * unit
    rest = found.rest * unit
    # The normal equations of each neighbourhood's shift.
    down_down = _around(down**2, view.lr_shape)
    right_right = _around(right**2, view.lr_shape)
    both = _around(down * right, view.lr_shape)
    of_down = _around(down * rest, view.lr_shape)
    of_right = _around(right * rest, view.lr_shape)
    # Where nothing has edges, nothing says where it lies: a small ridge keeps the shift there near zero.
    ridge = RIDGE * float(np.mean(down_down + right_right)) + TINY
    down_down = down_down + ridge
    right_right = right_right + ridge
    determinant = down_down * right_right - both**2
    by_down = right_right * of_down - both * of_right
    by_right = down_down * of_right - both * of_down
    rows = -by_down / determinant
    columns = -by_right / determinant
    shifts = np.stack([rows, columns], axis=2)
    variances = (down_down + right_right) / determinant
    counted = found.counted.reshape(view.lr_shape)
    return shifts, np.sqrt(variances), counted


def local_shifts(view: View) -> Warp:
    """What the pair leaves of local shifts.

    Args:
        view: The pair with everything undone that was found.
    """
    shifts = np.zeros((*view.lr_shape, 2))
    limit = LONGEST_STEP * view.scale
    current = view
    for _ in range(STEPS):
        more, deviations, counted = _one_step(current)
        shifts = shifts + np.clip(more, -limit, limit)
        squares = more[counted] ** 2
        size = float(np.sqrt(np.mean(squares)))
        if size < STILL:
            break
        # Only to measure on: the MSI as it would be without them.
        moved = _moved_msi(view, shifts)
        current = view.but(hr_msi=moved)
    deviations = np.maximum(deviations[counted], LEAST_DEVIATION)
    beyond = _beyond_affine(
        shifts[counted],
        deviations,
        places=np.argwhere(counted),
    )
    return Warp(
        shifts=beyond,
        deviations=deviations,
    )


def _moved_msi(view: View, shifts: np.ndarray) -> np.ndarray:
    """(H, W, M) the MSI without (h, w, 2) shifts of LR pixels, linear between pixels."""
    height, width, bands = view.hr_msi.shape
    own = np.indices((height, width), dtype=np.float64)  # (2, H, W)
    enlarged = view.placement.enlarged(shifts)  # (H, W, 2)
    places = own + np.moveaxis(enlarged, 2, 0)
    moved = []
    for band in range(bands):
        values = map_coordinates(
            view.hr_msi[..., band],
            places,
            order=1,
            mode="nearest",
        )
        moved.append(values)
    return np.stack(moved, axis=2)


def _beyond_affine(
    shifts: np.ndarray,
    deviations: np.ndarray,
    places: np.ndarray,
) -> np.ndarray:
    """(n, 2) shifts without what an affine map of the (n, 2) places explains of them."""
    ones = np.ones(len(places))
    design = np.column_stack([places, ones])  # (n, 3)
    weights = 1.0 / deviations[:, None]
    factors, *_ = np.linalg.lstsq(
        design * weights,
        shifts * weights,
        rcond=None,
    )
    explained = design @ factors
    return np.asarray(shifts - explained)


def warp_note(warp: Warp) -> str:
    """What the user should know."""
    return (
        f"the images are off by more than an affine map: by {warp.size:.1f} HR pixels on average and up to "
        f"{warp.largest:.1f} from place to place, which nothing here undoes; register them with AROSICS first"
    )
