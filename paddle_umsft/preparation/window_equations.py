"""How well kernels that are cut to one window explain a pair: linear equations in the taps, the picture wrapped around.

With the SRF given, the kernel p solves "MSI patches times p = SRF(LR-HSI)" best. With the SRF unknown as well, the part
of the blurred MSI that any smooth SRF could explain is projected out first (variable projection).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import numpy as np

from paddle_umsft.cameras.spatial import patches
from paddle_umsft.preparation.border_equations import STORAGE
from paddle_umsft.preparation.projection import ProjectedOut

# From this many rows per column on, a decomposition saves more in the fits than it costs.
ROWS_PER_TAP = 1.5
# Eigenvalues of the normal equations below this part of the largest are rounding: residuals are then known to 1e-7 of
# what is seen, and 3e-5 of it counts as exact.
ROUNDING = 1e-15


class WindowEquations:
    """Rows B and targets t of the linear problem B p = t for one window, with the SRF known or projected out.

    Args:
        hr_msi: (H, W, M).
        lr_hsi: (h, w, C).
        scale: s.
        size: k.
        supports: Per MSI band the half-open range of HSI bands it can see.
        srf: (M, C), or None: projected out.
        rows: Indices of the LR pixels in use.
        constant: Whether the MSI's bands may hold a constant that the HSI does not have.
    """

    def __init__(
        self,
        hr_msi: np.ndarray,
        lr_hsi: np.ndarray,
        scale: int,
        size: int,
        supports: Sequence[tuple[int, int]],
        srf: Optional[np.ndarray],
        rows: np.ndarray,
        constant: bool = False,
    ) -> None:
        seen = patches(hr_msi, size, scale, pixels=rows).astype(np.float64)  # (M, n, k*k)
        pixels = lr_hsi.reshape(-1, lr_hsi.shape[2])[rows].astype(np.float64)  # (n, C)
        self.size = size
        self.count = len(rows) * len(supports)
        blocks, targets = [], []
        projections: dict[tuple[int, int], ProjectedOut] = {}
        for band, (low, high) in enumerate(supports):
            if srf is not None:
                block = seen[band]
                target = pixels @ srf[band]
            else:
                # The least residual over all smooth SRF rows; mostly all bands can see the whole range.
                if (low, high) not in projections:
                    projections[low, high] = ProjectedOut(pixels[:, low:high], constant=constant)
                block = projections[low, high].left_of(seen[band])
                target = np.zeros(len(block))
            blocks.append(block)
            targets.append(target)
        self.matrix = np.concatenate(blocks)
        self.target = np.concatenate(targets)
        self.lost = 0.0
        if len(self.matrix) > ROWS_PER_TAP * self.matrix.shape[1]:
            self._reduce()
        # Floor of the residual: what float32 storage of the inputs leaves.
        self.level = float(np.sqrt(np.mean(pixels**2)))
        self.floor = self.count * (STORAGE * self.level) ** 2

    def _reduce(self) -> None:
        """Turn to as many rows as columns: the same residual norms up to a constant, which is kept in `lost`."""
        # By the eigenvectors of the normal equations, several times as fast as a QR decomposition of that many rows.
        values, vectors = np.linalg.eigh(self.matrix.T @ self.matrix)
        kept = values > ROUNDING * values[-1]
        roots = np.sqrt(values[kept])
        vectors = vectors[:, kept]
        target = (vectors.T @ (self.matrix.T @ self.target)) / roots
        lost = float(self.target @ self.target - target @ target)
        self.lost = max(lost, 0.0)
        self.matrix = roots[:, None] * vectors.T
        self.target = target

    def misfit(self, psf: np.ndarray) -> np.ndarray:
        """Residual vector of a kernel."""
        return np.asarray(self.matrix @ psf.ravel() - self.target)

    def around(self, kernels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residuals of a kernel, and how they change with its parameters.

        Args:
            kernels: (1 + p, k, k) the kernel and its derivatives.

        Returns:
            (N,) and (p, N).
        """
        rests = kernels.reshape(len(kernels), -1) @ self.matrix.T
        return rests[0] - self.target, rests[1:]

    def energy(self, psf: np.ndarray) -> float:
        """Sum of squares that a kernel leaves."""
        rest = self.misfit(psf)
        return float(rest @ rest) + self.lost + self.floor

    def residual(self, psf: np.ndarray) -> float:
        """Root mean square per equation."""
        return float(np.sqrt(self.energy(psf) / self.count))

    def criterion(self, psf: np.ndarray, freedom: float) -> float:
        """Bayesian information criterion: n log(mean square) + parameters log n."""
        count = self.count
        badness = count * np.log(self.energy(psf) / count)
        complexity = freedom * np.log(count)
        return float(badness + complexity)
