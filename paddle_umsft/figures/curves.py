"""How a run went: its losses, and PSNR where there was a truth to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from paddle_umsft.figures.style import PAGE, line, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _points(history: Sequence[Mapping[str, Any]], name: str, stages: Sequence[str]) -> tuple[list[int], list[float]]:
    """Place and value of every finite number of this name; a place counts all records of the run from 1."""
    places, values = [], []
    for place, record in enumerate(history, start=1):
        value = record.get(name)
        if record.get("stage", "") in stages and isinstance(value, (int, float)) and np.isfinite(value):
            places.append(place)
            values.append(float(value))
    return places, values


def has_curves(history: Sequence[Mapping[str, Any]]) -> bool:
    """Whether any stage recorded its loss often enough to draw a line."""
    stages = [record.get("stage", "") for record in history if "loss" in record]
    return any(stages.count(stage) >= 3 for stage in set(stages))


def _stages_by_sign(history: Sequence[Mapping[str, Any]]) -> list[tuple[list[str], str]]:
    """Stages that share a plot, and its label: a loss that falls below zero (minus a PSNR) gets one of its own."""
    stages = list(dict.fromkeys(record.get("stage", "") for record in history))
    known = {stage: _points(history, "loss", [stage])[1] for stage in stages}
    above = [stage for stage, values in known.items() if values and min(values) > 0]
    below = [stage for stage, values in known.items() if values and min(values) <= 0]
    groups = [(above, "loss")] if above else []
    return groups + ([(below, "loss (minus a PSNR, dB)" if below == ["psf"] else "loss")] if below else [])


def curves(history: Sequence[Mapping[str, Any]], title: str = "") -> Figure:
    """Loss of every stage, and PSNR and SAM along the way where they were measured.

    Args:
        history: Records of a run (`FusionResult.history`): `stage`, `loss`, and `PSNR`, `SAM` now and then.
        title: Above all.

    Returns:
        The figure.
    """
    stages = list(dict.fromkeys(record.get("stage", "") for record in history))
    measured = [name for name in ("PSNR", "SAM") if _points(history, name, stages)[0]]
    groups = _stages_by_sign(history)
    parts = max(len(groups) + len(measured), 1)
    colours = {stage: index for index, stage in enumerate(stages)}
    from matplotlib.ticker import LogLocator

    with styled():
        figure = new_figure(min(PAGE * 0.4 * parts, PAGE * 1.4), 2.3)
        places = list(figure.subplots(1, parts, squeeze=False)[0])
        for axes, (members, label) in zip(places, groups):
            for stage in members:
                steps, values = _points(history, "loss", [stage])
                axes.plot(steps, values, label=stage or "loss", **line(colours[stage], len(values)))
            if min(_points(history, "loss", members)[1]) > 0:
                axes.set_yscale("log")
                axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
                axes.yaxis.set_major_formatter("{x:g}")  # 0.2, 0.5 ... read easier than powers of ten
                axes.yaxis.set_minor_formatter("{x:g}")
            _label(axes, label)
            axes.legend()
        for index, (axes, name) in enumerate(zip(places[len(groups) :], measured)):
            axes.plot(*_points(history, name, stages), **line(index))
            _label(axes, "PSNR (dB)" if name == "PSNR" else "SAM (°)")
        if title:
            figure.suptitle(title, fontsize=9)
    return figure


def _label(axes: Axes, label: str) -> None:
    axes.set_xlabel("step of the run")
    axes.set_ylabel(label)
    axes.grid(True, linewidth=0.3, alpha=0.4)
