"""Pictures by OpenCV: .png, .jpg, .bmp, in the depth that they have in the file, upright, their alpha a mask."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from paddle_umsft.data.readers.base import RawArray, Request
from paddle_umsft.data.readers.profiles import profile_note, profile_of
from paddle_umsft.data.readers.turning import turned
from paddle_umsft.errors import DataError

CHANNELS_WITH_ALPHA = 4
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
    stored = read_unchanged(file)
    picture = stored
    mask = None
    notes: tuple[str, ...] = ()
    if stored.ndim == 3:
        # OpenCV has B, G, R(, alpha): from the third channel back to the first.
        picture = np.ascontiguousarray(stored[:, :, 2::-1])
    if stored.ndim == 3 and stored.shape[2] == CHANNELS_WITH_ALPHA:
        mask = stored[:, :, -1] > 0
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
    """Read a picture with the depth and the channels that it has in the file (OpenCV's order B, G, R, alpha).

    Raises:
        DataError: Not readable.
    """
    import cv2

    # Through memory: cv2.imread cannot open paths with letters outside the Windows code page.
    data = np.frombuffer(file.read_bytes(), np.uint8)
    picture = None
    # OpenCV raises on an empty buffer instead of returning None.
    if data.size > 0:
        picture = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise DataError(
            "cannot be read as a picture",
            where=file,
            hint="is it damaged or cut short?",
        )
    return np.asarray(picture)
