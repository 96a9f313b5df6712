"""UMSFT on one scene with everything that watches it: resuming, progress, history, checkpoints, VisualDL."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable

import numpy as np

from paddle_umsft.config.run import Config
from paddle_umsft.data.scene import Case, FusionResult
from paddle_umsft.machine.environment import describe
from paddle_umsft.methods.networks.ops import active
from paddle_umsft.methods.networks.runtime import estimated_memory_mb
from paddle_umsft.methods.umsft.solver import Solver
from paddle_umsft.runs.callbacks import Callback, Checkpoints, Evaluation, History, Progress, SceneRun
from paddle_umsft.runs.checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint
from paddle_umsft.runs.run import Interrupted


def fuse_watched(
    case: Case, config: Config, folder: Path, log: logging.Logger, writer: Any, quiet: bool
) -> FusionResult:
    """Fuse, going on from the folder's newest checkpoint if there is one.

    Raises:
        CheckpointError: If that checkpoint is damaged or belongs to something else.
        Interrupted: If the user stopped it; a checkpoint was saved first.
    """
    checkpoint = latest_checkpoint(folder)
    solver = Solver(case.observation, config, weights=checkpoint is None)
    if checkpoint is not None:
        load_checkpoint(checkpoint, solver)
        log.info("resumed    %s", checkpoint)
    announce(solver, config, log)
    if checkpoint is None:
        announce_start(solver, config, log)
    run = SceneRun(case, config, folder, solver, log)
    history = History()
    callbacks: list[Callback] = [Evaluation(), history, Checkpoints(), Progress(quiet)]
    if writer is not None:
        from paddle_umsft.runs.visualdl_callback import VisualDl

        callbacks.insert(2, VisualDl(writer))
    for callback in callbacks:
        callback.on_start(run)
    try:
        with stop_between_steps(log) as asked_to_stop:
            for record in solver.run():
                for callback in callbacks:
                    callback.on_record(record, run)
                if asked_to_stop():
                    log.info("interrupted; saved %s", save_checkpoint(folder, solver, keep=config.output.keep))
                    raise Interrupted(str(folder))
    finally:
        for callback in callbacks:
            callback.on_end(run)
    result = solver.result(history.records)
    for band in np.flatnonzero(~np.asarray(result.srf).any(axis=1)):
        log.warning(
            "warning    the learned response of MSI band %d is zero everywhere, so that band was not used: "
            "give more warm_up.iterations, another seed, or the SRF (observe.known_srf)", band,
        )  # fmt: skip
    return result


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


def announce(solver: Solver, config: Config, log: logging.Logger) -> None:
    """Say on what machine, for how long and with how much memory."""
    stages = ", ".join(f"{stage.name} {stage.iterations}" for stage in solver.stages)
    seen, double = solver.observation, config.runtime.dtype == "float64"
    memory = estimated_memory_mb(*seen.shape, seen.bands, seen.msi_bands, double=double)
    log.info("device     %s; about %.1f GB of memory", solver.device, memory / 1024)
    if solver.device == "cpu":
        log.info("operators  %s", active())
        log.info("threads    %s", describe())
    log.info("steps      %s; seed %d", stages, config.seed)


def announce_start(solver: Solver, config: Config, log: logging.Logger) -> None:
    """Say where network and encoders start."""
    started = solver.model.started
    if started:
        log.info("start      %s: %s", config.network.weights, ", ".join(started))
    if "network" not in started:
        random = "random (no network.vgg_weights: published results start from ImageNet's VGG16-BN)"
        log.info("encoders   %s", config.network.vgg_weights or random)
