"""The spatial degradation as a known linear operator: blur with a PSF, then keep every s-th pixel.

One geometry for the whole package: LR pixel i sees the k HR pixels that start at i*s + `first_tap`; the PSF is not
flipped; what lies outside the image is taken from where `wrapped` says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from paddle_umsft.data.checks import check_axes, check_psf, check_scale, check_tiling

# Singular values of a PSF below this share of the largest are left out: half a rounding step of the arithmetic in
# float32, and what the decomposition itself leaves of an exactly separable PSF in float64.
NEGLIGIBLE = {np.dtype(np.float32): 1e-7, np.dtype(np.float64): 1e-14}


def first_tap(size: int, scale: int) -> int:
    """HR offset of a PSF's first tap from the first HR pixel of its LR pixel: floor((scale - size) / 2)."""
    return (scale - size) // 2


def wrapped(positions: np.ndarray, length: int) -> np.ndarray:
    """The border: which of `length` HR rows (or columns) stands in for a position outside; the image repeats itself."""
    return positions % length


def seen_positions(
    size: int,
    scale: int,
    length: int,
) -> np.ndarray:
    """The HR rows (or columns) that every LR row (or column) sees.

    Args:
        size: k, length of the PSF.
        scale: s.
        length: H or W.

    Returns:
        (length / scale, size) indices within [0, length).
    """
    first_pixels = np.arange(length // scale) * scale
    windows_start = first_pixels + first_tap(size, scale)
    windows = windows_start[:, None] + np.arange(size)[None, :]  # (length / scale, size)
    return wrapped(windows, length)


def patches(
    image: np.ndarray,
    size: int,
    scale: int,
) -> np.ndarray:
    """What every LR pixel's PSF sees: (H, W, M) -> (M, h*w, size*size)."""
    height, width, bands = image.shape
    rows = seen_positions(size, scale, height)  # (h, k)
    columns = seen_positions(size, scale, width)  # (w, k)
    seen = image[rows[:, None, :, None], columns[None, :, None, :]]  # (h, w, k, k, M)
    ordered = np.ascontiguousarray(seen.transpose(4, 0, 1, 2, 3))  # (M, h, w, k, k)
    return ordered.reshape(bands, -1, size * size)


@dataclass(frozen=True)
class _Term:
    """One outer product of taps, as which a PSF acts on rows and columns apart, for one size of image.

    Attributes:
        row_taps: (k,) taps along a column of the image.
        rows: (h, H) sparse: applies them with the stride of the scale.
        columns: (w, W) sparse: the same along a row of the image.
    """

    row_taps: np.ndarray
    rows: sparse.csr_matrix
    columns: sparse.csr_matrix


class SpatialDegradation:
    """lr[i, j] = sum over u, v of psf[u, v] * hr[i * s + first + u, j * s + first + v], every band alike.

    It is applied as a short sum of separable kernels, which the singular value decomposition of the PSF finds: a
    Gaussian or a box is one, a rotated Gaussian a few. Each is two sparse matrices, one for rows and one for columns.

    Args:
        psf: (k, k), used as it is.
        scale: s, whole number >= 1.

    Raises:
        ConfigError: Scale not a whole number >= 1.
        DataError: PSF not square, not finite or all zero.
    """

    def __init__(self, psf: np.ndarray, scale: int) -> None:
        self.scale = check_scale(scale, minimum=1)
        self.psf = check_psf(psf, where="psf", signed=True)
        left, strengths, right = np.linalg.svd(self.psf)
        weights = np.sqrt(strengths)
        self._strengths = strengths
        self._row_taps = left.T * weights[:, None]  # (k, k): term, tap
        self._column_taps = right * weights[:, None]  # (k, k): term, tap
        self._made: dict[tuple[int, int, np.dtype], list[_Term]] = {}

    def forward(self, hr: np.ndarray) -> np.ndarray:
        """Degrade a cube.

        Args:
            hr: (H, W, C), H and W multiples of the scale. float32 stays float32, all else becomes float64.

        Returns:
            (H / s, W / s, C).

        Raises:
            DataError: Not three axes, or a size that is not a multiple of the scale.
        """
        hr = _as_float(hr, "hr")
        height, width, bands = hr.shape
        terms = self._terms(height, width, hr.dtype)
        h = height // self.scale
        w = width // self.scale
        lr = np.zeros((h, w, bands), hr.dtype)
        flat = np.ascontiguousarray(hr).reshape(height, width * bands)
        for term in terms:
            half = term.rows @ flat
            half = half.reshape(h, width, bands)
            # The second product runs along the columns: they come first.
            half = half.transpose(1, 0, 2).reshape(width, h * bands)
            whole = term.columns @ half
            whole = whole.reshape(w, h, bands)
            lr += whole.transpose(1, 0, 2)
        return lr  # (h, w, C)

    def forward_by_rows(
        self,
        make_rows: Callable[[np.ndarray], np.ndarray],
        shape: tuple[int, int, int],
    ) -> np.ndarray:
        """Degrade a float32 cube that is too large to be held: its rows are made when they are seen.

        Args:
            make_rows: Indices of n HR rows -> these rows, (n, W, C) float32.
            shape: (H, W, C).

        Returns:
            (H / s, W / s, C) float32.

        Raises:
            DataError: A size that is not a multiple of the scale.
        """
        height, width, bands = shape
        size = self.psf.shape[0]
        terms = self._terms(height, width, np.dtype(np.float32))
        h = height // self.scale
        w = width // self.scale
        lr = np.zeros((h, w, bands), np.float32)
        for row, seen in enumerate(seen_positions(size, self.scale, height)):
            strip = make_rows(seen)
            strip = strip.reshape(size, width * bands)
            for term in terms:
                line = term.row_taps @ strip
                line = line.reshape(width, bands)
                lr[row] += term.columns @ line
        return lr  # (h, w, C)

    def adjoint(self, lr: np.ndarray) -> np.ndarray:
        """The transpose of `forward`: <forward(x), y> = <x, adjoint(y)>.

        Args:
            lr: (h, w, C).

        Returns:
            (h * s, w * s, C).

        Raises:
            DataError: Not three axes.
        """
        lr = _as_float(lr, "lr")
        h, w, bands = lr.shape
        height = h * self.scale
        width = w * self.scale
        terms = self._terms(height, width, lr.dtype)
        hr = np.zeros((height, width * bands), lr.dtype)
        flat = np.ascontiguousarray(lr.transpose(1, 0, 2)).reshape(w, h * bands)
        for term in terms:
            half = term.columns.T @ flat
            half = half.reshape(width, h, bands)
            # The second product runs along the rows: they come first.
            half = half.transpose(1, 0, 2).reshape(h, width * bands)
            hr += term.rows.T @ half
        return hr.reshape(height, width, bands)  # (H, W, C)

    def _terms(
        self,
        height: int,
        width: int,
        dtype: np.dtype,
    ) -> list[_Term]:
        """The separable terms, made once for every size and type of image that is asked for."""
        check_tiling((height, width), self.scale, where="hr")
        key = (height, width, dtype)
        if key not in self._made:
            terms = []
            kept = self._strengths > NEGLIGIBLE[dtype] * self._strengths[0]
            for row_taps, column_taps in zip(self._row_taps[kept], self._column_taps[kept]):
                term = _Term(
                    row_taps=row_taps.astype(dtype),
                    rows=self._strided(row_taps, height).astype(dtype),
                    columns=self._strided(column_taps, width).astype(dtype),
                )
                terms.append(term)
            self._made[key] = terms
        return self._made[key]

    def _strided(self, taps: np.ndarray, length: int) -> sparse.csr_matrix:
        """(length / s, length) matrix that applies k taps to every window; where a window meets itself they add up."""
        size = taps.size
        columns = seen_positions(size, self.scale, length)  # (length / s, k)
        count = len(columns)
        rows = np.repeat(np.arange(count), size)
        values = np.tile(taps, count)
        places = (rows, columns.ravel())
        return sparse.csr_matrix((values, places), shape=(count, length))


def _as_float(cube: np.ndarray, name: str) -> np.ndarray:
    cube = np.asarray(cube)
    check_axes(cube, name)
    if cube.dtype in (np.float32, np.float64):
        return cube
    return cube.astype(np.float64)
