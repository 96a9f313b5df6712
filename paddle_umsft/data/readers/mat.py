"""MATLAB's .mat, both generations: version 5, and 7.3, which is HDF5.

Arrays keep the axes that their author gave them: a v7.3 file stores them reversed, which is undone here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import numpy as np

from paddle_umsft.data.readers.base import RawArray, Request, guarded
from paddle_umsft.data.readers.named import Entry, read_named

# A v7.3 file is HDF5 behind a 512-byte MATLAB header; bare HDF5 under the name .mat occurs as well.
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
MATLAB_HEADER_BYTES = 512
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
    if _is_hdf5(file):
        entries = guarded(file, "MATLAB v7.3 file", lambda: _hdf5_entries(file))
    else:
        entries = guarded(file, "MATLAB file", lambda: _version5_entries(file))
    return read_named(file, entries, request)


def _is_hdf5(file: Path) -> bool:
    """Return whether the file is HDF5, behind MATLAB's header or bare."""
    length = len(HDF5_MAGIC)
    with file.open("rb") as stream:
        head = stream.read(MATLAB_HEADER_BYTES + length)
    return HDF5_MAGIC in (head[:length], head[MATLAB_HEADER_BYTES:])


def _version5_entries(file: Path) -> dict[str, Entry]:
    """List the variables of a version 5 file; scipy reads only their headers for that."""
    import scipy.io

    entries = {}
    for name, shape, kind in scipy.io.whosmat(str(file)):
        entries[name] = Entry(
            shape=tuple(shape),
            kind=kind,
            load=_version5_loader(file, name),
            is_numeric=kind in NUMERIC_CLASSES,
        )
    return entries


def _version5_loader(file: Path, name: str) -> Callable[[], np.ndarray]:
    """Return what loads one variable."""

    def load() -> np.ndarray:
        import scipy.io

        found = scipy.io.loadmat(str(file), variable_names=[name])
        return np.asarray(found[name])

    return load


def _hdf5_entries(file: Path) -> dict[str, Entry]:
    """List the arrays of a v7.3 file; groups (structs, cells) are passed over."""
    import h5py

    entries = {}
    with h5py.File(file, "r") as handle:
        for name, item in handle.items():
            if not isinstance(item, h5py.Dataset):
                continue
            entries[name] = Entry(
                shape=tuple(item.shape[::-1]),
                kind=str(item.dtype),
                load=_hdf5_loader(file, name),
                is_numeric=_is_numeric_dataset(item),
            )
    return entries


def _is_numeric_dataset(item: Any) -> bool:
    """Return whether a dataset holds numbers. MATLAB stores the shape of an empty array as its values, and marks it."""
    return item.dtype.kind in "iuf" and "MATLAB_empty" not in item.attrs


def _hdf5_loader(file: Path, name: str) -> Callable[[], np.ndarray]:
    """Return what loads one array."""

    def load() -> np.ndarray:
        import h5py

        with h5py.File(file, "r") as handle:
            stored = np.asarray(handle[name][()])
        # MATLAB writes columns first: axes come reversed.
        return np.asarray(stored.T)

    return load
