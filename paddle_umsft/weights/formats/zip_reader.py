"""Reads the table of a zip file and gives its members as views: nothing is unpacked, nothing trusted.

The standard library's `zipfile` reads the table. What it does not promise is added here: a bound on the table, members
that neither overlap nor lie about their sizes, and one kind of error, whatever comes to pass.

References:
    PKWARE, .ZIP File Format Specification (APPNOTE.TXT) 6.3.10, sections 4.3.7, 4.3.16, 4.4.4.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Union, cast

from paddle_umsft.errors import ConversionError

# Bytes of the largest table that is read, 50 times that of a checkpoint of 500 tensors. `zipfile` takes some 600 bytes
# of memory for an entry of 46, so that the largest table costs 100 MB.
_MAX_TABLE = 8 << 20
# A member begins with a header: 30 bytes, the last four of which are the lengths of the name and the extra field that
# follow it.
_HEADER_BYTES = 30
_HEADER_MAGIC = b"PK\3\4"
_LENGTHS_AT = 26
# The file ends with a record of 22 bytes that counts the members, and a comment of 65535 bytes at most.
_END_MAGIC = b"PK\5\6"
_END_SEARCH = 22 + 65535
_COUNT_AT = 10
# The count where the true one does not fit in 16 bits and stands elsewhere.
_COUNT_ELSEWHERE = 0xFFFF
_ENCRYPTED = 1
_SHOWN_NAME = 80


@dataclass(frozen=True)
class Member:
    """One file inside a zip file.

    Args:
        name: Its path.
        stored: Whether it lies there as it is, not compressed.
        data: Its bytes as they lie in the file.
        size: How many bytes they unpack to.
        crc: Checksum of the unpacked bytes.
    """

    name: str
    stored: bool
    data: memoryview
    size: int
    crc: int


class _Window(io.RawIOBase):
    """A buffer as the file that `zipfile` wants, which gives no more than a table at once.

    Args:
        view: The buffer.
    """

    def __init__(self, view: memoryview) -> None:
        super().__init__()
        self._view = view
        self._at = 0

    def seekable(self) -> bool:
        """Say that any place can be gone to."""
        return True

    def tell(self) -> int:
        """Return the place."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place.

        Raises:
            OSError: It lies before the beginning, as for files.
        """
        if whence == io.SEEK_END:
            offset += len(self._view)
        elif whence == io.SEEK_CUR:
            offset += self._at
        if offset < 0:
            raise OSError("a place before the beginning")
        self._at = offset
        return offset

    def read(self, count: int = -1) -> bytes:
        """Return the next bytes, all that are left by default.

        Raises:
            ValueError: They are more than any table has.
        """
        end = len(self._view)
        if count >= 0:
            end = min(end, self._at + count)
        if end - self._at > _MAX_TABLE:
            raise ValueError("a table too long")
        data = bytes(self._view[self._at : end])
        self._at += len(data)
        return data


def read_table(view: memoryview, where: Union[Path, str]) -> dict[str, Member]:
    """List what a zip file holds.

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
    except (struct.error, IndexError, EOFError):
        raise ConversionError("damaged zip file (its table is cut short)", where=where) from None
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, OSError) as error:
        raise ConversionError(f"damaged zip file ({error})", where=where) from None


def unpack(member: Member, where: Union[Path, str]) -> memoryview:
    """Return a member's bytes, their checksum checked.

    Args:
        member: The member.
        where: The file, for messages.

    Raises:
        ConversionError: It is compressed, which `torch.save` never does, or damaged.
    """
    if not member.stored:
        raise ConversionError(
            f"member {member.name!r} is compressed",
            where=where,
            hint="torch.save does not compress; if this file was zipped again by hand, use zip -0",
        )
    if zlib.crc32(member.data) != member.crc:
        raise ConversionError(f"member {member.name!r} is damaged (checksum)", where=where)
    return member.data


def _read_table(view: memoryview) -> dict[str, Member]:
    stated_count = _stated_count(view)
    window = cast(IO[bytes], _Window(view))
    with zipfile.ZipFile(window) as archive:
        entries = archive.infolist()
    if stated_count not in (len(entries), _COUNT_ELSEWHERE):
        raise ValueError("its table has another number of members than its end record says")
    members: dict[str, Member] = {}
    spans: list[tuple[int, int]] = []
    for entry in entries:
        shown = repr(entry.filename[:_SHOWN_NAME])
        if entry.flag_bits & _ENCRYPTED:
            raise ValueError("it is encrypted")
        if entry.filename in members:
            raise ValueError(f"two members named {shown}")
        stored = entry.compress_type == zipfile.ZIP_STORED
        if stored and entry.compress_size != entry.file_size:
            raise ValueError(f"member {shown} lies about its size")
        begin = _data_begin(view, entry.header_offset)
        end = begin + entry.compress_size
        if end > len(view):
            raise ValueError("a member lies outside the file")
        members[entry.filename] = Member(
            name=entry.filename,
            stored=stored,
            data=view[begin:end],
            size=entry.file_size,
            crc=entry.CRC,
        )
        spans.append((entry.header_offset, end))
    _check_apart(spans)
    return members


def _stated_count(view: memoryview) -> int:
    """Return how many members the end record counts; `zipfile` looks at the table alone."""
    tail = bytes(view[-_END_SEARCH:])
    at = tail.rfind(_END_MAGIC)
    if at < 0:
        raise ValueError("it has no end record: cut short?")
    (count,) = struct.unpack_from("<H", tail, at + _COUNT_AT)
    return int(count)


def _data_begin(view: memoryview, header: int) -> int:
    """Return where a member's bytes begin: behind its header, which has lengths of its own."""
    if header < 0 or bytes(view[header : header + len(_HEADER_MAGIC)]) != _HEADER_MAGIC:
        raise ValueError("a member's header is missing")
    name_length, extra_length = struct.unpack_from("<2H", view, header + _LENGTHS_AT)
    return header + _HEADER_BYTES + int(name_length) + int(extra_length)


def _check_apart(spans: list[tuple[int, int]]) -> None:
    """Raise ValueError if members overlap: small files become endless ones that way."""
    covered = 0
    for begin, end in sorted(spans):
        if begin < covered:
            raise ValueError("its members overlap")
        covered = end
