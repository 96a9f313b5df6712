"""The tone curve that has no name: a monotone spline, the same for all MSI bands, straight from the pair.

With basis functions B_k that all rise, light = sum a_k B_k(value) with a_k >= 0 rises too, and what LR pixels see of it
is linear in a: sum a_k PSF(B_k(MSI)). What a mix of HSI bands explains is projected out, and the a that leaves least of
its own contrast is found by a few non-negative least squares.

References:
    J. O. Ramsay: Monotone regression splines in action. Statistical Science 3(4), 1988.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import BSpline
from scipy.optimize import nnls

from paddle_umsft.preparation.gains import Undone
from paddle_umsft.preparation.robust import TINY
from paddle_umsft.preparation.tone import white_level
from paddle_umsft.preparation.view import View, fit

DEGREE = 3
# Stretches between the knots: curves of cameras, film and logarithms are followed to half a per cent by six.
STRETCHES = 6
# Rounds: the contrast is held at that of the round before, and LR pixels that do not fit count less each time.
ROUNDS = 4
# Weight of the condition on the contrast against the residuals, whose norm is 1 at the start.
HOLD = 1e3
# Pull of neighbouring steps towards each other, relative: it decides only where no value lies between two knots.
SMOOTH = 1e-4
# Levels of a curve that is looked up: 16 bits.
LEVELS = 2**16
# Values between 0 and 1 of which the curve tells what light they stand for.
HALF = 0.5


class RisingSpline:
    """A curve from values to light that rises from 0 at 0 to 1 at 1.

    Args:
        steps: (k,) not negative; scaled to sum 1.
    """

    def __init__(self, steps: np.ndarray) -> None:
        total = float(steps.sum())
        risen = np.cumsum(steps) / total
        heights = np.concatenate([[0.0], risen])
        self.spline = BSpline(_knots(), heights, DEGREE, extrapolate=True)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Light of any values; beyond white it goes on straight."""
        inner = np.clip(values, 0.0, 1.0)
        slope = float(self.spline(1.0, 1))
        beyond = values - inner
        return np.asarray(self.spline(inner) + slope * beyond)


def _knots() -> np.ndarray:
    """Knots of the splines on 0 ... 1, the outermost as often as it takes."""
    first = np.zeros(DEGREE)
    last = np.ones(DEGREE)
    inner = np.linspace(0.0, 1.0, STRETCHES + 1)
    return np.concatenate([first, inner, last])


def _rising_functions() -> list[BSpline]:
    """Basis functions that rise from 0 to 1: sums of all B-splines from one on."""
    knots = _knots()
    count = len(knots) - DEGREE - 1
    functions = []
    for first in range(1, count):
        heights = np.zeros(count)
        heights[first:] = 1.0
        function = BSpline(knots, heights, DEGREE)
        functions.append(function)
    return functions


def fitted_spline(view: View) -> RisingSpline:
    """The curve under which the pair agrees best, as far as the view's PSF and placement are right.

    Args:
        view: The pair, its MSI as it was recorded.
    """
    # Curves are looked up: a table of so many levels is as good as any camera's.
    levels = np.linspace(0.0, 1.0, LEVELS)
    values = np.clip(view.hr_msi / white_level(view.hr_msi), 0.0, 1.0)
    level = np.round(values * (LEVELS - 1)).astype(np.int32)  # (H, W, M)
    seen = []
    for function in _rising_functions():
        curved = view.but(hr_msi=function(levels)[level])
        seen.append(curved.seen().values)  # (n, M)
    basis = np.stack(seen, axis=2)  # (n, M, k)
    depth = basis.shape[2]
    found = fit(view)
    shared = view.directions(found.counted)
    weights = found.weights
    # Begin with no curve at all.
    steps = np.full(depth, 1.0 / depth)
    for _ in range(ROUNDS):
        steps = _better_steps(steps, basis, shared, weights)
        curve = RisingSpline(steps)
        current = view.but(hr_msi=curve(levels)[level])
        weights = fit(current).weights
    return RisingSpline(steps)


def _better_steps(
    steps: np.ndarray,
    basis: np.ndarray,
    shared: np.ndarray,
    weights: np.ndarray,
) -> np.ndarray:
    """The steps that leave least, at the contrast that others have.

    Args:
        steps: (k,) the others.
        basis: (n, M, k) what LR pixels see of the MSI through each of the rising functions.
        shared: (n, q) spectral directions of the HSI.
        weights: (n,) of LR pixels.

    Returns:
        (k,) not negative, sum 1.
    """
    bands, depth = basis.shape[1:]
    root = np.sqrt(weights)[:, None]
    orthogonal, _ = np.linalg.qr(shared * root)
    rows = []
    contrast = np.zeros(depth)
    for band in range(bands):
        own = basis[:, band]  # (n, k)
        weighted = own * root
        explained = orthogonal @ (orthogonal.T @ weighted)
        left = weighted - explained
        mean = np.average(own, axis=0, weights=weights)
        centred = own - mean
        light = centred @ steps
        variance = np.average(light**2, weights=weights)
        spread = float(np.sqrt(variance)) + TINY
        # Every band in units of its own contrast as it is now.
        rows.append(left / spread)
        contrast += (weights * light) @ centred / spread**2
    stacked = np.concatenate(rows)
    _, triangle = np.linalg.qr(stacked)  # the same sums of squares in k rows
    size = float(np.linalg.norm(triangle))
    differences = np.diff(np.eye(depth), axis=0)
    tie = SMOOTH * size * differences
    hold = HOLD * size * contrast / (contrast @ steps)
    system = np.concatenate([triangle, tie, hold[None]])
    target = np.zeros(len(system))
    target[-1] = HOLD * size
    solved, _ = nnls(system, target)
    return np.asarray(solved / max(solved.sum(), TINY))


def without_spline(view: View, curve: RisingSpline) -> Undone:
    """The MSI in linear light."""
    white = white_level(view.hr_msi)
    light = white * curve(view.hr_msi / white)
    half = float(curve(np.array(HALF)))
    return Undone(
        view=view.but(hr_msi=light),
        note=f"the MSI has a tone curve (a monotone spline: half of white stands for {half:.2f} of the light), undone",
        freedom=STRETCHES + DEGREE - 2,
        size=1.0,
    )
