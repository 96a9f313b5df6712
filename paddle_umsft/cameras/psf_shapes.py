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


def normalised(kernel: np.ndarray) -> np.ndarray:
    """Sum 1; a kernel without a usable sum becomes the mean over the window."""
    total = float(kernel.sum())
    if not np.isfinite(total) or total <= 0:
        return np.full_like(kernel, 1.0 / kernel.size)
    return np.asarray(kernel / total)


def bell(power: np.ndarray) -> np.ndarray:
    """exp(-power) with sum 1, relative to its largest value: a narrow Gaussian between the pixels does not vanish."""
    relative = power - power.min()
    return normalised(np.exp(-relative))


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
    y = position[:, None] - row  # (size, 1)
    x = position[None, :] - column  # (1, size)
    cosine = np.cos(angle)
    sine = np.sin(angle)
    # In the Gaussian's own axes, (size, size).
    along = cosine * x + sine * y
    across = cosine * y - sine * x
    along = along / np.exp(log_a)
    across = across / np.exp(log_b)
    distance = along**2 + across**2
    return bell(0.5 * distance)


def round_gaussian(parameters: np.ndarray, size: int) -> np.ndarray:
    """`gaussian` with one width: parameters are centre row, centre column, log standard deviation."""
    row, column, log_width = parameters
    full = np.array([row, column, log_width, log_width, 0.0])
    return gaussian(full, size)


def box(parameters: np.ndarray, size: int) -> np.ndarray:
    """Rectangle with fractional edges: parameters are centre row, centre column, log height, log width."""
    row, column, log_height, log_width = parameters
    rows = _covered(row, np.exp(log_height), size)
    columns = _covered(column, np.exp(log_width), size)
    kernel = np.outer(rows, columns)
    return normalised(kernel)


def _covered(
    centre: float,
    length: float,
    size: int,
) -> np.ndarray:
    """How much of every pixel, half a pixel to either side, an interval covers: (size,)."""
    position = _from_middle(size)
    start = centre - length / 2
    stop = centre + length / 2
    low = np.maximum(position - 0.5, start)
    high = np.minimum(position + 0.5, stop)
    covered = np.maximum(high - low, 0.0)
    return np.asarray(covered)


def motion(parameters: np.ndarray, size: int) -> np.ndarray:
    """Straight motion, softened: parameters are centre row, centre column, log length, angle, log softness."""
    row, column, log_length, angle, log_soft = parameters
    count = STEPS_PER_TAP * size + 1
    track = np.linspace(-0.5, 0.5, count)
    track = track * np.exp(log_length)  # (count,), HR pixels
    softness = max(np.exp(log_soft), SOFTEST)
    down = row + np.sin(angle) * track
    across = column + np.cos(angle) * track
    rows = _spots(down, softness, size)
    columns = _spots(across, softness, size)
    # A round spot at every step, added up.
    kernel = rows @ columns.T
    return normalised(kernel)


def _spots(
    centres: np.ndarray,
    softness: float,
    size: int,
) -> np.ndarray:
    """Gaussians about every one of the centres, along one axis: (size, count)."""
    position = _from_middle(size)
    distance = position[:, None] - centres[None, :]  # (size, count)
    relative = distance / softness
    power = 0.5 * relative**2
    return np.asarray(np.exp(-power))
