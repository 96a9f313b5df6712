"""Checks of the numbers themselves: their type, whether they are finite, how many axes they have."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from paddle_umsft.config.data import SHORTEST_NM
from paddle_umsft.errors import DataError

# Integers, signed and not, and real floating point numbers, by the letters that numpy gives them.
REAL_KINDS = "iuf"
KIND_NAMES = {"c": "complex numbers", "b": "truth values"}
# A message is one line: what a user handed over is shown up to these lengths.
SHOWN_REASON = 120
SHOWN_VALUE = 60
SHOWN_NUMBERS = 4


def check_numeric(array: Any, where: str) -> np.ndarray:
    """Refuse complex numbers, text, objects, truth values, rows of several lengths and masked values.

    Args:
        array: Anything that numpy can make an array of.
        where: What it is called in the message.

    Returns:
        The array.

    Raises:
        DataError: No array, its type is not an integer or a real floating point type, or values are masked.
    """
    if isinstance(array, np.ma.MaskedArray):
        masked = int(np.ma.count_masked(array))
        if masked:
            raise DataError(
                "values",
                where=where,
                expected="none masked",
                got=f"{masked} of {array.size}",
                hint="fill them, or cut them away",
            )
    try:
        values = np.asarray(array)
    except (TypeError, ValueError) as error:
        # Rows of several lengths.
        reason = str(error)[:SHOWN_REASON]
        raise DataError("not an array", where=where, got=reason) from None
    kind = values.dtype.kind
    if kind not in REAL_KINDS:
        named = KIND_NAMES.get(kind, "text or objects")
        raise DataError(
            "type of the values",
            where=where,
            expected="real numbers",
            got=f"{values.dtype} ({named})",
        )
    return values


def check_finite(array: np.ndarray, where: str) -> np.ndarray:
    """Refuse NaN and infinity, with their count and the first position.

    Args:
        array: Any shape.
        where: What it is called in the message.

    Returns:
        The array as it came.

    Raises:
        DataError: Any value is not finite.
    """
    if array.dtype.kind != "f":
        return array
    # Neither the least nor the largest of numbers is one of them if any is not: a look that takes no memory.
    if array.size > 0 and np.isfinite(array.min()) and np.isfinite(array.max()):
        return array
    bad = ~np.isfinite(array)
    count = int(bad.sum())
    if count == 0:
        return array
    position = np.unravel_index(int(bad.argmax()), array.shape)
    first = tuple(int(index) for index in position)
    raise DataError(
        "values",
        where=where,
        expected="finite numbers only",
        got=f"{count} NaN or infinite of {array.size}, the first ({array[first]}) at index {first}",
    )


def check_axes(array: np.ndarray, where: str) -> np.ndarray:
    """Refuse what has not three axes.

    Args:
        array: Any shape.
        where: What it is called in the message.

    Returns:
        The array as it came.

    Raises:
        DataError: The number of axes is not three.
    """
    if array.ndim == 3:
        return array
    hint = None
    # Two axes are what a flattened image has, and a way out can be named.
    if array.ndim == 2:
        hint = "reshape it to (rows, columns, bands) first"
    raise DataError(
        "number of axes",
        where=where,
        expected="3 (rows, columns, bands)",
        got=f"{array.ndim} (shape {array.shape})",
        hint=hint,
    )


def check_cube(
    cube: np.ndarray,
    where: str,
    stored: Optional[np.dtype] = None,
) -> np.ndarray:
    """Check an image cube: three axes, real, finite, neither empty nor constant.

    Args:
        cube: (H, W, C), any real type.
        where: What it is called in the message.
        stored: The type that its numbers have in their file, where they are held in another one; for the message.

    Returns:
        The cube as it came.

    Raises:
        DataError: Anything of that does not hold.
    """
    cube = check_numeric(cube, where)
    check_axes(cube, where)
    if cube.size == 0:
        raise DataError("empty image", where=where, got=f"shape {cube.shape}")
    check_finite(cube, where)
    low = cube.min()
    high = cube.max()
    if low < high:
        return cube
    if stored is not None:
        high = high.astype(stored)
    what = f"the image is constant ({high} everywhere)"
    if high == 0:
        what = "the image is all zero"
    raise DataError(
        what,
        where=where,
        hint="there is nothing to fuse; is it the right file and key?",
    )


def to_float32(cube: np.ndarray, where: str) -> np.ndarray:
    """Return checked values as float32, if they are still what they were: neither infinite nor all zero.

    Args:
        cube: Any shape, finite, not all zero.
        where: What it is called in the message.

    Raises:
        DataError: They lie beyond what float32 can hold.
    """
    # What is infinite is found below, in the house's own words.
    with np.errstate(over="ignore", under="ignore"):
        single = np.ascontiguousarray(cube, dtype=np.float32)
    if np.isfinite(single).all() and single.any():
        return single
    largest = float(np.abs(cube).max())
    raise DataError(
        "values",
        where=where,
        expected="numbers that float32 can hold, best about [0, 1]",
        got=f"largest {largest:.3g}",
        hint="divide them by their maximum",
    )


def check_wavelengths(
    wavelengths_nm: Any,
    bands: int,
    where: str = "wavelengths_nm",
) -> np.ndarray:
    """Check band centres: one number per band, finite, positive, in nm, no two alike.

    Args:
        wavelengths_nm: (C,), in any order.
        bands: C.
        where: What they are called in the message.

    Returns:
        (C,) float64.

    Raises:
        DataError: Anything of that does not hold.
    """

    def refusal(
        expected: str,
        got: Any,
        hint: Optional[str] = None,
    ) -> DataError:
        return DataError(
            "band centres",
            where=where,
            expected=expected,
            got=got,
            hint=hint,
        )

    try:
        # NumPy drops imaginary parts with a warning only.
        if np.iscomplexobj(wavelengths_nm):
            raise TypeError
        nm = np.asarray(wavelengths_nm, dtype=np.float64)
    except (TypeError, ValueError):
        raise refusal(f"{bands} numbers", repr(wavelengths_nm)[:SHOWN_VALUE]) from None
    if nm.shape != (bands,):
        raise refusal(f"({bands},)", nm.shape)
    if not np.all(np.isfinite(nm)) or nm.min() <= 0:
        raise refusal("positive numbers in nm", nm.tolist()[:SHOWN_NUMBERS])
    if nm.max() < SHORTEST_NM:
        got = f"{nm.min():g}...{nm.max():g}"
        raise refusal("nanometres", got, "micrometres are multiplied by 1000")
    values, counts = np.unique(nm, return_counts=True)
    if len(values) < bands:
        most = int(counts.argmax())
        got = f"{counts[most]} bands at {values[most]:g} nm"
        raise refusal("one wavelength per band, no two alike", got, "data.wavelengths_nm goes before those of a file")
    return nm
