"""Surroundings that would end a program in a traceback: locales, backends, variables, homes, names; real processes."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Optional

import numpy as np
import pytest
from programs import ROOT
from train_calls import BICUBIC, scene_file

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX's names and locales")
SMALL_UMSFT = [
    *["method=umsft", "observe.scale=8", "data.path=demo://dead_leaves", "data.demo.height=128", "data.demo.width=128"],
    *["network.width=4", "network.skip=2", "warm_up.iterations=1", "solver.iterations=1"],
]
# What Python calls the letters of a locale that knows ASCII only, told not to help itself.
ASCII_LOCALE = {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def run(arguments: list[str], variables: dict[str, str], flags: Optional[list[str]] = None) -> tuple[int, str]:
    """Exit code of train.py and all that it printed."""
    command = [sys.executable, *(flags or []), str(ROOT / "tools" / "train.py"), *arguments, "--quiet"]
    done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, timeout=300, check=False)
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert "Traceback" not in said, said
    return done.returncode, said


def begin(tmp_path: Path, scenes: Path, *settings: str) -> list[str]:
    quiet = [*BICUBIC, f"data.path={scenes}", *settings]
    return ["-c", "fast.yml", "-o", *quiet, "--output", str(tmp_path / "out")]


@pytest.mark.parametrize(
    ("name", "value"), [("PADDLE_TRAINER_ID", "x"), ("PADDLE_TRAINERS_NUM", "1e3"), ("OMP_NUM_THREADS", "999999")]
)
def test_variables_are_refused_in_one_line(tmp_path: Path, name: str, value: str) -> None:
    settings = SMALL_UMSFT if name == "OMP_NUM_THREADS" else []
    code, said = run(begin(tmp_path, scene_file(tmp_path), *settings), {name: value})
    assert code == 2
    assert said.count("error: ") == 1
    assert name in said


@pytest.mark.slow
def test_a_backend_that_there_is_not(tmp_path: Path) -> None:
    code, said = run(begin(tmp_path, scene_file(tmp_path), "output.figures=true"), {"MPLBACKEND": "nonsense"})
    assert code == 0
    folder = tmp_path / "out" / "fast" / "a"
    assert (folder / "metrics.json").is_file()
    # Nothing is shown on a screen here, so that no backend need be there at all.
    assert (folder / "report.html").is_file() or "the results are not touched by it" in said


@pytest.mark.slow
@pytest.mark.parametrize("home", ["/proc/nowhere", "/dev/null", ""])
@pytest.mark.parametrize("settings", [[], SMALL_UMSFT], ids=["bicubic", "umsft"])
def test_a_home_that_takes_no_files(tmp_path: Path, home: str, settings: list[str]) -> None:
    variables = {"HOME": home, "XDG_CACHE_HOME": "", "XDG_CONFIG_HOME": "", "MPLCONFIGDIR": ""}
    more = settings or ["output.figures=true"]
    code, said = run(begin(tmp_path, scene_file(tmp_path), *more), variables)
    assert code == 0, said
    assert list((tmp_path / "out").rglob("fused.npy"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variables", "flags"),
    [({"PYTHONIOENCODING": "ascii"}, []), (ASCII_LOCALE, ["-X", "utf8=0"]), ({}, [])],
    ids=["PYTHONIOENCODING=ascii", "LANG=C", "UTF-8"],
)
def test_names_beyond_the_screens_letters(tmp_path: Path, variables: dict[str, str], flags: list[str]) -> None:
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    cube = np.load(scene_file(tmp_path))
    for name in ("é高.npy".encode(), b"plain.npy", b"\xff\xfe.npy"):
        with open(os.fsencode(scenes) + b"/" + name, "wb") as file:
            np.save(file, cube)
    code, said = run(begin(tmp_path, scenes), variables, flags)
    assert code == 0, said
    folder = tmp_path / "out" / "fast"
    with (folder / "summary.csv").open(newline="", encoding="utf-8") as file:
        assert len(list(csv.reader(file))) == 1 + 3 + 1
    code, said = run(["--resume", str(folder)], variables, flags)
    assert code == 0, said
    assert said.count("finished before, skipped") == 3
    # A single scene, whose path stands in config.yml.
    odd = os.fsdecode(os.fsencode(scenes) + b"/\xff\xfe.npy")
    alone = ["-c", "fast.yml", "-o", *BICUBIC, f"data.path={odd}", "--output", str(tmp_path / "alone")]
    assert run(alone, variables, flags)[0] == 0
    code, said = run(["--resume", str(tmp_path / "alone" / "fast")], variables, flags)
    assert code == 0, said
    assert "finished before, skipped" in said


def test_the_systems_end_is_the_callers_own_after_paddle_is_imported() -> None:
    """Paddle would print a traceback of C++ and keep a handler of Python's from being called."""
    code = "import os, signal, sys\nfrom paddle_umsft.machine.environment import import_paddle\n"
    code += "signal.signal(signal.SIGTERM, {handler})\nimport_paddle()\nassert 'paddle' in sys.modules\n"
    code += "os.kill(os.getpid(), signal.SIGTERM)\n"
    for handler, expected in (("signal.SIG_DFL", -signal.SIGTERM), ("lambda number, frame: sys.exit(7)", 7)):
        command = [sys.executable, "-c", code.format(handler=handler)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == expected
        assert "Traceback" not in done.stderr
