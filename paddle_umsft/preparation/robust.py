"""Fits that a few wild pixels do not lead astray: a robust scale, weighted least squares, the majority's fit."""

from __future__ import annotations

import numpy as np

# A robust scale ignores what is further off than about this many times itself.
BOUND = 3.0
# The median of |x| times this is the standard deviation of a Gaussian x; and what bounding at 3 of them takes off.
MEDIAN_TO_DEVIATION = 1.4826
BOUNDED = 1.006
# The scale stays within this many times what the median says.
MOST_OF_MEDIAN = 2.0
SCALE_ROUNDS = 5
# Random starts, and concentration steps of each, on so many pixels at most.
STARTS = 20
STEPS = 4
FEW = 1000
# Share of the pixels that makes a majority, and rows beyond the unknowns that a start takes at least.
MAJORITY = 0.6
SPARE = 2
# Singular values below this share of the largest are rounding.
RANK_TOLERANCE = 1e-9
# The same of a Gram matrix's eigenvalues, which are squares, but not better than float64.
GRAM_TOLERANCE = 1e-14
TINY = 1e-30
TINY_NORM = 1e-300


def robust_scale(values: np.ndarray) -> np.ndarray:
    """(M,) scale of (n, M) residuals: root mean square of what lies within `BOUND` scales, begun at the median."""
    # Bands first: sums along many neighbours are several times as fast as sums of few beside each other.
    magnitude = np.ascontiguousarray(np.abs(values).T)  # (M, n)
    by_median = MEDIAN_TO_DEVIATION * np.median(magnitude, axis=1) + TINY
    scale = by_median
    for _ in range(SCALE_ROUNDS):
        bounded = np.minimum(magnitude, BOUND * scale[:, None])
        power = np.mean(bounded**2, axis=1)
        scale = BOUNDED * np.sqrt(power) + TINY
        scale = np.minimum(scale, MOST_OF_MEDIAN * by_median)
    return np.asarray(scale)


def weighted_fit(
    design: np.ndarray,
    target: np.ndarray,
    weights: np.ndarray,
) -> np.ndarray:
    """(q, M) factors of least squares.

    Args:
        design: (n, q).
        target: (n, M).
        weights: (n,).
    """
    root = np.sqrt(weights)[:, None]
    scaled = design * root
    energy = np.sum(scaled**2, axis=0)
    norms = np.sqrt(energy) + TINY_NORM  # columns of one size, so that the tolerance means the same for all
    columns = scaled / norms
    # Rows are many and columns few, and these leading directions: near enough to orthogonal for normal equations.
    values, vectors = np.linalg.eigh(columns.T @ columns)
    kept = values > GRAM_TOLERANCE * values[-1]
    vectors = vectors[:, kept]
    along = vectors.T @ (columns.T @ (target * root)) / values[kept][:, None]
    factors = vectors @ along
    return np.asarray(factors / norms[:, None])


def _distance(
    design: np.ndarray,
    target: np.ndarray,
    spread: np.ndarray,
    chosen: np.ndarray,
) -> np.ndarray:
    """(n,) how far all rows are off the fit to the chosen ones, in the worst band."""
    factors, *_ = np.linalg.lstsq(design[chosen], target[chosen], rcond=RANK_TOLERANCE)
    rest = target - design @ factors
    return np.asarray(np.max(np.abs(rest) / spread, axis=1))


def _nearest(distance: np.ndarray, count: int) -> np.ndarray:
    """Indices of the rows that are off least."""
    return np.asarray(np.argpartition(distance, count - 1)[:count])


def majority_of(
    design: np.ndarray,
    target: np.ndarray,
    seed: int = 0,
) -> np.ndarray:
    """Rows that agree with each other best, by least trimmed squares.

    Args:
        design: (n, q).
        target: (n, M).
        seed: Of the random starts.

    Returns:
        Indices of more than half of the rows.

    References:
        P. Rousseeuw, K. Van Driessen: Computing LTS regression for large data sets. Data Mining and Knowledge
        Discovery 12, 2006 (random starts and concentration steps).
    """
    rng = np.random.default_rng(seed)
    total, depth = design.shape
    spread = target.std(axis=0) + TINY
    few = np.arange(total)
    if total > FEW:
        few = np.sort(rng.choice(total, FEW, replace=False))
    some_design, some_target = design[few], target[few]
    count = len(few)
    at_least = min(count, depth + SPARE)
    half = max(int(MAJORITY * count), at_least)
    best = np.arange(count)
    least = np.inf
    for _ in range(STARTS):
        chosen = rng.choice(count, at_least, replace=False)
        distance = np.zeros(count)
        # Each step takes the rows nearest to the fit of the last ones: their loss can only fall.
        for _ in range(STEPS):
            distance = _distance(some_design, some_target, spread, chosen)
            chosen = _nearest(distance, half)
        loss = float(np.sum(distance[chosen] ** 2))
        if loss < least:
            best = chosen
            least = loss
    distance = _distance(design, target, spread, few[best])
    most = max(int(MAJORITY * total), min(total, depth + SPARE))
    return _nearest(distance, most)
