"""GeoTIFF by rasterio: tiled, compressed, with coordinate system, no-data, and wavelengths where GDAL looks for them.

References:
    GDAL, "Raster data model", metadata domain IMAGERY (CENTRAL_WAVELENGTH_UM, FWHM_UM); EnMAP-Box, band metadata
    items `wavelength`, `wavelength_units`, `fwhm`, `bbl`.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from paddle_umsft.errors import ConfigError
from paddle_umsft.machine.side_by_side import allowed_threads
from paddle_umsft.runs.writers.product import NM_PER_MICROMETRE, Product

# Tiles have to be multiples of 16; this is what GDAL and its readers expect.
TILE = 256
# GDAL's predictors make neighbours' differences of integers (2) and of floating point numbers (3).
PREDICTOR_INTEGERS = 2
PREDICTOR_FLOATS = 3
# How hard deflate tries, 1 to 9. Measured on cubes of 31 and 200 bands and their errors: 6, which is usual, takes half
# as long again to twice as long, and files are 3 % larger to 1 % smaller by it.
PACKED = 1


def check_rasterio() -> None:
    """Check, before work is spent, that GeoTIFF can be written.

    Raises:
        ConfigError: rasterio is not installed.
    """
    try:
        import rasterio  # noqa: F401
    except ImportError:
        raise ConfigError(
            "GeoTIFF needs rasterio",
            where="output.format tif",
            hint='pip install "paddle_umsft[geo]", or take ENVI, which needs nothing: output.format=envi, -o NAME.hdr',
        ) from None


def write_geotiff(path: Path, product: Product) -> None:
    """Write a GeoTIFF.

    Args:
        path: Ends in .tif.
        product: What to write.

    Raises:
        ConfigError: rasterio is not installed.
        OSError: It cannot be written.
    """
    check_rasterio()
    from rasterio.errors import RasterioError

    try:
        with opened(path, product) as file:
            for place in range(product.values.shape[2]):
                file.write(product.values[:, :, place], place + 1)
            describe(file, product)
    except RasterioError as error:
        raise OSError(str(error)) from error
    finally:
        without_aside(path)


def without_aside(path: Path) -> None:
    """Remove what GDAL leaves beside a TIFF: all that is written here fits into the TIFF."""
    path.with_name(path.name + ".aux.xml").unlink(missing_ok=True)


def opened(path: Path, product: Product, tile_rows: int = TILE) -> Any:
    """Open a GeoTIFF of a product's size and kind for writing.

    Args:
        path: Ends in .tif.
        product: Its values may be none yet: only their shape and type count.
        tile_rows: Rows of a tile, a multiple of 16.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    height, width, bands = product.values.shape
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "height": height,
        "width": width,
        "count": bands,
        "dtype": product.values.dtype.name,
        "nodata": product.no_data,
        "tiled": True,
        "blockxsize": TILE,
        "blockysize": tile_rows,
        # Every reader since 1992 knows it; ZSTD is smaller, and unknown to many.
        "compress": "deflate",
        "zlevel": PACKED,
        "predictor": _predictor(product.values.dtype),
        # Tiles are packed on all cores, while the next rows are made.
        "num_threads": allowed_threads(),
        # A band is one picture in a GIS, and 200 bands of a pixel in one tile are a tile of 50 MB.
        "interleave": "band",
        "BIGTIFF": "IF_SAFER",
    }
    if product.ground.transform is not None:
        profile["transform"] = rasterio.Affine(*product.ground.transform)
    system = crs_of(product)
    if system is not None:
        profile["crs"] = system
    with warnings.catch_warnings():
        # A pair without coordinates may be wanted as TIFF all the same.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return rasterio.open(path, "w", **profile)


def crs_of(product: Product) -> Any:
    """Return the coordinate system as rasterio has it, or None where it is not known."""
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    ground = product.ground
    try:
        if ground.epsg is not None:
            return CRS.from_epsg(ground.epsg)
        if ground.crs_wkt:
            return CRS.from_wkt(ground.crs_wkt)
    except CRSError:
        # What GDAL does not understand it cannot write either; ENVI's header takes the text as it stands.
        return None
    return None


def _predictor(kind: np.dtype) -> int:
    """Return GDAL's predictor for a type."""
    if kind.kind == "f":
        return PREDICTOR_FLOATS
    return PREDICTOR_INTEGERS


def describe(file: Any, product: Product) -> None:
    """Write what is known of the image and of each band."""
    file.update_tags(**_image_tags(product))
    if product.acquired:
        file.update_tags(ns="IMAGERY", ACQUISITIONDATETIME=product.acquired)
    scales = []
    offsets = []
    for number, facts in enumerate(product.band_facts(), start=1):
        file.set_band_description(number, band_description(number, facts))
        if product.units:
            file.set_band_unit(number, product.units)
        tags, imagery = _band_tags(facts)
        if tags:
            file.update_tags(number, **tags)
        if imagery:
            file.update_tags(number, ns="IMAGERY", **imagery)
        scales.append(facts["scale"] or 1.0)
        offsets.append(facts["offset"] or 0.0)
    if product.bands.scale is not None or product.bands.offset is not None:
        file.scales = scales
        file.offsets = offsets


def _image_tags(product: Product) -> dict[str, str]:
    """Return what is said of the whole image."""
    tags = {"AREA_OR_POINT": "Area"}
    if product.history:
        tags["TIFFTAG_IMAGEDESCRIPTION"] = product.history
    if product.sensor:
        tags["sensor"] = product.sensor
    if product.bands.wavelengths_nm is not None:
        tags["wavelength_units"] = "Nanometers"
    return tags


def band_description(number: int, facts: dict[str, Any]) -> str:
    """Return a band's name: the file's own, else one that tells its wavelength as other programs do."""
    if facts["name"]:
        return str(facts["name"])
    if facts["wavelength_nm"] is None:
        return f"band {number}"
    return f"band {number} ({facts['wavelength_nm']:.6g} Nanometers)"


def _band_tags(facts: dict[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Return a band's metadata, and what stands in the domain IMAGERY."""
    tags = {}
    imagery = {}
    if facts["wavelength_nm"] is not None:
        tags["wavelength"] = f"{facts['wavelength_nm']:.10g}"
        tags["wavelength_units"] = "Nanometers"
        imagery["CENTRAL_WAVELENGTH_UM"] = f"{facts['wavelength_nm'] / NM_PER_MICROMETRE:.10g}"
    if facts["fwhm_nm"] is not None:
        tags["fwhm"] = f"{facts['fwhm_nm']:.10g}"
        imagery["FWHM_UM"] = f"{facts['fwhm_nm'] / NM_PER_MICROMETRE:.10g}"
    if facts["good"] is not None:
        tags["bbl"] = str(int(facts["good"]))
    return tags, imagery
