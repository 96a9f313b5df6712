"""Least squares in a handful of parameters, by steps that are damped where they do not help (Levenberg, Marquardt)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

# Steps shorter than this part of what a parameter is taken to vary by end a descent, and so do those that take less
# than this part off the sum of squares.
STEP_TOLERANCE = 1e-6
COST_TOLERANCE = 1e-7
# How much a parameter that starts near zero (a centre, an angle) is taken to vary.
LEAST_PARAMETER = 0.3
# Damping at first, what it is multiplied by where a step does not help, and divided by where it does.
DAMPING = 1e-3
HARDER = 10.0
EASIER = 10.0
# What is added to every parameter's curvature, as a part of all of them together: rounding does not solve for it.
RIDGE = 1e-12
# The longest step at first, in what the parameters are taken to vary by; twice as long after every one that helps, up
# to a limit (a width that no longer matters would go on for ever), and a quarter of one that does not.
LONGEST_STEP = 1.0
LIMIT = 4.0
LONGER = 2.0
SHORTER = 0.25
# Change of a parameter over which a difference stands for the derivative: half of the digits are left of it.
STEP = 1e-7
# Keeps what is divided by from being zero where no parameter changes anything.
TINY = 1e-300

# Parameters -> whatever is made of them.
Make = Callable[[np.ndarray], np.ndarray]
# Parameters -> (N,) residuals and (p, N) how they change with every parameter.
Around = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def differences(make: Make, parameters: np.ndarray) -> np.ndarray:
    """(1 + p, ...): what parameters make, and its derivatives by each of them, by differences."""
    value = make(parameters)
    rows = [value]
    for number in range(len(parameters)):
        moved = np.array(parameters, dtype=np.float64)
        moved[number] += STEP
        change = make(moved) - value
        rows.append(change / STEP)
    return np.stack(rows)


class _Place(NamedTuple):
    """Parameters and what was told of them.

    Attributes:
        parameters: (p,).
        rest: (N,) residuals.
        change: (p, N) how they change with every parameter.
        cost: Sum of the residuals' squares.
    """

    parameters: np.ndarray
    rest: np.ndarray
    change: np.ndarray
    cost: float


def _place(around: Around, parameters: np.ndarray) -> _Place:
    """Ask at parameters."""
    rest, change = around(parameters)
    cost = float(rest @ rest)
    return _Place(parameters, rest, change, cost)


def _damped_step(
    place: _Place,
    unit: np.ndarray,
    damping: float,
) -> np.ndarray:
    """Where the residuals, were they straight, would be least, and less far the more it is damped.

    Args:
        place: Where the step begins.
        unit: (p,) what every parameter is taken to vary by.
        damping: What is added to every parameter's curvature, as a part of it.

    Returns:
        (p,) the step, in units.
    """
    scaled = place.change * unit[:, None]
    gram = scaled @ scaled.T  # (p, p)
    own = np.diag(gram)
    # A parameter that changes nothing stays where it is.
    least = RIDGE * own.sum()
    ridge = damping * own + least + TINY
    damped = gram + np.diag(ridge)
    slope = scaled @ place.rest
    return -np.linalg.solve(damped, slope)


def descend(
    around: Around,
    start: np.ndarray,
    steps: int,
) -> np.ndarray:
    """Parameters of least squares near `start`.

    Args:
        around: Residuals and their derivatives at parameters.
        start: (p,) where to begin.
        steps: How often `around` may be asked.

    Returns:
        (p,) the best parameters met.
    """
    size = np.abs(start)
    unit = np.maximum(size, LEAST_PARAMETER)
    first = np.array(start, dtype=np.float64)
    best = _place(around, first)
    damping = DAMPING
    longest = LONGEST_STEP
    for _ in range(steps - 1):
        step = _damped_step(best, unit, damping)
        length = float(np.linalg.norm(step))
        part = longest / max(length, TINY)
        step = step * min(1.0, part)
        there = best.parameters + unit * step
        trial = _place(around, there)
        if trial.cost < best.cost:
            left = trial.cost / best.cost
            gain = 1.0 - left
            best = trial
            damping /= EASIER
            longer = LONGER * longest
            longest = min(longer, LIMIT)
            if gain < COST_TOLERANCE:
                break
        else:
            damping *= HARDER
            too_long = min(longest, length)
            longest = SHORTER * too_long
        if length < STEP_TOLERANCE:
            break
    return best.parameters
