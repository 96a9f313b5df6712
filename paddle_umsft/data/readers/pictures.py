"""Pictures: .png, .jpg, .bmp, in the depth that they have in the file, upright, their alpha a mask.

By imagecodecs and Pillow, whose wheels bring all they need: OpenCV's wants a graphics library of the system, and two of
its packages in one environment lie over each other.
"""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path

import numpy as np

from paddle_umsft.data.readers.base import RawArray, Request
from paddle_umsft.data.readers.profiles import profile_note, profile_of
from paddle_umsft.data.readers.room import check_room
from paddle_umsft.data.readers.turning import turned
from paddle_umsft.errors import DataError

# Grey and alpha, and the three colours and alpha.
CHANNELS_WITH_ALPHA = (2, 4)
PNG = b"\x89PNG"
PNG_SIZE = struct.Struct(">IIB")
PNG_SIZE_AT = 16
# Bits that a sample may have.
PNG_BITS = (1, 2, 4, 8, 16)
# The tag stands in the first segment of a JPEG, which has this length at most.
HEAD_BYTES = 65536
JPEG = b"\xff\xd8"
EXIF = b"Exif\0\0"
ORIENTATION = 0x0112
ENTRY_BYTES = 12
UPRIGHT = 1


def read_picture(file: Path, request: Request) -> RawArray:
    """Read a picture as (H, W, 3) in the order R, G, B, or (H, W) if it is grey; alpha makes a mask.

    Raises:
        DataError: Not readable.
    """
    picture = read_unchanged(file)
    mask = None
    notes: tuple[str, ...] = ()
    if picture.ndim == 3 and picture.shape[2] in CHANNELS_WITH_ALPHA:
        mask = picture[:, :, -1] > 0
        picture = np.ascontiguousarray(picture[:, :, :-1])
        notes = (f"{file.name}: its alpha channel is a mask, no band",)
    profile = profile_of(file.read_bytes())
    notes += profile_note(profile, file.name)
    found = RawArray(
        values=picture,
        is_upright=True,
        is_photograph=True,
        mask=mask,
        notes=notes,
    )
    return turned(
        found,
        orientation_of(file),
        file.name,
    )


def orientation_of(file: Path) -> int:
    """Return the orientation tag of a JPEG: 1, upright, where there is none.

    References:
        Exif 2.32 (CIPA DC-008), 4.5 and 4.6: APP1 segment, TIFF header, entries of the first directory.
    """
    # PNG and BMP have no such tag that cameras write.
    head = file.read_bytes()[:HEAD_BYTES]
    if not head.startswith(JPEG):
        return UPRIGHT
    start = head.find(EXIF)
    if start < 0:
        return UPRIGHT
    tiff = head[start + len(EXIF) :]
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2], "")
    try:
        (directory,) = struct.unpack_from(
            order + "I",
            tiff,
            4,
        )
        (entries,) = struct.unpack_from(
            order + "H",
            tiff,
            directory,
        )
        for entry in range(entries):
            tag, _, _, value = struct.unpack_from(
                order + "HHIH",
                tiff,
                directory + 2 + ENTRY_BYTES * entry,
            )
            if tag == ORIENTATION:
                return int(value)
    except struct.error:
        # A damaged tag turns nothing.
        return UPRIGHT
    return UPRIGHT


def read_unchanged(file: Path) -> np.ndarray:
    """Read a picture with the depth and the channels that it has in the file: grey or R, G, B, and alpha.

    Raises:
        DataError: Not readable.
    """
    content = file.read_bytes()
    if content.startswith(PNG):
        _check_room_for_png(file, content)
    try:
        return _decoded(content)
    # Either library has its own kinds of error for what is damaged.
    except Exception as error:
        raise DataError(
            "cannot be read as a picture",
            where=file,
            got=error,
            hint="is it damaged or cut short?",
        ) from None


def _check_room_for_png(file: Path, content: bytes) -> None:
    """Ask for memory by a PNG's head: a plain one packs a thousand to one.

    References:
        PNG (ISO/IEC 15948), 11.2.2: width, height, bits a sample, kind of colour.
    """
    # A shorter one is damaged, which its reader says.
    if len(content) < PNG_SIZE.size + PNG_SIZE_AT:
        return
    width, height, bits = PNG_SIZE.unpack_from(content, PNG_SIZE_AT)
    if bits not in PNG_BITS:
        # No such picture: its reader says so.
        return
    most_samples = max(CHANNELS_WITH_ALPHA)
    # Less than a byte becomes one.
    sample_bytes = max(1, bits // 8)
    check_room(file, (height, width, most_samples), f"u{sample_bytes}")


def _decoded(content: bytes) -> np.ndarray:
    """Return the picture that a file's content is."""
    import imagecodecs

    if content.startswith(PNG):
        # Pillow would cut colours of 16 bits down to 8.
        return np.asarray(imagecodecs.png_decode(content))
    if content.startswith(JPEG):
        picture = np.asarray(imagecodecs.jpeg8_decode(content))
        is_of_inks = picture.ndim == 3 and picture.shape[2] == 4
        if not is_of_inks:
            return picture
    return _decoded_by_pillow(content)


def _decoded_by_pillow(content: bytes) -> np.ndarray:
    """Return a picture of another kind, its palette or its inks (CMYK) as colours."""
    from PIL import Image

    with warnings.catch_warnings():
        # Pillow takes a large picture for an attack; whoever names it wants it.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        opened = Image.open(io.BytesIO(content))
        if opened.mode in ("P", "CMYK"):
            opened = opened.convert("RGB")
        if opened.mode == "1":
            opened = opened.convert("L")
        return np.asarray(opened)
