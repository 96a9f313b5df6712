"""What a method that is trained step by step answers to: all that a run, a checkpoint or a log needs to know of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from paddle_umsft.data.records import Record
from paddle_umsft.data.scene import FusionResult


class TrainedStage(Protocol):
    """A run of equal steps.

    Attributes:
        name: Its name in the log.
        iterations: How many steps it has.
        is_main: Whether it is the fusion itself, of which a method has one; the others warm up.
    """

    name: str
    iterations: int
    is_main: bool


class Trained(Protocol):
    """One scene being fitted.

    Attributes:
        stages: In the order in which they run.
        position: (stage index, iteration) of the next step.
        seconds: Time spent in steps so far.
    """

    stages: Sequence[TrainedStage]
    position: tuple[int, int]
    seconds: float

    def announce(self, *, resumed: bool) -> list[str]:
        """Lines for the log before the first step: where it computes, on what it starts."""

    def run(self) -> Iterator[Record]:
        """Go on from `position` to the end, yielding a record after every step."""

    def result(self, history: list[Record]) -> FusionResult:
        """The outcome as it stands after the last step that was done."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that moves: `model`, the tensors by name, and beside it whatever else the next step needs.

        Dicts with text for keys, lists, tuples, tensors, arrays, numbers, text and None: a checkpoint keeps nothing
        that could execute.
        """

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up where `state_dict` left off.

        Raises:
            DataError: The state belongs to another network or scene; nothing is changed.
        """


def main_stage(method: Trained) -> TrainedStage:
    """Return the stage that is the fusion itself."""
    return next(stage for stage in method.stages if stage.is_main)


def main_steps_done(method: Trained) -> int:
    """Count the steps of the main stage done so far."""
    index, iteration = method.position
    stage = method.stages[index]
    # Steps of a warm-up do not count.
    if not stage.is_main:
        return 0
    return iteration


def steps_done(method: Trained) -> int:
    """Count the steps of all stages done so far."""
    index, iteration = method.position
    earlier = sum(stage.iterations for stage in method.stages[:index])
    return earlier + iteration


def steps_total(method: Trained) -> int:
    """Count the steps of all stages together."""
    return sum(stage.iterations for stage in method.stages)
