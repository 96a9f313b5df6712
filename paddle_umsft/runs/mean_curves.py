"""Means over the scenes of a run for VisualDL: curves beside those of the scenes, and a row of the hyper-parameters."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from paddle_umsft.config.run import Config
from paddle_umsft.data.natural import natural
from paddle_umsft.data.records import Record
from paddle_umsft.machine.plain_files import is_plain
from paddle_umsft.runs.folder import HISTORY, finished_scenes
from paddle_umsft.runs.history_rows import read_rows
from paddle_umsft.runs.log_names import named
from paddle_umsft.runs.summary import mean_row, scene_rows
from paddle_umsft.runs.visualdl import RESULT_METRICS, add_hparams, new_writer

# Not a number, as the folders of starts are: there is one mean, and the panel shows the newest file of a folder.
MEAN_LOG = Path("vdl") / "mean"

# Value by iteration.
Curve = dict[int, float]


def write_mean_curves(
    folder: Path,
    config: Config,
    log: logging.Logger,
) -> None:
    """Write the log of means of a run with several finished scenes; there is none over several methods or conventions.

    Args:
        folder: The run's.
        config: All settings.
        log: Is told what cannot be read.
    """
    finished = finished_scenes(folder)
    mean = mean_row(scene_rows(finished))
    if len(finished) < 2 or mean is None:
        return
    # 2 before 10.
    names = sorted(finished, key=natural)
    scenes = [finished[name] for name in names]
    histories = [_history(folder / name, log) for name in names]
    writer = new_writer(folder / MEAN_LOG, named("mean", folder.name, MEAN_LOG))
    if writer is None:
        return
    try:
        _add_curves(writer, histories, list(mean))
        _add_scenes(writer, scenes)
        add_hparams(
            writer,
            config,
            scene=f"mean of {len(names)}",
            scale=_said_of_all(scenes, "scale"),
            bands=_said_of_all(scenes, "bands"),
            metrics=mean,
        )
    finally:
        writer.close()


def _history(scene: Path, log: logging.Logger) -> list[Record]:
    """Return the records of a scene; none where it kept none."""
    path = scene / HISTORY
    if not is_plain(path):
        return []
    return read_rows(path, log)


def _add_curves(
    writer: Any,
    histories: Sequence[Sequence[Record]],
    figures: Sequence[str],
) -> None:
    """Log the mean loss and figures over the iterations, under the tags that each scene has them under."""
    main = [_main_steps(history) for history in histories]
    tags = {name: f"Evaluate/{name}" for name in figures}
    tags["loss"] = "Train/loss"
    for name, tag in tags.items():
        curves = [_curve(records, name) for records in main]
        mean = mean_curve(curves)
        for iteration, value in mean.items():
            writer.add_scalar(
                tag=tag,
                step=iteration,
                value=value,
            )


def _main_steps(history: Sequence[Record]) -> list[Record]:
    """Return the records of the fusion itself; a method that is not watched step by step has none.

    Steps count on over all stages and iterations start anew with each, so that the two keep their distance to the end
    of the last one, which is the fusion.
    """
    steps = [record for record in history if "step" in record and "iteration" in record]
    if not steps:
        return []
    distance = steps[-1]["step"] - steps[-1]["iteration"]
    return [record for record in steps if record["step"] - record["iteration"] == distance]


def _curve(records: Sequence[Record], name: str) -> Curve:
    """Return the finite numbers of this name by their iteration."""
    curve = {}
    for record in records:
        value = record.get(name)
        if isinstance(value, (int, float)) and np.isfinite(value):
            curve[int(record["iteration"])] = float(value)
    return curve


def mean_curve(curves: Sequence[Curve]) -> Curve:
    """Return the mean at every iteration at which all curves have a value: one that leaves a scene out would jump."""
    common = set(curves[0])
    for curve in curves[1:]:
        common &= set(curve)
    mean = {}
    for iteration in sorted(common):
        values = [curve[iteration] for curve in curves]
        mean[iteration] = float(np.mean(values))
    return mean


def _add_scenes(writer: Any, scenes: Sequence[Mapping[str, Any]]) -> None:
    """Log the figures of each scene over its number in the run, from 1: what the mean is made of."""
    for number, metrics in enumerate(scenes, start=1):
        figures = metrics.get("fused") or {}
        for name in RESULT_METRICS:
            value = figures.get(name)
            if value is None:
                continue
            writer.add_scalar(
                tag=f"Scenes/{name}",
                step=number,
                value=float(value),
            )


def _said_of_all(scenes: Sequence[Mapping[str, Any]], name: str) -> str:
    """Return what all scenes have under a name, in words; several values where they differ."""
    values = {str(metrics.get(name, "")) for metrics in scenes}
    return ", ".join(sorted(values, key=natural))
