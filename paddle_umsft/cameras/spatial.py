"""The spatial degradation as a known linear operator: blur with a PSF, then keep every s-th pixel."""

from __future__ import annotations

import numpy as np

from paddle_umsft.cameras.psf import first_tap
from paddle_umsft.data.checks import check_psf, check_scale
from paddle_umsft.errors import DataError


class SpatialDegradation:
    """lr[i, j] = sum over u, v of psf[u, v] * hr[i * s + first + u, j * s + first + v], every band alike.

    `first` = floor((s - k) / 2); what lies outside the image wraps around. The PSF is not flipped.

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
        self.first = first_tap(self.psf.shape[0], self.scale)
        # Taps of weight zero cost time and change nothing.
        self._taps = [(int(u), int(v)) for u, v in np.argwhere(self.psf != 0)]

    def forward(self, hr: np.ndarray) -> np.ndarray:
        """Degrades a cube.

        Args:
            hr: (H, W, C), H and W multiples of the scale. float32 stays float32, all else becomes float64.

        Returns:
            (H / s, W / s, C).

        Raises:
            DataError: Not three axes, or a size that is not a multiple of the scale.
        """
        hr = _as_float(hr, "hr")
        height, width, bands = hr.shape
        s = self.scale
        if height % s or width % s:
            expected = f"multiples of the scale {s}"
            raise DataError("image size", where="hr", expected=expected, got=f"{height}x{width}")
        h, w = height // s, width // s
        # Circular boundary: one gather, so that every tap below is a plain strided view.
        rows, cols = self._indices(h) % height, self._indices(w) % width
        padded = hr if self._is_aligned else hr[rows][:, cols]
        lr = np.zeros((h, w, bands), hr.dtype)
        term = np.empty_like(lr)
        for u, v in self._taps:
            view = padded[u : u + (h - 1) * s + 1 : s, v : v + (w - 1) * s + 1 : s]
            lr += np.multiply(view, hr.dtype.type(self.psf[u, v]), out=term)
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
        s = self.scale
        padded = np.zeros((self._indices(h).size, self._indices(w).size, bands), lr.dtype)
        for u, v in self._taps:
            padded[u : u + (h - 1) * s + 1 : s, v : v + (w - 1) * s + 1 : s] += lr * lr.dtype.type(self.psf[u, v])
        if self._is_aligned:
            return padded
        folded = _fold(padded, self.first, h * s)
        return np.asarray(_fold(folded.swapaxes(0, 1), self.first, w * s).swapaxes(0, 1))  # (H, W, C)

    @property
    def _is_aligned(self) -> bool:
        """Whether the windows tile the image exactly (k = s): then there is no boundary."""
        return bool(self.psf.shape[0] == self.scale)

    def _indices(self, count: int) -> np.ndarray:
        """HR rows (or columns), possibly outside the image, that `count` LR pixels see."""
        return self.first + np.arange((count - 1) * self.scale + self.psf.shape[0])


def _fold(padded: np.ndarray, first: int, length: int) -> np.ndarray:
    """Adds up the rows that are the same modulo `length`; row 0 of `padded` is row `first` of the image."""
    offset = first % length
    total = -(-(offset + padded.shape[0]) // length) * length
    whole = np.zeros((total, *padded.shape[1:]), padded.dtype)
    whole[offset : offset + padded.shape[0]] = padded
    return np.asarray(whole.reshape(-1, length, *padded.shape[1:]).sum(axis=0))


def _as_float(cube: np.ndarray, name: str) -> np.ndarray:
    cube = np.asarray(cube)
    if cube.ndim != 3:
        raise DataError("number of axes", where=name, expected="3 (rows, columns, bands)", got=cube.ndim)
    return cube if cube.dtype in (np.float32, np.float64) else cube.astype(np.float64)
