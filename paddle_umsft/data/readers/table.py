"""Which reader reads what. A new format is one module and one row here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Optional, Union

from paddle_umsft.data.readers.base import (
    GLANCE,
    RawArray,
    Reader,
    Request,
    ValuesNeeded,
    require_file,
    stand_in,
)
from paddle_umsft.data.readers.cave import cave_name, is_cave, read_cave
from paddle_umsft.data.readers.content import suffix_by_content
from paddle_umsft.data.readers.envi import read_envi
from paddle_umsft.data.readers.envi_header import describes_array, find_header
from paddle_umsft.data.readers.gdal import if_gdal_knows, read_with_gdal
from paddle_umsft.data.readers.hdf5 import read_hdf5
from paddle_umsft.data.readers.mat import read_mat
from paddle_umsft.data.readers.npy import read_npy
from paddle_umsft.data.readers.npz import read_npz
from paddle_umsft.data.readers.pictures import read_picture
from paddle_umsft.data.readers.products.dlr import is_dlr_product, read_dlr_product
from paddle_umsft.data.readers.products.emit import is_emit, read_emit
from paddle_umsft.data.readers.products.landsat import is_landsat, read_landsat
from paddle_umsft.data.readers.products.prisma import is_prisma, read_prisma
from paddle_umsft.data.readers.products.sentinel2 import is_sentinel2, read_sentinel2
from paddle_umsft.data.readers.seeming import check_is_data
from paddle_umsft.data.readers.text import read_text
from paddle_umsft.data.readers.tiff import read_tiff
from paddle_umsft.data.readers.turning import is_upside_down, north_up
from paddle_umsft.data.readers.windows import placed
from paddle_umsft.errors import DataError


@dataclass(frozen=True)
class FileFormat:
    """One kind of file.

    Attributes:
        suffixes: Its names' endings, lower case, with the dot.
        read: Its reader.
        is_scene: Such a file in a folder of scenes is one of them; a photograph there is not.
        has_head: The size of its image mostly stands before the values, and its reader knows `Request.is_head`.
    """

    suffixes: tuple[str, ...]
    read: Reader
    is_scene: bool = True
    has_head: bool = False


@dataclass(frozen=True)
class ProductFormat:
    """One mission's product: a file or folder that is told by its name and by what is in it.

    Attributes:
        label: What such products are called in messages.
        recognises: Whether a file or folder is one.
        read: Its reader, for the file or the folder.
    """

    label: str
    recognises: Callable[[Path], bool]
    read: Reader


@dataclass(frozen=True)
class FolderFormat:
    """One kind of folder that is a scene as a whole.

    Attributes:
        label: What such folders are called in messages.
        recognises: Whether a folder is of this kind.
        name_of: Short name of the scene.
        read: Its reader.
    """

    label: str
    recognises: Callable[[Path], bool]
    name_of: Callable[[Path], str]
    read: Callable[[Path], RawArray]


PRODUCT_FORMATS = (
    ProductFormat(label="EnMAP or DESIS products", recognises=is_dlr_product, read=read_dlr_product),
    ProductFormat(label="PRISMA products", recognises=is_prisma, read=read_prisma),
    ProductFormat(label="EMIT products", recognises=is_emit, read=read_emit),
    ProductFormat(label="Sentinel-2 products", recognises=is_sentinel2, read=read_sentinel2),
    ProductFormat(label="Landsat products", recognises=is_landsat, read=read_landsat),
)


# What ENVI's data files are called, beside their headers.
ENVI_DATA_SUFFIXES = (".img", ".dat", ".raw", ".bsq", ".bil", ".bip", ".bin")

FILE_FORMATS = (
    FileFormat(suffixes=(".hdr",), read=read_envi, has_head=True),
    FileFormat(
        suffixes=ENVI_DATA_SUFFIXES,
        read=read_envi,
        is_scene=False,
        has_head=True,
    ),
    FileFormat(suffixes=(".mat",), read=read_mat, has_head=True),
    FileFormat(suffixes=(".npy",), read=read_npy, has_head=True),
    FileFormat(suffixes=(".npz",), read=read_npz),
    FileFormat(suffixes=(".tif", ".tiff"), read=read_tiff, has_head=True),
    FileFormat(suffixes=(".h5", ".hdf5", ".hdf", ".he5", ".nc", ".nc4"), read=read_hdf5, has_head=True),
    FileFormat(suffixes=(".jp2", ".vrt"), read=read_with_gdal, has_head=True),
    FileFormat(
        suffixes=(".png", ".jpg", ".jpeg", ".bmp"),
        read=read_picture,
        is_scene=False,
    ),
)
# Read where a PSF or an SRF is asked for; no image comes as text.
TABLE_FORMATS = (
    FileFormat(
        suffixes=(".csv", ".txt"),
        read=read_text,
        is_scene=False,
    ),
)
FOLDER_FORMATS = (
    FolderFormat(
        label="CAVE folders",
        recognises=is_cave,
        name_of=cave_name,
        read=read_cave,
    ),
)

# A table of two axes; one of a single row or column counts, where a .mat or .npz has no other.
TABLE_AXES = (2, 1)


def suffixes_of(formats: Iterable[FileFormat]) -> tuple[str, ...]:
    """Return the endings of all these formats."""
    suffixes: list[str] = []
    for row in formats:
        suffixes.extend(row.suffixes)
    return tuple(suffixes)


def scene_suffixes() -> tuple[str, ...]:
    """Return the endings of files that are scenes."""
    rows = [row for row in FILE_FORMATS if row.is_scene]
    return suffixes_of(rows)


def image_files(folder: Path) -> list[Path]:
    """Return the images of a folder, by name; of an ENVI pair only the header stands for it."""
    found = []
    for file in sorted(folder.iterdir()):
        is_hidden = file.name.startswith(".")
        if (
            is_hidden
            or describes_array(file)
            or not file.is_file()
            or file.suffix.lower() not in suffixes_of(FILE_FORMATS)
        ):
            continue
        if file.suffix.lower() in ENVI_DATA_SUFFIXES and find_header(file) is not None:
            continue
        found.append(file)
    return found


def read_array(path: Union[str, Path], request: Request) -> RawArray:
    """Read one array, or a part of it.

    Args:
        path: A file of `FILE_FORMATS`.
        request: Which array of it, and which part.

    Returns:
        The array; a part only where its reader can read one (`RawArray.window`), on the ground where it lies.

    Raises:
        DataError: No such file, unknown kind, not readable, unknown key, no array that fits, or several.
    """
    file = require_file(path)
    found = _read(file, request, FILE_FORMATS)
    if is_upside_down(found):
        # A part means the image as it is read: it can be found only in the whole that was turned.
        if found.window is not None:
            found = _read(file, replace(request, window=None), FILE_FORMATS)
        found = north_up(found, file.name)
    if found.values.size == 0 and request.window != GLANCE:
        raise DataError("an array without a value", where=file, got=f"shape {found.values.shape}")
    return placed(found)


def read_head(path: Union[str, Path], request: Request) -> Optional[RawArray]:
    """Read what a file says of an array before its values.

    Args:
        path: As for `read_array`.
        request: Which array.

    Returns:
        The array with values that only have its size; None where a file says it nowhere but in its values.

    Raises:
        DataError: As `read_array`.
    """
    file = require_file(path)
    suffix = suffix_by_content(file) or file.suffix.lower()
    row = _row_of(suffix, FILE_FORMATS)
    if row is None or not row.has_head or product_format(file) is not None:
        return None
    try:
        found = row.read(file, replace(request, window=GLANCE, is_head=True))
    except ValuesNeeded:
        return None
    if is_upside_down(found):
        # Where it lies shows once it is turned.
        return None
    if found.window is None or found.size is None:
        return found
    shape = (*found.size, *found.values.shape[2:])
    return replace(found, values=stand_in(shape, found.values.dtype), window=None, size=None)


def read_table(
    path: Union[str, Path],
    key: Optional[str] = None,
    *,
    option: str = "data.key",
) -> RawArray:
    """Read a two-dimensional table of numbers, from text or from any file that holds arrays.

    Args:
        path: A file of `TABLE_FORMATS` or `FILE_FORMATS`.
        key: Name of the table in a .mat or .npz.
        option: Config key that `key` came from, named in a message.

    Raises:
        DataError: As `read_array`, or not two axes.
    """
    # An image can hold no table: three axes are refused below whatever file they come from.
    file = require_file(path)
    request = Request(key=key, axes=TABLE_AXES, option=option)
    found = _read(file, request, TABLE_FORMATS + FILE_FORMATS)
    shape = found.values.shape
    if len(shape) != 2:
        raise DataError(
            "number of axes",
            where=file,
            expected=2,
            got=f"{len(shape)} (shape {shape})",
        )
    return found


def _read(
    file: Path,
    request: Request,
    formats: tuple[FileFormat, ...],
) -> RawArray:
    """Read a file with the reader of its suffix."""
    check_is_data(file)
    product = product_format(file)
    if product is not None:
        return product.read(file, request)
    suffix = file.suffix.lower()
    own = _row_of(suffix, formats)
    by_content = suffix_by_content(file)
    if by_content is not None:
        other = _row_of(by_content, FILE_FORMATS)
        if other is not None and other is not own:
            found = other.read(file, request)
            note = f"{file.name}: by its content a {by_content} file, and read as one"
            return replace(found, notes=(note, *found.notes))
    if own is not None:
        return own.read(file, request)
    # ENVI's data files may have any name.
    if find_header(file) is not None:
        return read_envi(file, request)
    # A table of three columns is a grid of points to GDAL, but no image.
    if suffix not in suffixes_of(TABLE_FORMATS):
        by_gdal = if_gdal_knows(file, request)
        if by_gdal is not None:
            return by_gdal
    raise DataError(
        "unknown kind of file",
        where=file,
        expected=", ".join(suffixes_of(formats)),
        got=suffix or "no suffix",
    )


def _row_of(suffix: str, formats: tuple[FileFormat, ...]) -> Optional[FileFormat]:
    """Return the format of files with an ending, or None."""
    for row in formats:
        if suffix in row.suffixes:
            return row
    return None


def product_format(path: Path) -> Optional[ProductFormat]:
    """Return the mission whose product a file or folder is, or None."""
    for row in PRODUCT_FORMATS:
        if row.recognises(path):
            return row
    return None


def folder_labels() -> list[str]:
    """Return what folders may be, for messages."""
    return [row.label for row in (*FOLDER_FORMATS, *PRODUCT_FORMATS)]


def folder_format(folder: Path) -> Optional[FolderFormat]:
    """Return the kind of a folder that is a scene as a whole, or None."""
    for row in FOLDER_FORMATS:
        if row.recognises(folder):
            return row
    return None
