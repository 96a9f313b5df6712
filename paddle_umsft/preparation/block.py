"""A very large pair examined on a block in its middle: PSF, SRF and noise are the same everywhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Optional

import numpy as np

from paddle_umsft.config.preparation import PreparationSettings
from paddle_umsft.config.subspace import SubspaceSettings
from paddle_umsft.data.grid import HsiGrid
from paddle_umsft.data.scene import Observation
from paddle_umsft.errors import DataError
from paddle_umsft.preparation.block_gains import without_gains
from paddle_umsft.preparation.block_placed import PLACED, Block, place_whole
from paddle_umsft.preparation.block_saturation import NAME as SATURATION
from paddle_umsft.preparation.block_saturation import without_saturation
from paddle_umsft.preparation.block_strangers import leave_out_strangers
from paddle_umsft.preparation.block_undone import only_in_small_ones, undone_in_all
from paddle_umsft.preparation.estimate import Degradations
from paddle_umsft.preparation.examine import examine
from paddle_umsft.preparation.layout import is_turned, sizes_laid_out, upright_pair
from paddle_umsft.preparation.orientation import turned_back
from paddle_umsft.preparation.prepared import Prepared

# HR pixels of a pair that is examined as a whole: estimates take some 150 bytes a pixel, and more pixels make none of
# them better.
MOST_EXAMINED = 2**22
# LR pixels of the MSI around a block: as far as PSFs and what is left of a shift reach.
MARGIN = 4
# A block in the middle of which less than this holds data is moved, to one of so many places along either axis.
LEAST_DATA = 0.5
PLACES = 9
# What images that are mirrored or turned are called in findings.
TURNED = "orientation"


def block_of(
    lr_shape: tuple[int, ...],
    scale: int,
    has_data: Optional[np.ndarray] = None,
) -> tuple[slice, slice]:
    """Rows and columns of the LR pixels that are examined: all, or a block in the middle of the same proportions.

    Args:
        lr_shape: (h, w).
        scale: s.
        has_data: (h, w) LR pixels of which both images hold data; where the middle has hardly any, the block lies where
            there are most. None: all do.
    """
    height, width = lr_shape[:2]
    pixels = height * width * scale**2
    shrink = min(1.0, (MOST_EXAMINED / pixels) ** 0.5)
    size = []
    middle = []
    for length in (height, width):
        wanted = max(1, int(length * shrink))
        size.append(wanted)
        middle.append((length - wanted) // 2)
    best = _block_at(middle, size)
    if has_data is None or has_data[best].mean() >= LEAST_DATA:
        return best
    for top in _places_along(height, size[0]):
        for left in _places_along(width, size[1]):
            other = _block_at([top, left], size)
            if has_data[other].sum() > has_data[best].sum():
                best = other
    return best


def _block_at(first: list[int], size: list[int]) -> tuple[slice, slice]:
    """Rows and columns of a block."""
    top, left = first
    height, width = size
    return slice(top, top + height), slice(left, left + width)


def _places_along(length: int, wanted: int) -> list[int]:
    """Where a block may begin along an axis."""
    spread = np.linspace(0, length - wanted, PLACES)
    return [int(place) for place in spread]


def data_at_lr_pixels(observation: Observation) -> np.ndarray:
    """(h, w) LR pixels of which both images hold data, as the pair is laid out; nought in all bands is none.

    Where the grids do not tile each other, what the HSI holds counts alone.
    """
    has_data = np.asarray(observation.lr_hsi.any(axis=2))
    if observation.mask_hsi is not None:
        has_data &= observation.mask_hsi
    if observation.grid is not None:
        # Images are turned by a copy: what is asked takes the place of the bands.
        asked = has_data[:, :, None].astype(np.float32)
        upright = upright_pair(replace(observation, lr_hsi=asked, mask_hsi=None))
        return np.asarray(upright.lr_hsi[:, :, 0] > 0)
    if observation.mask_msi is not None:
        height, width = observation.lr_hsi.shape[:2]
        scale = observation.scale
        cells = observation.mask_msi.reshape(height, scale, width, scale)
        has_data &= cells.mean(axis=(1, 3)) >= LEAST_DATA
    return has_data


def examine_block(
    observation: Observation,
    settings: SubspaceSettings,
    preparation: PreparationSettings,
) -> tuple[Prepared, Degradations]:
    """`examine` for pairs of any size.

    Args:
        observation: The image pair.
        settings: How degradations are estimated.
        preparation: What may be looked for.

    Returns:
        The pair with what was found undone, and its degradations.

    Raises:
        DataError: Something is wrong with the block that can only be undone with the whole pair in memory.
    """
    laid_out = sizes_laid_out(observation)
    lr_shape = laid_out.lr_hsi.shape
    block = block_of(lr_shape, laid_out.scale)
    is_small = laid_out.lr_hsi[block].shape == lr_shape
    # What a turned grid shows of a block is no block.
    if is_small or is_turned(observation.grid):
        return examine(observation, settings, preparation)
    block = block_of(lr_shape, laid_out.scale, data_at_lr_pixels(observation))
    part = _cut(observation, block)
    prepared, degradations = examine(part.pair, settings, preparation)
    if TURNED in prepared.found:
        note = str(prepared.found[TURNED])
        turned = turned_back(observation, note)
        if turned is not None:
            return _examine_turned(turned, note, settings, preparation)
    undone = undone_in_all(observation, part.pair, prepared)
    if undone is None:
        raise _refused(only_in_small_ones(prepared))
    if set(prepared.found) & PLACED:
        place_whole(undone, part, prepared, degradations)
    unexplained = without_gains(undone, part, prepared, degradations)
    if unexplained:
        raise _refused(unexplained)
    if not without_saturation(undone, part, prepared, degradations):
        raise _refused([SATURATION])
    if preparation.outliers:
        leave_out_strangers(undone, degradations)
    return undone, degradations


def _refused(names: list[str]) -> DataError:
    """What was found in the block and cannot be undone in the whole."""
    return DataError(
        "something was found in a very large pair that can be undone in smaller ones only",
        where="preparation",
        got=", ".join(names),
        hint="cut the files, or leave it as it is: preparation.geometry=none preparation.radiometry=false "
        "preparation.outliers=false preparation.orientation=false",
    )


def _examine_turned(
    turned: Observation,
    note: str,
    settings: SubspaceSettings,
    preparation: PreparationSettings,
) -> tuple[Prepared, Degradations]:
    """`examine_block` once more, of a pair whose HSI was turned back: the block in its middle is another one.

    Args:
        turned: The pair.
        note: What a user is told of that.
        settings: How degradations are estimated.
        preparation: What may be looked for.
    """
    upright = preparation.model_copy(update={"orientation": False})
    prepared, degradations = examine_block(turned, settings, upright)
    prepared.notes.insert(0, note)
    prepared.found = {TURNED: note, **prepared.found}
    return prepared, degradations


def _cut(observation: Observation, block: tuple[slice, slice]) -> Block:
    """The pair of a block of LR pixels; where the grids do not tile each other with a margin of the MSI."""
    first = np.array([part.start for part in block])
    end = np.array([part.stop for part in block])
    begin = first * observation.scale
    stop = end * observation.scale
    grid = observation.grid
    if grid is not None:
        observation = upright_pair(observation)
        assert observation.grid is not None
        grid = observation.grid
        margin = MARGIN * grid.ratios
        reached = np.array([first, end]) @ grid.matrix.T + grid.origin
        begin = np.clip(np.floor(reached[0] - margin), 0, observation.shape).astype(int)
        stop = np.clip(np.ceil(reached[1] + margin), 0, observation.shape).astype(int)
        grid = HsiGrid(grid.matrix, grid.origin + grid.matrix @ first - begin)
    rows, columns = slice(begin[0], stop[0]), slice(begin[1], stop[1])
    changes: dict[str, Any] = {
        "lr_hsi": np.ascontiguousarray(observation.lr_hsi[block]),
        "hr_msi": np.ascontiguousarray(observation.hr_msi[rows, columns]),
        "grid": grid,
    }
    if observation.mask_hsi is not None:
        changes["mask_hsi"] = observation.mask_hsi[block]
    if observation.mask_msi is not None:
        changes["mask_msi"] = observation.mask_msi[rows, columns]
    return Block(
        pair=replace(observation, **changes),
        lr_first=first,
        msi_first=begin,
    )
