"""How much less is known of what lies beyond a picture than of the picture, and what equations say with that.

See `border_equations.py`: an LR pixel that sees a share of 1 - inside of things beyond the picture has an equation of
variance noise^2 * (1 + (doubt * (1 - inside))^2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Optional

import numpy as np

# How much worse than the noise the continued picture may be.
DOUBTS = (0.0, *np.logspace(0.0, 4.0, 9))
# An LR pixel with no more than this share outside sees nothing of it: rounding of the sums.
WHOLE = 1e-9


def variance_ratio(inside: np.ndarray, doubt: float) -> np.ndarray:
    """v / noise^2 of LR pixels that lie partly outside the picture."""
    outside = 1.0 - inside
    error = doubt * outside
    return np.asarray(1.0 + error**2)


def sees_nothing_outside(inside: np.ndarray) -> np.ndarray:
    """Whether LR pixels see the picture alone, by their share inside."""
    return np.asarray(inside > 1.0 - WHOLE)


def doubts_to_try(inside: np.ndarray) -> Sequence[float]:
    """The doubts that make a difference for LR pixels of these shares inside."""
    if np.all(sees_nothing_outside(inside)):
        return DOUBTS[:1]
    return DOUBTS


def criterion(
    energy: float,
    *,
    contrast: float,
    variance: np.ndarray,
    bands: int,
    parameters: float,
) -> float:
    """Bayesian information criterion of equations of different variances.

    Args:
        energy: Sum of the residuals' squares, each over its v / noise^2.
        contrast: What residuals are parts of.
        variance: (n,) v / noise^2 of the LR pixels that count.
        bands: M; every LR pixel has an equation for each.
        parameters: That were fitted.
    """
    count = len(variance) * bands
    mean = energy / count
    badness = count * np.log(mean / contrast**2)
    log_variance = np.log(variance)
    volume = bands * float(np.sum(log_variance))
    complexity = parameters * np.log(count)
    return float(badness + volume + complexity)


def left_under(
    doubts: Sequence[float],
    explaining: np.ndarray,
    wanted: np.ndarray,
    inside: np.ndarray,
    trusted: np.ndarray,
    penalty: Optional[Callable[[np.ndarray], np.ndarray]] = None,
) -> np.ndarray:
    """What is left of MSI bands that are explained by least squares, under every doubt.

    The triangle of a QR decomposition has it at its lower end. LR pixels that see nothing beyond the picture weigh the
    same whatever the doubt: they are brought to a triangle once.

    Args:
        doubts: d of them.
        explaining: (n, b) what explains; b may be 0.
        wanted: (n, q) the bands.
        inside: (n,) how much of each LR pixel's PSF lies on the picture.
        trusted: (n,) LR pixels that count.
        penalty: Makes (p, b) rows below the equations, of (n,) factors on these.

    Returns:
        (d,) sums of squares.
    """
    count = explaining.shape[1]
    columns = np.concatenate([explaining, wanted], axis=1)
    is_whole = trusted & sees_nothing_outside(inside)
    is_edge = trusted & ~is_whole
    whole = _triangle([columns[is_whole]])
    edge = columns[is_edge]
    energies = []
    for doubt in doubts:
        variance = variance_ratio(inside, doubt)
        roots = 1.0 / np.sqrt(variance)
        edge_roots = roots[is_edge]
        parts = [whole, edge * edge_roots[:, None]]
        if penalty is not None:
            rows = penalty(trusted * roots)
            # They ask nothing of the bands.
            nothing = np.zeros((len(rows), wanted.shape[1]))
            parts.append(np.concatenate([rows, nothing], axis=1))
        triangle = _triangle(parts)
        left = triangle[count:, count:]
        energies.append(np.sum(left**2))
    return np.array(energies)


def _triangle(rows: list[np.ndarray]) -> np.ndarray:
    """R of the QR decomposition of rows one below the other: it has the same norms and angles between columns."""
    matrix = np.concatenate(rows)
    triangle = np.linalg.qr(matrix, mode="r")
    return np.asarray(triangle)
