"""A sample of a scene that is worked on strip by strip, with what a judge of the result has to know of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Optional

import numpy as np

from paddle_umsft.cameras.row_blocks import degrade_blocks, hr_rows_on, pair_on_rows, sees_beyond, windows_on
from paddle_umsft.data.scene import Observation
from paddle_umsft.methods.subspace.ground import Ground
from paddle_umsft.methods.subspace.kept import recorded_rows
from paddle_umsft.methods.subspace.learn_parts import LEAST_BLOCK, blocks_of_rows
from paddle_umsft.methods.subspace.outcome import MOSTLY_INSIDE, held_out_image
from paddle_umsft.methods.subspace.sample_apart import (
    Sample,
    apart_of,
    msi_rows,
    result_on,
    result_rows,
    sample_apart,
)
from paddle_umsft.methods.subspace.strips import StripSolver
from paddle_umsft.trust.error_rows import SceneRows, cube_of_runs
from paddle_umsft.trust.error_rows_apart import SceneApart

# Values of a sample's cube at most: 128 MB of float32.
MOST_VALUES = 2**25
# Memory that each of them takes: four for the value, and some more while it is judged.
BYTES_OF_VALUE = 30
# Where the grids do not tile each other, of the cube on the HSI's ground and of what is told of it besides.
BYTES_ON_GROUND = 15
# The program, and images that are held by then, of float32: what is left of the memory is the sample's, and at least a
# third of all.
PROGRAM = 250 * 2**20
HELD_MSI = 2
HELD_LR = 4
LEAST_SHARE = 3
FLOAT = 4
# Its HR pixels at most: so many tell as much of a scene as all of them.
MOST_PIXELS = 2**20


def sample_of(
    solver: StripSolver,
    folder: Path,
    read: Callable[[np.ndarray], np.ndarray],
    observation: Observation,
    memory: int,
) -> Sample:
    """Cut a sample out of a scene and its result; a small scene is its own sample.

    Args:
        solver: All strips solved, what is left over known.
        folder: Where what was learned is kept.
        read: HR rows -> their coefficients.
        observation: The pair, for its facts.
        memory: Bytes that the run may take: a judge needs some of them for every value of the sample.
    """
    ground = solver.ground
    scale = solver.scale
    height, width = solver.shape
    lr_height = height // scale
    held = PROGRAM + FLOAT * (HELD_MSI * ground.hr_msi.size + HELD_LR * ground.lr_hsi.size)
    left = max(memory - held, memory // LEAST_SHARE)
    taken = BYTES_OF_VALUE
    if observation.grid is not None:
        taken += BYTES_ON_GROUND
    values = min(MOST_VALUES, left // taken)
    pixels = min(MOST_PIXELS, values // solver.bands)
    wanted = lr_height
    if height * width > pixels:
        wanted = pixels // (width * scale)
    if observation.grid is not None:
        return sample_apart(solver, folder, read, observation, wanted)
    blocks = blocks_of_rows(lr_height, wanted, lr_height, LEAST_BLOCK + rows_aside(ground))
    lr_rows = np.concatenate([np.arange(*block) for block in blocks])
    hr_rows = hr_rows_on(lr_rows, scale)
    windows = windows_on(blocks, scale, solver.shape)
    cubes = []
    for window in windows:
        top, bottom = int(window.hr_rows[0]), int(window.hr_rows[-1]) + 1
        cubes.append(solver.cube(read(window.hr_rows), top, bottom))

    held_out = held_out_image(ground, solver.left_out, solver.fitted, lr_rows)
    held_out[sees_beyond(ground.operator, windows)] = np.nan

    # The whole picture is its own sample, with the border that it has.
    sees: Optional[Callable[[np.ndarray], np.ndarray]] = None
    if ground.prepared.placement is not None:
        sees = ground.operator.forward
    if len(lr_rows) < lr_height:
        sees = degrade_blocks(ground.operator, windows)
    level = np.float32(ground.level)
    pair = pair_on_rows(
        observation,
        lr_rows,
        lr_hsi=recorded_rows(folder, lr_rows) * level,
        hr_msi=ground.hr_msi[hr_rows] * level,
    )
    result = result_on(
        solver,
        pair,
        np.concatenate(cubes),
        ground.degradations.psf,
        degrade=sees,
        held_out=held_out,
    )
    prepared = ground.prepared
    if prepared.doubted is not None:
        result = replace(result, doubted=prepared.doubted[hr_rows])
    if prepared.unsure_light is not None:
        result = replace(result, unsure_light=prepared.unsure_light[hr_rows])
    return Sample(
        pair=pair,
        result=result,
        share=len(lr_rows) / lr_height,
    )


def rows_aside(ground: Ground) -> int:
    """LR rows that lie on HR rows of other ones because the images are shifted: a sample's blocks lose so many."""
    placement = ground.prepared.placement
    if placement is None:
        return 0
    return int(np.ceil(np.abs(placement.shift[0]) / placement.scale))


def scene_rows(
    solver: StripSolver,
    folder: Path,
    read: Callable[[np.ndarray], np.ndarray],
    observation: Observation,
    *,
    clip: bool,
) -> SceneRows:
    """Return pair and result for whoever asks for rows of them.

    Args:
        solver: All strips solved, what is left over known.
        folder: Where what was learned is kept.
        read: HR rows -> their coefficients.
        observation: The pair, for its masks.
        clip: Whether values below zero are cut off.
    """
    ground = solver.ground
    level = np.float32(ground.level)
    counts = solver.fitted.sum(axis=1)
    begin = np.concatenate([[0], np.cumsum(counts)])

    def fused(run: np.ndarray) -> np.ndarray:
        return solver.cube(read(run), int(run[0]), int(run[-1]) + 1)

    def held_out(lr_rows: np.ndarray) -> np.ndarray:
        image = np.full((len(lr_rows), *ground.lr_hsi.shape[1:]), np.nan, dtype=np.float32)
        known = solver.left_out[begin[lr_rows[0]] : begin[lr_rows[-1] + 1]]
        image[solver.fitted[lr_rows]] = ground.level * (known @ ground.basis.T)
        image[ground.inside[lr_rows] < MOSTLY_INSIDE] = np.nan
        return image

    if observation.grid is not None:
        return SceneApart(
            operator=ground.operator,
            shape=solver.shape,
            fused=lambda rows: cube_of_runs(partial(result_rows, solver, read), rows, clip=clip),
            hr_msi=lambda rows: msi_rows(solver, rows),
            lr_hsi=lambda lr_rows: recorded_rows(folder, lr_rows) * level,
            held_out=held_out,
            trusted=ground.kept,
            apart=apart_of(solver, observation),
        )
    trusted = ground.kept
    if observation.mask_hsi is not None:
        trusted = trusted & observation.mask_hsi
    doubted = ground.prepared.doubted
    if doubted is None and observation.mask_msi is not None:
        doubted = (~observation.mask_msi).astype(np.float32)
    return SceneRows(
        operator=ground.operator,
        shape=solver.shape,
        fused=lambda rows: cube_of_runs(fused, rows, clip=clip),
        hr_msi=lambda rows: ground.hr_msi[rows] * level,
        lr_hsi=lambda lr_rows: recorded_rows(folder, lr_rows) * level,
        held_out=held_out,
        trusted=trusted,
        doubted=doubted,
        unsure_light=ground.prepared.unsure_light,
    )
