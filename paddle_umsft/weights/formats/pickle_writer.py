"""The pieces of a pickle that both kinds of weight files are made of: texts, integers, tuples.

References:
    Python's `pickletools` module, which documents every opcode.
"""

from __future__ import annotations

import pickle  # for the opcodes' names alone
import struct
from collections.abc import Iterable

# Larger integers need more than the four bytes of BININT.
_FOUR_BYTES = 1 << 31


def global_name(module: str, name: str) -> bytes:
    """Return the opcodes that push a name."""
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def text(value: str) -> bytes:
    """Return the opcodes that push a string."""
    raw = value.encode("utf-8")
    return pickle.BINUNICODE + struct.pack("<I", len(raw)) + raw


def small_integer(value: int) -> bytes:
    """Return the opcodes that push an integer of 0 to 255."""
    return pickle.BININT1 + struct.pack("<B", value)


def integer(value: int) -> bytes:
    """Return the opcodes that push an integer of 0 to 2**63 - 1."""
    if value < _FOUR_BYTES:
        return pickle.BININT + struct.pack("<i", value)
    eight_bytes = struct.pack("<q", value)
    return pickle.LONG1 + struct.pack("<B", len(eight_bytes)) + eight_bytes


def integers(values: Iterable[int]) -> bytes:
    """Return the opcodes that push a tuple of integers."""
    items = b"".join(integer(int(value)) for value in values)
    return pickle.MARK + items + pickle.TUPLE
