"""Files that claim to be larger than the memory: refused by their heads, before anything is taken."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any, Callable

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile
from odd_files import envi, geotiff, image

from paddle_umsft import read_scene
from paddle_umsft.data.readers import gdal, room, tiff
from paddle_umsft.errors import DataError

CUBE = image()
TERABYTES = (1_000_000, 1_000_000, 10)


def head_of_npy(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return stream.getvalue() + b"\0" * 64


def npz_of_nothing(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "x.npz", "w") as archive:
        archive.writestr("cube.npy", head_of_npy(TERABYTES))
    return folder / "x.npz"


def hdf5_of_nothing(folder: Path) -> Path:
    """Some kilobytes: blocks that were never written read as zeros."""
    with h5py.File(folder / "x.h5", "w") as file:
        file.create_dataset("cube", TERABYTES, "f4", chunks=(100, 100, 10))
    assert (folder / "x.h5").stat().st_size < 10_000
    return folder / "x.h5"


def npy_of_nothing(folder: Path) -> Path:
    (folder / "x.npy").write_bytes(head_of_npy(TERABYTES))
    return folder / "x.npy"


def hole(folder: Path) -> Path:
    """A file with a hole of a terabyte, which takes no room on the disk."""
    path = envi(instead={"lines": "1000000", "samples": "1000000", "bands": "1"})(folder)
    with (folder / "x.img").open("r+b") as file:
        file.truncate(2 * 10**12)
    return path


@pytest.mark.parametrize("make", [npy_of_nothing, npz_of_nothing, hdf5_of_nothing, hole])
def test_terabytes_of_nothing(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    with pytest.raises(DataError, match=r"no memory for the array, expected at most .*, got .* numbers, [0-9.e+]+ GB"):
        read_scene(make(tmp_path))


def npy(folder: Path) -> Path:
    np.save(folder / "x.npy", CUBE)
    return folder / "x.npy"


def npz(folder: Path) -> Path:
    np.savez(folder / "x.npz", cube=CUBE)
    return folder / "x.npz"


def mat(folder: Path) -> Path:
    scipy.io.savemat(folder / "x.mat", {"cube": CUBE}, do_compression=True)
    return folder / "x.mat"


def hdf5(folder: Path) -> Path:
    with h5py.File(folder / "x.h5", "w") as file:
        file["cube"] = CUBE
    return folder / "x.h5"


def pages(folder: Path) -> Path:
    tifffile.imwrite(folder / "x.tif", CUBE, photometric="minisblack")
    return folder / "x.tif"


def test_a_png_of_nothing(tmp_path: Path) -> None:
    """Its head alone: 300 GB of one colour."""
    head = struct.pack(">IIBBBBB", 300_000, 300_000, 8, 6, 0, 0, 0)
    chunk = b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(head)) + chunk)
    with pytest.raises(DataError, match="no memory for the array"):
        read_scene(tmp_path / "x.png")


WRITERS = [npy, npz, mat, hdf5, pages, envi(), envi(packed=True, instead={"file compression": "1"}), geotiff()]


@pytest.mark.parametrize("with_gdal", [True, False])
@pytest.mark.parametrize("make", WRITERS)
def test_every_reader_asks_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], Path], with_gdal: bool
) -> None:
    for module in (gdal, tiff):
        monkeypatch.setattr(module, "has_rasterio", lambda: with_gdal)
    path = make(tmp_path)
    monkeypatch.setattr(room, "available_bytes", lambda: CUBE.nbytes)
    expected = read_scene(path, layout="hwc", normalise="none").hr_hsi
    np.testing.assert_array_equal(expected, CUBE)
    monkeypatch.setattr(room, "available_bytes", lambda: CUBE.nbytes - 1)
    with pytest.raises(DataError, match="no memory for the array"):
        read_scene(path, layout="hwc")
    # Where the system does not tell, nothing is refused.
    monkeypatch.setattr(room, "available_bytes", lambda: None)
    assert read_scene(path, layout="hwc").hr_hsi.shape == CUBE.shape


def test_packed_numbers_are_unpacked_no_further_than_promised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = envi(packed=True, instead={"file compression": "1"})(tmp_path)
    (tmp_path / "x.img").write_bytes(gzip.compress(CUBE.transpose(2, 0, 1).tobytes() + b"\0" * 10**7))
    most: list[int] = []
    real = gzip.GzipFile.read

    def read(self: Any, size: int = -1) -> bytes:
        most.append(size)
        return real(self, size)

    monkeypatch.setattr(gzip.GzipFile, "read", read)
    np.testing.assert_array_equal(read_scene(path, normalise="none", layout="hwc").hr_hsi, CUBE)
    assert most == [CUBE.nbytes]
