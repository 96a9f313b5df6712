"""Landsat 8 and 9, collection 2, level 2: surface reflectance, each band a GeoTIFF.

References:
    USGS, Landsat 8-9 Collection 2 Level 2 Science Product Guide (LSDS-1619): SR bands, DN 0 is fill, reflectance =
    DN * REFLECTANCE_MULT_BAND_n + REFLECTANCE_ADD_BAND_n of the group LEVEL2_SURFACE_REFLECTANCE_PARAMETERS.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Optional

import numpy as np

from paddle_umsft.data.readers.base import RawArray, Request
from paddle_umsft.data.readers.stacking import stack_bands
from paddle_umsft.data.readers.tiff import read_tiff
from paddle_umsft.errors import DataError

METADATA = re.compile(r"^(?P<stem>L[CO]0[89]_L2SP_.*)_MTL\.txt$", re.IGNORECASE)
BANDS = tuple(f"B{number}" for number in range(1, 8))
GROUP = "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS"
# Where a product's file lacks them: those of the guide.
USUAL_FACTOR = 2.75e-5
USUAL_OFFSET = -0.2


def is_landsat(path: Path) -> bool:
    """Return whether a folder, or the metadata file in it, is a product of level 2."""
    return _find_metadata(path) is not None


def read_landsat(path: Path, request: Request) -> RawArray:
    """Read bands 1 to 7 as reflectance.

    Args:
        path: The product's folder or its _MTL.txt.
        request: Passed on to the reader of the bands.

    Raises:
        DataError: A band is missing or cannot be read.
    """
    metadata = _find_metadata(path)
    assert metadata is not None
    fields = _fields(metadata)
    match = METADATA.match(metadata.name)
    assert match is not None
    files = [
        _band_file(
            metadata,
            match["stem"],
            band,
        )
        for band in BANDS
    ]
    found = stack_bands(
        files,
        BANDS,
        lambda file: read_tiff(file, request),
    )
    # Level 1's group has fields of the same names: they are not meant.
    factors = [fields.get(f"{GROUP}.REFLECTANCE_MULT_BAND_{band[1:]}", USUAL_FACTOR) for band in BANDS]
    offsets = [fields.get(f"{GROUP}.REFLECTANCE_ADD_BAND_{band[1:]}", USUAL_OFFSET) for band in BANDS]
    bands = replace(
        found.facts.bands,
        names=BANDS,
        scale=np.asarray(factors, float),
        offset=np.asarray(offsets, float),
    )
    date = fields.get("IMAGE_ATTRIBUTES.DATE_ACQUIRED", "")
    time = fields.get("IMAGE_ATTRIBUTES.SCENE_CENTER_TIME", "")
    acquired = f"{date}T{time}"
    return replace(
        found,
        # 0 is fill in every band.
        mask=np.asarray((found.values > 0).all(axis=2)),
        facts=replace(
            found.facts,
            bands=bands,
            no_data=0.0,
            units="reflectance",
            acquired=acquired.strip("T"),
            sensor=fields.get("IMAGE_ATTRIBUTES.SPACECRAFT_ID", ""),
        ),
    )


def _find_metadata(path: Path) -> Optional[Path]:
    """Return the metadata file of a folder, or the file itself; None for anything else."""
    if path.is_dir():
        listed = [file for file in path.iterdir() if METADATA.match(file.name)]
        if len(listed) != 1:
            return None
        return listed[0]
    if METADATA.match(path.name):
        return path
    return None


def _band_file(
    metadata: Path,
    stem: str,
    band: str,
) -> Path:
    """Return the image of a band."""
    file = metadata.with_name(f"{stem}_SR_{band}.TIF")
    if not file.is_file():
        raise DataError(
            "incomplete product",
            where=metadata.parent,
            expected=file.name,
        )
    return file


def _fields(metadata: Path) -> dict[str, str]:
    """Return GROUP.NAME -> value of the metadata."""
    fields = {}
    groups: list[str] = []
    for line in metadata.read_text(encoding="utf-8", errors="replace").splitlines():
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals:
            continue
        # Groups lie in each other; a field belongs to the innermost.
        if name == "GROUP":
            groups.append(value)
        elif name == "END_GROUP":
            groups.pop()
        else:
            fields[f"{groups[-1]}.{name}"] = value.strip('"')
    return fields
