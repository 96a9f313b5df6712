"""HDF5 and what is built on it (.h5, .he5, .hdf5, netCDF-4): arrays in nested groups, named by their path."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import numpy as np

from paddle_umsft.data.readers.base import RawArray, Request, guarded
from paddle_umsft.data.readers.named import Entry, read_named

# HDF5's first bytes; a block of the user's own may stand before them, of 512 bytes or a power of two times that.
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


def read_hdf5(file: Path, request: Request) -> RawArray:
    """Read one array of an HDF5 file; its axes are as they are stored.

    Raises:
        DataError: Not readable, unknown key, no array that fits, or several.
    """
    entries = guarded(file, "HDF5 file", lambda: hdf5_entries(file))
    return read_named(file, entries, request)


def hdf5_entries(file: Path) -> dict[str, Entry]:
    """List the arrays of all groups by their paths, without the slash in front."""
    import h5py

    entries: dict[str, Entry] = {}

    def note(name: str, item: Any) -> None:
        # What lies in another file stays there: a data file is not to reach for others.
        if not isinstance(item, h5py.Dataset) or item.is_virtual or item.external:
            return
        entries[name] = Entry(
            shape=tuple(item.shape),
            kind=str(item.dtype),
            load=hdf5_loader(file, name),
            is_numeric=item.dtype.kind in "iuf",
        )

    with h5py.File(file, "r") as handle:
        handle.visititems(note)
    return entries


def hdf5_loader(file: Path, name: str) -> Callable[[], np.ndarray]:
    """Return what loads one array."""

    def load() -> np.ndarray:
        import h5py

        with h5py.File(file, "r") as handle:
            return np.asarray(handle[name][()])

    return load
