"""Where the LR pixels of a grid lie on a pair that is laid out by it, see `layout.py`."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import affine_transform

from paddle_umsft.cameras.placement import Placement
from paddle_umsft.data.checks import next_whole
from paddle_umsft.data.grid import HALF, HsiGrid
from paddle_umsft.preparation.upright import ROUNDING

# Order of the splines that bring a known PSF to the HSI's ground.
SMOOTH = 3


def placement_of(
    grid: HsiGrid,
    scale: int,
    begin: np.ndarray,
    shape: tuple[int, int],
    size: tuple[int, int],
) -> Placement:
    """Where the LR pixels of a grid lie on what is laid out.

    Args:
        grid: Of the HSI on the MSI.
        scale: The ratio that the pair is laid out in.
        begin: (2,) row and column of the MSI that what is laid out begins at.
        shape: (H, W) of that, h * scale and w * scale.
        size: (H, W) of the MSI as it was given.
    """
    matrix = grid.matrix / scale
    if np.max(np.abs(matrix - np.eye(2))) < ROUNDING:
        matrix = np.eye(2)
    # The place of the middle, by the grid, and where it would lie if the grids tiled each other.
    middle = (np.array(shape) - 1) / 2
    place = matrix @ (middle + HALF) + grid.origin - HALF
    shift = place - begin - middle
    is_rounding = np.abs(shift) < ROUNDING
    recorded = []
    for axis in (0, 1):
        begin_of_all = int(begin[axis])
        first = max(0, -begin_of_all)
        end = min(shape[axis], size[axis] - begin_of_all)
        recorded.append((first, end))
    return Placement(
        scale=scale,
        shift=np.where(is_rounding, 0.0, shift),
        matrix=matrix,
        frame=(recorded[0], recorded[1]),
    )


def is_plain(placement: Placement, shape: tuple[int, int]) -> bool:
    """Whether an (H, W) MSI is recorded as a whole, and nothing is moved."""
    if placement.is_bent or placement.shift.any():
        return False
    height, width = shape
    return placement.frame == ((0, height), (0, width))


def own_part(placement: Placement, lr_shape: tuple[int, int]) -> np.ndarray:
    """(h, w) share of each LR pixel's own area on the MSI; of the rectangle around it where the grid is turned."""
    middles = placement.places(lr_shape) + HALF  # (h, w, 2)
    sides = placement.scale * np.abs(placement.matrix).sum(axis=1)
    share = np.ones(lr_shape)
    for axis in (0, 1):
        side = sides[axis]
        length = lr_shape[axis] * placement.scale
        recorded = placement.span(axis, length)
        begins = middles[..., axis] - side / 2
        share *= _shares_within(begins, side, recorded)
    return share


def _shares_within(
    begins: np.ndarray,
    length: float,
    span: tuple[int, int],
) -> np.ndarray:
    """Share of stretches of one length that lies within a span; of the shape given."""
    ends = begins + length
    inside = np.clip(ends, *span) - np.clip(begins, *span)
    return np.asarray(inside / (ends - begins))


def known_psf(psf: np.ndarray, placement: Placement) -> np.ndarray:
    """Bring a PSF that was given in the MSI's pixels to the HSI's ground.

    Args:
        psf: (k, k) its middle on the LR pixel's.
        placement: Where LR pixels lie.

    Returns:
        (m, m) float64, sums to 1.
    """
    zoom = placement.zoom
    # As even or odd as the scale: then the array's middle is the LR pixel's.
    size = next_whole(len(psf) / zoom)
    size += (size - placement.scale) % 2
    middle_given = (len(psf) - 1) / 2
    middle_found = zoom * (size - 1) / 2
    found = affine_transform(
        np.asarray(psf, dtype=np.float64),
        np.diag([zoom, zoom]),
        offset=middle_given - middle_found,
        output_shape=(size, size),
        order=SMOOTH,
    )
    return np.asarray(found / found.sum())
