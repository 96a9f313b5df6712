"""Writes a file whole or not at all, and hashes it on the way."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import BinaryIO, Callable

from paddle_umsft.errors import ConversionError


class HashingFile:
    """Passes bytes on to a file, counts and hashes them.

    Args:
        file: Where they go.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.position = 0

    def write(self, data: bytes | memoryview) -> None:
        """Writes bytes."""
        self._file.write(data)
        self._digest.update(data)
        self.position += len(data)

    def hexdigest(self) -> str:
        """Returns the sha256 of what was written."""
        return self._digest.hexdigest()


def write_atomically(path: Path, write: Callable[[HashingFile], None]) -> str:
    """Writes under a temporary name beside the target, then moves it there.

    Args:
        path: The target; what was there is replaced, or kept if anything fails.
        write: Writes the content.

    Returns:
        sha256 of the file.

    Raises:
        ConversionError: It cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            hashing = HashingFile(file)
            write(hashing)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise ConversionError(f"cannot be written ({error.strerror or error})", where=path) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return hashing.hexdigest()
