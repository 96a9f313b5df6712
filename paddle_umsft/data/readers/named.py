"""Formats that hold several arrays under names (.mat, .npz): which of them is meant, and the wavelengths beside it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Callable, Optional

import numpy as np

from paddle_umsft.data.facts import FileFacts
from paddle_umsft.data.layout import UNCLEAR, guess_layout, guess_note
from paddle_umsft.data.readers.base import RawArray, Request, guarded
from paddle_umsft.data.readers.windows import as_part, within
from paddle_umsft.errors import DataError

# What a list of band centres is called beside a cube.
WAVELENGTH_KEYS = ("wavelengths_nm", "wavelength_nm", "wavelengths", "wavelength")
# Shorter names for the same thing, in lower case, where the list is as long as the cube has bands.
SHORT_KEYS = ("wl", "wls", "wave", "waves", "wavelen", "lambda", "lambdas", "lam", "wvl", "wavelength_um", "bands_nm")
# Full widths at half maximum, and the bad-band list, of the same length.
WIDTH_KEYS = ("fwhm", "fwhm_nm", "fwhms")
GOOD_KEYS = ("bbl", "good_wavelengths")
# An image has at least so many axes: a list beside it is told from its rows.
IMAGE_AXES = 3


@dataclass(frozen=True)
class Entry:
    """One named array of a file, not yet loaded.

    Attributes:
        shape: Its shape, axes as their author had them.
        kind: Its type as the format names it, for messages.
        load: Loads it.
        load_part: Loads a part of it by one slice an axis; None: it can only be loaded whole.
        is_numeric: Integers or real numbers; text, structs and the like cannot be an image.
        facts: What the format says of this array beside its numbers.
    """

    shape: tuple[int, ...]
    kind: str
    load: Callable[[], np.ndarray]
    load_part: Optional[Callable[[tuple[slice, ...]], np.ndarray]] = None
    is_numeric: bool = True
    facts: FileFacts = field(default_factory=FileFacts)

    @property
    def axes(self) -> int:
        """Number of axes, where a MATLAB row, column or single number counts as a vector, not as a table."""
        if len(self.shape) == 2 and min(self.shape) == 1:
            return 1
        return len(self.shape)


def read_named(
    file: Path,
    entries: dict[str, Entry],
    request: Request,
) -> RawArray:
    """Load the array that is meant.

    Args:
        file: The file, for messages.
        entries: Name -> array.
        request: Its key; without one, the only array that fits is taken. Its window.

    Raises:
        DataError: Unknown key, no array that fits, or several.
    """
    key = request.key
    if key is None:
        key = _only_fitting(
            file,
            entries,
            request,
        )
    elif key not in entries:
        raise DataError(
            f"no key {key!r}",
            where=file,
            got=_listing(entries),
        )
    wavelengths = _wavelengths_beside(
        file,
        entries,
        key,
    )
    notes: tuple[str, ...] = ()
    if wavelengths is None:
        name, wavelengths = _list_beside(
            file,
            entries,
            key,
            SHORT_KEYS,
        )
        if wavelengths is not None:
            notes = (f"{file.name}: {name} beside {key} taken as its wavelengths",)
    # Of the same length as the bands, or they are something else.
    _, widths = _list_beside(
        file,
        entries,
        key,
        WIDTH_KEYS,
    )
    _, good = _list_beside(
        file,
        entries,
        key,
        GOOD_KEYS,
    )
    own = entries[key].facts
    bands = replace(own.bands, fwhm_nm=widths)
    if good is not None:
        bands = replace(bands, good=good != 0)
    found = RawArray(
        values=np.zeros(0),
        key=key,
        wavelengths=wavelengths,
        facts=replace(own, bands=bands),
        notes=notes,
    )
    known = request.bands
    if known is None and wavelengths is not None:
        known = len(wavelengths)
    part = _part_of(
        file,
        entries[key],
        replace(request, bands=known),
        found,
    )
    if part is not None:
        return part
    values = guarded(
        file,
        "array",
        entries[key].load,
    )
    return replace(found, values=np.asarray(values))


def _part_of(
    file: Path,
    entry: Entry,
    request: Request,
    found: RawArray,
) -> Optional[RawArray]:
    """Load the part of an array that is wanted.

    Args:
        file: The file, for messages.
        entry: The array.
        request: Window, order of the axes, number of bands.
        found: What is known of the array.

    Returns:
        That part, upright; None where the whole is wanted, or the order of the axes is not known without it.
    """
    if request.window is None or entry.load_part is None or len(entry.shape) != IMAGE_AXES:
        return None
    layout = request.layout
    if layout == "auto":
        layout = guess_layout(entry.shape, request.bands)
        note = guess_note(f"{file.name} key {found.key}", entry.shape, layout, request.option.replace("key", "layout"))
        found = replace(found, notes=(*found.notes, note))
    if layout == UNCLEAR:
        return None
    size = (entry.shape[0], entry.shape[1])
    if layout == "chw":
        size = (entry.shape[1], entry.shape[2])
    rows, columns = within(request.window, size, file)
    part = (rows, columns, slice(None))
    if layout == "chw":
        part = (slice(None), rows, columns)
    load_part = entry.load_part
    values = guarded(
        file,
        "array",
        lambda: load_part(part),
    )
    if layout == "chw":
        values = np.moveaxis(
            values,
            0,
            -1,
        )  # (C, H, W) -> (H, W, C)
    whole = replace(found, values=values, is_upright=True)
    return as_part(whole, request.window, size)


def _list_beside(
    file: Path,
    entries: dict[str, Entry],
    key: str,
    names: tuple[str, ...],
) -> tuple[str, Optional[np.ndarray]]:
    """Return name and numbers of a list that is as long as one end of an image, in the image's own group or above it.

    Args:
        file: The file, for messages.
        entries: Name -> array.
        key: The image.
        names: What the list may be called, in lower case.
    """
    shape = entries[key].shape
    if len(shape) < IMAGE_AXES:
        return "", None
    for name, entry in entries.items():
        last = name.rpartition("/")[2].lower()
        is_list = entry.is_numeric and entry.axes == 1 and name != key
        if is_list and last in names and max(entry.shape) in (shape[0], shape[-1]):
            listed = guarded(
                file,
                "array",
                entry.load,
            )
            return name, np.ravel(listed).astype(np.float64)
    return "", None


def _only_fitting(
    file: Path,
    entries: dict[str, Entry],
    request: Request,
) -> str:
    """Return the name of the only array with a fitting number of axes, the preferred number first."""
    # The next number of axes counts only where no array has the one before.
    preferred = request.axes[0]
    for axes in request.axes:
        fitting = _with_axes(entries, axes)
        if len(fitting) == 1:
            return fitting[0]
        if len(fitting) > 1:
            shown = [f"{name} {entries[name].shape}" for name in fitting]
            raise DataError(
                f"several arrays with {axes} axes",
                where=file,
                got=", ".join(shown),
                hint=f"say which with {request.option}=NAME",
            )
    hint = None
    if 3 in request.axes:
        hint = "a flattened image must be reshaped to (rows, columns, bands) first"
    raise DataError(
        f"no array with {preferred} axes",
        where=file,
        got=_listing(entries),
        hint=hint,
    )


def _with_axes(entries: dict[str, Entry], axes: int) -> list[str]:
    """Return the names of the numeric arrays with so many axes."""
    fitting = []
    for name, entry in entries.items():
        if not entry.is_numeric or entry.axes != axes:
            continue
        # One axis is asked for where a table may have one row; the wavelengths beside it have one as well.
        is_row = len(entry.shape) == 2 and name.lower() not in WAVELENGTH_KEYS
        if axes == 1 and not is_row:
            continue
        fitting.append(name)
    return fitting


def _wavelengths_beside(
    file: Path,
    entries: dict[str, Entry],
    key: str,
) -> Optional[np.ndarray]:
    """Return the list of wavelengths that stands beside an array, as (C,) float64, or None."""
    # Of several in a file of groups the one nearest by path, which is listed with it, comes first.
    group = key.rpartition("/")[0]
    names = sorted(entries, key=lambda name: not name.startswith(group))
    for wanted in WAVELENGTH_KEYS:
        for name in names:
            entry = entries[name]
            is_called_so = name.rpartition("/")[2].lower() == wanted
            # A single number is no list: MATLAB writes one as 1x1. Nor is a cube of one wavelength a pixel.
            is_list = entry.is_numeric and entry.axes == 1 and max(entry.shape, default=0) > 1
            if is_called_so and is_list and name != key:
                listed = guarded(
                    file,
                    "array",
                    entry.load,
                )
                return np.ravel(listed).astype(np.float64)
    return None


def _listing(entries: dict[str, Entry]) -> str:
    """Return what a file holds, for messages."""
    shown = [f"{name} {entry.shape} {entry.kind}" for name, entry in entries.items()]
    return ", ".join(shown) or "nothing"
