"""Several processes of one launch share the scenes of one run folder."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from programs import ROOT
from train_calls import BICUBIC, bicubic_run, one_line_error, scene_file, train


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


def test_a_launch_that_joins_another_ones_folder_harms_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bicubic_run(tmp_path)
    before = (run / "config.yml").read_text()
    capsys.readouterr()
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "2")
    argv = ["-c", "published.yml", "-o", *BICUBIC, "seed=5", f"data.path={tmp_path / 'scenes'}"]
    assert train(*argv, "--output", str(tmp_path / "out")) == 3
    assert "another output.name" in one_line_error(capsys)
    assert (run / "config.yml").read_text() == before


RANK = """
import sys, time
from pathlib import Path
from paddle_umsft.runs.run import fuse_all, open_run
here, argv = Path(sys.argv[1]), sys.argv[2:]
(here / f"ready_{time.time_ns()}").touch()
while not (here / "go").exists():
    time.sleep(0.001)
fuse_all(*open_run("published.yml", argv, None, str(here / "out"), None), quiet=True)
assert "paddle" not in sys.modules
"""


def test_processes_of_one_launch_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Really at the same time: every scene is fused, and whoever writes last leaves the whole summary."""
    scenes, size = tmp_path / "scenes", 3
    scenes.mkdir()
    for number in range(60):
        scene_file(scenes, f"{number}.npy", (16, 24, 5))
    command = [sys.executable, "-W", "ignore", "-c", RANK, str(tmp_path), *BICUBIC, f"data.path={scenes}"]
    environment = {**os.environ, "PADDLE_TRAINERS_NUM": str(size), "PYTHONPATH": str(ROOT)}
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    processes = [
        subprocess.Popen(command, env={**environment, "PADDLE_TRAINER_ID": str(rank)}, **quiet) for rank in range(size)
    ]
    while len(list(tmp_path.glob("ready_*"))) < size and all(process.poll() is None for process in processes):
        time.sleep(0.01)
    (tmp_path / "go").touch()
    errors = [process.communicate()[1] for process in processes]
    assert errors == [""] * size
    run = tmp_path / "out" / "published"
    with (run / "summary.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 61
    assert (run / "config.yml").is_file()
    assert not list(run.rglob(".tmp_*"))


def test_the_last_writer_sees_what_another_process_finished_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from paddle_umsft.runs import run as module

    write = module.write_summary

    def slow(folder: Path) -> Any:
        rows = write(folder)
        if not (folder / "other").exists():  # another process finishes, and its summary is replaced by this one
            (folder / "other").mkdir()
            (folder / "other" / "metrics.json").write_text((folder / "0" / "metrics.json").read_text())
        return rows

    monkeypatch.setattr(module, "write_summary", slow)
    with (bicubic_run(tmp_path) / "summary.csv").open() as file:
        assert [row["scene"] for row in csv.DictReader(file)] == ["0", "other", "mean"]
