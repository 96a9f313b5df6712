"""Curves and picture of a running fusion, in the notebook that started it."""

from __future__ import annotations

import sys
from typing import Any, Callable

from paddle_umsft.data.records import Record
from paddle_umsft.runs.watching import Callback, SceneRun

# What a kernel's shell has and a terminal's has not.
KERNEL_APP = "IPKernelApp"


def in_notebook() -> bool:
    """Return whether this process is a notebook's kernel. IPython is not imported: there it is already."""
    ipython = sys.modules.get("IPython")
    if ipython is None:
        return False
    shell = ipython.get_ipython()
    return shell is not None and KERNEL_APP in getattr(shell, "config", {})


class LiveView(Callback):
    """Draws the curves so far and the picture at hand, each over the one before, where `output.live` asks for it.

    Args:
        records: Returns all records so far.
    """

    def __init__(self, records: Callable[[], list[Record]]) -> None:
        self._records = records
        self._places: list[Any] = []

    def on_record(self, record: Record, run: SceneRun) -> None:
        if not run.config.output.live or not run.is_due(record, run.config.evaluate.images):
            return
        if not in_notebook():
            return
        # Slow to import, and of use here alone.
        from IPython.display import display

        from paddle_umsft.figures import curves, overview

        title = f"{run.case.observation.name}: {record['stage']} {record['iteration']}"
        figures = [
            curves(self._records(), title=title),
            overview(run.case.observation, run.fused(), run.case.reference),
        ]
        if not self._places:
            self._places = [display(figure, display_id=True) for figure in figures]
            return
        for place, figure in zip(self._places, figures):
            place.update(figure)
