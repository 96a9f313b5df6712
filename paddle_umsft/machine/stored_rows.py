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
        self._name = path.name
        version = np.lib.format.read_magic(self._file)
        # Version 1.0 counts the header's length in two bytes; later ones in four.
        read_head = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read_head = np.lib.format.read_array_header_2_0
        shape, is_fortran, dtype = read_head(self._file)
        if is_fortran or dtype.hasobject:
            raise ValueError(f"{path.name} is not what was written")
        self.shape = shape
        self.dtype = dtype
        self._begin = self._file.tell()
        self._row = shape[1:]
        self._row_bytes = int(np.prod(self._row)) * dtype.itemsize

    def __len__(self) -> int:
        """H."""
        return int(self.shape[0])

    @property
    def size(self) -> int:
        """Values of all of it."""
        return int(np.prod(self.shape))

    def __getitem__(self, key: Key) -> np.ndarray:
        """Read some rows; of these the columns that are asked for."""
        columns: tuple[Any, ...] = ()
        if isinstance(key, tuple):
            key, *columns_asked = key
            columns = tuple(columns_asked)
        if not isinstance(key, (slice, np.ndarray)):
            raise TypeError(f"rows are asked for by their numbers or by a range, not by {key!r}")
        every_row = np.arange(len(self))
        found = self._rows(every_row[key])
        if columns:
            places = (slice(None), *columns)
            found = found[places]
        return np.asarray(found)

    def _rows(self, rows: np.ndarray) -> np.ndarray:
        """Read rows by their numbers."""
        found = np.empty((len(rows), *self._row), dtype=self.dtype)
        if len(rows) == 0:
            return found
        # Neighbouring rows are read at one go.
        breaks = np.flatnonzero(np.diff(rows) != 1) + 1
        begins = [0, *breaks]
        ends = [*breaks, len(rows)]
        for begin, end in zip(begins, ends):
            top = int(rows[begin])
            self._read_into(found[begin:end], top)
        return found

    def _read_into(self, part: np.ndarray, top: int) -> None:
        """Read neighbouring rows, the first of which is `top`."""
        content = part.reshape(-1).view(np.uint8)
        with self._lock:
            self._file.seek(self._begin + top * self._row_bytes)
            # Buffered files read all that is asked for, unless there is no more.
            got = self._file.readinto(content)  # type: ignore[attr-defined]
        if got != len(content):
            raise OSError(f"{self._name} is too short")

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
