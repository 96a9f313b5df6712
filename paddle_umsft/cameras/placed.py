"""The PSF as an operator between grids that lie askew: LR pixels at any place of the MSI, nothing resampled.

The kernel of an LR pixel is the PSF, turned and zoomed with the grid and moved to its place: by whole pixels, and by
the rest through cubic interpolation, which keeps what a PSF lets through.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse
from scipy.ndimage import affine_transform

from paddle_umsft.cameras.border import Border
from paddle_umsft.cameras.cells import cell_means, cubic_weights, shares_within, within
from paddle_umsft.cameras.placement import ON_PIXEL, Placement
from paddle_umsft.cameras.separable import Pair, Pairs, as_pairs
from paddle_umsft.cameras.spatial import NEGLIGIBLE, SpatialDegradation, first_tap, tap_positions

# Taps that cubic interpolation adds to a kernel, and those between which a place lies.
MORE_TAPS = 3
CUBIC_TAPS = 4
# Order of the splines that turn a kernel.
SMOOTH = 3


def _moved_taps(
    taps: np.ndarray,
    places: np.ndarray,
    scale: int,
) -> tuple[np.ndarray, np.ndarray]:
    """1-D kernels moved to the places of LR pixels along one axis.

    Args:
        taps: (k,).
        places: (n,) middles of LR pixels.
        scale: s.

    Returns:
        (n, k + 3) positions, on the picture or not, and weights.
    """
    size = len(taps)
    first = places - (scale - 1) / 2 + first_tap(size, scale)
    whole = np.floor(first + ON_PIXEL)
    fraction = first - whole
    fraction = np.where(np.abs(fraction) < ON_PIXEL, 0.0, fraction)
    # A tap between two pixels is seen by the pixels around it.
    between = cubic_weights(fraction)  # (n, 4)
    weights = np.zeros((len(places), size + MORE_TAPS))
    for tap in range(CUBIC_TAPS):
        weights[:, tap : tap + size] += between[:, tap : tap + 1] * taps
    positions = whole.astype(int)[:, None] - 1 + np.arange(size + MORE_TAPS)[None, :]
    return positions, weights


def turned_with(psf: np.ndarray, placement: Placement) -> np.ndarray:
    """(k, k) PSF of the HSI's grid as it is on the MSI's: turned and zoomed around the middle of its LR pixel."""
    if not placement.is_bent:
        return psf
    size = len(psf)
    middle = np.full(2, (placement.scale - 1) / 2 - first_tap(size, placement.scale))
    inverse = np.linalg.inv(placement.matrix)
    turned = affine_transform(psf, inverse, offset=middle - inverse @ middle, order=SMOOTH, mode="nearest")
    turned *= psf.sum() / turned.sum()
    return np.asarray(turned)


class PlacedDegradation(SpatialDegradation):
    """A `SpatialDegradation` whose LR pixels lie where a placement says.

    Args:
        psf: (k, k) on the HSI's grid.
        placement: Where LR pixels lie; it knows the scale.
        border: What lies outside the image.

    Raises:
        DataError: PSF not square, not finite or all zero.
    """

    def __init__(
        self,
        psf: np.ndarray,
        placement: Placement,
        border: Border = "wrap",
    ) -> None:
        on_its_grid = psf
        if not placement.is_straight:
            on_its_grid = turned_with(psf, placement)
        super().__init__(on_its_grid, placement.scale, border)
        self.placement = placement
        self._maps: dict[tuple[int, int, np.dtype], sparse.csr_matrix] = {}

    def with_psf(self, psf: np.ndarray) -> PlacedDegradation:
        """The same grids behind another PSF."""
        return PlacedDegradation(psf, self.placement, self.border)

    def simpler(self, least: float) -> SpatialDegradation:
        """See `SpatialDegradation`; a grid that is turned is one matrix, whatever the terms."""
        if self.placement.is_bent:
            return self
        return super().simpler(least)

    def enlarge(self, lr: np.ndarray) -> np.ndarray:
        """(h, w, C) interpolated to (h * s, w * s, C), each value where its LR pixel lies."""
        return self.placement.enlarged(lr)

    def enlarge_rows(self, lr: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The same for some HR rows only, of a placement that turns nothing."""
        return self.placement.enlarged_rows(lr, rows)

    def forward(self, hr: np.ndarray) -> np.ndarray:
        """Degrade a cube, see `SpatialDegradation.forward`."""
        if self.placement.is_straight:
            return super().forward(hr)
        height, width, bands = hr.shape
        if hr.dtype not in (np.float32, np.float64):
            hr = hr.astype(np.float64)
        lr = self._map(height, width, hr.dtype) @ np.ascontiguousarray(hr).reshape(-1, bands)
        return np.asarray(lr).reshape(height // self.scale, width // self.scale, bands)

    def adjoint(self, lr: np.ndarray) -> np.ndarray:
        """The transpose of `forward`."""
        if self.placement.is_straight:
            return super().adjoint(lr)
        h, w, bands = lr.shape
        height, width = h * self.scale, w * self.scale
        hr = self._map(height, width, lr.dtype).T @ np.ascontiguousarray(lr).reshape(-1, bands)
        return np.asarray(hr).reshape(height, width, bands)

    def forward_by_rows(
        self,
        make_rows: Callable[[np.ndarray], np.ndarray],
        shape: tuple[int, int, int],
    ) -> np.ndarray:
        """`forward` of a float32 cube whose rows are made when they are seen."""
        if self.placement.is_straight:
            return super().forward_by_rows(make_rows, shape)
        height, width, bands = shape
        h, w = height // self.scale, width // self.scale
        whole = self._map(height, width, np.dtype(np.float32)).tocsc()
        lr = np.zeros((h * w, bands), dtype=np.float32)
        for top in range(0, height, self.scale):
            bottom = min(top + self.scale, height)
            strip = make_rows(np.arange(top, bottom)).reshape(-1, bands)
            lr += whole[:, top * width : bottom * width] @ strip
        return lr.reshape(h, w, bands)

    def forward_enlarged(self, lr: np.ndarray) -> np.ndarray:
        """`forward` of what `enlarge` makes of an image; where that is turned, it is made as a whole."""
        if not self.placement.is_straight:
            # All of it: the image may be one of which only rows are made.
            return self.forward(self.enlarge(lr[:]))
        return super().forward_enlarged(lr)

    def inside(self, lr_shape: tuple[int, int]) -> np.ndarray:
        """How much of each LR pixel's PSF lies on the image, (h, w)."""
        if self.border == "wrap":
            return np.ones(lr_shape)
        places = self.placement.places(lr_shape)
        height, width = lr_shape[0] * self.scale, lr_shape[1] * self.scale
        rows, columns = self.placement.span(0, height), self.placement.span(1, width)
        share = np.zeros(lr_shape)
        for row_taps, column_taps in zip(self._row_taps, self._column_taps):
            if self.placement.is_stretched:
                down = self._cells_inside(row_taps, 0, height)
                across = self._cells_inside(column_taps, 1, width)
                share += np.outer(down, across)
            elif self.placement.is_straight:
                down = self._share_inside(row_taps, places[:, 0, 0], rows)
                across = self._share_inside(column_taps, places[0, :, 1], columns)
                share += np.outer(down, across)
            else:
                down = self._share_inside(row_taps, places[..., 0].ravel(), rows)
                across = self._share_inside(column_taps, places[..., 1].ravel(), columns)
                share += (down * across).reshape(lr_shape)
        # The terms and the cubic weights may have either sign: their rounding is cut off.
        return np.clip(share, 0.0, 1.0)

    def _share_inside(
        self,
        taps: np.ndarray,
        places: np.ndarray,
        span: tuple[int, int],
    ) -> np.ndarray:
        """(n,) sum of the taps that fall on the image."""
        positions, weights = _moved_taps(taps, places, self.scale)
        is_inside = (positions >= span[0]) & (positions < span[1])
        return np.asarray(np.sum(weights * is_inside, axis=1))

    def _cells_inside(
        self,
        taps: np.ndarray,
        axis: int,
        length: int,
    ) -> np.ndarray:
        """(n,) sum of the taps whose cells fall on the image, where they are not as long as its pixels."""
        strided, cells = self._over_cells(taps, length)
        edges = self.placement.edges(axis, cells, length)
        return np.asarray(strided @ shares_within(edges, self.placement.span(axis, length)))

    def _over_cells(self, taps: np.ndarray, length: int) -> tuple[sparse.csr_matrix, np.ndarray]:
        """(n, m) matrix that applies taps to the m pixels of the HSI's ground they see, and the (m + 1,) pixels."""
        positions = tap_positions(len(taps), self.scale, length // self.scale)  # (n, k)
        first = int(positions.min())
        cells = np.arange(first, int(positions.max()) + 2)
        weights = np.broadcast_to(taps, positions.shape)
        return _sparse(positions - first, weights, len(cells) - 1), cells

    def _kept_taps(self, dtype: np.dtype) -> list[tuple[np.ndarray, np.ndarray]]:
        """Row and column taps of the terms that count."""
        kept = self._strengths > NEGLIGIBLE[dtype] * self._strengths[0]
        return list(zip(self._row_taps[kept], self._column_taps[kept]))

    def _pairs(
        self,
        height: int,
        width: int,
        dtype: np.dtype,
    ) -> Pairs:
        """The separable kernels of a placement that turns nothing."""
        key = (height, width, dtype)
        if key not in self._made:
            places = self.placement.places((height // self.scale, width // self.scale))
            made = []
            for row_taps, column_taps in self._kept_taps(dtype):
                pair = Pair(
                    rows=self._along(row_taps, places[:, 0, 0], 0, height).astype(dtype),
                    columns=self._along(column_taps, places[0, :, 1], 1, width).astype(dtype),
                )
                made.append(pair)
            self._made[key] = as_pairs(made)
        return self._made[key]

    def _along(
        self,
        taps: np.ndarray,
        places: np.ndarray,
        axis: int,
        length: int,
    ) -> sparse.csr_matrix:
        """(n, length) matrix that applies taps at the places along one axis."""
        span = self.placement.span(axis, length)
        if self.placement.is_stretched:
            # The PSF's taps are means over pixels of the HSI's ground, and these are means over the MSI's.
            strided, cells = self._over_cells(taps, length)
            edges = self.placement.edges(axis, cells, length)
            return strided @ cell_means(edges, length, span, self.border)
        positions, weights = _moved_taps(taps, places, self.scale)
        columns = within(positions, span, self.border)
        return _sparse(columns, weights, length)

    def _map(
        self,
        height: int,
        width: int,
        dtype: np.dtype,
    ) -> sparse.csr_matrix:
        """(h*w, H*W) matrix of a placement that turns the grid: rows and columns cannot be told apart."""
        key = (height, width, dtype)
        if key not in self._maps:
            places = self.placement.places((height // self.scale, width // self.scale)).reshape(-1, 2)
            total: np.ndarray = np.zeros(1)
            for row_taps, column_taps in self._kept_taps(dtype):
                row_positions, row_weights = _moved_taps(row_taps, places[:, 0], self.scale)
                column_positions, column_weights = _moved_taps(column_taps, places[:, 1], self.scale)
                total = total + row_weights[:, :, None] * column_weights[:, None, :]  # (n, k + 3, k + 3)
            rows = within(row_positions, self.placement.span(0, height), self.border)
            columns = within(column_positions, self.placement.span(1, width), self.border)
            index = rows[:, :, None] * width + columns[:, None, :]
            count = len(places)
            whole = _sparse(index.reshape(count, -1), total.reshape(count, -1), height * width)
            self._maps[key] = whole.astype(dtype)
        return self._maps[key]


def _sparse(
    columns: np.ndarray,
    weights: np.ndarray,
    length: int,
) -> sparse.csr_matrix:
    """(n, length) matrix with (n, k) weights in (n, k) columns; where a column comes twice they add up."""
    count, width = columns.shape
    rows = np.repeat(np.arange(count), width)
    places = (rows, columns.ravel())
    return sparse.csr_matrix((np.ravel(weights), places), shape=(count, length))
