"""Pictures by OpenCV: .png, .jpg, .bmp, in the depth that they have in the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from paddle_umsft.data.readers.base import RawArray, Request
from paddle_umsft.errors import DataError


def read_picture(file: Path, request: Request) -> RawArray:
    """Read a picture as (H, W, 3) in the order R, G, B, or (H, W) if it is grey; alpha is dropped.

    Raises:
        DataError: Not readable.
    """
    picture = read_unchanged(file)
    if picture.ndim == 3:
        # OpenCV has B, G, R(, alpha): from the third channel back to the first.
        picture = np.ascontiguousarray(picture[:, :, 2::-1])
    return RawArray(values=picture, is_upright=True)


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
