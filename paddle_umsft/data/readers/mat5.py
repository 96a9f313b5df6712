"""What a MATLAB file of level 5 holds, without loading it. Strings, dates and tables beside a cube are passed over.

scipy lists a file's variables only if it knows every kind in it; today's MATLAB keeps objects (class 17) there, too.

References:
    MathWorks: MAT-File Format, level 5 (R2019b), chapter 1: tags, array flags, compressed elements.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Optional

HEADER_BYTES = 128
# Where the header's last two letters are, and what they say of the order of bytes.
ENDIAN_AT = 126
ENDIANS = {b"IM": "<", b"MI": ">"}
TAG_BYTES = 8
# Types of elements.
MATRIX = 14
COMPRESSED = 15
# Flags, dimensions and name stand at the beginning of a matrix: names have 63 letters at most, axes are few.
HEAD_BYTES = 1024
# Classes of arrays by their numbers, as scipy names them.
CLASSES = {
    1: "cell",
    2: "struct",
    3: "object",
    4: "char",
    5: "sparse",
    6: "double",
    7: "single",
    8: "int8",
    9: "uint8",
    10: "int16",
    11: "uint16",
    12: "int32",
    13: "uint32",
    14: "int64",
    15: "uint64",
    16: "function",
    17: "opaque",
}
OPAQUE = 17
LOGICAL_FLAG = 0x0200


@dataclass(frozen=True)
class Variable:
    """One variable of a file.

    Attributes:
        name: Its name.
        shape: Its shape; () for an object.
        kind: Its class.
    """

    name: str
    shape: tuple[int, ...]
    kind: str


def is_level5(file: Path) -> bool:
    """Return whether the file's header is that of level 5."""
    with file.open("rb") as stream:
        head = stream.read(HEADER_BYTES)
    return head[ENDIAN_AT:] in ENDIANS


def list_variables(file: Path) -> list[Variable]:
    """List the variables of a level 5 file in its own order.

    Raises:
        ValueError: The file ends within a variable.
        struct.error: The same, within a tag.
        zlib.error: A compressed variable is damaged.
    """
    found = []
    size = file.stat().st_size
    with file.open("rb") as stream:
        order = ENDIANS[stream.read(HEADER_BYTES)[ENDIAN_AT:]]
        while stream.tell() + TAG_BYTES <= size:
            kind, length = struct.unpack(order + "II", stream.read(TAG_BYTES))
            start = stream.tell()
            if start + length > size:
                raise ValueError("the file ends within a variable")
            variable = _variable(
                stream,
                kind,
                length,
                order,
            )
            if variable is not None:
                found.append(variable)
            stream.seek(start + length)
    return found


def _variable(
    stream: BinaryIO,
    kind: int,
    length: int,
    order: str,
) -> Optional[Variable]:
    """Read what an element says of itself; None for one that is no variable."""
    head = stream.read(min(length, HEAD_BYTES))
    if kind == COMPRESSED:
        head = zlib.decompressobj().decompress(head, HEAD_BYTES)
        (kind,) = struct.unpack_from(order + "I", head)
        head = head[TAG_BYTES:]
    if kind != MATRIX:
        return None
    flags, place = _part(
        head,
        0,
        order,
    )
    (bits,) = struct.unpack_from(order + "I", flags)
    number = bits & 0xFF
    shape: tuple[int, ...] = ()
    # An object has no dimensions of its own.
    if number != OPAQUE:
        dimensions, place = _part(
            head,
            place,
            order,
        )
        shape = struct.unpack(f"{order}{len(dimensions) // 4}i", dimensions)
    name, _ = _part(
        head,
        place,
        order,
    )
    # What MATLAB keeps for itself has no name.
    if not name:
        return None
    label = CLASSES.get(number, f"class {number}")
    if bits & LOGICAL_FLAG:
        label = "logical"
    return Variable(
        name=name.decode("latin-1"),
        shape=shape,
        kind=label,
    )


def _part(
    head: bytes,
    place: int,
    order: str,
) -> tuple[bytes, int]:
    """Return the data of a part of an element, and where the next one begins: at a multiple of eight bytes."""
    kind, length = struct.unpack_from(
        order + "II",
        head,
        place,
    )
    # Up to four bytes of data stand within the tag, whose upper half then is their number.
    small = kind >> 16
    if small:
        return head[place + 4 : place + 4 + small], place + TAG_BYTES
    start = place + TAG_BYTES
    padded = (length + TAG_BYTES - 1) // TAG_BYTES * TAG_BYTES
    return head[start : start + length], start + padded
