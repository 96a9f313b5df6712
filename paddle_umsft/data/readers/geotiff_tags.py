"""What GDAL and others write into a TIFF's tags: place, no-data value, metadata of the bands. Without GDAL.

References:
    OGC 19-008r4, GeoTIFF 1.1, sections 7.1 and B.2 (raster space, model tie points, keys 1025, 2048, 3072).
    GDAL: GTiff driver, tags 42112 (GDAL_METADATA) and 42113 (GDAL_NODATA).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Optional
from xml.etree import ElementTree

import numpy as np

from paddle_umsft.data.facts import FileFacts
from paddle_umsft.data.ground import Affine, Georeference
from paddle_umsft.data.readers.band_metadata import SENSOR_ITEM, TIME_ITEMS, BandItems, band_facts

PIXEL_SCALE = 33550
TIE_POINTS = 33922
TRANSFORMATION = 34264
KEY_DIRECTORY = 34735
GDAL_METADATA = 42112
GDAL_NODATA = 42113
DATE_TIME = 306

# Keys of the directory, and the value that makes coordinates those of pixels' middles.
RASTER_TYPE_KEY = 1025
GEOGRAPHIC_KEY = 2048
PROJECTED_KEY = 3072
PIXEL_IS_POINT = 2
# Numbers from here on stand for what the file defines itself.
USER_DEFINED = 32767
# A key takes four numbers: its own, where its value is (0: here), how many, the value.
KEY_LENGTH = 4
# A point's half pixel.
HALF = 0.5


def facts_by_tags(
    page: Any,
    count: int,
    dtype: np.dtype,
    where: str,
) -> tuple[FileFacts, tuple[str, ...]]:
    """Return what the tags of a TIFF's first page say.

    Args:
        page: tifffile's page.
        count: Number of bands.
        dtype: Of the numbers.
        where: What the file is called in notes.
    """
    items: dict[str, str] = {}
    bands = [BandItems() for _ in range(count)]
    scale = np.ones(count)
    offset = np.zeros(count)
    units = ""
    for item in _metadata_items(page):
        name = item.get("name", "").lower()
        text = (item.text or "").strip()
        sample = item.get("sample")
        role = item.get("role", "")
        if sample is None:
            items[name] = text
            continue
        band = int(sample)
        if band >= count:
            continue
        if role == "scale":
            scale[band] = float(text)
        elif role == "offset":
            offset[band] = float(text)
        elif role == "description":
            bands[band].description = text
        elif role == "unittype":
            units = units or text
        elif item.get("domain", "") == "IMAGERY":
            bands[band].imagery[name] = text
        else:
            bands[band].items[name] = text
    known, notes = band_facts(
        bands,
        items,
        where,
    )
    if np.any(scale != 1):
        known = replace(known, scale=scale)
    if np.any(offset != 0):
        known = replace(known, offset=offset)
    time = next((items[name] for name in TIME_ITEMS if items.get(name)), "")
    facts = FileFacts(
        ground=_ground_of(page),
        bands=known,
        no_data=_no_data_of(page),
        units=units,
        dtype=dtype.name,
        acquired=time or str(_value(page, DATE_TIME) or ""),
        sensor=items.get(SENSOR_ITEM, ""),
    )
    return facts, notes


def _value(page: Any, code: int) -> Any:
    """Return the value of a tag, or None."""
    tag = page.tags.get(code)
    if tag is None:
        return None
    return tag.value


def _metadata_items(page: Any) -> list[ElementTree.Element]:
    """Return GDAL's items; text that is no XML has none."""
    text = _value(page, GDAL_METADATA)
    if not text:
        return []
    try:
        return list(ElementTree.fromstring(str(text).rstrip("\0 \n")))
    except ElementTree.ParseError:
        return []


def _no_data_of(page: Any) -> Optional[float]:
    """Return the no-data value, or None."""
    text = str(_value(page, GDAL_NODATA) or "").strip("\0 ")
    try:
        return float(text)
    except ValueError:
        return None


def _ground_of(page: Any) -> Georeference:
    """Return where the image lies."""
    keys = _keys_of(page)
    transform = _transform_of(page)
    if transform is None:
        return Georeference()
    # Coordinates of pixels' middles are moved to their corners.
    if keys.get(RASTER_TYPE_KEY) == PIXEL_IS_POINT:
        a, b, c, d, e, f = transform
        transform = (a, b, c - HALF * (a + b), d, e, f - HALF * (d + e))
    number = keys.get(PROJECTED_KEY) or keys.get(GEOGRAPHIC_KEY)
    if number is not None and number >= USER_DEFINED:
        number = None
    return Georeference(transform=transform, epsg=number)


def _keys_of(page: Any) -> dict[int, int]:
    """Return the keys whose value stands in the directory itself."""
    directory = _value(page, KEY_DIRECTORY)
    keys: dict[int, int] = {}
    if directory is None:
        return keys
    # The first four numbers are a head.
    for start in range(
        KEY_LENGTH,
        len(directory) - KEY_LENGTH + 1,
        KEY_LENGTH,
    ):
        key, place, _, value = directory[start : start + KEY_LENGTH]
        if place == 0:
            keys[int(key)] = int(value)
    return keys


def _transform_of(page: Any) -> Optional[Affine]:
    """Return the six numbers by a matrix, or by a tie point and the pixel size; None without either."""
    matrix = _value(page, TRANSFORMATION)
    if matrix is not None:
        a, b, _, c, d, e, _, f = (float(number) for number in matrix[:8])
        return a, b, c, d, e, f
    # A tie point holds (column, row, level, x, y, z); rows run against y.
    size = _value(page, PIXEL_SCALE)
    tie = _value(page, TIE_POINTS)
    if size is None or tie is None:
        return None
    width, height = float(size[0]), float(size[1])
    column, row, _, x, y = (float(number) for number in tie[:5])
    return width, 0.0, x - column * width, 0.0, -height, y + row * height
