"""The spatial degradation as a known linear operator: blur with a PSF, then keep every s-th pixel.

One geometry for the whole package: LR pixel i sees the k HR pixels that start at i*s + `first_tap`; the PSF is not
flipped; what lies outside the image is taken from where the border says, see `border.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Optional

import numpy as np
from scipy import sparse

from paddle_umsft.cameras.border import Border, continued
from paddle_umsft.cameras.resize import bicubic_upsample
from paddle_umsft.cameras.separable import Pair, Pairs, as_pairs
from paddle_umsft.cameras.taps import taps_matrix
from paddle_umsft.data.checks import check_axes, check_psf, check_scale, check_tiling

# Singular values of a PSF below this share of the largest are left out. In float64, which simulations use: what the
# decomposition itself leaves of an exactly separable PSF. In float32, which methods use: an error of some 1e-4 of what
# is seen, well below that of any estimated PSF; a PSF with tails needs half as many terms as it does for rounding.
NEGLIGIBLE = {np.dtype(np.float32): 1e-4, np.dtype(np.float64): 1e-14}


def first_tap(size: int, scale: int) -> int:
    """HR offset of a PSF's first tap from the first HR pixel of its LR pixel: floor((scale - size) / 2)."""
    return (scale - size) // 2


def tap_positions(
    size: int,
    scale: int,
    count: int,
) -> np.ndarray:
    """The HR rows (or columns) under the taps of every LR row (or column), whether they are on the picture or not.

    Args:
        size: k, length of the PSF.
        scale: s.
        count: h or w.

    Returns:
        (count, size) whole numbers.
    """
    first_pixels = np.arange(count) * scale
    starts = first_pixels + first_tap(size, scale)  # (count,)
    taps = np.arange(size)
    return np.add.outer(starts, taps)


def seen_positions(
    size: int,
    scale: int,
    length: int,
    border: Border = "wrap",
) -> np.ndarray:
    """The HR rows (or columns) that every LR row (or column) sees.

    Args:
        size: k, length of the PSF.
        scale: s.
        length: H or W.
        border: What lies outside.

    Returns:
        (length / scale, size) indices within [0, length).
    """
    positions = tap_positions(size, scale, length // scale)
    return continued(positions, length, border)


def whole_lines(
    size: int,
    scale: int,
    count: int,
) -> tuple[int, int]:
    """Return the half-open range of LR rows (or columns) that see nothing beyond the picture.

    Args:
        size: k, length of the PSF.
        scale: s.
        count: h or w.
    """
    positions = tap_positions(size, scale, count)  # (count, k)
    starts_inside = positions[:, 0] >= 0
    ends_inside = positions[:, -1] < count * scale
    whole = np.flatnonzero(starts_inside & ends_inside)
    if not whole.size:
        return 0, 0
    first = int(whole[0])
    last = int(whole[-1])
    return first, last + 1


def patches(
    image: np.ndarray,
    size: int,
    scale: int,
    border: Border = "wrap",
    pixels: Optional[np.ndarray] = None,
) -> np.ndarray:
    """What the PSFs of LR pixels see.

    Args:
        image: (H, W, M).
        size: k, length of the PSF.
        scale: s.
        border: What lies outside.
        pixels: (n,) indices of the LR pixels, counted row by row; None: all.

    Returns:
        (M, n, k * k).
    """
    height, width, bands = image.shape
    rows = seen_positions(size, scale, height, border)  # (h, k)
    columns = seen_positions(size, scale, width, border)  # (w, k)
    if pixels is None:
        pixels = np.arange(len(rows) * len(columns))
    row, column = np.divmod(pixels, len(columns))
    down = rows[row][:, :, None]  # (n, k, 1)
    across = columns[column][:, None, :]  # (n, 1, k)
    seen = image[down, across]  # (n, k, k, M)
    ordered = np.moveaxis(seen, -1, 0)
    ordered = np.ascontiguousarray(ordered)  # (M, n, k, k)
    return ordered.reshape(bands, -1, size * size)


class SpatialDegradation:
    """lr[i, j] = sum over u, v of psf[u, v] * hr[i * s + first + u, j * s + first + v], every band alike.

    It is applied as a short sum of separable kernels, which the singular value decomposition of the PSF finds: a
    Gaussian or a box is one, a rotated Gaussian a few, one with rings about ten. See `separable.py`.

    Args:
        psf: (k, k), used as it is.
        scale: s, whole number >= 1.
        border: What lies outside the image.

    Raises:
        ConfigError: Scale not a whole number >= 1.
        DataError: PSF not square, not finite or all zero.
    """

    def __init__(
        self,
        psf: np.ndarray,
        scale: int,
        border: Border = "wrap",
    ) -> None:
        self.scale = check_scale(scale, minimum=1)
        self.border = border
        self.psf = check_psf(psf, where="psf", signed=True)
        left, strengths, right = np.linalg.svd(self.psf)
        # Half of a term's strength for its rows, half for its columns.
        weights = np.sqrt(strengths)[:, None]
        self._strengths = strengths
        self._row_taps = left.T * weights  # (k, k): term, tap
        self._column_taps = right * weights  # (k, k): term, tap
        self._made: dict[tuple[int, int, np.dtype], Pairs] = {}

    def with_psf(self, psf: np.ndarray) -> SpatialDegradation:
        """The same grids and border behind another PSF."""
        return SpatialDegradation(psf, self.scale, self.border)

    def simpler(self, least: float) -> SpatialDegradation:
        """The same without the PSF's separable terms below a part of its largest one: faster, and nearly as good."""
        kept = self._strengths > least * self._strengths[0]
        if kept.all():
            return self
        return self.with_psf(self._row_taps[kept].T @ self._column_taps[kept])

    def enlarge(self, lr: np.ndarray) -> np.ndarray:
        """(h, w, C) interpolated to (h * s, w * s, C), each value in the middle of its LR pixel."""
        return bicubic_upsample(lr, self.scale)

    def enlarge_rows(self, lr: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The same for some HR rows only: (h, w, C) to (rows, w * s, C)."""
        return bicubic_upsample(lr, self.scale, rows=rows)

    def pairs_for(self, shape: tuple[int, int]) -> Pairs:
        """The separable kernels between all LR and all HR pixels of an (H, W) picture, for float32."""
        height, width = shape
        return self._pairs(height, width, np.dtype(np.float32))

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
        height, width, _ = hr.shape
        pairs = self._pairs(height, width, hr.dtype)
        return pairs.forward(hr)  # (h, w, C)

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
        pairs = self._pairs(height, width, np.dtype(np.float32))
        return pairs.forward_by_rows(make_rows, bands)  # (h, w, C)

    def forward_enlarged(self, lr: np.ndarray) -> np.ndarray:
        """`forward` of what `enlarge` makes of a float32 image, which is never there as a whole.

        Args:
            lr: (h, w, C) float32, or what gives its rows.

        Returns:
            (h, w, C) float32.
        """
        height, width, bands = lr.shape
        shape = (height * self.scale, width * self.scale, bands)
        return self.forward_by_rows(partial(self.enlarge_rows, lr), shape)

    def inside(self, lr_shape: tuple[int, int]) -> np.ndarray:
        """How much of each LR pixel's PSF lies on the image.

        Args:
            lr_shape: (h, w).

        Returns:
            (h, w), 1 everywhere if the image repeats itself.
        """
        h, w = lr_shape
        if self.border == "wrap":
            return np.ones((h, w))
        share = np.zeros((h, w))
        for row_taps, column_taps in zip(self._row_taps, self._column_taps):
            down = self._taps_inside(row_taps, h)
            across = self._taps_inside(column_taps, w)
            share += np.outer(down, across)
        # The terms may have either sign: their rounding is cut off.
        return np.clip(share, 0.0, 1.0)

    def _taps_inside(self, taps: np.ndarray, count: int) -> np.ndarray:
        """(count,) sum of the taps that fall on the image, for every LR row (or column)."""
        length = count * self.scale
        positions = tap_positions(taps.size, self.scale, count)  # (count, k)
        is_inside = (positions >= 0) & (positions < length)
        inside = is_inside @ taps  # (count,)
        return np.asarray(inside)

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
        h, w, _ = lr.shape
        height = h * self.scale
        width = w * self.scale
        pairs = self._pairs(height, width, lr.dtype)
        return pairs.adjoint(lr)  # (H, W, C)

    def _pairs(
        self,
        height: int,
        width: int,
        dtype: np.dtype,
    ) -> Pairs:
        """The separable kernels, made once for every size and type of image that is asked for."""
        check_tiling((height, width), self.scale, where="hr")
        key = (height, width, dtype)
        if key not in self._made:
            least = NEGLIGIBLE[dtype] * self._strengths[0]
            kept = self._strengths > least
            made = []
            for row_taps, column_taps in zip(self._row_taps[kept], self._column_taps[kept]):
                rows = self._strided(row_taps, height)
                columns = self._strided(column_taps, width)
                pair = Pair(
                    rows=rows.astype(dtype),
                    columns=columns.astype(dtype),
                )
                made.append(pair)
            self._made[key] = as_pairs(made)
        return self._made[key]

    def _strided(self, taps: np.ndarray, length: int) -> sparse.csr_matrix:
        """(length / s, length) matrix that applies k taps to every window; where a window meets itself they add up."""
        seen = seen_positions(
            taps.size,
            scale=self.scale,
            length=length,
            border=self.border,
        )  # (length / s, k)
        every_window = np.broadcast_to(taps, seen.shape)
        return taps_matrix(seen, every_window, length)


def _as_float(cube: np.ndarray, name: str) -> np.ndarray:
    cube = np.asarray(cube)
    check_axes(cube, name)
    if cube.dtype in (np.float32, np.float64):
        return cube
    return cube.astype(np.float64)
