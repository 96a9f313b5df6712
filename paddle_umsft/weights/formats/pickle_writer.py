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
    lines = f"{module}\n{name}\n"
    return pickle.GLOBAL + lines.encode()


def text(value: str) -> bytes:
    """Return the opcodes that push a string."""
    raw = value.encode("utf-8")
    length = struct.pack("<I", len(raw))
    return pickle.BINUNICODE + length + raw


def small_integer(value: int) -> bytes:
    """Return the opcodes that push an integer of 0 to 255."""
    one_byte = struct.pack("<B", value)
    return pickle.BININT1 + one_byte


def integer(value: int) -> bytes:
    """Return the opcodes that push an integer of 0 to 2**63 - 1."""
    if value < _FOUR_BYTES:
        four_bytes = struct.pack("<i", value)
        return pickle.BININT + four_bytes
    eight_bytes = struct.pack("<q", value)
    length = struct.pack("<B", len(eight_bytes))
    return pickle.LONG1 + length + eight_bytes


def integers(values: Iterable[int]) -> bytes:
    """Return the opcodes that push a tuple of integers."""
    pieces = [pickle.MARK]
    for value in values:
        pieces.append(integer(int(value)))
    pieces.append(pickle.TUPLE)
    return b"".join(pieces)
