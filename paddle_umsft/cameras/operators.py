"""The PSF as a fast linear map between the two resolutions, for any number of channels.

Geometry as everywhere in the package: LR pixel i sees HR pixels i*s + first ... i*s + first + k - 1 with
first = (s - k) // 2, not flipped, and indices outside the image wrap around.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from paddle_umsft.errors import DataError


def first_index(size: int, scale: int) -> int:
    """Offset of a kernel's first tap relative to the first HR pixel of its LR pixel."""
    return (scale - size) // 2


def _strided_rows(taps: np.ndarray, scale: int, length: int) -> sparse.csr_matrix:
    """(length // scale, length) sparse matrix that applies a 1-D kernel with stride `scale`, circularly."""
    size = taps.size
    count = length // scale
    start = np.arange(count) * scale + first_index(size, scale)
    columns = (start[:, None] + np.arange(size)[None, :]) % length
    rows = np.repeat(np.arange(count), size)
    values = np.tile(taps, count)
    return sparse.csr_matrix((values, (rows, columns.ravel())), shape=(count, length))


class PsfOperator:
    """Blur with a PSF and keep every `scale`-th pixel; written as a short sum of separable kernels.

    A Gaussian PSF is one outer product, a rotated one a few; the singular value decomposition of the kernel finds them.

    Args:
        psf: (k, k) kernel in HR pixels.
        scale: Ratio of the resolutions.
        shape: (H, W) of the high resolution; multiples of `scale`.
        dtype: Floating type of the arithmetic.

    Raises:
        DataError: The kernel is not square or the shape is no multiple of the scale.
    """

    def __init__(self, psf: np.ndarray, scale: int, shape: tuple[int, int], dtype: type = np.float32) -> None:
        psf = np.asarray(psf, dtype=np.float64)
        if psf.ndim != 2 or psf.shape[0] != psf.shape[1]:
            raise DataError("a PSF must be a square 2-D array", where="psf", got=psf.shape)
        if shape[0] % scale or shape[1] % scale:
            raise DataError("size is no multiple of the scale", where="hr_msi", expected=f"k*{scale}", got=shape)
        self.psf, self.scale, self.shape, self.dtype = psf, scale, shape, dtype
        left, values, right = np.linalg.svd(psf)
        terms = max(1, int(np.sum(values > 1e-7 * values[0]))) if values[0] > 0 else 1
        self.row_maps: list[sparse.csr_matrix] = []
        self.column_maps: list[sparse.csr_matrix] = []
        self.row_taps = [(left[:, term] * np.sqrt(values[term])).astype(dtype) for term in range(terms)]
        for term in range(terms):
            weight = np.sqrt(values[term])
            self.row_maps.append(_strided_rows(left[:, term] * weight, scale, shape[0]).astype(dtype))
            self.column_maps.append(_strided_rows(right[term] * weight, scale, shape[1]).astype(dtype))

    @property
    def lr_shape(self) -> tuple[int, int]:
        """(h, w), the low resolution."""
        return self.shape[0] // self.scale, self.shape[1] // self.scale

    def forward(self, image: np.ndarray) -> np.ndarray:
        """(H, W, D) -> (h, w, D)."""
        depth = image.shape[2]
        height, width = self.lr_shape
        out: np.ndarray = np.zeros((height, width, depth), dtype=self.dtype)
        flat: np.ndarray = np.ascontiguousarray(image, dtype=self.dtype).reshape(self.shape[0], -1)
        for rows, columns in zip(self.row_maps, self.column_maps):
            half = (rows @ flat).reshape(height, self.shape[1], depth).transpose(1, 0, 2).reshape(self.shape[1], -1)
            out += (columns @ half).reshape(width, height, depth).transpose(1, 0, 2)
        return out

    def adjoint(self, image: np.ndarray) -> np.ndarray:
        """(h, w, D) -> (H, W, D), the transposed map."""
        depth = image.shape[2]
        height, width = self.lr_shape
        out: np.ndarray = np.zeros((self.shape[0], self.shape[1] * depth), dtype=self.dtype)
        flat: np.ndarray = np.ascontiguousarray(image.transpose(1, 0, 2), dtype=self.dtype).reshape(width, -1)
        for rows, columns in zip(self.row_maps, self.column_maps):
            half = (columns.T @ flat).reshape(self.shape[1], height, depth).transpose(1, 0, 2).reshape(height, -1)
            out += rows.T @ half
        return out.reshape(self.shape[0], self.shape[1], depth)


def patches(image: np.ndarray, size: int, scale: int) -> np.ndarray:
    """What every LR pixel's kernel sees: (H, W, M) -> (M, h*w, size*size)."""
    height, width, bands = image.shape
    offsets = np.arange(size) + first_index(size, scale)
    rows = (np.arange(height // scale)[:, None] * scale + offsets) % height
    columns = (np.arange(width // scale)[:, None] * scale + offsets) % width
    seen = image[rows[:, None, :, None], columns[None, :, None, :]]  # (h, w, size, size, M)
    return np.ascontiguousarray(seen.transpose(4, 0, 1, 2, 3)).reshape(bands, -1, size * size)
