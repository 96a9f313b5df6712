"""The plan of a large pair of files comes before any of their values are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import h5py
import numpy as np
import pytest
from odd_files import envi
from train_calls import one_line_error, train

from paddle_umsft.command.main import main
from paddle_umsft.config.data import DataConfig
from paddle_umsft.data import both
from paddle_umsft.data.heads import heads_of_pair
from paddle_umsft.data.reading import read_pair
from paddle_umsft.errors import DataError
from paddle_umsft.runs import plan_ahead

# 1600 x 2400 pixels: 31 bands as float32 would be 0.5 GB; on the disk there is nothing but a hole.
H, W, BANDS, MSI_BANDS, SCALE = 1600, 2400, 31, 3, 8


ASKED = "values were asked for"


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Two files of holes: their headers say what they would hold."""
    np.lib.format.open_memmap(tmp_path / "lr.npy", "w+", np.float32, (H // SCALE, W // SCALE, BANDS))
    np.lib.format.open_memmap(tmp_path / "hr.npy", "w+", np.float32, (H, W, MSI_BANDS))
    return [str(tmp_path / "lr.npy"), str(tmp_path / "hr.npy")]


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads an image, or the bytes of a file for their sum, fails."""

    def refuse(*asked: Any, **more: Any) -> None:
        raise AssertionError(ASKED)

    monkeypatch.setattr(both, "read_image", refuse)
    monkeypatch.setattr("paddle_umsft.runs.inputs.digest_of_stream", refuse)


def test_what_cannot_fit_is_refused_unread(
    files: list[str], unread: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fuse", *files, "-o", str(tmp_path / "fused.npy"), "--set", "runtime.memory=300MB"]) != 0
    told = capsys.readouterr()
    assert "not even strip by strip" in told.err
    assert len(told.err.strip().splitlines()) == 1
    hint = told.err.rpartition("runtime.memory=")[2].split()[0]
    pair = [f"data.lr_hsi={files[0]}", f"data.hr_msi={files[1]}"]
    output = ["--output", str(tmp_path / "out"), "-o", *pair, "output.name=run", "runtime.memory=300MB"]
    assert train("-c", "fast.yml", *output) != 0
    assert "not even strip by strip" in one_line_error(capsys)
    # With what the line says it would be begun.
    assert main(["fuse", *files, "-o", str(tmp_path / "fused.npy"), "--set", f"runtime.memory={hint}"]) != 0
    assert ASKED in capsys.readouterr().err


def test_a_format_that_is_not_written_by_rows_is_refused_unread(
    files: list[str], unread: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fuse", *files, "-o", str(tmp_path / "fused.mat"), "--set", "runtime.memory=1100MB"]) != 0
    assert "cannot be written strip by strip" in capsys.readouterr().err


@pytest.mark.parametrize("method", ["subspace", "gsa"])
def test_the_plan_is_told_before_the_first_value_is_read(
    method: str, files: list[str], unread: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["fuse", *files, "-o", str(tmp_path / "f.npy"), "-m", method, "--set", "runtime.memory=1100MB"])
    told = capsys.readouterr()
    assert ASKED in told.err
    assert told.out.startswith(f"plan       {H}x{W}x{BANDS} as a whole would take")
    assert len(told.out.splitlines()) == 2
    pair = [f"data.lr_hsi={files[0]}", f"data.hr_msi={files[1]}", f"method={method}"]
    output = ["--output", str(tmp_path / "out"), "-o", *pair, "output.name=run", "runtime.memory=1100MB"]
    train("-c", "fast.yml", *output)
    assert ASKED in "".join(capsys.readouterr())
    log = (tmp_path / "out" / "run" / "lr" / "log.txt").read_text()
    assert f"plan       {H}x{W}x{BANDS} as a whole would take" in log


def test_empty_bands_may_make_it_fit(files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is nearly too large is read first: bands without a value are not fused."""
    asked: list[int] = []

    def refuse(pair: Any, config: Any) -> bool:
        asked.append(pair.bands)
        raise DataError("does not fit")

    monkeypatch.setattr(plan_ahead, "goes_by_strips", refuse)
    assert main(["fuse", *files, "-o", str(tmp_path / "fused.npy")]) != 0
    assert asked == [BANDS, 28]


def as_npy(folder: Path, cube: np.ndarray) -> Path:
    np.save(folder / "x.npy", np.moveaxis(cube, -1, 0))
    return folder / "x.npy"


def as_envi(folder: Path, cube: np.ndarray) -> Path:
    height, width, bands = cube.shape
    sizes = {"lines": str(height), "samples": str(width), "bands": str(bands), "data type": "2"}
    path: Path = envi(instead=sizes, interleave="bip")(folder)
    cube.astype("<i2").tofile(path.with_suffix(".img"))
    return path


def as_hdf5(folder: Path, cube: np.ndarray) -> Path:
    with h5py.File(folder / "x.h5", "w") as file:
        file["cube"] = np.moveaxis(cube, -1, 0)
    return folder / "x.h5"


def as_mat(folder: Path, cube: np.ndarray) -> Path:
    scipy_io = pytest.importorskip("scipy.io")
    scipy_io.savemat(folder / "x.mat", {"cube": cube}, do_compression=True)
    return folder / "x.mat"


def as_geotiff(folder: Path, cube: np.ndarray) -> Path:
    rasterio = pytest.importorskip("rasterio")
    place = {"crs": "EPSG:32633", "transform": rasterio.Affine(2.0, 0.0, 5e5, 0.0, -2.0, 5.8e6)}
    size = {"height": cube.shape[0], "width": cube.shape[1], "count": cube.shape[2]}
    with rasterio.open(folder / "x.tif", "w", driver="GTiff", dtype="int16", **size, **place) as target:
        target.write(np.moveaxis(cube, -1, 0))
    return folder / "x.tif"


def as_npz(folder: Path, cube: np.ndarray) -> Path:
    np.savez(folder / "x.npz", cube=cube)
    return folder / "x.npz"


@pytest.mark.parametrize("write", [as_npy, as_envi, as_hdf5, as_mat, as_geotiff])
def test_heads_say_what_reading_finds(write: Callable[[Path, np.ndarray], Path], tmp_path: Path) -> None:
    rows, columns, bands = np.mgrid[:12, :18, :4]
    for name, factor in (("low", 1), ("high", 3)):
        (tmp_path / name).mkdir()
        small = (5 + rows * columns * (bands + 1)).astype(np.int16)
        write(tmp_path / name, np.kron(small, np.ones((factor, factor, 1), np.int16)))
    ending = next((tmp_path / "low").glob("x.*")).suffix
    if ending == ".img":
        ending = ".hdr"
    settings = DataConfig(
        lr_hsi=str(tmp_path / "low" / f"x{ending}"),
        hr_msi=str(tmp_path / "high" / f"x{ending}"),
        bad_bands=[2],
        normalise="none",
        coordinates="none",
    )
    found = heads_of_pair(settings)
    assert found is not None
    read = read_pair(settings)
    assert found.lr_hsi.shape == read.lr_hsi.shape == (12, 18, 3)
    assert found.hr_msi.shape == read.hr_msi.shape
    assert found.hr_msi.strides == (0, 0, 0)


def test_where_a_head_says_nothing_nothing_is_planned(tmp_path: Path) -> None:
    path = str(as_npz(tmp_path, np.ones((8, 8, 2), np.int16)))
    assert heads_of_pair(DataConfig(lr_hsi=path, hr_msi=path)) is None
