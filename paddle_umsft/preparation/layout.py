"""Two grids that do not tile each other, laid out as two that do: a ratio that is no whole number, another origin.

The solvers know an HSI of h x w pixels and an MSI of h s x w s. So the MSI is cut to what both images see, or filled up
around it, to the next whole ratio s, and a placement says where the HSI's pixels lie on it: the operator follows, and
neither image is resampled. What fills up was never recorded: no operator sees it, and it is cut off from the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Optional

import numpy as np

from paddle_umsft.cameras.border import continued
from paddle_umsft.cameras.placement import Placement
from paddle_umsft.data.checks import common_area, next_whole
from paddle_umsft.data.grid import HsiGrid
from paddle_umsft.data.scene import Observation
from paddle_umsft.preparation.grid_placement import is_plain, known_psf, own_part, placement_of
from paddle_umsft.preparation.upright import ROUNDING, cut_to_the_msi, turned_as_the_msi

# (top, left, height, width) of an image.
Area = tuple[int, int, int, int]


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
    area: Area
    corner: tuple[int, int]
    own_part: np.ndarray
    note: str

    def cut(self, image: np.ndarray) -> np.ndarray:
        """The area of (H, W, ...) as it is laid out."""
        top, left = self.corner
        _, _, height, width = self.area
        window = _window((top, left, height, width))
        return np.ascontiguousarray(image[window])

    @property
    def begin(self) -> np.ndarray:
        """(2,) row and column of the given MSI that what is laid out begins at; below 0 where it is filled up."""
        area_begin = np.array(self.area[:2])
        begin = area_begin - np.array(self.corner)
        return np.asarray(begin)

    def laid_out(self, image: np.ndarray) -> np.ndarray:
        """(H, W, ...) of the given MSI as that is laid out."""
        return self._from(self.begin, image)

    def filled_up(self, image: np.ndarray) -> np.ndarray:
        """The area, continued to the size that is laid out."""
        before_the_area = -np.array(self.corner)
        return self._from(before_the_area, image)

    def _from(self, begin: np.ndarray, image: np.ndarray) -> np.ndarray:
        """As much as is laid out of an image, from row and column `begin` of it on."""
        where = _continued_window(
            begin,
            self.observation.shape,
            image.shape,
        )
        return np.asarray(image[where])

    def pair(self, observation: Observation) -> Observation:
        """The pair as the result covers it: MSI and masks cut to the area, with the grid from there."""
        covered = replace(
            _with_msi(observation, self.cut),
            psf=self.upright.psf,
            grid=self.upright.grid,
        )
        return _from_corner(covered, self.area)


def _window(area: Area) -> tuple[slice, slice]:
    """Index of the rows and columns of an area."""
    top, left, height, width = area
    return slice(top, top + height), slice(left, left + width)


def _continued_window(
    begin: np.ndarray,
    shape: Sequence[int],
    size: Sequence[int],
) -> tuple[np.ndarray, ...]:
    """Index of rows and columns of an image that is mirrored at its edges.

    Args:
        begin: (2,) the first row and column; below 0 before the image.
        shape: (H, W) how many.
        size: (H, W, ...) of the image.
    """
    lines = []
    for axis in (0, 1):
        positions = begin[axis] + np.arange(shape[axis])
        on_image = continued(positions, size[axis], "reflect")
        lines.append(on_image)
    return np.ix_(*lines)


def _with_msi(
    observation: Observation,
    change: Callable[[np.ndarray], np.ndarray],
) -> Observation:
    """The pair with its MSI, and the mask of it if there is one, changed in the same way."""
    mask: Optional[np.ndarray] = None
    if observation.mask_msi is not None:
        mask = change(observation.mask_msi)
    return replace(
        observation,
        hr_msi=change(observation.hr_msi),
        mask_msi=mask,
    )


def upright_pair(observation: Observation) -> Observation:
    """A pair with a grid, its HSI turned as the MSI is and without the lines that lie beside it as a whole."""
    turned = turned_as_the_msi(observation)
    return cut_to_the_msi(turned)


def _from_corner(observation: Observation, area: Area) -> Observation:
    """A pair whose MSI was cut to an area, with grid, scale and georeference from there."""
    grid = observation.grid
    assert grid is not None
    top, left, _, _ = area
    msi_facts = observation.msi_facts
    if msi_facts is not None:
        ground = msi_facts.ground.cut(top, left)
        msi_facts = msi_facts.with_ground(ground)
    largest = float(grid.ratios.max())
    origin = grid.origin - np.array([top, left])
    return replace(
        observation,
        scale=next_whole(largest),
        grid=HsiGrid(grid.matrix, origin),
        msi_facts=msi_facts,
    )


def _common_area(upright: Observation) -> Area:
    """The part of the MSI that the HSI's grid reaches."""
    assert upright.grid is not None
    return common_area(
        upright.grid,
        upright.lr_hsi.shape,
        upright.hr_msi.shape,
    )


def covered_part(observation: Observation) -> Observation:
    """The pair as its result will cover it, see `Layout.pair`; nothing of the MSI is copied.

    Args:
        observation: With a `grid`, or the very one that is returned.
    """
    if observation.grid is None:
        return observation
    upright = upright_pair(observation)
    area = _common_area(upright)
    window = _window(area)

    def cut(image: np.ndarray) -> np.ndarray:
        return np.asarray(image[window])

    covered = _with_msi(upright, cut)
    return _from_corner(covered, area)


def sizes_laid_out(observation: Observation) -> Observation:
    """The pair as it is laid out, with images that only have their sizes.

    Args:
        observation: With a `grid`, or the very one that is returned; of its images only the sizes count.
    """
    if observation.grid is None:
        return observation
    # One band stands for all: images are turned and cut by a copy.
    one_band = observation.lr_hsi[:, :, :1]
    thin = replace(observation, lr_hsi=one_band, mask_hsi=None)
    upright = upright_pair(thin)
    h, w, _ = upright.lr_hsi.shape
    _, _, scale = _reached(upright)
    lr_size = (h, w, observation.bands)
    hr_size = (h * scale, w * scale, observation.msi_bands)
    # Takes no memory, however often it is repeated.
    nothing: np.ndarray = np.zeros((), dtype=np.float32)
    return replace(
        observation,
        lr_hsi=np.broadcast_to(nothing, lr_size),
        hr_msi=np.broadcast_to(nothing, hr_size),
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
    h, w, _ = upright.lr_hsi.shape
    corners = grid.corners((h, w))
    first = corners.min(axis=0)
    last = corners.max(axis=0)
    # A turned grid needs more room than its pixels are long.
    room = (last - first) / np.array([h, w])
    most_room = float(np.max(room))
    longest = float(grid.ratios.max())
    scale = next_whole(max(most_room, longest))
    return first, last, scale


def lay_out(observation: Observation) -> Layout:
    """Lay a pair with a grid out.

    Args:
        observation: Checked; it has a `grid`.

    Returns:
        The pair on grids that tile each other, and how to come back.
    """
    upright = upright_pair(observation)
    grid = upright.grid
    assert grid is not None
    h, w, _ = upright.lr_hsi.shape
    first, last, scale = _reached(upright)
    shape = (h * scale, w * scale)
    # As much room on either side of what the grid reaches.
    begin = (first + last - np.array(shape)) / 2
    begin = np.round(begin).astype(int)
    placement = placement_of(
        grid,
        scale,
        begin,
        shape,
        size=observation.shape,
    )
    psf = observation.psf
    if psf is not None and placement.is_bent:
        psf = known_psf(psf, placement)
    where = _continued_window(begin, shape, observation.shape)

    def laid_out(image: np.ndarray) -> np.ndarray:
        return np.asarray(image[where])

    tiled = replace(
        _with_msi(upright, laid_out),
        scale=scale,
        psf=psf,
        grid=None,
    )
    told: Optional[Placement] = placement
    if is_plain(placement, shape):
        told = None
    area = _common_area(upright)
    top, left, _, _ = area
    corner = (top - int(begin[0]), left - int(begin[1]))
    return Layout(
        upright=upright,
        observation=tiled,
        placement=told,
        area=area,
        corner=corner,
        own_part=own_part(placement, (h, w)),
        note=_note(observation, area),
    )


def _note(observation: Observation, area: Area) -> str:
    """What the user should know of the grids."""
    assert observation.grid is not None
    down, across = observation.grid.ratios
    note = f"the HSI's pixels are {down:.4g} x {across:.4g} pixels of the MSI"
    top, left, height, width = area
    if (height, width) != observation.shape:
        seen = f"rows {top}-{top + height}, columns {left}-{left + width}"
        note += f"; both images see its {seen}: the result covers these"
    return note
