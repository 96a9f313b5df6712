"""What LR pixels see of an MSI through kernels of any length, and how much of what they look at lies on the picture."""

from __future__ import annotations

from typing import Optional, Union

import numpy as np

from paddle_umsft.cameras.border import Border
from paddle_umsft.cameras.psf_families import FAR
from paddle_umsft.cameras.spatial import tap_positions
from paddle_umsft.preparation.seen_rows import SeenRows

# Stacks of kernels, one for all MSI bands or one for each.
Kernels = Union[np.ndarray, list[np.ndarray]]


class SeenThrough:
    """An MSI under some LR rows, laid out for longer kernels when these come.

    Args:
        hr_msi: (H, W, M).
        scale: s.
        rows: LR rows; with all columns these are n LR pixels.
        border: What lies outside.
    """

    def __init__(
        self,
        hr_msi: np.ndarray,
        scale: int,
        rows: np.ndarray,
        border: Border,
    ) -> None:
        self.hr_msi = hr_msi
        self.scale = scale
        self.rows = rows
        self.border = border
        self._laid_out: Optional[SeenRows] = None

    def window(self, reach: int) -> int:
        """Taps of a window that reaches so many LR pixels to either side, but no further than the picture is long."""
        height, width, _ = self.hr_msi.shape
        pixels = min(reach * self.scale, height, width)
        # Its middle is that of an LR pixel: odd where that is.
        middle = self.scale % 2
        return int(2 * pixels + middle)

    def _rows_for(self, size: int) -> SeenRows:
        """The MSI under the rows, for kernels of so many taps."""
        laid_out = self._laid_out
        if laid_out is not None and laid_out.widest >= size:
            return laid_out
        # Mostly no kernel is longer than those of the families that reach furthest: laid out once.
        furthest = self.window(FAR)
        laid_out = SeenRows(
            self.hr_msi,
            self.scale,
            self.rows,
            self.border,
            widest=max(size, furthest),
        )
        self._laid_out = laid_out
        return laid_out

    def seen(self, kernels: Kernels) -> np.ndarray:
        """(q, n, M): the LR pixels of the MSI behind (q, k, k) kernels, or behind as many for every band."""
        if isinstance(kernels, np.ndarray):
            size = kernels.shape[2]
            rows = self._rows_for(size)
            return rows.through(kernels)
        bands = []
        for band, own in enumerate(kernels):
            size = own.shape[2]
            rows = self._rows_for(size)
            bands.append(rows.through(own, band))
        return np.concatenate(bands, axis=2)

    def inside(self, kernels: Kernels) -> np.ndarray:
        """(n,) share of the first kernel inside the picture; the least if there is one for every band."""
        if isinstance(kernels, np.ndarray):
            return self._share_inside(kernels[0])
        shares = []
        for own in kernels:
            share = self._share_inside(own[0])
            shares.append(share)
        least = np.min(shares, axis=0)
        return np.asarray(least)

    def _share_inside(self, psf: np.ndarray) -> np.ndarray:
        """(n,): how much of each LR pixel's PSF lies on the picture; 1 if the picture wraps around."""
        size = len(psf)
        across = self._taps_inside(1, size)
        if self.border == "wrap":
            count = len(self.rows) * len(across)
            return np.ones(count)
        every_row = self._taps_inside(0, size)
        down = every_row[self.rows]
        share = down @ psf @ across.T  # (rows, w)
        share = np.clip(share, 0.0, 1.0)
        return np.asarray(share).ravel()

    def _taps_inside(self, axis: int, size: int) -> np.ndarray:
        """(h, k) or (w, k): 1 where a tap falls on the picture, else 0."""
        length = self.hr_msi.shape[axis]
        lr_length = length // self.scale
        positions = tap_positions(size, self.scale, lr_length)
        is_inside = (positions >= 0) & (positions < length)
        return np.asarray(is_inside, dtype=np.float64)
