"""numpy's .npz: a zip archive of named .npy files. Pickled objects are never loaded."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Callable

import numpy as np

from paddle_umsft.data.readers.base import RawArray, Request, guarded
from paddle_umsft.data.readers.entries import Entry
from paddle_umsft.data.readers.named import read_named
from paddle_umsft.data.readers.npy import npy_head
from paddle_umsft.data.readers.room import check_room

MEMBER_SUFFIX = ".npy"


def read_npz(file: Path, request: Request) -> RawArray:
    """Read one array of a .npz file.

    Raises:
        DataError: Not readable, unknown key, no array that fits, or several.
    """
    entries = guarded(file, ".npz file", lambda: _entries(file))
    return read_named(file, entries, request)


def _entries(file: Path) -> dict[str, Entry]:
    """List the arrays: only their headers are read here."""
    entries = {}
    with zipfile.ZipFile(file) as archive:
        for member in archive.namelist():
            if not member.endswith(MEMBER_SUFFIX):
                continue
            with archive.open(member) as stream:
                shape, dtype = npy_head(stream)
            name = member[: -len(MEMBER_SUFFIX)]
            entries[name] = Entry(
                shape=shape,
                kind=str(dtype),
                load=_loader(file, name, shape, dtype),
                is_numeric=dtype.kind in "iuf",
            )
    return entries


def _loader(file: Path, name: str, shape: tuple[int, ...], dtype: np.dtype) -> Callable[[], np.ndarray]:
    """Return what loads one array."""

    def load() -> np.ndarray:
        check_room(file, shape, dtype)
        with np.load(file, allow_pickle=False) as archive:
            return np.asarray(archive[name])

    return load
