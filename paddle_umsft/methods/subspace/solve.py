"""The convex problem: coefficients that explain both images and otherwise follow a prior mean, by conjugate gradients.

Minimised over A (H, W, K), with basis E (C, K) and prior mean A0:

    a u |PSF(A) - E' lr_hsi|^2  +  b |SRF(E A) - hr_msi|^2  +  sum_k t_k sum w |grad(A_k - A0_k)|^2  +  r |A - A0|^2 / v

u is how far an LR pixel is to be trusted, 1 for one that sees nothing but the picture; MSI pixels have such a factor
too, where some of them were filled. w falls where the MSI has edges, so that spectra may change there and only there.

With A = A0 + X the normal equations are, in the names below,

    lr_weight PSF'(lr_trust PSF(X)) + X gram + smoothness D'wD X + pull X  =  right.

References:
    M. Simoes et al.: HySure. IEEE TGRS 53(6), 2015 (subspace formulation, edge-aware regulariser).
    J. Nocedal, S. Wright: Numerical optimization. Springer 2006 (algorithm 5.3, preconditioned conjugate gradients).
"""

from __future__ import annotations

from typing import Optional

import numpy as np

from paddle_umsft.cameras.spatial import SpatialDegradation

# The diagonal of the Laplacian in a flat area: four neighbours with weight 1.
NEIGHBOURS = 4.0
# Relative residual below which a step no longer changes the picture: what is solved for is a correction, some percent
# of it. Measured: ten times less moves no figure by 0.002 dB, and takes half as many steps again.
TOLERANCE = 5e-4
# Terms of the PSF below this part of its largest one are left out in the steps, for the same reason; what the prior
# mean leaves unexplained is told by the whole of it.
LEAST_TERM = 3e-3
# Values of an image that are differenced at a time: a quarter of a megabyte of float32, which a core's cache holds.
CACHED_VALUES = 2**16
# Keep divisions finite where an image is all zero or the problem is solved before the first step.
TINY_LEVEL = 1e-12
TINY_NORM = 1e-30


def edge_weights(
    hr_msi: np.ndarray,
    edge: float,
    brightness: Optional[float] = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the differences to the next row and the next column, 1 in flat areas.

    Args:
        hr_msi: (H, W, M).
        edge: Gradient, relative to the mean brightness, at which the weight is one half.
        brightness: Of the whole picture, where this is a window of it; None: that of these very pixels.

    Returns:
        Two (H, W, 1) float32 arrays; the last row and column, whose neighbour would wrap around, are 0.
    """
    if brightness is None:
        magnitude = np.abs(hr_msi)
        brightness = float(np.mean(magnitude))
    level = edge * (brightness + TINY_LEVEL)
    rows = _weights_along(hr_msi, axis=0, level=level)
    columns = _weights_along(hr_msi, axis=1, level=level)
    return rows, columns


def _weights_along(
    hr_msi: np.ndarray,
    *,
    axis: int,
    level: float,
) -> np.ndarray:
    """Weights (H, W, 1) of the differences along one axis; a difference of `level` gets one half."""
    following = np.roll(hr_msi, -1, axis=axis)
    difference = following - hr_msi
    energy = np.mean(difference**2, axis=2, keepdims=True)  # (H, W, 1)
    step = np.sqrt(energy) / level
    weight = 1.0 / (1.0 + step)
    weight = weight.astype(np.float32)
    lines = np.moveaxis(weight, axis, 0)  # a view with the axis first
    lines[-1] = 0.0
    return np.asarray(weight)


def cached_rows(image: np.ndarray) -> list[slice]:
    """Rows of an (H, W, K) image, so few at a time that they stay in the cache."""
    rows = max(1, CACHED_VALUES // image[0].size)
    return [slice(top, min(top + rows, len(image))) for top in range(0, len(image), rows)]


def _add_gradient_energy(
    out: np.ndarray,
    image: np.ndarray,
    weights: tuple[np.ndarray, np.ndarray],
    smoothness: np.ndarray,
    some: slice,
) -> None:
    """Add what some rows of an image have of the weighted Laplacian, smoothness D'wD image, to (H, W, K) in place."""
    row_weights, column_weights = weights
    top, bottom = some.start, some.stop
    # To the row below; the last one has none.
    below = min(bottom, len(image) - 1)
    step = image[top + 1 : below + 1] - image[top:below]
    step *= row_weights[top:below]
    step *= smoothness
    out[top:below] -= step
    out[top + 1 : below + 1] += step
    step = image[top:bottom, 1:] - image[top:bottom, :-1]
    step *= column_weights[top:bottom, :-1]
    step *= smoothness
    out[top:bottom, :-1] -= step
    out[top:bottom, 1:] += step


def _norm(image: np.ndarray) -> float:
    """Euclidean norm over all pixels and channels."""
    energy = np.vdot(image, image)
    return float(np.sqrt(energy))


def _as_channel(trust: np.ndarray) -> np.ndarray:
    """Factors per pixel (h, w) as an image of one channel: (h, w, 1) float32."""
    channel = trust[..., None]
    return channel.astype(np.float32)


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
        lr_trust: (h, w) u; None: 1.
        msi_trust: (H, W) the same for the MSI's pixels; None: 1.
    """

    def __init__(
        self,
        operator: SpatialDegradation,
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
        lr_trust: Optional[np.ndarray] = None,
        msi_trust: Optional[np.ndarray] = None,
    ) -> None:
        self.operator = operator.simpler(LEAST_TERM)
        self.prior = np.asarray(prior, dtype=np.float32)
        self.edges = edges
        if lr_trust is None:
            lr_trust = np.ones(lr_coeffs.shape[:2])
        self.lr_trust = _as_channel(lr_trust)  # (h, w, 1)
        self.msi_trust: Optional[np.ndarray] = None
        if msi_trust is not None:
            self.msi_trust = _as_channel(msi_trust)  # (H, W, 1)
        # An LR pixel stands for s^2 HR pixels: both images then weigh alike, whatever the scale.
        area = operator.scale**2
        self.lr_weight = np.float32(lr_weight * area)
        gram = msi_weight * mix.T @ mix  # (K, K)
        self.gram = gram.astype(np.float32)
        self.smoothness = smoothness.astype(np.float32)
        self.pull = pull.astype(np.float32)

        # What the prior mean leaves unexplained in both images, brought back to the coefficients.
        lr_misfit = lr_coeffs - operator.forward(self.prior)  # (h, w, K)
        self.right = self._lr_back(lr_misfit)  # (H, W, K)
        made_msi = self.prior @ mix.T.astype(np.float32)
        msi_misfit = hr_msi - made_msi  # (H, W, M)
        if self.msi_trust is not None:
            msi_misfit = msi_misfit * self.msi_trust
        back = msi_weight * mix  # (M, K)
        self.right += msi_misfit @ back.astype(np.float32)

        # The preconditioner treats every pixel alone: the (K, K) block on the diagonal, neighbours left out. The PSF's
        # own energy spreads over s^2 pixels.
        psf_energy = float(np.sum(operator.psf**2))
        seen = float(lr_weight) * area * psf_energy
        diagonal = seen + self.pull.astype(np.float64)
        diagonal = diagonal + NEIGHBOURS * smoothness
        block = self.gram.astype(np.float64)
        block = block + np.diag(diagonal)
        inverse = np.linalg.inv(block)
        self.inverse = inverse.astype(np.float32)

    def _lr_back(self, lr_coeffs: np.ndarray) -> np.ndarray:
        """Weigh (h, w, K) and take it back to the HR grid: lr_weight PSF'(lr_trust lr_coeffs), (H, W, K)."""
        # Weighed where the pixels are few.
        trusted = (self.lr_weight * self.lr_trust) * lr_coeffs
        return self.operator.adjoint(trusted)

    def apply(self, change: np.ndarray) -> np.ndarray:
        """The problem's symmetric matrix times (H, W, K)."""
        seen = self.operator.forward(change)  # (h, w, K)
        out = self._lr_back(seen)
        is_smooth = bool(self.smoothness.any())
        local = self.gram + np.diag(self.pull)  # (K, K), what a pixel adds by itself
        for some in cached_rows(change):
            here = change[some]
            if self.msi_trust is None:
                out[some] += here @ local
            else:
                out[some] += self.msi_trust[some] * (here @ self.gram)
                out[some] += self.pull * here
            if is_smooth:
                _add_gradient_energy(out, change, self.edges, self.smoothness, some)
        return out

    def solve(
        self,
        iterations: int,
        tolerance: float = TOLERANCE,
    ) -> tuple[np.ndarray, list[float]]:
        """Preconditioned conjugate gradients from the prior mean.

        Args:
            iterations: Largest number of steps.
            tolerance: Relative residual at which they end.

        Returns:
            (H, W, K) coefficients and the relative residual of each step.
        """
        change = np.zeros_like(self.prior)
        residual = self.right.copy()
        start = _norm(residual) + TINY_NORM
        direction = np.zeros_like(self.prior)
        # Images are large: their memory is asked for once.
        spare = np.empty_like(self.prior)
        product_before = 1.0
        curve: list[float] = []
        for step in range(iterations):
            scaled = np.matmul(residual, self.inverse, out=spare)
            product = float(np.vdot(residual, scaled))
            if step > 0:
                direction *= np.float32(product / product_before)
            direction += scaled
            product_before = product
            applied = self.apply(direction)
            # The step is as long as the problem's curvature along the direction allows.
            bend = float(np.vdot(direction, applied))
            bend = max(bend, TINY_NORM)
            length = np.float32(product / bend)
            change += np.multiply(direction, length, out=spare)
            applied *= length
            residual -= applied
            relative = _norm(residual) / start
            curve.append(relative)
            if not np.isfinite(relative) or relative < tolerance:
                break
        change += self.prior
        return change, curve
