"""More files with one oddity each: axes by name, wrong names, the south above, structs, one band a file, two a pair."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import cv2
import h5py
import numpy as np
import pytest
import scipy.io
import tifffile
from odd_files import BANDS, COLUMNS, NM, ROWS, TRANSFORM, WIDTHS, Odd, braces, check, check_part, envi, geotiff, image

from paddle_umsft.config.data import DataConfig
from paddle_umsft.data.listing import list_scenes
from paddle_umsft.data.reading import ImagePair, read_pair, read_scene
from paddle_umsft.errors import DataError

rasterio = pytest.importorskip("rasterio")

SOUTH_UP = (10.0, 0.0, 500000.0, 0.0, 10.0, 5800000.0 - 10 * ROWS)
EAST_FIRST = (-10.0, 0.0, 500000.0 + 10 * COLUMNS, 0.0, -10.0, 5800000.0)
WKT = rasterio.crs.CRS.from_epsg(32633).to_wkt()
ZEROS = np.where(np.arange(BANDS) == 2, 0.0, NM)
PLACED = [0, 1, 3, 4, 5]
PLACE = {"transform": TRANSFORM, "epsg": 32633}


def moved(values: np.ndarray, transform: tuple[float, ...]) -> Callable[[Path], Path]:
    """A GeoTIFF of another orientation."""

    def write(folder: Path) -> Path:
        size = {"height": ROWS, "width": COLUMNS, "count": BANDS, "dtype": values.dtype.name}
        place = {"crs": "EPSG:32633", "transform": rasterio.Affine(*transform)}
        with rasterio.open(folder / "x.tif", "w", driver="GTiff", **size, **place) as target:
            target.write(np.moveaxis(values, -1, 0))
        return folder / "x.tif"

    return write


def renamed(write: Callable[[Path], Path], name: str) -> Callable[[Path], Path]:
    """The file of a writer under a wrong name."""
    return lambda folder: write(folder).rename(folder / name)


def npy(values: np.ndarray) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        np.save(folder / "x.npy", values)
        return folder / "x.npy"

    return write


def labelled(folder: Path) -> Path:
    """Samples, bands, lines: an order that no shape tells."""
    with h5py.File(folder / "x.h5", "w") as file:
        cube = file.create_dataset("radiance", data=np.moveaxis(image(), (0, 1, 2), (2, 0, 1)))
        for axis, name in zip(cube.dims, ("sample", "band", "line")):
            axis.label = name
        file["wavelength"] = NM
    return folder / "x.h5"


def by_conventions(*, grid_mapping: bool) -> Callable[[Path], Path]:
    """Latitude-like axes that ascend, with a coordinate system or with coordinates alone."""

    def write(folder: Path) -> Path:
        with scipy.io.netcdf_file(str(folder / "x.nc"), "w") as file:
            for name, length in (("band", BANDS), ("y", ROWS), ("x", COLUMNS)):
                file.createDimension(name, length)
            cube = file.createVariable("reflectance", "i2", ("band", "y", "x"))
            cube[:] = np.moveaxis(image(), -1, 0)[:, ::-1]
            file.createVariable("wavelength", "f8", ("band",))[:] = NM
            file.createVariable("y", "f8", ("y",))[:] = 5800000 - 10 * (np.arange(ROWS)[::-1] + 0.5)
            file.createVariable("x", "f8", ("x",))[:] = 500000 + 10 * (np.arange(COLUMNS) + 0.5)
            file.platform = "a plane"
            if grid_mapping:
                cube.grid_mapping = "system"
                file.createVariable("system", "i4", ()).crs_wkt = WKT
        return folder / "x.nc"

    return write


def struct(folder: Path) -> Path:
    content = {"data": {"cube": image(), "wavelength": NM, "fwhm": WIDTHS, "site": "Potsdam"}, "mask": np.eye(4)}
    scipy.io.savemat(folder / "x.mat", content)
    return folder / "x.mat"


def strings_and_dates(folder: Path) -> Path:
    dates = np.array(["2022-07-24"], "datetime64[D]")
    np.savez(folder / "x.npz", cube=image(), names=np.array(["a"] * BANDS), taken=dates, wavelengths=NM)
    return folder / "x.npz"


def imagej(folder: Path) -> Path:
    stack = np.moveaxis(image(np.uint16), -1, 0)
    tifffile.imwrite(folder / "x.tif", stack, imagej=True, metadata={"axes": "CYX"})
    return folder / "x.tif"


def extra_alpha(folder: Path) -> Path:
    """Six bands that are no colours, and an alpha channel behind them."""
    alpha = np.full((ROWS, COLUMNS, 1), 255, np.uint16)
    alpha[2, 3] = 0
    alpha[15, 20] = 0
    stored = np.concatenate([image(np.uint16), alpha], axis=2)
    tifffile.imwrite(folder / "x.tif", stored, photometric="minisblack", extrasamples=[0] * 5 + [2])
    return folder / "x.tif"


def batch(folder: Path) -> Path:
    with h5py.File(folder / "x.h5", "w") as file:
        file["cube"] = image()[None, :, :, :, None]
        file["wavelength"] = NM
    return folder / "x.h5"


def control_points(folder: Path) -> Path:
    points = [rasterio.control.GroundControlPoint(row, 0, 5e5, 5.8e6 - 10 * row) for row in (0, 8, 16)]
    size = {"height": ROWS, "width": COLUMNS, "count": BANDS, "dtype": "int16"}
    with rasterio.open(folder / "x.tif", "w", driver="GTiff", crs="EPSG:32633", gcps=points, **size) as target:
        target.write(np.moveaxis(image(), -1, 0))
    return folder / "x.tif"


def longer(folder: Path) -> Path:
    path = envi()(folder)
    with path.with_suffix(".img").open("ab") as stream:
        stream.write(bytes(100))
    return path


FILES = [
    Odd("south above", moved(image()[::-1], SOUTH_UP), note="southernmost", **PLACE),
    Odd("east first", moved(image()[:, ::-1], EAST_FIRST), note="easternmost", **PLACE),
    Odd("a GeoTIFF called .png", renamed(geotiff(), "x.png"), note="by its content a .tif file", **PLACE),
    Odd("HDF5 called .nc4", renamed(labelled, "x.nc4"), wavelengths=NM),
    Odd("a .mat called .h5", renamed(struct, "x.h5"), wavelengths=NM, note="a .mat file"),
    Odd("an array without a name's ending", renamed(npy(image()), "x"), note="a .npy file"),
    Odd("axes by labels", labelled, wavelengths=NM, note="sample, band, line by their names"),
    Odd("netCDF with a grid mapping", by_conventions(grid_mapping=True), wavelengths=NM, note="southernmost", **PLACE),
    Odd(
        "netCDF with coordinates alone",
        by_conventions(grid_mapping=False),
        wavelengths=NM,
        transform=TRANSFORM,
        facts={"sensor": "a plane"},
    ),
    Odd("a cube in a struct", struct, wavelengths=NM, facts={"fwhm_nm": WIDTHS}),
    Odd("strings and dates beside the cube", strings_and_dates, wavelengths=NM),
    Odd("a batch of one", npy(image()[None]), note="axes of length 1"),
    Odd("a batch of one in HDF5", batch, wavelengths=NM, note="axes of length 1"),
    Odd("a path with a slash", labelled, wavelengths=NM, settings={"key": "/radiance"}),
    Odd("ground control points", control_points, note="gdalwarp"),
    Odd("columns first", npy(np.asfortranarray(image()))),
    Odd("highest byte first", npy(image().astype(">i2"))),
    Odd("ImageJ's channels", imagej, image(np.uint16)),
    Odd("alpha behind six bands", extra_alpha, image(np.uint16), hole=[(2, 3), (15, 20)], note="alpha"),
    Odd("counts with a point", envi(instead={"lines": f"{ROWS}.0", "samples": f"{COLUMNS}.0"})),
    Odd("more data than said", longer, note="100 bytes more"),
    Odd("wavelengths of nothing but zeros", envi(lines=f"wavelength = {braces(NM * 0)}\n"), note="zeros"),
    Odd(
        "a band without a wavelength",
        envi(lines=f"wavelength = {braces(ZEROS)}\nwavelength units = Nanometers\n"),
        image()[:, :, PLACED],
        wavelengths=NM[PLACED],
        left_out=[2],
        note="no wavelength in its file's list",
    ),
    Odd("widths of -1", envi(lines=f"wavelength = {braces(NM)}\nfwhm = {braces(NM * 0 - 1)}\n"), wavelengths=NM),
    Odd(
        "a system that ENVI has no word for",
        envi(lines=f"map info = {{Arbitrary, 1, 1, 500000, 5800000, 10, 10}}\ncoordinate system string = {{{WKT}}}\n"),
        transform=TRANSFORM,
    ),
]


@pytest.mark.parametrize("odd", FILES, ids=lambda odd: odd.name)
def test_odd_files(odd: Odd, tmp_path: Path) -> None:
    path = odd.write(tmp_path)
    check(odd, read_scene(DataConfig(path=str(path), normalise="none", **odd.settings)))
    check_part(odd, path)


def written(content: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content) and None


def objects(path: Path) -> None:
    np.save(path, np.array([np.zeros(3), "a"], object), allow_pickle=True)


@pytest.mark.parametrize(
    ("name", "write", "fact"),
    [
        ("x.tif", written(b"%PDF-1.7\n%\xe2\xe3"), "a PDF document"),
        ("x.mat", written(b"Rar!\x1a\x07\x00" + bytes(40)), "a RAR archive"),
        ("x.mat", written(b'{"error": "not found"}'), "a text.*not found"),
        ("x.h5", written(b"400.0, 410.0\n0.1, 0.2\n"), "a text"),
        ("x.npy", objects, r"Python objects.*np\.stack"),
    ],
)
def test_what_is_no_image(tmp_path: Path, name: str, write: Callable[[Path], None], fact: str) -> None:
    write(tmp_path / name)
    with pytest.raises(DataError, match=fact) as caught:
        read_scene(DataConfig(path=str(tmp_path / name)))
    assert "damaged" not in str(caught.value)


def test_a_mosaic_without_its_parts(tmp_path: Path) -> None:
    """What is missing is named: the mosaic itself is sound."""
    source = '<SimpleSource><SourceFilename relativeToVRT="1">gone.tif</SourceFilename></SimpleSource>'
    band = f'<VRTRasterBand dataType="Int16" band="1">{source}</VRTRasterBand>'
    (tmp_path / "x.vrt").write_text(f'<VRTDataset rasterXSize="8" rasterYSize="6">{band}</VRTDataset>')
    with pytest.raises(DataError, match=r"gone\.tif"):
        read_scene(DataConfig(path=str(tmp_path / "x.vrt")))


def test_a_spectral_library_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a spectral library, expected an image"):
        read_scene(DataConfig(path=str(envi(lines="file type = ENVI Spectral Library\n")(tmp_path))))


def test_the_setting_that_is_named_for_twin_wavelengths_helps(tmp_path: Path) -> None:
    twins = np.where(np.arange(BANDS) == 2, NM[1], NM)
    path = envi(lines=f"wavelength = {braces(twins)}\n")(tmp_path)
    with pytest.raises(DataError, match=r"2 bands at 520 nm; data\.wavelengths_nm"):
        read_scene(DataConfig(path=str(path)))
    scene = read_scene(DataConfig(path=str(path), wavelengths_nm=NM.tolist()))
    np.testing.assert_array_equal(scene.wavelengths_nm, NM)


# Pairs --------------------------------------------------------------------------------------------------------------

LOW = image(np.uint16)[:7, :9]
HIGH = np.kron(LOW[:, :, :3], np.ones((4, 4, 1), np.uint16)) + np.arange(28)[:, None, None].astype(np.uint16)


def band_file(path: Path, values: np.ndarray, pixel: float, left: float = 500000.0) -> str:
    size = {"height": values.shape[0], "width": values.shape[1], "count": values.shape[2], "dtype": "uint16"}
    transform = rasterio.Affine(pixel, 0, left, 0, -pixel, 5800000.0)
    with rasterio.open(path, "w", driver="GTiff", crs="EPSG:32633", transform=transform, **size) as target:
        target.write(np.moveaxis(values, -1, 0))
    return str(path)


def pair(folder: Path, msi: Any, **settings: Any) -> ImagePair:
    low = band_file(folder / "hsi.tif", LOW, 40.0)
    return read_pair(DataConfig(lr_hsi=low, hr_msi=msi, normalise="none", **settings))


def test_bands_of_two_pixel_sizes_as_one_msi(tmp_path: Path) -> None:
    """Sentinel-2's way: two bands of 10 m and one of 20 m, which is repeated."""
    fine = [band_file(tmp_path / f"B{band}.tif", HIGH[:, :, band : band + 1], 10.0) for band in (0, 1)]
    coarse = HIGH[::2, ::2, 2:]
    # The coarse one first: the grid is that of the finest all the same.
    files = [band_file(tmp_path / "B11.tif", coarse, 20.0), *fine]
    found = pair(tmp_path, files)
    expected = np.concatenate([np.kron(coarse, np.ones((2, 2, 1))), HIGH[:, :, :2]], axis=2)
    np.testing.assert_array_equal(found.hr_msi, expected)
    assert found.msi_facts is not None
    assert found.msi_facts.ground.transform == (10, 0, 500000, 0, -10, 5800000)
    assert any("B11.tif: each pixel repeated 2 x 2" in note for note in found.meta["notes"])


def test_where_bands_of_one_size_end(tmp_path: Path) -> None:
    """No data is 0: in the two fine bands the last row, in the coarse one the first column; a dark pixel is none."""
    fine, coarse = HIGH[:, :, :2].copy(), HIGH[::2, ::2, 2:].copy()
    fine[-1] = 0
    fine[5, 6, 0] = 0
    coarse[:, 0] = 0
    files = [band_file(tmp_path / f"B{band}.tif", fine[:, :, band : band + 1], 10.0) for band in (0, 1)]
    files.append(band_file(tmp_path / "B11.tif", coarse, 20.0))
    for file in files:
        with rasterio.open(file, "r+") as target:
            target.nodata = 0
    found = pair(tmp_path, files)
    rows, columns = np.mgrid[: HIGH.shape[0], : HIGH.shape[1]]
    assert found.mask_msi is not None
    np.testing.assert_array_equal(found.mask_msi, (rows < HIGH.shape[0] - 1) & (columns > 1))


def test_a_pattern_is_called_by_its_folder(tmp_path: Path) -> None:
    for band in (0, 1, 2):
        band_file(tmp_path / f"B{band}.tif", LOW[:, :, band : band + 1], 40.0)
    settings = DataConfig(lr_hsi=str(tmp_path / "B*.tif"), hr_msi=band_file(tmp_path / "high.tif", HIGH, 10.0))
    assert list_scenes(settings)[0].name == tmp_path.name


def test_a_band_of_another_place_is_refused(tmp_path: Path) -> None:
    files = [band_file(tmp_path / f"B{band}.tif", HIGH[:, :, band : band + 1], 10.0) for band in (0, 1)]
    files.append(band_file(tmp_path / "B2.tif", HIGH[:, :, 2:], 10.0, left=501000.0))
    with pytest.raises(DataError, match=r"B2\.tif: place of a band.*501000.*gdalwarp"):
        pair(tmp_path, files)


def test_a_folder_of_bands_whose_numbers_look_like_those_of_cave(tmp_path: Path) -> None:
    (tmp_path / "bands").mkdir()
    for band, number in enumerate((9, 10, 11)):
        cv2.imwrite(str(tmp_path / "bands" / f"B_{number}.png"), HIGH[:, :, band])
    found = pair(tmp_path, str(tmp_path / "bands"))
    np.testing.assert_array_equal(found.hr_msi, HIGH)


@pytest.mark.parametrize("turned", ["hsi", "msi", "both"])
def test_one_of_a_pair_with_the_south_above(tmp_path: Path, turned: str) -> None:
    def south_up(values: np.ndarray, pixel: float, name: str) -> str:
        bottom = 5800000.0 - pixel * values.shape[0]
        transform = rasterio.Affine(pixel, 0, 500000.0, 0, pixel, bottom)
        size = {"height": values.shape[0], "width": values.shape[1], "count": values.shape[2], "dtype": "uint16"}
        path = tmp_path / name
        with rasterio.open(path, "w", driver="GTiff", crs="EPSG:32633", transform=transform, **size) as target:
            target.write(np.moveaxis(values[::-1], -1, 0))
        return str(path)

    low = band_file(tmp_path / "low.tif", LOW[1:5, 2:], 40.0, left=500080.0)
    # A row less above: the MSI is cut to the ground of the HSI.
    with rasterio.open(low, "r+") as target:
        target.transform = rasterio.Affine(40, 0, 500080.0, 0, -40, 5799960.0)
    high = band_file(tmp_path / "high.tif", HIGH, 10.0)
    if turned in ("msi", "both"):
        high = south_up(HIGH, 10.0, "turned_high.tif")
    if turned in ("hsi", "both"):
        with rasterio.open(low) as source:
            values = source.read()[:, ::-1]
        bottom = 5799960.0 - 40 * 4
        with rasterio.open(low, "r+") as target:
            target.write(values)
            target.transform = rasterio.Affine(40, 0, 500080.0, 0, 40, bottom)
    found = read_pair(DataConfig(lr_hsi=low, hr_msi=high, normalise="none"))
    np.testing.assert_array_equal(found.lr_hsi, LOW[1:5, 2:])
    np.testing.assert_array_equal(found.hr_msi, HIGH[4:20, 8:])


def test_each_image_has_its_own_key_layout_and_normalisation(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "low.mat", {"hyper": np.moveaxis(LOW, -1, 0), "lambda": NM})
    np.savez(tmp_path / "high.npz", rgb=HIGH, other=LOW)
    names = {"lr_hsi": str(tmp_path / "low.mat"), "hr_msi": str(tmp_path / "high.npz")}
    with pytest.raises(DataError, match=r"rgb.*other.*say which with data\.hr_key=NAME"):
        read_pair(DataConfig(**names))
    found = read_pair(DataConfig(**names, hr_key="rgb", lr_layout="chw", lr_normalise="none", hr_normalise=100))
    np.testing.assert_array_equal(found.lr_hsi, LOW)
    np.testing.assert_allclose(found.hr_msi, HIGH / 100, rtol=1e-6)
    np.testing.assert_array_equal(found.wavelengths_nm, NM)


@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.tif"])
@pytest.mark.parametrize(("made", "label"), [("LAB", "Lab identity"), ("sRGB", "")])
def test_colour_profiles(tmp_path: Path, name: str, made: str, label: str) -> None:
    """As Pillow's colour engine makes them; sRGB is what everybody takes for granted."""
    pillow = pytest.importorskip("PIL.Image")
    engine = pytest.importorskip("PIL.ImageCms")
    profile = engine.ImageCmsProfile(engine.createProfile(made)).tobytes()
    picture = pillow.fromarray(np.ascontiguousarray(HIGH[:, :, :3] % 251, np.uint8))
    picture.save(tmp_path / name, icc_profile=profile)
    notes = read_scene(DataConfig(path=str(tmp_path / name))).notes
    told = [note for note in notes if "colour profile" in note]
    assert len(told) == bool(label)
    assert all(label in note for note in told)


def test_bands_in_files_of_their_own(tmp_path: Path) -> None:
    low = np.random.RandomState(9).randint(1, 6000, (9, 12, 9))
    np.save(tmp_path / "low.npy", low)
    folder = tmp_path / "msi"
    folder.mkdir()
    bands = [np.random.RandomState(seed).randint(1, 6000, (18, 24)).astype(np.uint16) for seed in range(3)]
    for number, band in zip((2, 3, 10), bands):
        tifffile.imwrite(folder / f"band_{number}.tif", band)
    listed = [str(folder / f"band_{number}.tif") for number in (2, 3, 10)]
    for named in (str(folder), str(folder / "band_*.tif"), listed):
        settings = DataConfig(lr_hsi=str(tmp_path / "low.npy"), hr_msi=named, normalise="none")
        assert len(list_scenes(settings)) == 1
        images = read_pair(settings)
        np.testing.assert_array_equal(images.hr_msi, np.stack(bands, axis=2))
        assert any("band_2.tif, band_3.tif, band_10.tif" in note for note in images.meta["notes"])
    tifffile.imwrite(folder / "band_11.tif", bands[0][:4])
    with pytest.raises(DataError, match=r"band_11\.tif.*as band_2\.tif"):
        read_pair(DataConfig(lr_hsi=str(tmp_path / "low.npy"), hr_msi=str(folder)))
    with pytest.raises(DataError, match="no image there"):
        read_pair(DataConfig(lr_hsi=str(tmp_path / "low.npy"), hr_msi=str(tmp_path / "x*.tif")))
