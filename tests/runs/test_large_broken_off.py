"""Scenes by strips that are broken off, damaged on the way, or shared by several processes: the bits of one run."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from large_runs import BYTES_BESIDE, SMALL, STRIP_PIXELS, plan_small_strips, run, small_pair, whole
from train_calls import train

from paddle_umsft.command.main import main
from paddle_umsft.methods.subspace.strips import StripSolver

# Small enough that what is asked is how strips fit together.
FEW = [
    "method=ensemble",
    "ensemble.members=2",
    "ensemble.features=160",
    "subspace.map_features=16",
    "runtime.memory=10.3MB",
]


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    plan_small_strips(monkeypatch)
    return small_pair(tmp_path)


def interrupt_after(strips: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run be interrupted when it is about to begin one more strip."""
    solve = StripSolver.coeffs
    solved: list[int] = []

    def until_killed(self: StripSolver, first: int, end: int, **stage: Any) -> np.ndarray:
        if len(solved) == strips:
            raise KeyboardInterrupt
        solved.append(first)
        return solve(self, first, end, **stage)

    monkeypatch.setattr(StripSolver, "coeffs", until_killed)


def test_a_killed_run_goes_on_to_the_same_bits(
    pair: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    assert run(tmp_path / "once", pair) == 0
    expected = np.load(tmp_path / "once" / "run" / "lr" / "fused.npy")
    solve = StripSolver.coeffs
    interrupt_after(2, monkeypatch)
    assert run(tmp_path / "out", pair) == 130
    monkeypatch.setattr(StripSolver, "coeffs", solve)
    work = tmp_path / "out" / "run" / "lr" / "strips"
    assert sorted(path.name for path in work.glob("strip_*.json")) == ["strip_00000.json", "strip_00001.json"]
    # A strip that is no longer what was written is made again.
    with (work / "coeffs.f32").open("r+b") as file:
        file.seek(40)
        file.write(b"\xff\xff")
    capsys.readouterr()
    assert train("--resume", str(tmp_path / "out" / "run")) == 0
    assert "1 of 5 are there already" in capsys.readouterr().out
    assert np.array_equal(np.load(tmp_path / "out" / "run" / "lr" / "fused.npy"), expected)


def flipped(path: Path) -> None:
    """Another bit in the middle of a file; in JSON a digit that becomes another one."""
    content = bytearray(path.read_bytes())
    digits = [place for place, byte in enumerate(content) if chr(byte).isdigit()]
    place = len(content) // 2
    if path.suffix == ".json":
        place = digits[len(digits) // 2]
    content[place] ^= 1
    path.write_bytes(content)


@pytest.mark.slow
def test_what_is_on_the_way_is_held_to_its_sums(
    pair: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert run(tmp_path / "once", pair) == 0
    expected = np.load(tmp_path / "once" / "run" / "lr" / "fused.npy")
    with monkeypatch.context() as killed:
        interrupt_after(2, killed)
        assert run(tmp_path / "killed", pair) == 130

    def copied(work: Path) -> None:
        # As if strip 3 had been solved, which it has not.
        shutil.copy(work / "strip_00001.json", work / "strip_00003.json")

    damages = {
        "plan": lambda work: flipped(work / "plan.json"),
        "facts": lambda work: flipped(work / "learned.json"),
        "image": lambda work: flipped(work / "hr_msi.npy"),
        "arrays": lambda work: flipped(work / "learned.npz"),
        "copied": copied,
    }
    for name, damage in damages.items():
        folder = tmp_path / name / "run"
        shutil.copytree(tmp_path / "killed" / "run", folder)
        damage(folder / "lr" / "strips")
        assert train("--resume", str(folder)) == 0, name
        assert np.array_equal(np.load(folder / "lr" / "fused.npy"), expected), name
    capsys.readouterr()


def test_a_killed_ensemble_goes_on_in_the_stage_that_it_was_in(
    pair: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    pair = [*pair, *FEW]
    assert run(tmp_path / "once", pair) == 0
    folder = tmp_path / "once" / "run" / "lr"
    fused = np.load(folder / "fused.npy")
    expected = whole(pair, tmp_path)
    assert np.abs(fused - expected).max() < 1e-5 * np.ptp(expected)
    assert json.loads((folder / "metrics.json").read_text())["extras"]["ensemble_kept"]
    solve = StripSolver.coeffs
    # Five strips in each of three stages.
    for number, done in enumerate((3, 12)):
        interrupt_after(done, monkeypatch)
        assert run(tmp_path / f"out{number}", pair) == 130
        monkeypatch.setattr(StripSolver, "coeffs", solve)
        capsys.readouterr()
        assert train("--resume", str(tmp_path / f"out{number}" / "run")) == 0
        assert f"{done % 5} of 5 are there already" in capsys.readouterr().out
        assert np.array_equal(np.load(tmp_path / f"out{number}" / "run" / "lr" / "fused.npy"), fused)


def _fuse(arguments: list[str], queue: Any) -> None:
    import paddle_umsft.runs.strip_plan as plan

    plan.PROGRAM = 0
    plan.MOST_PIXELS = STRIP_PIXELS
    plan.WHOLE_BESIDE = BYTES_BESIDE
    queue.put(main(arguments))


@pytest.mark.slow
@pytest.mark.parametrize("settings", [[], FEW], ids=["fast", "best"])
def test_two_processes_write_the_bits_of_one(settings: list[str], pair: list[str], tmp_path: Path):
    assert run(tmp_path / "once", [*pair, *settings]) == 0
    expected = np.load(tmp_path / "once" / "run" / "lr" / "fused.npy")
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    sources = [str(tmp_path / "lr.npy"), str(tmp_path / "hr.npy")]
    arguments = ["fuse", *sources, "-o", str(tmp_path / "fused.npy"), "--quiet", "--set", *SMALL, *settings]
    both = [context.Process(target=_fuse, args=(arguments, queue)) for _ in range(2)]
    for process in both:
        process.start()
    codes = [queue.get(timeout=120) for _ in both]
    for process in both:
        process.join()
    assert codes == [0, 0]
    assert np.array_equal(np.load(tmp_path / "fused.npy"), expected)


RANK = """
import sys
import paddle_umsft.runs.strip_plan as plan
from paddle_umsft.command.main import main
plan.PROGRAM = 0
plan.MOST_PIXELS = 4 * 4 * 112
plan.WHOLE_BESIDE = 200
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_ranks_of_one_launch_work_on_strips_of_one_scene(pair: list[str], tmp_path: Path):
    assert run(tmp_path / "once", pair) == 0
    expected = np.load(tmp_path / "once" / "run" / "lr" / "fused.npy")
    root = Path(__file__).resolve().parents[2]
    arguments = ["train", "-c", "fast.yml", "--output", str(tmp_path / "out"), "-o", *pair, "output.name=run"]
    processes = []
    for rank in range(2):
        command = [sys.executable, "-W", "ignore", "-c", RANK, *arguments, "--share", f"{rank}/2"]
        environment = {**os.environ, "PYTHONPATH": str(root)}
        processes.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
    told = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], told
    folder = tmp_path / "out" / "run" / "lr"
    assert np.array_equal(np.load(folder / "fused.npy"), expected)
    assert json.loads((folder / "metrics.json").read_text())["extras"]["strips"] == 5
    assert not (folder / "strips").exists()
    assert main([*arguments, "--share", "2/2"]) == 2
