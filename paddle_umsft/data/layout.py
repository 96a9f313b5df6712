"""Which axis is which, what the values are divided by, and which wavelength each band has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Union

import numpy as np

from paddle_umsft.config.data import SHORTEST_NM
from paddle_umsft.data.checks import check_wavelengths
from paddle_umsft.errors import DataError

NM_PER_MICROMETRE = 1000.0
# As ENVI headers and their kin write it; the two letters mu are the micro sign and the Greek letter.
MICROMETRES = ("micro", "um", "µm", "μm")


def to_hwc(
    array: np.ndarray,
    layout: str,
    where: str,
    *,
    wavelengths: Optional[int] = None,
    key: str = "data.layout",
) -> np.ndarray:
    """Bring an array with three axes to (rows, columns, bands). Nothing is ever transposed but the band axis.

    With layout "auto" the band axis is the first or the last one. It is decided, in this order, by
    1. the number of wavelengths, if known: the end axis of that length, if the other end is of another length;
    2. the lengths: an end axis less than half as long as both other axes is the band axis, as in (512, 512, 31)
       and (31, 512, 512). (100, 100, 102) or (145, 145, 200) can be read in two ways and are refused.

    Args:
        array: Three axes.
        layout: "hwc", "chw" or "auto".
        where: What the array is called in a message.
        wavelengths: Number of wavelengths, if known.
        key: Config key named in the message.

    Returns:
        (H, W, C): the array itself, or a view with its first axis moved behind.

    Raises:
        DataError: Two readings are possible.
    """
    if layout == "auto":
        layout = _guess(array.shape, wavelengths)
    if layout == "hwc":
        return array
    if layout == "chw":
        return np.moveaxis(array, 0, -1)  # (C, H, W) -> (H, W, C)
    raise DataError(
        "the order of the axes can be read in two ways",
        where=where,
        got=f"shape {array.shape}",
        hint=f"say which with {key}=hwc (rows, columns, bands) or chw (bands, rows, columns)",
    )


def _guess(shape: tuple[int, ...], wavelengths: Optional[int]) -> str:
    """Return "hwc", "chw", or "unclear"."""
    first, middle, last = shape
    if first != last:
        if wavelengths == last:
            return "hwc"
        if wavelengths == first:
            return "chw"
    # Images have more pixels along each side than bands; twice as many leave no doubt.
    if 2 * last < min(first, middle):
        return "hwc"
    if 2 * first < min(middle, last):
        return "chw"
    return "unclear"


def divisor_of(
    cube: np.ndarray,
    normalise: Union[str, float],
    where: str,
) -> float:
    """Return the number that a cube's values are to be divided by.

    Args:
        cube: Raw values.
        normalise: "max": the largest value; "dtype": the largest number of the integer type (255, 65535 ...);
            "none": 1; or the divisor itself.
        where: What the cube is called in a message.

    Raises:
        DataError: "dtype" for floating point values, or "max" where no value is above zero.
    """
    if not isinstance(normalise, str):
        return float(normalise)
    if normalise == "none":
        return 1.0
    if normalise == "dtype":
        if cube.dtype.kind not in "iu":
            raise DataError(
                "normalise",
                where=where,
                expected="integers for dtype",
                got=cube.dtype,
                hint="use max, none or a number",
            )
        return float(np.iinfo(cube.dtype).max)
    largest = float(cube.max())
    if largest <= 0:
        raise DataError(
            "normalise",
            where=where,
            expected="values above zero for max",
            got=f"maximum {largest:g}",
        )
    return largest


def wavelengths_for(
    bands: int,
    configured: Optional[list[float]],
    found: Optional[np.ndarray],
    where: str,
) -> Optional[np.ndarray]:
    """Return (C,) band centres in nm: the configured ones, else those found in the file, else None.

    Args:
        bands: C.
        configured: [first, last] or one number per band.
        found: Wavelengths from the file, in nm.
        where: What the cube is called in a message.

    Raises:
        DataError: Neither two numbers nor one per band; or not positive and finite; or two bands share one.
    """
    if configured is not None:
        return _configured(bands, configured, where)
    if found is None:
        return None
    if len(found) != bands:
        raise DataError(
            "number of wavelengths",
            where=where,
            expected=f"{bands} as bands",
            got=f"{len(found)} in the file",
            hint="set data.wavelengths_nm",
        )
    return check_wavelengths(found, bands, f"{where}: wavelengths in the file")


def _configured(
    bands: int,
    configured: list[float],
    where: str,
) -> np.ndarray:
    """Return (C,) band centres out of [first, last] or one number per band."""
    # One number per band goes first: a cube of two bands has them both listed.
    if len(configured) == bands:
        return np.asarray(configured, np.float64)
    if len(configured) == 2:
        first, last = configured
        return np.linspace(first, last, bands)
    raise DataError(
        "data.wavelengths_nm",
        where=where,
        expected=f"[first, last] or {bands} numbers",
        got=f"{len(configured)} numbers",
    )


def in_nm(
    found: Optional[np.ndarray],
    unit: str,
    where: str,
) -> tuple[Optional[np.ndarray], tuple[str, ...]]:
    """Bring wavelengths of a file to nm.

    Args:
        found: As they stand in the file, or None.
        unit: As the file names it; "" if it does not: numbers below 50 are then taken as micrometres.
        where: What the file is called in a note.

    Returns:
        The wavelengths, and a note where micrometres were converted.
    """
    if found is None or found.size == 0:
        return found, ()
    is_micrometres = unit.lower().startswith(MICROMETRES)
    if not unit:
        is_micrometres = bool(found.max() < SHORTEST_NM)
    if not is_micrometres:
        return found, ()
    note = f"{where}: wavelengths {found.min():g}...{found.max():g} taken as micrometres"
    return found * NM_PER_MICROMETRE, (note,)


@dataclass(frozen=True)
class SortedBands:
    """A cube whose bands ascend in wavelength, where wavelengths are known.

    Attributes:
        cube: (H, W, C).
        wavelengths_nm: (C,) ascending, or None.
        order: Of each band its place in the file; None: nothing moved.
        notes: Says so, if anything moved.
    """

    cube: np.ndarray
    wavelengths_nm: Optional[np.ndarray] = None
    order: Optional[tuple[int, ...]] = None
    notes: tuple[str, ...] = ()


def sort_bands(cube: np.ndarray, wavelengths_nm: Optional[np.ndarray]) -> SortedBands:
    """Put the bands in ascending order of wavelength.

    Args:
        cube: (H, W, C).
        wavelengths_nm: (C,) in the cube's order, or None.
    """
    if wavelengths_nm is None:
        return SortedBands(cube=cube)
    steps = np.diff(wavelengths_nm)
    if np.all(steps > 0):
        return SortedBands(cube=cube, wavelengths_nm=wavelengths_nm)
    order = np.argsort(wavelengths_nm, kind="stable")
    # Every descent is a place where a second spectrometer, or a misprint, begins.
    count = int((steps <= 0).sum())
    places = "1 place"
    if count > 1:
        places = f"{count} places"
    return SortedBands(
        cube=np.ascontiguousarray(cube[:, :, order]),
        wavelengths_nm=wavelengths_nm[order],
        order=tuple(order.tolist()),
        notes=(f"bands sorted by wavelength: they were out of order at {places}",),
    )
