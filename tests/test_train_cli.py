"""`python tools/train.py`, as a user calls it: results on the disk, exit codes, one line for what is wrong."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
# UMSFT in the small: everything runs, in seconds.
TINY = [
    "data.demo.height=128", "data.demo.width=136", "network.width=6", "network.skip=2", "warm_up.iterations=3",
    "solver.iterations=6", "evaluate.interval=3", "evaluate.images=0", "output.checkpoint_every=2",
]  # fmt: skip


def train(*argv: str) -> int:
    spec = importlib.util.spec_from_file_location("train_tool", ROOT / "tools" / "train.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    code = module.main([*argv, "--quiet"])
    assert isinstance(code, int)
    return code


def run_demo(tmp_path: Path, *overrides: str, config: str = "demo_umsft.yml") -> Path:
    assert train("-c", config, "-o", *TINY, *overrides, "--output", str(tmp_path)) == 0
    return tmp_path / config.split(".")[0] / "dead_leaves"


def one_line_error(capsys: pytest.CaptureFixture[str]) -> str:
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert len(lines) == 1, lines
    assert "Traceback" not in lines[0]
    return lines[0]


def scene_file(folder: Path, name: str = "a.npy", shape: tuple[int, int, int] = (24, 40, 7)) -> Path:
    cube = np.random.RandomState(sum(map(ord, name))).uniform(0.1, 1, size=shape).astype(np.float32)
    np.save(folder / name, cube)
    return folder / name


BICUBIC = ["method=bicubic", "observe.scale=4", "observe.srf=uniform", "output.visualdl=false", "output.figures=false"]


def test_run_folder_holds_everything(tmp_path: Path) -> None:
    scene = run_demo(tmp_path)
    fused = np.load(scene / "fused.npy")
    assert fused.shape == (128, 136, 31)
    assert fused.dtype == np.float32
    metrics = json.loads((scene / "metrics.json").read_text())
    assert metrics["convention"] == "author"
    assert set(metrics["fused"]) >= {"PSNR", "SAM", "ERGAS", "SSIM", "RMSE"}
    assert metrics["bicubic"]["PSNR"] > 10
    with (scene / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    stages = ["srf"] * 3 + ["psf"] * 3 + ["degradation"] * 3 + ["fuse"] * 2 + ["joint"] * 4
    assert [row["stage"] for row in rows] == stages
    assert float(rows[-1]["PSNR"]) == pytest.approx(metrics["fused"]["PSNR"], abs=1e-4)
    assert np.load(scene / "psf.npy").shape == (9, 9)
    assert np.load(scene / "psf.npy").sum() == pytest.approx(1)
    assert np.load(scene / "srf.npy").shape == (3, 31)
    assert np.load(scene / "wavelengths_nm.npy")[[0, -1]].tolist() == [400, 700]
    assert (scene / "overview.png").stat().st_size > 10_000
    assert (scene / "config.yml").is_file()
    assert "scale 8" in (scene / "log.txt").read_text()
    checkpoints = sorted(path.name for path in scene.glob("iter_*"))
    assert checkpoints == ["iter_4", "iter_6"]
    assert {path.name for path in (scene / "iter_6").iterdir()} == {"model.pdparams", "model.pdopt", "state.json"}
    with (tmp_path / "demo_umsft" / "summary.csv").open() as file:
        assert [row["scene"] for row in csv.DictReader(file)] == ["dead_leaves", "mean"]


def test_second_run_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    path = scene_file(tmp_path)
    for expected in ("published", "published-2"):
        code = train("-c", "published.yml", "-o", *BICUBIC, f"data.path={path}", "--output", str(tmp_path / "out"))
        assert code == 0
        assert (tmp_path / "out" / expected / "a" / "metrics.json").is_file()


def test_folder_of_scenes_survives_a_bad_one_and_resumes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
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


def test_given_pair_runs_without_truth(tmp_path: Path) -> None:
    rng = np.random.RandomState(0)
    scene = rng.uniform(0.1, 1, size=(24, 40, 7)).astype(np.float32)
    np.save(tmp_path / "lr.npy", scene.reshape(6, 4, 10, 4, 7).mean(axis=(1, 3)))
    np.save(tmp_path / "msi.npy", scene[:, :, :2])
    pair = [f"data.lr_hsi={tmp_path / 'lr.npy'}", f"data.hr_msi={tmp_path / 'msi.npy'}", "data.layout=hwc"]
    assert train("-c", "fast.yml", "-o", *pair, "--output", str(tmp_path / "out")) == 0
    (metrics,) = (tmp_path / "out" / "fast").glob("*/metrics.json")
    content = json.loads(metrics.read_text())
    assert "fused" not in content
    assert content["consistency"]["PSNR_HSI"] > 10
    assert np.load(metrics.parent / "fused.npy").shape == (24, 40, 7)


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["-c", "nosuch.yml"], 2, "nosuch.yml"),
        ([], 2, "no configuration"),
        (["-c", "published.yml"], 2, "data.path"),
        (["-c", "published.yml", "-o", "solver.iteratons=1"], 2, "did you mean solver.iterations"),
        (["-c", "published.yml", "-o", "data.path=nowhere.mat"], 3, "nowhere.mat"),
        (["-c", "demo_umsft.yml", "-o", "data.demo.height=64"], 3, "at least 128"),
        (["-c", "demo_umsft.yml", "-o", "observe.scale=500"], 3, "500"),
        (["--resume", "nowhere"], 3, "nowhere"),
        (["-c", "demo_umsft.yml", "-o", "network.vgg_weights=nowhere.pth"], 3, "nowhere.pth"),
    ],
)
def test_bad_input_is_one_line_and_an_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], argv: list[str], code: int, words: str
) -> None:
    extra = [] if "--resume" in argv else ["--output", str(tmp_path)]
    assert train(*argv, *extra) == code
    assert words in one_line_error(capsys)


def test_device_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import paddle

    if paddle.device.is_compiled_with_cuda():
        pytest.skip("a GPU build of Paddle")
    assert train("-c", "demo_umsft.yml", "--device", "gpu", "--output", str(tmp_path)) == 2
    assert "no GPU" in one_line_error(capsys)


def test_output_folder_that_cannot_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    path = scene_file(tmp_path)
    code = train("-c", "published.yml", "-o", *BICUBIC, f"data.path={path}", "--output", str(tmp_path / "file"))
    assert code == 3
    assert "not writable" in one_line_error(capsys)


def test_mat_output(tmp_path: Path) -> None:
    from scipy.io import loadmat

    path = scene_file(tmp_path)
    overrides = [*BICUBIC, f"data.path={path}", "output.format=mat"]
    code = train("-c", "published.yml", "-o", *overrides, "--output", str(tmp_path))
    assert code == 0
    content: dict[str, Any] = loadmat(tmp_path / "published" / "a" / "fused.mat")
    assert content["fused"].shape == (24, 40, 7)


@pytest.mark.skipif(sys.platform == "win32", reason="sends itself a signal")
def test_interrupt_saves_and_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from paddle_umsft import solver as module

    whole = run_demo(tmp_path / "whole")
    step = module.FusionStage.step
    calls = []

    def interrupted_step(self: Any, iteration: int) -> dict[str, float]:
        calls.append(iteration)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)  # in the midst of a step, which is still finished
        return step(self, iteration)

    monkeypatch.setattr(module.FusionStage, "step", interrupted_step)
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


def test_share_of_work_is_taken_from_the_launcher(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    for number in range(3):
        scene_file(scenes, f"{number}.npy")
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "2")
    argv = ["-c", "published.yml", "-o", *BICUBIC, f"data.path={scenes}", "--output", str(tmp_path / "out")]
    for rank, done in (("0", ["0", "2"]), ("1", ["0", "1", "2"])):
        monkeypatch.setenv("PADDLE_TRAINER_ID", rank)
        assert train(*argv) == 0
        with (tmp_path / "out" / "published" / "summary.csv").open() as file:
            assert [row["scene"] for row in csv.DictReader(file)] == [*done, "mean"]
