"""Before a large scene is fused by a baseline: whether both images fit, and how many rows of the result at a time."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from paddle_umsft.config.run import Config
from paddle_umsft.data.scene import Observation
from paddle_umsft.errors import DataError
from paddle_umsft.machine.memory import in_words
from paddle_umsft.methods.table import Method, find_method
from paddle_umsft.runs.strip_plan import (
    FLOAT,
    PROGRAM,
    StripPlan,
    memory_of,
    plan_lines,
    plan_strips,
    results_of,
)

# Images of the MSI while PSFs are compared, and of the LR-HSI while it is regressed, in float64.
HELD_MSI = 5.0
HELD_LR = 12.0


def solving_of(method: Method) -> Any:
    """Return what a method brings to scenes that are worked on strip by strip.

    Args:
        method: One that can.
    """
    assert method.by_strips is not None
    module, _, name = method.by_strips.partition(":")
    found = import_module(module)
    if not name:
        return found
    return getattr(found, name)


def plan_pieces(observation: Observation, config: Config) -> StripPlan:
    """Cut a scene into strips that fit into memory, or for a baseline find that it fits.

    Raises:
        DataError: It does not.
    """
    if find_method(config.method).is_baseline:
        return _plan_rows(observation, config)
    return plan_strips(observation, config)


def lines_of(
    observation: Observation,
    plan: StripPlan,
    folder: Path,
    config: Config,
) -> list[str]:
    """Say what will be done."""
    lines = plan_lines(observation, plan, folder)
    if find_method(config.method).is_baseline:
        lines[-1] = f"plan       row by row, about {in_words(plan.expected)}; on the disk about {in_words(plan.disk)}"
    return lines


def _plan_rows(observation: Observation, config: Config) -> StripPlan:
    """All rows at one go as far as work is shared: any row of a baseline's cube is made when it is written."""
    memory = memory_of(config)
    assert memory is not None
    height, width = observation.shape
    lr_height, lr_width = observation.lr_hsi.shape[:2]
    held = FLOAT * HELD_MSI * observation.msi_bands * height * width
    held += FLOAT * HELD_LR * observation.bands * lr_height * lr_width
    held += PROGRAM
    if observation.grid is not None or held > memory:
        hint = f"runtime.memory={in_words(1.05 * held).replace(' ', '')} or more, or cut the files"
        if observation.grid is not None:
            hint = "fast.yml and best.yml go by strips on any that are not turned; resample the MSI to the HSI's "
            hint += "ground, or runtime.memory=..., a machine with more"
        raise DataError(
            "does not fit into memory, not even row by row",
            where=f"{observation.name}: {height}x{width}, {observation.bands} bands",
            expected=f"about {in_words(held)}, and grids that lie on each other",
            got=in_words(memory),
            hint=hint,
        )
    images = observation.msi_bands * height * width + observation.bands * lr_height * lr_width
    return StripPlan(
        rows=lr_height,
        count=1,
        memory=memory,
        expected=int(held),
        disk=FLOAT * (results_of(observation, config) + images),
    )
