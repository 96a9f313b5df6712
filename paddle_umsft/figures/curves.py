"""How a run went: its losses, and PSNR where there was a truth to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from paddle_umsft.figures.style import PAGE, TITLE_SIZE, line, new_figure, styled
from paddle_umsft.metrics.figures import measure_of, title_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


# What is measured along the way, where there is a truth to look at.
_MEASURED = ("PSNR", "SAM")
_FEWEST_POINTS = 3  # of a line

# Plots beside each other, as parts of a page's width; inches high.
_PLOT_WIDTH = 0.4
_WIDEST = 1.4
_HEIGHT = 2.3

Points = tuple[list[int], list[float]]


def _points(
    history: Sequence[Mapping[str, Any]],
    name: str,
    stages: Sequence[str],
) -> Points:
    """Return place and value of every finite number of this name; a place counts all records of the run from 1."""
    places = []
    values = []
    for place, record in enumerate(history, start=1):
        value = record.get(name)
        if record.get("stage", "") not in stages:
            continue
        if isinstance(value, (int, float)) and np.isfinite(value):
            places.append(place)
            values.append(float(value))
    return places, values


def has_curves(history: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether any stage recorded its loss often enough to draw a line."""
    stages = [record.get("stage", "") for record in history if "loss" in record]
    counts = Counter(stages)
    return any(count >= _FEWEST_POINTS for count in counts.values())


def _stages_by_sign(history: Sequence[Mapping[str, Any]]) -> list[tuple[list[str], str]]:
    """Return the stages that share a plot, and its label: a loss that falls below zero gets a plot of its own."""
    above = []
    below = []
    for stage in _stages(history):
        _, losses = _points(history, "loss", [stage])
        if not losses:
            continue
        if min(losses) > 0:
            above.append(stage)
        else:
            below.append(stage)
    groups = []
    if above:
        groups.append((above, "loss"))
    if below == ["psf"]:
        unit = measure_of("PSNR").unit
        groups.append((below, f"loss (minus a PSNR, {unit})"))
    elif below:
        groups.append((below, "loss"))
    return groups


def _stages(history: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of all stages, in the order in which they were run."""
    return list(dict.fromkeys(record.get("stage", "") for record in history))


def curves(history: Sequence[Mapping[str, Any]], title: str = "") -> Figure:
    """Draw the loss of every stage, and PSNR and SAM along the way where they were measured.

    Args:
        history: Records of a run (`FusionResult.history`): `stage`, `loss`, and `PSNR`, `SAM` now and then.
        title: Above all.

    Returns:
        The figure.
    """
    stages = _stages(history)
    groups = _stages_by_sign(history)
    measured = {}
    for name in _MEASURED:
        steps, values = _points(history, name, stages)
        if steps:
            measured[name] = (steps, values)
    parts = max(len(groups) + len(measured), 1)
    # A stage keeps its colour in whichever plot it stands.
    colours = {stage: index for index, stage in enumerate(stages)}

    with styled():
        width = min(_PLOT_WIDTH * parts, _WIDEST)
        figure = new_figure(PAGE * width, _HEIGHT)
        (row,) = figure.subplots(1, parts, squeeze=False)
        places = list(row)
        loss_places = places[: len(groups)]
        measure_places = places[len(groups) :]
        for axes, (members, label) in zip(loss_places, groups):
            _draw_losses(axes, history, members, colours)
            _label(axes, label)
            axes.legend()
        for index, (axes, name) in enumerate(zip(measure_places, measured)):
            steps, values = measured[name]
            axes.plot(steps, values, **line(index))
            _label(axes, title_of(name))
        if title:
            figure.suptitle(title, fontsize=TITLE_SIZE)
    return figure


def _draw_losses(
    axes: Axes,
    history: Sequence[Mapping[str, Any]],
    stages: Sequence[str],
    colours: Mapping[str, int],
) -> None:
    """Draw the losses of stages that share a plot, by the number of each one's colour."""
    least = np.inf
    for stage in stages:
        steps, values = _points(history, "loss", [stage])
        look = line(colours[stage], len(values))
        axes.plot(steps, values, label=stage or "loss", **look)
        least = min(least, *values)
    if least > 0:
        _make_logarithmic(axes)


def _make_logarithmic(axes: Axes) -> None:
    """Make the ordinate logarithmic, with numbers at 1, 2 and 5: 0.2, 0.5 ... read easier than powers of ten."""
    from matplotlib.ticker import LogLocator

    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")


def _label(axes: Axes, label: str) -> None:
    """Label the axes, and draw a light grid."""
    axes.set_xlabel("step of the run")
    axes.set_ylabel(label)
    axes.grid(True, linewidth=0.3, alpha=0.4)
