"""`python tools/train.py`, as a user calls it: what it leaves on the disk."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from train_calls import BICUBIC, bicubic_run, run_demo, scene_file, train

from paddle_umsft.runs.folder import read_metrics, write_metrics


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
    assert {path.name for path in (scene / "iter_6").iterdir()} == {"model.pdparams", "state.safetensors", "state.json"}
    with (tmp_path / "demo_umsft" / "summary.csv").open() as file:
        assert [row["scene"] for row in csv.DictReader(file)] == ["dead_leaves", "mean"]


def test_second_run_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    path = scene_file(tmp_path)
    for expected in ("published", "published-2"):
        code = train("-c", "published.yml", "-o", *BICUBIC, f"data.path={path}", "--output", str(tmp_path / "out"))
        assert code == 0
        assert (tmp_path / "out" / expected / "a" / "metrics.json").is_file()


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


def test_mat_output(tmp_path: Path) -> None:
    from scipy.io import loadmat

    path = scene_file(tmp_path)
    overrides = [*BICUBIC, f"data.path={path}", "output.format=mat"]
    code = train("-c", "published.yml", "-o", *overrides, "--output", str(tmp_path))
    assert code == 0
    content: dict[str, Any] = loadmat(tmp_path / "published" / "a" / "fused.mat")
    assert content["fused"].shape == (24, 40, 7)


def test_no_mean_over_several_conventions(tmp_path: Path) -> None:
    run = bicubic_run(tmp_path, count=2)
    metrics = read_metrics(run / "0")
    assert metrics is not None
    # As if this scene had been judged by a run of other settings: sealed like every finished scene.
    write_metrics(run / "0", {**metrics, "convention": "dian"})
    assert train("--resume", str(run)) == 0
    with (run / "summary.csv").open() as file:
        assert [row["scene"] for row in csv.DictReader(file)] == ["0", "1"]
