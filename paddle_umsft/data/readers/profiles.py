"""Colour profiles of pictures: what the numbers stand for, named where it is not what screens take for granted.

References:
    ICC.1:2022, 7.2 (header), 7.3 (tag table), 10.15 (multiLocalizedUnicodeType), and version 2's textDescriptionType.
    PNG specification, 11.3.2.3 (iCCP). ICC.1:2022, annex B.4 (JPEG, segments APP2).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8"
PNG_PROFILE = b"iCCP"
PNG_DATA = b"IDAT"
JPEG_PROFILE = b"ICC_PROFILE\0"
# Of JPEG's segments: the one that holds profiles, and the one with which the picture begins.
APP2 = 0xE2
SCAN = 0xDA
# Bytes of a PNG's chunk before its data (length and kind) and behind them (a sum); of a JPEG's segment before its data.
CHUNK_HEAD = 8
CHUNK_SUM = 4
SEGMENT_HEAD = 4
TAG_ENTRY = 12
# In a profile: where the tags are counted, the entry of its name, and the two ways in which a name is written.
TAGS_AT = 128
DESCRIPTION = b"desc"
LOCALISED = b"mluc"
# What screens, and whoever makes pictures for them, take for granted.
USUAL = "srgb"


def profile_note(profile: bytes, name: str) -> tuple[str, ...]:
    """Return a note on a picture's colour profile; none without one, or for sRGB.

    Args:
        profile: Its bytes, b"" if there is none.
        name: Of the file.
    """
    if not profile:
        return ()
    label = _label_of(profile) or "without a name"
    if label.lower().startswith(USUAL):
        return ()
    return (
        f"{name}: colour profile {label!r}: numbers are taken as they are; a tone curve is found by the fusion, the "
        "camera's own responses are other ones than sRGB's",
    )


def profile_of(content: bytes) -> bytes:
    """Return the colour profile of a PNG or a JPEG, b"" without one or where it is damaged.

    Args:
        content: Of the file.
    """
    try:
        if content.startswith(PNG):
            return _of_png(content)
        if content.startswith(JPEG):
            return b"".join(_of_jpeg(content))
    except (struct.error, zlib.error):
        # A damaged profile changes no number.
        return b""
    return b""


def _of_png(content: bytes) -> bytes:
    """Return the profile out of a PNG's chunks."""
    place = len(PNG)
    while place < len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        start = place + CHUNK_HEAD
        stop = start + length
        data = content[start:stop]
        if kind == PNG_PROFILE:
            # A name, a zero, the method of compression (there is one), and the profile.
            zero = data.index(b"\0")
            packed = data[zero + 2 :]
            return zlib.decompress(packed)
        if kind == PNG_DATA:
            return b""
        place = stop + CHUNK_SUM
    return b""


def _of_jpeg(content: bytes) -> Iterator[bytes]:
    """Yield the parts of the profile out of a JPEG's segments."""
    place = len(JPEG)
    while place < len(content):
        mark, kind, length = struct.unpack_from(">BBH", content, place)
        if mark != 0xFF or kind == SCAN:
            return
        start = place + SEGMENT_HEAD
        # The length counts its own two bytes.
        stop = place + 2 + length
        data = content[start:stop]
        if kind == APP2 and data.startswith(JPEG_PROFILE):
            # Behind the name: number of the part, and how many there are.
            behind = len(JPEG_PROFILE) + 2
            yield data[behind:]
        place = stop


def _label_of(profile: bytes) -> str:
    """Return a profile's own name, "" if it cannot be read."""
    try:
        (count,) = struct.unpack_from(">I", profile, TAGS_AT)
        for entry in range(count):
            place = TAGS_AT + 4 + TAG_ENTRY * entry
            tag, offset, _ = struct.unpack_from(">4sII", profile, place)
            if tag == DESCRIPTION:
                return _text_at(profile, offset)
    except struct.error:
        return ""
    return ""


def _text_at(profile: bytes, offset: int) -> str:
    """Return the text of a tag, in either way of writing it."""
    if profile.startswith(LOCALISED, offset):
        # The first of its languages: length and place of UTF-16 letters.
        length, place = struct.unpack_from(">II", profile, offset + 20)
        start = offset + place
        letters = profile[start : start + length]
        text = letters.decode("utf-16-be", errors="replace")
        return text.strip("\0 ")
    (length,) = struct.unpack_from(">I", profile, offset + 8)
    start = offset + 12
    letters = profile[start : start + length]
    text = letters.decode("latin-1")
    return text.strip("\0 ")
