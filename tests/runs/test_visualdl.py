"""VisualDL logs, read back by VisualDL's own reader."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import numpy as np
import pytest

from paddle_umsft.config.load import load_config
from paddle_umsft.data.scene import Case, Observation
from paddle_umsft.runs.visualdl import add_history, add_hparams, add_pictures, hyper_parameters, open_log

LOG = logging.getLogger("test")


def reader(folder: Path):  # type: ignore[no-untyped-def]
    visualdl = pytest.importorskip("visualdl")
    return visualdl.LogReader(file_path=str(next(folder.glob("*.log"))))


def test_every_start_has_a_folder_of_its_own(tmp_path: Path) -> None:
    pytest.importorskip("visualdl")
    for _ in range(2):
        open_log(tmp_path, LOG).close()
    (tmp_path / "vdl" / "001").rename(tmp_path / "vdl" / "old")
    open_log(tmp_path, LOG).close()
    assert sorted(path.name for path in (tmp_path / "vdl").iterdir()) == ["001", "002", "old"]


def test_without_visualdl_a_notice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "visualdl", None)
    with caplog.at_level(logging.INFO, logger="test"):
        assert open_log(tmp_path, LOG) is None
    assert "visualdl is not installed" in caplog.text


def test_curves_and_pictures_can_be_read_back(tmp_path: Path) -> None:
    pytest.importorskip("visualdl")
    rng = np.random.RandomState(0)
    cube = rng.uniform(0.1, 0.9, (16, 24, 6)).astype(np.float32)
    psf, srf = np.full((4, 4), 1 / 16), rng.uniform(size=(3, 6))
    low = cube.reshape(4, 4, 6, 4, 6).mean(axis=(1, 3))
    case = Case(Observation(low, (cube @ srf.T).astype(np.float32), 4), cube, psf, srf)
    writer = open_log(tmp_path, LOG)
    add_history(writer, [{"stage": "solve", "iteration": i, "loss": 2.0**-i} for i in range(4)] + [{"stage": "map"}])
    add_pictures(writer, 7, case, cube, psf, srf)
    config = load_config(None, ["method=subspace"])
    add_hparams(writer, config, 4, {"PSNR": 40.5, "SAM": 2.25, "ERGAS": 1.0})
    writer.close()
    log = reader(tmp_path / "vdl" / "001")
    assert [point.value for point in log.get_data("scalar", "Train/loss_solve")] == [1.0, 0.5, 0.25, 0.125]
    assert [point.value for point in log.get_data("scalar", "Result/PSNR")] == [40.5]
    assert [point.value for point in log.get_data("scalar", "Result/SAM")] == [2.25]
    images = set(log.get_tags()["image"])
    wanted = {"Fused/RGB", "Fused/error", "Fused/angle", "Fused/spectra", "Degradation/PSF", "Degradation/SRF"}
    assert images == wanted
    assert all("%" not in tag for tags in log.get_tags().values() for tag in tags)


def test_all_methods_have_the_same_hyper_parameters() -> None:
    names = {
        tuple(hyper_parameters(load_config(None, [f"method={method}"]), 8))
        for method in ("umsft", "subspace", "ensemble", "bicubic")
    }
    assert len(names) == 1
    told = hyper_parameters(load_config(None, ["observe.known_psf=true", "observe.known_srf=true"]), 8)
    assert told["known"] == "psf+srf"
