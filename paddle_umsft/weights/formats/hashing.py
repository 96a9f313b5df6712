"""Writes a file whole or not at all, and hashes it on the way."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import BinaryIO, Callable, Union

from paddle_umsft.errors import ConversionError
from paddle_umsft.machine.files import write_whole


class HashingFile:
    """Passes bytes on to a file, counts and hashes them.

    Args:
        file: Where they go.

    Attributes:
        position: How many bytes went there.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.position = 0

    def write(self, data: Union[bytes, memoryview]) -> None:
        """Write bytes."""
        self._file.write(data)
        self._digest.update(data)
        self.position += len(data)

    def hexdigest(self) -> str:
        """Return the sha256 of what was written."""
        return self._digest.hexdigest()


def write_hashed(path: Path, write: Callable[[HashingFile], None]) -> str:
    """Write a file whole or not at all, in a folder that is there.

    Args:
        path: The target; what was there is replaced, or kept if anything fails.
        write: Writes the content.

    Returns:
        sha256 of the file.

    Raises:
        ConversionError: It cannot be written.
    """
    digests: list[str] = []

    def write_temporary(temporary: Path) -> None:
        with open(temporary, "wb") as file:
            hashing = HashingFile(file)
            write(hashing)
            # On the disk before it gets its name: weights are often the only copy, and the power may fail.
            file.flush()
            os.fsync(file.fileno())
        digests.append(hashing.hexdigest())

    write_whole(
        path,
        write_temporary,
        make_folder=False,
        error=ConversionError,
    )
    return digests[0]
