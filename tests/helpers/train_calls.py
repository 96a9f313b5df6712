"""Calls of tools/train.py, small scenes and short runs for the tests of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from programs import program

# UMSFT in the small: everything runs, in seconds.
TINY = [
    "data.demo.height=128", "data.demo.width=136", "network.width=6", "network.skip=2", "warm_up.iterations=3",
    "solver.iterations=6", "evaluate.interval=3", "evaluate.images=0", "output.checkpoint_every=2",
]  # fmt: skip
BICUBIC = ["method=bicubic", "observe.scale=4", "observe.srf=uniform", "output.visualdl=false", "output.figures=false"]


def train(*argv: str) -> int:
    """Exit code of `python tools/train.py`."""
    code = program("tools/train.py").main([*argv, "--quiet"])
    assert isinstance(code, int)
    return code


def one_line_error(capsys: pytest.CaptureFixture[str]) -> str:
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert len(lines) == 1, lines
    assert "Traceback" not in lines[0]
    return lines[0]


def scene_file(folder: Path, name: str = "a.npy", shape: tuple[int, int, int] = (24, 40, 7)) -> Path:
    cube = np.random.RandomState(sum(map(ord, name))).uniform(0.1, 1, size=shape).astype(np.float32)
    np.save(folder / name, cube)
    return folder / name


def run_demo(tmp_path: Path, *overrides: str, config: str = "demo_umsft.yml") -> Path:
    assert train("-c", config, "-o", *TINY, *overrides, "--output", str(tmp_path)) == 0
    return tmp_path / config.split(".")[0] / "dead_leaves"


def bicubic_run(tmp_path: Path, *overrides: str, count: int = 1) -> Path:
    """A folder of small scenes fused by bicubic; returns the run's folder."""
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    for number in range(count):
        scene_file(scenes, f"{number}.npy")
    argv = ["-c", "published.yml", "-o", *BICUBIC, f"data.path={scenes}", *overrides, "--output", str(tmp_path / "out")]
    assert train(*argv) == 0
    return tmp_path / "out" / "published"
