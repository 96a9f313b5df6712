"""Where LR pixels lie on the MSI: an affine map between the two grids."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Optional

import numpy as np
from scipy import sparse
from scipy.ndimage import map_coordinates

from paddle_umsft.cameras.between import linear_along, linear_between
from paddle_umsft.cameras.border import Border
from paddle_umsft.cameras.cells import ON_PIXEL, cell_means, within
from paddle_umsft.cameras.taps import rows_then_columns

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
    height, width = shape
    rows, columns = np.mgrid[:height, :width]
    places = np.stack([rows, columns], axis=2)
    return places.astype(np.float64)


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

    def edges(
        self,
        axis: int,
        cells: np.ndarray,
        length: int,
    ) -> np.ndarray:
        """Where the outer edges of HR pixels of the HSI's ground lie along an axis of the MSI, if it is straight.

        Args:
            axis: 0 or 1.
            cells: (n,) pixels of the ground; n edges, each before its pixel.
            length: Of the MSI, and of the ground.

        Returns:
            (n,) places, MSI pixel k from k to k + 1.
        """
        half = length / 2
        pitch = self.matrix[axis, axis]
        shift = self.shift[axis]
        edges = half + pitch * (cells - half) + shift
        return np.asarray(edges)

    def relative_to(self, start: Placement) -> Placement:
        """What has to be done after another placement of the same grids to come to this one."""
        undone = np.linalg.inv(start.matrix)
        matrix = self.matrix @ undone
        shift = self.shift - matrix @ start.shift
        return Placement(
            scale=self.scale,
            shift=shift,
            matrix=matrix,
        )

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
        part_middle = self.middle(part)
        middle = self.middle(whole)
        # The place of the whole's middle, as the part tells it.
        from_part_middle = middle - on_ground - part_middle
        place = on_msi + part_middle + self.matrix @ from_part_middle + self.shift
        return replace(
            self,
            shift=place - middle,
            frame=None,
        )

    def places(self, lr_shape: tuple[int, int]) -> np.ndarray:
        """(h, w, 2) middles of the LR pixels on the MSI."""
        own = self.own_places(lr_shape)
        return self._mapped(own, lr_shape)

    def own_places(self, lr_shape: tuple[int, int]) -> np.ndarray:
        """(h, w, 2) middles of the LR pixels if nothing had moved."""
        first_pixels = _grid(lr_shape) * self.scale
        return first_pixels + self._to_middle

    def origins(self, shape: tuple[int, int]) -> np.ndarray:
        """(H, W, 2) places of the HSI's ground that the MSI's pixels show: the inverse map."""
        lr_shape = self._lr_shape(shape)
        middle = self.middle(lr_shape)
        from_middle = _grid(shape) - middle - self.shift
        inverse = np.linalg.inv(self.matrix)
        origins = from_middle @ inverse.T + middle
        return np.asarray(origins)

    def origins_along(
        self,
        axis: int,
        pixels: np.ndarray,
        length: int,
    ) -> np.ndarray:
        """(n,) the same along one axis of that length, for some of its pixels, if it is straight."""
        middle = (length - 1) / 2
        pitch = self.matrix[axis, axis]
        from_middle = pixels - middle - self.shift[axis]
        origins = from_middle / pitch + middle
        return np.asarray(origins)

    def middle(self, lr_shape: tuple[int, int]) -> np.ndarray:
        """(2,) middle of the image."""
        shape = np.array(lr_shape) * self.scale
        return (shape - 1) / 2

    @property
    def _to_middle(self) -> float:
        """From the first HR pixel of an LR pixel to its middle."""
        return (self.scale - 1) / 2

    def _lr_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        """(h, w) of an (H, W) MSI."""
        height, width = shape
        return height // self.scale, width // self.scale

    def _in_lr_pixels(self, origins: np.ndarray) -> np.ndarray:
        """Places of the HSI's ground, counted in LR pixels: whole numbers are the middles of these."""
        from_first_middle = origins - self._to_middle
        return np.asarray(from_first_middle / self.scale)

    def _mapped(
        self,
        places: np.ndarray,
        lr_shape: tuple[int, int],
    ) -> np.ndarray:
        """(..., 2) places of the HSI's ground, as they lie on the MSI."""
        middle = self.middle(lr_shape)
        from_middle = places - middle
        mapped = middle + from_middle @ self.matrix.T + self.shift
        return np.asarray(mapped)

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
        if self.is_stretched:
            return self._means_on_the_hsi(image, border)
        height, width, bands = image.shape
        shape = (height, width)
        lr_shape = self._lr_shape(shape)
        places = self._mapped(_grid(shape), lr_shape)  # (H, W, 2)
        whole = np.round(places)
        farthest = np.max(np.abs(places - whole))
        if farthest < ON_PIXEL:
            return self._pixels_at(whole.astype(int), image, border)
        if rows is None:
            rows = np.arange(height)
        wanted = places[rows]
        index = np.moveaxis(wanted, 2, 0)  # (2, rows, W)
        mode = SCIPY_MODES[border]
        moved = np.zeros((height, width, bands))
        for band in range(bands):
            values = image[..., band].astype(np.float64)
            moved[rows, :, band] = map_coordinates(
                values,
                index,
                order=order,
                mode=mode,
            )
        return moved

    def _means_on_the_hsi(
        self,
        image: np.ndarray,
        border: Border,
    ) -> np.ndarray:
        """(H, W, M): means of the MSI over the pixels of the HSI's ground, if they are not as long as its own."""
        height, width, _ = image.shape
        down = self._cell_means_along(0, height, border)
        across = self._cell_means_along(1, width, border)
        return rows_then_columns(image, down, across)

    def _cell_means_along(
        self,
        axis: int,
        length: int,
        border: Border,
    ) -> sparse.csr_matrix:
        """(length, length) means of an MSI over all pixels of the HSI's ground along an axis."""
        all_cells = np.arange(length + 1)
        edges = self.edges(axis, all_cells, length)
        span = self.span(axis, length)
        return cell_means(edges, length, span, border)

    def _pixels_at(
        self,
        places: np.ndarray,
        image: np.ndarray,
        border: Border,
    ) -> np.ndarray:
        """(H, W, M) float64 pixels of an MSI at (H, W, 2) whole places, on the picture or not."""
        height, width, _ = image.shape
        recorded_rows = self.span(0, height)
        recorded_columns = self.span(1, width)
        rows = within(places[..., 0], recorded_rows, border)
        columns = within(places[..., 1], recorded_columns, border)
        pixels = image[rows, columns]
        return np.asarray(pixels, dtype=np.float64)

    def enlarged(self, values: np.ndarray) -> np.ndarray:
        """Interpolate linearly, each value at its LR pixel's place; beyond the last one it goes on.

        Args:
            values: (h, w, D).

        Returns:
            (h * s, w * s, D).
        """
        h, w, depth = values.shape
        height = h * self.scale
        width = w * self.scale
        if self.is_straight:
            all_rows = np.arange(height)
            return self.enlarged_rows(values, all_rows)
        origins = self.origins((height, width))  # (H, W, 2)
        index = self._in_lr_pixels(origins)
        between = linear_between(
            index.reshape(-1, 2),
            shape=(h, w),
            dtype=values.dtype,
        )
        pixels = values.reshape(-1, depth)
        large = between @ pixels  # (H * W, D)
        return np.asarray(large).reshape(height, width, depth)

    def enlarged_rows(
        self,
        values: np.ndarray,
        rows: np.ndarray,
    ) -> np.ndarray:
        """The same for some HR rows only, if it is straight: (h, w, D), or what gives its rows, to (rows, w * s, D)."""
        h, w, _ = values.shape
        height = h * self.scale
        width = w * self.scale
        down = self.origins_along(0, rows, height)
        rows_done = linear_along(values, self._in_lr_pixels(down), axis=0)
        columns = np.arange(width)
        across = self.origins_along(1, columns, width)
        return linear_along(rows_done, self._in_lr_pixels(across), axis=1)

    @property
    def is_straight(self) -> bool:
        """Whether rows stay rows and columns columns."""
        row_from_column = self.matrix[0, 1]
        column_from_row = self.matrix[1, 0]
        return bool(row_from_column == 0 and column_from_row == 0)

    @property
    def is_stretched(self) -> bool:
        """Whether it is straight, but its pixels are not as long as the MSI's."""
        return self.is_straight and self.is_bent

    @property
    def is_bent(self) -> bool:
        """Whether it is more than a shift."""
        unchanged = np.eye(2)
        return not np.array_equal(self.matrix, unchanged)

    @property
    def angle_deg(self) -> float:
        """The rotation in the matrix, degrees; positive from the rows' direction towards the columns'."""
        # A rotation has twice its sine and its cosine here, whatever its size.
        sine = self.matrix[1, 0] - self.matrix[0, 1]
        cosine = np.trace(self.matrix)
        angle = np.arctan2(sine, cosine)
        return float(np.rad2deg(angle))

    @property
    def zoom(self) -> float:
        """The size of an LR pixel on the MSI over what it should be."""
        area = abs(np.linalg.det(self.matrix))
        return float(np.sqrt(area))
