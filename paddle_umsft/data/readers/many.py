"""An image as a user names it: a file, a product's folder, or several files of one band each."""

from __future__ import annotations

import glob
from dataclasses import replace
from pathlib import Path
from typing import Optional, Union

from paddle_umsft.data.natural import natural
from paddle_umsft.data.readers.base import RawArray, Request, path_of, require_file
from paddle_umsft.data.readers.stacking import stack_files
from paddle_umsft.data.readers.table import (
    FILE_FORMATS,
    folder_format,
    folder_labels,
    image_files,
    product_format,
    read_array,
    read_head,
    suffixes_of,
)
from paddle_umsft.data.readers.windows import placed
from paddle_umsft.errors import DataError

# One name, or one a band.
Named = Union[str, list[str]]
# Letters that make a name a pattern.
PATTERN_LETTERS = "*?["


def require_image(named: Optional[Named]) -> None:
    """Check that what a name stands for exists.

    Raises:
        DataError: It does not.
    """
    files = _band_files(named)
    for file in files or []:
        require_file(file)
    if files is None and not path_of(str(named)).is_dir():
        require_file(str(named))


def read_image(named: Optional[Named], request: Request) -> RawArray:
    """Read an image.

    Args:
        named: A file; a folder that is an image as a whole; or files of one band each: a list of them, a pattern with
            `*`, or their folder.
        request: Which array of it, and which part.

    Returns:
        The image; a part only where its reader can read one (`RawArray.window`).

    Raises:
        DataError: Missing, not readable, or bands that do not fit each other.
    """
    files = _band_files(named)
    # Each file is one band: whichever of its arrays has two axes, or one band more.
    if files is not None:
        band_request = replace(request, axes=(2, 3))
        found = stack_files(
            files,
            band_request,
            read_array,
        )
        listed = ", ".join(file.name for file in files)
        return _with_note(found, f"{len(files)} files as bands, in this order: {listed}")
    path = path_of(str(named))
    if not path.is_dir():
        return read_array(path, request)
    product = product_format(path)
    if product is not None:
        return placed(product.read(path, request))
    whole = folder_format(path)
    assert whole is not None
    return whole.read(path)


def read_image_head(named: Optional[Named], request: Request) -> Optional[RawArray]:
    """Read what an image's file says of it before its values; None where it does not, or there are several files.

    Args:
        named: As for `read_image`.
        request: Which array of it.

    Raises:
        DataError: As `read_image`.
    """
    if _band_files(named) is not None or path_of(str(named)).is_dir():
        return None
    return read_head(str(named), request)


def image_name(named: Optional[Named]) -> str:
    """Return what an image is called in messages."""
    if isinstance(named, list):
        return Path(named[0]).name
    return Path(str(named)).name


def _with_note(found: RawArray, note: str) -> RawArray:
    """Return what was found with a note more."""
    return replace(found, notes=(*found.notes, note))


def _band_files(named: Optional[Named]) -> Optional[list[Path]]:
    """Return the files of a list, a pattern or a folder of bands; None for a single file or product.

    Raises:
        DataError: A pattern or a folder in which there is nothing.
    """
    if isinstance(named, list):
        if len(named) == 1:
            return _band_files(named[0])
        return [path_of(name) for name in named]
    path = path_of(str(named))
    if path.is_dir():
        if product_format(path) is not None or folder_format(path) is not None:
            return None
        files = image_files(path)
    elif any(letter in str(named) for letter in PATTERN_LETTERS) and not path.exists():
        files = [Path(name) for name in glob.glob(str(path))]
    else:
        return None
    if not files:
        kinds = ", ".join(suffixes_of(FILE_FORMATS))
        raise DataError(
            "no image there",
            where=named,
            expected=f"files of one band each ({kinds}), or {', '.join(folder_labels())}",
        )
    return sorted(files, key=lambda file: natural(file.name))
