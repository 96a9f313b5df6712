"""Output that nobody reads any more stops no run and shows no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TextIO, cast

import numpy as np
import pytest
from programs import ROOT
from train_calls import BICUBIC, TINY, scene_file

from paddle_umsft.machine.screen import Screen

TRAIN = [sys.executable, str(ROOT / "tools" / "train.py")]


def test_a_reader_that_had_enough(tmp_path: Path) -> None:
    """`train.py ... 2>&1 | head -n 1`, with the progress bar."""
    argv = ["-c", "demo_umsft.yml", "-o", *TINY, "output.figures=false", "--output", str(tmp_path)]
    with subprocess.Popen([*TRAIN, *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
        assert run.stdout is not None
        assert run.stdout.readline().startswith(b"scene")
        run.stdout.close()
        assert run.wait(timeout=200) == 0
    folder = tmp_path / "demo_umsft" / "dead_leaves"
    assert np.load(folder / "fused.npy").shape == (128, 136, 31)
    assert "results    " in (folder / "log.txt").read_text(encoding="utf-8")  # the log goes on


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_the_output(tmp_path: Path) -> None:
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    for name in ("1.npy", "2.npy"):
        scene_file(scenes, name)
    argv = ["-c", "published.yml", "-o", *BICUBIC, f"data.path={scenes}", "--output", str(tmp_path), "--quiet"]
    with open("/dev/full", "w") as full:
        run = subprocess.run([*TRAIN, *argv], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert run.returncode == 0
    assert "Traceback" not in run.stderr
    assert "Exception" not in run.stderr
    assert len(list((tmp_path / "published").glob("*/metrics.json"))) == 2


def test_a_tool_whose_table_is_cut_off(tmp_path: Path) -> None:
    scene = scene_file(tmp_path)
    argv = ["--reference", str(scene), str(scene), "--scale", "4"]
    command = [sys.executable, str(ROOT / "tools" / "eval.py"), *argv]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.close()
        assert "Traceback" not in (said := run.stderr.read())
        assert "Exception" not in said
        assert run.wait(timeout=100) == 0


def test_a_name_commands_the_terminal_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    print("a\x1b[31mred", file=cast(TextIO, Screen(sys.stdout)))
    assert capsys.readouterr().out == "a\\x1b[31mred\n"
