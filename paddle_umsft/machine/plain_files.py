"""Files of a folder that somebody else may have made: neither links nor pipes are followed, and sums tell changes.

A link in a folder that was sent can point at any file of the reader's machine, and a pipe keeps a reader waiting for
ever. What a run reads of its own folder is therefore opened here.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

# Read at a time while a sum is formed.
_BLOCK_BYTES = 1 << 20
# metrics.json and state.json have some hundred kilobytes; a longer one is none of ours.
MOST_JSON_BYTES = 64 << 20
# Key of the sum of all else that stands in a JSON object.
SEAL = "seal"
NOT_PLAIN = "a link, a pipe or a device, which is not followed"


def is_plain(path: Path) -> bool:
    """Whether there is a regular file under this very name."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False


def is_own_folder(path: Path) -> bool:
    """Whether there is a folder under this very name, not a link to one."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False


def open_plain(path: Path) -> BinaryIO:
    """Open a regular file for reading.

    Raises:
        OSError: It is missing, a link, a pipe or a device, or may not be read.
    """
    return open(path, "rb", opener=_without_following)


def _without_following(name: str, flags: int) -> int:
    if os.path.islink(name):
        raise OSError(errno.EINVAL, NOT_PLAIN, name)
    # O_NOFOLLOW for a link that comes after the question, O_NONBLOCK for a pipe without a writer; Windows has neither.
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    handle = os.open(name, flags)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, NOT_PLAIN, name)
    return handle


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        OSError: It cannot be opened, or is no plain file.
        ValueError: It is not JSON, no object, nested too deeply or too long.
    """
    with open_plain(path) as file:
        text = file.read(MOST_JSON_BYTES + 1)
    if len(text) > MOST_JSON_BYTES:
        raise ValueError(f"{path.name} is too long")
    try:
        content = json.loads(text)
    except RecursionError:
        raise ValueError(f"{path.name} is nested too deeply") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} is no JSON object")
    return content


def digest_of(path: Path) -> str:
    """Return the sha256 of a plain file.

    Raises:
        OSError: It cannot be read, or is no plain file.
    """
    with open_plain(path) as file:
        return digest_of_stream(file)


def digest_of_stream(file: BinaryIO) -> str:
    """Return the sha256 of what is left to read."""
    digest = hashlib.sha256()
    while block := file.read(_BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest()


def seal_of(content: dict[str, Any]) -> str:
    """Return the sha256 of a JSON object, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def read_sealed(path: Path) -> dict[str, Any]:
    """Read a JSON object that was written under a seal (`machine.files.write_sealed`), its seal broken off.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not what was written.
    """
    content = read_json(path)
    if content.pop(SEAL, None) != seal_of(content):
        raise ValueError(f"{path.name} is not what was written")
    return content
