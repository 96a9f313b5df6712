"""EMIT level 2A reflectance (.nc, netCDF-4, which is HDF5): as the sensor saw it, and a table that puts it on a map.

References:
    NASA JPL, EMIT L2A Algorithm: Surface Reflectance and Scene Content Masks, User Guide, section on the file's groups:
    sensor_band_parameters (wavelengths, fwhm, good_wavelengths), location (glt_x, glt_y: counted from 1, 0 is nothing).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import numpy as np

from paddle_umsft.data.facts import BandFacts, FileFacts
from paddle_umsft.data.ground import Georeference
from paddle_umsft.data.readers.base import RawArray, Request, Window, guarded
from paddle_umsft.data.readers.hdf5 import read_hdf5
from paddle_umsft.data.readers.hdf5_own import opened_own
from paddle_umsft.data.readers.windows import as_part, within
from paddle_umsft.errors import DataError

IMAGE = "reflectance"
BANDS = "sensor_band_parameters"
LOOKUP = "location/glt_x"
NO_DATA = -9999.0
# The name that asks for the image as the sensor saw it, not on the map.
RAW = "raw"
# Geographic coordinates on WGS 84, where the file's own text is missing.
WGS84_DEGREES = 4326


def is_emit(path: Path) -> bool:
    """Return whether a file is EMIT's reflectance."""
    if not path.is_file() or path.suffix.lower() not in (".nc", ".nc4"):
        return False
    try:
        with opened_own(path) as file:
            return IMAGE in file and BANDS in file and LOOKUP in file
    # Other readers may take it, without what is not its own.
    except (OSError, DataError):
        return False


def read_emit(path: Path, request: Request) -> RawArray:
    """Read the reflectance, put on the map by the file's own table.

    Args:
        path: The .nc file.
        request: Its window, and its key: None, `raw` for the image as the sensor saw it, or the path of any array in
            the file.

    Raises:
        DataError: Not readable.
    """
    if request.key is not None and request.key.lower() != RAW:
        return read_hdf5(path, request)
    found = guarded(
        path,
        "EMIT product",
        lambda: _read(
            path,
            request.key is None,
            request.window,
        ),
    )
    assert isinstance(found, RawArray)
    return found


def _read(
    path: Path,
    is_mapped: bool,
    window: Optional[Window],
) -> RawArray:
    """Read a product, or a part of it."""
    with opened_own(path) as file:
        stored = file[IMAGE]  # (downtrack, crosstrack, C)
        group = file[BANDS]
        good = None
        if "good_wavelengths" in group:
            good = np.asarray(group["good_wavelengths"][()]) != 0
        bands = BandFacts(
            count=stored.shape[2],
            wavelengths_nm=np.asarray(group["wavelengths"][()], float),
            fwhm_nm=np.asarray(group["fwhm"][()], float),
            good=good,
        )
        ground = Georeference()
        # As the sensor saw it an image has no grid on the ground.
        size = stored.shape[:2]
        if is_mapped:
            size = file[LOOKUP].shape
            ground = _ground(file)
        rows, columns = slice(0, size[0]), slice(0, size[1])
        if window is not None:
            rows, columns = within(window, size, path)
        if is_mapped:
            values = _on_map(
                file,
                rows,
                columns,
            )
        else:
            values = stored[rows, columns]
        facts = FileFacts(
            ground=ground,
            bands=bands,
            no_data=NO_DATA,
            units=IMAGE,
            dtype=stored.dtype.name,
            acquired=_word(file.attrs.get("time_coverage_start", "")),
            sensor="EMIT",
        )
    note = "as the sensor saw it, not on a map (data.key: raw)"
    if is_mapped:
        note = "put on the map by the product's own table (GLT), nearest pixel"
    found = RawArray(
        values=values,
        is_upright=True,
        facts=facts,
        notes=(f"{path.name}: {note}",),
    )
    return as_part(found, window, size)


def _on_map(
    file: Any,
    map_rows: slice,
    map_columns: slice,
) -> np.ndarray:
    """Return (H, W, C) of a part of the map's grid."""
    columns = np.asarray(file["location/glt_x"][map_rows, map_columns], int)
    rows = np.asarray(file["location/glt_y"][map_rows, map_columns], int)
    is_seen = (columns > 0) & (rows > 0)
    stored = file[IMAGE]
    mapped = np.full(
        (*rows.shape, stored.shape[2]),
        NO_DATA,
        stored.dtype,
    )
    if not is_seen.any():
        return mapped
    # Counted from 1. Only the lines that the part shows are read: the map is turned against the track.
    first = rows[is_seen].min() - 1
    lines = stored[first : rows.max()]
    mapped[is_seen] = lines[rows[is_seen] - 1 - first, columns[is_seen] - 1]
    return mapped


def _ground(file: Any) -> Georeference:
    """Return where the map's grid lies: GDAL's six numbers and WKT."""
    x, x_column, x_row, y, y_column, y_row = (float(number) for number in np.ravel(file.attrs["geotransform"]))
    wkt = _word(file.attrs.get("spatial_ref", ""))
    return Georeference(
        transform=(x_column, x_row, x, y_column, y_row, y),
        crs_wkt=wkt,
        epsg=WGS84_DEGREES,
    )


def _word(value: Any) -> str:
    """Return text of an attribute: h5py gives bytes or str."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return str(value)
