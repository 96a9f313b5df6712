"""One run at a time in a folder: a lock that the system lets go of when its process is gone, however it went.

Processes of one `paddle.distributed.launch` work in one folder together. They share the lock, and what stands in it
tells a launch from another one; each rank has a lock of its own besides.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paddle_umsft.errors import DataError

LOCK = ".lock"
# What paddle.distributed.launch tells all processes of one launch alike.
LAUNCH_VARIABLES = ("PADDLE_TRAINER_ENDPOINTS", "PADDLE_MASTER", "PADDLE_JOB_ID")
# A rank that begins holds the lock alone for a moment, while it writes who they are.
PATIENCE_SECONDS = 3.0
PAUSE_SECONDS = 0.05
# What a file system says that knows no locks.
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS)


@contextmanager
def only_run_in(folder: Path, rank: int, size: int) -> Iterator[None]:
    """Hold a run's folder for this process, or for all processes of its launch.

    On Windows, and where a file system knows no locks, nothing is held.

    Args:
        folder: The run's.
        rank: Of this process in its launch.
        size: How many processes the launch has; 1: there is no launch.

    Raises:
        DataError: Another run is at work there, or the lock cannot be made.
    """
    held = [_open(folder, LOCK)]
    try:
        if size == 1:
            _hold_alone(held[0], folder)
        else:
            held.append(_open(folder, f"{LOCK}_{rank}"))
            _hold_alone(held[1], folder)
            _hold_with_launch(held[0], folder, size)
        yield
    finally:
        for handle in held:
            os.close(handle)  # which lets go


@contextmanager
def hold_if_free(folder: Path, name: str) -> Iterator[bool]:
    """Hold a piece of work for this process, if nobody else does; say whether it is held.

    Where a file system knows no locks two processes may do the same work, with the same result.

    Args:
        folder: Where the lock lies.
        name: Of the piece.
    """
    handle = _open(folder, name)
    try:
        yield _locked(handle, shared=False)
    finally:
        os.close(handle)  # which lets go


def is_at_work(folder: Path, rank: int) -> bool:
    """Whether the process of that rank holds its lock in a run's folder."""
    name = f"{LOCK}_{rank}"
    if not (folder / name).exists():
        return False
    with hold_if_free(folder, name) as is_free:
        return not is_free


def _open(folder: Path, name: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        return os.open(folder / name, flags, 0o666)
    except OSError as error:
        raise DataError("cannot be locked", where=folder, got=error, hint="--output DIR") from None


def _in_use(folder: Path) -> DataError:
    hint = "wait for it or stop it, then --resume"
    return DataError("another run is at work in this folder", where=folder, hint=hint)


def _hold_alone(handle: int, folder: Path) -> None:
    if not _locked(handle, shared=False):
        raise _in_use(folder)


def _hold_with_launch(handle: int, folder: Path, size: int) -> None:
    """Share the lock with the processes of this launch."""
    launch = " ".join([f"{size} processes", *(os.environ.get(name, "") for name in LAUNCH_VARIABLES)])
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        # The first one finds the lock free, and says who they are.
        if _locked(handle, shared=False):
            os.ftruncate(handle, 0)
            os.pwrite(handle, launch.encode(), 0)
        if _locked(handle, shared=True):
            if os.pread(handle, len(launch) + 1, 0) == launch.encode():
                return
            raise _in_use(folder)
        time.sleep(PAUSE_SECONDS)
    raise _in_use(folder)


def _locked(handle: int, *, shared: bool) -> bool:
    """Whether the lock could be had; a lock held already changes its kind."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    kind = fcntl.LOCK_EX
    if shared:
        kind = fcntl.LOCK_SH
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in NO_LOCKS
    return True
