"""Pairs read a block at a time into float32: the same to the bit as read whole in the files' own types."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any, Callable

import h5py
import numpy as np
import pytest

import paddle_umsft
from paddle_umsft.config.data import DataConfig
from paddle_umsft.data import both
from paddle_umsft.data.masks import filled
from paddle_umsft.data.readers import single
from paddle_umsft.data.readers.single import FileBlock, in_stored_order, read_single, stored_order
from paddle_umsft.data.reading import ImagePair, read_pair
from paddle_umsft.data.scaled import Scaling, divided_in_place
from paddle_umsft.errors import DataError

H, W, BANDS, MSI_BANDS, SCALE = 18, 27, 7, 3, 4
NO_DATA = -999
# One band comes before the one that it follows, one is listed as bad, one holds nothing.
NM = [450.0, 520.0, 500.0, 660.0, 850.0, 990.0, 1200.0]
BAD, EMPTY = 3, 5
ENVI_TYPES = {"u1": 1, "i2": 2, "i4": 3, "f4": 4, "u2": 12}


def cube(height: int, width: int, bands: int, dtype: str) -> np.ndarray:
    """Numbers without an order, two pixels without data in all of those types that can say so, and an empty band."""
    made = np.random.default_rng(bands).integers(1, 250, (height, width, bands)).astype(dtype)
    if np.dtype(dtype).kind != "u":
        made[4, 5:7] = NO_DATA
        if bands == BANDS:
            made[:, :, EMPTY] = NO_DATA
    return made


def envi(
    path: Path,
    image: np.ndarray,
    interleave: str = "bsq",
    order: str = "<",
    more: str = "",
) -> Path:
    """A header and its numbers, written by hand."""
    height, width, bands = image.shape
    axes = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}[interleave]
    stored = image.transpose(axes)
    dtype = stored.dtype.newbyteorder(order)
    # Numbers do not begin where the file does.
    path.with_suffix(".img").write_bytes(b"seven.." + stored.astype(dtype).tobytes())
    lines = [
        "ENVI",
        f"lines = {height}",
        f"samples = {width}",
        f"bands = {bands}",
        "header offset = 7",
        f"data type = {ENVI_TYPES[image.dtype.str[1:]]}",
        f"interleave = {interleave}",
        f"byte order = {int(order == '>')}",
        f"data ignore value = {NO_DATA}",
    ]
    if bands == BANDS:
        listed = ", ".join(map(str, NM))
        good = ", ".join(str(int(band != BAD)) for band in range(bands))
        lines += ["wavelength units = nm", f"wavelength = {{{listed}}}", f"bbl = {{{good}}}"]
    path.with_suffix(".hdr").write_text("\n".join([*lines, more]))
    return path.with_suffix(".hdr")


def npy(path: Path, image: np.ndarray, **layout: Any) -> Path:
    np.save(path.with_suffix(".npy"), np.asarray(image, **layout))
    return path.with_suffix(".npy")


def npy_chw(path: Path, image: np.ndarray) -> Path:
    np.save(path.with_suffix(".npy"), np.ascontiguousarray(image.transpose(2, 0, 1)))
    return path.with_suffix(".npy")


def hdf5(path: Path, image: np.ndarray, **layout: Any) -> Path:
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        file.create_dataset("cube", data=image.transpose(2, 0, 1), **layout)
        if image.dtype.kind != "u":
            file["cube"].attrs["_FillValue"] = image.dtype.type(NO_DATA)
    return path.with_suffix(".h5")


def geotiff(path: Path, image: np.ndarray, **layout: Any) -> Path:
    rasterio = pytest.importorskip("rasterio")
    height, width, bands = image.shape
    pixel, left = 10.0, 5e5
    if bands == BANDS:
        # The LR-HSI begins two of its own pixels further right: both images are cut.
        pixel = SCALE * pixel
        left += 2 * pixel
    place = {"crs": "EPSG:32633", "transform": rasterio.Affine(pixel, 0.0, left, 0.0, -pixel, 5.8e6)}
    size = {"height": height, "width": width, "count": bands, "dtype": image.dtype.name}
    if image.dtype.kind != "u":
        size["nodata"] = NO_DATA
    with rasterio.open(path.with_suffix(".tif"), "w", driver="GTiff", **size, **place, **layout) as target:
        target.write(image.transpose(2, 0, 1))
    return path.with_suffix(".tif")


Write = Callable[[Path, np.ndarray], Path]
WRITERS: dict[str, tuple[str, Write]] = {
    "envi bsq": ("i2", envi),
    "envi bil, big-endian": ("i2", lambda path, image: envi(path, image, "bil", ">")),
    "envi bip": ("u2", lambda path, image: envi(path, image, "bip")),
    "envi, four bytes": ("i4", envi),
    "envi, real numbers": ("f4", lambda path, image: envi(path, image, "bil")),
    "envi, a factor a band": ("i2", lambda path, image: envi(path, image, more=factors(image.shape[2]))),
    "npy": ("u2", npy),
    "npy, columns first": ("i2", lambda path, image: npy(path, image, order="F")),
    "npy, bands first": ("u1", npy_chw),
    "hdf5, as a whole": ("i2", hdf5),
    "hdf5 in chunks": ("i2", lambda path, image: hdf5(path, image, chunks=(3, 8, 5), compression="gzip")),
    "hdf5, a chunk a band": ("f4", lambda path, image: hdf5(path, image, chunks=(1, *image.shape[:2]))),
    "geotiff by pixels": ("i2", lambda path, image: geotiff(path, image, interleave="pixel")),
    "geotiff by bands": ("u2", lambda path, image: geotiff(path, image, interleave="band", compress="deflate")),
    "geotiff in tiles": ("f4", lambda path, image: geotiff(path, image, tiled=True, blockxsize=16, blockysize=16)),
    "geotiff, a strip a band": ("i2", lambda path, image: geotiff(path, image, interleave="band", blockysize=4096)),
}


def factors(bands: int) -> str:
    """A line of a header: each band has its own."""
    gains = ", ".join(f"{0.1 + 0.01 * band}" for band in range(bands))
    return f"data gain values = {{{gains}}}"


def same(one: Any, other: Any) -> bool:
    """Whether two fields of a pair are alike, arrays to the bit."""
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.tobytes() == other.tobytes() and one.shape == other.shape
    return repr(one) == repr(other)


def check_alike(found: ImagePair, expected: ImagePair) -> None:
    for field in fields(ImagePair):
        assert same(getattr(found, field.name), getattr(expected, field.name)), field.name


@pytest.mark.parametrize("name", WRITERS)
def test_pairs_are_the_same_to_the_bit(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dtype, write = WRITERS[name]
    low = cube(H, W, BANDS, dtype)
    high = cube(H * SCALE, W * SCALE, MSI_BANDS, dtype)
    settings = DataConfig(lr_hsi=str(write(tmp_path / "low", low)), hr_msi=str(write(tmp_path / "high", high)))
    # Blocks of a few rows, and of a few bands.
    monkeypatch.setattr(single, "VALUES_AT_ONCE", 500)
    monkeypatch.setattr(single, "MOST_OF_A_BLOCK", 2000)
    found = read_pair(settings)
    monkeypatch.setattr(both, "tells_alike", lambda no_data: False)
    expected = read_pair(settings)
    check_alike(found, expected)
    assert found.lr_hsi.flags.c_contiguous
    # By numbers that were not read back.
    if name == "npy":
        largest = low.max()
        np.testing.assert_array_equal(found.lr_hsi, (low.astype(np.float64) / largest).astype(np.float32))
    if name == "envi bsq":
        assert found.meta["band_order"] == [0, 2, 1, 4, 6]
        assert found.mask_hsi is not None
        assert int((~found.mask_hsi).sum()) == 2


@pytest.mark.parametrize(
    "more",
    [{"no_data": 7.0000001}, {"normalise": "dtype"}, {"no_data": 12.0, "normalise": 3.7}, {"bad_bands": [[0, 1]]}],
    ids=str,
)
def test_settings_mean_the_same(more: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "lr_hsi": str(envi(tmp_path / "low", cube(H, W, BANDS, "u1"), "bil")),
        "hr_msi": str(envi(tmp_path / "high", cube(H * SCALE, W * SCALE, MSI_BANDS, "u1"), "bip")),
    }
    settings = DataConfig(**files, **more)
    found = read_pair(settings)
    monkeypatch.setattr(both, "tells_alike", lambda no_data: False)
    check_alike(found, read_pair(settings))


@pytest.mark.parametrize("value", [0, 9])
def test_lines_of_errors_stay(value: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "lr_hsi": str(npy(tmp_path / "low", np.full((H, W, BANDS), value, np.uint16))),
        "hr_msi": str(npy(tmp_path / "high", cube(H * SCALE, W * SCALE, MSI_BANDS, "u2"))),
    }
    told = []
    for _ in range(2):
        with pytest.raises(DataError) as error:
            read_pair(DataConfig(**files))
        told.append(str(error.value))
        monkeypatch.setattr(both, "tells_alike", lambda no_data: False)
    assert told[0] == told[1]


def test_what_float32_cannot_hold_is_told_by_its_size() -> None:
    image = np.arange(24.0, dtype=np.float32).reshape(3, 4, 2)
    kept = image.copy()
    scaling = Scaling(scale=np.array([1.0, -1e300]), offset=np.zeros(2))
    assert divided_in_place(image, scaling, None, "none", "image") is None
    np.testing.assert_array_equal(image, kept)
    # Divided it fits.
    assert divided_in_place(image, scaling, None, 1e300, "image") == 1e300
    assert image[2, 3, 1] == -23


def test_no_block_of_a_file_is_read_twice() -> None:
    image = np.random.default_rng(0).integers(0, 9, (11, 6, 5)).astype(np.int16)
    seen = np.zeros(image.shape, int)

    def read(rows: slice, bands: slice) -> np.ndarray:
        seen[rows, :, bands] += 1
        assert rows.start % 4 == 0
        return image[rows, :, bands]

    np.testing.assert_array_equal(read_single(image.shape, FileBlock(rows=4, bands=5), read), image)
    assert np.all(seen == 1)
    order = stored_order((5, 40, 60), "auto", None)
    assert order == (1, 2, 0)
    assert in_stored_order(np.empty((40, 60, 5)), order).shape == (5, 40, 60)


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_holes_are_filled_the_same_a_few_bands_at_a_time(dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    image = cube(H, W, BANDS, "i2").astype(dtype)
    valid = np.ones((H, W), bool)
    valid[3:8, 4:11] = False
    expected = filled(image, valid, "image")
    monkeypatch.setattr("paddle_umsft.data.masks.FILLED_AT_ONCE", 2 * H * W)
    np.testing.assert_array_equal(filled(image, valid, "image"), expected)
    # As float32, in its own memory.
    own = image.astype(np.float32)
    assert filled(own, valid, "image", np.dtype(dtype)) is own
    np.testing.assert_array_equal(own, expected)


READS = """
import sys
from pathlib import Path
from paddle_umsft.config.data import DataConfig
from paddle_umsft.data.reading import read_pair
def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024
before = peak()
images = read_pair(DataConfig(lr_hsi=sys.argv[1], hr_msi=sys.argv[2]))
print((peak() - before) / (images.lr_hsi.nbytes + images.hr_msi.nbytes))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell what a process held")
def test_an_image_is_not_there_twice_while_it_is_read(tmp_path: Path) -> None:
    height, width, bands = 420, 400, 200
    random = np.random.default_rng(0)
    with (tmp_path / "low.img").open("wb") as stream:
        for _ in range(height):
            stream.write(random.integers(1, 4000, (bands, width)).astype("<u2").tobytes())
    header = f"ENVI\nlines = {height}\nsamples = {width}\nbands = {bands}\ndata type = 12\ninterleave = bil\n"
    (tmp_path / "low.hdr").write_text(header)
    np.save(tmp_path / "high.npy", random.integers(1, 4000, (2 * height, 2 * width, 4), dtype=np.uint16))
    root = str(Path(paddle_umsft.__file__).parents[1])
    command = [sys.executable, "-c", READS, str(tmp_path / "low.hdr"), str(tmp_path / "high.npy")]
    environment = {**os.environ, "PYTHONPATH": root}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    # Both images once, and blocks of them; in the files' types and twice as float32 it would be 2.5.
    assert float(told) < 1.8
