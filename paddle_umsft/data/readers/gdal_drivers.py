"""Which of GDAL's formats are opened: those that hold their values themselves, and mosaics of such files beside them.

GDAL knows formats whose whole content is the name of something else: a file anywhere on the machine, an address in the
net. It tells formats by their content, so that any name may hide one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from paddle_umsft.data.readers.products.xml_text import read_xml
from paddle_umsft.errors import DataError

# In the file itself, or in one of the same name with a fixed ending.
OWN_VALUES = [
    *("GTiff", "COG", "JP2OpenJPEG", "JP2ECW", "JP2KAK", "JP2MrSID", "JPEG", "PNG", "GIF", "BIGGIF", "BMP", "WEBP"),
    *("HFA", "EHdr", "ENVI", "NITF", "RST", "SAGA", "AAIGrid", "GRASSASCIIGrid", "GSAG", "GSBG", "GS7BG", "XYZ"),
    *("ZMap", "DTED", "SRTMHGT", "USGSDEM", "GRIB", "BT", "LAN", "ELAS", "RMF", "PNM", "SGI", "TGA", "KRO", "LCP"),
]
# PCI's .pix, whose bands may be other files if its head says so: 8 letters at this place.
PCI = "PCIDSK"
PCI_LAYOUT_AT = 360
PCI_ELSEWHERE = b"FILE"
MOSAIC = "VRT"
MOSAIC_SUFFIX = ".vrt"
# What a mosaic names other files by, and how it asks for bands that are no plain mosaic; GDAL takes any case, and an
# attribute for an element.
SOURCES = ("sourcefilename", "sourcedataset", "srcdsname")
KIND = "subclass"
PLAIN_KIND = "VRTSourcedRasterBand"
# GDAL asks for nothing in the net, as nothing there has this name.
NO_NET = {"CPL_VSIL_CURL_ALLOWED_FILENAME": "/vsicurl/none"}


@contextmanager
def opened(file: Path) -> Iterator[Any]:
    """Open an image by rasterio.

    Args:
        file: It exists.

    Raises:
        DataError: It is a mosaic that reaches for other files than those beside it.
        rasterio.errors.RasterioIOError: It is of no format that is opened.
    """
    import rasterio
    from rasterio.io import DatasetReader

    drivers = [*OWN_VALUES]
    if not _is_elsewhere(file):
        drivers.append(PCI)
    is_mosaic = file.suffix.lower() == MOSAIC_SUFFIX
    if is_mosaic:
        _check_mosaic(file)
        drivers = [MOSAIC]
    # `rasterio.open` takes a single driver; what it returns takes several.
    with rasterio.Env(**NO_NET), DatasetReader(str(file), driver=drivers) as source:
        if is_mosaic:
            _check_parts(file, source.files)
        yield source


def _is_elsewhere(file: Path) -> bool:
    """Whether the head of a .pix says that its bands lie in other files."""
    with file.open("rb") as stream:
        stream.seek(PCI_LAYOUT_AT)
        return stream.read(len(PCI_ELSEWHERE)) == PCI_ELSEWHERE


def _check_mosaic(file: Path) -> None:
    """Check by a mosaic's text that it is one, of files beside it.

    Raises:
        DataError: It is not.
    """
    for element in read_xml(file).iter():
        name = element.tag.rpartition("}")[2].lower()
        attributes = {key.lower(): text for key, text in element.attrib.items()}
        if set(attributes) & set(SOURCES) or name == KIND:
            raise _no_mosaic(file, f"<{element.tag}>")
        if attributes.get(KIND, PLAIN_KIND) != PLAIN_KIND:
            raise _no_mosaic(file, attributes[KIND])
        if name in SOURCES:
            _check_part(file, _path_of(file, element))


def _path_of(file: Path, source: Element) -> Path:
    """Return the path of a mosaic's part."""
    text = (source.text or "").strip()
    attributes = {key.lower(): value for key, value in source.attrib.items()}
    if attributes.get("relativetovrt") == "1":
        return file.parent / text
    return Path(text)


def _check_parts(file: Path, names: list[str]) -> None:
    """Check the files that GDAL itself finds a mosaic to be made of.

    Raises:
        DataError: One of them is none that may be.
    """
    import rasterio
    from rasterio.io import DatasetReader

    for name in names:
        part = Path(name)
        if part.resolve() == file.resolve():
            continue
        _check_part(file, part)
        # A mosaic of mosaics could lead on to anything.
        try:
            with DatasetReader(name, driver=OWN_VALUES):
                pass
        except rasterio.errors.RasterioError:
            raise _no_mosaic(file, f"{name}, which is no image that holds its own values") from None


def _check_part(file: Path, part: Path) -> None:
    """Check that a part is a file in the mosaic's folder or below.

    Raises:
        DataError: It is not there, or elsewhere.
    """
    folder = file.parent.resolve()
    if folder not in part.resolve().parents:
        raise _no_mosaic(file, str(part))
    if not part.is_file():
        raise DataError("a part of the mosaic is missing", where=file, got=str(part))


def _no_mosaic(file: Path, got: str) -> DataError:
    return DataError(
        "reaches for more than the images beside it",
        where=file,
        expected="a mosaic of files in its own folder",
        got=got,
        hint="if you trust it: gdal_translate IN.vrt OUT.tif",
    )
