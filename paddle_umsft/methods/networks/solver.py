"""The steps of a trained method, one stage after another, whatever its network is."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence

from paddle_umsft.data.records import Record
from paddle_umsft.errors import DataError
from paddle_umsft.methods.networks.warm_up import Stage


class StagedSolver:
    """Works through stages and knows where it is.

    Args:
        name: The scene, for messages.
        stages: In the order in which they run.

    Attributes:
        stages: As given.
        position: (stage index, iteration) of the next step.
        seconds: Time spent in steps so far.
    """

    def __init__(self, name: str, stages: Sequence[Stage]) -> None:
        self.name = name
        self.stages = list(stages)
        self.position = (0, 0)
        self.seconds = 0.0

    def run(self) -> Iterator[Record]:
        """Go on from `position` to the end, yielding a record after every step.

        A record has stage, iteration (within the main stage, or within its warm-up stage; from 1), step (over all
        stages; from 1), loss, its terms where there are several, lr and seconds.

        Raises:
            DataError: If the loss is not finite: nothing that comes after it would be.
        """
        first_stage, first_iteration = self.position
        done = sum(stage.iterations for stage in self.stages[:first_stage])
        for index in range(first_stage, len(self.stages)):
            stage = self.stages[index]
            for iteration in range(first_iteration, stage.iterations):
                started = time.perf_counter()
                lr = stage.lr
                values = stage.step(iteration)
                self.seconds += time.perf_counter() - started
                self.position = (index, iteration + 1)
                self._check_loss(values["loss"], stage.stage_at(iteration), iteration + 1)
                yield {
                    "stage": stage.stage_at(iteration),
                    "iteration": iteration + 1,
                    "step": done + iteration + 1,
                    "lr": lr,
                    "seconds": self.seconds,
                    **values,
                }
            done += stage.iterations
            first_iteration = 0

    def _check_loss(self, loss: float, stage: str, step: int) -> None:
        if math.isfinite(loss):
            return
        raise DataError(
            "the loss is no longer a finite number",
            where=f"{self.name}, step {step} of {stage}",
            got=loss,
            hint="try a lower rate (solver.rate.lr), another seed, runtime.amp=off",
        )
