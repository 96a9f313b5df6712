"""Least squares in a handful of parameters, by steps that are damped where they do not help (Levenberg, Marquardt)."""

from __future__ import annotations

from collections.abc import Callable

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
RIDGE = 1e-12
# The longest step at first, in what the parameters are taken to vary by; twice as long after every one that helps, up
# to a limit (a width that no longer matters would go on for ever), and a quarter of one that does not.
LONGEST_STEP = 1.0
LIMIT = 4.0
LONGER = 2.0
SHORTER = 0.25
# Change of a parameter over which a difference stands for the derivative: half of the digits are left of it.
STEP = 1e-7
TINY = 1e-300

# Parameters -> (N,) residuals and (p, N) how they change with every parameter.
Around = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def differences(make: Callable[[np.ndarray], np.ndarray], parameters: np.ndarray) -> np.ndarray:
    """(1 + p, ...): what parameters make, and its derivatives by each of them, by differences."""
    value = make(parameters)
    rows = [value]
    for number in range(len(parameters)):
        moved = np.array(parameters, dtype=np.float64)
        moved[number] += STEP
        rows.append((make(moved) - value) / STEP)
    return np.stack(rows)


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
    unit = np.maximum(np.abs(start), LEAST_PARAMETER)
    best = np.array(start, dtype=np.float64)
    rest, change = around(best)
    cost = float(rest @ rest)
    damping = DAMPING
    longest = LONGEST_STEP
    for _ in range(steps - 1):
        scaled = change * unit[:, None]
        gram = scaled @ scaled.T  # (p, p)
        own = np.diag(gram)
        # A parameter that changes nothing stays where it is.
        ridge = damping * own + RIDGE * own.sum() + TINY
        step = -np.linalg.solve(gram + np.diag(ridge), scaled @ rest)
        length = float(np.linalg.norm(step))
        step = step * min(1.0, longest / max(length, TINY))
        trial = best + unit * step
        trial_rest, trial_change = around(trial)
        trial_cost = float(trial_rest @ trial_rest)
        if trial_cost < cost:
            gain = 1.0 - trial_cost / cost
            best, rest, change, cost = trial, trial_rest, trial_change, trial_cost
            damping /= EASIER
            longest = min(LONGER * longest, LIMIT)
            if gain < COST_TOLERANCE:
                break
        else:
            damping *= HARDER
            longest = SHORTER * min(longest, length)
        if length < STEP_TOLERANCE:
            break
    return best
