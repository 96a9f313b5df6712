"""The HSI of a pair with a grid, turned as the MSI is, and without what lies beside it; no value changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Optional

import numpy as np

from paddle_umsft.data.grid import HALF, HsiGrid
from paddle_umsft.data.scene import Observation

# Shares of a pixel that are rounding.
ROUNDING = 1e-9
# What is done to an image, and in the same way to its mask.
Change = Callable[[np.ndarray], np.ndarray]


def turned_as_the_msi(observation: Observation) -> Observation:
    """The pair with its HSI's rows down the MSI and its columns to the right.

    Args:
        observation: With a `grid`.
    """
    assert observation.grid is not None
    turned = observation
    if _lies_down(observation.grid):
        turned = _transposed(turned)
    for axis in (0, 1):
        assert turned.grid is not None
        if turned.grid.matrix[axis, axis] < 0:
            turned = _mirrored(turned, axis)
    return turned


def _lies_down(grid: HsiGrid) -> bool:
    """Whether the HSI's rows run along the MSI's columns, more or less."""
    along = np.abs(grid.matrix)
    aside = along[0, 1] + along[1, 0]
    straight = along[0, 0] + along[1, 1]
    return bool(aside > straight)


def _transposed(observation: Observation) -> Observation:
    """The pair with the rows of its HSI as columns."""
    grid = observation.grid
    assert grid is not None

    def transposed(image: np.ndarray) -> np.ndarray:
        return np.asarray(image.swapaxes(0, 1))

    # Steps down and to the right change places, the corner stays.
    steps = grid.matrix[:, ::-1]
    return _with_hsi(observation, transposed, HsiGrid(steps, grid.origin))


def _mirrored(observation: Observation, axis: int) -> Observation:
    """The pair with its HSI the other way round along an axis."""
    grid = observation.grid
    assert grid is not None

    def mirrored(image: np.ndarray) -> np.ndarray:
        return np.flip(image, axis)

    # It begins where it ended, and goes back.
    length = observation.lr_hsi.shape[axis]
    origin = grid.origin + grid.matrix[:, axis] * length
    signs = np.ones(2)
    signs[axis] = -1.0
    return _with_hsi(observation, mirrored, HsiGrid(grid.matrix * signs, origin))


def cut_to_the_msi(observation: Observation) -> Observation:
    """The pair without the lines of LR pixels that lie beside the MSI as a whole.

    Args:
        observation: With a `grid`.
    """
    grid = observation.grid
    assert grid is not None
    height, width, _ = observation.lr_hsi.shape
    # From indices, which are whole in the middle of a pixel, to places, which are whole at its edge.
    middles = grid.middles((height, width)) + HALF  # (h, w, 2)
    # Half of the rectangle around a pixel.
    reach = np.abs(grid.matrix).sum(axis=1) / 2
    size = np.array(observation.shape)
    begins_before_the_end = middles - reach < size - ROUNDING
    ends_behind_the_begin = middles + reach > ROUNDING
    meets = np.all(ends_behind_the_begin & begins_before_the_end, axis=2)  # (h, w)
    rows = np.flatnonzero(meets.any(axis=1))
    columns = np.flatnonzero(meets.any(axis=0))
    part = (
        slice(rows[0], rows[-1] + 1),
        slice(columns[0], columns[-1] + 1),
    )

    def cut(image: np.ndarray) -> np.ndarray:
        return np.asarray(image[part])

    first = np.array([rows[0], columns[0]])
    origin = grid.origin + grid.matrix @ first
    return _with_hsi(observation, cut, HsiGrid(grid.matrix, origin))


def _with_hsi(
    observation: Observation,
    change: Change,
    grid: HsiGrid,
) -> Observation:
    """The pair with its HSI, and the mask of it if there is one, changed; with the grid that it has then."""
    mask: Optional[np.ndarray] = None
    if observation.mask_hsi is not None:
        mask = change(observation.mask_hsi)
    lr_hsi = change(observation.lr_hsi)
    return replace(
        observation,
        lr_hsi=np.ascontiguousarray(lr_hsi),
        mask_hsi=mask,
        grid=grid,
    )
