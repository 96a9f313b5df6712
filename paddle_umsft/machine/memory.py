"""Memory: how much the machine or the container leaves, how much this process has, and how it is given back."""

from __future__ import annotations

import ctypes
import gc
import re
import sys
from pathlib import Path
from typing import Optional

from paddle_umsft.errors import ConfigError

MEMINFO = Path("/proc/meminfo")
STATUS = Path("/proc/self/status")
CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
KILOBYTE = 1024
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_SIZE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*$", re.IGNORECASE)
# A limit beyond this is none: version 1 of the control groups writes the largest number there is.
NO_LIMIT = 2**60


def bytes_of(text: str, *, where: str = "runtime.memory") -> int:
    """Read a size such as "4GB", "1.5G" or "800 MB"; a kilobyte has 1024 bytes.

    Args:
        text: What was written.
        where: The setting, for the message.

    Raises:
        ConfigError: It is none.
    """
    match = _SIZE.match(text)
    if match is None or float(match[1]) == 0:
        raise ConfigError(
            "size",
            where=where,
            expected="auto, or a size such as 4GB or 800MB",
            got=text,
        )
    number, unit = match.groups()
    return int(float(number) * UNITS[unit.upper()])


def in_words(size: float) -> str:
    """A size for people: "1.5 GB", "320 MB"."""
    if size >= UNITS["G"]:
        return f"{size / UNITS['G']:.3g} GB"
    return f"{size / UNITS['M']:.0f} MB"


def _field(path: Path, name: str) -> Optional[int]:
    """A number of kilobytes in a file of the system, in bytes; None where there is none."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        key, _, value = line.partition(":")
        if key == name:
            return KILOBYTE * int(value.split()[0])
    return None


def _number(path: Path) -> Optional[int]:
    """The number that a file holds; None where it holds none, such as "max"."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _left_in_groups(root: Path, membership: Path) -> list[int]:
    """What the limits of this process's control groups leave of memory."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        base, limit, usage = root, "memory.max", "memory.current"
        if controllers:
            if "memory" not in controllers.split(","):
                continue
            base, limit, usage = root / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
        parts = [part for part in path.split("/") if part not in ("", "..")]
        # The limit of any group above counts as well; a container may see its own group at the root.
        for depth in range(len(parts) + 1):
            group = base.joinpath(*parts[:depth])
            most = _number(group / limit)
            used = _number(group / usage)
            if most is not None and most < NO_LIMIT:
                found.append(max(0, most - (used or 0)))
    return found


def available_bytes(
    meminfo: Path = MEMINFO,
    root: Path = CGROUPS,
    membership: Path = MEMBERSHIP,
) -> Optional[int]:
    """Memory that this process may still take; None where the system does not tell.

    Args:
        meminfo: Where the system tells of its memory.
        root: Where control groups are mounted.
        membership: Which of them this process is in.
    """
    found = _left_in_groups(root, membership)
    free = _field(meminfo, "MemAvailable")
    if free is not None:
        found.append(free)
    if not found:
        return None
    return min(found)


def peak_bytes() -> Optional[int]:
    """Largest memory that this process has had so far (VmHWM); None where the system does not tell."""
    return _field(STATUS, "VmHWM")


def resident_bytes() -> Optional[int]:
    """Memory that this process has at present (VmRSS); None where the system does not tell."""
    return _field(STATUS, "VmRSS")


def give_back() -> None:
    """Let go of what nobody holds any more, and hand it to the system; takes a tenth of a second.

    Python collects what holds itself in a circle by the number of such things, not by their size: a network's tensors
    may wait for long. And what was let go of stays with the allocator (glibc's), which can be told not to keep it.
    """
    gc.collect()
    if not sys.platform.startswith("linux"):
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    # Other C libraries have none.
    if trim is not None:
        trim(0)
