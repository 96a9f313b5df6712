"""Point spread functions in high-resolution pixels: made by formula or read from a file.

Every PSF is a (k, k) float64 array that sums to 1. Where it sits relative to a low-resolution pixel is
the business of `SpatialDegradation`: its first tap is HR pixel `i * scale + first_tap(k, scale)`.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Callable, Optional

import numpy as np

from paddle_umsft.cameras.spatial import first_tap
from paddle_umsft.config.data import PsfConfig
from paddle_umsft.data.checks import check_psf
from paddle_umsft.data.readers.table import read_table
from paddle_umsft.errors import ConfigError, unknown_name

# The published code's sigma is s // 1.5.
REFERENCE_SIGMA_DIVISOR = 1.5
# Full width at half maximum of a Gaussian, in standard deviations: 2 sqrt(2 ln 2).
FWHM_IN_SIGMAS = 2.3548
# A track a quarter of an LR pixel wide.
MOTION_WIDTH_SHARE = 0.25


def reference_line(size: int, sigma: float) -> np.ndarray:
    """Return the published code's Gaussian in one dimension, of which `reference_psf` is the outer product (P9).

    Args:
        size: k, number of taps.
        sigma: Standard deviation in taps.

    Returns:
        (size,) float64, sums to 1.

    Raises:
        ConfigError: Size or sigma not positive.
    """
    _check_size(size)
    _check_width(sigma)
    start = math.floor(-(size - 1) / 2)
    offsets = start + np.arange(size, dtype=np.float64)
    return _gaussian_line(offsets, sigma)


def reference_psf(size: int, sigma: float) -> np.ndarray:
    """Return the published code's Gaussian: whole-number offsets, so half a pixel off its centre for even sizes (P9).

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
    line = reference_line(size, sigma)
    return np.outer(line, line)


def gaussian_psf(
    size: int,
    sigma: float,
    scale: Optional[int] = None,
) -> np.ndarray:
    """Return a Gaussian that is truly centred.

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
    _check_size(size)
    _check_width(sigma)
    centre = (size - 1) / 2
    if scale is not None:
        # Counted from the first tap, which lies so far from the LR pixel's first HR pixel.
        centre = (scale - 1) / 2 - first_tap(size, scale)
    offsets = np.arange(size, dtype=np.float64) - centre
    line = _gaussian_line(offsets, sigma)
    return np.outer(line, line)


def box_psf(size: int) -> np.ndarray:
    """Return the mean over size x size pixels, as (size, size) float64.

    Raises:
        ConfigError: Size not positive.
    """
    _check_size(size)
    return np.full((size, size), 1.0 / (size * size))


def motion_psf(
    size: int,
    angle_deg: float = 45.0,
    width: float = 1.0,
) -> np.ndarray:
    """Return the track of a straight, even movement: a line through the middle with a Gaussian cross-section.

    Args:
        size: k; the line is `size` HR pixels long.
        angle_deg: Direction in degrees, counted from the row direction (to the right) downwards.
        width: Standard deviation across the line, HR pixels.

    Returns:
        (size, size) float64, sums to 1.

    Raises:
        ConfigError: Size or width not positive.
    """
    _check_size(size)
    _check_width(width)
    offsets = np.arange(size, dtype=np.float64) - (size - 1) / 2
    y, x = np.meshgrid(offsets, offsets, indexing="ij")
    angle = math.radians(angle_deg)
    cosine = math.cos(angle)
    sine = math.sin(angle)
    along = x * cosine + y * sine
    across = -x * sine + y * cosine
    # The ends fade over one pixel, so that the length need not be a whole number of taps.
    from_end = size / 2 + 0.5 - np.abs(along)
    line = np.clip(from_end, 0.0, 1.0)
    # A width near zero overflows the square; what comes of it is refused below.
    with np.errstate(over="ignore"):
        power = 0.5 * (across / width) ** 2
    psf = line * np.exp(-power)
    total = _checked_sum(psf, width)
    return np.asarray(psf / total)


def load_psf(path: str, key: Optional[str] = None) -> np.ndarray:
    """Read a PSF from .npy, .npz, .mat, .csv or .txt and scale it to sum 1.

    Args:
        path: The file.
        key: Name of the array in a .mat or .npz, if there are several.

    Returns:
        (k, k) float64, sums to 1.

    Raises:
        DataError: No such file, not readable, not square, negative, not finite, or all zero.
    """
    found = read_table(path, key=key, option="observe.psf.key")
    psf = check_psf(found.values, where=Path(path).name)
    return np.asarray(psf / psf.sum())


def build_psf(settings: PsfConfig, scale: int) -> np.ndarray:
    """Make the PSF that the configuration asks for.

    Defaults where size or sigma is not given: `reference` s x s with sigma s // 1.5; `gaussian` 2s (2s + 1 for
    odd s) with a full width at half maximum of one LR pixel; `box` s x s; `motion` s + 1 taps, s / 4 wide.

    Args:
        settings: Section `observe.psf`.
        scale: s.

    Returns:
        (k, k) float64, sums to 1.

    Raises:
        ConfigError: No such type, or size or sigma not positive.
        DataError: The file of a `file` PSF cannot be used.
    """
    check_psf_type(settings)
    make = TYPES[settings.type]
    return make(settings, scale)


def check_psf_type(settings: PsfConfig) -> None:
    """Check that there is a PSF of the type that the configuration names.

    Raises:
        ConfigError: There is none; the nearest known one is suggested.
    """
    if settings.type not in TYPES:
        raise unknown_name("PSF", settings.type, TYPES, where="observe.psf.type")


def _reference(settings: PsfConfig, scale: int) -> np.ndarray:
    size = settings.size or scale
    sigma = settings.sigma or float(scale // REFERENCE_SIGMA_DIVISOR)
    return reference_psf(size, sigma)


def _gaussian(settings: PsfConfig, scale: int) -> np.ndarray:
    # As even or odd as the scale: then the middle of the array is the centre of the LR pixel.
    size = settings.size or 2 * scale + scale % 2
    sigma = settings.sigma or scale / FWHM_IN_SIGMAS
    return gaussian_psf(size, sigma, scale)


def _box(settings: PsfConfig, scale: int) -> np.ndarray:
    size = settings.size or scale
    return box_psf(size)


def _motion(settings: PsfConfig, scale: int) -> np.ndarray:
    size = settings.size or scale + 1
    width = settings.sigma or scale * MOTION_WIDTH_SHARE
    return motion_psf(size, settings.angle_deg, width)


def _file(settings: PsfConfig, scale: int) -> np.ndarray:
    if settings.path is None:
        raise ConfigError("a PSF of type file needs a path", where="observe.psf.path")
    return load_psf(settings.path, settings.key)


# By `observe.psf.type`. A new one is one function and one row here.
TYPES: dict[str, Callable[[PsfConfig, int], np.ndarray]] = {
    "reference": _reference,
    "gaussian": _gaussian,
    "box": _box,
    "motion": _motion,
    "file": _file,
}


def _gaussian_line(offsets: np.ndarray, sigma: float) -> np.ndarray:
    """Return the normalised Gaussian sampled at the offsets."""
    # A sigma near zero divides zero by zero; what comes of it is refused below.
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        power = offsets**2 / (2 * sigma**2)
        line = np.exp(-power)
    total = _checked_sum(line, sigma)
    return np.asarray(line / total)


def _checked_sum(values: np.ndarray, sigma: float) -> float:
    """Return the sum of a PSF's values: one so narrow that it falls between the pixels has none."""
    total = float(values.sum())
    # Written so that not a number counts as none.
    if total > 0:
        return total
    raise ConfigError(
        "PSF too narrow for the pixels",
        where="observe.psf.sigma",
        expected="a larger one",
        got=sigma,
    )


def _check_size(size: int) -> None:
    """Refuse a size that is no whole number of taps."""
    if int(size) != size or size < 1:
        raise ConfigError(
            "PSF size",
            where="observe.psf.size",
            expected="a whole number >= 1",
            got=size,
        )


def _check_width(sigma: float) -> None:
    """Refuse a width that is not above zero, not a number among them."""
    if not sigma > 0:
        raise ConfigError(
            "PSF width",
            where="observe.psf.sigma",
            expected="a number > 0",
            got=sigma,
        )
