"""Families of PSFs with a handful of parameters: Gaussian (any axes), box and motion, each cut to a window."""

from __future__ import annotations

from typing import Callable

import numpy as np

Shape = Callable[[np.ndarray, int], np.ndarray]


def _normalised(kernel: np.ndarray) -> np.ndarray:
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
    middle = (size - 1) / 2
    y = np.arange(size)[:, None] - middle - row
    x = np.arange(size)[None, :] - middle - column
    along, across = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    power = 0.5 * ((along / np.exp(log_a)) ** 2 + (across / np.exp(log_b)) ** 2)
    return _normalised(np.exp(-(power - power.min())))


def round_gaussian(parameters: np.ndarray, size: int) -> np.ndarray:
    """`gaussian` with one width: parameters are centre row, centre column, log standard deviation."""
    row, column, log_width = parameters
    return gaussian(np.array([row, column, log_width, log_width, 0.0]), size)


def box(parameters: np.ndarray, size: int) -> np.ndarray:
    """Rectangle with fractional edges: parameters are centre row, centre column, log height, log width."""
    row, column, log_height, log_width = parameters
    middle = np.arange(size) - (size - 1) / 2

    def profile(centre: float, length: float) -> np.ndarray:
        low, high = centre - length / 2, centre + length / 2
        return np.asarray(np.clip(np.minimum(middle + 0.5, high) - np.maximum(middle - 0.5, low), 0.0, None))

    return _normalised(np.outer(profile(row, np.exp(log_height)), profile(column, np.exp(log_width))))


def motion(parameters: np.ndarray, size: int) -> np.ndarray:
    """Straight motion, softened: parameters are centre row, centre column, log length, angle, log softness."""
    row, column, log_length, angle, log_soft = parameters
    steps = (np.linspace(-0.5, 0.5, 4 * size + 1)) * np.exp(log_length)
    soft = max(np.exp(log_soft), 0.2)
    position = np.arange(size) - (size - 1) / 2

    def profile(centres: np.ndarray) -> np.ndarray:
        return np.asarray(np.exp(-0.5 * ((position[:, None] - centres[None, :]) / soft) ** 2))

    return _normalised(profile(row + np.sin(angle) * steps) @ profile(column + np.cos(angle) * steps).T)


def starts(scale: int, size: int) -> list[tuple[str, Shape, list[np.ndarray]]]:
    """Families with the starting points worth a try at this scale and window."""
    widths = [np.log(scale * factor) for factor in (0.3, 0.8)]
    lean = [np.array([0.0, 0.0, width]) for width in widths]
    oblique = [np.array([0.0, 0.0, widths[0] + 0.15, widths[0] - 0.15, angle]) for angle in (0.0, 0.8)]
    return [
        ("gaussian", round_gaussian, lean),
        ("gaussian-oblique", gaussian, oblique),
        ("box", box, [np.array([0.05, 0.05, np.log(f * scale), np.log(f * scale)]) for f in (0.55, 0.93)]),
        (
            "motion",
            motion,
            [np.array([0.0, 0.0, np.log(0.6 * scale), a, np.log(0.6 + 0.04 * size)]) for a in (0.4, 1.2, 2.0, 2.8)],
        ),
    ]
