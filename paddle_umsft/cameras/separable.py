"""A sum of separable kernels applied to an image: along its rows, then along its columns, and added up.

One outer product of taps is a pair of sparse matrices, (h, H) for the rows and (w, W) for the columns. A Gaussian or a
box is one pair and goes fast that way. A kernel that needs several pairs, as one with rings or wings does, touches the
same pixels once for each; dense matrices, in blocks of a few LR rows with the HR rows that these see, then are faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Union

import numpy as np
from scipy import sparse

from paddle_umsft.cameras.row_by_row import MakeRows, RowByRow, as_stretch

# LR rows of a dense block: fewer make small products, more hold more zeros.
BLOCK = 8
# Dense matrices hold a zero for every HR pixel of a line that an LR pixel does not see: along lines longer than this
# they cost more than the pairs one by one, and their memory grows with the square of the length.
LONGEST_DENSE = 1024


@dataclass(frozen=True)
class Pair:
    """One outer product of taps for one size of image.

    Attributes:
        rows: (h, H) sparse: applies row taps with the stride of the scale.
        columns: (w, W) sparse: the same along a row of the image.
    """

    rows: sparse.csr_matrix
    columns: sparse.csr_matrix


def _cut(
    pairs: Sequence[Pair],
    lr_rows: np.ndarray,
    hr_rows: np.ndarray,
) -> list[Pair]:
    """The pairs between some LR rows and some HR rows; what they see of others is left out."""
    made = []
    for pair in pairs:
        pair = Pair(
            rows=pair.rows[lr_rows][:, hr_rows],
            columns=pair.columns,
        )
        made.append(pair)
    return made


def _as_lines(image: np.ndarray) -> np.ndarray:
    """(n, m, C) -> (n, m * C): the first axis is the one that a product runs along."""
    lines = np.ascontiguousarray(image)
    return lines.reshape(len(image), -1)


def _turned(lines: np.ndarray, bands: int) -> np.ndarray:
    """(n, m * C) -> (m, n * C): the next product runs along the other axis, so that one comes first."""
    count = len(lines)
    image = lines.reshape(count, -1, bands)  # (n, m, C)
    turned = image.transpose(1, 0, 2)  # (m, n, C)
    return np.asarray(turned.reshape(-1, count * bands))


def _spread(
    back: Pair,
    lines: np.ndarray,
    bands: int,
) -> np.ndarray:
    """(w, h * C) to (H, W * C) by one transposed pair."""
    half = back.columns @ lines  # (W, h * C)
    whole = back.rows @ _turned(half, bands)
    return np.asarray(whole)


def _row_by_row(pairs: Sequence[Pair]) -> RowByRow:
    return RowByRow(
        rows=[pair.rows for pair in pairs],
        columns=[pair.columns for pair in pairs],
    )


class SparsePairs:
    """The sum, pair by pair.

    Args:
        pairs: One or more.
    """

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.pairs = pairs
        self.h, self.height = pairs[0].rows.shape
        self.w, self.width = pairs[0].columns.shape
        # Transposes by rows, too: each line of what they make then is written once.
        self.back = []
        for pair in pairs:
            back = Pair(
                rows=pair.rows.T.tocsr(),
                columns=pair.columns.T.tocsr(),
            )
            self.back.append(back)

    def cut(self, lr_rows: np.ndarray, hr_rows: np.ndarray) -> SparsePairs:
        """The same between some rows only: indices of LR and of HR rows."""
        return SparsePairs(_cut(self.pairs, lr_rows, hr_rows))

    def forward(self, hr: np.ndarray) -> np.ndarray:
        """(H, W, C) -> (h, w, C)."""
        bands = hr.shape[2]
        lr = np.zeros((self.h, self.w, bands), hr.dtype)
        lines = _as_lines(hr)  # (H, W * C)
        for pair in self.pairs:
            half = pair.rows @ lines  # (h, W * C)
            half = _turned(half, bands)  # (W, h * C)
            whole = pair.columns @ half  # (w, h * C)
            whole = whole.reshape(self.w, self.h, bands)
            lr += whole.transpose(1, 0, 2)
        return lr

    def adjoint(self, lr: np.ndarray) -> np.ndarray:
        """(h, w, C) -> (H, W, C), the transpose of `forward`."""
        bands = lr.shape[2]
        lines = _turned(_as_lines(lr), bands)  # (w, h * C)
        first, *others = self.back
        hr = _spread(first, lines, bands)  # (H, W * C)
        for back in others:
            hr += _spread(back, lines, bands)
        return hr.reshape(self.height, self.width, bands)

    @cached_property
    def row_by_row(self) -> RowByRow:
        """The same for cubes whose rows are made when they are seen."""
        return _row_by_row(self.pairs)

    def forward_by_rows(
        self,
        make_rows: MakeRows,
        bands: int,
    ) -> np.ndarray:
        """`forward` of a float32 cube whose rows are made when they are seen; (h, w, C)."""
        return self.row_by_row.forward(make_rows, bands)


@dataclass(frozen=True)
class _Block:
    """A few LR lines with all HR lines that they see.

    Attributes:
        lines: Which LR lines.
        seen: (k,) indices of HR lines; a slice where they follow each other, which copies nothing.
        taps: (pairs, lines, k).
    """

    lines: slice
    seen: Union[slice, np.ndarray]
    taps: np.ndarray


def _blocks(maps: np.ndarray) -> list[_Block]:
    """Cut (pairs, n, N) matrices into blocks of n."""
    blocks = []
    for first in range(0, maps.shape[1], BLOCK):
        lines = slice(first, first + BLOCK)
        part = maps[:, lines]  # (pairs, lines, N)
        is_seen = np.any(part != 0, axis=(0, 1))
        places = np.flatnonzero(is_seen)
        block = _Block(
            lines=lines,
            seen=as_stretch(places),
            taps=np.ascontiguousarray(part[:, :, places]),
        )
        blocks.append(block)
    return blocks


class DensePairs:
    """The sum, all pairs at once; a few LR rows at a time, whose halves stay in the cache.

    Args:
        pairs: Several.
    """

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.count = len(pairs)
        self.pairs = pairs
        self.h, self.height = pairs[0].rows.shape
        self.w, self.width = pairs[0].columns.shape
        row_maps = np.stack([pair.rows.toarray() for pair in pairs])  # (pairs, h, H)
        column_maps = np.stack([pair.columns.toarray() for pair in pairs])  # (pairs, w, W)
        self.row_blocks = _blocks(row_maps)
        self.column_blocks = _blocks(column_maps)

    def cut(self, lr_rows: np.ndarray, hr_rows: np.ndarray) -> DensePairs:
        """The same between some rows only: indices of LR and of HR rows."""
        return DensePairs(_cut(self.pairs, lr_rows, hr_rows))

    def forward(self, hr: np.ndarray) -> np.ndarray:
        """(H, W, C) -> (h, w, C)."""
        bands = hr.shape[2]
        lines = _as_lines(hr)  # (H, W * C)
        lr = np.empty((self.h, self.w, bands), hr.dtype)
        for rows in self.row_blocks:
            taps = rows.taps.reshape(-1, rows.taps.shape[2])  # (pairs * n, k)
            half = taps @ lines[rows.seen]  # (pairs * n, W * C)
            half = half.reshape(self.count, -1, self.width, bands)
            # The second product runs along the columns: they come first.
            half = half.transpose(0, 2, 1, 3)  # (pairs, W, n, C)
            half = half.reshape(self.count, self.width, -1)
            narrow = np.empty((self.w, half.shape[2]), hr.dtype)
            for columns in self.column_blocks:
                both = columns.taps @ half[:, columns.seen]  # (pairs, lines, n * C)
                np.sum(both, axis=0, out=narrow[columns.lines])
            whole = narrow.reshape(self.w, -1, bands)
            lr[rows.lines] = whole.transpose(1, 0, 2)
        return lr

    def adjoint(self, lr: np.ndarray) -> np.ndarray:
        """(h, w, C) -> (H, W, C), the transpose of `forward`."""
        bands = lr.shape[2]
        hr = np.zeros((self.height, self.width * bands), lr.dtype)
        for rows in self.row_blocks:
            lines = _turned(_as_lines(lr[rows.lines]), bands)  # (w, n * C)
            half = np.zeros((self.count, self.width, lines.shape[1]), lr.dtype)
            for columns in self.column_blocks:
                back = columns.taps.swapaxes(1, 2)  # (pairs, k, lines)
                half[:, columns.seen] += back @ lines[columns.lines]
            half = half.reshape(self.count, self.width, -1, bands)
            # The second product runs along the rows: they come first.
            half = half.transpose(0, 2, 1, 3)  # (pairs, n, W, C)
            half = half.reshape(-1, self.width * bands)
            taps = rows.taps.reshape(-1, rows.taps.shape[2])  # (pairs * n, k)
            hr[rows.seen] += taps.T @ half
        return hr.reshape(self.height, self.width, bands)

    @cached_property
    def row_by_row(self) -> RowByRow:
        """The same for cubes whose rows are made when they are seen."""
        return _row_by_row(self.pairs)

    def forward_by_rows(
        self,
        make_rows: MakeRows,
        bands: int,
    ) -> np.ndarray:
        """`forward` of a float32 cube whose rows are made when they are seen; (h, w, C)."""
        return self.row_by_row.forward(make_rows, bands)


Pairs = Union[SparsePairs, DensePairs]


def as_pairs(made: list[Pair]) -> Pairs:
    """Return the kernels in the form that is faster for so many of them."""
    height = made[0].rows.shape[1]
    width = made[0].columns.shape[1]
    is_short = max(height, width) <= LONGEST_DENSE
    if len(made) > 1 and is_short:
        return DensePairs(made)
    return SparsePairs(made)
