"""Formats that hold several arrays under names (.mat, .npz): which of them is meant, and the wavelengths beside it."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Optional

import numpy as np

from paddle_umsft.data.axis_names import axis_roles
from paddle_umsft.data.layout import UNCLEAR, guess_layout, guess_note
from paddle_umsft.data.readers.base import RawArray, Request, Window, guarded, stand_in
from paddle_umsft.data.readers.entries import IMAGE_AXES, Entry
from paddle_umsft.data.readers.lists_beside import WAVELENGTH_KEYS, known_beside
from paddle_umsft.data.readers.room import check_room
from paddle_umsft.data.readers.single import FileBlock, is_exact, read_stored, stored_order
from paddle_umsft.data.readers.windows import as_part, within
from paddle_umsft.errors import DataError

# Of the arrays of a file a message names this many.
SHOWN_ARRAYS = 12
# Of rows, columns and bands their places in an array.
ORDERS = {"hwc": (0, 1, 2), "chw": (1, 2, 0)}


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
    # HDF5's paths may begin with a slash.
    elif key.lstrip("/") in entries:
        key = key.lstrip("/")
    else:
        raise DataError(
            f"no key {key!r}",
            where=file,
            got=_listing(entries),
        )
    wavelengths, facts, notes = known_beside(
        file,
        entries,
        key,
    )
    found = RawArray(
        values=np.zeros(0),
        key=key,
        wavelengths=wavelengths,
        facts=facts,
        notes=notes,
    )
    known = request.bands
    if known is None and wavelengths is not None:
        known = len(wavelengths)
    entry = entries[key]
    if request.is_head:
        # Of an array among others the size is known before it is loaded.
        entry = replace(entry, load=lambda: stand_in(entries[key].shape), load_part=None)
    order, told = _axis_order(
        file,
        entry,
        key,
        replace(request, bands=known),
    )
    found = replace(found, notes=(*found.notes, *told))
    if request.is_single and _can_be_single(entry):
        entry = _as_single(file, entry, order or stored_order(entry.shape, request.layout, known))
        found = replace(found, stored=np.dtype(entries[key].kind).newbyteorder("="))
    if order is not None:
        return _upright(
            file,
            entry,
            order,
            request.window,
            found,
        )
    values = guarded(
        file,
        "array",
        entry.load,
    )
    return replace(found, values=np.asarray(values))


def _axis_order(
    file: Path,
    entry: Entry,
    key: str,
    request: Request,
) -> tuple[Optional[tuple[int, ...]], tuple[str, ...]]:
    """Return which axes of an array are rows, columns and bands, and a note; None where that is decided later.

    The names of the axes decide. Without names it is decided here only where a part is wanted, which cannot be found
    else.
    """
    names = axis_roles(entry.dims)
    if names is not None:
        order = tuple(entry.dims.index(name) for name in names if name)
        stored = ", ".join(entry.dims)
        return order, (f"{file.name} key {key}: axes {stored} by their names",)
    if request.window is None or entry.load_part is None or len(entry.shape) != IMAGE_AXES:
        return None, ()
    layout = request.layout
    notes: tuple[str, ...] = ()
    if layout == "auto":
        layout = guess_layout(entry.shape, request.bands)
        option = request.option.replace("key", "layout")
        notes = (guess_note(f"{file.name} key {key}", entry.shape, layout, option),)
    if layout == UNCLEAR:
        return None, ()
    return ORDERS[layout], notes


def _can_be_single(entry: Entry) -> bool:
    """Whether an array can be read part by part, and its numbers are those of float32."""
    is_image = len(entry.shape) == IMAGE_AXES and 0 not in entry.shape
    return entry.is_numeric and is_image and entry.load_part is not None and is_exact(entry.kind)


def _as_single(file: Path, entry: Entry, order: tuple[int, ...]) -> Entry:
    """Return an array that is loaded into float32, along the blocks that it is stored in.

    Args:
        file: The file, for messages.
        entry: One that `_can_be_single`.
        order: Of rows, columns and bands their places in it.
    """
    load_stored = entry.load_part
    assert load_stored is not None
    rows, columns, bands = order
    block = FileBlock(rows=1, bands=entry.shape[bands])
    if entry.chunk is not None:
        block = FileBlock(rows=entry.chunk[rows], bands=entry.chunk[bands])

    def load_part(part: tuple[slice, ...]) -> np.ndarray:
        wanted = [range(*cut.indices(length)) for cut, length in zip(part, entry.shape)]
        shape = tuple(len(places) for places in wanted)
        check_room(file, shape, np.float32)

        def load_block(cut: tuple[slice, ...]) -> np.ndarray:
            # Places within the part are places of the whole, counted from its first.
            within_whole = [places[some] for places, some in zip(wanted, cut)]
            return load_stored(tuple(slice(places.start, places.stop) for places in within_whole))

        return read_stored(shape, (rows, columns, bands), block, load_block)

    def load() -> np.ndarray:
        return load_part((slice(None),) * IMAGE_AXES)

    return replace(entry, load=load, load_part=load_part)


def _upright(
    file: Path,
    entry: Entry,
    order: tuple[int, ...],
    window: Optional[Window],
    found: RawArray,
) -> RawArray:
    """Load an array, or a part of it, as rows, columns and bands.

    Args:
        file: The file, for messages.
        entry: The array.
        order: Of rows, columns and bands (of a single band: without the last) their places in the array.
        window: The part that is wanted; None: all of it.
        found: What is known of the array.
    """
    size = (entry.shape[order[0]], entry.shape[order[1]])
    load = entry.load
    load_part = entry.load_part
    # What can only be loaded whole is cut by whoever asked.
    if load_part is None:
        window = None
    elif window is not None:
        rows, columns = within(window, size, file)
        part = [slice(None)] * len(order)
        part[order[0]] = rows
        part[order[1]] = columns

        def load_window() -> np.ndarray:
            return load_part(tuple(part))

        load = load_window
    stored = guarded(
        file,
        "array",
        load,
    )
    values = np.transpose(stored, order)  # (H, W) or (H, W, C)
    whole = replace(found, values=values, is_upright=True)
    return as_part(whole, window, size)


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
            shown = [f"{name} {entries[name].shape}" for name in fitting[:SHOWN_ARRAYS]]
            if len(fitting) > SHOWN_ARRAYS:
                shown.append(f"... ({len(fitting)} of them)")
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


def _listing(entries: dict[str, Entry]) -> str:
    """Return what a file holds, for messages."""
    shown = [f"{name} {entry.shape} {entry.kind}" for name, entry in islice(entries.items(), SHOWN_ARRAYS)]
    if len(entries) > SHOWN_ARRAYS:
        shown.append(f"... ({len(entries)} of them)")
    return ", ".join(shown) or "nothing"
