"""Reads the table of a zip file and gives its members as views: nothing is unpacked to disk, nothing trusted.

Python's ``zipfile`` would do, but it reads the whole table first (a table of ten million entries costs gigabytes), and
it raises whatever comes to pass. A weight file needs little: names, sizes, offsets, checksums.

References:
    PKWARE, .ZIP File Format Specification (APPNOTE.TXT) 6.3.10, sections 4.3.7, 4.3.12, 4.3.14-4.3.16, 4.5.3.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from paddle_umsft.errors import ConversionError

_MAX_MEMBERS = 100_000
_MAX_GROWTH = 50  # all members unpacked, as a multiple of the file; weights seldom shrink by half


@dataclass(frozen=True)
class Member:
    """One file inside a zip file.

    Args:
        name: Its path.
        method: 0 stored, 8 deflated.
        data: Its bytes as they lie in the file.
        size: How many bytes they unpack to.
        crc: Checksum of the unpacked bytes.
    """

    name: str
    method: int
    data: memoryview
    size: int
    crc: int


def read_table(view: memoryview, where: Path | str) -> dict[str, Member]:
    """Lists what a zip file holds.

    Args:
        view: The whole file.
        where: Its name, for messages.

    Returns:
        Member by name.

    Raises:
        ConversionError: The table is damaged, too long, or lies about sizes.
    """
    try:
        return _read_table(view)
    except (struct.error, IndexError, UnicodeError):
        raise ConversionError("damaged zip file (its table is cut short)", where=where) from None
    except ValueError as error:
        raise ConversionError(f"damaged zip file ({error})", where=where) from None


def unpack(member: Member, where: Path | str, *, allow_deflate: bool) -> memoryview:
    """Returns a member's bytes, their checksum checked.

    Args:
        member: The member.
        where: The file, for messages.
        allow_deflate: Whether it may be compressed (.npz may; torch.save never compresses).

    Raises:
        ConversionError: It is compressed though it may not be, does not unpack to the size it states, or is damaged.
    """
    if member.method == 0:
        data = member.data
    elif member.method == 8 and allow_deflate:
        try:
            data = memoryview(zlib.decompressobj(-15).decompress(member.data, member.size + 1))
        except zlib.error:
            raise ConversionError(f"member {member.name!r} is damaged", where=where) from None
    else:
        raise ConversionError(
            f"member {member.name!r} is compressed",
            where=where,
            hint="torch.save does not compress; if this file was zipped again by hand, use zip -0",
        )
    if len(data) != member.size:
        raise ConversionError(f"member {member.name!r} is not of the size it states", where=where)
    if zlib.crc32(data) != member.crc:
        raise ConversionError(f"member {member.name!r} is damaged (checksum)", where=where)
    return data


def _read_table(view: memoryview) -> dict[str, Member]:
    count, size, start = _find_directory(view)
    if count > _MAX_MEMBERS:
        raise ValueError(f"{count} members")
    if start + size > len(view):
        raise ValueError("its table lies outside the file")
    members: dict[str, Member] = {}
    at, total = start, 0
    for _ in range(count):
        fields = struct.unpack("<4s6H3L5H2L", view[at : at + 46])
        if fields[0] != b"PK\1\2":
            raise ValueError("its table is out of step")
        flags, method, crc, packed, unpacked = fields[3], fields[4], *fields[7:10]
        name_length, extra_length, comment_length, offset = *fields[10:13], fields[16]
        name = str(view[at + 46 : at + 46 + name_length], "utf-8")
        extra = view[at + 46 + name_length : at + 46 + name_length + extra_length]
        unpacked, packed, offset = _zip64(extra, unpacked, packed, offset)
        if flags & 1:
            raise ValueError("it is encrypted")
        if name in members:
            raise ValueError(f"two members named {name[:80]!r}")
        data = _member_data(view, offset, packed)
        if method == 0 and packed != unpacked:
            raise ValueError(f"member {name[:80]!r} lies about its size")
        total += unpacked
        members[name] = Member(name, method, data, unpacked, crc)
        at += 46 + name_length + extra_length + comment_length
    if total > _MAX_GROWTH * len(view):
        raise ValueError(f"it claims to unpack to {total} bytes")
    return members


def _find_directory(view: memoryview) -> tuple[int, int, int]:
    """Returns the number of members, and size and offset of the table."""
    tail_start = max(0, len(view) - 65557)
    at = bytes(view[tail_start:]).rfind(b"PK\5\6")
    if at < 0:
        raise ValueError("it has no end record: cut short?")
    at += tail_start
    _, disk, _, _, count, size, start, _ = struct.unpack("<4s4H2LH", view[at : at + 22])
    if at >= 20 and bytes(view[at - 20 : at - 16]) == b"PK\6\7":
        (record,) = struct.unpack("<Q", view[at - 12 : at - 4])
        fields = struct.unpack("<4sQ2H2L4Q", view[record : record + 56])
        if fields[0] != b"PK\6\6":
            raise ValueError("its 64-bit end record is missing")
        disk, count, size, start = fields[4], *fields[7:10]
    if disk:
        raise ValueError("it is one part of several")
    return count, size, start


def _zip64(extra: memoryview, unpacked: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Returns the three numbers, those that read 0xFFFFFFFF replaced by their 64-bit form."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack("<HH", extra[at : at + 4])
        if kind == 1:
            body, wide = extra[at + 4 : at + 4 + length], 0
            numbers = [unpacked, packed, offset]
            for index, value in enumerate(numbers):
                if value == 0xFFFFFFFF:
                    (numbers[index],) = struct.unpack("<Q", body[wide : wide + 8])
                    wide += 8
            return numbers[0], numbers[1], numbers[2]
        at += 4 + length
    return unpacked, packed, offset


def _member_data(view: memoryview, offset: int, packed: int) -> memoryview:
    """Returns a member's bytes; its local header says where they begin."""
    fields = struct.unpack("<4s5H3L2H", view[offset : offset + 30])
    if fields[0] != b"PK\3\4":
        raise ValueError("a member's header is missing")
    begin = offset + 30 + fields[9] + fields[10]
    if begin + packed > len(view):
        raise ValueError("a member lies outside the file")
    return view[begin : begin + packed]
