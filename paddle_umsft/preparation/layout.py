"""Two grids that do not tile each other, laid out as two that do: a ratio that is no whole number, another origin.

The solvers know an HSI of h x w pixels and an MSI of h s x w s. So the MSI is cut to what both images see, or filled up
around it, to the next whole ratio s, and a placement says where the HSI's pixels lie on it: the operator follows, and
neither image is resampled. What fills up was never recorded: no operator sees it, and it is cut off from the result.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional

import numpy as np
from scipy.ndimage import affine_transform

from paddle_umsft.cameras.border import continued
from paddle_umsft.cameras.placement import Placement
from paddle_umsft.data.checks import common_area, next_whole
from paddle_umsft.data.grid import HsiGrid
from paddle_umsft.data.scene import Observation

# From the edge of a pixel to its middle.
HALF = 0.5
# Differences from a plain grid that are rounding.
ROUNDING = 1e-9
# Order of the splines that bring a known PSF to the HSI's ground.
SMOOTH = 3


@dataclass(frozen=True)
class Layout:
    """A pair laid out.

    Attributes:
        upright: The pair as it was given, its HSI turned as the MSI is and cut to what lies on it.
        observation: The pair on grids that tile each other; it has no `grid` any more.
        placement: Where its LR pixels lie; None: where the grids say.
        area: (top, left, height, width) of the given MSI that the result covers.
        corner: (2,) row and column of that area on the MSI as it is laid out.
        own_part: (h, w) share of each LR pixel's own area that lies on the MSI.
        note: What the user should know.
    """

    upright: Observation
    observation: Observation
    placement: Optional[Placement]
    area: tuple[int, int, int, int]
    corner: tuple[int, int]
    own_part: np.ndarray
    note: str

    def cut(self, image: np.ndarray) -> np.ndarray:
        """The area of (H, W, ...) as it is laid out."""
        top, left = self.corner
        height, width = self.area[2:]
        return np.ascontiguousarray(image[top : top + height, left : left + width])

    @property
    def begin(self) -> np.ndarray:
        """(2,) row and column of the given MSI that what is laid out begins at; below 0 where it is filled up."""
        return np.asarray(np.array(self.area[:2]) - np.array(self.corner))

    def laid_out(self, image: np.ndarray) -> np.ndarray:
        """(H, W, ...) of the given MSI as that is laid out."""
        index = []
        for axis in (0, 1):
            positions = self.begin[axis] + np.arange(self.observation.shape[axis])
            index.append(continued(positions, image.shape[axis], "reflect"))
        return np.asarray(image[np.ix_(index[0], index[1])])

    def pair(self, observation: Observation) -> Observation:
        """The pair as the result covers it: MSI and masks cut to the area, with the grid from there."""
        mask_msi: Optional[np.ndarray] = None
        if observation.mask_msi is not None:
            mask_msi = self.cut(observation.mask_msi)
        covered = replace(
            observation,
            hr_msi=self.cut(observation.hr_msi),
            mask_msi=mask_msi,
            psf=self.upright.psf,
            grid=self.upright.grid,
        )
        return _from_corner(covered, self.area)

    def filled_up(self, image: np.ndarray) -> np.ndarray:
        """The area, continued to the size that is laid out."""
        index = []
        for axis in (0, 1):
            length = image.shape[axis]
            positions = np.arange(self.observation.shape[axis]) - self.corner[axis]
            index.append(continued(positions, length, "reflect"))
        return np.asarray(image[np.ix_(index[0], index[1])])


def upright_pair(observation: Observation) -> Observation:
    """A pair with a grid, its HSI turned as the MSI is and without the lines that lie beside it as a whole."""
    return _on_the_msi(_turned(observation))


def _from_corner(observation: Observation, area: tuple[int, int, int, int]) -> Observation:
    """A pair whose MSI was cut to an area, with grid, scale and georeference from there."""
    grid = observation.grid
    assert grid is not None
    top, left = area[:2]
    msi_facts = observation.msi_facts
    if msi_facts is not None:
        msi_facts = msi_facts.with_ground(msi_facts.ground.cut(top, left))
    return replace(
        observation,
        scale=next_whole(float(grid.ratios.max())),
        grid=HsiGrid(grid.matrix, grid.origin - np.array([top, left])),
        msi_facts=msi_facts,
    )


def covered_part(observation: Observation) -> Observation:
    """The pair as its result will cover it, see `Layout.pair`; nothing of the MSI is copied.

    Args:
        observation: With a `grid`, or the very one that is returned.
    """
    if observation.grid is None:
        return observation
    upright = upright_pair(observation)
    assert upright.grid is not None
    area = common_area(upright.grid, upright.lr_hsi.shape, upright.hr_msi.shape)
    top, left, height, width = area
    part = np.s_[top : top + height, left : left + width]
    mask_msi: Optional[np.ndarray] = None
    if upright.mask_msi is not None:
        mask_msi = upright.mask_msi[part]
    return _from_corner(replace(upright, hr_msi=upright.hr_msi[part], mask_msi=mask_msi), area)


def sizes_laid_out(observation: Observation) -> Observation:
    """The pair as it is laid out, with images that only have their sizes.

    Args:
        observation: With a `grid`, or the very one that is returned; of its images only the sizes count.
    """
    if observation.grid is None:
        return observation
    # One band stands for all: images are turned and cut by a copy.
    thin = replace(observation, lr_hsi=observation.lr_hsi[:, :, :1], mask_hsi=None)
    upright = upright_pair(thin)
    lr_height, lr_width = upright.lr_hsi.shape[:2]
    _, _, scale = _reached(upright)
    nothing: np.ndarray = np.zeros((), dtype=np.float32)
    return replace(
        observation,
        lr_hsi=np.broadcast_to(nothing, (lr_height, lr_width, observation.bands)),
        hr_msi=np.broadcast_to(nothing, (lr_height * scale, lr_width * scale, observation.msi_bands)),
        scale=scale,
        mask_hsi=None,
        mask_msi=None,
        grid=None,
    )


def is_turned(grid: Optional[HsiGrid]) -> bool:
    """Whether rows of one image are neither rows nor columns of the other, by the grid."""
    if grid is None:
        return False
    matrix = np.abs(grid.matrix)
    least = ROUNDING * float(matrix.max())
    is_upright = max(matrix[0, 1], matrix[1, 0]) < least
    lies_down = max(matrix[0, 0], matrix[1, 1]) < least
    return not (is_upright or lies_down)


def _reached(upright: Observation) -> tuple[np.ndarray, np.ndarray, int]:
    """(2,) first and last place of the MSI that the HSI's grid reaches, and the ratio that a pair is laid out in."""
    grid = upright.grid
    assert grid is not None
    lr_shape = np.array(upright.lr_hsi.shape[:2])
    corners = np.array([[0, 0], [lr_shape[0], 0], [0, lr_shape[1]], lr_shape]) @ grid.matrix.T + grid.origin
    first, last = corners.min(axis=0), corners.max(axis=0)
    # A turned grid needs more room than its pixels are long.
    scale = next_whole(max(float(np.max((last - first) / lr_shape)), float(grid.ratios.max())))
    return first, last, scale


def _turned(observation: Observation) -> Observation:
    """The pair with its HSI turned so that its rows run down the MSI and its columns to the right; no value changes."""
    assert observation.grid is not None
    matrix, origin = observation.grid.matrix, observation.grid.origin
    images = [observation.lr_hsi]
    if observation.mask_hsi is not None:
        images.append(observation.mask_hsi)
    aside = np.abs(matrix[0, 1]) + np.abs(matrix[1, 0])
    if aside > np.abs(matrix[0, 0]) + np.abs(matrix[1, 1]):
        images = [image.swapaxes(0, 1) for image in images]
        matrix = matrix[:, ::-1]
    for axis in (0, 1):
        if matrix[axis, axis] < 0:
            images = [np.flip(image, axis) for image in images]
            origin = origin + matrix[:, axis] * images[0].shape[axis]
            matrix = matrix * np.where(np.arange(2) == axis, -1.0, 1.0)
    return _with_hsi(observation, images, HsiGrid(matrix, origin))


def _with_hsi(
    observation: Observation,
    images: list[np.ndarray],
    grid: HsiGrid,
) -> Observation:
    """The pair with another HSI, and the mask of it if there is one."""
    mask: Optional[np.ndarray] = None
    if len(images) > 1:
        mask = images[1]
    return replace(observation, lr_hsi=np.ascontiguousarray(images[0]), mask_hsi=mask, grid=grid)


def _on_the_msi(observation: Observation) -> Observation:
    """The pair without the lines of LR pixels that lie beside the MSI as a whole."""
    grid = observation.grid
    assert grid is not None
    shape = observation.shape
    middles = grid.middles((observation.lr_hsi.shape[0], observation.lr_hsi.shape[1])) + HALF  # in edges' coordinates
    reach = np.abs(grid.matrix).sum(axis=1) / 2
    meets = np.all((middles + reach > ROUNDING) & (middles - reach < np.array(shape) - ROUNDING), axis=2)
    rows = np.flatnonzero(meets.any(axis=1))
    columns = np.flatnonzero(meets.any(axis=0))
    first = np.array([rows[0], columns[0]])
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    images = [observation.lr_hsi[part]]
    if observation.mask_hsi is not None:
        images.append(observation.mask_hsi[part])
    return _with_hsi(observation, images, HsiGrid(grid.matrix, grid.origin + grid.matrix @ first))


def _own_part(placement: Placement, lr_shape: tuple[int, int]) -> np.ndarray:
    """(h, w) share of each LR pixel's own area on the MSI; of the rectangle around it where the grid is turned."""
    places = placement.places(lr_shape) + HALF
    sides = placement.scale * np.abs(placement.matrix).sum(axis=1)
    share = np.ones(lr_shape)
    for axis in (0, 1):
        span = placement.span(axis, lr_shape[axis] * placement.scale)
        middles = places[..., axis].ravel()
        first = shares_of(middles - sides[axis] / 2, sides[axis], span)
        share *= first.reshape(lr_shape)
    return share


def shares_of(
    starts: np.ndarray,
    length: float,
    span: tuple[int, int],
) -> np.ndarray:
    """(n,) share of stretches of one length that lies within a span."""
    ends = starts + length
    inside = np.clip(ends, *span) - np.clip(starts, *span)
    return np.asarray(inside / (ends - starts))


def _known_psf(psf: np.ndarray, placement: Placement) -> np.ndarray:
    """(k, k) PSF in the MSI's pixels, middle on the LR pixel's, as it is on the HSI's ground."""
    zoom = placement.zoom
    scale = placement.scale
    # As even or odd as the scale: then the array's middle is the LR pixel's.
    size = next_whole(len(psf) / zoom)
    size += (size - scale) % 2
    offset = (len(psf) - 1) / 2 - zoom * (size - 1) / 2
    found = affine_transform(psf, np.diag([zoom, zoom]), offset=offset, output_shape=(size, size), order=SMOOTH)
    return np.asarray(found / found.sum())


def lay_out(observation: Observation) -> Layout:
    """Lay a pair with a grid out.

    Args:
        observation: Checked; it has a `grid`.

    Returns:
        The pair on grids that tile each other, and how to come back.
    """
    upright = upright_pair(observation)
    lr_hsi, grid = upright.lr_hsi, upright.grid
    assert grid is not None
    lr_shape = np.array(lr_hsi.shape[:2])
    first, last, scale = _reached(upright)
    shape = lr_shape * scale
    begin = np.round((first + last - shape) / 2).astype(int)  # of what is laid out, on the MSI
    frame = []
    index = []
    for axis in (0, 1):
        length = observation.shape[axis]
        positions = begin[axis] + np.arange(shape[axis])
        frame.append((max(0, -int(begin[axis])), min(int(shape[axis]), length - int(begin[axis]))))
        index.append(continued(positions, length, "reflect"))
    matrix = grid.matrix / scale
    if np.max(np.abs(matrix - np.eye(2))) < ROUNDING:
        matrix = np.eye(2)
    middle = (shape - 1) / 2
    shift = matrix @ (middle + HALF) + grid.origin - HALF - begin - middle
    placement: Optional[Placement] = Placement(
        scale,
        np.where(np.abs(shift) < ROUNDING, 0.0, shift),
        matrix,
        (frame[0], frame[1]),
    )
    assert placement is not None
    own_part = _own_part(placement, (int(lr_shape[0]), int(lr_shape[1])))
    psf = observation.psf
    if psf is not None and placement.is_bent:
        psf = _known_psf(np.asarray(psf, dtype=np.float64), placement)
    is_filled = any(span != (0, shape[axis]) for axis, span in enumerate(frame))
    if not (placement.is_bent or placement.shift.any() or is_filled):
        placement = None
    area = common_area(grid, lr_hsi.shape, observation.hr_msi.shape)
    where = np.ix_(index[0], index[1])
    mask_msi: Optional[np.ndarray] = None
    if observation.mask_msi is not None:
        mask_msi = observation.mask_msi[where]
    laid_out = replace(
        upright,
        hr_msi=observation.hr_msi[where],
        mask_msi=mask_msi,
        scale=scale,
        psf=psf,
        grid=None,
    )
    return Layout(
        upright=upright,
        observation=laid_out,
        placement=placement,
        area=area,
        corner=(area[0] - int(begin[0]), area[1] - int(begin[1])),
        own_part=own_part,
        note=_note(observation, area),
    )


def _note(observation: Observation, area: tuple[int, int, int, int]) -> str:
    """What the user should know of the grids."""
    assert observation.grid is not None
    down, across = observation.grid.ratios
    note = f"the HSI's pixels are {down:.4g} x {across:.4g} pixels of the MSI"
    top, left, height, width = area
    if (height, width) != observation.shape:
        seen = f"rows {top}-{top + height}, columns {left}-{left + width}"
        note += f"; both images see its {seen}: the result covers these"
    return note
