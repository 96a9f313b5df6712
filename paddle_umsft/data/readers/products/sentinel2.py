"""Sentinel-2 level 2A (.SAFE): bands of 10 and 20 m, each a JPEG 2000 file, on one grid of 10 m.

References:
    ESA, Sentinel-2 Products Specification Document (S2-PDGS-TAS-DI-PSD), level 2A: MTD_MSIL2A.xml
    (BOA_QUANTIFICATION_VALUE, BOA_ADD_OFFSET by band_id, PROCESSING_BASELINE, Special_Values NODATA = 0), MTD_TL.xml
    (Tile_Geocoding).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Optional
from xml.etree import ElementTree

import numpy as np

from paddle_umsft.data.facts import BandFacts, FileFacts
from paddle_umsft.data.ground import Georeference
from paddle_umsft.data.readers.base import GLANCE, RawArray, Request, guarded
from paddle_umsft.data.readers.products.xml_text import elements, read_xml, text_of
from paddle_umsft.data.readers.stacking import stack_bands
from paddle_umsft.data.readers.windows import as_part, within
from paddle_umsft.errors import ConfigError, DataError

METADATA = "MTD_MSIL2A.xml"
TILE = "MTD_TL.xml"
# Band -> its number in the metadata.
BAND_IDS = {
    "B2": 1,
    "B3": 2,
    "B4": 3,
    "B5": 4,
    "B6": 5,
    "B7": 6,
    "B8": 7,
    "B8A": 8,
    "B11": 11,
    "B12": 12,
}
BANDS_10M = ("B2", "B3", "B4", "B8")
BANDS_20M = ("B5", "B6", "B7", "B8A", "B11", "B12")
# What is read by the key: bands, and the grid's pixels in metres.
CHOICES = {
    "all": (tuple(BAND_IDS), 10),
    "10m": (BANDS_10M, 10),
    "20m": (BANDS_20M, 20),
}
# The first baseline whose numbers have an offset.
FIRST_WITH_OFFSET = 4.0
QUANTIFICATION = 10000.0


def is_sentinel2(path: Path) -> bool:
    """Return whether a folder, or the metadata file in it, is a product of level 2A."""
    return _root_of(path) is not None


def read_sentinel2(path: Path, request: Request) -> RawArray:
    """Read bands of 10 and 20 m as reflectance; those of 20 m are repeated, each pixel twice along either side.

    Args:
        path: The .SAFE folder or its MTD_MSIL2A.xml.
        request: Its window, and its key: None or `all` for ten bands on the grid of 10 m, `10m` or `20m` for those
            alone, each on their own grid.

    Raises:
        ConfigError: Another key.
        DataError: A file is missing or cannot be read.
    """
    folder = _root_of(path)
    assert folder is not None
    key = (request.key or "all").lower()
    if key not in CHOICES:
        raise ConfigError(
            "no such bands",
            where=request.option,
            expected=", ".join(CHOICES),
            got=key,
        )
    bands, pixel = CHOICES[key]
    product = read_xml(folder / METADATA)
    tile = read_xml(
        _only(
            sorted(folder.glob(f"GRANULE/*/{TILE}")),
            folder,
            TILE,
        )
    )
    files = [_band_file(folder, band) for band in bands]

    size = _size(tile, pixel)

    def read(file: Path) -> RawArray:
        if request.window == GLANCE and size is not None:
            return as_part(RawArray(values=np.empty((0, 0), np.uint16)), GLANCE, size)
        values = guarded(
            file,
            "JPEG 2000 file",
            lambda: _pixels(file),
        )
        if f"_{pixel}m" not in file.stem:
            # 20 m on the grid of 10 m: no number is made that was not measured.
            values = np.repeat(
                np.repeat(
                    values,
                    2,
                    axis=0,
                ),
                2,
                axis=1,
            )
        # A band is unpacked whole, but kept no longer than it takes to cut it: ten of a tile are 2.4 GB.
        found_size = (values.shape[0], values.shape[1])
        if request.window is not None:
            rows, columns = within(request.window, found_size, file)
            values = values[rows, columns].copy()
        return as_part(RawArray(values=values), request.window, found_size)

    found = stack_bands(
        files,
        bands,
        read,
    )
    known, notes = _facts(
        product,
        tile,
        bands,
        pixel,
    )
    return replace(
        found,
        facts=replace(known, dtype=found.values.dtype.name),
        # 0 is no measurement in any band: the least that a pixel with data holds is 1.
        mask=np.asarray((found.values > 0).all(axis=2)),
        notes=found.notes + notes,
    )


def _root_of(path: Path) -> Optional[Path]:
    """Return the product's folder, or None for anything else."""
    if path.is_dir() and (path / METADATA).is_file():
        return path
    if path.is_file() and path.name == METADATA:
        return path.parent
    return None


def _only(
    files: list[Path],
    folder: Path,
    wanted: str,
) -> Path:
    """Return the only file of a list."""
    if len(files) == 1:
        return files[0]
    raise DataError(
        "incomplete product",
        where=folder,
        expected=f"one {wanted}",
        got=f"{len(files)} of them",
    )


def _band_file(folder: Path, band: str) -> Path:
    """Return the image of a band in its own resolution."""
    pixel = 20
    if band in BANDS_10M:
        pixel = 10
    # B2 is B02 in the files' names, B8A stays.
    number = band
    if len(band) == 2:
        number = f"B0{band[1]}"
    ending = f"_{number}_{pixel}m"
    pattern = f"GRANULE/*/IMG_DATA/R{pixel}m/*{ending}.*"
    listed = [file for file in sorted(folder.glob(pattern)) if file.suffix.lower() in (".jp2", ".tif")]
    return _only(
        listed,
        folder,
        f"image {ending}.jp2 in IMG_DATA/R{pixel}m",
    )


def _pixels(file: Path) -> np.ndarray:
    """Read the numbers of a band, (H, W)."""
    import imagecodecs

    return np.asarray(imagecodecs.imread(str(file)))


def _facts(
    product: ElementTree.Element,
    tile: ElementTree.Element,
    bands: tuple[str, ...],
    pixel: int,
) -> tuple[FileFacts, tuple[str, ...]]:
    """Return what the two metadata files say, and by which rule the offset was decided."""
    quantification = float(text_of(product, "BOA_QUANTIFICATION_VALUE") or QUANTIFICATION)
    # Band number of the metadata -> offset; empty before baseline 04.00.
    listed = {}
    for element in elements(product, "BOA_ADD_OFFSET"):
        listed[int(element.get("band_id", "-1"))] = float(element.text or 0)
    offset = np.array([listed.get(BAND_IDS[band], 0.0) for band in bands])
    baseline = text_of(product, "PROCESSING_BASELINE")
    centres, widths = _spectral(product, bands)
    known = FileFacts(
        ground=_ground(tile, pixel),
        bands=BandFacts(
            count=len(bands),
            names=bands,
            wavelengths_nm=centres,
            fwhm_nm=widths,
            scale=np.full(len(bands), 1 / quantification),
            offset=offset / quantification,
        ),
        no_data=0.0,
        units="reflectance",
        acquired=text_of(product, "PRODUCT_START_TIME") or text_of(tile, "SENSING_TIME"),
        sensor=text_of(product, "SPACECRAFT_NAME"),
    )
    return known, (
        _offset_note(
            listed,
            offset,
            baseline,
        ),
    )


def _spectral(
    product: ElementTree.Element,
    bands: tuple[str, ...],
) -> tuple[Optional[np.ndarray], Optional[np.ndarray]]:
    """Return (C,) centres and widths of the bands in nm, as the product lists them for its platform, or None twice."""
    listed = {}
    for element in elements(product, "Spectral_Information"):
        band = element.get("physicalBand", "")
        numbers = [text_of(element, name) for name in ("CENTRAL", "MIN", "MAX")]
        if all(numbers):
            listed[band] = [float(number) for number in numbers]
    if not set(bands) <= set(listed):
        return None, None
    centres = np.array([listed[band][0] for band in bands])
    widths = np.array([listed[band][2] - listed[band][1] for band in bands])
    return centres, widths


def _offset_note(
    listed: dict[int, float],
    offset: np.ndarray,
    baseline: str,
) -> str:
    """Return how the offset was decided."""
    if listed:
        return f"Sentinel-2: BOA_ADD_OFFSET {offset[0]:g} of {METADATA} added once (baseline {baseline or 'unknown'})"
    note = f"Sentinel-2: no BOA_ADD_OFFSET in {METADATA}, nothing added (baseline {baseline or 'unknown'})"
    if baseline and float(baseline) >= FIRST_WITH_OFFSET:
        note += "; from 04.00 on one belongs there: was the file changed?"
    return note


def _size(tile: ElementTree.Element, pixel: int) -> Optional[tuple[int, int]]:
    """Return rows and columns of the tile in pixels of so many metres, or None where the file does not say."""
    for listed in elements(tile, "Size"):
        rows = text_of(listed, "NROWS")
        columns = text_of(listed, "NCOLS")
        if listed.get("resolution") == str(pixel) and rows and columns:
            return int(rows), int(columns)
    return None


def _ground(tile: ElementTree.Element, pixel: int) -> Georeference:
    """Return where the tile lies, in pixels of so many metres."""
    code = text_of(tile, "HORIZONTAL_CS_CODE")
    epsg = None
    if code:
        epsg = int(code.rpartition(":")[2])
    for position in elements(tile, "Geoposition"):
        if position.get("resolution") == str(pixel):
            left = float(text_of(position, "ULX"))
            top = float(text_of(position, "ULY"))
            return Georeference(
                transform=(float(pixel), 0.0, left, 0.0, -float(pixel), top),
                epsg=epsg,
            )
    return Georeference(epsg=epsg)
