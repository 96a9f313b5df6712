"""Which axis is which, what the values are divided by, and which wavelength each band has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional, Union

import numpy as np

from paddle_umsft.data.checks import check_wavelengths
from paddle_umsft.data.readers.base import RawArray
from paddle_umsft.errors import DataError

# What `guess_layout` returns where two readings are possible.
UNCLEAR = "unclear"
# Rows, columns, bands.
IMAGE_AXES = 3
# A strip of a line scanner has more lines than this, and a spectrometer no more bands than that.
FEWEST_LINES = 12
MOST_BANDS = 640


def to_hwc(
    array: np.ndarray,
    layout: str,
    where: str,
    *,
    wavelengths: Optional[int] = None,
    is_stacked: bool = False,
    key: str = "data.layout",
) -> np.ndarray:
    """Bring an array with three axes to (rows, columns, bands). Nothing is ever transposed but the band axis.

    With layout "auto" the band axis is the first or the last one. It is decided, in this order, by
    1. the number of wavelengths, if known: the end axis of that length, if the other end is of another length;
    2. the lengths: an end axis less than half as long as both other axes is the band axis, as in (512, 512, 31)
       and (31, 512, 512). (100, 100, 102) or (145, 145, 200) can be read in two ways and are refused; so can
       (20, 145, 200), which may be a strip of 20 lines as well as 20 bands;
    3. the file's own order, if it has one (pages of one band each).

    Args:
        array: Three axes.
        layout: "hwc", "chw" or "auto".
        where: What the array is called in a message.
        wavelengths: Number of wavelengths, if known.
        is_stacked: Bands come first by the file's own order.
        key: Config key named in the message.

    Returns:
        (H, W, C): the array itself, or a view with its first axis moved behind.

    Raises:
        DataError: Two readings are possible.
    """
    if layout == "auto":
        layout = guess_layout(array.shape, wavelengths)
        if layout == UNCLEAR and is_stacked:
            layout = "chw"
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


def guess_layout(shape: tuple[int, ...], wavelengths: Optional[int]) -> str:
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
        # So few lines are no image. A spectrometer rarely has as many bands as samples, and never so many.
        is_no_strip = first < FEWEST_LINES or middle == last or last > MOST_BANDS
        if is_no_strip:
            return "chw"
    return UNCLEAR


def guess_note(
    where: str,
    shape: tuple[int, ...],
    layout: str,
    key: str,
) -> str:
    """Return how axes were guessed: a cube on its side fuses without a word otherwise.

    Args:
        where: What the array is called.
        shape: As stored.
        layout: "hwc" or "chw", as it was read.
        key: Config key that decides instead.
    """
    read_as = "rows, columns, bands"
    if layout == "chw":
        read_as = "bands, rows, columns"
    return f"{where} {shape}: read as {read_as} ({key}: auto)"


@dataclass(frozen=True)
class OpenAxes:
    """The axes of one image of a pair, as far as they are known.

    Attributes:
        shape: As stored.
        layout: "hwc", "chw", or "unclear".
        setting: What the user said: "hwc", "chw" or "auto".
    """

    shape: tuple[int, ...]
    layout: str
    setting: str

    @classmethod
    def of(cls, found: RawArray, setting: str, wavelengths: Optional[int]) -> OpenAxes:
        """Say of what a reader found how it is to be read.

        Args:
            found: What it found.
            setting: "hwc", "chw" or "auto".
            wavelengths: Number of wavelengths, if known.
        """
        shape = found.values.shape
        if found.is_upright or len(shape) != IMAGE_AXES:
            return cls(shape=shape, layout="hwc", setting=setting)
        if setting != "auto":
            return cls(shape=shape, layout=setting, setting=setting)
        layout = guess_layout(shape, wavelengths)
        if layout == UNCLEAR and found.is_stacked:
            layout = "chw"
        return cls(shape=shape, layout=layout, setting=setting)

    def size(self, layout: str) -> tuple[int, int]:
        """Return (H, W) in one of the two readings."""
        if layout == "chw":
            return self.shape[1], self.shape[2]
        return self.shape[0], self.shape[1]


def pair_layouts(low: OpenAxes, high: OpenAxes) -> tuple[str, str, tuple[str, ...]]:
    """Read two images so that they fit each other, where the shape of one alone allows two readings.

    Args:
        low: The LR-HSI.
        high: The HR-MSI.

    Returns:
        Of each "hwc", "chw", or "auto" where nothing new was learnt, and a note.
    """
    if UNCLEAR not in (low.layout, high.layout):
        return low.setting, high.setting, ()
    fitting = []
    for lr_layout in _readings(low):
        for hr_layout in _readings(high):
            if _is_tiled(low.size(lr_layout), high.size(hr_layout)):
                fitting.append((lr_layout, hr_layout))
    if len(fitting) != 1:
        return low.setting, high.setting, ()
    lr_layout, hr_layout = fitting[0]
    note = f"LR-HSI {low.shape} read as {lr_layout}, HR-MSI {high.shape} as {hr_layout}: their sizes fit only so"
    return lr_layout, hr_layout, (note,)


def _readings(axes: OpenAxes) -> tuple[str, ...]:
    """Return the readings that are left."""
    if axes.layout == UNCLEAR:
        return ("hwc", "chw")
    return (axes.layout,)


def _is_tiled(low: tuple[int, int], high: tuple[int, int]) -> bool:
    """Return whether the larger image is the smaller one times a whole number from 2 on."""
    factor = high[0] // low[0]
    return factor > 1 and high == (factor * low[0], factor * low[1])


def divisor_of(
    cube: np.ndarray,
    normalise: Union[str, float],
    where: str,
    stored: Optional[np.dtype] = None,
) -> float:
    """Return the number that a cube's values are to be divided by.

    Args:
        cube: Raw values.
        normalise: "max": the largest value; "dtype": the largest number of the integer type (255, 65535 ...);
            "none": 1; or the divisor itself.
        where: What the cube is called in a message.
        stored: Their type in the file, where they are held in another one.

    Raises:
        DataError: "dtype" for floating point values, or "max" where no value is above zero.
    """
    if not isinstance(normalise, str):
        return float(normalise)
    if normalise == "none":
        return 1.0
    if normalise == "dtype":
        dtype = cube.dtype
        if stored is not None:
            dtype = stored
        if dtype.kind not in "iu":
            raise DataError(
                "normalise",
                where=where,
                expected="integers for dtype",
                got=dtype,
                hint="use max, none or a number",
            )
        return float(np.iinfo(dtype).max)
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
    *,
    unplaced: tuple[int, ...] = (),
) -> Optional[np.ndarray]:
    """Return (C,) band centres in nm: the configured ones, else those found in the file, else None.

    Args:
        bands: C.
        configured: [first, last] or one number per band.
        found: Wavelengths from the file, in nm.
        where: What the cube is called in a message.
        unplaced: Bands for which the file has none: not a number is returned for these.

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
    placed = np.ones(bands, bool)
    placed[list(unplaced)] = False
    nm = np.full(bands, np.nan)
    nm[placed] = check_wavelengths(found[placed], int(placed.sum()), f"{where}: wavelengths in the file")
    return nm


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


def bands_of(
    cube: np.ndarray,
    places: Sequence[int],
    *,
    in_place: bool = False,
) -> np.ndarray:
    """Take bands of a cube.

    Args:
        cube: (H, W, C).
        places: Of the n bands that are wanted, none twice.
        in_place: The cube's own memory may be used for them, so that they are not there twice; what was in it is gone.

    Returns:
        (H, W, n).
    """
    if not in_place or not cube.flags.c_contiguous:
        return cube[:, :, list(places)]
    height, width, _ = cube.shape
    flat = cube.reshape(-1)
    whole = flat[: height * width * len(places)].reshape(height, width, len(places))
    # From top to bottom: rows are no longer than they were, and come to lie where rows have been taken from.
    for row in range(height):
        whole[row] = cube[row][:, list(places)]
    return whole


def sort_bands(
    cube: np.ndarray,
    wavelengths_nm: Optional[np.ndarray],
    *,
    in_place: bool = False,
) -> SortedBands:
    """Put the bands in ascending order of wavelength.

    Args:
        cube: (H, W, C).
        wavelengths_nm: (C,) in the cube's order, or None.
        in_place: See `bands_of`.
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
        cube=np.ascontiguousarray(bands_of(cube, order.tolist(), in_place=in_place)),
        wavelengths_nm=wavelengths_nm[order],
        order=tuple(order.tolist()),
        notes=(f"bands sorted by wavelength: they were out of order at {places}",),
    )
