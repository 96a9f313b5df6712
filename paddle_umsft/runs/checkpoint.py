"""Checkpoints: written whole or not at all, checked before they are trusted."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from pathlib import Path
from typing import Any, Optional

import paddle

from paddle_umsft.config.run import Config
from paddle_umsft.errors import CheckpointError, DataError
from paddle_umsft.machine.versions import versions
from paddle_umsft.methods.networks.trained import Trained, main_steps_done
from paddle_umsft.runs.folder import CHECKPOINT_STATE
from paddle_umsft.runs.folder import list_checkpoints as list_checkpoints

FORMAT = 1
FILES = ("model.pdparams", "model.pdopt")
WAY_OUT = "delete that folder to go on"  # of what is damaged: an older checkpoint, or the start, comes next


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def save_checkpoint(folder: Path, method: Trained, config: Config) -> Path:
    """Write `iter_N/`, N the iterations of the main stage done so far, and let go of old ones.

    Everything goes to a temporary name first and is moved when whole, so an older checkpoint survives a full disk
    or a kill.

    Args:
        folder: The scene's run folder.
        method: What to save.
        config: All settings; `output.keep` says how many checkpoints stay.

    Raises:
        CheckpointError: If it cannot be written.
    """
    done = main_steps_done(method)
    target = folder / f"iter_{done}"
    temporary = folder / f".iter_{done}.tmp"
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        rest = {"position": method.position, **method.state_dict()}  # never empty: paddle.save would warn
        model = rest.pop("model")
        paddle.save(model, str(temporary / FILES[0]))
        paddle.save(rest, str(temporary / FILES[1]))
        position = _position_facts(method, config)
        digests = {name: _digest(temporary / name) for name in FILES}
        state = {"format": FORMAT, **position, "versions": versions(), "sha256": digests}
        (temporary / CHECKPOINT_STATE).write_text(json.dumps(state, indent=2), encoding="utf-8")
        if target.exists():
            shutil.rmtree(target)
        os.replace(temporary, target)
    except (OSError, RuntimeError, ValueError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        older = list_checkpoints(folder)
        hint = "free some space or choose another --output"
        if older:
            hint = f"{older[-1].name} is still there"
        raise CheckpointError("checkpoint not written", where=target, got=error, hint=hint) from error
    for old in list_checkpoints(folder)[: -config.output.keep]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def _position_facts(method: Trained, config: Config) -> dict[str, Any]:
    """What state.json says of where the run is and whose it is."""
    stage, iteration = method.position
    return {
        "stage": stage,
        "stage_name": method.stages[stage].name,
        "iteration": iteration,
        "seconds": method.seconds,
        # Randomness is drawn only while the network is built, so the seed is the whole state of it.
        "rng": {"seed": config.seed},
        "config": config.digest(),
    }


def _read_state(path: Path, config: Config) -> dict[str, Any]:
    try:
        state = json.loads((path / CHECKPOINT_STATE).read_text(encoding="utf-8"))
        if not isinstance(state, dict) or state.get("format") != FORMAT:
            raise ValueError("state.json is of another kind")
        for name in FILES:
            if _digest(path / name) != state["sha256"][name]:
                raise ValueError(f"{name} is not what was saved")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError("damaged checkpoint", where=path, got=error, hint=WAY_OUT) from error
    if state.get("config") != config.digest():
        raise CheckpointError(
            "checkpoint of another configuration",
            where=path,
            expected=config.digest(),
            got=state.get("config"),
            hint="resume with the run's own config.yml, or start a new run",
        )
    return state


def load_checkpoint(path: Path, method: Trained, config: Config) -> None:
    """Bring a fresh method to where a checkpoint was taken.

    Raises:
        CheckpointError: If the checkpoint is damaged, or belongs to another configuration or scene.
    """
    state = _read_state(path, config)
    position, seconds = _position(path, state, [stage.iterations for stage in method.stages])
    try:
        model = paddle.load(str(path / FILES[0]))
        rest = paddle.load(str(path / FILES[1]))
    except Exception as error:  # paddle.load raises whatever its pickle met
        raise CheckpointError("damaged checkpoint", where=path, got=error, hint=WAY_OUT) from error
    try:
        method.load_state_dict({"model": model, **rest})
    except DataError as error:
        raise CheckpointError("checkpoint of another network or scene", where=path, got=error) from error
    method.position = position
    method.seconds = seconds


def _position(path: Path, state: dict[str, Any], iterations: list[int]) -> tuple[tuple[int, int], float]:
    """(stage index, iteration) and seconds so far, if a run with so many iterations per stage can have been there."""
    entries: list[Any] = [state.get(name) for name in ("stage", "iteration", "seconds")]
    stage, done, seconds = entries
    expected, got = "", ""
    possible = type(stage) is int and type(done) is int and 0 <= stage < len(iterations)
    if not possible or not 0 <= done <= iterations[stage]:
        expected = f"a stage below {len(iterations)} and an iteration of it"
        got = f"stage {stage!r}, iteration {done!r}"
    elif not isinstance(seconds, (int, float)) or not math.isfinite(seconds):
        expected, got = "seconds", repr(seconds)
    if expected:
        where = path / CHECKPOINT_STATE
        raise CheckpointError("damaged checkpoint", where=where, expected=expected, got=got, hint=WAY_OUT)
    return (stage, done), float(seconds)


def latest_checkpoint(folder: Path) -> Optional[Path]:
    """The newest checkpoint of a run folder, or None."""
    found = list_checkpoints(folder)
    return found[-1] if found else None
