"""Conjugate gradients whose step lengths are found once and followed everywhere.

A step of conjugate gradients is local, as far as the PSF reaches, but for two numbers: how long it is and how much of
the last direction it keeps. Both are ratios of sums over the whole picture. Found on a sample of the picture and
followed by every strip of it, they make the solution of a strip that of the whole, up to what its halo cuts off: no
strip knows how many others there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paddle_umsft.methods.subspace.solve import TINY_NORM, TOLERANCE, CoefficientProblem, cached_rows


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        keep: Share of the last direction in the next one.
        length: How far along it.
    """

    keep: np.float32
    length: np.float32


def find_steps(
    problems: Sequence[CoefficientProblem],
    iterations: int,
    tolerance: float = TOLERANCE,
) -> tuple[list[Step], list[float]]:
    """Solve parts of a picture as if they were all of it.

    Args:
        problems: Of each part; of one alone, the steps are those of `CoefficientProblem.solve`.
        iterations: Largest number of steps.
        tolerance: Relative residual at which they end.

    Returns:
        The steps, and the relative residual after each.
    """
    residuals = [problem.right.copy() for problem in problems]
    directions = [np.zeros_like(problem.prior) for problem in problems]
    start = _norm(residuals) + TINY_NORM
    product_before = 1.0
    steps: list[Step] = []
    curve: list[float] = []
    for _ in range(iterations):
        scaled = [residual @ problem.inverse for problem, residual in zip(problems, residuals)]
        # The two sums over all parts: all else is a part's own.
        product = _product(residuals, scaled)
        keep = np.float32(0.0)
        if steps:
            keep = np.float32(product / product_before)
        product_before = product
        applied = []
        for place, problem in enumerate(problems):
            # In place: images are large.
            directions[place] *= keep
            directions[place] += scaled[place]
            applied.append(problem.apply(directions[place]))
        bend = _product(directions, applied)
        bend = max(bend, TINY_NORM)
        length = np.float32(product / bend)
        for residual, part in zip(residuals, applied):
            part *= length
            residual -= part
        step = Step(
            keep=keep,
            length=length,
        )
        steps.append(step)
        relative = _norm(residuals) / start
        curve.append(relative)
        if not np.isfinite(relative) or relative < tolerance:
            break
    return steps, curve


def follow(problem: CoefficientProblem, steps: Sequence[Step]) -> tuple[np.ndarray, float]:
    """Solve a part of a picture by the steps of the whole.

    Args:
        problem: Of the part with its halo.
        steps: See `find_steps`.

    Returns:
        (H, W, K) coefficients, and the relative residual that the steps leave: large where they lead astray.
    """
    change = np.zeros_like(problem.prior)
    residual = problem.right.copy()
    direction = np.zeros_like(problem.prior)
    start = _norm([residual]) + TINY_NORM
    # A strip's images do not fit into the cache: rows that do go through all that is local at one go, in place.
    blocks = cached_rows(residual)
    for step in steps:
        for some in blocks:
            scaled = residual[some] @ problem.inverse
            direction[some] *= step.keep
            direction[some] += scaled
            np.multiply(direction[some], step.length, out=scaled)
            change[some] += scaled
        applied = problem.apply(direction)
        for some in blocks:
            applied[some] *= step.length
            residual[some] -= applied[some]
    change += problem.prior
    return change, _norm([residual]) / start


def _product(these: Sequence[np.ndarray], those: Sequence[np.ndarray]) -> float:
    """Scalar product over all parts."""
    total = 0.0
    for one, other in zip(these, those):
        total += float(np.vdot(one, other))
    return total


def _norm(parts: Sequence[np.ndarray]) -> float:
    """Euclidean norm over all parts."""
    squares = _product(parts, parts)
    return float(np.sqrt(squares))
