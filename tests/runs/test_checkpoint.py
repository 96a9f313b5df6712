"""Checkpoints: damaged or foreign ones are refused, a full disk costs nothing, a kill costs nothing either."""

from __future__ import annotations

import ast
import hashlib
import json
import logging
import os
import pickle
import random
import shutil
import signal
import struct
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
from paddle_umsft.runs.resuming import start_or_resume

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


@pytest.mark.parametrize("name", ["model.pdparams", "state.safetensors", "state.json"])
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
    with pytest.raises(CheckpointError, match="another configuration"):
        load_checkpoint(saved / "iter_2", _fresh(), config_of("runtime.precision=bf16"))
    with pytest.raises(CheckpointError, match="another network or scene"):
        load_checkpoint(saved / "iter_2", make_solver(bands=12), config_of())


def test_full_disk_leaves_the_older_checkpoint(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy_of(saved, tmp_path).parent
    solver = make_solver()
    load_checkpoint(folder / "iter_2", solver, config_of())
    next(solver.run())

    def full(path: Path, model: Any) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "_export", full)
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
    reseal(copy, edit)
    with pytest.raises(CheckpointError, match="damaged checkpoint"):
        load_checkpoint(copy, _fresh(), config_of())


def reseal(copy: Path, edit: dict[str, Any]) -> None:
    """Change state.json as somebody would who knows about its sum."""
    state = {**json.loads((copy / "state.json").read_text()), **edit}
    state.pop("seal")
    seal = hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()
    (copy / "state.json").write_text(json.dumps({**state, "seal": seal}))


def test_a_position_changed_by_hand_is_noticed(saved: Path, tmp_path: Path) -> None:
    copy = copy_of(saved, tmp_path)
    text = (copy / "state.json").read_text()
    (copy / "state.json").write_text(text.replace('"iteration": 2', '"iteration": 3'))
    with pytest.raises(CheckpointError, match=r"state\.json is not what was saved"):
        load_checkpoint(copy, _fresh(), config_of())


def test_nested_ten_thousand_deep_is_one_line(saved: Path, tmp_path: Path) -> None:
    copy = copy_of(saved, tmp_path)
    (copy / "state.json").write_text("[" * 10_000 + "]" * 10_000)
    with pytest.raises(CheckpointError, match="damaged checkpoint"):
        load_checkpoint(copy, _fresh(), config_of())


@pytest.mark.skipif(os.name == "nt", reason="needs links and pipes")
@pytest.mark.parametrize("name", ["model.pdparams", "state.safetensors", "state.json"])
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_links_and_pipes_are_not_followed(saved: Path, tmp_path: Path, name: str, kind: str) -> None:
    path = copy_of(saved, tmp_path) / name
    path.unlink()
    if kind == "link":
        path.symlink_to(saved / "iter_2" / name)  # the very content that was saved
    else:
        os.mkfifo(path)
    with pytest.raises(CheckpointError, match="damaged checkpoint"):
        load_checkpoint(path.parent, _fresh(), config_of())


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_a_link_is_no_checkpoint(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "iter_7").symlink_to(saved / "iter_2")
    assert list_checkpoints(tmp_path) == []


class Evil:
    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.proof),)


def earlier(saved: Path, folder: Path) -> Path:
    """The same checkpoint as version 0.1 wrote it: two pickles of Paddle's and a state.json without a seal."""
    import paddle

    solver = make_solver()
    load_checkpoint(saved / "iter_2", solver, config_of())
    rest = {"position": solver.position, **solver.state_dict()}
    folder.mkdir()
    paddle.save(rest.pop("model"), str(folder / "model.pdparams"))
    paddle.save(rest, str(folder / "model.pdopt"))
    state = json.loads((saved / "iter_2" / "state.json").read_text())
    kept = {key: state[key] for key in ("stage", "iteration", "seconds", "config")}
    (folder / "state.json").write_text(json.dumps({"format": 1, **kept}))
    sign_earlier(folder)
    return folder


def sign_earlier(folder: Path) -> None:
    state = json.loads((folder / "state.json").read_text())
    sums = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("model.pdparams", "model.pdopt")
    }
    (folder / "state.json").write_text(json.dumps({**state, "sha256": sums}))


def test_checkpoints_of_earlier_versions_go_on_to_the_same_bits(saved: Path, tmp_path: Path) -> None:
    folder = earlier(saved, tmp_path / "iter_2")
    solver = make_solver()
    load_checkpoint(folder, solver, config_of())
    assert [record["iteration"] for record in solver.run()] == [3, 4]
    assert np.array_equal(solver.fusion.result(), np.load(saved / "end.npy"))
    for victim in ("model.pdparams", "model.pdopt"):
        kept = (folder / victim).read_bytes()
        proof = tmp_path / f"proof_{victim}"
        (folder / victim).write_bytes(pickle.dumps({"x": Evil(proof)}, protocol=2))
        sign_earlier(folder)
        with pytest.raises(CheckpointError, match="refused: the pickle asks for"):
            load_checkpoint(folder, solver, config_of())
        assert not proof.exists()
        (folder / victim).write_bytes(kept)


def test_the_tensors_are_there_for_anybody(saved: Path) -> None:
    """Read with nothing but the format's own description, and the same as what Paddle finds in its own file."""
    import paddle

    content = (saved / "iter_2" / "state.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    table = json.loads(content[8 : 8 + length])
    model = paddle.load(str(saved / "iter_2" / "model.pdparams"))
    assert model
    for name, tensor in model.items():
        entry = table[f"model/{name}"]
        begin, end = (8 + length + at for at in entry["data_offsets"])
        assert entry["dtype"] == "F32"
        assert np.array_equal(np.frombuffer(content[begin:end], "<f4").reshape(entry["shape"]), tensor.numpy())


def stopped_after(calls: int, real: Any) -> Any:
    """A function that works so many times; from then on the process is as good as gone."""
    passed = []

    def stopped(*args: Any, **options: Any) -> Any:
        if len(passed) >= calls:
            raise KeyboardInterrupt
        passed.append(args)
        return real(*args, **options)

    return stopped


def test_there_is_a_whole_one_at_every_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The warm-up knows one number only. Stopped at each move, and at each deletion: one is always left."""
    solver = _fresh()
    solver.position = (0, 1)
    save_checkpoint(tmp_path, solver, config_of("output.keep=1"))
    moments = 0
    for name, module, calls in (("replace", os, 2), ("rmtree", shutil, 4)):
        for moment in range(calls):
            solver.position = (0, 2)
            monkeypatch.setattr(module, name, stopped_after(moment, getattr(module, name)))
            try:
                save_checkpoint(tmp_path, solver, config_of("output.keep=1"))
            except KeyboardInterrupt:
                moments += 1
            monkeypatch.undo()
            newest = latest_checkpoint(tmp_path)
            assert newest is not None
            checkpoint._read_content(newest, checkpoint._read_state(newest, config_of()))
    assert moments > 3
    save_checkpoint(tmp_path, solver, config_of("output.keep=1"))
    assert [path.name for path in tmp_path.iterdir()] == ["iter_0"]
    solver.position = (0, 0)


def test_goes_on_from_the_newest_whole_one(saved: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = copy_of(saved, tmp_path).parent
    (folder / "iter_3").mkdir()  # of a killed save
    shutil.copytree(folder / "iter_2", folder / "iter_4")
    (folder / "iter_4" / "state.safetensors").write_bytes(b"half")
    observation = simulate(dead_leaves_scene(128, 128, 31), ObserveConfig(scale=8, srf="uniform")).observation
    log = logging.getLogger("test")
    with caplog.at_level(logging.INFO, "test"):
        started = start_or_resume(observation, config_of(), folder, log)
    assert started.resumed
    assert started.method.position[1] == 2
    assert caplog.messages[0].startswith(f"{folder / 'iter_4'}: damaged checkpoint")
    assert caplog.messages[-1] == f"resumed    {folder / 'iter_2'}"
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == [
        "iter_2", "iter_3.damaged", "iter_4.damaged",
    ]  # fmt: skip
    (folder / "iter_2" / "state.json").write_text("")
    assert not start_or_resume(observation, config_of(), folder, log).resumed


def test_nothing_in_the_package_can_execute_a_pickle() -> None:
    files = sorted((ROOT / "paddle_umsft").rglob("*.py")) + sorted((ROOT / "tools").glob("*.py"))
    assert len(files) > 100
    array_loads = 0
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert node.module not in ("pickle", "dill", "cloudpickle", "joblib", "shelve"), path
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            assert called not in ("paddle.load", "torch.load", "pickle.load", "pickle.loads", "pickle.Unpickler"), path
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert given.get("allow_pickle", "False") == "False", path
            if called == "np.load":
                assert "allow_pickle" in given, path
                array_loads += 1
    assert array_loads > 0


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
