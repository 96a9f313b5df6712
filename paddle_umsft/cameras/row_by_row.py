"""A sum of separable kernels applied to a cube that is too large to be held: its rows are made when they are seen.

Every row is made once and narrowed at once, while it is still in the cache. For that it is cut into chunks of some
pixels. Whatever taps lie on a chunk, they are mixes of a few shapes, since a PSF is smooth: the chunk's products with
these shapes are all that is kept of it. The same then is done with the rows of one LR pixel, and a last matrix makes
from these products what they give to every LR pixel that sees them. The cost of an HR pixel does not depend on how
large the picture is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Union

import numpy as np
from scipy import sparse

# HR pixels of a chunk: fewer make small products, with more of them a chunk is seen by LR pixels far apart.
CHUNK = 64
# Shapes along a row below this part of the strongest one are left out: an error of some 1e-4 of what is seen, as
# `NEGLIGIBLE` in `spatial.py` has it, and a third of the shapes of a kernel with rings or wings.
LEAST_SHAPE = 5e-4
# The same of the rows of a strip. Windows of a picture share its columns, but find shapes of their own for their rows,
# and must see what the whole does.
LEAST_ROW_SHAPE = 1e-6

MakeRows = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class _Part:
    """What some HR pixels along one axis give to the LR pixels that see them.

    Attributes:
        lines: (n,) the LR pixels.
        taps: (pairs, n, HR pixels) dense.
        kind: Parts of one number have the same taps.
    """

    lines: np.ndarray
    taps: np.ndarray
    kind: int


def _parts(
    matrices: list[sparse.csr_matrix],
    step: int,
) -> list[_Part]:
    """Cut one axis of all pairs into stretches of HR pixels.

    Args:
        matrices: One (n, N) per pair.
        step: HR pixels of a part; the last is filled up with pixels that nothing sees.
    """
    length = matrices[0].shape[1]
    by_column = []
    for matrix in matrices:
        columns = matrix.tocsc()
        columns.sum_duplicates()
        by_column.append(columns)
    kinds: dict[bytes, int] = {}
    parts = []
    for first in range(0, length, step):
        last = min(first + step, length)
        lines, taps = _dense(by_column, first, last, step)
        kind = kinds.setdefault(taps.tobytes(), len(kinds))
        part = _Part(
            lines=lines,
            taps=taps,
            kind=kind,
        )
        parts.append(part)
    return parts


def _dense(
    matrices: list[sparse.csc_matrix],
    first: int,
    last: int,
    step: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Columns from `first` to `last` of all matrices: the (n,) rows that hold anything, (matrices, n, step) values."""
    rows = []
    stored = []
    for matrix in matrices:
        begin = matrix.indptr[first]
        end = matrix.indptr[last]
        rows.append(matrix.indices[begin:end])
        stored.append(matrix.data[begin:end])
    lines = np.unique(np.concatenate(rows))
    values = np.zeros((len(matrices), len(lines), step))
    pixels = np.arange(last - first)
    for number, matrix in enumerate(matrices):
        place = np.searchsorted(lines, rows[number])
        # How many entries every column has.
        begins = matrix.indptr[first : last + 1]
        counts = np.diff(begins)
        pixel = np.repeat(pixels, counts)
        values[number, place, pixel] = stored[number]
    return lines, values


def _shapes(parts: list[_Part], least: float) -> np.ndarray:
    """(r, step) orthonormal rows that all taps of the parts are mixes of, but for a part of the strongest one."""
    step = parts[0].taps.shape[2]
    gram = np.zeros((step, step))
    for part in parts:
        flat = part.taps.reshape(-1, step)
        gram += flat.T @ flat
    energies, vectors = np.linalg.eigh(gram)
    # Squares of strengths, the strongest comes last.
    largest = energies[-1]
    kept = energies > least**2 * largest
    shapes = vectors[:, kept]
    return np.asarray(shapes.T)


def as_stretch(lines: np.ndarray) -> Union[slice, np.ndarray]:
    """Lines by a slice where they follow each other: what it cuts out is no copy."""
    if not lines.size:
        return lines
    first = int(lines[0])
    end = int(lines[-1]) + 1
    if end - first != len(lines):
        return lines
    return slice(first, end)


def _place(
    rows: np.ndarray,
    columns: np.ndarray,
) -> tuple[Union[slice, np.ndarray], ...]:
    """Index of some rows and columns of an image."""
    down = as_stretch(rows)
    across = as_stretch(columns)
    if isinstance(down, slice) and isinstance(across, slice):
        return down, across
    return np.ix_(rows, columns)


class RowByRow:
    """The sum, ready for cubes of any number of bands.

    Args:
        rows: One (h, H) matrix per pair.
        columns: One (w, W) matrix per pair.
    """

    def __init__(
        self,
        rows: list[sparse.csr_matrix],
        columns: list[sparse.csr_matrix],
    ) -> None:
        self.h, self.height = rows[0].shape
        self.w, self.width = columns[0].shape
        self.step = max(self.height // self.h, 1)
        self.strips = _parts(rows, self.step)
        self.chunks = _parts(columns, CHUNK)
        shapes = _shapes(self.chunks, LEAST_SHAPE)
        self.shapes = shapes.astype(np.float32)  # (r, CHUNK)
        self.mixes = [chunk.taps @ shapes.T for chunk in self.chunks]  # (pairs, n, r) each
        row_shapes = _shapes(self.strips, LEAST_ROW_SHAPE)
        self.row_shapes = row_shapes.astype(np.float32)  # (q, s)
        self.row_mixes = [strip.taps @ row_shapes.T for strip in self.strips]  # (pairs, m, q) each

    def forward(self, make_rows: MakeRows, bands: int) -> np.ndarray:
        """(h, w, C) float32 of the cube whose rows are made."""
        lr = np.zeros((self.h, self.w, bands), np.float32)
        chunks = len(self.chunks)
        shapes = len(self.shapes)
        narrow = np.zeros((chunks, self.step, shapes, bands), np.float32)
        # Most strips are of one kind, and lie side by side.
        gathers: dict[int, np.ndarray] = {}
        kind = -1
        for number, strip in enumerate(self.strips):
            if not strip.lines.size:
                # What fills an image up to whole LR pixels is seen by none.
                continue
            if strip.kind != kind:
                gathers = {}
                kind = strip.kind
            top = number * self.step
            bottom = min(top + self.step, self.height)
            for row in range(top, bottom):
                index = np.array([row])
                line = make_rows(index)[0]  # (W, C)
                self._narrow(line, narrow[:, row - top])
            for chunk, mixes, products in zip(self.chunks, self.mixes, narrow):
                if not chunk.lines.size:
                    continue
                if chunk.kind not in gathers:
                    gathers[chunk.kind] = _gather(self.row_mixes[number], mixes)
                gather = gathers[chunk.kind]  # (m * n, q * r)
                products = products.reshape(self.step, -1)  # (s, r * C)
                fewer = self.row_shapes @ products  # (q, r * C)
                given = gather @ fewer.reshape(-1, bands)  # (m * n, C)
                place = _place(strip.lines, chunk.lines)
                lr[place] += given.reshape(len(strip.lines), -1, bands)
        return lr

    def _narrow(self, line: np.ndarray, out: np.ndarray) -> None:
        """Products of (W, C) with the shapes, chunk by chunk: (chunks, r, C)."""
        bands = line.shape[1]
        whole = self.width // CHUNK
        end = whole * CHUNK
        chunks = line[:end].reshape(whole, CHUNK, bands)
        np.matmul(self.shapes, chunks, out=out[:whole])
        rest = line[end:]
        if len(rest):
            shapes = self.shapes[:, : len(rest)]
            np.matmul(shapes, rest, out=out[whole])


def _gather(row_mixes: np.ndarray, mixes: np.ndarray) -> np.ndarray:
    """From the products with shapes of rows and of columns to LR pixels; the pairs are added up.

    Args:
        row_mixes: (pairs, m, q).
        mixes: (pairs, n, r).

    Returns:
        (m * n, q * r) float32.
    """
    pairs, m, q = row_mixes.shape
    _, n, r = mixes.shape
    down = row_mixes.reshape(pairs, -1)  # (pairs, m * q)
    across = mixes.reshape(pairs, -1)  # (pairs, n * r)
    together = down.T @ across  # (m * q, n * r)
    ordered = together.reshape(m, q, n, r)
    ordered = ordered.swapaxes(1, 2)  # (m, n, q, r)
    gather = ordered.reshape(m * n, q * r)
    return np.asarray(gather, dtype=np.float32)
