"""MATLAB's .mat, all generations: version 4 and 5, and 7.3, which is HDF5.

Arrays keep the axes that their author gave them: MATLAB stores a v7.3 file's reversed, which is undone here; Python and
others write plain HDF5 under the same name, which is taken as it is.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np

from paddle_umsft.data.readers.base import RawArray, Request, guarded
from paddle_umsft.data.readers.entries import IMAGE_AXES, Entry
from paddle_umsft.data.readers.hdf5 import HDF5_MAGIC, hdf5_entries, hdf5_loader, hdf5_part_loader
from paddle_umsft.data.readers.mat5 import Variable, is_level5, list_variables
from paddle_umsft.data.readers.named import read_named
from paddle_umsft.data.readers.room import check_room

# A v7.3 file is HDF5 behind a 512-byte MATLAB header; bare HDF5 under the name .mat occurs as well.
MATLAB_HEADER_BYTES = 512
MATLAB_HEADER = b"MATLAB"
# What MATLAB writes beside every array of a v7.3 file.
MATLAB_CLASS = "MATLAB_class"
# Where it keeps what cells and objects refer to.
INTERNAL = "#"
# A struct that is no array of structs.
STRUCT = "struct"
SINGLE = (1, 1)
# MATLAB's names of its real numeric classes, as `whosmat` lists them.
NUMERIC_CLASSES = (
    "double",
    "single",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
)


def read_mat(file: Path, request: Request) -> RawArray:
    """Read one array of a .mat file.

    Raises:
        DataError: Not readable, unknown key, no array that fits, or several.
    """
    is_hdf5 = _is_hdf5(file)
    if is_hdf5:
        entries = guarded(
            file,
            "MATLAB v7.3 file",
            lambda: _hdf5_entries(file),
        )
    else:
        entries = guarded(
            file,
            "MATLAB file",
            lambda: _variables(file),
        )
    found = read_named(
        file,
        entries,
        request,
    )
    if is_hdf5 and not _is_by_matlab(file):
        note = f"{file.name}: plain HDF5 under MATLAB's name, axes as they are stored (MATLAB's own are turned over)"
        return replace(found, notes=(*found.notes, note))
    return found


def _is_hdf5(file: Path) -> bool:
    """Return whether the file is HDF5, behind MATLAB's header or bare."""
    length = len(HDF5_MAGIC)
    with file.open("rb") as stream:
        head = stream.read(MATLAB_HEADER_BYTES + length)
    return HDF5_MAGIC in (head[:length], head[MATLAB_HEADER_BYTES:])


def _is_by_matlab(file: Path) -> bool:
    """Return whether MATLAB wrote a file of HDF5, or a program that writes as it does."""
    import h5py

    with file.open("rb") as stream:
        if stream.read(len(MATLAB_HEADER)) == MATLAB_HEADER:
            return True

    def is_marked(name: str, item: Any) -> Optional[bool]:
        if "/" not in name and MATLAB_CLASS in item.attrs:
            return True
        # The walk goes on.
        return None

    # Links to other files are not followed by this walk.
    with h5py.File(file, "r") as handle:
        return bool(handle.visititems(is_marked))


def _variables(file: Path) -> dict[str, Entry]:
    """List the variables of a file of version 4 or 5; only their heads are read for that."""
    import scipy.io

    if is_level5(file):
        listed = list_variables(file)
    else:
        listed = [
            Variable(
                name,
                tuple(shape),
                kind,
            )
            for name, shape, kind in scipy.io.whosmat(str(file))
        ]
    entries = {}
    for variable in listed:
        entries[variable.name] = Entry(
            shape=variable.shape,
            kind=variable.kind,
            load=_loader(file, variable),
            is_numeric=variable.kind in NUMERIC_CLASSES,
        )
    # Only where no variable is an image itself: to look into a struct it has to be loaded.
    if not any(entry.is_numeric and entry.axes == IMAGE_AXES for entry in entries.values()):
        for variable in listed:
            if variable.kind == STRUCT and variable.shape == SINGLE:
                entries.update(_fields(file, variable.name))
    return entries


def _fields(file: Path, name: str) -> dict[str, Entry]:
    """List the arrays of a struct by their paths, `data/cube`."""
    loaded = _loader(file, Variable(name, SINGLE, STRUCT))()
    record = loaded[0, 0]
    entries = {}
    for field in loaded.dtype.names or ():
        values = np.asarray(record[field])
        entries[f"{name}/{field}"] = Entry(
            shape=values.shape,
            kind=str(values.dtype),
            load=_held(values),
            is_numeric=values.dtype.kind in "iuf",
        )
    return entries


def _held(values: np.ndarray) -> Callable[[], np.ndarray]:
    """Return what hands out an array that is loaded already."""
    return lambda: values


def _loader(file: Path, variable: Variable) -> Callable[[], np.ndarray]:
    """Return what loads one variable."""

    def load() -> np.ndarray:
        import scipy.io

        # MATLAB's names of its numbers are NumPy's as well.
        if variable.kind in NUMERIC_CLASSES:
            check_room(file, variable.shape, variable.kind)
        found = scipy.io.loadmat(str(file), variable_names=[variable.name])
        return np.asarray(found[variable.name])

    return load


def _hdf5_entries(file: Path) -> dict[str, Entry]:
    """List the arrays of a v7.3 file, those in structs by their path."""
    import h5py

    # What MATLAB wrote is turned over, and nothing else.
    is_reversed = _is_by_matlab(file)
    entries = {}
    with h5py.File(file, "r") as handle:
        for name, entry in hdf5_entries(file).items():
            if name.startswith(INTERNAL):
                continue
            item = handle[name]
            shape = entry.shape
            dims = entry.dims
            load = entry.load
            load_part = entry.load_part
            chunk = entry.chunk
            if is_reversed:
                shape = shape[::-1]
                dims = dims[::-1]
                load = _reversed_loader(file, name)
                load_part = _reversed_part_loader(file, name)
                if chunk is not None:
                    chunk = chunk[::-1]
            entries[name] = replace(
                entry,
                shape=shape,
                load=load,
                load_part=load_part,
                chunk=chunk,
                dims=dims,
                is_numeric=_is_numeric_dataset(item),
            )
    return entries


def _is_numeric_dataset(item: Any) -> bool:
    """Return whether a dataset holds numbers. MATLAB stores the shape of an empty array as its values, and marks it."""
    if "MATLAB_empty" in item.attrs:
        return False
    # Text, too, is stored as numbers.
    kind = item.attrs.get(MATLAB_CLASS, b"")
    return item.dtype.kind in "iuf" and kind not in (b"char", "char")


def _reversed_loader(file: Path, name: str) -> Callable[[], np.ndarray]:
    """Return what loads one array of MATLAB's: columns first, so that its axes come reversed."""
    load_stored = hdf5_loader(file, name)

    def load() -> np.ndarray:
        return np.asarray(load_stored().T)

    return load


def _reversed_part_loader(file: Path, name: str) -> Callable[[tuple[slice, ...]], np.ndarray]:
    """Return what loads a part of one array of MATLAB's."""
    load_stored = hdf5_part_loader(file, name)

    def load(part: tuple[slice, ...]) -> np.ndarray:
        return np.asarray(load_stored(part[::-1]).T)

    return load
