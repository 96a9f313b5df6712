"""What the LR pixels of some rows see of an MSI through kernels of any width, several kernels at once.

Kernels that a descent compares are much alike: a kernel, and how it changes with every parameter. Their columns of taps
are mixes of the same few, so the rows of the picture are narrowed once for all of them.
"""

from __future__ import annotations

from typing import Optional

import numpy as np

from paddle_umsft.cameras.border import Border, continued
from paddle_umsft.cameras.spatial import first_tap, tap_positions

# What kernels share below this part of the largest is left out: 1e-4 of what is seen counts as exact.
LEAST_TERM = 1e-5
# LR columns that one product makes: more hold more zeros, fewer are more products.
TOGETHER = 8
TINY = 1e-300


def common_terms(kernels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row taps that several kernels share, and the column taps that each of them has to these.

    Args:
        kernels: (q, k, k), each counting alike, however large it is.

    Returns:
        (r, k) row taps and (q, r, k) column taps; the sum of their outer products over r is the kernel.
    """
    size = kernels.shape[2]
    squares = np.sum(kernels**2, axis=(1, 2))
    norms = np.sqrt(squares) + TINY
    alike = kernels / norms[:, None, None]
    side_by_side = alike.transpose(1, 0, 2).reshape(size, -1)  # (k, q * k)
    strengths, vectors = np.linalg.eigh(side_by_side @ side_by_side.T)
    # Strengths are squares of singular values, the largest comes last.
    kept = strengths > LEAST_TERM**2 * strengths[-1]
    row_taps = vectors[:, kept].T
    return row_taps, row_taps @ kernels


class SeenRows:
    """The MSI under some LR rows, continued beyond its border.

    Args:
        hr_msi: (H, W, M).
        scale: s.
        rows: (n,) LR rows.
        border: What lies outside.
        widest: Taps of the longest kernel.
    """

    def __init__(
        self,
        hr_msi: np.ndarray,
        scale: int,
        rows: np.ndarray,
        border: Border,
        widest: int,
    ) -> None:
        height, width, self.bands = hr_msi.shape
        self.scale = scale
        self.widest = widest
        self.columns = width // scale
        self.blocks = -(-self.columns // TOGETHER)
        under = tap_positions(widest, scale, height // scale)[rows]  # (n, k)
        # Every HR row once, however many LR rows see it; those that one of them sees still follow each other.
        places = np.unique(under)
        self.starts = np.searchsorted(places, under[:, 0])
        across = np.arange((self.blocks * TOGETHER - 1) * scale + widest) + first_tap(widest, scale)
        picture = hr_msi[continued(places, height, border)]
        picture = picture[:, continued(across, width, border)]
        self.picture = np.ascontiguousarray(picture.transpose(0, 2, 1), dtype=np.float64)  # (rows, M, columns)

    def through(self, kernels: np.ndarray, band: Optional[int] = None) -> np.ndarray:
        """What is seen through kernels.

        Args:
            kernels: (q, k, k), none longer than the widest.
            band: Of the MSI; None: all.

        Returns:
            (q, n * w, M), or one band.
        """
        size = kernels.shape[2]
        # By so much a kernel begins later than the widest one would.
        inset = first_tap(size, self.scale) - first_tap(self.widest, self.scale)
        row_taps, column_taps = common_terms(kernels)
        narrow = self._narrowed(row_taps, inset, band)  # (r, n * M, columns of the picture)
        maps = self._column_maps(column_taps)  # (r, seen, TOGETHER * q)
        seen = np.empty((self.blocks, narrow.shape[1], maps.shape[2]))
        for block in range(self.blocks):
            left = inset + block * TOGETHER * self.scale
            part = narrow[:, :, left : left + maps.shape[1]] @ maps
            np.sum(part, axis=0, out=seen[block])
        seen = seen.reshape(self.blocks, len(self.starts), -1, TOGETHER, len(kernels))
        seen = seen.transpose(4, 1, 0, 3, 2)  # (q, n, blocks, TOGETHER, M)
        bands = seen.shape[4]
        seen = seen.reshape(len(kernels), len(self.starts), -1, bands)
        return np.ascontiguousarray(seen[:, :, : self.columns]).reshape(len(kernels), -1, bands)

    def _narrowed(
        self,
        row_taps: np.ndarray,
        inset: int,
        band: Optional[int],
    ) -> np.ndarray:
        """(r, n * M, columns of the picture): the HR rows under every LR row through (r, k) taps."""
        picture = self.picture
        if band is not None:
            picture = picture[:, band : band + 1]
        terms, size = row_taps.shape
        wide = picture.shape[1] * picture.shape[2]
        narrow = np.empty((terms, len(self.starts), wide))
        for number, start in enumerate(self.starts):
            first = start + inset
            strip = picture[first : first + size].reshape(size, wide)
            narrow[:, number] = row_taps @ strip
        return narrow.reshape(terms, -1, picture.shape[2])

    def _column_maps(self, column_taps: np.ndarray) -> np.ndarray:
        """(r, seen, TOGETHER * q): the taps of neighbouring LR columns on all HR columns that these see."""
        count, terms, size = column_taps.shape
        seen = (TOGETHER - 1) * self.scale + size
        maps = np.zeros((terms, seen, TOGETHER, count))
        taps = column_taps.transpose(1, 2, 0)  # (r, k, q)
        for column in range(TOGETHER):
            left = column * self.scale
            maps[:, left : left + size, column] = taps
        return maps.reshape(terms, seen, -1)
