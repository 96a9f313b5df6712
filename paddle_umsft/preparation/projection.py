"""What smooth responses could explain, projected out of equations (variable projection), by normal equations.

What is left of targets y by weighted pixels D with a penalty P below them is y - Dx with

    (D'D + P'P) x = D'y.

That takes a fraction of what an orthonormal basis of so many pixels of some hundred bands takes, and is as good: an
error of x matters by what D makes of it only, and the penalty bounds that to 1e-9 of what is seen.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Optional

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from paddle_umsft.preparation.srf_fit import curvature

# Penalties on an SRF that is projected out, relative to the level of a band: on its curvature and on itself.
PROJECTED_ROUGHNESS = 3e-4
PROJECTED_SIZE = 1e-6
# Added to a system that rounding has made indefinite, relative to its trace.
ROUNDING = 1e-13
# Supports of different widths whose penalties are kept at hand.
SUPPORTS = 16
TINY = 1e-30


@lru_cache(maxsize=SUPPORTS)
def _tie(bands: int, constant: bool) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose squares say how large and how rough a response is, and their Gram matrix; a constant costs nothing."""
    rough = PROJECTED_ROUGHNESS * curvature(bands)
    large = PROJECTED_SIZE * np.eye(bands)
    rows = np.concatenate([rough, large])
    if constant:
        rows = np.concatenate([rows, np.zeros((len(rows), 1))], axis=1)
    return rows, rows.T @ rows


def unit_penalty(bands: int, constant: bool) -> np.ndarray:
    """Rows below pixels whose bands have norm 1 that keep a response smooth; a constant beside them costs nothing.

    Args:
        bands: b.
        constant: Whether there is a constant.

    Returns:
        (2 b - 2, b), or (2 b - 2, b + 1) with a constant.
    """
    rows, _ = _tie(bands, constant)
    return rows


class ProjectedOut:
    """What no smooth response explains.

    Args:
        pixels: (n, b) LR-HSI on the support of a band.
        weights: (n,) factors on the pixels' equations; None: 1.
        constant: Whether a constant that costs nothing is projected out as well.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        weights: Optional[np.ndarray] = None,
        *,
        constant: bool = False,
    ) -> None:
        if weights is None:
            weights = np.ones(len(pixels))
        design = pixels * weights[:, None]
        bands = design.shape[1]
        if constant:
            design = np.concatenate([design, weights[:, None]], axis=1)
        rows, rows_gram = _tie(bands, constant)
        gram = design.T @ design
        level = np.sqrt(np.trace(gram[:bands, :bands]) / bands)
        self.design = design  # (n, b), or (n, b + 1) with a constant
        self.penalty = level * rows
        self.factor = _factor_of(gram + level**2 * rows_gram)

    def left_of(self, targets: np.ndarray) -> np.ndarray:
        """What is left of (n, k) weighted targets: (n + penalties, k), in the norm of the penalised problem."""
        responses = cho_solve(self.factor, self.design.T @ targets, check_finite=False)  # (b, k)
        rest = targets - self.design @ responses
        return np.concatenate([rest, -self.penalty @ responses])


def _factor_of(system: np.ndarray) -> tuple[np.ndarray, bool]:
    """The Cholesky factor of a matrix that is positive, but for rounding."""
    try:
        factor, is_lower = cho_factor(system, check_finite=False)
    except LinAlgError:
        rounding = ROUNDING * np.trace(system) + TINY
        factor, is_lower = cho_factor(system + rounding * np.eye(len(system)), check_finite=False)
    return factor, bool(is_lower)
