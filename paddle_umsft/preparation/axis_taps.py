"""Kernels along the axes of a picture: where their taps fall, and the products of taps that they are sums of."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from paddle_umsft.cameras.border import Border
from paddle_umsft.cameras.spatial import seen_positions, tap_positions

# Separable terms of a kernel below this part of its largest one are left out, and one is separable whose largest tap is
# off by no more than that: 1e-4 of what is seen counts as exact.
LEAST_TERM = 1e-5


class AxisTaps:
    """Along one axis, which pixels the taps of a kernel fall on.

    Args:
        lines: (n,) LR rows (or columns) in use.
        size: Number of taps.
        scale: s.
        length: HR pixels along the axis.
        border: What lies outside.
    """

    def __init__(
        self,
        lines: np.ndarray,
        size: int,
        scale: int,
        length: int,
        border: Border,
    ) -> None:
        positions = tap_positions(size, scale, length // scale)[lines]  # (n, k)
        is_inside = (positions >= 0) & (positions < length)
        self.is_inside = is_inside.astype(np.float64)
        self.shape = (len(lines), length)
        self.seen = seen_positions(size, scale, length, border)[lines]  # (n, k)

    def matrix(self, taps: np.ndarray) -> sparse.csr_matrix:
        """(n, length) matrix that applies the taps; where the border puts two of them on one pixel, both are there."""
        count, size = self.seen.shape
        values = np.tile(taps, count)
        begins = np.arange(count + 1) * size
        return sparse.csr_matrix((values, self.seen.ravel(), begins), shape=self.shape)


def separable_terms(psf: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Row and column taps whose outer products sum to the kernel, which sums to 1."""
    down = psf.sum(axis=1)
    across = psf.sum(axis=0)
    apart = np.abs(np.outer(down, across) - psf)
    # Most kernels are separable, and need no decomposition.
    if np.max(apart) < LEAST_TERM * np.max(psf):
        return [(down, across)]
    left, strengths, right = np.linalg.svd(psf)
    kept = strengths > LEAST_TERM * strengths[0]
    row_taps = left.T[kept] * strengths[kept, None]
    return list(zip(row_taps, right[kept]))
