"""Lines on where a run is: of a trained method every so many iterations, of a folder of scenes before each."""

from __future__ import annotations

import time
from typing import Any, Callable, Optional

from paddle_umsft.data.records import POSITION_KEYS, Record
from paddle_umsft.methods.networks.trained import TrainedStage
from paddle_umsft.metrics.figures import words_of
from paddle_umsft.runs.watching import Callback, SceneRun

SHOWN_FIGURE = "PSNR"  # that of the metrics that stands in the line
PACE_STEPS = 3  # steps of a stage after which its pace is told for the first time
LONGEST_SILENCE = 60.0  # seconds after which a line comes, however few iterations that are
# Up to so many seconds are told in seconds, up to so many minutes in minutes, more in hours.
WHOLE_SECONDS = 100
WHOLE_MINUTES = 100


class ProgressLines(Callback):
    """Says every `output.log_every` iterations, and once a minute at least, where a run is.

    A line has stage, iteration, loss and its terms, the newest figure where there is a truth, learning rate, seconds
    an iteration, and the time left: of the fusion, or of a stage of the warm-up while it lasts.

    Args:
        clear: Called before a line, to take what moves off the screen.
    """

    def __init__(self, clear: Callable[[], None]) -> None:
        self._clear = clear
        self._figure = ""
        # Where the pace is counted from: the stage, its iteration, and when that was.
        self._stage: Optional[TrainedStage] = None
        self._from = (0, 0.0)
        self._last_line = time.perf_counter()

    def on_record(self, record: Record, run: SceneRun) -> None:
        now = time.perf_counter()
        if SHOWN_FIGURE in record:
            self._figure = words_of(SHOWN_FIGURE, record[SHOWN_FIGURE])
        index, _ = run.method.position
        stage = run.method.stages[index]
        if stage is not self._stage:
            # The first step of a stage takes longer, and tells nothing of its pace.
            self._stage = stage
            self._from = (record["iteration"], now)
        if not self._is_due(record, run, stage, now):
            return
        self._last_line = now
        first, started = self._from
        pace = None
        if record["iteration"] > first:
            pace = (now - started) / (record["iteration"] - first)
        self._clear()
        run.log.info("%s", progress_line(record, stage, self._figure, pace, set(run.metrics)))

    def _is_due(
        self,
        record: Record,
        run: SceneRun,
        stage: TrainedStage,
        now: float,
    ) -> bool:
        every = run.config.output.log_every
        if every == 0:
            return False
        iteration = record["iteration"]
        first, _ = self._from
        if iteration % every == 0 or iteration == stage.iterations:
            return True
        if stage.is_main and iteration == first + PACE_STEPS:
            return True
        return now - self._last_line > LONGEST_SILENCE


def progress_line(
    record: Record,
    stage: TrainedStage,
    figure: str,
    pace: Optional[float],
    metrics: set[str],
) -> str:
    """Return a line: `fuse 50/300: loss 0.16 (hsi 0.09, msi 0.07), PSNR 20.33 dB, lr 0.002, 0.6 s/iter, 3 min left`.

    Args:
        record: Of the step at hand.
        stage: That it belongs to.
        figure: The newest figure against the truth, in words; empty where there is none.
        pace: Seconds an iteration; None: not known yet.
        metrics: Keys of the record that are figures, no terms of the loss.
    """
    parts = [f"loss {record['loss']:.4g}{_terms(record, metrics)}"]
    # Of the warm-up there is nothing to compare with the truth.
    if figure and stage.is_main:
        parts.append(figure)
    parts.append(f"lr {record['lr']:.3g}")
    if pace is not None:
        left = pace * (stage.iterations - record["iteration"])
        of_what = ""
        if not stage.is_main:
            of_what = " of this stage"
        parts += [f"{pace:.2g} s/iter", f"{duration(left)} left{of_what}"]
    return f"{record['stage']} {record['iteration']}/{stage.iterations}: {', '.join(parts)}"


def _terms(record: Record, metrics: set[str]) -> str:
    """Return the terms of the loss in brackets; nothing where it has only itself."""
    terms: dict[str, Any] = {}
    for name, value in record.items():
        if name not in POSITION_KEYS and name not in metrics:
            terms[name] = value
    if not terms:
        return ""
    named = [f"{name} {value:.3g}" for name, value in terms.items()]
    return f" ({', '.join(named)})"


def duration(seconds: float) -> str:
    """`80 s`, `7 min` or `2.5 h`."""
    if seconds < WHOLE_SECONDS:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    if minutes < WHOLE_MINUTES:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.1f} h"


def scene_line(
    place: int,
    count: int,
    name: str,
    seconds: list[float],
) -> str:
    """Return `scene 3 of 32: balloons, 41 min left`.

    Args:
        place: Of the scene, from 1.
        count: Of all scenes that this process fuses.
        name: The scene's.
        seconds: What each scene so far has taken; none: nothing is said of the time.
    """
    line = f"scene {place} of {count}: {name}"
    if not seconds:
        return line
    mean = sum(seconds) / len(seconds)
    return f"{line}, {duration(mean * (count - place + 1))} left"
