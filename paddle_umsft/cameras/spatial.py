"""The spatial degradation as a known linear operator: blur with a PSF, then keep every s-th pixel.

One geometry for the whole package: LR pixel i sees the k HR pixels that start at i*s + `first_tap`; the PSF is not
flipped; what lies outside the image is taken from where `wrapped` says.
"""

from __future__ import annotations

from collections.abc import Callable

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


def seen_positions(size: int, scale: int, length: int) -> np.ndarray:
    """The HR rows (or columns) that every LR row (or column) sees.

    Args:
        size: k, length of the PSF.
        scale: s.
        length: H or W.

    Returns:
        (length / scale, size) indices within [0, length).
    """
    first_pixels = np.arange(length // scale) * scale
    windows = first_pixels[:, None] + first_tap(size, scale) + np.arange(size)[None, :]
    return wrapped(windows, length)


def patches(image: np.ndarray, size: int, scale: int) -> np.ndarray:
    """What every LR pixel's PSF sees: (H, W, M) -> (M, h*w, size*size)."""
    height, width, bands = image.shape
    rows = seen_positions(size, scale, height)  # (h, k)
    columns = seen_positions(size, scale, width)  # (w, k)
    seen = image[rows[:, None, :, None], columns[None, :, None, :]]  # (h, w, k, k, M)
    ordered = np.ascontiguousarray(seen.transpose(4, 0, 1, 2, 3))  # (M, h, w, k, k)
    return ordered.reshape(bands, -1, size * size)


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
        left, self._strengths, right = np.linalg.svd(self.psf)
        weights = np.sqrt(self._strengths)
        self._row_taps = left.T * weights[:, None]  # (k, k): term, tap
        self._column_taps = right * weights[:, None]
        self._maps: dict[tuple[str, int, np.dtype], list[sparse.csr_matrix]] = {}

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
        check_tiling((height, width), self.scale, where="hr")
        h, w = height // self.scale, width // self.scale
        lr = np.zeros((h, w, bands), hr.dtype)
        flat = np.ascontiguousarray(hr).reshape(height, width * bands)
        for rows, columns in zip(self._row_maps(height, hr.dtype), self._column_maps(width, hr.dtype)):
            half = (rows @ flat).reshape(h, width, bands)
            half = half.transpose(1, 0, 2).reshape(width, h * bands)  # columns first, for the second product
            lr += (columns @ half).reshape(w, h, bands).transpose(1, 0, 2)
        return lr  # (h, w, C)

    def forward_by_rows(self, make_rows: Callable[[np.ndarray], np.ndarray], shape: tuple[int, int, int]) -> np.ndarray:
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
        check_tiling((height, width), self.scale, where="hr")
        size = self.psf.shape[0]
        dtype = np.dtype(np.float32)
        columns_of_terms = self._column_maps(width, dtype)
        row_taps = self._row_taps[: len(columns_of_terms)].astype(dtype)
        lr = np.zeros((height // self.scale, width // self.scale, bands), dtype)
        for row, seen in enumerate(seen_positions(size, self.scale, height)):
            strip = make_rows(seen).reshape(size, width * bands)
            for taps, columns in zip(row_taps, columns_of_terms):
                line = (taps @ strip).reshape(width, bands)
                lr[row] += columns @ line
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
        height, width = h * self.scale, w * self.scale
        hr = np.zeros((height, width * bands), lr.dtype)
        flat = np.ascontiguousarray(lr.transpose(1, 0, 2)).reshape(w, h * bands)
        for rows, columns in zip(self._row_maps(height, lr.dtype), self._column_maps(width, lr.dtype)):
            half = (columns.T @ flat).reshape(width, h, bands)
            half = half.transpose(1, 0, 2).reshape(h, width * bands)  # rows first, for the second product
            hr += rows.T @ half
        return hr.reshape(height, width, bands)  # (H, W, C)

    def _row_maps(self, height: int, dtype: np.dtype) -> list[sparse.csr_matrix]:
        return self._maps_of("rows", self._row_taps, height, dtype)

    def _column_maps(self, width: int, dtype: np.dtype) -> list[sparse.csr_matrix]:
        return self._maps_of("columns", self._column_taps, width, dtype)

    def _maps_of(self, axis: str, taps: np.ndarray, length: int, dtype: np.dtype) -> list[sparse.csr_matrix]:
        """One (length / s, length) matrix per separable term, made once for every length and type that is asked for."""
        key = (axis, length, dtype)
        if key not in self._maps:
            kept = self._strengths > NEGLIGIBLE[dtype] * self._strengths[0]
            self._maps[key] = [self._strided(line, length).astype(dtype) for line in taps[kept]]
        return self._maps[key]

    def _strided(self, taps: np.ndarray, length: int) -> sparse.csr_matrix:
        """(length / s, length) matrix that applies k taps to every window; where a window meets itself they add up."""
        size = taps.size
        columns = seen_positions(size, self.scale, length)  # (length / s, k)
        count = len(columns)
        rows = np.repeat(np.arange(count), size)
        values = np.tile(taps, count)
        return sparse.csr_matrix((values, (rows, columns.ravel())), shape=(count, length))


def _as_float(cube: np.ndarray, name: str) -> np.ndarray:
    cube = np.asarray(cube)
    check_axes(cube, name)
    if cube.dtype in (np.float32, np.float64):
        return cube
    return cube.astype(np.float64)
