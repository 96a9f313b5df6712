"""Earlier name of `paddle_umsft.runs.checkpoint`, whose functions take a method and its configuration apart.

What 0.1.0 called a solver knew its own configuration. Programs that have one of their own can go on saving it here:
what is written is a checkpoint of today's format.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paddle_umsft.machine.moved import moved_to, warn_moved
from paddle_umsft.runs import checkpoint

_CHECKPOINT = "paddle_umsft.runs.checkpoint"
__getattr__ = moved_to(__name__, _CHECKPOINT)
# The two parts of a solver's state.
_MODEL = "model"
_OPTIMIZERS = "rest"


def save_checkpoint(folder: Path, solver: Any, *, keep: int) -> Path:
    """Write `iter_N/` and let go of old ones, as 0.1.0 was called.

    Args:
        folder: The scene's run folder.
        solver: With `config`, `model`, `stages`, `position`, `seconds` and `state_dict()`.
        keep: How many checkpoints stay.

    Raises:
        CheckpointError: If it cannot be written.
    """
    warn_moved(f"{__name__}.save_checkpoint", f"{_CHECKPOINT}.save_checkpoint")
    output = solver.config.output.model_copy(update={"keep": keep})
    config = solver.config.model_copy(update={"output": output})
    method = _as_method(solver)
    return checkpoint.save_checkpoint(folder, method, config)


def load_checkpoint(path: Path, solver: Any) -> None:
    """Bring a fresh solver to where a checkpoint was taken, as 0.1.0 was called.

    Args:
        path: The checkpoint.
        solver: As `save_checkpoint` has it, with `load_state_dict(state)` besides.

    Raises:
        CheckpointError: It is damaged, or belongs to another configuration or scene.
    """
    warn_moved(f"{__name__}.load_checkpoint", f"{_CHECKPOINT}.load_checkpoint")
    method = _as_method(solver)
    checkpoint.load_checkpoint(path, method, solver.config)


def _as_method(solver: Any) -> Any:
    """Return a solver as checkpoints want it; what else a `Trained` has to answer, they never ask."""
    return _AsMethod(solver)


@dataclass(frozen=True)
class _Stage:
    """A stage of a solver of 0.1.0, as today's log names it."""

    name: str
    iterations: int
    is_main: bool


class _AsMethod:
    """A solver of 0.1.0 that answers as a `Trained` does, as far as checkpoints ask.

    Args:
        solver: Everything that it tells and takes is the solver's.
    """

    def __init__(self, solver: Any) -> None:
        self._solver = solver

    @property
    def stages(self) -> list[_Stage]:
        """Its stages; the last one is the fusion itself."""
        _, done = self._solver.position
        # A stage was named by the step that was done last.
        last_step = max(done - 1, 0)
        last = len(self._solver.stages) - 1
        found = []
        for index, stage in enumerate(self._solver.stages):
            seen = _Stage(
                name=stage.stage_at(last_step),
                iterations=stage.iterations,
                is_main=index == last,
            )
            found.append(seen)
        return found

    @property
    def position(self) -> tuple[int, int]:
        """(stage index, iteration) of the next step."""
        index, iteration = self._solver.position
        return index, iteration

    @position.setter
    def position(self, position: tuple[int, int]) -> None:
        self._solver.position = position

    @property
    def seconds(self) -> float:
        """Time spent in steps so far."""
        return float(self._solver.seconds)

    @seconds.setter
    def seconds(self, seconds: float) -> None:
        self._solver.seconds = seconds

    def state_dict(self) -> dict[str, Any]:
        """Both parts: the model's tensors, and what moves them."""
        model = self._solver.model.state_dict()
        return {
            # Checkpoints export this part for Paddle's users, by this name.
            _MODEL: dict(model),
            _OPTIMIZERS: self._solver.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up both parts."""
        self._solver.model.set_state_dict(state[_MODEL])
        self._solver.load_state_dict(state[_OPTIMIZERS])
