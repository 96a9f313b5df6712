"""Parts of images that no machine holds whole: read as such, or not at all. The files are sparse: holes on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import h5py
import numpy as np
import pytest
from odd_files import envi

from paddle_umsft.command import middle
from paddle_umsft.config.data import DataConfig
from paddle_umsft.data.readers.base import GLANCE, Request
from paddle_umsft.data.readers.many import read_image
from paddle_umsft.data.reading import read_pair, read_scene
from paddle_umsft.errors import DataError

# 160 GB of two-byte numbers: beyond any memory that tests run in.
LINES, SAMPLES, BANDS = 20_000, 40_000, 100
# A GeoTIFF has an entry for each tile of each band: of fewer bands it is made in a moment.
TIFF_BANDS = 5
TOP, LEFT, SIZE = 19_900, 39_000, 12
CROP = [TOP, LEFT, SIZE, SIZE]


def part(count: int = BANDS) -> np.ndarray:
    """(SIZE, SIZE, C): not zero anywhere, no band like another."""
    rows, columns, bands = np.mgrid[:SIZE, :SIZE, :count]
    return (1 + bands + 7 * rows + 3 * columns).astype(np.int16)


def huge_envi(folder: Path) -> Path:
    path = envi(instead={"lines": str(LINES), "samples": str(SAMPLES), "bands": str(BANDS)}, interleave="bip")(folder)
    with path.with_suffix(".img").open("r+b") as stream:
        stream.truncate(2 * LINES * SAMPLES * BANDS)
    stored = np.memmap(path.with_suffix(".img"), "<i2", "r+", shape=(LINES, SAMPLES, BANDS))
    stored[TOP : TOP + SIZE, LEFT : LEFT + SIZE] = part()
    return path


def huge_npy(folder: Path) -> Path:
    stored = np.lib.format.open_memmap(folder / "x.npy", "w+", np.int16, (LINES, SAMPLES, BANDS))
    stored[TOP : TOP + SIZE, LEFT : LEFT + SIZE] = part()
    return folder / "x.npy"


def huge_hdf5(folder: Path) -> Path:
    with h5py.File(folder / "x.h5", "w") as file:
        cube = file.create_dataset("a/cube", (BANDS, LINES, SAMPLES), np.int16, chunks=(BANDS, 16, 16))
        cube[:, TOP : TOP + SIZE, LEFT : LEFT + SIZE] = np.moveaxis(part(), -1, 0)
    return folder / "x.h5"


def huge_mat(folder: Path) -> Path:
    with h5py.File(folder / "x.mat", "w") as file:
        cube = file.create_dataset("cube", (BANDS, SAMPLES, LINES), np.int16, chunks=(BANDS, 16, 16))
        cube.attrs["MATLAB_class"] = np.bytes_("int16")
        cube[:, LEFT : LEFT + SIZE, TOP : TOP + SIZE] = part().T
    return folder / "x.mat"


def huge_geotiff(folder: Path) -> Path:
    rasterio = pytest.importorskip("rasterio")
    size = {"height": LINES, "width": SAMPLES, "count": TIFF_BANDS, "tiled": True, "SPARSE_OK": True, "BIGTIFF": "YES"}
    transform = rasterio.Affine(2.0, 0.0, 5e5, 0.0, -2.0, 5.8e6)
    layout = {"blockxsize": 256, "blockysize": 256, "crs": "EPSG:32633", "transform": transform}
    with rasterio.open(folder / "x.tif", "w", driver="GTiff", dtype="int16", **size, **layout) as target:
        window = rasterio.windows.Window(LEFT, TOP, SIZE, SIZE)
        target.write(np.moveaxis(part(TIFF_BANDS), -1, 0), window=window)
    return folder / "x.tif"


@pytest.mark.parametrize("write", [huge_envi, huge_npy, huge_hdf5, huge_mat, huge_geotiff])
def test_a_part_of_what_no_memory_holds(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    path = write(tmp_path)
    scene = read_scene(DataConfig(path=str(path), normalise="none", crop=CROP))
    np.testing.assert_array_equal(scene.hr_hsi, part(scene.hr_hsi.shape[2]))
    assert f"of {LINES}x{SAMPLES}" in scene.notes[-1]
    with pytest.raises(DataError, match=f"data.crop.* within {LINES}x{SAMPLES}.*19990"):
        read_scene(DataConfig(path=str(path), normalise="none", crop=[19_990, 0, SIZE, SIZE]))


def test_a_glance(tmp_path: Path) -> None:
    """What a file says of its image, without a pixel of it."""
    found = read_image(str(huge_geotiff(tmp_path)), Request(window=GLANCE))
    assert (found.size, found.values.shape) == ((LINES, SAMPLES), (0, 0, TIFF_BANDS))
    assert found.facts.ground.at(0, 0) == (5e5, 5.8e6)


def test_of_a_tile_only_the_ground_of_the_hsi_is_read(tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio")
    huge_geotiff(tmp_path)
    corner = (5e5 + 2 * LEFT, 5.8e6 - 2 * TOP)
    low: dict[str, Any] = {"height": 2, "width": 2, "count": 3, "dtype": "int16", "crs": "EPSG:32633"}
    transform = rasterio.Affine(12.0, 0.0, corner[0], 0.0, -12.0, corner[1])
    with rasterio.open(tmp_path / "hsi.tif", "w", driver="GTiff", transform=transform, **low) as target:
        target.write(np.arange(1, 13, dtype=np.int16).reshape(3, 2, 2))
    names = {"lr_hsi": str(tmp_path / "hsi.tif"), "hr_msi": str(tmp_path / "x.tif")}
    pair = read_pair(DataConfig(**names, normalise="none"))
    np.testing.assert_array_equal(pair.hr_msi, part(TIFF_BANDS))
    assert pair.msi_facts is not None
    assert pair.msi_facts.ground.at(0, 0) == corner
    assert any(f"cut from {LINES}x{SAMPLES} to {SIZE}x{SIZE} at row {TOP}" in note for note in pair.meta["notes"])


@pytest.mark.parametrize("write", [huge_envi, huge_hdf5])
def test_info_of_what_no_memory_holds(
    tmp_path: Path, write: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The middle of it is looked at, and it is said."""
    monkeypatch.setattr(middle, "LOOKED_AT", 50_000)
    path = write(tmp_path)
    # A sparse HDF5 file is as short as what is in it.
    if path.suffix == ".h5":
        monkeypatch.setattr(middle, "MANY", path.stat().st_size)
    settings = middle.with_middle(DataConfig(path=str(path)))
    assert settings.crop is not None
    top, left, height, width = settings.crop
    assert 10_000 < height * width * BANDS <= 50_000
    assert abs(2 * top + height - LINES) < 2
    assert abs(2 * left + width - SAMPLES) < 2
    # A crop of the user's own goes before; a small file is read as it is.
    assert middle.with_middle(DataConfig(path=str(path), crop=CROP)).crop == CROP
    np.save(tmp_path / "small.npy", part())
    assert middle.with_middle(DataConfig(path=str(tmp_path / "small.npy"))).crop is None
