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
        seen = patches(hr_msi, size, scale, pixels=rows)
        seen = seen.astype(np.float64)  # (M, n, k*k)
        bands = lr_hsi.shape[2]
        pixels = lr_hsi.reshape(-1, bands)[rows]
        pixels = pixels.astype(np.float64)  # (n, C)
        self.size = size
        self.count = len(rows) * len(supports)
        if srf is not None:
            targets = [pixels @ response for response in srf]
            self.matrix = seen.reshape(-1, size * size)
            self.target = np.concatenate(targets)
        else:
            self.matrix = _without_smooth(seen, pixels, supports, constant)
            self.target = np.zeros(len(self.matrix))
        self.lost = 0.0
        equations, taps = self.matrix.shape
        if equations > ROWS_PER_TAP * taps:
            self._reduce()
        # Floor of the residual: what float32 storage of the inputs leaves.
        mean_square = np.mean(pixels**2)
        self.level = float(np.sqrt(mean_square))
        rounding = STORAGE * self.level
        self.floor = self.count * rounding**2

    def _reduce(self) -> None:
        """Turn to as many rows as columns: the same residual norms up to a constant, which is kept in `lost`."""
        # By the eigenvectors of the normal equations, several times as fast as a QR decomposition of that many rows.
        gram = self.matrix.T @ self.matrix
        values, vectors = np.linalg.eigh(gram)
        # The largest comes last.
        kept = values > ROUNDING * values[-1]
        roots = np.sqrt(values[kept])
        vectors = vectors[:, kept]
        wanted = self.matrix.T @ self.target
        target = (vectors.T @ wanted) / roots
        lost = float(self.target @ self.target - target @ target)
        self.lost = max(lost, 0.0)
        self.matrix = roots[:, None] * vectors.T
        self.target = target

    def misfit(self, psf: np.ndarray) -> np.ndarray:
        """Residual vector of a kernel."""
        seen = self.matrix @ psf.ravel()
        return np.asarray(seen - self.target)

    def around(self, kernels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residuals of a kernel, and how they change with its parameters.

        Args:
            kernels: (1 + p, k, k) the kernel and its derivatives.

        Returns:
            (N,) and (p, N).
        """
        taps = kernels.reshape(len(kernels), -1)  # (1 + p, k * k)
        seen = taps @ self.matrix.T
        return seen[0] - self.target, seen[1:]

    def energy(self, psf: np.ndarray) -> float:
        """Sum of squares that a kernel leaves."""
        rest = self.misfit(psf)
        return float(rest @ rest) + self.lost + self.floor

    def residual(self, psf: np.ndarray) -> float:
        """Root mean square per equation."""
        mean = self.energy(psf) / self.count
        return float(np.sqrt(mean))

    def criterion(self, psf: np.ndarray, freedom: float) -> float:
        """Bayesian information criterion: n log(mean square) + parameters log n."""
        count = self.count
        mean = self.energy(psf) / count
        badness = count * np.log(mean)
        complexity = freedom * np.log(count)
        return float(badness + complexity)


def _without_smooth(
    seen: np.ndarray,
    pixels: np.ndarray,
    supports: Sequence[tuple[int, int]],
    constant: bool,
) -> np.ndarray:
    """What no smooth SRF explains of what taps see, band below band.

    Args:
        seen: (M, n, k*k) HR pixels under the taps.
        pixels: (n, C) of the LR-HSI.
        supports: Per MSI band the half-open range of HSI bands it can see.
        constant: Whether a constant is projected out as well.

    Returns:
        (N, k*k).
    """
    # Mostly all bands can see the whole range: one projection serves them.
    projections: dict[tuple[int, int], ProjectedOut] = {}
    blocks = []
    for band, (low, high) in enumerate(supports):
        if (low, high) not in projections:
            visible = pixels[:, low:high]
            projections[low, high] = ProjectedOut(visible, constant=constant)
        block = projections[low, high].left_of(seen[band])
        blocks.append(block)
    return np.concatenate(blocks)
