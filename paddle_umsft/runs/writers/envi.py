"""ENVI: raw numbers in .img, and a text header in .hdr beside them.

References:
    ENVI, "ENVI header files" (NV5 Geospatial documentation): fields and type codes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np

from paddle_umsft.data.ground import Georeference
from paddle_umsft.machine.files import write_text, write_whole
from paddle_umsft.runs.writers.geotiff import band_description
from paddle_umsft.runs.writers.product import Product

TYPE_CODES = {
    "uint8": 1,
    "int16": 2,
    "int32": 3,
    "float32": 4,
    "float64": 5,
    "uint16": 12,
    "uint32": 13,
}
# EPSG numbers of WGS 84 / UTM: 326zz north, 327zz south of the equator; and of plain latitude and longitude.
UTM_NORTH = 32600
UTM_SOUTH = 32700
UTM_ZONES = 60
LATITUDE_LONGITUDE = 4326
NO_BRACES = str.maketrans("{}\n", "() ")


def write_envi(path: Path, product: Product, hint: Optional[str] = None) -> list[Path]:
    """Write data and header, the header last: without it nobody takes the data for an image.

    Args:
        path: Of the header; the data gets .img instead.
        product: What to write.
        hint: The way out to name where it cannot be written.

    Returns:
        Both files, the header first.

    Raises:
        DataError: Something cannot be written.
    """
    data = path.with_suffix(".img")
    in_bands = np.moveaxis(product.values, 2, 0)  # (C, H, W)

    def write(temporary: Path) -> None:
        little = product.values.dtype.newbyteorder("<")
        with temporary.open("wb") as stream:
            for band in in_bands:
                stored = np.ascontiguousarray(band, dtype=little)
                stream.write(stored.tobytes())

    write_whole(data, write, hint=hint)
    write_text(path, header_text(product), hint=hint)
    return [path, data]


def header_text(
    product: Product,
    *,
    interleave: str = "bsq",
    offset: int = 0,
) -> str:
    """Return the header of a product.

    Args:
        product: What is written.
        interleave: Order of the numbers in the data file, "bsq" or "bip".
        offset: Bytes before the first of them.
    """
    height, width, bands = product.values.shape
    fields: list[tuple[str, str]] = [
        ("description", _braced([product.history or "fused"])),
        ("samples", str(width)),
        ("lines", str(height)),
        ("bands", str(bands)),
        ("header offset", str(offset)),
        ("file type", "ENVI Standard"),
        ("data type", str(TYPE_CODES[product.values.dtype.name])),
        ("interleave", interleave),
        ("byte order", "0"),
    ]
    if product.no_data is not None:
        fields.append(("data ignore value", f"{product.no_data:.17g}"))
    if product.units:
        fields.append(("data units", product.units))
    if product.sensor:
        fields.append(("sensor type", product.sensor))
    if product.acquired:
        fields.append(("acquisition time", product.acquired))
    fields += _ground_fields(product.ground)
    fields += _band_fields(product)
    lines = ["ENVI", *(f"{name} = {value}" for name, value in fields)]
    return "\n".join(lines) + "\n"


def _braced(values: Sequence[str]) -> str:
    """Return a list as ENVI writes it; what would end it too early is taken out."""
    listed = ", ".join(values)
    return "{" + listed.translate(NO_BRACES) + "}"


def _band_fields(product: Product) -> list[tuple[str, str]]:
    """Return the lists with one entry a band."""
    facts = list(product.band_facts())
    names = []
    for number, fact in enumerate(facts, start=1):
        name = band_description(number, fact)
        # A comma within a name would make two of it.
        names.append(name.replace(",", ";"))
    fields = [("band names", _braced(names))]
    if any(fact["wavelength_nm"] is not None for fact in facts):
        fields.append(("wavelength units", "Nanometers"))
        fields.append(("wavelength", _numbers(facts, "wavelength_nm", 0.0)))
    if any(fact["fwhm_nm"] is not None for fact in facts):
        fields.append(("fwhm", _numbers(facts, "fwhm_nm", 0.0)))
    if product.bands.good is not None:
        flags = [str(int(fact["good"])) for fact in facts]
        fields.append(("bbl", _braced(flags)))
    if product.bands.scale is not None:
        fields.append(("data gain values", _numbers(facts, "scale", 1.0)))
    if product.bands.offset is not None:
        fields.append(("data offset values", _numbers(facts, "offset", 0.0)))
    return fields


def _numbers(facts: list[dict[str, Any]], name: str, missing: float) -> str:
    """Return a list of numbers, one a band."""
    numbers = []
    for fact in facts:
        value = fact[name]
        if value is None:
            value = missing
        numbers.append(f"{value:.10g}")
    return _braced(numbers)


def _ground_fields(ground: Georeference) -> list[tuple[str, str]]:
    """Return where the image lies: `map info`, and the coordinate system as text."""
    fields = []
    info = ground.map_info or _map_info(ground)
    if info:
        fields.append(("map info", "{" + info + "}"))
    system = _system_text(ground)
    if system:
        fields.append(("coordinate system string", "{" + system + "}"))
    return fields


def _map_info(ground: Georeference) -> str:
    """Return the text of `map info`, made of the six numbers; "" where they are not known.

    ENVI counts from 1 and means the pixel's outer corner by 1.0: reference pixel (1, 1) is the image's corner.
    """
    size = ground.pixel_size
    if ground.transform is None or size is None:
        return ""
    column_x, _, x, column_y, _, y = ground.transform
    system, units = _projection(ground.epsg)
    numbers = [f"{number:.15g}" for number in (x, y, *size)]
    parts = [system[0], "1", "1", *numbers]
    parts += [*system[1:], f"units={units}"]
    # A turned image: counter-clockwise from the east, degrees.
    angle = math.degrees(math.atan2(column_y, column_x))
    if angle != 0.0:
        parts.append(f"rotation={angle:.15g}")
    return ", ".join(parts)


def _projection(epsg: Optional[int]) -> tuple[list[str], str]:
    """Return ENVI's words for a coordinate system, name first, and its units."""
    if epsg == LATITUDE_LONGITUDE:
        return ["Geographic Lat/Lon", "WGS-84"], "Degrees"
    for base, side in ((UTM_NORTH, "North"), (UTM_SOUTH, "South")):
        if epsg is not None and 1 <= epsg - base <= UTM_ZONES:
            return ["UTM", str(epsg - base), side, "WGS-84"], "Meters"
    return ["Arbitrary"], "Meters"


def _system_text(ground: Georeference) -> str:
    """Return the coordinate system as WKT: the file's own, else the one that GDAL knows under its number."""
    if ground.crs_wkt:
        return ground.crs_wkt
    if ground.epsg is None:
        return ""
    try:
        from rasterio.crs import CRS
    except ImportError:
        # Without GDAL's tables `map info` has to do: it names UTM and latitude/longitude.
        return ""
    return str(CRS.from_epsg(ground.epsg).to_wkt(version="WKT1_ESRI"))
