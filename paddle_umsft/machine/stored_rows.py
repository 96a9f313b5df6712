"""An array in a .npy file of a folder of one's own, of which only the rows that are asked for are in memory.

A map of the file (`np.load(mmap_mode="r")`) would do the same but for two things: what was touched counts as memory of
the process for as long as it is mapped, and a link under that name would be followed.
"""

from __future__ import annotations

import threading
import weakref
from pathlib import Path
from typing import Any, Union

import numpy as np

from paddle_umsft.machine.plain_files import open_plain

# Rows, or rows and columns.
Key = Union[np.ndarray, slice, tuple[Any, ...]]


class StoredRows:
    """(H, W, C) in a file; indexed by rows, or by rows and columns, as an array is.

    Args:
        path: The .npy; it stays open as long as this object is there.

    Attributes:
        shape: (H, W, C).
        dtype: Of its numbers.

    Raises:
        OSError: It is missing, or no plain file.
        ValueError: It is no array in C order, or one of Python objects.
    """

    def __init__(self, path: Path) -> None:
        self._file = open_plain(path)
        weakref.finalize(self, self._file.close)
        # Threads that make parts of a strip side by side ask for rows of their own.
        self._lock = threading.Lock()
        version = np.lib.format.read_magic(self._file)
        read_head = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read_head = np.lib.format.read_array_header_2_0
        self.shape, is_fortran, self.dtype = read_head(self._file)
        if is_fortran or self.dtype.hasobject:
            raise ValueError(f"{path.name} is not what was written")
        self._begin = self._file.tell()
        self._row_bytes = int(np.prod(self.shape[1:])) * self.dtype.itemsize
        self._name = path.name

    def __len__(self) -> int:
        """H."""
        return int(self.shape[0])

    @property
    def size(self) -> int:
        """Values of all of it."""
        return int(np.prod(self.shape))

    def __getitem__(self, key: Key) -> np.ndarray:
        """Read some rows; of these the columns that are asked for."""
        rest: tuple[Any, ...] = ()
        if isinstance(key, tuple):
            key, *others = key
            rest = (slice(None), *others)
        if not isinstance(key, (slice, np.ndarray)):
            raise TypeError(f"rows are asked for by their numbers or by a range, not by {key!r}")
        rows = np.arange(len(self))[key]
        if len(rows) == 0:
            return np.asarray(np.empty((0, *self.shape[1:]), dtype=self.dtype)[rest])
        # Neighbouring rows are read at one go.
        ends = np.flatnonzero(np.diff(rows) != 1) + 1
        found = np.empty((len(rows), *self.shape[1:]), dtype=self.dtype)
        for first, end in zip([0, *ends], [*ends, len(rows)]):
            self._read_into(found[first:end], int(rows[first]))
        return np.asarray(found[rest])

    def _read_into(self, part: np.ndarray, top: int) -> None:
        """Read neighbouring rows, the first of which is `top`."""
        view = part.reshape(-1).view(np.uint8)
        with self._lock:
            self._file.seek(self._begin + top * self._row_bytes)
            # Buffered files read all that is asked for, unless there is no more.
            if self._file.readinto(view) != len(view):  # type: ignore[attr-defined]
                raise OSError(f"{self._name} is too short")

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
