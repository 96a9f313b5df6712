"""A trained method on one scene with everything that watches it: resuming, progress, history, checkpoints, VisualDL."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable

from paddle_umsft.config.run import Config
from paddle_umsft.data.scene import Case, FusionResult
from paddle_umsft.errors import StoppedError
from paddle_umsft.methods.table import input_of, start_trained
from paddle_umsft.runs.callbacks import Checkpoints, Evaluation, History, Progress
from paddle_umsft.runs.checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint
from paddle_umsft.runs.watching import Callback, SceneRun


def fuse_watched(
    case: Case, config: Config, folder: Path, log: logging.Logger, writer: Any, quiet: bool
) -> FusionResult:
    """Fuse, going on from the folder's newest checkpoint if there is one.

    Raises:
        CheckpointError: If that checkpoint is damaged or belongs to something else.
        StoppedError: If the user stopped it; a checkpoint was saved first.
    """
    checkpoint = latest_checkpoint(folder)
    resumed = checkpoint is not None
    given = input_of(case.observation, config)
    method = start_trained(given.observation, config, weights=not resumed)
    if checkpoint is not None:
        load_checkpoint(checkpoint, method, config)
        log.info("resumed    %s", checkpoint)
    for line in method.announce(resumed=resumed):
        log.info("%s", line)
    run = SceneRun(case=case, config=config, folder=folder, method=method, log=log)
    history = History()
    callbacks = _callbacks(history, writer, quiet)
    for callback in callbacks:
        callback.on_start(run)
    try:
        _step_through(run, callbacks)
    finally:
        for callback in callbacks:
            callback.on_end(run)
    return given.told_in(method.result(history.records))


def _callbacks(history: History, writer: Any, quiet: bool) -> list[Callback]:
    """Everything that watches, in the order in which a record passes: what one adds, the next ones see."""
    callbacks: list[Callback] = [Evaluation(), history]
    if writer is not None:
        from paddle_umsft.runs.visualdl import VisualDl

        callbacks.append(VisualDl(writer))
    callbacks += [Checkpoints(), Progress(quiet)]
    return callbacks


def _step_through(run: SceneRun, callbacks: list[Callback]) -> None:
    """Do all steps that are left; an interrupt is heard between two of them."""
    with stop_between_steps(run.log) as asked_to_stop:
        for record in run.method.run():
            run.metrics = {}
            for callback in callbacks:
                callback.on_record(record, run)
            if asked_to_stop():
                saved = save_checkpoint(run.folder, run.method, run.config)
                run.log.info("interrupted; saved %s", saved)
                raise StoppedError("interrupted", where=run.folder)


@contextmanager
def stop_between_steps(log: logging.Logger) -> Iterator[Callable[[], bool]]:
    """Hold Ctrl-C (and a plain kill) back until the step at hand is whole: half a step cannot be saved.

    A second one stops at once, and loses what came after the last checkpoint.

    Yields:
        A function that tells whether to stop.
    """
    asked: list[int] = []

    def ask(number: int, frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        log.info("stopping after this step; once more to stop at once")

    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield lambda: False
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
