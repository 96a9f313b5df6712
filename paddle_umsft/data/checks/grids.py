"""Checks of two grids that do not tile each other: a ratio that is no whole number, other sizes, another origin."""

from __future__ import annotations

import math
from typing import Optional

import numpy as np

from paddle_umsft.data.checks.sizes import SMALLEST_RATIO, check_pair
from paddle_umsft.data.grid import HsiGrid
from paddle_umsft.errors import DataError

# Ratios closer to a whole number than this are one: files give them with six digits.
ROUNDING = 1e-6
# A ratio and a grid given together may differ by this share.
ALIKE = 0.05


def next_whole(ratio: float) -> int:
    """The smallest whole number that is no smaller than a ratio, but for rounding."""
    return math.ceil(ratio - ROUNDING * ratio)


def is_whole(ratio: float) -> bool:
    """Whether a ratio is a whole number, but for rounding."""
    return abs(ratio - round(ratio)) <= ROUNDING * ratio


def common_area(
    grid: HsiGrid,
    lr_shape: tuple[int, ...],
    hr_shape: tuple[int, ...],
) -> tuple[int, int, int, int]:
    """(top, left, height, width) of the MSI's pixels that the HSI's grid reaches; nothing high or wide if none does.

    A turned grid reaches them within the rectangle around it.
    """
    h, w = lr_shape[:2]
    corners = grid.corners((h, w))
    first = np.maximum(corners.min(axis=0), 0)
    last = np.minimum(corners.max(axis=0), hr_shape[:2])
    # A pixel belongs to the area if its middle does.
    first_pixel = np.round(first).astype(int)
    last_pixel = np.round(last).astype(int)
    size = np.maximum(last_pixel - first_pixel, 0)
    top, left = first_pixel.tolist()
    height, width = size.tolist()
    return top, left, height, width


def check_grids(
    lr_shape: tuple[int, ...],
    hr_shape: tuple[int, ...],
    scale: Optional[float] = None,
    grid: Optional[HsiGrid] = None,
    *,
    minimum: int = SMALLEST_RATIO,
) -> tuple[int, Optional[HsiGrid]]:
    """Check how two images lie on each other, by a ratio, a grid or the sizes alone.

    Args:
        lr_shape: (h, w, ...).
        hr_shape: (H, W, ...).
        scale: The ratio; one that is no whole number stands for a grid that begins where the MSI's does.
        grid: Where the HSI's pixels lie.
        minimum: Smallest factor allowed where the grids tile each other.

    Returns:
        The whole ratio and None, where they tile each other; else the next whole number and the grid.

    Raises:
        DataError: Sizes that do not agree with a whole ratio, a ratio no larger than 1, or no common area.
    """
    if grid is None:
        if scale is None:
            return check_pair(lr_shape, hr_shape, None, minimum=minimum), None
        if is_whole(scale):
            return check_pair(lr_shape, hr_shape, round(scale), minimum=minimum), None
        grid = HsiGrid.of_ratio(scale)
    sizes = f"LR-HSI {lr_shape[0]}x{lr_shape[1]} against HR-MSI {hr_shape[0]}x{hr_shape[1]}"
    largest = float(grid.ratios.max())
    if largest <= 1:
        raise DataError(
            "ratio of the pixels",
            where="pair",
            expected="above 1",
            got=f"{largest:.4g}: {sizes}",
        )
    if scale is not None and not _agree(scale, grid):
        raise DataError(
            "scale",
            where="pair",
            expected=f"{largest:.4g}, as the grid says",
            got=f"{scale:g}",
        )
    _, _, height, width = common_area(grid, lr_shape, hr_shape)
    is_empty = min(lr_shape[:2]) < 1
    if is_empty or min(height, width) < largest:
        top, left = grid.origin
        raise DataError(
            "the images share no ground",
            where="pair",
            expected="an LR pixel at least",
            got=f"{sizes}, the HSI's corner at ({top:.4g}, {left:.4g}) of the MSI",
        )
    if _tiles(grid, lr_shape, hr_shape):
        return round(largest), None
    return next_whole(largest), grid


def _agree(scale: float, grid: HsiGrid) -> bool:
    """Whether a ratio is that of a grid, more or less."""
    # An observation with a grid holds the next whole number.
    largest = float(grid.ratios.max())
    if scale == next_whole(largest):
        return True
    off = np.abs(grid.ratios / scale - 1)
    return not np.max(off) > ALIKE


def _tiles(
    grid: HsiGrid,
    lr_shape: tuple[int, ...],
    hr_shape: tuple[int, ...],
) -> bool:
    """Whether a grid's pixels are whole numbers of MSI pixels, and cover the MSI exactly."""
    ratio = round(float(grid.ratios.max()))
    is_upright = np.array_equal(grid.matrix, ratio * np.eye(2))
    if not is_upright or grid.origin.any():
        return False
    h, w = lr_shape[:2]
    return tuple(hr_shape[:2]) == (ratio * h, ratio * w)
