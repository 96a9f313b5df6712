"""Blocks of rows out of several places of a picture, one below the other: what they are a picture of themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.cameras.windows import Window, WindowedDegradation, footprints
from paddle_umsft.data.scene import Observation

# Places that a sample of rows is taken from.
PLACES = 8


def spread_blocks(
    count: int,
    wanted: int,
    least: int = 1,
) -> list[tuple[int, int]]:
    """Half-open ranges of LR rows: all of them, or blocks of one size from evenly spread places.

    Args:
        count: h.
        wanted: How many rows are wanted in all.
        least: Rows of a block at least; there are fewer blocks then.
    """
    wanted = max(wanted, least)
    if wanted >= count:
        return [(0, count)]
    number = min(PLACES, wanted // least)
    each = wanted // number
    firsts = np.linspace(0, count - each, number).astype(int)
    return [(int(first), int(first) + each) for first in np.unique(firsts)]


def hr_rows_on(lr_rows: np.ndarray, scale: int) -> np.ndarray:
    """The HR rows that some LR rows lie on, (m * s,)."""
    rows = lr_rows[:, None] * scale + np.arange(scale)[None, :]
    return np.asarray(rows.ravel())


def windows_on(
    blocks: Sequence[tuple[int, int]],
    scale: int,
    shape: tuple[int, int],
) -> list[Window]:
    """Windows of half-open ranges of LR rows, each on its own HR rows.

    Args:
        blocks: The ranges.
        scale: s.
        shape: (H, W) of the whole picture.
    """
    windows = []
    for first, end in blocks:
        hr_rows = np.arange(first * scale, end * scale)
        windows.append(Window(hr_rows, np.arange(first, end), shape))
    return windows


def degrade_blocks(
    operator: SpatialDegradation,
    windows: Sequence[Window],
) -> Callable[[np.ndarray], np.ndarray]:
    """Return the operator on blocks that lie one below the other, (n, W, C) -> (m, w, C).

    Args:
        operator: Of the whole picture.
        windows: The blocks.
    """

    def degrade(cube: np.ndarray) -> np.ndarray:
        parts = []
        top = 0
        for window in windows:
            bottom = top + len(window.hr_rows)
            part = np.ascontiguousarray(cube[top:bottom])
            parts.append(WindowedDegradation(operator, window).forward(part))
            top = bottom
        return np.concatenate(parts)

    return degrade


def sees_beyond(
    operator: SpatialDegradation,
    windows: Sequence[Window],
) -> np.ndarray:
    """(m,) whether an LR row of the blocks sees more than its block: blurred again, the block is not what it saw.

    Args:
        operator: Of the whole picture.
        windows: The blocks.
    """
    shape = windows[0].shape
    seen = footprints(operator, shape)
    parts = []
    for window in windows:
        outside = np.ones(shape[0], dtype=np.float32)
        outside[window.hr_rows] = 0.0
        parts.append((seen[window.lr_rows] @ outside) > 0)
    return np.concatenate(parts)


def pair_on_rows(
    observation: Observation,
    lr_rows: np.ndarray,
    lr_hsi: np.ndarray,
    hr_msi: np.ndarray,
) -> Observation:
    """Return the pair on some rows, with all that is known of the whole pair.

    Args:
        observation: The whole pair.
        lr_rows: (m,) which LR rows.
        lr_hsi: (m, w, C) its LR-HSI there.
        hr_msi: (m * s, W, M) its MSI there.
    """
    masks: dict[str, Any] = {}
    if observation.mask_hsi is not None:
        masks["mask_hsi"] = observation.mask_hsi[lr_rows]
    if observation.mask_msi is not None:
        masks["mask_msi"] = observation.mask_msi[hr_rows_on(lr_rows, observation.scale)]
    return Observation(
        lr_hsi=lr_hsi,
        hr_msi=hr_msi,
        scale=observation.scale,
        name=observation.name,
        supports=observation.supports,
        psf=observation.psf,
        srf=observation.srf,
        wavelengths_nm=observation.wavelengths_nm,
        meta=observation.meta,
        **masks,
    )
