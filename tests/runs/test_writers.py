"""What is written is what rasterio, GDAL's netCDF driver, SPy, NumPy and SciPy read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest
import scipy.io
import spectral.io.envi as spy
from train_calls import train

from paddle_umsft.data.facts import BandFacts, FileFacts
from paddle_umsft.data.ground import Georeference
from paddle_umsft.data.scene import Observation
from paddle_umsft.errors import ConfigError, DataError
from paddle_umsft.runs.writers import geotiff
from paddle_umsft.runs.writers.product import Product, make_product
from paddle_umsft.runs.writers.table import format_of, settled_format, write_product

rasterio = pytest.importorskip("rasterio")
NotGeoreferencedWarning = rasterio.errors.NotGeoreferencedWarning

GROUND = Georeference(transform=(10.0, 0.0, 399960.0, 0.0, -10.0, 5800020.0), epsg=32633)
# A file of five bands, out of order, the third left out: 0-based places in the file of the cube's four bands.
ORDER = (1, 0, 3, 4)
BANDS = BandFacts(
    count=5,
    wavelengths_nm=np.array([500.0, 450.25, 512.5, 550.0, 600.0]),
    fwhm_nm=np.array([8.0, 7.5, 8.0, 9.0, 10.0]),
    names=("green", "blue", "bad, very", "yellow", "red"),
    good=np.array([True, True, False, True, True]),
    scale=np.array([1e-4] * 5),
)
FACTS = FileFacts(
    bands=BANDS,
    order=ORDER,
    no_data=-32768.0,
    units="reflectance",
    dtype="int16",
    acquired="2022-07-24T10:15:00Z",
    sensor="a spectrometer",
)


def fused_cube() -> np.ndarray:
    cube = np.random.RandomState(0).uniform(0.01, 1, (30, 44, 4)).astype(np.float32)
    cube[3, 5] = np.nan
    return cube


def observed(facts: Optional[FileFacts] = FACTS, divisor: float = 9000.0, **more: Any) -> Observation:
    cube = fused_cube()
    wavelengths = np.array([450.25, 500.0, 550.0, 600.0])
    return Observation(
        lr_hsi=cube,
        hr_msi=cube,
        scale=1,
        wavelengths_nm=wavelengths,
        meta={"divisor": divisor, "source": "a/hsi.tif", "source_msi": "b/msi.tif"},
        hsi_facts=facts,
        msi_facts=FileFacts(ground=GROUND),
        **more,
    )


def expected_values() -> np.ndarray:
    """What the HSI's file would hold: by hand, band by band."""
    cube = fused_cube()
    values = np.full((30, 44, 5), -32768, np.int16)
    for place, band in enumerate(ORDER):
        values[:, :, band] = np.nan_to_num(np.rint(cube[:, :, place].astype(np.float64) * 9000), nan=-32768)
    return values


def test_geotiff_as_rasterio_reads_it(tmp_path: Path) -> None:
    files = write_product(tmp_path / "fused.tif", make_product(fused_cube(), observed(), "fused by hand"), "tif")
    assert files == [tmp_path / "fused.tif"]
    assert [file.name for file in tmp_path.iterdir()] == ["fused.tif"]
    with rasterio.open(files[0]) as file:
        np.testing.assert_array_equal(np.moveaxis(file.read(), 0, 2), expected_values())
        assert file.crs.to_epsg() == 32633
        assert tuple(file.transform)[:6] == GROUND.transform
        assert file.nodata == -32768
        assert file.dtypes == ("int16",) * 5
        assert (file.profile["tiled"], file.profile["compress"]) == (True, "deflate")
        assert file.descriptions == BANDS.names
        assert file.units == ("reflectance",) * 5
        assert file.scales == (1e-4,) * 5
        tags = [file.tags(band) for band in range(1, 6)]
        assert [float(tag["wavelength"]) for tag in tags] == list(BANDS.wavelengths_nm)
        assert [tag["bbl"] for tag in tags] == ["1", "1", "0", "1", "1"]
        assert {tag["wavelength_units"] for tag in tags} == {"Nanometers"}
        imagery = file.tags(2, ns="IMAGERY")
        assert float(imagery["CENTRAL_WAVELENGTH_UM"]) == pytest.approx(0.45025)
        assert float(imagery["FWHM_UM"]) == pytest.approx(0.0075)
        assert file.tags(ns="IMAGERY") == {"ACQUISITIONDATETIME": "2022-07-24T10:15:00Z"}
        assert file.dataset_mask()[3, 5] == 0


def test_envi_as_spy_and_gdal_read_it(tmp_path: Path) -> None:
    header, data = write_product(tmp_path / "fused.hdr", make_product(fused_cube(), observed()), "envi")
    image = spy.open(str(header))
    np.testing.assert_array_equal(image.open_memmap(interleave="bip"), expected_values())
    assert image.bands.centers == list(BANDS.wavelengths_nm)
    assert image.bands.bandwidths == list(BANDS.fwhm_nm)
    assert [int(flag) for flag in image.metadata["bbl"]] == [1, 1, 0, 1, 1]
    assert image.metadata["band names"] == ["green", "blue", "bad; very", "yellow", "red"]
    assert image.metadata["data ignore value"] == "-32768"
    with rasterio.open(data) as file:
        assert file.crs.to_epsg() == 32633
        assert tuple(file.transform)[:6] == pytest.approx(GROUND.transform)
        assert file.nodata == -32768
        assert float(file.tags(1)["wavelength"]) == 500.0


def test_a_turned_grid_goes_through_envi(tmp_path: Path) -> None:
    angle = np.deg2rad(20)
    across, down = 4 * np.cos(angle), 4 * np.sin(angle)
    turned = Georeference(transform=(across, down, 500.0, down, -across, 900.0), epsg=32733)
    product = Product(values=np.ones((5, 7, 2), np.float32), ground=turned)
    write_product(tmp_path / "turned.hdr", product, "envi")
    with rasterio.open(tmp_path / "turned.img") as file:
        assert tuple(file.transform)[:6] == pytest.approx(turned.transform)
        assert file.crs.to_epsg() == 32733


def test_netcdf_as_gdal_reads_it(tmp_path: Path) -> None:
    write_product(tmp_path / "fused.nc", make_product(fused_cube(), observed()), "nc")
    with rasterio.open(f"netcdf:{tmp_path / 'fused.nc'}:fused") as file:
        np.testing.assert_array_equal(np.moveaxis(file.read(), 0, 2), expected_values())
        assert file.crs.to_epsg() == 32633
        assert tuple(file.transform)[:6] == pytest.approx(GROUND.transform)
        assert file.nodata == -32768
        assert file.tags(1)["NETCDF_DIM_wavelength"] == "500"


def test_scale_and_offset_that_were_applied_are_taken_off() -> None:
    """Stored * scale + offset was read, then divided by 2: back to the stored numbers, exactly."""
    stored = np.random.RandomState(1).randint(1, 10000, (30, 44, 3))
    scale, offset = np.array([2e-4, 1e-4, 5e-5]), np.array([-0.1, 0.0, 0.3])
    read = stored * scale + offset
    facts = FileFacts(bands=BandFacts(3, scale=scale, offset=offset), dtype="uint16", is_scaled=True, order=(2, 0, 1))
    cube = (read[:, :, [2, 0, 1]] / 2).astype(np.float64)
    product = make_product(cube, observed(facts, divisor=2.0))
    np.testing.assert_array_equal(product.values, stored)
    assert product.no_data is None


def test_an_error_has_no_offset_and_is_not_rounded() -> None:
    scale, offset = np.array([2e-4, 1e-4, 5e-5]), np.array([-0.1, 0.0, 0.3])
    facts = FileFacts(bands=BandFacts(3, scale=scale, offset=offset), dtype="uint16", is_scaled=True)
    error = np.random.RandomState(2).uniform(0, 1e-3, (6, 8, 3))
    product = make_product(error, observed(facts, divisor=2.0), is_difference=True)
    np.testing.assert_allclose(product.values, 2 * error / scale, rtol=1e-6)
    assert product.values.dtype == np.float32


@pytest.mark.parametrize(("kind", "mark"), [("uint16", 0.0), ("int16", -32768.0), ("float32", np.nan), ("uint8", 0.0)])
def test_no_value_is_marked_and_nothing_else_is(kind: str, mark: float) -> None:
    facts = FileFacts(dtype=kind)
    cube = fused_cube()
    cube[0, 0] = 0.0  # a value, not a gap
    product = make_product(cube, observed(facts, divisor=200.0))
    assert product.values.dtype == kind
    assert product.no_data == mark or np.isnan([product.no_data, mark]).all()
    is_marked = np.isnan(product.values) if kind == "float32" else product.values == mark
    np.testing.assert_array_equal(is_marked.any(axis=2), np.isnan(cube).any(axis=2))


def test_out_of_the_types_range_is_cut_off_not_wrapped() -> None:
    product = make_product(np.array([[[-0.5, 0.5, 2.0]]], np.float32), observed(FileFacts(dtype="uint8"), 200.0))
    assert product.values.ravel().tolist() == [0, 100, 255]


def test_without_any_facts(tmp_path: Path) -> None:
    """Arrays from nowhere can be written too: float32, no place, wavelengths as known."""
    bare = Observation(lr_hsi=fused_cube(), hr_msi=fused_cube(), scale=1, wavelengths_nm=np.array([1.0, 2, 3, 4]))
    for name, suffix in (("tif", ".tif"), ("envi", ".hdr"), ("nc", ".nc"), ("npy", ".npy"), ("mat", ".mat")):
        write_product(tmp_path / f"x{suffix}", make_product(fused_cube(), bare), name)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), fused_cube())
    np.testing.assert_array_equal(scipy.io.loadmat(tmp_path / "x.mat")["fused"], fused_cube())
    np.testing.assert_array_equal(spy.open(str(tmp_path / "x.hdr")).open_memmap(interleave="bip"), fused_cube())
    with pytest.warns(NotGeoreferencedWarning):
        opened = rasterio.open(tmp_path / "x.tif")
    with opened as file:
        np.testing.assert_array_equal(np.moveaxis(file.read(), 0, 2), fused_cube())
        assert file.descriptions[1] == "band 2 (2 Nanometers)"


def test_format_follows_what_came_in(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settled_format("auto", observed()) == ("tif", None)
    assert settled_format("envi", observed()) == ("envi", None)
    assert settled_format("auto", Observation(fused_cube(), fused_cube(), 1)) == ("npy", None)
    assert format_of(Path("a/b.TIFF")) == "tif"
    with pytest.raises(ConfigError, match=r"-o: unknown kind of file.*got '\.jpg'"):
        format_of(Path("b.jpg"))
    monkeypatch.setitem(sys.modules, "rasterio", None)
    with pytest.raises(ConfigError, match=r"GeoTIFF needs rasterio; pip install .*geo"):
        geotiff.check_rasterio()
    name, note = settled_format("auto", observed())
    assert name == "envi"
    assert note is not None
    assert "written as ENVI" in note


@pytest.mark.parametrize("name", ["tif", "envi", "nc"])
def test_whole_or_not_at_all(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    suffix = {"tif": ".tif", "envi": ".hdr", "nc": ".nc"}[name]
    with pytest.raises(DataError, match="cannot be written"):
        write_product(tmp_path / "file" / f"x{suffix}", make_product(fused_cube(), observed()), name)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_pair_with_coordinates_becomes_a_geotiff(tmp_path: Path) -> None:
    """The runner, with nothing said of formats: GeoTIFFs in, a GeoTIFF out, and what may be off beside it."""
    truth = np.random.RandomState(3).uniform(100, 4000, (32, 48, 6))
    images = {"hsi": truth.reshape(8, 4, 12, 4, 6).mean(axis=(1, 3)), "msi": truth[:, :, :3]}
    for name, pixel in (("hsi", 40.0), ("msi", 10.0)):
        ground = Georeference(transform=(pixel, 0.0, 399960.0, 0.0, -pixel, 5800020.0), epsg=32633)
        product = Product(values=np.rint(images[name]).astype(np.uint16), ground=ground)
        write_product(tmp_path / f"{name}.tif", product, "tif")
    pair = [f"data.lr_hsi={tmp_path / 'hsi.tif'}", f"data.hr_msi={tmp_path / 'msi.tif'}"]
    quick = ["method=bicubic", "output.visualdl=false", "output.figures=false"]
    assert train("-c", "fast.yml", "-o", *pair, *quick, "--output", str(tmp_path / "out")) == 0
    folder = tmp_path / "out" / "fast" / "hsi"
    names = {path.name for path in folder.iterdir()}
    assert {"fused.tif", "fused.npy", "expected_error.tif", "expected_error.npy"} <= names
    with rasterio.open(folder / "fused.tif") as file, rasterio.open(tmp_path / "msi.tif") as msi:
        assert (file.crs, file.transform, file.shape) == (msi.crs, msi.transform, msi.shape)
        assert file.dtypes == ("uint16",) * 6
        divisor = np.rint(images["hsi"]).max()
        expected = np.rint(np.load(folder / "fused.npy").astype(np.float64) * divisor)
        np.testing.assert_array_equal(np.moveaxis(file.read(), 0, 2), expected)
    with rasterio.open(folder / "expected_error.tif") as file:
        written = np.moveaxis(file.read(), 0, 2)
        np.testing.assert_allclose(written, np.load(folder / "expected_error.npy") * divisor, rtol=1e-5)
        assert "MSI" in file.descriptions[0]
