"""Which axis is which, what the values are divided by, and which wavelength each band has."""

from __future__ import annotations

from typing import Optional, Union

import numpy as np

from paddle_umsft.data.checks import SHORTEST_NM, check_wavelengths
from paddle_umsft.errors import DataError


def to_hwc(
    array: np.ndarray, layout: str, where: str, *, wavelengths: Optional[int] = None, key: str = "data.layout"
) -> np.ndarray:
    """Brings an array with three axes to (rows, columns, bands). Nothing is ever transposed but the band axis.

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
        (H, W, C), a view where possible.

    Raises:
        DataError: Two readings are possible.
    """
    if layout == "hwc":
        return array
    if layout == "chw":
        return np.moveaxis(array, 0, -1)
    first, middle, last = array.shape
    if wavelengths is not None and first != last and wavelengths in (first, last):
        return array if last == wavelengths else np.moveaxis(array, 0, -1)
    if 2 * last < min(first, middle):
        return array
    if 2 * first < min(middle, last):
        return np.moveaxis(array, 0, -1)
    hint = f"say which with {key}=hwc (rows, columns, bands) or chw (bands, rows, columns)"
    raise DataError("the order of the axes can be read in two ways", where=where, got=f"shape {array.shape}", hint=hint)


def divisor_of(cube: np.ndarray, normalise: Union[str, float], where: str) -> float:
    """The number that a cube's values are to be divided by.

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
            hint = "use max, none or a number"
            raise DataError("normalise", where=where, expected="integers for dtype", got=cube.dtype, hint=hint)
        return float(np.iinfo(cube.dtype).max)
    largest = float(cube.max())
    if largest <= 0:
        raise DataError("normalise", where=where, expected="values above zero for max", got=f"maximum {largest:g}")
    return largest


def wavelengths_for(
    bands: int, configured: Optional[list[float]], found: Optional[np.ndarray], where: str
) -> Optional[np.ndarray]:
    """(C,) band centres in nm: the configured ones, else those found in the file, else None.

    Args:
        bands: C.
        configured: [first, last] or one number per band.
        found: Wavelengths from the file, in nm.
        where: What the cube is called in a message.

    Raises:
        DataError: Neither two numbers nor one per band; or not positive and finite; or two bands share one.
    """
    if configured is not None:
        if len(configured) == bands:
            return np.asarray(configured, np.float64)
        if len(configured) == 2:
            return np.linspace(configured[0], configured[1], bands)
        expected = f"[first, last] or {bands} numbers"
        raise DataError("data.wavelengths_nm", where=where, expected=expected, got=f"{len(configured)} numbers")
    if found is None:
        return None
    if len(found) != bands:
        got, hint = f"{len(found)} in the file", "set data.wavelengths_nm"
        raise DataError("number of wavelengths", where=where, expected=f"{bands} as bands", got=got, hint=hint)
    return check_wavelengths(found, bands, f"{where}: wavelengths in the file")


def in_nm(found: Optional[np.ndarray], unit: str, where: str) -> tuple[Optional[np.ndarray], tuple[str, ...]]:
    """Wavelengths of a file in nm.

    Args:
        found: As they stand in the file, or None.
        unit: As the file names it; "" if it does not: numbers below 50 are then taken as micrometres.
        where: What the file is called in a note.

    Returns:
        The wavelengths, and a note where micrometres were converted.
    """
    if found is None or not found.size:
        return found, ()
    named = unit.lower().startswith(("micro", "um", "µm", "μm"))
    if not named and (unit or not found.max() < SHORTEST_NM):
        return found, ()
    note = f"{where}: wavelengths {found.min():g}...{found.max():g} taken as micrometres"
    return found * 1000.0, (note,)


def sort_bands(
    cube: np.ndarray, wavelengths_nm: Optional[np.ndarray]
) -> tuple[np.ndarray, Optional[np.ndarray], Optional[tuple[int, ...]], tuple[str, ...]]:
    """Puts the bands in ascending order of wavelength.

    Returns:
        Cube, wavelengths, and if anything moved: of each band its place in the file, and a note.
    """
    if wavelengths_nm is None or np.all(np.diff(wavelengths_nm) > 0):
        return cube, wavelengths_nm, None, ()
    order = np.argsort(wavelengths_nm, kind="stable")
    places = int((np.diff(wavelengths_nm) <= 0).sum())
    note = f"bands sorted by wavelength: they were out of order at {places} place{'s' if places > 1 else ''}"
    return np.ascontiguousarray(cube[:, :, order]), wavelengths_nm[order], tuple(order.tolist()), (note,)
