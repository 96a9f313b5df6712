"""What scripts written for 0.1.0 import still works, and says where it is now."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Optional

import numpy as np
import paddle
import pytest

import paddle_umsft
from paddle_umsft.config.run import Config
from paddle_umsft.data.readers import table
from paddle_umsft.errors import CheckpointError
from paddle_umsft.runs import checkpoint, folder

MOVED = [
    ("paddle_umsft.checkpoint", "list_checkpoints", checkpoint.list_checkpoints),
    ("paddle_umsft.checkpoint", "latest_checkpoint", checkpoint.latest_checkpoint),
    ("paddle_umsft.run_folder", "list_checkpoints", folder.list_checkpoints),
    ("paddle_umsft.run_folder", "write_summary", folder.write_summary),
    ("paddle_umsft.data.arrays", "read_table", table.read_table),
    ("paddle_umsft.config", "Config", Config),
    ("paddle_umsft.config", "load_config", paddle_umsft.load_config),
]


@pytest.mark.parametrize(("module", "name", "now"), MOVED)
def test_leads_to_where_it_is(module: str, name: str, now: object) -> None:
    with pytest.warns(DeprecationWarning, match="has moved in .* use paddle_umsft") as heard:
        found = getattr(importlib.import_module(module), name)
    assert found is now
    # The line that is to be changed.
    assert heard[0].filename == __file__


@pytest.mark.parametrize("module", sorted({module for module, _, _ in MOVED}))
def test_what_never_was_there_is_not_there(module: str) -> None:
    with pytest.raises(AttributeError):
        importlib.import_module(module).nothing


def test_an_array_is_read_as_it_was_called(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", cube=np.arange(24.0).reshape(2, 3, 4), other=np.ones((2, 3, 4)))
    arrays = importlib.import_module("paddle_umsft.data.arrays")
    with pytest.warns(DeprecationWarning, match="readers.table.read_array") as heard:
        found = arrays.read_array(tmp_path / "x.npz", "cube")
    assert heard[0].filename == __file__
    assert np.array_equal(found.values, np.arange(24.0).reshape(2, 3, 4))


class OwnSolver:
    """What somebody's program of 0.1.0 saved: a model, a stage of five steps, a number beside the model."""

    iterations = 5

    def __init__(self, config: Optional[Config] = None) -> None:
        self.config = config or Config()
        self.model = paddle.nn.Linear(2, 3)
        self.stages = [self]
        self.position = (0, 3)
        self.seconds = 1.5
        self.momentum = 0.25

    def stage_at(self, iteration: int) -> str:
        return f"step {iteration}"

    def state_dict(self) -> dict[str, Any]:
        return {"momentum": self.momentum}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.momentum = state["momentum"]


def test_a_solver_of_ones_own_is_saved_and_taken_up(tmp_path: Path) -> None:
    earlier = importlib.import_module("paddle_umsft.checkpoint")
    saved = OwnSolver()
    for done in (1, 2, 3):
        saved.position = (0, done)
        with pytest.warns(DeprecationWarning, match="runs.checkpoint.save_checkpoint"):
            written = earlier.save_checkpoint(tmp_path, saved, keep=2)
    assert [path.name for path in checkpoint.list_checkpoints(tmp_path)] == ["iter_2", "iter_3"]

    fresh = OwnSolver()
    fresh.position, fresh.seconds, fresh.momentum = (0, 0), 0.0, 0.0
    with pytest.warns(DeprecationWarning, match="runs.checkpoint.load_checkpoint"):
        earlier.load_checkpoint(written, fresh)
    assert (fresh.position, fresh.seconds, fresh.momentum) == ((0, 3), 1.5, 0.25)
    assert np.array_equal(fresh.model.weight.numpy(), saved.model.weight.numpy())
    with pytest.warns(DeprecationWarning, match="moved"), pytest.raises(CheckpointError, match="another configuration"):
        earlier.load_checkpoint(written, OwnSolver(Config(seed=7)))
