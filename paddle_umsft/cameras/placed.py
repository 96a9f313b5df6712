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
from paddle_umsft.cameras.cells import cell_means, cubic_weights, shares_within, whole_and_fraction, within
from paddle_umsft.cameras.placement import Placement
from paddle_umsft.cameras.separable import Pair, Pairs, as_pairs
from paddle_umsft.cameras.spatial import NEGLIGIBLE, SpatialDegradation, first_tap, tap_positions
from paddle_umsft.cameras.taps import taps_matrix

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
    to_middle = (scale - 1) / 2
    first_places = places - to_middle + first_tap(size, scale)
    whole, fraction = whole_and_fraction(first_places)
    # A tap between two pixels is seen by the pixels around it, the first of which is the one before.
    between = cubic_weights(fraction)  # (n, 4)
    width = size + MORE_TAPS
    weights = np.zeros((len(places), width))
    for pixel in range(CUBIC_TAPS):
        share = between[:, pixel, None]
        end = pixel + size
        weights[:, pixel:end] += share * taps
    first_pixels = whole - 1
    positions = first_pixels[:, None] + np.arange(width)
    return positions, weights


def _every_pair(down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """(n, a, b) products of (n, a) and (n, b)."""
    return np.asarray(down[:, :, None] * across[:, None, :])


def turned_with(psf: np.ndarray, placement: Placement) -> np.ndarray:
    """(k, k) PSF of the HSI's grid as it is on the MSI's: turned and zoomed around the middle of its LR pixel."""
    if not placement.is_bent:
        return psf
    scale = placement.scale
    to_middle = (scale - 1) / 2
    middle_tap = to_middle - first_tap(len(psf), scale)
    middle = np.full(2, middle_tap)
    inverse = np.linalg.inv(placement.matrix)
    offset = middle - inverse @ middle
    turned = affine_transform(
        psf,
        inverse,
        offset=offset,
        order=SMOOTH,
        mode="nearest",
    )
    # As much light as before.
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
        if hr.dtype not in (np.float32, np.float64):
            hr = hr.astype(np.float64)
        height, width, bands = hr.shape
        whole = self._map(height, width, hr.dtype)
        pixels = np.ascontiguousarray(hr).reshape(-1, bands)  # (H * W, C)
        seen = whole @ pixels
        return np.asarray(seen).reshape(height // self.scale, width // self.scale, bands)

    def adjoint(self, lr: np.ndarray) -> np.ndarray:
        """The transpose of `forward`."""
        if self.placement.is_straight:
            return super().adjoint(lr)
        h, w, bands = lr.shape
        height = h * self.scale
        width = w * self.scale
        whole = self._map(height, width, lr.dtype)
        pixels = np.ascontiguousarray(lr).reshape(-1, bands)  # (h * w, C)
        spread = whole.T @ pixels
        return np.asarray(spread).reshape(height, width, bands)

    def forward_by_rows(
        self,
        make_rows: Callable[[np.ndarray], np.ndarray],
        shape: tuple[int, int, int],
    ) -> np.ndarray:
        """`forward` of a float32 cube whose rows are made when they are seen."""
        if self.placement.is_straight:
            return super().forward_by_rows(make_rows, shape)
        height, width, bands = shape
        h = height // self.scale
        w = width // self.scale
        whole = self._map(height, width, np.dtype(np.float32))
        # By columns: those of a strip of HR rows follow each other.
        by_columns = whole.tocsc()
        lr = np.zeros((h * w, bands), dtype=np.float32)
        for top in range(0, height, self.scale):
            bottom = min(top + self.scale, height)
            rows = make_rows(np.arange(top, bottom))
            strip = rows.reshape(-1, bands)
            first = top * width
            end = bottom * width
            lr += by_columns[:, first:end] @ strip
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
        share = np.zeros(lr_shape)
        for row_taps, column_taps in zip(self._row_taps, self._column_taps):
            share += self._term_inside(row_taps, column_taps, lr_shape)
        # The terms and the cubic weights may have either sign: their rounding is cut off.
        return np.clip(share, 0.0, 1.0)

    def _term_inside(
        self,
        row_taps: np.ndarray,
        column_taps: np.ndarray,
        lr_shape: tuple[int, int],
    ) -> np.ndarray:
        """(h, w) sum of one separable term's taps that fall on the image."""
        h, w = lr_shape
        height = h * self.scale
        width = w * self.scale
        if self.placement.is_stretched:
            down = self._cells_inside(row_taps, 0, height)
            across = self._cells_inside(column_taps, 1, width)
            return np.outer(down, across)
        rows = self.placement.span(0, height)
        columns = self.placement.span(1, width)
        places = self.placement.places(lr_shape)
        if self.placement.is_straight:
            down = self._share_inside(row_taps, places[:, 0, 0], rows)
            across = self._share_inside(column_taps, places[0, :, 1], columns)
            return np.outer(down, across)
        # Turned: every LR pixel has a row and a column of its own.
        own_rows = places[..., 0].ravel()
        own_columns = places[..., 1].ravel()
        down = self._share_inside(row_taps, own_rows, rows)
        across = self._share_inside(column_taps, own_columns, columns)
        both = down * across
        return np.asarray(both).reshape(lr_shape)

    def _share_inside(
        self,
        taps: np.ndarray,
        places: np.ndarray,
        span: tuple[int, int],
    ) -> np.ndarray:
        """(n,) sum of the taps that fall on the image."""
        positions, weights = _moved_taps(taps, places, self.scale)
        first, stop = span
        is_inside = (positions >= first) & (positions < stop)
        inside = np.sum(weights * is_inside, axis=1)
        return np.asarray(inside)

    def _cells_inside(
        self,
        taps: np.ndarray,
        axis: int,
        length: int,
    ) -> np.ndarray:
        """(n,) sum of the taps whose cells fall on the image, where they are not as long as its pixels."""
        strided, cells = self._over_cells(taps, length)
        edges = self.placement.edges(axis, cells, length)
        span = self.placement.span(axis, length)
        inside = strided @ shares_within(edges, span)
        return np.asarray(inside)

    def _over_cells(
        self,
        taps: np.ndarray,
        length: int,
    ) -> tuple[sparse.csr_matrix, np.ndarray]:
        """(n, m) matrix that applies taps to the m pixels of the HSI's ground they see, and the (m + 1,) pixels."""
        positions = tap_positions(len(taps), self.scale, length // self.scale)  # (n, k)
        first = int(positions.min())
        last = int(positions.max())
        # One more: the edges of m pixels are those before each, and that behind the last.
        cells = np.arange(first, last + 2)
        count = len(cells) - 1
        weights = np.broadcast_to(taps, positions.shape)
        matrix = taps_matrix(positions - first, weights, count)
        return matrix, cells

    def _kept_taps(self, dtype: np.dtype) -> list[tuple[np.ndarray, np.ndarray]]:
        """Row and column taps of the terms that count."""
        least = NEGLIGIBLE[dtype] * self._strengths[0]
        kept = self._strengths > least
        row_taps = self._row_taps[kept]
        column_taps = self._column_taps[kept]
        return list(zip(row_taps, column_taps))

    def _pairs(
        self,
        height: int,
        width: int,
        dtype: np.dtype,
    ) -> Pairs:
        """The separable kernels of a placement that turns nothing."""
        key = (height, width, dtype)
        if key not in self._made:
            places = self._places_under(height, width)
            rows_at = places[:, 0, 0]
            columns_at = places[0, :, 1]
            made = []
            for row_taps, column_taps in self._kept_taps(dtype):
                rows = self._along(row_taps, rows_at, 0, height)
                columns = self._along(column_taps, columns_at, 1, width)
                pair = Pair(
                    rows=rows.astype(dtype),
                    columns=columns.astype(dtype),
                )
                made.append(pair)
            self._made[key] = as_pairs(made)
        return self._made[key]

    def _places_under(self, height: int, width: int) -> np.ndarray:
        """(h, w, 2) places of the LR pixels of an (H, W) MSI."""
        lr_shape = (height // self.scale, width // self.scale)
        return self.placement.places(lr_shape)

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
            means = cell_means(edges, length, span, self.border)
            return strided @ means
        positions, weights = _moved_taps(taps, places, self.scale)
        pixels = within(positions, span, self.border)
        return taps_matrix(pixels, weights, length)

    def _map(
        self,
        height: int,
        width: int,
        dtype: np.dtype,
    ) -> sparse.csr_matrix:
        """(h*w, H*W) matrix of a placement that turns the grid: rows and columns cannot be told apart."""
        key = (height, width, dtype)
        if key not in self._maps:
            whole = self._made_map(height, width, dtype)
            self._maps[key] = whole.astype(dtype)
        return self._maps[key]

    def _made_map(
        self,
        height: int,
        width: int,
        dtype: np.dtype,
    ) -> sparse.csr_matrix:
        """The same, float64, with the terms that count for a type of image."""
        places = self._places_under(height, width)
        row_places = places[..., 0].ravel()
        column_places = places[..., 1].ravel()
        total: np.ndarray = np.zeros(1)
        for row_taps, column_taps in self._kept_taps(dtype):
            row_positions, row_weights = _moved_taps(row_taps, row_places, self.scale)
            column_positions, column_weights = _moved_taps(column_taps, column_places, self.scale)
            total = total + _every_pair(row_weights, column_weights)
        # All terms look at the same pixels.
        rows = within(row_positions, self.placement.span(0, height), self.border)
        columns = within(column_positions, self.placement.span(1, width), self.border)
        pixels = rows[:, :, None] * width + columns[:, None, :]
        count = len(pixels)
        return taps_matrix(
            pixels.reshape(count, -1),
            total.reshape(count, -1),
            length=height * width,
        )
