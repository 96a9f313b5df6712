"""Parts of images: what `Request.window` asks for, within the image, and where such a part lies on the ground."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Optional

from paddle_umsft.data.readers.base import RawArray, Window
from paddle_umsft.errors import DataError


class OutsideImage(DataError):
    """A window reaches beyond its image: the file is sound, so no other reader is to be asked."""


def within(
    window: Window,
    size: tuple[int, int],
    where: Any,
) -> tuple[slice, slice]:
    """Return the rows and columns of a window.

    Args:
        window: Top, left, height, width.
        size: Rows and columns of the image.
        where: The image, for the message.

    Raises:
        OutsideImage: It reaches beyond the image.
    """
    top, left, height, width = window
    rows, columns = size
    bottom = top + height
    right = left + width
    if bottom > rows or right > columns:
        raise OutsideImage(
            "data.crop",
            where=where,
            expected=f"[top, left, height, width] within {rows}x{columns}",
            got=list(window),
        )
    return slice(top, bottom), slice(left, right)


def as_part(
    found: RawArray,
    window: Optional[Window],
    size: tuple[int, int],
) -> RawArray:
    """Say of an array that it is a part of an image; as it came where the whole was read.

    Args:
        found: With the values of that part, and the facts of the whole.
        window: Which part; None: the whole.
        size: Rows and columns of the whole.
    """
    if window is None:
        return found
    return replace(found, window=window, size=size)


def placed(found: RawArray) -> RawArray:
    """Move the place on the ground to the part that was read; readers leave that of the whole image."""
    if found.window is None:
        return found
    top, left = found.window[:2]
    ground = found.facts.ground.cut(top, left)
    return replace(found, facts=found.facts.with_ground(ground))
