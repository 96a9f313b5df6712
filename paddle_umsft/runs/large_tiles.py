"""A scene trained tile by tile whose cube is too large to be held: blended and written as its rows are made."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional, TypeVar

import numpy as np

from paddle_umsft.config.run import Config
from paddle_umsft.data.masks import valid_pixels
from paddle_umsft.data.scene import Observation
from paddle_umsft.errors import DataError
from paddle_umsft.methods.baselines.by_rows import ByRows, Learned, RowSolver
from paddle_umsft.methods.networks.blend_tiles import blended_rows
from paddle_umsft.methods.networks.tile_plan import TilePlan
from paddle_umsft.methods.table import Input
from paddle_umsft.runs.handed import Handed
from paddle_umsft.runs.large_rows import Output, Rows, write_rows
from paddle_umsft.runs.large_scene import LargeResult, as_examined, judged_sample
from paddle_umsft.runs.overview import Overview
from paddle_umsft.runs.tiles import Trained, fuse_by_tiles
from paddle_umsft.runs.writers.by_rows import check_by_rows
from paddle_umsft.trust.error_rows import ErrorRows

Finished = TypeVar("Finished")


def fuse_large_by_tiles(
    given: Input,
    plan: TilePlan,
    handed: Handed,
    config: Config,
    work: Path,
    outputs: Sequence[Output],
    *,
    facts: dict[str, Any],
    history: str,
    finish: Callable[[LargeResult], Finished],
    first_share: float = 0.0,
    say: Callable[[str], None],
) -> Optional[Finished]:
    """Fuse a scene tile by tile and write it row by row.

    Args:
        given: The pair that the method is given.
        plan: The tiles.
        handed: The pair as it came. This and all that follows is what `fuse_large` takes.
        config: All settings.
        work: Folder of its own for what is on the way.
        outputs: What is asked for.
        facts: What tells the pair from another one.
        history: How the result was made, for its file.
        finish: Called once all is written, while no other process may write.
        first_share: Where among the tiles to begin, between 0 and 1.
        say: Is told how far it is.

    Returns:
        What `finish` returns; None: another process has written it.

    Raises:
        DataError: It cannot be fused, or its images lie askew.
    """
    started = time.perf_counter()
    observation = handed.pair
    for output in outputs:
        check_by_rows(output.format)
    if given.back is not None:
        raise DataError(
            "its images lie askew, and that cannot be undone row by row",
            where=observation.name,
            hint="a larger runtime.memory, or preparation.for_all=false",
        )

    def write(done: Trained) -> Finished:
        solver = _solver(done)
        valid = valid_pixels(observation)
        overview = Overview(observation)
        memory = done.plan.memory
        rows = Rows(solver, _nothing, memory, overview, clip=given.clip)
        write_rows(rows, observation, outputs, valid, history)
        by_rows = ByRows(done.method, _learned_already, solver.make_rows)
        sample = by_rows.sample_of(solver, work, _nothing, observation, memory)
        result = done.with_cube(sample.result.fused)
        result = replace(
            result,
            pair=sample.pair,
            degrade=sample.result.degrade,
        )
        seconds = time.perf_counter() - started
        pieces = ("tiles", done.plan.count)
        judged, levels = judged_sample(replace(sample, result=result), rows, given, pieces, seconds)
        scene = by_rows.scene_rows(solver, work, _nothing, observation, clip=given.clip)
        made = LargeResult(
            sample=judged,
            pair=sample.pair,
            whole=observation,
            valid=valid,
            overview=overview,
            seconds=seconds,
            errors=ErrorRows(as_examined(scene, given), levels),
            memory=memory,
        )
        return finish(made)

    return fuse_by_tiles(
        given,
        plan,
        config,
        work,
        facts=facts,
        write=write,
        first_share=first_share,
        say=say,
    )


def _solver(done: Trained) -> RowSolver:
    """Makes rows by blending tiles."""
    grid = done.plan.grid

    def make_rows(
        learned: Learned,
        lr_hsi: np.ndarray,
        hr_msi: np.ndarray,
        scale: int,
        rows: Optional[np.ndarray],
    ) -> np.ndarray:
        assert rows is not None
        return blended_rows(grid, done.tiles.read, int(rows[0]), int(rows[-1]) + 1)

    seen = done.observation
    border = done.with_cube(np.zeros((0, 0, 0))).extras.get("border", "wrap")
    return RowSolver(
        Learned({}, done.cameras.psf, border),
        seen.lr_hsi,
        seen.hr_msi,
        seen.scale,
        make_rows,
    )


def _nothing(rows: np.ndarray) -> np.ndarray:
    """Of a pixel nothing is kept but what is in the tiles."""
    return np.zeros(0)


def _learned_already(observation: Observation) -> Learned:
    raise AssertionError("what there is to learn was learned before the tiles")
