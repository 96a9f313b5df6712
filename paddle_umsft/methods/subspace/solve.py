"""The convex problem: coefficients that explain both images and otherwise follow a prior mean, by conjugate gradients.

Minimised over A (H, W, K), with basis E (C, K) and prior mean A0:

    a |PSF(A) - E' lr_hsi|^2  +  b |SRF(E A) - hr_msi|^2  +  sum_k t_k sum w |grad(A_k - A0_k)|^2  +  r |A - A0|^2 / v

w falls where the MSI has edges, so that spectra may change there and only there.

References:
    M. Simoes et al.: HySure. IEEE TGRS 53(6), 2015 (subspace formulation, edge-aware regulariser).
"""

from __future__ import annotations

from typing import Optional

import numpy as np

from paddle_umsft.cameras.operators import PsfOperator


def edge_weights(hr_msi: np.ndarray, edge: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the differences to the next row and the next column, 1 in flat areas.

    Args:
        hr_msi: (H, W, M).
        edge: Gradient, relative to the mean brightness, at which the weight is one half.

    Returns:
        Two (H, W, 1) float32 arrays; the last row and column, whose neighbour would wrap around, are 0.
    """
    level = edge * (float(np.mean(np.abs(hr_msi))) + 1e-12)
    weights = []
    for axis in (0, 1):
        step = np.sqrt(np.mean((np.roll(hr_msi, -1, axis=axis) - hr_msi) ** 2, axis=2, keepdims=True))
        weight = (1.0 / (1.0 + step / level)).astype(np.float32)
        np.moveaxis(weight, axis, 0)[-1] = 0.0
        weights.append(weight)
    return weights[0], weights[1]


def _gradient_energy(image: np.ndarray, weights: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Weighted Laplacian D'wD applied to (H, W, K)."""
    out = np.zeros_like(image)
    step = (image[1:] - image[:-1]) * weights[0][:-1]
    out[:-1] -= step
    out[1:] += step
    step = (image[:, 1:] - image[:, :-1]) * weights[1][:, :-1]
    out[:, :-1] -= step
    out[:, 1:] += step
    return out


class CoefficientProblem:
    """The quadratic problem above, ready to be solved.

    Args:
        operator: The PSF.
        mix: (M, K) SRF times basis.
        lr_coeffs: (h, w, K) coefficients of the LR-HSI.
        hr_msi: (H, W, M).
        prior: (H, W, K) prior mean A0.
        lr_weight: a, times s^2.
        msi_weight: b.
        smoothness: (K,) t.
        edges: Result of `edge_weights`.
        pull: (K,) r / v.
    """

    def __init__(
        self,
        operator: PsfOperator,
        mix: np.ndarray,
        lr_coeffs: np.ndarray,
        hr_msi: np.ndarray,
        prior: np.ndarray,
        *,
        lr_weight: float,
        msi_weight: float,
        smoothness: np.ndarray,
        edges: tuple[np.ndarray, np.ndarray],
        pull: np.ndarray,
    ) -> None:
        self.operator, self.prior, self.edges = operator, prior.astype(np.float32), edges
        self.lr_weight = np.float32(lr_weight * operator.scale**2)
        self.gram = (msi_weight * mix.T @ mix).astype(np.float32)
        self.smoothness, self.pull = smoothness.astype(np.float32), pull.astype(np.float32)
        misfit = lr_coeffs - operator.forward(self.prior)
        self.right = self.lr_weight * operator.adjoint(misfit)
        self.right += (hr_msi - self.prior @ mix.T.astype(np.float32)) @ (msi_weight * mix).astype(np.float32)
        # Diagonal blocks for the preconditioner; the PSF's own energy spreads over s^2 pixels.
        energy = float(lr_weight) * operator.scale**2 * float(np.sum(operator.psf**2))
        local = np.diag(energy + self.pull.astype(np.float64) + 4.0 * smoothness)
        self.inverse = np.linalg.inv(self.gram.astype(np.float64) + local).astype(np.float32)

    def apply(self, change: np.ndarray) -> np.ndarray:
        """The problem's symmetric matrix times (H, W, K)."""
        out = self.lr_weight * self.operator.adjoint(self.operator.forward(change))
        out += change @ self.gram
        out += self.pull * change
        if self.smoothness.any():
            out += self.smoothness * _gradient_energy(change, self.edges)
        return np.asarray(out)

    def solve(self, iterations: int, tolerance: float = 1e-5) -> tuple[np.ndarray, list[float]]:
        """Preconditioned conjugate gradients from the prior mean.

        Returns:
            (H, W, K) coefficients and the relative residual of each step.
        """
        change = np.zeros_like(self.prior)
        rest = self.right.copy()
        start = float(np.sqrt(np.vdot(rest, rest).real)) + 1e-30
        ahead: Optional[np.ndarray] = None
        before, curve = 1.0, []
        for _ in range(iterations):
            scaled = rest @ self.inverse
            product = float(np.vdot(rest, scaled))
            ahead = scaled if ahead is None else scaled + np.float32(product / before) * ahead
            applied = self.apply(ahead)
            length = product / max(float(np.vdot(ahead, applied)), 1e-30)
            change += np.float32(length) * ahead
            rest -= np.float32(length) * applied
            before = product
            curve.append(float(np.sqrt(np.vdot(rest, rest))) / start)
            if not np.isfinite(curve[-1]) or curve[-1] < tolerance:
                break
        return self.prior + change, curve
