"""Checkpoints: damaged or foreign ones are refused, a full disk costs nothing, a kill costs nothing either."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paddle_umsft.cameras.observe import simulate
from paddle_umsft.config.data import ObserveConfig
from paddle_umsft.config.load import load_config
from paddle_umsft.config.run import Config
from paddle_umsft.data.synthetic import dead_leaves_scene
from paddle_umsft.errors import CheckpointError
from paddle_umsft.methods.table import start_trained
from paddle_umsft.runs import checkpoint
from paddle_umsft.runs.checkpoint import latest_checkpoint, list_checkpoints, load_checkpoint, save_checkpoint

SMALL = ["network.width=4", "network.skip=2", "warm_up.iterations=2", "solver.iterations=4"]
ROOT = Path(__file__).parents[2]


def config_of(*overrides: str) -> Config:
    return load_config(overrides=[*SMALL, *overrides])


def make_solver(*overrides: str, bands: int = 31) -> Any:
    case = simulate(dead_leaves_scene(128, 128, bands), ObserveConfig(scale=8, srf="uniform"))
    return start_trained(case.observation, config_of(*overrides))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint in the midst of the fusion, and what the uninterrupted run gives."""
    folder = tmp_path_factory.mktemp("run")
    solver = make_solver()
    for record in solver.run():
        if record["stage"] in ("fuse", "joint") and record["iteration"] == 2:
            save_checkpoint(folder, solver, config_of("output.keep=2"))
    np.save(folder / "end.npy", solver.fusion.result())
    return folder


def copy_of(saved: Path, tmp_path: Path) -> Path:
    shutil.copytree(saved, tmp_path / "copy")
    return tmp_path / "copy" / "iter_2"


def test_going_on_gives_the_same_bits(saved: Path) -> None:
    solver = make_solver()
    load_checkpoint(saved / "iter_2", solver, config_of())
    assert [record["iteration"] for record in solver.run()] == [3, 4]
    assert np.array_equal(solver.fusion.result(), np.load(saved / "end.npy"))


def test_a_run_killed_after_its_last_step_still_has_its_result(tmp_path: Path) -> None:
    one = ("solver.iterations=1", "solver.average=0.5")
    solver = make_solver(*one)
    list(solver.run())
    save_checkpoint(tmp_path, solver, config_of("output.keep=1", *one))
    again = make_solver(*one)
    load_checkpoint(tmp_path / "iter_1", again, config_of(*one))
    assert list(again.run()) == []
    assert np.array_equal(again.fusion.result(), solver.fusion.result())


@pytest.mark.parametrize("name", ["model.pdparams", "model.pdopt", "state.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "empty"])
def test_damage_is_noticed(saved: Path, tmp_path: Path, name: str, damage: str) -> None:
    path = copy_of(saved, tmp_path) / name
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.write_bytes(content[:5] + bytes([content[5] ^ 255]) + content[6:])
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path.parent, _fresh(), config_of())
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)


_SOLVER: list[Any] = []


def _fresh() -> Any:
    if not _SOLVER:
        _SOLVER.append(make_solver())
    return _SOLVER[0]


def test_foreign_checkpoints_are_refused(saved: Path) -> None:
    with pytest.raises(CheckpointError, match="another configuration"):
        load_checkpoint(saved / "iter_2", make_solver("seed=8"), config_of("seed=8"))
    with pytest.raises(CheckpointError, match="another network or scene"):
        load_checkpoint(saved / "iter_2", make_solver(bands=12), config_of())


def test_full_disk_leaves_the_older_checkpoint(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy_of(saved, tmp_path).parent
    solver = make_solver()
    load_checkpoint(folder / "iter_2", solver, config_of())
    next(solver.run())
    real = checkpoint.paddle.save

    def full(content: Any, path: str) -> None:
        if path.endswith("pdopt"):
            Path(path).write_bytes(b"half")
            raise OSError(28, "No space left on device")
        real(content, path)

    monkeypatch.setattr(checkpoint.paddle, "save", full)
    with pytest.raises(CheckpointError, match=r"No space left.*iter_2 is still there"):
        save_checkpoint(folder, solver, config_of("output.keep=1"))
    assert [path.name for path in folder.iterdir() if path.is_dir()] == ["iter_2"]
    monkeypatch.undo()
    load_checkpoint(folder / "iter_2", make_solver(), config_of())


@pytest.mark.parametrize(
    "edit",
    [{"stage": 99}, {"stage": -1}, {"stage": "a"}, {"iteration": -5}, {"iteration": 10**6}, {"seconds": None}],
)
def test_a_position_that_cannot_be_is_refused(saved: Path, tmp_path: Path, edit: dict) -> None:
    copy = copy_of(saved, tmp_path)
    state = json.loads((copy / "state.json").read_text())
    (copy / "state.json").write_text(json.dumps({**state, **edit}))
    with pytest.raises(CheckpointError, match="damaged checkpoint"):
        load_checkpoint(copy, make_solver(), config_of())


def test_only_the_newest_are_kept_in_the_order_of_numbers(tmp_path: Path) -> None:
    solver = _fresh()
    for done in (8, 9, 10):
        solver.position = (len(solver.stages) - 1, done)
        save_checkpoint(tmp_path, solver, config_of("output.keep=2"))
    solver.position = (0, 0)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["iter_9", "iter_10"]
    newest = latest_checkpoint(tmp_path)
    assert newest is not None
    assert json.loads((newest / "state.json").read_text())["iteration"] == 10


UMSFT_RUN = ["-c", "demo_umsft.yml", "-o", *SMALL, "solver.iterations=10"]
UHNTC_RUN = [
    *["-c", "uhntc.yml", "-o", "data.path=demo://dead_leaves", "data.crop=[0, 0, 40, 48]", "observe.scale=4"],
    *["uhntc.warm_up.iterations=2", "uhntc.warm_up.joint_iterations=2", "uhntc.warm_up.rank=3", "uhntc.iterations=12"],
]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
@pytest.mark.parametrize(("run", "wanted_kills"), [(UMSFT_RUN, 10), (UHNTC_RUN, 5)], ids=["umsft", "uhntc"])
def test_kills_at_random_moments_cost_nothing(tmp_path: Path, run: list[str], wanted_kills: int) -> None:
    """Killed without warning and resumed, until enough kills have hit: every time the same bits as in one go.

    A run that gets to its end between two kills is compared, and the next one starts in a folder of its own.
    """
    train = [sys.executable, str(ROOT / "tools" / "train.py"), "--quiet"]
    settings = ["evaluate.images=0", "output.checkpoint_every=1", "output.figures=false", "output.visualdl=false"]
    settings += ["output.name=killed"]
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    start = [*train, *run, *settings, "--output"]
    began = time.monotonic()
    subprocess.run([*start, str(tmp_path / "whole")], check=True, capture_output=True, env=alone)
    whole = time.monotonic() - began
    expected = np.load(tmp_path / "whole" / "killed" / "dead_leaves" / "fused.npy")

    kills, finished, rng = 0, 0, random.Random(0)
    while kills < wanted_kills:
        folder = tmp_path / f"cut_{finished}" / "killed"
        while True:
            again = (folder / "config.yml").exists()
            command = [*train, "--resume", str(folder)] if again else [*start, str(folder.parent)]
            patience = rng.uniform(0.2, 0.9) * whole
            if kills == wanted_kills:
                patience = None
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=alone)
            try:
                _, error = process.communicate(timeout=patience)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.communicate()
                kills += 1
                continue
            assert process.returncode == 0, error.decode()
            break
        assert np.array_equal(np.load(folder / "dead_leaves" / "fused.npy"), expected), f"after {kills} kills"
        finished += 1
    assert kills == wanted_kills
    print(f"{kills} kills in {finished} runs, each with the bits of the whole one")
