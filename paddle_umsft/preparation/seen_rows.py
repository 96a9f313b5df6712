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
# Keeps what is divided by from being zero, and changes nothing that is not.
TINY = 1e-300


def common_terms(kernels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row taps that several kernels share, and the column taps that each of them has to these.

    Kernels side by side are one (k, q * k) matrix. Its left singular vectors are the row taps that all of them are made
    of, and what each has of a row tap is a row of column taps.

    Args:
        kernels: (q, k, k), each counting alike, however large it is.

    Returns:
        (r, k) row taps and (q, r, k) column taps; the sum of their outer products over r is the kernel.
    """
    size = kernels.shape[2]
    squares = np.sum(kernels**2, axis=(1, 2))
    # A derivative that is zero everywhere stays so.
    norms = np.sqrt(squares) + TINY
    alike = kernels / norms[:, None, None]
    rows_first = alike.transpose(1, 0, 2)
    side_by_side = rows_first.reshape(size, -1)  # (k, q * k)
    gram = side_by_side @ side_by_side.T  # (k, k)
    strengths, vectors = np.linalg.eigh(gram)
    # Strengths are squares of singular values, the largest comes last.
    largest = strengths[-1]
    least = LEAST_TERM**2 * largest
    is_kept = strengths > least
    kept = vectors[:, is_kept]
    row_taps = kept.T
    column_taps = row_taps @ kernels
    return row_taps, column_taps


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
        height, width, _ = hr_msi.shape
        lr_height = height // scale
        self.scale = scale
        self.widest = widest
        # LR columns, and how often TOGETHER of them are made until all are, the last time with some too many.
        self.columns = width // scale
        self.blocks = -(-self.columns // TOGETHER)
        # Every HR row once, however many LR rows see it; those that one of them sees still follow each other.
        under_all = tap_positions(widest, scale, lr_height)
        under = under_all[rows]  # (n, k)
        down = np.unique(under)
        first_taps = under[:, 0]
        self.starts = np.searchsorted(down, first_taps)
        across = self._positions_across()
        inside_down = continued(down, height, border)
        inside_across = continued(across, width, border)
        picture = hr_msi[inside_down]
        picture = picture[:, inside_across]
        # (rows, M, columns): products run over the rows and over the columns, bands lie between.
        picture = picture.transpose(0, 2, 1)
        self.picture = np.ascontiguousarray(picture, dtype=np.float64)

    def _positions_across(self) -> np.ndarray:
        """HR columns, whether they are on the picture or not, from the first tap of the first LR column on."""
        last_column = self.blocks * TOGETHER - 1
        count = last_column * self.scale + self.widest
        begin = first_tap(self.widest, self.scale)
        return np.arange(begin, begin + count)

    def through(
        self,
        kernels: np.ndarray,
        band: Optional[int] = None,
    ) -> np.ndarray:
        """What is seen through kernels.

        Args:
            kernels: (q, k, k), none longer than the widest.
            band: Of the MSI; None: all.

        Returns:
            (q, n * w, M), or one band.
        """
        count, size, _ = kernels.shape
        inset = self._inset(size)
        row_taps, column_taps = common_terms(kernels)
        narrow = self._narrowed(row_taps, inset, band)  # (r, n, M, columns of the picture)
        maps = self._column_maps(column_taps)  # (r, reach, TOGETHER * q)
        _, rows, bands, _ = narrow.shape
        # The last block may make columns that there are not.
        columns = self.blocks * TOGETHER
        seen = np.empty((count, rows, columns, bands))
        for first in range(0, columns, TOGETHER):
            end = first + TOGETHER
            # Where the first of these columns begins to look.
            left = inset + first * self.scale
            block = _columns_from(left, narrow, maps)
            seen[:, :, first:end] = block
        on_picture = seen[:, :, : self.columns]
        return on_picture.reshape(count, -1, bands)

    def _inset(self, size: int) -> int:
        """By how many HR pixels a kernel of so many taps begins later than the widest one would."""
        begin = first_tap(size, self.scale)
        widest_begin = first_tap(self.widest, self.scale)
        return begin - widest_begin

    def _narrowed(
        self,
        row_taps: np.ndarray,
        inset: int,
        band: Optional[int],
    ) -> np.ndarray:
        """(r, n, M, columns of the picture): the HR rows under every LR row through (r, k) taps."""
        picture = self.picture
        if band is not None:
            only = slice(band, band + 1)
            picture = picture[:, only]
        _, bands, columns = picture.shape
        terms, size = row_taps.shape
        # All bands' columns side by side: one product serves them.
        line = bands * columns
        rows = len(self.starts)
        narrow = np.empty((terms, rows, line))
        for row, start in enumerate(self.starts):
            first = start + inset
            end = first + size
            strip = picture[first:end].reshape(size, line)
            narrow[:, row] = row_taps @ strip
        return narrow.reshape(terms, rows, bands, columns)

    def _column_maps(self, column_taps: np.ndarray) -> np.ndarray:
        """(r, reach, TOGETHER * q): the taps of neighbouring LR columns on all HR columns that these see."""
        count, terms, size = column_taps.shape
        last = TOGETHER - 1
        reach = last * self.scale + size
        maps = np.zeros((terms, reach, TOGETHER, count))
        taps = column_taps.transpose(1, 2, 0)  # (r, k, q)
        for column in range(TOGETHER):
            left = column * self.scale
            right = left + size
            maps[:, left:right, column] = taps
        return maps.reshape(terms, reach, -1)


def _columns_from(
    left: int,
    narrow: np.ndarray,
    maps: np.ndarray,
) -> np.ndarray:
    """TOGETHER neighbouring LR columns of all LR rows, behind every kernel.

    Args:
        left: Column of the picture that the first of them begins to look at.
        narrow: (r, n, M, columns of the picture).
        maps: (r, reach, TOGETHER * q).

    Returns:
        (q, n, TOGETHER, M).
    """
    terms, rows, bands, _ = narrow.shape
    _, reach, made = maps.shape
    right = left + reach
    under = narrow[..., left:right]
    # All rows and bands one below the other: one product a term serves them.
    lines = under.reshape(terms, rows * bands, reach)
    by_term = lines @ maps
    together = np.sum(by_term, axis=0)
    kernels = made // TOGETHER
    apart = together.reshape(rows, bands, TOGETHER, kernels)
    kernels_first = apart.transpose(3, 0, 2, 1)
    return np.asarray(kernels_first)
