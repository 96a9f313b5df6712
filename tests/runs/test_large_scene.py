"""Scenes by strips on the disk: plan, files row by row, what lies beside them, memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from large_runs import SMALL, plan_small_strips, run, small_pair, whole
from made_up_pairs import made_pair, response
from train_calls import one_line_error, train

from paddle_umsft.command.main import main
from paddle_umsft.data.scene import Case, Observation
from paddle_umsft.data.synthetic import dead_leaves_scene
from paddle_umsft.methods.baselines import by_rows
from paddle_umsft.preparation import block
from paddle_umsft.runs import large_scene, overview, scene
from paddle_umsft.runs.results import FILES


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    plan_small_strips(monkeypatch)
    return small_pair(tmp_path)


def check_errors(folder: Path, whole: Path, most: float) -> None:
    """The expected error of a scene by strips is that of the whole, up to a factor where levels are of some rows."""
    errors = np.load(folder / "expected_error.npy")
    expected = np.load(whole / "expected_error.npy")
    assert errors.dtype == np.float32
    assert errors.shape == expected.shape
    apart = np.log(errors / expected)
    assert np.abs(apart).max() < most
    # Two LR rows at a time: where they meet is no more to be seen than between the two.
    steps = np.abs(np.diff(apart, axis=0)).mean(axis=(1, 2))
    rows = np.arange(1, len(steps) + 1)
    assert steps[rows % 8 == 0].mean() < 1.2 * steps[rows % 8 == 4].mean() + 1e-6


def test_a_run_by_strips_leaves_what_a_run_leaves(pair: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run(tmp_path / "out", pair) == 0
    told = capsys.readouterr().out
    assert "plan       80x112x16 as a whole would take" in told
    assert "5 strips of 16 rows" in told
    folder = tmp_path / "out" / "run" / "lr"
    expected = whole(pair, tmp_path)
    fused = np.load(folder / "fused.npy")
    assert fused.dtype == np.float32
    assert np.abs(fused - expected).max() < 1e-5 * np.ptp(expected)
    metrics = json.loads((folder / "metrics.json").read_text())
    beside = json.loads((tmp_path / "whole" / "run" / "lr" / "metrics.json").read_text())
    assert metrics["verdict"]["class"] == beside["verdict"]["class"]
    # So little memory is allowed that not all rows are judged.
    assert metrics["trust"]["expected_rmse_per_band"] == pytest.approx(
        beside["trust"]["expected_rmse_per_band"], rel=0.15
    )
    assert metrics["extras"]["strips"] == 5
    # Levels are of 70 % of the rows.
    check_errors(folder, tmp_path / "whole" / "run" / "lr", 0.35)
    assert "expected_error.npy" in str(metrics[FILES])
    assert not (folder / "strips").exists()
    # Finished: nothing is done again.
    assert train("--resume", str(tmp_path / "out" / "run")) == 0
    assert "finished before" in capsys.readouterr().out


def test_neither_image_is_held_while_strips_are_solved(
    pair: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    images: list[weakref.ref[np.ndarray]] = []
    held: list[bool] = []
    make_case = scene.make_case

    def made(*asked: Any) -> Case:
        case = make_case(*asked)
        images.extend(weakref.ref(image) for image in (case.observation.lr_hsi, case.observation.hr_msi))
        return case

    def look(*asked: Any, **more: Any) -> None:
        held.extend(image() is not None for image in images)
        raise KeyboardInterrupt

    monkeypatch.setattr(scene, "make_case", made)
    monkeypatch.setattr(large_scene, "solve_strips", look)
    assert run(tmp_path / "out", pair) == 130
    assert held == [False, False]


@pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
@pytest.mark.parametrize("ending", ["tif", "hdr"])
def test_files_written_row_by_row_hold_the_same_cube(ending: str, pair: list[str], tmp_path: Path):
    reader = pytest.importorskip("rasterio")
    sources = [str(tmp_path / "lr.npy"), str(tmp_path / "hr.npy")]
    file = tmp_path / f"fused.{ending}"
    assert main(["fuse", *sources, "-o", str(file), "--quiet", "--set", *SMALL]) == 0
    opened = file
    if ending == "hdr":
        opened = file.with_suffix(".img")
    with reader.open(opened) as source:
        cube = np.moveaxis(source.read(), 0, 2)
    expected = whole(pair, tmp_path)
    assert np.abs(cube - expected).max() < 1e-5 * np.ptp(expected)
    assert not (tmp_path / f".strips_fused.{ending}").exists()
    assert (tmp_path / f"fused_expected_error{opened.suffix}").is_file()


@pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
def test_beside_a_product_lies_what_lies_beside_that_of_a_whole_scene(pair: list[str], tmp_path: Path):
    reader = pytest.importorskip("rasterio")
    sources = [str(tmp_path / "lr.npy"), str(tmp_path / "hr.npy")]
    settings = ["--quiet", "-m", "bicubic", "--set", *SMALL]
    found = {}
    for memory in ("3MB", "8GB"):
        folder = tmp_path / memory
        folder.mkdir()
        assert main(["fuse", *sources, "-o", str(folder / "fused.tif"), *settings, f"runtime.memory={memory}"]) == 0
        assert {path.name for path in folder.iterdir()} == {"fused.tif", "fused_expected_error.tif"}
        with reader.open(folder / "fused_expected_error.tif") as file:
            found[memory] = (file.descriptions, file.dtypes, file.tags().get("TIFFTAG_IMAGEDESCRIPTION"))
    assert found["3MB"] == found["8GB"]
    assert main(["fuse", *sources, "-o", str(tmp_path / "alone.tif"), "--alone", *settings, "runtime.memory=3MB"]) == 0
    assert not (tmp_path / "alone_expected_error.tif").exists()


@pytest.mark.parametrize("method", ["gsa", "bicubic"])
def test_baselines_are_written_row_by_row(
    method: str,
    pair: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    # All rows are judged, so little memory as there is.
    monkeypatch.setattr(by_rows, "BYTES_OF_VALUE", 1)
    pair = [*pair, f"method={method}"]
    assert run(tmp_path / "out", pair, "runtime.memory=3MB") == 0
    assert "row by row" in capsys.readouterr().out
    folder = tmp_path / "out" / "run" / "lr"
    expected = whole(pair, tmp_path)
    fused = np.load(folder / "fused.npy")
    assert np.abs(fused - expected).max() < 1e-6 * np.abs(expected).max()
    metrics = json.loads((folder / "metrics.json").read_text())
    beside = json.loads((tmp_path / "whole" / "run" / "lr" / "metrics.json").read_text())
    assert metrics["verdict"]["class"] == beside["verdict"]["class"]
    check_errors(folder, tmp_path / "whole" / "run" / "lr", 1e-5)
    assert not (folder / "strips").exists()
    assert run(tmp_path / "none", pair, "runtime.memory=100KB") == 3
    assert "runtime.memory=" in one_line_error(capsys)


def test_numbers_are_the_hsis_own_by_strips_as_well(pair: list[str], tmp_path: Path):
    sources = [str(tmp_path / "lr.npy"), str(tmp_path / "hr.npy")]
    settings = [setting for setting in SMALL if not setting.startswith("data.normalise")]
    parts, together = tmp_path / "parts.npy", tmp_path / "together.npy"
    assert main(["fuse", *sources, "-o", str(parts), "--quiet", "--set", *settings]) == 0
    assert main(["fuse", *sources, "-o", str(together), "--quiet", "--set", *settings, "runtime.memory=8GB"]) == 0
    expected = np.load(together)
    assert np.abs(np.load(parts) - expected).max() < 1e-5 * np.ptp(expected)


@pytest.mark.slow
def test_a_mask_lies_beside_the_result_and_pictures_show_every_nth_pixel(
    pair: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    valid = np.ones((80, 112), dtype=bool)
    valid[20:40, 28:68] = False
    np.save(tmp_path / "mask.npy", valid)
    np.save(tmp_path / "mask_hsi.npy", valid[2::4, 2::4])
    masks = [f"data.mask_msi={tmp_path / 'mask.npy'}", f"data.mask_hsi={tmp_path / 'mask_hsi.npy'}"]
    sources = [str(tmp_path / "lr.npy"), str(tmp_path / "hr.npy")]
    assert main(["fuse", *sources, "-o", str(tmp_path / "fused.npy"), "--quiet", "--set", *SMALL, *masks]) == 0
    assert np.array_equal(np.load(tmp_path / "fused_mask.npy")[..., 0] != 0, valid)
    # As if pictures were of a quarter of the scene's pixels.
    monkeypatch.setattr(overview, "MOST_VALUES", 80 * 112 * 16 // 4)
    assert run(tmp_path / "out", pair, "output.figures=true") == 0
    folder = tmp_path / "out" / "run" / "lr"
    assert (folder / "overview.png").stat().st_size > 0
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "every pixel in 2 along rows and columns" in page


def test_an_overview_holds_every_nth_pixel_of_all_three(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(overview, "MOST_VALUES", 24 * 36 * 5 // 9)
    rng = np.random.default_rng(2)
    cube = rng.uniform(size=(24, 36, 5)).astype(np.float32)
    seen = Observation(cube[2::4, 2::4], cube[..., :2], 4)
    thinned = overview.Overview(seen)
    for top in range(0, 24, 7):
        thinned.add(top, cube[top : top + 7])
    assert thinned.step == 3
    assert thinned.pair.lr_hsi.shape == (2, 3, 5)
    assert np.array_equal(thinned.fused, cube[1::3, 1::3])
    assert np.array_equal(thinned.pair.hr_msi, cube[1::3, 1::3, :2])
    assert np.array_equal(thinned.pair.lr_hsi, cube[6::12, 6::12])


def test_what_cannot_fit_is_refused_with_the_setting_that_would(
    pair: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert run(tmp_path / "out", pair, "runtime.memory=1MB") == 3
    line = one_line_error(capsys)
    assert "not even strip by strip" in line
    assert "runtime.memory=" in line
    assert run(tmp_path / "out", pair, "method=cnmf") == 3
    assert "fast.yml" in one_line_error(capsys)
    assert run(tmp_path / "out", pair, "output.format=mat") == 2
    assert "strip by strip" in one_line_error(capsys)
    # A whole scene would begin without a map then.
    assert run(tmp_path / "out", pair, "subspace.map_features=0") == 2
    assert "subspace.map_features" in one_line_error(capsys)
    assert run(tmp_path / "out", pair, "runtime.memory=lots") == 2
    assert "runtime.memory" in one_line_error(capsys)


PEAK_AT_THE_END = """
import sys
from pathlib import Path
from typing import Any
from paddle_umsft.command.main import main
code = main(sys.argv[1:])
status = Path("/proc/self/status").read_text()
print("PEAK", status.split("VmHWM:")[1].split()[0])
sys.exit(code)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "megabytes", "settings"),
    [(256, 1000, []), (128, 520, ["method=ensemble", "ensemble.members=3"])],
    ids=["fast", "best"],
)
def test_the_peak_stays_below_what_was_allowed(size: int, megabytes: int, settings: list[str], tmp_path: Path):
    rng = np.random.default_rng(1)
    # A picture of four times as many rows from a small one, mirrored; sums over cells of 8 x 8 are the LR-HSI.
    small = dead_leaves_scene(size, size, 31, 2).hr_hsi
    rows = np.concatenate([small, small[::-1], small, small[::-1]])
    truth = np.concatenate([rows, rows[:, ::-1], rows, rows[:, ::-1]], axis=1)
    lr_hsi = truth.reshape(size // 2, 8, size // 2, 8, 31).mean(axis=(1, 3))
    hr_msi = np.stack([truth[:, :, first : first + 10].mean(axis=2) for first in (0, 10, 21)], axis=2)
    np.save(tmp_path / "lr.npy", (lr_hsi + 1e-3 * rng.standard_normal(lr_hsi.shape)).astype(np.float32))
    np.save(tmp_path / "hr.npy", (hr_msi + 1e-3 * rng.standard_normal(hr_msi.shape)).astype(np.float32))
    memory = megabytes * 2**20
    command = [sys.executable, "-m", "paddle_umsft", "fuse", str(tmp_path / "lr.npy"), str(tmp_path / "hr.npy")]
    command += [
        "-o",
        str(tmp_path / "fused.npy"),
        "--set",
        f"runtime.memory={memory}",
        "data.normalise=none",
        *settings,
    ]
    root = Path(__file__).resolve().parents[2]
    # The system's own count, which the process reads at its end: a child's `ru_maxrss` knows what its parent had.
    command[1:3] = ["-c", PEAK_AT_THE_END]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "strips of" in done.stdout
    # In kilobytes. What the files take while they are read is more than nothing.
    assert int(done.stdout.split("PEAK")[-1]) * 1024 < memory
    fused = np.load(tmp_path / "fused.npy", mmap_mode="r")
    assert np.sqrt(np.mean((fused[::7] - truth[::7]) ** 2)) < 0.03


def test_strangers_beside_the_block_that_is_examined_reach_the_strips(
    pair: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(block, "MOST_EXAMINED", 80 * 112 // 2)
    made = made_pair()
    dead = (1, 25)
    lr_hsi, hr_msi = made.lr_hsi.copy(), made.hr_msi.copy()
    lr_hsi[dead] = 0.0
    # Something of another colour stands there in the MSI alone.
    thing = np.s_[56:72, 4:16]
    hr_msi[thing] = hr_msi.max(axis=(0, 1)) * np.array([1.0, 0.2, 0.6])
    np.save(tmp_path / "lr.npy", lr_hsi)
    np.save(tmp_path / "hr.npy", hr_msi)
    assert run(tmp_path / "out", pair) == 0
    folder = tmp_path / "out" / "run" / "lr"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["extras"]["strips"] == 5
    # With the LR pixels beside it, which see a part of it.
    assert metrics["extras"]["found"] == {"moved": ["rows 52-76, columns 4-20"], "dead HSI pixels": 1}
    assert any("rows 52-76, columns 4-20: only the MSI is used there" in note for note in metrics["extras"]["notes"])
    fused = np.load(folder / "fused.npy")
    # The dead pixel is no hole: what the MSI tells of it is near the truth.
    hole = np.s_[4:8, 100:104]
    assert np.abs(fused - made.truth)[hole].mean() < 0.05 * made.truth[hole].mean()
    # Where the thing stands the result shows it, and nothing of it beside it.
    red = (fused @ response().T)[thing]
    assert np.abs(red - hr_msi[thing]).mean() < 0.05 * hr_msi.max()
    expected = whole(pair, tmp_path)
    assert np.abs(fused - expected).max() < 1e-5 * np.ptp(expected)


@pytest.mark.slow
def test_how_unsure_the_light_of_a_shadow_is_reaches_the_strips(
    pair: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    # Half of the pair is looked at, and the shadow lies beside that.
    monkeypatch.setattr(block, "MOST_EXAMINED", 80 * 112 // 2)
    made = made_pair()
    hr_msi = made.hr_msi.copy()
    hr_msi[40:72, 92:] *= 0.5
    np.save(tmp_path / "hr.npy", hr_msi)
    assert run(tmp_path / "out", pair) == 0
    folder = tmp_path / "out" / "run" / "lr"
    assert list(json.loads((folder / "metrics.json").read_text())["extras"]["found"]) == ["light"]
    expected = whole(pair, tmp_path)
    fused = np.load(folder / "fused.npy")
    assert np.abs(fused - expected).max() < 1e-5 * np.ptp(expected)
    assert np.abs(fused - made.truth)[48:64, 100:].mean() < 0.05 * made.truth.mean()
    check_errors(folder, tmp_path / "whole" / "run" / "lr", 0.35)
    errors = np.load(folder / "expected_error.npy")
    # At the rim the light may be that of either side.
    assert errors[48:64, 88:96].mean() > 1.3 * errors[48:64, 60:68].mean()
