"""Forty files and more, one oddity each, as people own them. What is to be read is known in closed form.

The files are written by hand (ENVI, by its own description) or by rasterio, tifffile and h5py; GeoTIFFs are read twice,
by GDAL and without it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile
from odd_files import (
    BANDS,
    COLUMNS,
    HOLE,
    NM,
    NO_DATA,
    ROWS,
    TRANSFORM,
    WIDTHS,
    Odd,
    braces,
    check,
    check_part,
    envi,
    geotiff,
    image,
    read,
    with_hole,
)

from paddle_umsft.config.data import DataConfig
from paddle_umsft.data.readers import gdal, tiff
from paddle_umsft.data.reading import read_scene
from paddle_umsft.errors import DataError

MICRO = braces(NM / 1000)
GAINS = np.array([0.5, 0.25, 1.0, 2.0, 0.125, 1.0])
OFFSETS = np.array([0.0, -5.0, 0.0, 1.0, 0.0, 0.0])
UTM = "map info = {UTM, 1, 1, 500000, 5800000, 10, 10, 33, North, WGS-84, units=Meters}\n"
REFERENCE_PIXEL = "map info = {UTM, 3.5, 1.5, 500025, 5799995, 10, 10, 33, South, WGS-84, units=Meters}\n"
GOOD = [band for band in range(BANDS) if band != 3]


def dead(band: int, value: float, dtype: Any = np.int16) -> np.ndarray:
    cube = image(dtype)
    cube[:, :, band] = value
    return cube


def mostly_empty() -> np.ndarray:
    cube = image()
    cube[2:, :, 3] = NO_DATA
    return cube


ENVI_FILES = [
    Odd("bil", envi(interleave="bil")),
    Odd("bip", envi(interleave="bip")),
    Odd("big-endian bsq", envi(big=True)),
    Odd("big-endian bil", envi(big=True, interleave="bil")),
    Odd("big-endian bip float64", envi(image(np.float64), big=True, interleave="bip"), image(np.float64)),
    Odd("no suffix", envi(data="x")),
    Odd("x.dat.hdr", envi(data="x.dat", header="x.dat.hdr", give="x.dat.hdr")),
    Odd("raw", envi(data="x.raw")),
    Odd("data file given", envi(give="x.img")),
    Odd("data file without suffix given", envi(data="x", give="x")),
    Odd("x.dat given, x.dat.hdr beside", envi(data="x.dat", header="x.dat.hdr", give="x.dat")),
    Odd("x.dat given, x.hdr beside", envi(data="x.dat", give="x.dat")),
    Odd("header offset", envi(offset=37)),
    Odd("compressed", envi(packed=True, instead={"file compression": "1"})),
    Odd(
        "comments",
        envi(lines="; made by hand\nwavelength = {450, 520,\n; the red edge\n570, 660, 850, 1600}\n"),
        wavelengths=NM,
    ),
    Odd("empty keys", envi(lines="wavelength units = \ndescription = {}\nbbl = { }\nfwhm =\n")),
    Odd("no byte order", envi(instead={"byte order": ""}), note="byte order"),
    Odd("no header offset", envi(instead={"header offset": ""})),
    Odd("upper case", envi(lines=f"WAVELENGTH = {braces(NM)}\nWavelength Units = NM\n"), wavelengths=NM),
    Odd("micrometres", envi(lines=f"wavelength = {MICRO}\nwavelength units = Micrometers\n"), wavelengths=NM),
    Odd("um", envi(lines=f"wavelength = {MICRO}\nwavelength units = um\n"), wavelengths=NM, note="micrometres"),
    Odd("misspelt", envi(lines=f"wavelength = {MICRO}\nwavelength units = Micromters\n"), wavelengths=NM),
    Odd(
        "unit unknown",
        envi(lines=f"wavelength = {MICRO}\nwavelength units = Unknown\n"),
        wavelengths=NM,
        note="taken as",
    ),
    Odd(
        "unit wrong",
        envi(lines=f"wavelength = {MICRO}\nwavelength units = Nanometers\n"),
        wavelengths=NM,
        note="taken as",
    ),
    Odd("index", envi(lines="wavelength = {1, 2, 3, 4, 5, 6}\nwavelength units = Index\n"), note="no wavelengths"),
    Odd(
        "fwhm in micrometres",
        envi(lines=f"wavelength = {MICRO}\nwavelength units = Micrometers\nfwhm = {braces(WIDTHS / 1000)}\n"),
        wavelengths=NM,
        facts={"fwhm_nm": WIDTHS},
    ),
    Odd(
        "wavelengths in the names",
        envi(lines="band names = {" + ", ".join(f"band {i} ({nm:g} Nanometers)" for i, nm in enumerate(NM)) + "}\n"),
        wavelengths=NM,
    ),
    Odd("ignore value", envi(with_hole(), lines=f"data ignore value = {NO_DATA}\n"), hole=HOLE, note="no data (-9999)"),
    Odd("ignored zeros", envi(with_hole(fill=0), lines="data ignore value = 0\n"), hole=HOLE),
    Odd("bad bands", envi(lines="bbl = {1, 1, 1, 0, 1, 1}\n"), image()[:, :, GOOD], left_out=[3], note="bbl"),
    Odd("dead band", envi(dead(3, 7)), image()[:, :, GOOD], left_out=[3], note="dead"),
    Odd(
        "band without data",
        envi(dead(3, NO_DATA), lines=f"data ignore value = {NO_DATA}\n"),
        image()[:, :, GOOD],
        left_out=[3],
    ),
    Odd(
        "band without data in most pixels",
        envi(mostly_empty(), lines=f"data ignore value = {NO_DATA}\n"),
        image()[:, :, GOOD],
        left_out=[3],
        note="most of the pixels",
    ),
    Odd(
        "gains and offsets",
        envi(lines=f"data gain values = {braces(GAINS)}\ndata offset values = {braces(OFFSETS)}\n"),
        image() * GAINS + OFFSETS,
        facts={"is_scaled": True},
    ),
    Odd(
        "reflectance scale factor",
        envi(lines="reflectance scale factor = 10000\n"),
        facts={"scale": np.full(BANDS, 1e-4), "is_scaled": False},
    ),
    Odd("wavelengths of another cube", envi(lines="wavelength = {450, 520}\n"), note="2 numbers for 6 bands"),
    Odd("widths that are none", envi(lines="fwhm = {a, b, c, d, e, f}\n"), note="more than numbers"),
    Odd("unsaid -9999", envi(with_hole()), hole=HOLE, note="no data (-9999)"),
    Odd("map info", envi(lines=UTM), transform=TRANSFORM, epsg=32633),
    Odd("map info by another pixel", envi(lines=REFERENCE_PIXEL), transform=TRANSFORM, epsg=32733),
    Odd(
        "time and sensor",
        envi(lines="acquisition time = 2009-08-20T09:44:50\nsensor type = HyMap\n"),
        facts={"acquired": "2009-08-20T09:44:50", "sensor": "HyMap"},
    ),
]


def point(target: Any) -> None:
    target.update_tags(AREA_OR_POINT="Point")


def imagery(target: Any) -> None:
    for number in range(1, BANDS + 1):
        target.update_tags(
            number,
            ns="IMAGERY",
            CENTRAL_WAVELENGTH_UM=f"{NM[number - 1] / 1000:g}",
            FWHM_UM=f"{WIDTHS[number - 1] / 1000:g}",
        )


def described(target: Any) -> None:
    target.descriptions = [f"band {number} ({nm:g} Nanometers)" for number, nm in enumerate(NM, start=1)]


def scaled(target: Any) -> None:
    target.scales = GAINS
    target.offsets = OFFSETS


def holed_mask(target: Any) -> None:
    mask = np.full((ROWS, COLUMNS), 255, np.uint8)
    for row, column in HOLE:
        mask[row, column] = 0
    target.write_mask(mask)


def rgba() -> np.ndarray:
    cube = image(np.uint16)[:, :, :4]
    cube[:, :, 3] = 65535
    for row, column in HOLE:
        cube[row, column, 3] = 0
    return cube


TAGS = [
    {"wavelength": f"{nm:g}", "wavelength_units": "Nanometers", "fwhm": f"{width:g}", "bbl": str(int(nm != 660))}
    for nm, width in zip(NM, WIDTHS)
]
PLACE = {"transform": TRANSFORM, "epsg": 32633}
GEOTIFFS = [
    Odd("plain", geotiff(), **PLACE),
    Odd("LZW", geotiff(compress="lzw"), **PLACE),
    Odd("deflate with predictor 2", geotiff(compress="deflate", predictor=2), **PLACE),
    Odd("ZSTD with predictor 3", geotiff(image(np.float32), compress="zstd", predictor=3), image(np.float32), **PLACE),
    Odd("LZMA", geotiff(compress="lzma"), **PLACE),
    Odd("packbits", geotiff(image(np.uint8) % 251, compress="packbits"), image(np.uint8) % 251, **PLACE),
    Odd("pixel by pixel", geotiff(interleave="pixel", compress="lzw"), **PLACE),
    Odd("band by band", geotiff(interleave="band", compress="lzw"), **PLACE),
    Odd("tiled", geotiff(tiled=True, blockxsize=16, blockysize=16, compress="deflate"), **PLACE),
    Odd("big-endian", geotiff(ENDIANNESS="BIG"), **PLACE),
    Odd("BigTIFF", geotiff(BIGTIFF="YES"), **PLACE),
    Odd("no place", geotiff(place=False)),
    Odd("coordinates of middles", geotiff(then=point), **PLACE),
    Odd("no data", geotiff(with_hole(), nodata=NO_DATA), hole=HOLE, facts={"no_data": float(NO_DATA)}, **PLACE),
    Odd("no data is NaN", geotiff(with_hole(np.float32, np.nan), nodata=np.nan), image(np.float32), hole=HOLE, **PLACE),
    Odd("not a number, unsaid", geotiff(with_hole(np.float32, np.nan)), image(np.float32), hole=HOLE, **PLACE),
    Odd("no data that no number is", geotiff(image(np.uint16), nodata=0), image(np.uint16), **PLACE),
    Odd(
        "items of the bands",
        geotiff(tags=TAGS),
        image()[:, :, GOOD],
        wavelengths=NM[GOOD],
        left_out=[3],
        facts={"fwhm_nm": WIDTHS},
        **PLACE,
    ),
    Odd("IMAGERY domain", geotiff(then=imagery), wavelengths=NM, facts={"fwhm_nm": WIDTHS}, **PLACE),
    Odd("descriptions", geotiff(then=described), wavelengths=NM, **PLACE),
    Odd("scale and offset", geotiff(then=scaled), image() * GAINS + OFFSETS, facts={"is_scaled": True}, **PLACE),
    Odd("alpha", geotiff(rgba(), photometric="RGB", ALPHA="YES"), rgba()[:, :, :3], hole=HOLE, note="alpha", **PLACE),
]


def stack(folder: Path) -> Path:
    tifffile.imwrite(folder / "x.tif", np.moveaxis(image(), -1, 0), photometric="minisblack")
    return folder / "x.tif"


def python_mat(folder: Path) -> Path:
    with h5py.File(folder / "x.mat", "w") as file:
        file["cube"] = image()
    return folder / "x.mat"


def matlab_mat(folder: Path) -> Path:
    with h5py.File(folder / "x.mat", "w", userblock_size=512) as file:
        file["cube"] = image().T
        file["cube"].attrs["MATLAB_class"] = np.bytes_("int16")
        file["site"] = np.frombuffer("Potsdam".encode("utf-16-le"), np.uint16)[:, None]
        file["site"].attrs["MATLAB_class"] = np.bytes_("char")
    with (folder / "x.mat").open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file".ljust(512, b" "))
    return folder / "x.mat"


def packed_mat(folder: Path) -> Path:
    content = {"cube": image(), "site": "Potsdam", "who": {"name": "A", "n": 3.0}, "cells": np.array(["a", 1], object)}
    scipy.io.savemat(folder / "x.mat", content, do_compression=True)
    return folder / "x.mat"


def groups(folder: Path) -> Path:
    with h5py.File(folder / "x.h5", "w") as file:
        file["swath/data/cube"] = image()
        file["swath/data/wavelength"] = NM
        file["swath/data/fwhm"] = WIDTHS
        file["time"] = np.arange(3.0)
    return folder / "x.h5"


def short_name(folder: Path) -> Path:
    np.savez(folder / "x.npz", hsi=image(), wl=NM, t=np.arange(4.0))
    return folder / "x.npz"


def conventions(folder: Path) -> Path:
    with h5py.File(folder / "x.nc", "w") as file:
        file["reflectance"] = with_hole()
        file["reflectance"].attrs.update({"_FillValue": np.int16(NO_DATA), "scale_factor": 0.5, "add_offset": 3.0})
    return folder / "x.nc"


def classic(folder: Path) -> Path:
    with scipy.io.netcdf_file(str(folder / "x.nc"), "w") as file:
        for name, length in (("y", ROWS), ("x", COLUMNS), ("band", BANDS)):
            file.createDimension(name, length)
        variable = file.createVariable("reflectance", "i2", ("y", "x", "band"))
        variable[:] = with_hole()
        variable.missing_value = np.int16(NO_DATA)
        listed = file.createVariable("wavelength", "f8", ("band",))
        listed[:] = NM
    return folder / "x.nc"


OTHERS = [
    Odd("pages", stack, note="bands, rows, columns"),
    Odd("a .mat by h5py", python_mat, note="plain HDF5"),
    Odd("a .mat by MATLAB", matlab_mat),
    Odd("a packed .mat with text, struct and cells", packed_mat),
    Odd("HDF5 in groups", groups, wavelengths=NM, facts={"fwhm_nm": WIDTHS}),
    Odd("netCDF 4 by the conventions", conventions, image() * 0.5 + 3, hole=HOLE, facts={"is_scaled": True}),
    Odd("netCDF 3", classic, hole=HOLE, wavelengths=NM, facts={"no_data": float(NO_DATA)}),
    Odd("wavelengths called wl", short_name, wavelengths=NM, note="taken as its wavelengths"),
]


@pytest.mark.parametrize("odd", ENVI_FILES, ids=lambda odd: odd.name)
def test_envi(odd: Odd, tmp_path: Path) -> None:
    check(odd, read(odd, tmp_path))
    check_part(odd, odd.write(tmp_path))


@pytest.mark.parametrize("by_gdal", [True, False], ids=["gdal", "tifffile"])
@pytest.mark.parametrize("odd", GEOTIFFS, ids=lambda odd: odd.name)
def test_geotiff(odd: Odd, by_gdal: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rasterio")
    path = odd.write(tmp_path)
    if not by_gdal:
        monkeypatch.setattr(tiff, "has_rasterio", lambda: False)
        monkeypatch.setattr(gdal, "has_rasterio", lambda: False)
    check(odd, read_scene(DataConfig(path=str(path), normalise="none")))
    check_part(odd, path)


@pytest.mark.parametrize("odd", OTHERS, ids=lambda odd: odd.name)
def test_others(odd: Odd, tmp_path: Path) -> None:
    check(odd, read(odd, tmp_path))
    check_part(odd, odd.write(tmp_path))


def test_a_mask_band(tmp_path: Path) -> None:
    """Only GDAL knows masks in a page of their own."""
    pytest.importorskip("rasterio")
    odd = Odd("mask", geotiff(then=holed_mask), hole=HOLE, note="own mask", **PLACE)
    check(odd, read_scene(DataConfig(path=str(odd.write(tmp_path)), normalise="none")))


@pytest.mark.parametrize(("pixel", "angle"), [("4, 2.5", 0.0), ("1, 1", 30.0), ("1, 1", -75.0)])
def test_map_info_as_gdal_takes_it(tmp_path: Path, pixel: str, angle: float) -> None:
    """A turned grid with another reference pixel is left out: GDAL does not turn the way from there to the corner."""
    rasterio = pytest.importorskip("rasterio")
    entries = f"UTM, {pixel}, 500000, 5800000, 10, 12, 33, North, WGS-84, units=Meters, rotation={angle}"
    path = envi(lines=f"map info = {{{entries}}}\n")(tmp_path)
    with rasterio.open(path.with_suffix(".img")) as source:
        transform = source.transform[:6]
        epsg = source.crs.to_epsg()
    facts = read_scene(DataConfig(path=str(path))).facts
    assert facts is not None
    np.testing.assert_allclose(facts.ground.transform, transform, rtol=1e-12)
    assert facts.ground.epsg == epsg == 32633


def test_envi_as_spy_reads_it(tmp_path: Path) -> None:
    import spectral.io.envi as spy

    for interleave in ("bsq", "bil", "bip"):
        path = envi(interleave=interleave, big=True, lines=f"wavelength = {braces(NM)}\n")(tmp_path)
        scene = read_scene(DataConfig(path=str(path), normalise="none"))
        np.testing.assert_array_equal(scene.hr_hsi, np.asarray(spy.open(str(path)).load()))


@pytest.mark.parametrize(
    ("write", "facts"),
    [
        (envi(instead={"lines": "17"}), ("cut short", "4284 bytes", "4032 bytes")),
        (envi(data="y.img"), ("without its data file", "x.img")),
        (envi(data="y.img", give="y.img"), ("without their ENVI header",)),
        (envi(instead={"data type": "6"}), ("complex",)),
        (envi(instead={"data type": "99"}), ("data type", "99")),
        (envi(instead={"samples": "many"}), ("samples", "many")),
        (envi(instead={"interleave": "bsx"}), ("interleave", "bsx")),
        (envi(lines="wavelength = {450, 520"), ("never closed",)),
    ],
)
def test_envi_that_cannot_be(tmp_path: Path, write: Any, facts: tuple[str, ...]) -> None:
    path = write(tmp_path)
    with pytest.raises(DataError) as caught:
        read_scene(DataConfig(path=str(path)))
    for fact in facts:
        assert fact in str(caught.value)
    assert "damaged" not in str(caught.value)
