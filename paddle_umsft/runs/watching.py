"""What whoever watches a run is shown of it, and when. Free of Paddle."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from paddle_umsft.config.run import Config
from paddle_umsft.data.records import Record
from paddle_umsft.data.scene import Case
from paddle_umsft.methods.networks.trained import Trained, main_stage


@dataclass
class SceneRun:
    """One scene being fused step by step, as the callbacks see it.

    Attributes:
        case: Observation and, where there is one, the truth.
        config: All settings.
        folder: Where the scene's results go.
        method: The optimisation.
        log: The run's log.
        metrics: What `Evaluation` found at the step at hand; mostly empty.
    """

    case: Case
    config: Config
    folder: Path
    method: Trained
    log: logging.Logger
    metrics: dict[str, float] = field(default_factory=dict)

    def in_main_stage(self) -> bool:
        """Whether the step at hand is one of the fusion itself."""
        index, _ = self.method.position
        return self.method.stages[index].is_main

    def is_due(self, record: Record, interval: int) -> bool:
        """Whether an iteration of the main stage is one in `interval`, or the last."""
        if not self.in_main_stage():
            return False
        is_last = record["iteration"] == main_stage(self.method).iterations
        return is_last or (interval > 0 and record["iteration"] % interval == 0)

    def fused(self) -> np.ndarray:
        """The latest output, (H, W, C)."""
        return self.method.result([]).fused


class Callback:
    """Called around a run; does nothing by itself."""

    def on_start(self, run: SceneRun) -> None:
        """Before the first step."""

    def on_record(self, record: Record, run: SceneRun) -> None:
        """After every step. What one callback adds to the record, the next ones see."""

    def on_end(self, run: SceneRun) -> None:
        """After the last step, or when the run is broken off."""
