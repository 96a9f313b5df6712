"""A sample of a scene whose grids do not tile each other: one block of its rows, a pair with a grid of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np

from paddle_umsft.cameras.placed import turned_with
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.methods.subspace.kept import recorded_rows
from paddle_umsft.methods.subspace.outcome import held_out_image
from paddle_umsft.methods.subspace.strips import StripSolver
from paddle_umsft.preparation.layout import covered_part
from paddle_umsft.trust.error_rows_apart import Apart

# LR rows of the block at least, if there are so many: what it cannot tell of its ends is the smaller part.
LEAST_ROWS = 24


@dataclass(frozen=True)
class Sample:
    """Blocks of rows from several places of a scene, one below the other.

    Attributes:
        pair: The pair there, with everything undone that was found.
        result: The result there, not judged yet.
        share: Of the scene.
    """

    pair: Observation
    result: FusionResult
    share: float


def result_rows(
    solver: StripSolver,
    read: Callable[[np.ndarray], np.ndarray],
    rows: np.ndarray,
) -> np.ndarray:
    """(n, W, C) of some rows of the result, which follow each other.

    Args:
        solver: All strips solved, what is left over known.
        read: HR rows as they are laid out -> their coefficients.
        rows: Counted from the first one of the result.
    """
    top, left, _, width = solver.area
    there = rows + top
    cube = solver.cube(read(there), int(there[0]), int(there[-1]) + 1)
    return cube[:, left : left + width]


def msi_rows(solver: StripSolver, rows: np.ndarray) -> np.ndarray:
    """(n, W, M) of the MSI under some rows of the result."""
    top, left, _, width = solver.area
    part = solver.ground.hr_msi[rows + top, left : left + width]
    return np.asarray(part * np.float32(solver.ground.level))


def result_on(
    solver: StripSolver,
    pair: Observation,
    fused: np.ndarray,
    psf: np.ndarray,
    *,
    degrade: Optional[Callable[[np.ndarray], np.ndarray]],
    held_out: np.ndarray,
) -> FusionResult:
    """A part of the result, not judged yet, with what is told of the whole.

    Args:
        solver: What was learned, and what was chosen on the way.
        pair: The pair there.
        fused: (n, W, C) there.
        psf: (k, k) in pixels of that MSI.
        degrade: What the LR-HSI there sees of a cube; None: what a plain grid does.
        held_out: (m, w, C) residuals at LR pixels left out.
    """
    return FusionResult(
        fused=fused,
        psf=psf,
        srf=solver.ground.degradations.srf,
        history=solver.history,
        method=solver.method,
        extras=solver.extras,
        notes=solver.notes,
        pair=pair,
        degrade=degrade,
        held_out=held_out,
    )


def apart_of(solver: StripSolver, observation: Observation) -> Apart:
    """The pair as its result covers it, and how it is laid out.

    Args:
        solver: What was learned of it.
        observation: The pair; its grid, masks and facts count.
    """
    top, left = solver.area[:2]
    return Apart(
        pair=covered_part(observation),
        operator=solver.ground.operator,
        shape=solver.shape,
        corner=(top, left),
    )


def sample_apart(
    solver: StripSolver,
    folder: Path,
    read: Callable[[np.ndarray], np.ndarray],
    observation: Observation,
    wanted: int,
) -> Sample:
    """Cut a block of rows out of the middle of a scene and its result.

    Args:
        solver: All strips solved, what is left over known.
        folder: Where what was learned is kept.
        read: HR rows as they are laid out -> their coefficients.
        observation: The pair; its grid, masks and facts count.
        wanted: LR rows.
    """
    ground = solver.ground
    apart = apart_of(solver, observation)
    lr_height = len(ground.lr_hsi)
    count = min(max(wanted, LEAST_ROWS), lr_height)
    first = (lr_height - count) // 2
    end = first + count
    lr_rows = np.arange(first, end)
    rows = np.arange(*apart.rows_under(first, end))
    pair = apart.pair_on(
        first,
        end,
        lr_hsi=recorded_rows(folder, lr_rows) * np.float32(ground.level),
        hr_msi=msi_rows(solver, rows),
    )
    held_out = held_out_image(ground, solver.left_out, solver.fitted, lr_rows)
    held_out[apart.sees_beyond(first, end)] = np.nan
    psf = ground.degradations.psf
    if ground.prepared.placement is not None:
        # In pixels of the MSI, no longer of the whole ratio.
        psf = turned_with(psf, ground.prepared.placement)
    result = result_on(
        solver,
        pair,
        result_rows(solver, read, rows),
        psf,
        degrade=apart.degrade_on(first, end),
        held_out=held_out,
    )
    return Sample(
        pair=pair,
        result=result,
        share=count / lr_height,
    )
