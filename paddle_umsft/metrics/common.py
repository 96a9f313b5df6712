"""Checks and building blocks that the conventions share. Pure float64 numpy."""

from __future__ import annotations

import sys
from typing import Any, Optional

import numpy as np

from paddle_umsft.errors import DataError

# Values lie in about [0, 1].
PEAK = 1.0
# Many programs measure on the scale of 8-bit images, and papers tell their errors on it.
EIGHT_BIT = 255.0
# What a float32 image can hold. Squares and products of such numbers are within float64, those of larger ones may not.
LARGEST = float(np.finfo(np.float32).max)
# Letters of a wrong value that a message shows.
SHOWN_VALUE = 60

# numpy's letters for floats, integers, unsigned integers and booleans.
_REAL_KINDS = "fiub"
_INTEGER_KINDS = "iu"


def check_cube(cube: Any, *, where: str) -> np.ndarray:
    """Return a cube as float64 after making sure that figures can be computed from it.

    Args:
        cube: (H, W, C) real numbers.
        where: Name of the argument, for the message.

    Returns:
        (H, W, C) float64.

    Raises:
        DataError: Not three-dimensional, empty, not real numbers, not finite, or beyond what float32 can hold.
    """
    array = np.asarray(cube)
    if array.ndim != 3 or array.size == 0:
        raise DataError(
            "not a cube",
            where=where,
            expected="shape (H, W, C)",
            got=array.shape,
        )
    if array.dtype.kind not in _REAL_KINDS:
        raise DataError(
            "not real numbers",
            where=where,
            got=f"dtype {array.dtype}",
        )
    values = array.astype(np.float64)
    bad = ~np.isfinite(values)
    if bad.any():
        places = np.argwhere(bad)  # (count, 3)
        first = tuple(places[0].tolist())
        raise DataError(
            "NaN or infinity",
            where=where,
            got=f"{len(places)} of them, the first at (row, column, band) {first}",
        )
    largest = float(np.abs(values).max())
    if largest > LARGEST:
        raise DataError(
            "values too large to be squared",
            where=where,
            expected="numbers that float32 can hold, best about [0, 1]",
            got=f"largest {largest:.3g}",
        )
    return values


def check_pair(
    reference: Any,
    fused: Any,
    valid: Optional[np.ndarray] = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return truth and estimate as float64 of one shape.

    A truth of whole numbers is a count of light, not a value in [0, 1]: both are then divided by its maximum, as a
    scene is that is read from a file.

    Args:
        reference: (H, W, C) truth.
        fused: (H, W, C) estimate, in the same units.
        valid: (H, W) bool, the pixels to be judged; None: all. The others may hold anything, and become zero in both.

    Returns:
        Both as (H, W, C) float64.

    Raises:
        DataError: See `check_cube`; or the shapes differ.
    """
    truth = check_cube(_blanked(reference, valid), where="reference")
    estimate = check_cube(_blanked(fused, valid), where="fused")
    if truth.shape != estimate.shape:
        raise DataError(
            "shape differs from the reference",
            where="fused",
            expected=truth.shape,
            got=estimate.shape,
        )
    largest = float(truth.max())
    is_counted = np.asarray(reference).dtype.kind in _INTEGER_KINDS
    if is_counted and largest > PEAK:
        truth = truth / largest
        estimate = estimate / largest
    return truth, estimate


def _blanked(cube: Any, valid: Optional[np.ndarray]) -> Any:
    """Return a cube with zeros where it is not to be judged; as it came if all of it is, or if they do not fit."""
    if valid is None:
        return cube
    array = np.asarray(cube)
    if array.ndim != 3 or array.shape[:2] != valid.shape or array.dtype.kind not in _REAL_KINDS:
        return cube
    return np.where(valid[..., None], array, np.zeros((), dtype=array.dtype))


def judged(cube: np.ndarray, valid: Optional[np.ndarray]) -> np.ndarray:
    """Return the n valid pixels as (1, n, C), for figures to which their places do not matter; the cube if all are.

    Raises:
        DataError: The mask does not fit, or leaves nothing.
    """
    if valid is None:
        return cube
    if valid.shape != cube.shape[:2] or not valid.any():
        raise DataError(
            "not a mask of the reference",
            where="valid",
            expected=f"shape {cube.shape[:2]}, at least one True",
            got=f"shape {valid.shape}, {int(valid.sum())} True",
        )
    if valid.all():
        return cube
    return np.asarray(cube[valid][None])


def live_bands(reference: Any, valid: Optional[np.ndarray] = None) -> np.ndarray:
    """Return which bands hold anything, (C,) bool; all of them where none does.

    A band that is zero or constant in the truth (dead) has no signal that an error could be compared with: it is met
    exactly or by whatever rounding leaves, and a decibel figure of that says nothing. Means over bands leave it out.

    Args:
        reference: (H, W, C) truth.
        valid: (H, W) bool, the pixels that count; None: all.
    """
    pixels = judged(np.asarray(reference), valid)
    live = pixels.max(axis=(0, 1)) > pixels.min(axis=(0, 1))
    if not live.any():
        live = np.ones_like(live)
    return np.asarray(live)


def check_scale(scale: float) -> float:
    """Return the scale factor after making sure that it is a positive number.

    Raises:
        DataError: It is not.
    """
    is_number = isinstance(scale, (int, float, np.integer, np.floating))
    if not is_number or not 0 < scale <= sys.float_info.max:
        raise DataError(
            "not a scale factor",
            where="scale",
            expected="a positive number",
            got=repr(scale)[:SHOWN_VALUE],
        )
    return float(scale)


def band_mse(truth: np.ndarray, estimate: np.ndarray) -> np.ndarray:
    """Return the mean squared error of each band, (C,)."""
    difference = truth - estimate
    mse = np.mean(difference**2, axis=(0, 1))
    return np.asarray(mse)


def decibels(peak: np.ndarray | float, mse: np.ndarray) -> np.ndarray:
    """Return 10·log10(peak²/mse); infinity where the error is zero.

    Args:
        peak: Largest value, a number or (C,).
        mse: (C,) mean squared errors.

    Returns:
        (C,) decibels.
    """
    # A perfect band has no finite PSNR, and a black one no finite ratio: neither is a reason to warn.
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.square(peak) / mse
        ratio = np.where(mse > 0, power, np.inf)
        bels = np.log10(ratio)
    return np.asarray(10.0 * bels)


def spectral_angles(truth: np.ndarray, estimate: np.ndarray) -> np.ndarray:
    """Return the angle between the two spectra of every pixel.

    Args:
        truth: (H, W, C).
        estimate: (H, W, C).

    Returns:
        (H, W) degrees; NaN where either spectrum is all zero, for there is no angle.
    """
    norms = norm_products(truth, estimate)
    defined = norms > 0
    # What a pixel without a spectrum is divided by does not matter: it is left out below.
    divisors = np.where(defined, norms, 1.0)
    angles = angles_by(truth, estimate, divisors)
    return np.asarray(np.where(defined, angles, np.nan))


def norm_products(truth: np.ndarray, estimate: np.ndarray) -> np.ndarray:
    """Return the product of the two spectra's norms of every pixel, (H, W, C) each to (H, W)."""
    norm_a = np.linalg.norm(truth, axis=2)
    norm_b = np.linalg.norm(estimate, axis=2)
    return np.asarray(norm_a * norm_b)


def angles_by(
    truth: np.ndarray,
    estimate: np.ndarray,
    divisors: np.ndarray,
) -> np.ndarray:
    """Return the angle between two spectra in degrees, given what their scalar product is divided by.

    Args:
        truth: (H, W, C).
        estimate: (H, W, C).
        divisors: (H, W), none of them zero.

    Returns:
        (H, W) degrees.
    """
    products = np.sum(truth * estimate, axis=2)
    cosine = products / divisors
    # Rounding takes the cosine of equal spectra past 1, where arccos is NaN.
    cosine = np.clip(cosine, -1.0, 1.0)
    radians = np.arccos(cosine)
    return np.asarray(np.degrees(radians))


def mean_angle(truth: np.ndarray, estimate: np.ndarray) -> float:
    """Return the mean of `spectral_angles` in degrees over the pixels that have one; NaN if none has."""
    angles = spectral_angles(truth, estimate)
    return mean_of_finite(angles)


def ergas(
    truth: np.ndarray,
    estimate: np.ndarray,
    *,
    scale: float,
) -> float:
    """Return ERGAS, the relative global error in synthesis: 100/s·√(mean_b(MSE_b/mean_b²)), mean_b of the reference.

    Bands whose reference has the mean zero (a dead band) have no relative error and are left out; NaN if all are.

    Args:
        truth: (H, W, C) reference.
        estimate: (H, W, C).
        scale: Ratio of the resolutions, s > 1 (not 1/s).

    Returns:
        ERGAS, without unit; 0 is perfect.

    References:
        L. Wald, "Quality of high resolution synthesised images: is there a simple criterion?", Fusion of Earth
        Data, 2000.
    """
    means = truth.mean(axis=(0, 1))
    alive = means != 0
    if not alive.any():
        return float("nan")
    mse = band_mse(truth, estimate)
    relative = mse[alive] / means[alive] ** 2
    root = np.sqrt(relative.mean())
    percent_per_scale = 100.0 / check_scale(scale)
    return float(percent_per_scale * root)


def band_correlation(truth: np.ndarray, estimate: np.ndarray) -> np.ndarray:
    """Return the Pearson correlation of each band over its pixels.

    Args:
        truth: (H, W, C).
        estimate: (H, W, C).

    Returns:
        (C,); NaN for a band that is constant in either image.
    """
    a = truth - truth.mean(axis=(0, 1))
    b = estimate - estimate.mean(axis=(0, 1))
    power_a = np.sum(a * a, axis=(0, 1))  # (C,)
    power_b = np.sum(b * b, axis=(0, 1))
    products = np.sum(a * b, axis=(0, 1))
    norms = np.sqrt(power_a * power_b)
    defined = norms > 0
    # A constant band divides by 1 instead of by nothing, and is left out afterwards.
    divisors = np.where(defined, norms, 1.0)
    correlation = products / divisors
    return np.asarray(np.where(defined, correlation, np.nan))


def mean_correlation(truth: np.ndarray, estimate: np.ndarray) -> float:
    """Return CC, the mean of `band_correlation` over the bands that have one; NaN if none has."""
    correlation = band_correlation(truth, estimate)
    return mean_of_finite(correlation)


def mean_of_finite(values: np.ndarray) -> float:
    """Return the mean over the finite values; NaN if there is none."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return float("nan")
    return float(finite.mean())


def window_sums(
    image: np.ndarray,
    rows: int,
    columns: int,
) -> np.ndarray:
    """Return the sums over all windows of one size that fit.

    Args:
        image: (H, W).
        rows: Height of the windows.
        columns: Their width.

    Returns:
        (H - rows + 1, W - columns + 1).
    """
    # Sums over everything above and to the left: four of them make the sum over a window, whatever its size.
    sums = image.cumsum(axis=0).cumsum(axis=1)
    sums = np.pad(sums, ((1, 0), (1, 0)))  # (H + 1, W + 1)
    whole = sums[rows:, columns:]
    above = sums[:-rows, columns:]
    left = sums[rows:, :-columns]
    corner = sums[:-rows, :-columns]  # taken away twice
    return np.asarray(whole - above - left + corner)


def whole_windows(
    valid: Optional[np.ndarray],
    shape: tuple[int, int],
    window: tuple[int, int],
) -> np.ndarray:
    """Return which windows of one size hold valid pixels only.

    Args:
        valid: (H, W) bool; None: all are.
        shape: (H, W).
        window: Rows and columns of the window.

    Returns:
        (H - rows + 1, W - columns + 1) bool.
    """
    rows, columns = window
    if valid is None:
        return np.ones((shape[0] - rows + 1, shape[1] - columns + 1), dtype=bool)
    hidden = window_sums((~valid).astype(np.float64), rows, columns)
    return np.asarray(hidden == 0)
