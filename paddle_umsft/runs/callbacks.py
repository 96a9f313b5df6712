"""What watches a run: evaluation, progress bar, history file, checkpoints."""

from __future__ import annotations

import csv
import logging
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np
from tqdm import tqdm

from paddle_umsft.config.run import Config
from paddle_umsft.data.scene import Case
from paddle_umsft.errors import CheckpointError, DataError
from paddle_umsft.methods.umsft.solver import Solver
from paddle_umsft.metrics import evaluate
from paddle_umsft.runs.checkpoint import latest_checkpoint, save_checkpoint
from paddle_umsft.runs.folder import write_safely

Record = dict[str, Any]

HISTORY_COLUMNS = (
    "step", "stage", "iteration", "lr", "seconds", "loss", "srf", "psf", "hsi", "msi", "subspace", "degradation",
    "PSNR", "SAM", "ERGAS", "SSIM", "RMSE",
)  # fmt: skip


@dataclass
class SceneRun:
    """One scene being fused iteratively, as the callbacks see it.

    Attributes:
        case: Observation and, where there is one, the truth.
        config: All settings.
        folder: Where the scene's results go.
        solver: The optimisation; its `fusion` stage holds the latest output.
        log: The run's log.
    """

    case: Case
    config: Config
    folder: Path
    solver: Solver
    log: logging.Logger

    def fused(self) -> np.ndarray:
        """The latest output, (H, W, C)."""
        return self.solver.fusion.result()

    def is_due(self, record: Record, interval: int) -> bool:
        """Whether an iteration of step 4 is one in `interval`, or the last."""
        if record["stage"] not in ("fuse", "joint"):
            return False
        last = record["iteration"] == self.solver.fusion.iterations
        return last or (interval > 0 and record["iteration"] % interval == 0)


class Callback:
    """Called around a run; does nothing by itself."""

    def on_start(self, run: SceneRun) -> None:
        """Before the first step."""

    def on_record(self, record: Record, run: SceneRun) -> None:
        """After every step. What one callback adds to the record, the next ones see."""

    def on_end(self, run: SceneRun) -> None:
        """After the last step, or when the run is broken off."""


class Evaluation(Callback):
    """Adds the metrics against the truth to the record; the method never sees them."""

    def on_record(self, record: Record, run: SceneRun) -> None:
        if run.case.reference is not None and run.is_due(record, run.config.evaluate.interval):
            settings = run.config.evaluate
            values = evaluate(
                run.case.reference, run.fused(), scale=run.case.observation.scale, convention=settings.convention
            )
            record.update(values)


class Progress(Callback):
    """A bar with loss and PSNR, and a line on the time left once the fusion's pace is known."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self._bar: Optional[tqdm[Any]] = None
        self._psnr = ""
        self._fusion_started: Optional[tuple[int, float]] = None

    def on_start(self, run: SceneRun) -> None:
        stage, iteration = run.solver.position
        done = sum(s.iterations for s in run.solver.stages[:stage]) + iteration
        self._bar = tqdm(
            total=run.solver.steps_total, initial=done, desc=run.case.observation.name, disable=self.quiet,
            file=sys.stderr, mininterval=0.5, dynamic_ncols=True, leave=False,
        )  # fmt: skip

    def on_record(self, record: Record, run: SceneRun) -> None:
        if self._bar is None:
            return
        if "PSNR" in record:
            self._psnr = f" PSNR {record['PSNR']:.2f} dB"
        self._bar.set_postfix_str(f"{record['stage']} loss {record['loss']:.4g}{self._psnr}", refresh=False)
        self._bar.update()
        if record["stage"] in ("fuse", "joint"):
            self._time_left(record, run)

    def _time_left(self, record: Record, run: SceneRun) -> None:
        now = time.perf_counter()
        if self._fusion_started is None:
            self._fusion_started = (record["iteration"], now)
            return
        first, started = self._fusion_started
        if record["iteration"] == first + 3:
            pace = (now - started) / 3
            left = pace * (run.solver.fusion.iterations - record["iteration"])
            run.log.info("%.2f s per iteration, about %s left", pace, _minutes(left))

    def on_end(self, run: SceneRun) -> None:
        if self._bar is not None:
            self._bar.close()


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


class History(Callback):
    """Keeps every record in history.csv; a resumed run drops what came after its checkpoint."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def on_start(self, run: SceneRun) -> None:
        self._path = run.folder / "history.csv"
        stage, iteration = run.solver.position
        done = sum(s.iterations for s in run.solver.stages[:stage]) + iteration
        if done and self._path.is_file():
            with self._path.open(newline="", encoding="utf-8") as file:
                rows = [_numbers(row) for row in csv.DictReader(file)]
            # A kill in the midst of a write can leave half a line behind.
            self.records = [row for row in rows if isinstance(row.get("step"), int) and row["step"] <= done]
        write_safely(self._path, self._write_all)  # rows of a resumed run survive a full disk
        self._file = self._path.open("a", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._file, HISTORY_COLUMNS, extrasaction="ignore")

    def _write_all(self, path: Path) -> None:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, HISTORY_COLUMNS, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(self.records)

    def on_record(self, record: Record, run: SceneRun) -> None:
        self.records.append(record)
        try:
            self._writer.writerow(record)
            self._file.flush()  # a kill must not take rows that a checkpoint counts on
        except OSError as error:
            older = latest_checkpoint(run.folder)
            hint = "free some space, then --resume" + (f" from {older.name}" if older else "")
            raise DataError("cannot be written", where=self._path, got=error, hint=hint) from error

    def on_end(self, run: SceneRun) -> None:
        with suppress(OSError):  # said by on_record, where a row was lost
            self._file.close()


def _numbers(row: dict[str, str]) -> Record:
    record: Record = {}
    for key, text in row.items():
        if not text or key is None:
            continue
        try:
            record[key] = int(text) if key in ("step", "iteration") else float(text) if key != "stage" else text
        except (TypeError, ValueError):
            return {}
    return record


class Checkpoints(Callback):
    """Saves at an interval and at the end. A full disk is said, and the run goes on."""

    def on_record(self, record: Record, run: SceneRun) -> None:
        settings = run.config.output
        if settings.checkpoint_every and run.is_due(record, settings.checkpoint_every):
            try:
                save_checkpoint(run.folder, run.solver, keep=settings.keep)
            except CheckpointError as error:
                run.log.warning("%s", error)
