"""Where LR pixels lie on the MSI: an affine map between the two grids."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Optional

import numpy as np
from scipy import sparse
from scipy.ndimage import map_coordinates

from paddle_umsft.cameras.border import Border
from paddle_umsft.cameras.cells import cell_means, within

# Places closer to a whole pixel than this are on it.
ON_PIXEL = 1e-6
# Splines between pixels: cubic ones keep what a PSF lets through.
CUBIC = 3
# What border rules are called by scipy.
SCIPY_MODES = {"wrap": "grid-wrap", "reflect": "reflect"}


def _no_shift() -> np.ndarray:
    return np.zeros(2)


def _no_turn() -> np.ndarray:
    return np.eye(2)


def _grid(shape: tuple[int, int]) -> np.ndarray:
    """(H, W, 2) row and column of every pixel."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return np.stack([rows, columns], axis=2).astype(np.float64)


@dataclass(frozen=True)
class Placement:
    """place = middle + matrix (p - middle) + shift, all in HR pixels as (row, column).

    p is a place of the HSI's ground, s*i + (s - 1)/2 for the middle of an LR pixel, and `middle` that of the image; the
    result is where the MSI shows it. Both are the same if the two cameras saw the same ground.

    Attributes:
        scale: Ratio of the resolutions.
        shift: (2,) HR pixels.
        matrix: (2, 2).
        frame: Half-open spans of the MSI's rows and columns that were recorded; None: all. What is beyond only fills
            it up to whole LR pixels.
    """

    scale: int
    shift: np.ndarray = field(default_factory=_no_shift)
    matrix: np.ndarray = field(default_factory=_no_turn)
    frame: Optional[tuple[tuple[int, int], tuple[int, int]]] = None

    def span(self, axis: int, length: int) -> tuple[int, int]:
        """The pixels along an axis of an MSI of that length that were recorded."""
        if self.frame is None:
            return 0, length
        return self.frame[axis]

    def edges(self, axis: int, cells: np.ndarray, length: int) -> np.ndarray:
        """Where the outer edges of HR pixels of the HSI's ground lie along an axis of the MSI, if it is straight.

        Args:
            axis: 0 or 1.
            cells: (n,) pixels of the ground; n edges, each before its pixel.
            length: Of the MSI, and of the ground.

        Returns:
            (n,) places, MSI pixel k from k to k + 1.
        """
        half = length / 2
        return np.asarray(half + self.matrix[axis, axis] * (cells - half) + self.shift[axis])

    def relative_to(self, start: Placement) -> Placement:
        """What has to be done after another placement of the same grids to come to this one."""
        matrix = self.matrix @ np.linalg.inv(start.matrix)
        return Placement(self.scale, self.shift - matrix @ start.shift, matrix)

    def told_of(
        self,
        whole: tuple[int, int],
        part: tuple[int, int],
        *,
        on_ground: np.ndarray,
        on_msi: np.ndarray,
    ) -> Placement:
        """The same placement, found in a part of a pair, as one of the whole, whose middle lies elsewhere.

        Args:
            whole: (h, w) of it.
            part: (h, w) of that, where the placement was found.
            on_ground: (2,) where the part begins on the HSI's ground of the whole, HR pixels.
            on_msi: (2,) where its MSI begins on that of the whole.
        """
        there = self.middle(part)
        middle = self.middle(whole)
        # The place of the whole's middle, as the part tells it.
        place = on_msi + there + self.matrix @ (middle - on_ground - there) + self.shift
        return replace(self, shift=place - middle, frame=None)

    def places(self, lr_shape: tuple[int, int]) -> np.ndarray:
        """(h, w, 2) middles of the LR pixels on the MSI."""
        own = self.own_places(lr_shape)
        return self._mapped(own, lr_shape)

    def own_places(self, lr_shape: tuple[int, int]) -> np.ndarray:
        """(h, w, 2) middles of the LR pixels if nothing had moved."""
        return _grid(lr_shape) * self.scale + (self.scale - 1) / 2

    def origins(self, shape: tuple[int, int]) -> np.ndarray:
        """(H, W, 2) places of the HSI's ground that the MSI's pixels show: the inverse map."""
        middle = self.middle((shape[0] // self.scale, shape[1] // self.scale))
        inverse = np.linalg.inv(self.matrix)
        return np.asarray((_grid(shape) - middle - self.shift) @ inverse.T + middle)

    def origins_along(self, axis: int, pixels: np.ndarray, length: int) -> np.ndarray:
        """(n,) the same along one axis of that length, for some of its pixels, if it is straight."""
        middle = (length - 1) / 2
        return np.asarray((pixels - middle - self.shift[axis]) / self.matrix[axis, axis] + middle)

    def middle(self, lr_shape: tuple[int, int]) -> np.ndarray:
        """(2,) middle of the image."""
        return (np.array(lr_shape) * self.scale - 1) / 2

    def _mapped(self, places: np.ndarray, lr_shape: tuple[int, int]) -> np.ndarray:
        middle = self.middle(lr_shape)
        return np.asarray(middle + (places - middle) @ self.matrix.T + self.shift)

    def on_the_hsi(
        self,
        image: np.ndarray,
        border: Border,
        *,
        order: int = CUBIC,
        rows: Optional[np.ndarray] = None,
    ) -> np.ndarray:
        """The MSI as it would be if nothing had moved, for what needs a common grid: a PSF's fit.

        Args:
            image: (H, W, M).
            border: What lies outside.
            order: Of the splines.
            rows: Of the result that are wanted of a grid that is turned, the others stay 0; None: all.

        Returns:
            (H, W, M) float64; exact for shifts by whole pixels, by splines else.
        """
        height, width, bands = image.shape
        if self.is_stretched:
            maps = []
            for axis, length in enumerate((height, width)):
                edges = self.edges(axis, np.arange(length + 1), length)
                maps.append(cell_means(edges, length, self.span(axis, length), border))
            rows_done = (maps[0] @ image.reshape(height, -1).astype(np.float64)).reshape(height, width, bands)
            columns_done = maps[1] @ rows_done.transpose(1, 0, 2).reshape(width, -1)
            return np.ascontiguousarray(columns_done.reshape(width, height, bands).transpose(1, 0, 2))
        places = self._mapped(_grid((height, width)), (height // self.scale, width // self.scale))  # (H, W, 2)
        whole = np.round(places)
        if np.max(np.abs(places - whole)) < ON_PIXEL:
            whole_places = whole.astype(int)
            rows = within(whole_places[..., 0], self.span(0, height), border)
            columns = within(whole_places[..., 1], self.span(1, width), border)
            return np.asarray(image[rows, columns], dtype=np.float64)
        if rows is None:
            rows = np.arange(height)
        index = np.moveaxis(places[rows], 2, 0)  # (2, rows, W)
        moved = np.zeros((height, width, bands))
        for band in range(bands):
            values = image[..., band].astype(np.float64)
            moved[rows, :, band] = map_coordinates(values, index, order=order, mode=SCIPY_MODES[border])
        return moved

    def enlarged(self, values: np.ndarray) -> np.ndarray:
        """Interpolate linearly, each value at its LR pixel's place; beyond the last one it goes on.

        Args:
            values: (h, w, D).

        Returns:
            (h * s, w * s, D).
        """
        height, width, depth = values.shape
        shape = (height * self.scale, width * self.scale)
        if self.is_straight:
            return self.enlarged_rows(values, np.arange(shape[0]))
        origins = self.origins(shape)  # (H, W, 2)
        index = (origins - (self.scale - 1) / 2) / self.scale
        between = _linear_between(index.reshape(-1, 2), (height, width), values.dtype)
        return np.asarray(between @ values.reshape(-1, depth)).reshape(*shape, depth)

    def enlarged_rows(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The same for some HR rows only, if it is straight: (h, w, D), or what gives its rows, to (rows, w * s, D)."""
        columns = np.arange(values.shape[1] * self.scale)
        out = values
        for axis, pixels in enumerate((rows, columns)):
            origins = self.origins_along(axis, pixels, values.shape[axis] * self.scale)
            index = (origins - (self.scale - 1) / 2) / self.scale
            out = _linear_along(out, index, axis)
        return out

    @property
    def is_straight(self) -> bool:
        """Whether rows stay rows and columns columns."""
        return bool(self.matrix[0, 1] == 0 and self.matrix[1, 0] == 0)

    @property
    def is_stretched(self) -> bool:
        """Whether it is straight, but its pixels are not as long as the MSI's."""
        return self.is_straight and self.is_bent

    @property
    def is_bent(self) -> bool:
        """Whether it is more than a shift."""
        return not np.array_equal(self.matrix, np.eye(2))

    @property
    def angle_deg(self) -> float:
        """The rotation in the matrix, degrees; positive from the rows' direction towards the columns'."""
        sine = self.matrix[1, 0] - self.matrix[0, 1]
        return float(np.rad2deg(np.arctan2(sine, np.trace(self.matrix))))

    @property
    def zoom(self) -> float:
        """The size of an LR pixel on the MSI over what it should be."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix))))


def _linear_between(
    index: np.ndarray,
    shape: tuple[int, int],
    dtype: np.dtype,
) -> sparse.csr_matrix:
    """Linear interpolation of an (h, w) picture as a matrix, the same for every band.

    Args:
        index: (n, 2) places; those beyond the picture are at its border.
        shape: (h, w).
        dtype: Of the weights.

    Returns:
        (n, h * w), four weights in every row.
    """
    count = len(index)
    lows = []
    shares = []
    for axis, length in enumerate(shape):
        along = np.clip(index[:, axis], 0, length - 1)
        low = np.minimum(along.astype(np.int32), max(length - 2, 0))
        lows.append(low)
        shares.append((along - low).astype(dtype))
    width = shape[1]
    # The next row and column; a picture of one line has none, and its weight is zero.
    next_row = width * min(shape[0] - 1, 1)
    next_column = min(width - 1, 1)
    first = lows[0] * width + lows[1]
    places = np.empty((count, 4), dtype=np.int32)
    places[:, 0] = first
    places[:, 1] = first + next_column
    places[:, 2] = first + next_row
    places[:, 3] = first + next_row + next_column
    down, across = shares
    both = down * across
    weights = np.empty((count, 4), dtype=dtype)
    weights[:, 0] = 1 - down - across + both
    weights[:, 1] = across - both
    weights[:, 2] = down - both
    weights[:, 3] = both
    begins = np.arange(0, 4 * count + 1, 4)
    return sparse.csr_matrix((weights.ravel(), places.ravel(), begins), shape=(count, shape[0] * width))


def _linear_along(
    values: np.ndarray,
    index: np.ndarray,
    axis: int,
) -> np.ndarray:
    """Values at fractional indices of one axis."""
    last = values.shape[axis] - 1
    index = np.clip(index, 0, last)
    low = np.minimum(index.astype(int), max(last - 1, 0))
    high = np.minimum(low + 1, last)
    if axis == 0:
        # The image may lie in a file: no more rows of it are asked for than are seen.
        reached = np.unique([low, high])
        values = values[reached]
        low_places, high_places = np.searchsorted(reached, [low, high])
    else:
        low_places, high_places = low, high
    others = tuple(other for other in range(values.ndim) if other != axis)
    share = np.expand_dims(index - low, others).astype(values.dtype)
    below = np.take(values, low_places, axis=axis)
    above = np.take(values, high_places, axis=axis)
    return np.asarray(below * (1 - share) + above * share)
