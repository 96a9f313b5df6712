"""VisualDL logs, read back by VisualDL's own reader."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paddle_umsft.config.load import load_config
from paddle_umsft.data.scene import Case, Observation
from paddle_umsft.runs.folder import finished_scenes
from paddle_umsft.runs.log_names import SHOWN, panel_name, short_names
from paddle_umsft.runs.mean_curves import _main_steps, mean_curve
from paddle_umsft.runs.run import fuse_all
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
    figures = {"PSNR": 40.5, "SAM": 2.25, "ERGAS": 1.0}
    add_hparams(writer, config, scene="a", scale="4", bands="6", metrics=figures)
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
    of_scene = {"scene": "a", "scale": "8", "bands": "31"}
    names = {
        tuple(hyper_parameters(load_config(None, [f"method={method}"]), **of_scene))
        for method in ("umsft", "subspace", "ensemble", "bicubic")
    }
    assert len(names) == 1
    assert names.pop()[:3] == ("scene", "bands", "scale")
    told = hyper_parameters(load_config(None, ["observe.known_psf=true", "observe.known_srf=true"]), **of_scene)
    assert told["known"] == "psf+srf"


class Writer:
    """Keeps what would be logged."""

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {}

    def add_hparams(self, hparams_dict: dict[str, Any], metrics_list: list[str]) -> None:
        self.settings = hparams_dict

    def add_scalar(self, **point: Any) -> None:
        pass


def test_results_come_before_settings() -> None:
    writer = Writer()
    config = load_config(None, ["method=gsa"])
    metrics = {"ERGAS": 1.0, "SAM": 2.256, "PSNR": 40.504}
    add_hparams(writer, config, scene="a", scale="3.333", bands="6", metrics=metrics)
    assert list(writer.settings.items())[:5] == [
        ("PSNR", 40.5),
        ("SAM", 2.26),
        ("scene", "a"),
        ("bands", "6"),
        ("scale", "3.333"),
    ]


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["balloons_ms", "cd_ms"], ["balloons", "cd"]),
        (["a", "b_ms"], ["a", "b_ms"]),  # short enough as they are
        (["chart_and_stuffed_toy_ms", "chart_and_clay_ms"], ["stuff…_toy", "clay"]),
        (["strip 0001 of PRISMA", "strip 0002 of PRISMA"], ["0001", "0002"]),
        (["aaaaaXaaaaaaaaa", "aaaaaYaaaaaaaaa"], ["1 aaaa…aaa", "2 aaaa…aaa"]),
        (["the_only_scene_there_is"], ["the_o…e_is"]),
    ],
)
def test_names_of_scenes_differ_where_the_panel_still_shows_them(names: list[str], short: list[str]) -> None:
    assert short_names(names, room=10) == dict(zip(names, short))


def test_a_name_in_the_panel_begins_with_scene_and_run(tmp_path: Path) -> None:
    scenes = ["chart_and_stuffed_toy_ms", "chart_and_clay_ms"]
    folder = tmp_path / "cave_x8_umsft" / scenes[0]
    name = panel_name(folder, folder / "vdl" / "002", scenes)
    shown, behind = name.split(" | ")
    assert shown == "stuff…_toy cav…ft"
    assert len(shown) <= SHOWN
    assert behind.startswith(f"cave_x8_umsft: {scenes[0]}/vdl/002, 20")


def test_a_run_of_several_scenes_has_a_mean(tmp_path: Path) -> None:
    pytest.importorskip("visualdl")
    rng = np.random.RandomState(0)
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    for name in ("scene_10", "scene_2"):
        np.save(scenes / f"{name}.npy", rng.uniform(0.1, 0.9, (16, 24, 6)).astype(np.float32))
    settings = ["method=gsa", f"data.path={scenes}", "data.layout=hwc", "observe.scale=4", "output.figures=false"]
    settings += ["observe.srf=uniform", "output.trust=false"]
    run = tmp_path / "run"
    run.mkdir()
    outcomes = fuse_all(load_config(None, settings), run, quiet=True)
    psnr = {outcome.name: outcome.metrics["fused"]["PSNR"] for outcome in outcomes}
    log = reader(run / "vdl" / "mean")
    assert log.get_data("scalar", "Result/PSNR")[0].value == pytest.approx(np.mean(list(psnr.values())))
    points = [(point.id, point.value) for point in log.get_data("scalar", "Scenes/PSNR")]
    # In natural order: 2 before 10.
    assert points == [(1, pytest.approx(psnr["scene_2"])), (2, pytest.approx(psnr["scene_10"]))]
    assert set(finished_scenes(run)) == set(psnr)


def test_a_mean_curve_leaves_no_scene_out() -> None:
    assert mean_curve([{2: 10.0, 4: 20.0, 6: 30.0}, {2: 14.0, 6: 31.0}]) == {2: 12.0, 6: 30.5}
    assert mean_curve([{2: 10.0}, {}]) == {}
    warm = [{"stage": "psf", "step": step, "iteration": step, "loss": -50.0} for step in (1, 2, 3)]
    main = [{"stage": "joint", "step": 3 + step, "iteration": step, "loss": 1.0 / step} for step in (1, 2)]
    assert _main_steps([*warm, *main]) == main
    # A method that is not watched step by step has other records.
    assert _main_steps([{"stage": "map", "iteration": 1, "loss": 0.1}]) == []
