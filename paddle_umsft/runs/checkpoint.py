"""Checkpoints: written whole or not at all, checked before they are trusted, and nothing in them can execute.

A checkpoint `iter_N/` is `state.safetensors` (every tensor), `state.json` (where the run is, whose it is, how the
tensors belong together, and the sums of all files, its own included) and `model.pdparams`, the model alone as Paddle's
users expect it: an export that is never read back here.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from pathlib import Path
from typing import Any, Optional

from paddle_umsft.config.run import Config
from paddle_umsft.errors import CheckpointError, ConversionError, DataError
from paddle_umsft.machine.plain_files import SEAL, digest_of, is_own_folder, is_plain, seal_of
from paddle_umsft.machine.versions import versions
from paddle_umsft.methods.networks.trained import Trained, main_steps_done
from paddle_umsft.runs.content import put_together, take_apart
from paddle_umsft.runs.earlier_checkpoints import MODEL, REST, read_earlier
from paddle_umsft.runs.folder import CHECKPOINT_STATE, EARLIER_FORMAT, SUPERSEDED, read_state
from paddle_umsft.runs.folder import list_checkpoints as list_checkpoints
from paddle_umsft.weights.formats.reader import read_weights
from paddle_umsft.weights.formats.safetensors_writer import write_safetensors

FORMAT = 2
TENSORS = "state.safetensors"
# Beside state.json itself; all of them have their sums in it.
FILES = {FORMAT: (TENSORS, MODEL), EARLIER_FORMAT: (MODEL, REST)}


class DamagedCheckpointError(CheckpointError):
    """A checkpoint that is not what was saved; an older one, or the start, may still serve."""


def save_checkpoint(folder: Path, method: Trained, config: Config) -> Path:
    """Write `iter_N/`, N the iterations of the main stage done so far, and let go of old ones.

    Everything goes to a temporary name first and is moved when whole; one of the same number is moved aside, not
    deleted, until its successor is in its place. So there is a whole one at every moment, whatever stops the writing.

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
        _write(temporary, method, config)
        _put_in_place(temporary, target)
    except (OSError, RuntimeError, ValueError) as error:
        older = list_checkpoints(folder)
        hint = "free some space or choose another --output"
        if older:
            hint = f"{older[-1].name} is still there"
        raise CheckpointError("checkpoint not written", where=target, got=error, hint=hint) from error
    finally:
        # A stop from the keyboard, too, must leave nothing behind.
        shutil.rmtree(temporary, ignore_errors=True)
    for old in list_checkpoints(folder)[: -config.output.keep]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def _write(folder: Path, method: Trained, config: Config) -> None:
    """Write the files of a checkpoint, and wait until they are on the disk."""
    state = method.state_dict()
    tree, arrays = take_apart(state)
    write_safetensors(folder / TENSORS, arrays)
    _export(folder / MODEL, state["model"])
    content = {
        "format": FORMAT,
        **_position_facts(method, config),
        "versions": versions(),
        "sha256": {name: digest_of(folder / name) for name in FILES[FORMAT]},
        "content": tree,
    }
    content[SEAL] = seal_of(content)
    text = json.dumps(content, indent=1)
    (folder / CHECKPOINT_STATE).write_text(text, encoding="utf-8")
    # A name that is moved before its content has arrived would be an empty file after a power cut.
    for path in folder.iterdir():
        with path.open("rb+") as file:
            os.fsync(file.fileno())


def _export(path: Path, model: dict[str, Any]) -> None:
    """Write the model's tensors as Paddle does."""
    import paddle

    paddle.save(model, str(path))


def _put_in_place(folder: Path, target: Path) -> None:
    """Move a whole checkpoint to its name. What had the name goes only after that."""
    older = target.with_name(target.name + SUPERSEDED)
    if os.path.lexists(target):
        shutil.rmtree(older, ignore_errors=True)
        os.replace(target, older)
    os.replace(folder, target)
    shutil.rmtree(older, ignore_errors=True)


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
    """Read state.json, if it is whole and of this configuration."""
    try:
        if not is_own_folder(path):
            raise ValueError("it is no folder of its own")
        state = read_state(path)
        if state.get("format") not in FILES:
            raise ValueError("state.json is of another kind")
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise _damaged(path, error) from error
    if not config.is_digest(state.get("config")):
        raise CheckpointError(
            "checkpoint of another configuration",
            where=path,
            expected=config.digest(),
            got=state.get("config"),
            hint="resume with the run's own config.yml, or start a new run",
        )
    return state


def _damaged(path: Path, reason: object) -> DamagedCheckpointError:
    return DamagedCheckpointError("damaged checkpoint", where=path, got=reason)


def _read_content(path: Path, state: dict[str, Any]) -> dict[str, Any]:
    """Read the method's state, if every file is what was saved."""
    known = state["format"]
    try:
        # Before anything opens it: a pipe would be waited for, a link may lead anywhere.
        for name in FILES[known]:
            if not is_plain(path / name):
                raise ValueError(f"{name} is missing or no plain file")
        if known == EARLIER_FORMAT:
            content, sums = read_earlier(path)
        else:
            content, sums = _read_parts(path, state["content"])
        recorded = state["sha256"]
        for name in FILES[known]:
            if sums[name] != recorded[name]:
                raise ValueError(f"{name} is not what was saved")
        return content
    except (ConversionError, OSError, ValueError, KeyError, TypeError, AttributeError, MemoryError) as error:
        raise _damaged(path, error) from error


def _read_parts(path: Path, tree: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the method's state of format 2, and the sum of each file by its name."""
    kept = read_weights(path / TENSORS)
    arrays = {name: leaf.values() for name, leaf in kept.tree.items()}
    content = put_together(tree, arrays)
    if not isinstance(content, dict):
        raise ValueError("it holds no state")
    sums = {
        TENSORS: kept.sha256,
        MODEL: digest_of(path / MODEL),
    }
    return content, sums


def load_checkpoint(path: Path, method: Trained, config: Config) -> None:
    """Bring a fresh method to where a checkpoint was taken.

    Raises:
        DamagedCheckpointError: The checkpoint is not what was saved; the method may be spoilt.
        CheckpointError: It belongs to another configuration or scene.
    """
    state = _read_state(path, config)
    position, seconds = _position(path, state, [stage.iterations for stage in method.stages])
    content = _read_content(path, state)
    try:
        method.load_state_dict(content)
    except DataError as error:
        raise CheckpointError("checkpoint of another network or scene", where=path, got=error) from error
    except (KeyError, TypeError, ValueError, AttributeError, AssertionError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
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
        raise DamagedCheckpointError("damaged checkpoint", where=where, expected=expected, got=got)
    return (stage, done), float(seconds)


def latest_checkpoint(folder: Path) -> Optional[Path]:
    """The newest checkpoint of a run folder, or None."""
    found = list_checkpoints(folder)
    return found[-1] if found else None
