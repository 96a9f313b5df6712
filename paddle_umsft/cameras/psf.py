"""Point spread functions in high-resolution pixels: made by formula or read from a file.

Every PSF is a (k, k) float64 array that sums to 1. Where it sits relative to a low-resolution pixel is
the business of `SpatialDegradation`: its first tap is HR pixel `i * scale + first_tap(k, scale)`.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Optional

import numpy as np

from paddle_umsft.config.data import PsfConfig
from paddle_umsft.data.arrays import read_table
from paddle_umsft.data.checks import check_psf
from paddle_umsft.errors import ConfigError


def first_tap(size: int, scale: int) -> int:
    """HR offset of a PSF's first tap from the first HR pixel of its LR pixel: floor((scale - size) / 2)."""
    return (scale - size) // 2


def reference_psf(size: int, sigma: float) -> np.ndarray:
    """The published code's Gaussian: whole-number offsets, so half a pixel off its centre for even sizes (P9).

    Args:
        size: k, number of taps along each side.
        sigma: Standard deviation in HR pixels.

    Returns:
        (size, size) float64, sums to 1; the offsets are the `size` whole numbers from floor(-(size - 1) / 2) up,
        so the peak is at tap `size // 2`.

    Raises:
        ConfigError: Size or sigma not positive.

    References:
        Caoxuheng/HIFtool, Networks/FeafusFormer (simulation of the LR-HSI).
    """
    _check_size(size, sigma)
    start = math.floor(-(size - 1) / 2)
    return _outer_gaussian(np.arange(start, start + size, dtype=np.float64), sigma)


def gaussian_psf(size: int, sigma: float, scale: Optional[int] = None) -> np.ndarray:
    """A Gaussian that is truly centred.

    Args:
        size: k, number of taps along each side.
        sigma: Standard deviation in HR pixels.
        scale: With it the peak lies on the centre of the LR pixel even where `size` and `scale` are not both
            odd or both even; without it, in the middle of the array.

    Returns:
        (size, size) float64, sums to 1.

    Raises:
        ConfigError: Size or sigma not positive.
    """
    _check_size(size, sigma)
    centre = (size - 1) / 2 if scale is None else (scale - 1) / 2 - first_tap(size, scale)
    return _outer_gaussian(np.arange(size, dtype=np.float64) - centre, sigma)


def box_psf(size: int) -> np.ndarray:
    """The mean over size x size pixels, as (size, size) float64."""
    _check_size(size, 1.0)
    return np.full((size, size), 1.0 / (size * size))


def motion_psf(size: int, angle_deg: float = 45.0, width: float = 1.0) -> np.ndarray:
    """The track of a straight, even movement: a line through the middle with a Gaussian cross-section.

    Args:
        size: k; the line is `size` HR pixels long.
        angle_deg: Direction in degrees, counted from the row direction (to the right) downwards.
        width: Standard deviation across the line, HR pixels.

    Returns:
        (size, size) float64, sums to 1.

    Raises:
        ConfigError: Size or width not positive.
    """
    _check_size(size, width)
    offsets = np.arange(size, dtype=np.float64) - (size - 1) / 2
    y, x = np.meshgrid(offsets, offsets, indexing="ij")
    angle = math.radians(angle_deg)
    along = x * math.cos(angle) + y * math.sin(angle)
    across = -x * math.sin(angle) + y * math.cos(angle)
    # The ends fade over one pixel, so that the length need not be a whole number of taps.
    line = np.clip(size / 2 + 0.5 - np.abs(along), 0.0, 1.0)
    with np.errstate(over="ignore"):
        psf = line * np.exp(-0.5 * (across / width) ** 2)
    return np.asarray(psf / _check_sum(psf, width))


def load_psf(path: str, key: Optional[str] = None) -> np.ndarray:
    """Reads a PSF from .npy, .npz, .mat, .csv or .txt and scales it to sum 1.

    Args:
        path: The file.
        key: Name of the array in a .mat or .npz, if there are several.

    Returns:
        (k, k) float64, sums to 1.

    Raises:
        DataError: No such file, not readable, not square, negative, not finite, or all zero.
    """
    psf = check_psf(read_table(path, key=key, option="observe.psf.key").values, where=Path(path).name)
    return np.asarray(psf / psf.sum())


def build_psf(settings: PsfConfig, scale: int) -> np.ndarray:
    """Makes the PSF that the configuration asks for.

    Defaults where size or sigma is not given: `reference` s x s with sigma s // 1.5; `gaussian` 2s (2s + 1 for
    odd s) with a full width at half maximum of one LR pixel; `box` s x s; `motion` s + 1 taps, s / 4 wide.

    Args:
        settings: Section `observe.psf`.
        scale: s.

    Returns:
        (k, k) float64, sums to 1.

    Raises:
        ConfigError: Size or sigma not positive.
        DataError: The file of a `file` PSF cannot be used.
    """
    if settings.type == "file":
        if settings.path is None:
            raise ConfigError("a PSF of type file needs a path", where="observe.psf.path")
        return load_psf(settings.path, settings.key)
    if settings.type == "reference":
        return reference_psf(settings.size or scale, settings.sigma or float(scale // 1.5))
    if settings.type == "gaussian":
        return gaussian_psf(settings.size or 2 * scale + scale % 2, settings.sigma or scale / 2.3548, scale)
    if settings.type == "box":
        return box_psf(settings.size or scale)
    return motion_psf(settings.size or scale + 1, settings.angle_deg, settings.sigma or scale / 4)


def _outer_gaussian(offsets: np.ndarray, sigma: float) -> np.ndarray:
    """Normalised outer product of a Gaussian sampled at the offsets."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        line = np.exp(-(offsets**2) / (2 * sigma**2))
    line /= _check_sum(line, sigma)
    return np.outer(line, line)


def _check_sum(values: np.ndarray, sigma: float) -> float:
    """The sum of a PSF's values: one so narrow that it falls between the pixels has none."""
    total = float(values.sum())
    if not total > 0:  # NaN neither
        what = "PSF too narrow for the pixels"
        raise ConfigError(what, where="observe.psf.sigma", expected="a larger one", got=sigma)
    return total


def _check_size(size: int, sigma: float) -> None:
    if int(size) != size or size < 1:
        raise ConfigError("PSF size", where="observe.psf.size", expected="a whole number >= 1", got=size)
    if not sigma > 0:
        raise ConfigError("PSF width", where="observe.psf.sigma", expected="a number > 0", got=sigma)
