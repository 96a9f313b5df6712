"""NetCDF-4 by h5py: an HDF5 file whose datasets have dimension scales, with CF's attributes.

References:
    NetCDF-4 format specification, "Creation order" and "Dimension scales"; CF conventions 1.8, sections 3.1, 5.6
    (grid mappings), 8.1 (packed data).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from paddle_umsft.data.ground import Georeference
from paddle_umsft.runs.writers.product import Product

CUBE = "fused"
SYSTEM = "spatial_ref"
# Of zlib's nine levels the one with which most of the gain is had.
COMPRESSION = 4
# A chunk is one band of so many rows and columns: a picture or a spectrum are read at about the same cost.
CHUNK = 128


def write_netcdf(path: Path, product: Product) -> None:
    """Write a NetCDF-4 file with one variable `fused` (band, y, x).

    Args:
        path: Ends in .nc.
        product: What to write.

    Raises:
        OSError: It cannot be written.
    """
    import h5py

    height, width = product.values.shape[:2]
    # NetCDF asks for the order of creation to be kept.
    with h5py.File(path, "w", track_order=True) as file:
        file.attrs["Conventions"] = np.bytes_("CF-1.8")
        if product.history:
            file.attrs["history"] = np.bytes_(product.history)
        # Names of the attribute convention for data discovery (ACDD).
        told = {
            "platform": product.sensor,
            "time_coverage_start": product.acquired,
        }
        for name, text in told.items():
            if text:
                file.attrs[name] = np.bytes_(text)
        scales = _dimensions(file, product)
        cube = file.create_dataset(
            CUBE,
            data=np.moveaxis(product.values, 2, 0),  # (C, H, W)
            # No chunk is larger than the image: HDF5 refuses that.
            chunks=(1, min(CHUNK, height), min(CHUNK, width)),
            compression="gzip",
            compression_opts=COMPRESSION,
            shuffle=True,
            track_order=True,
        )
        for axis, scale in enumerate(scales):
            cube.dims[axis].attach_scale(scale)
        if product.units:
            cube.attrs["units"] = np.bytes_(product.units)
        if product.no_data is not None:
            cube.attrs["_FillValue"] = np.array([product.no_data], product.values.dtype)
        if product.ground.is_known:
            cube.attrs["grid_mapping"] = np.bytes_(SYSTEM)
            _system(file, product.ground)
        _pack(cube, product)
        _more_of_bands(file, product, scales[0])


def _dimensions(file: Any, product: Product) -> list[Any]:
    """Make the scales of the three axes and return them: band, y, x."""
    height, width, bands = product.values.shape
    wavelengths = product.bands.wavelengths_nm
    if wavelengths is None:
        numbers = np.arange(1, bands + 1)
        first = file.create_dataset("band", data=numbers, track_order=True)
        first.make_scale("band")
    else:
        nm = np.asarray(wavelengths, np.float64)
        first = file.create_dataset("wavelength", data=nm, track_order=True)
        first.make_scale("wavelength")
        first.attrs["units"] = np.bytes_("nm")
        first.attrs["standard_name"] = np.bytes_("radiation_wavelength")
    scales = [first]
    ys, xs = _coordinates(product.ground, height, width)
    for name, values in (("y", ys), ("x", xs)):
        scale = file.create_dataset(name, data=values, track_order=True)
        scale.make_scale(name)
        if product.ground.is_known:
            scale.attrs["standard_name"] = np.bytes_(f"projection_{name}_coordinate")
        scales.append(scale)
    return scales


def _coordinates(ground: Georeference, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (H,) y and (W,) x of the pixels' centres; of a turned image their numbers, as no axis is x or y then."""
    rows = np.arange(height) + 0.5
    columns = np.arange(width) + 0.5
    if ground.transform is None:
        return rows, columns
    x_per_column, x_per_row, left, y_per_column, y_per_row, top = ground.transform
    # Of a turned image neither axis has coordinates of its own; GeoTransform tells where it lies.
    if x_per_row != 0 or y_per_column != 0:
        return rows, columns
    ys = top + y_per_row * rows
    xs = left + x_per_column * columns
    return ys, xs


def _system(file: Any, ground: Georeference) -> None:
    """Write the coordinate system: WKT, and GDAL's six numbers."""
    system = file.create_dataset(SYSTEM, data=np.int32(0), track_order=True)
    text = ground.crs_wkt
    if not text and ground.epsg is not None:
        try:
            from rasterio.crs import CRS
        except ImportError:
            text = f"EPSG:{ground.epsg}"
        else:
            text = CRS.from_epsg(ground.epsg).to_wkt()
    if text:
        system.attrs["crs_wkt"] = np.bytes_(text)
        # GDAL and rioxarray look for the WKT under this name.
        system.attrs["spatial_ref"] = np.bytes_(text)
    geotransform = ground.geotransform
    if geotransform is not None:
        numbers = [f"{number:.17g}" for number in geotransform]
        system.attrs["GeoTransform"] = np.bytes_(" ".join(numbers))


def _pack(cube: Any, product: Product) -> None:
    """Write scale and offset, where one pair holds for all bands: NetCDF has one of a variable."""
    scale = product.bands.scale
    offset = product.bands.offset
    if scale is not None and _is_one_number(scale):
        cube.attrs["scale_factor"] = np.float64(scale[0])
    if offset is not None and _is_one_number(offset):
        cube.attrs["add_offset"] = np.float64(offset[0])


def _is_one_number(values: np.ndarray) -> bool:
    """Return whether all bands have the same number."""
    return bool(np.all(values == values[0]))


def _more_of_bands(file: Any, product: Product, scale: Any) -> None:
    """Write what else has one entry a band."""
    arrays = {
        "fwhm": product.bands.fwhm_nm,
        "good_wavelengths": product.bands.good,
        "band_scale": product.bands.scale,
        "band_offset": product.bands.offset,
    }
    for name, values in arrays.items():
        if values is None:
            continue
        # NetCDF has no truth values.
        kind = "uint8" if values.dtype == bool else "float64"
        written = file.create_dataset(name, data=values.astype(kind), track_order=True)
        written.dims[0].attach_scale(scale)
        if name == "fwhm":
            written.attrs["units"] = np.bytes_("nm")
