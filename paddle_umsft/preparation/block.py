"""A very large pair examined on a block in its middle: PSF, SRF and noise are the same everywhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from paddle_umsft.config.preparation import PreparationSettings
from paddle_umsft.config.subspace import SubspaceSettings
from paddle_umsft.data.scene import Observation
from paddle_umsft.errors import DataError
from paddle_umsft.preparation.block_undone import undone_in_all
from paddle_umsft.preparation.estimate import Degradations
from paddle_umsft.preparation.examine import examine
from paddle_umsft.preparation.prepared import Prepared, untouched

# HR pixels of a pair that is examined as a whole: estimates take some 150 bytes a pixel, and more pixels make none of
# them better.
MOST_EXAMINED = 2**22


def block_of(lr_shape: tuple[int, ...], scale: int) -> tuple[slice, slice]:
    """Rows and columns of the LR pixels that are examined: all, or a block in the middle of the same proportions.

    Args:
        lr_shape: (h, w).
        scale: s.
    """
    height, width = lr_shape[:2]
    pixels = height * width * scale**2
    shrink = min(1.0, (MOST_EXAMINED / pixels) ** 0.5)
    block = []
    for length in (height, width):
        wanted = max(1, int(length * shrink))
        first = (length - wanted) // 2
        block.append(slice(first, first + wanted))
    return block[0], block[1]


def examine_block(
    observation: Observation,
    settings: SubspaceSettings,
    preparation: PreparationSettings,
) -> tuple[Prepared, Degradations]:
    """`examine` for pairs of any size.

    Args:
        observation: The image pair; grids that tile each other where it is a very large one.
        settings: How degradations are estimated.
        preparation: What may be looked for.

    Returns:
        The pair with what was found undone, and its degradations.

    Raises:
        DataError: Something is wrong with the block that can only be undone with the whole pair in memory.
    """
    scale = observation.scale
    block = block_of(observation.lr_hsi.shape, scale)
    is_small = observation.lr_hsi[block].shape == observation.lr_hsi.shape
    # Grids of their own are laid out as a whole.
    if is_small or observation.grid is not None:
        return examine(observation, settings, preparation)
    part = _cut(observation, block, scale)
    prepared, degradations = examine(part, settings, preparation)
    if not prepared.found:
        return untouched(observation), degradations
    undone = undone_in_all(observation, part, prepared)
    if undone is None:
        raise DataError(
            "something was found in a very large pair that can be undone in smaller ones only",
            where="preparation",
            got=", ".join(prepared.found),
            hint="cut the files, or leave it as it is: preparation.geometry=none preparation.radiometry=false "
            "preparation.outliers=false preparation.orientation=false",
        )
    return undone, degradations


def _cut(
    observation: Observation,
    block: tuple[slice, slice],
    scale: int,
) -> Observation:
    """The pair of a block of LR pixels."""
    rows, columns = (slice(part.start * scale, part.stop * scale) for part in block)
    changes: dict[str, Any] = {
        "lr_hsi": np.ascontiguousarray(observation.lr_hsi[block]),
        "hr_msi": np.ascontiguousarray(observation.hr_msi[rows, columns]),
    }
    if observation.mask_hsi is not None:
        changes["mask_hsi"] = observation.mask_hsi[block]
    if observation.mask_msi is not None:
        changes["mask_msi"] = observation.mask_msi[rows, columns]
    return replace(observation, **changes)
