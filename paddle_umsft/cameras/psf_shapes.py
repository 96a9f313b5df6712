"""Families of PSFs with a handful of free parameters, each cut to a window: what a fit can move.

`psf.py` makes the PSFs of a simulation, with the widths that a user names and with errors where they make no sense.
Here every real parameter is allowed (widths are logarithms, and what falls between the pixels is moved onto them), so
that an optimiser can go anywhere.
"""

from __future__ import annotations

from typing import Callable

import numpy as np

Shape = Callable[[np.ndarray, int], np.ndarray]

# Points along the track of a moving camera, per tap of the window: finer than the softest track can tell.
STEPS_PER_TAP = 4
# Least softness of a track, HR pixels: below it the points would no longer make a line.
SOFTEST = 0.2


def _from_middle(size: int) -> np.ndarray:
    """Positions of the taps relative to the window's middle, (size,)."""
    return np.arange(size) - (size - 1) / 2


def _normalised(kernel: np.ndarray) -> np.ndarray:
    """Sum 1; a kernel without a usable sum becomes the mean over the window."""
    total = kernel.sum()
    if not np.isfinite(total) or total <= 0:
        return np.full_like(kernel, 1.0 / kernel.size)
    return np.asarray(kernel / total)


def gaussian(parameters: np.ndarray, size: int) -> np.ndarray:
    """Gaussian cut to a (size, size) window.

    Args:
        parameters: Centre (row, column) relative to the window's middle, log standard deviations along the two axes,
            and the angle of the first axis in radians, from the row direction downwards.
        size: Length of the window.

    Returns:
        (size, size) kernel with sum 1.
    """
    row, column, log_a, log_b, angle = parameters
    position = _from_middle(size)
    y = position[:, None] - row
    x = position[None, :] - column
    along = np.cos(angle) * x + np.sin(angle) * y
    across = np.cos(angle) * y - np.sin(angle) * x
    power = 0.5 * ((along / np.exp(log_a)) ** 2 + (across / np.exp(log_b)) ** 2)
    # Relative to the largest value: a narrow Gaussian between the pixels does not vanish.
    return _normalised(np.exp(-(power - power.min())))


def round_gaussian(parameters: np.ndarray, size: int) -> np.ndarray:
    """`gaussian` with one width: parameters are centre row, centre column, log standard deviation."""
    row, column, log_width = parameters
    return gaussian(np.array([row, column, log_width, log_width, 0.0]), size)


def box(parameters: np.ndarray, size: int) -> np.ndarray:
    """Rectangle with fractional edges: parameters are centre row, centre column, log height, log width."""
    row, column, log_height, log_width = parameters
    position = _from_middle(size)

    def profile(centre: float, length: float) -> np.ndarray:
        # How much of every pixel, half a pixel to either side, the rectangle covers.
        low = np.maximum(position - 0.5, centre - length / 2)
        high = np.minimum(position + 0.5, centre + length / 2)
        return np.asarray(np.clip(high - low, 0.0, None))

    rows = profile(row, np.exp(log_height))
    columns = profile(column, np.exp(log_width))
    return _normalised(np.outer(rows, columns))


def motion(parameters: np.ndarray, size: int) -> np.ndarray:
    """Straight motion, softened: parameters are centre row, centre column, log length, angle, log softness."""
    row, column, log_length, angle, log_soft = parameters
    steps = (np.linspace(-0.5, 0.5, STEPS_PER_TAP * size + 1)) * np.exp(log_length)
    soft = max(np.exp(log_soft), SOFTEST)
    position = _from_middle(size)

    def profile(centres: np.ndarray) -> np.ndarray:
        distance = position[:, None] - centres[None, :]  # (size, steps)
        return np.asarray(np.exp(-0.5 * (distance / soft) ** 2))

    rows = profile(row + np.sin(angle) * steps)
    columns = profile(column + np.cos(angle) * steps)
    return _normalised(rows @ columns.T)  # a round spot at every step, added up
