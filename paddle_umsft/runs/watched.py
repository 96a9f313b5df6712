"""A trained method on one scene with everything that watches it: resuming, progress, history, checkpoints, VisualDL."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from paddle_umsft.config.run import Config
from paddle_umsft.data.scene import Case, FusionResult
from paddle_umsft.methods.table import Input, find_method, surroundings
from paddle_umsft.runs.callbacks import Checkpoints, Evaluation, History, Progress
from paddle_umsft.runs.checkpoint import save_checkpoint
from paddle_umsft.runs.live import LiveView
from paddle_umsft.runs.progress import ProgressLines
from paddle_umsft.runs.resuming import start_or_resume
from paddle_umsft.runs.shown import Harmless
from paddle_umsft.runs.stopping import stop_between_steps
from paddle_umsft.runs.watching import Callback, SceneRun


def fuse_watched(
    case: Case,
    given: Input,
    config: Config,
    folder: Path,
    log: logging.Logger,
    writer: Any,
    quiet: bool,
) -> FusionResult:
    """Fuse, going on from the folder's newest whole checkpoint if there is one.

    Args:
        case: The scene.
        given: The pair that the method is given of it.
        config: All settings.
        folder: The scene's.
        log: The run's.
        writer: Of curves, or None.
        quiet: No progress bar.

    Raises:
        CheckpointError: If that checkpoint belongs to something else.
        StoppedError: If the user stopped it; a checkpoint was saved first.
    """
    with surroundings(find_method(config.method)):
        return _fuse(case, given, config, folder, log, writer, quiet)


def _fuse(
    case: Case,
    given: Input,
    config: Config,
    folder: Path,
    log: logging.Logger,
    writer: Any,
    quiet: bool,
) -> FusionResult:
    started = start_or_resume(given.observation, config, folder, log)
    method = started.method
    for line in method.announce(resumed=started.resumed):
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

        callbacks.append(Harmless(VisualDl(writer), "curves"))
    bar = Progress(quiet)
    callbacks += [Checkpoints(), bar, ProgressLines(bar.clear)]
    callbacks.append(Harmless(LiveView(lambda: history.records), "picture in the notebook"))
    return callbacks


def _step_through(run: SceneRun, callbacks: list[Callback]) -> None:
    """Do all steps that are left; an interrupt is heard between two of them."""
    with stop_between_steps(run.log) as error_to_stop_with:
        for record in run.method.run():
            run.metrics = {}
            for callback in callbacks:
                callback.on_record(record, run)
            error = error_to_stop_with()
            if error is not None:
                saved = save_checkpoint(run.folder, run.method, run.config)
                run.log.info("interrupted; saved %s", saved)
                raise error("interrupted", where=run.folder)
