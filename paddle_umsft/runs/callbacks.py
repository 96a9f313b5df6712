"""What watches a run: evaluation, progress bar, history file, checkpoints. The lines it says are in `progress.py`."""

from __future__ import annotations

import csv
import os
import sys
import warnings
from contextlib import suppress
from typing import Any

from paddle_umsft.data.masks import judged_pixels
from paddle_umsft.data.records import POSITION_KEYS, Record
from paddle_umsft.errors import CheckpointError, DataError
from paddle_umsft.machine.files import write_csv
from paddle_umsft.methods.networks.trained import steps_done, steps_total
from paddle_umsft.metrics import evaluate
from paddle_umsft.metrics.figures import words_of
from paddle_umsft.runs.checkpoint import latest_checkpoint, save_checkpoint
from paddle_umsft.runs.folder import HISTORY, OUTPUT_HINT
from paddle_umsft.runs.history_rows import read_rows
from paddle_umsft.runs.progress import SHOWN_FIGURE
from paddle_umsft.runs.watching import Callback, SceneRun


class Evaluation(Callback):
    """Adds the metrics against the truth to the record; the method never sees them."""

    def on_record(self, record: Record, run: SceneRun) -> None:
        reference = run.case.reference
        settings = run.config.evaluate
        if reference is None or not run.is_due(record, settings.interval):
            return
        scale = run.case.observation.scale
        valid = judged_pixels(run.case)
        run.metrics = evaluate(reference, run.fused(), scale=scale, convention=settings.convention, valid=valid)
        record.update(run.metrics)


class Progress(Callback):
    """A bar with the loss and a figure, as a notebook or a terminal shows one."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self._bar: Any = None
        self._figure = ""

    def on_start(self, run: SceneRun) -> None:
        with warnings.catch_warnings():
            # A notebook without ipywidgets gets a bar of letters; nobody need be told.
            warnings.simplefilter("ignore")
            from tqdm.auto import tqdm
        self._bar = tqdm(
            total=steps_total(run.method),
            initial=steps_done(run.method),
            desc=run.case.observation.name,
            disable=self.quiet,
            file=sys.stderr,
            mininterval=0.5,
            dynamic_ncols=True,
            leave=False,
        )

    def on_record(self, record: Record, run: SceneRun) -> None:
        if self._bar is None:
            return
        if SHOWN_FIGURE in record:
            self._figure = words_of(SHOWN_FIGURE, record[SHOWN_FIGURE])
        words = f"{record['stage']} loss {record['loss']:.4g} {self._figure}"
        self._bar.set_postfix_str(words.rstrip(), refresh=False)
        self._bar.update()

    def clear(self) -> None:
        """Take the bar off the screen's line for what is said now; it comes back with the next step."""
        if self._bar is not None:
            self._bar.clear()

    def on_end(self, run: SceneRun) -> None:
        if self._bar is not None:
            self._bar.close()


class History(Callback):
    """Keeps every record in history.csv; a resumed run drops what came after its checkpoint.

    The columns are those that the records bring. One that appears later (the terms of the fusion's loss after the
    warm-up's, metrics at the first evaluation) makes the file anew, with the rows so far.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._columns = list(POSITION_KEYS)

    def on_start(self, run: SceneRun) -> None:
        self._path = run.folder / HISTORY
        done = steps_done(run.method)
        if done and os.path.lexists(self._path):
            # A kill in the midst of a write can leave half a line behind.
            rows = read_rows(self._path, run.log)
            self.records = [row for row in rows if isinstance(row.get("step"), int) and row["step"] <= done]
        for record in self.records:
            self._note_columns(record)
        self._open_anew()

    def _note_columns(self, record: Record) -> bool:
        """Take up the columns that a record brings; whether there were any new ones."""
        new = [key for key in record if key not in self._columns]
        self._columns += new
        return bool(new)

    def _open_anew(self) -> None:
        """Write all rows so far, and stay open for the next ones."""
        # Whole or not at all: rows of a resumed run survive a full disk.
        write_csv(self._path, self._columns, self.records, hint=OUTPUT_HINT)
        self._file = self._path.open("a", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._file, self._columns)

    def on_record(self, record: Record, run: SceneRun) -> None:
        self.records.append(record)
        try:
            if self._note_columns(record):
                self._file.close()
                self._open_anew()
            else:
                self._writer.writerow(record)
            self._file.flush()  # a kill must not take rows that a checkpoint counts on
        except (OSError, DataError) as error:
            older = latest_checkpoint(run.folder)
            source = f" from {older.name}" if older else ""
            hint = f"free some space, then --resume{source}"
            raise DataError(
                "cannot be written",
                where=self._path,
                got=error,
                hint=hint,
            ) from error

    def on_end(self, run: SceneRun) -> None:
        with suppress(OSError):  # said by on_record, where a row was lost
            self._file.close()


class Checkpoints(Callback):
    """Saves at an interval and at the end. A full disk is said, and the run goes on."""

    def on_record(self, record: Record, run: SceneRun) -> None:
        every = run.config.output.checkpoint_every
        if not every or not run.is_due(record, every):
            return
        try:
            save_checkpoint(run.folder, run.method, run.config)
        except CheckpointError as error:
            run.log.warning("%s", error)
