"""Runs that were cut off, stopped or given other settings, and gone on with."""

from __future__ import annotations

import csv
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from train_calls import BICUBIC, TINY, bicubic_run, one_line_error, run_demo, scene_file, train


def test_folder_of_scenes_survives_a_bad_one_and_resumes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    scene_file(scenes, "1.npy")
    scene_file(scenes, "10.npy")
    bad = np.ones((24, 40, 7), np.float32)
    bad[3, 4, 5] = np.nan
    np.save(scenes / "2.npy", bad)
    out = tmp_path / "out"
    code = train("-c", "published.yml", "-o", *BICUBIC, f"data.path={scenes}", "--output", str(out))
    assert code == 3
    assert "2 failed" in one_line_error(capsys)
    with (out / "published" / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["scene"] for row in rows] == ["1", "10", "mean"]
    psnr = [float(row["PSNR"]) for row in rows]
    assert psnr[2] == pytest.approx((psnr[0] + psnr[1]) / 2)
    # The bad scene is mended; the finished ones are not touched again.
    scene_file(scenes, "2.npy")
    before = (out / "published" / "1" / "fused.npy").stat().st_mtime_ns
    assert train("--resume", str(out / "published")) == 0
    assert (out / "published" / "1" / "fused.npy").stat().st_mtime_ns == before
    with (out / "published" / "summary.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 4


def test_resume_with_a_device_leaves_the_run_as_it_was(tmp_path: Path) -> None:
    run = bicubic_run(tmp_path)
    before = (run / "config.yml").read_text()
    scene_file(tmp_path / "scenes", "later.npy")
    assert train("--resume", str(run), "--device", "cpu", "-o", "runtime.threads=1", "evaluate.interval=7") == 0
    assert train("--resume", str(run)) == 0
    assert (run / "config.yml").read_text() == before
    assert (run / "later" / "metrics.json").is_file()


def test_a_device_that_is_not_there_does_not_stay_with_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import paddle

    if paddle.device.is_compiled_with_cuda():
        pytest.skip("a GPU build of Paddle")
    quick = [*TINY, "warm_up.iterations=1", "solver.iterations=1", "output.figures=false", "output.visualdl=false"]
    argv = ["-c", "demo_umsft.yml", "-o", *quick, "network.vgg_weights=nowhere.pth", "--output", str(tmp_path)]
    assert train(*argv) == 3
    run = tmp_path / "demo_umsft"
    before = {path: path.read_text() for path in (run / "config.yml", run / "dead_leaves" / "config.yml")}
    assert train("--resume", str(run), "--device", "gpu") == 2
    assert "no GPU" in capsys.readouterr().err
    assert {path: path.read_text() for path in before} == before
    # Nothing is done yet, so that what was wrong may still be set right, and stays right.
    assert train("--resume", str(run), "-o", "network.vgg_weights=null") == 0
    assert "vgg_weights: null" in (run / "config.yml").read_text()


@pytest.mark.parametrize("override", ["observe.scale=2", "seed=5", "evaluate.convention=dian"])
def test_resume_with_other_numbers_is_refused_and_harms_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], override: str
) -> None:
    run = bicubic_run(tmp_path)
    scene_file(tmp_path / "scenes", "later.npy")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert train("--resume", str(run), "-o", override) == 3
    assert "another configuration" in one_line_error(capsys)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    assert train("--resume", str(run)) == 0


def test_resume_by_a_scene_that_has_no_checkpoint_yet(tmp_path: Path) -> None:
    run = bicubic_run(tmp_path, count=2)
    (run / "1" / "metrics.json").unlink()
    assert train("--resume", str(run / "1")) == 0
    assert (run / "1" / "metrics.json").is_file()
    assert not (run / "1" / "1").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="sends itself a signal")
def test_interrupt_saves_and_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from paddle_umsft.methods.umsft import solver as module

    whole = run_demo(tmp_path / "whole")
    step = module.UmsftFusion.step
    calls = []

    def interrupted_step(self: Any, iteration: int) -> dict[str, float]:
        calls.append(iteration)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)  # in the midst of a step, which is still finished
        return step(self, iteration)

    monkeypatch.setattr(module.UmsftFusion, "step", interrupted_step)
    assert train("-c", "demo_umsft.yml", "-o", *TINY, "--output", str(tmp_path)) == 130
    assert "--resume" in one_line_error(capsys)
    monkeypatch.undo()
    scene = tmp_path / "demo_umsft" / "dead_leaves"
    assert not (scene / "metrics.json").exists()
    assert (scene / "iter_3").is_dir()
    assert train("--resume", str(tmp_path / "demo_umsft")) == 0
    assert np.array_equal(np.load(scene / "fused.npy"), np.load(whole / "fused.npy"))
    columns = slice(0, 4)
    rows = [[line.split(",")[columns] for line in (f / "history.csv").read_text().splitlines()] for f in (scene, whole)]
    assert rows[0] == rows[1]


def test_a_resumed_run_stays_in_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene_file(tmp_path)
    data = [f"data.path={(tmp_path / 'a.npy').as_posix()}", "output.name=r"]
    assert train("-c", "fast.yml", "-o", *BICUBIC, *data, "--output", str(tmp_path / "out")) == 0
    capsys.readouterr()
    assert train("--resume", str(tmp_path / "out" / "r"), "--output", str(tmp_path / "elsewhere")) == 2
    assert "leave --output out" in one_line_error(capsys)
    assert not (tmp_path / "elsewhere").exists()
