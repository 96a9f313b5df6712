"""Scenes trained tile by tile in runs: kills, damage, ranks beside each other. A toy stands for the networks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from programs import ROOT
from toy_tiles import NAME, SLOWNESS, TOY
from train_calls import one_line_error, train

from paddle_umsft import fuse, read_scene, simulate
from paddle_umsft.errors import DataError
from paddle_umsft.methods.networks import tiles
from paddle_umsft.methods.table import METHODS
from paddle_umsft.runs.folder import LOG

# Fifteen tiles of 32 x 32.
SETTINGS = [
    *["method=toy", "data.demo.height=64", "data.demo.width=96", "observe.scale=4", "runtime.tile=32"],
    *["output.visualdl=false", "output.figures=false", "output.name=run"],
]
COUNT = 3 * 5


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, NAME, TOY)


def run(folder: Path, *more: str) -> int:
    return train("-c", "demo_umsft.yml", "--output", str(folder), "-o", *SETTINGS, *more)


def fused_of(folder: Path) -> np.ndarray:
    return np.load(folder / "run" / "dead_leaves" / "fused.npy")


@pytest.fixture
def once(tmp_path: Path) -> Path:
    """A run that nothing has disturbed."""
    folder = tmp_path / "once"
    assert run(folder) == 0
    return folder


def test_a_run_by_tiles_leaves_what_a_run_leaves(once: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = once / "run" / "dead_leaves"
    told = (folder / LOG).read_text()
    assert f"{COUNT} tiles of 32x32 pixels" in told
    assert "tiles      the first took" in told
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["extras"]["tiles"] == COUNT
    assert "PSNR" in metrics["fused"]
    assert "an approximation" in told
    # Of the warm-up each step, of every tile the last one.
    assert len((folder / "history.csv").read_text().splitlines()) == 1 + 2 + COUNT
    assert not (folder / "strips").exists()
    assert train("--resume", str(once / "run")) == 0
    assert "finished before" in capsys.readouterr().out


def killed_at(count: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let a run be stopped after so many tiles; return the list of those that are trained."""
    fit = tiles.fit_tile
    fitted: list[int] = []

    def until(observation: Any, plan: Any, number: int, *rest: Any, **more: Any) -> Any:
        if len(fitted) == count:
            raise KeyboardInterrupt
        fitted.append(number)
        return fit(observation, plan, number, *rest, **more)

    monkeypatch.setattr(tiles, "fit_tile", until)
    return fitted


def test_a_killed_run_goes_on_to_the_same_bits(
    once: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with monkeypatch.context() as patch:
        killed_at(4, patch)
        assert run(tmp_path) == 130
    work = tmp_path / "run" / "dead_leaves" / "strips"
    assert len(list(work.glob("tile_*.json"))) == 4
    # A tile that is no longer what was written is trained again.
    with (work / "tile_00001.npy").open("r+b") as stream:
        stream.seek(200)
        stream.write(b"\xff\xff")
    capsys.readouterr()
    with monkeypatch.context() as patch:
        fitted = killed_at(COUNT, patch)

        def never(*arguments: Any, **more: Any) -> Any:
            raise AssertionError("the cameras were learned already")

        patch.setattr(tiles, "learn_cameras", never)
        assert train("--resume", str(tmp_path / "run")) == 0
    assert f"3 of {COUNT} are there already" in capsys.readouterr().out
    assert fitted == [1, *range(4, COUNT)]
    assert np.array_equal(fused_of(tmp_path), fused_of(once))


def test_what_was_begun_in_tiles_is_ended_in_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As a whole it would take 12 MB.
    small = ["runtime.tile=auto", "runtime.memory=7MB"]
    with monkeypatch.context() as patch:
        killed_at(1, patch)
        assert run(tmp_path, *small) == 130
    fitted = killed_at(COUNT, monkeypatch)
    # The toy cannot be trained as a whole: it would fail.
    assert train("--resume", str(tmp_path / "run"), "-o", "runtime.memory=8GB") == 0
    assert fitted[0] == 1


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """A pair of files, 64 x 96 pixels of 31 bands."""
    case = simulate(read_scene("demo://dead_leaves", crop=[0, 0, 64, 96]), scale=4, srf="uniform")
    np.save(tmp_path / "lr.npy", case.observation.lr_hsi)
    np.save(tmp_path / "hr.npy", case.observation.hr_msi)
    names = [f"data.lr_hsi={tmp_path / 'lr.npy'}", f"data.hr_msi={tmp_path / 'hr.npy'}"]
    return [*SETTINGS, *names, "data.path=null", "data.normalise=none", "runtime.tile=32"]


def test_a_cube_that_cannot_be_held_is_written_row_by_row(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, rows = tmp_path / "whole", tmp_path / "rows"
    assert train("-c", "published.yml", "--output", str(whole), "-o", *files) == 0
    # Judged as a whole its cube would take 5 MB.
    assert train("-c", "published.yml", "--output", str(rows), "-o", *files, "runtime.memory=4MB") == 0
    expected, fused = (np.load(folder / "run" / "lr" / "fused.npy") for folder in (whole, rows))
    assert np.array_equal(fused, expected)
    metrics, beside = (json.loads((folder / "run" / "lr" / "metrics.json").read_text()) for folder in (rows, whole))
    assert metrics["extras"]["tiles"] == beside["extras"]["tiles"] == COUNT
    # Judged on a few blocks of rows, which are not all of the scene.
    for of_rows, of_whole in zip(
        metrics["trust"]["expected_rmse_per_band"],
        beside["trust"]["expected_rmse_per_band"],
    ):
        assert of_rows == pytest.approx(of_whole, rel=0.5)
    log = (rows / "run" / "lr" / LOG).read_text()
    assert f"fused in {COUNT} tiles; judged on" in log
    assert not (rows / "run" / "lr" / "strips").exists()
    # A simulated scene holds its truth as a whole, and in a program the cube has to fit.
    assert run(tmp_path / "simulated", "runtime.memory=4MB") == 3
    assert "umsft simulate" in one_line_error(capsys)
    case = simulate(read_scene("demo://dead_leaves", crop=[0, 0, 64, 96]), scale=4, srf="uniform")
    with pytest.raises(DataError, match="writes row by row"):
        fuse(case, method=NAME, config="published.yml", overrides=["runtime.tile=32", "runtime.memory=4MB"])


def test_other_settings_begin_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        killed_at(4, patch)
        assert run(tmp_path) == 130
    # The seed decides where every tile starts.
    fitted = killed_at(COUNT, monkeypatch)
    assert run(tmp_path, "seed=5", "output.name=other") == 0
    assert len(fitted) == COUNT


def test_tiles_too_small_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "runtime.tile=8") == 2
    assert "runtime.tile" in one_line_error(capsys)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("(ResourceExhausted) Fail to alloc memory of 12000000000 size, error code is 12."),
        RuntimeError("ResourceExhaustedError: Out of memory error on GPU 0."),
    ],
)
def test_memory_that_runs_out_in_a_tile_is_one_line(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*arguments: Any) -> Any:
        raise error

    monkeypatch.setattr(tiles, "run_all", refused)
    assert run(tmp_path) == 3
    line = one_line_error(capsys)
    assert "out of memory" in line
    assert "runtime.tile=256" in line
    # In a program it is one as well, and what else is raised stays what it is.
    case = simulate(read_scene("demo://dead_leaves", crop=[0, 0, 64, 96]), scale=4, srf="uniform")
    with pytest.raises(DataError, match=r"out of memory.*runtime\.tile=256"):
        fuse(case, method=NAME, config="published.yml", overrides=["runtime.tile=32"])
    error.args = ("an illegal memory access was encountered",)
    if isinstance(error, RuntimeError):
        with pytest.raises(RuntimeError, match="illegal"):
            fuse(case, method=NAME, config="published.yml", overrides=["runtime.tile=32"])


RANK = """
import sys
from toy_tiles import NAME, TOY
from paddle_umsft.command.main import main
from paddle_umsft.methods.table import METHODS
from paddle_umsft.runs.folder import LOG
METHODS[NAME] = TOY
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def ranks(tmp_path: Path) -> Iterator[Any]:
    """Starts processes of one launch; none is left behind."""
    started: list[subprocess.Popen[str]] = []

    def start(share: str, arguments: list[str]) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "helpers")]),
            SLOWNESS: "0.2",
        }
        command = [sys.executable, "-W", "ignore", "-c", RANK, "train", *arguments, "--share", share]
        process = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


def wait_for(path: Path, pattern: str, count: int) -> None:
    """Wait until a folder holds so many files."""
    deadline = time.monotonic() + 60
    while len(list(path.glob(pattern))) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
def test_ranks_share_tiles_one_dies_and_one_comes_late(once: Path, tmp_path: Path, ranks: Any) -> None:
    arguments = ["-c", "demo_umsft.yml", "--output", str(tmp_path / "out"), "-o", *SETTINGS]
    # Of one scene: rank 0 owns it, rank 1 has nothing of its own and helps.
    first = ranks("0/2", arguments)
    work = tmp_path / "out" / "run" / "dead_leaves" / "strips"
    wait_for(work, "tile_*.json", 2)
    late = ranks("1/2", arguments)
    # Both are at work: more tiles are claimed at a time than one process holds.
    wait_for(work, "tile_*.json", 5)
    first.send_signal(signal.SIGKILL)
    told = late.communicate(timeout=120)[0]
    assert late.returncode == 0, told
    assert first.wait() == -signal.SIGKILL
    assert np.array_equal(fused_of(tmp_path / "out"), fused_of(once))
    assert not work.exists()


@pytest.mark.slow
def test_a_rank_with_a_small_scene_helps_with_the_large_one(tmp_path: Path, ranks: Any) -> None:
    rng = np.random.default_rng(0)
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    # A large one and a small one, which has two tiles.
    np.save(scenes / "a.npy", rng.random((96, 96, 5)).astype(np.float32))
    np.save(scenes / "b.npy", rng.random((32, 40, 5)).astype(np.float32))
    arguments = ["-c", "published.yml", "--output", str(tmp_path / "out"), "-o", *SETTINGS]
    arguments += [f"data.path={scenes}", "observe.srf=uniform"]
    both = [ranks(f"{rank}/2", arguments) for rank in range(2)]
    told = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    shares = [text.count(" of 25: ") for text in told]
    assert sum(shares) == 25
    # Neither is idle: the one with the small scene does its part of the other's.
    assert min(shares) > 1
    folder = tmp_path / "out" / "run"
    for name in ("a", "b"):
        assert json.loads((folder / name / "metrics.json").read_text())["extras"]["tiles"] > 1
        assert not (folder / name / "strips").exists()
