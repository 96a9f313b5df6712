"""Where a run is, in lines: their words, when they come, and what a notebook draws meanwhile."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from paddle_umsft.runs import progress
from paddle_umsft.runs.live import LiveView, in_notebook
from paddle_umsft.runs.progress import ProgressLines, duration, progress_line, scene_line


def stage(name: str = "fuse", iterations: int = 300, *, is_main: bool = True) -> Any:
    return SimpleNamespace(name=name, iterations=iterations, is_main=is_main)


def record(iteration: int, **more: Any) -> dict[str, Any]:
    position = {"stage": "fuse", "iteration": iteration, "step": iteration, "lr": 0.002, "seconds": 1.0}
    return {**position, "loss": 0.16412, **more}


def test_a_line_says_everything() -> None:
    line = progress_line(
        record(100, hsi=0.0912, msi=0.073, PSNR=20.3271, SAM=3.0),
        stage(),
        "PSNR 20.33 dB",
        0.6,
        {"PSNR", "SAM"},
    )
    assert line == (
        "fuse 100/300: loss 0.1641 (hsi 0.0912, msi 0.073), PSNR 20.33 dB, lr 0.002, 0.6 s/iter, 2 min left"
    )
    warm_up = progress_line(record(1), stage("srf", 500, is_main=False), "PSNR 20.33 dB", 0.01, set())
    assert warm_up == "fuse 1/500: loss 0.1641, lr 0.002, 0.01 s/iter, 5 s left of this stage"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "0 s"), (80, "80 s"), (120, "2 min"), (5400, "90 min"), (9000, "2.5 h")]
)
def test_durations_are_told_as_people_do(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_scenes_are_counted_with_the_time_left() -> None:
    assert scene_line(1, 32, "balloons", []) == "scene 1 of 32: balloons"
    assert scene_line(3, 32, "beads", [60.0, 120.0]) == "scene 3 of 32: beads, 45 min left"


def watched(every: int, stages: list[Any]) -> tuple[Any, list[str]]:
    """What a callback sees of a run, and the lines that it says."""
    lines: list[str] = []
    log = SimpleNamespace(info=lambda form, text: lines.append(text))
    config = SimpleNamespace(output=SimpleNamespace(log_every=every))
    method = SimpleNamespace(stages=stages, position=(0, 0))
    return SimpleNamespace(log=log, config=config, method=method, metrics={}), lines


def iterations_told(every: int, step_seconds: float, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    clock = [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: clock[0])
    run, lines = watched(every, [stage("srf", 20, is_main=False), stage("fuse", 60)])
    said = ProgressLines(lambda: None)
    for index, count in enumerate((20, 60)):
        for iteration in range(1, count + 1):
            clock[0] += step_seconds
            run.method.position = (index, iteration)
            said.on_record(record(iteration), run)
    return [int(re.findall(r"fuse (\d+)/", line)[0]) for line in lines]


def test_lines_come_at_an_interval_and_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    # The last of each stage; of the fusion the fourth step too, from which its pace is known.
    assert iterations_told(50, 0.1, monkeypatch) == [20, 4, 50, 60]
    assert iterations_told(0, 0.1, monkeypatch) == []
    slow = iterations_told(50, 25.0, monkeypatch)  # every third step is a minute and more
    assert slow[:7] == [3, 6, 9, 12, 15, 18, 20]


def test_a_run_prints_and_logs_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from paddle_umsft import run

    scene = ["data.path=demo://dead_leaves", "data.crop=[0, 0, 40, 48]", "observe.srf=nikon_d700"]
    phase = "uhntc.phases=[{name: fuse, iterations: 5, weights: {hsi: 1, msi: 1}, moves: [network]}]"
    quickly = ["uhntc.warm_up.iterations=4", "uhntc.warm_up.joint_iterations=4", phase, "output.log_every=2"]
    nothing_drawn = ["output.figures=false", "output.visualdl=false", "evaluate.interval=2"]
    run("uhntc.yml", [*scene, *quickly, *nothing_drawn], output=str(tmp_path), quiet=True)
    wanted = (
        r"fuse 4/5: loss [\d.e-]+ \(hsi [\d.e-]+, msi [\d.e-]+\), PSNR \d+\.\d+ dB, lr 0\.008, .* s/iter, \d+ s left\n"
    )
    assert re.search(wanted, capsys.readouterr().out)
    log = (tmp_path / "uhntc" / "dead_leaves" / "log.txt").read_text(encoding="utf-8")
    assert re.search(wanted, log)
    assert re.search(r"srf 4/4: loss .* left of this stage", log)


def test_a_folder_of_scenes_says_which_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import numpy as np

    from paddle_umsft import read_scene, run

    made = read_scene("demo://dead_leaves", crop=[0, 0, 32, 48]).hr_hsi
    (tmp_path / "scenes").mkdir()
    for name in ("1", "2"):
        np.save(tmp_path / "scenes" / f"{name}.npy", made)
    settings = ["method=bicubic", f"data.path={tmp_path / 'scenes'}", "data.layout=hwc", "observe.srf=uniform"]
    settings += ["output.figures=false", "output.visualdl=false"]
    run("fast.yml", settings, output=str(tmp_path), quiet=True)
    said = capsys.readouterr().out
    assert "scene 1 of 2: 1\n" in said
    assert re.search(r"scene 2 of 2: 2, \d+ s left\n", said)


class Shell:
    """What IPython's shell is in a notebook's kernel."""

    config: dict[str, Any] = {"IPKernelApp": {}}  # noqa: RUF012


def test_a_notebook_draws_over_what_it_drew(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not in_notebook()
    shown: list[Any] = []

    def display(figure: Any, display_id: bool) -> Any:
        shown.append(figure)
        return SimpleNamespace(update=lambda newer: shown.append(("again", newer)))

    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=Shell))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    assert in_notebook()
    monkeypatch.setattr("paddle_umsft.figures.curves", lambda records, title: (title, len(records)))
    monkeypatch.setattr("paddle_umsft.figures.overview", lambda seen, fused, reference: "picture")
    records: list[Any] = []
    view = LiveView(lambda: records)
    config = SimpleNamespace(output=SimpleNamespace(live=True), evaluate=SimpleNamespace(images=2))
    case = SimpleNamespace(observation=SimpleNamespace(name="scene"), reference=None)
    run: Any = SimpleNamespace(
        config=config, case=case, is_due=lambda made, every: made["iteration"] % every == 0, fused=lambda: None
    )
    for iteration in (1, 2, 3, 4):
        records.append(record(iteration))
        view.on_record(records[-1], run)
    assert shown == [("scene: fuse 2", 2), "picture", ("again", ("scene: fuse 4", 4)), ("again", "picture")]
    config.output.live = False
    view.on_record(record(6), run)
    assert len(shown) == 4
