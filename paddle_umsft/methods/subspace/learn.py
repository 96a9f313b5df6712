"""What is learned of a pair once, on LR pixels or on a sample of the picture, before any strip of it is solved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import numpy as np

from paddle_umsft.cameras.windows import window_around, window_below
from paddle_umsft.config.subspace import SubspaceInput, SubspaceSettings
from paddle_umsft.data.records import OnRecord
from paddle_umsft.data.scene import Observation
from paddle_umsft.methods.subspace.blend import find_blend
from paddle_umsft.methods.subspace.ground import Ground, fit_weights
from paddle_umsft.methods.subspace.map_features import Features, Kernel
from paddle_umsft.methods.subspace.method import (
    SHARE_DIGITS,
    SINGLE_GAMMA,
    FittedOn,
    fit_on,
    held_out_rmse,
    image_weights,
    linear_coeffs,
    problem_of,
    recorder,
    single_map,
    to_fit_on,
)
from paddle_umsft.methods.subspace.outcome import choices_on
from paddle_umsft.methods.subspace.spectral_map import SINGLE_CAUTION
from paddle_umsft.methods.subspace.stack import own_shares, plain_of
from paddle_umsft.methods.subspace.steps import Step, find_steps
from paddle_umsft.methods.subspace.strips import StripSolver, edges_in, window_of
from paddle_umsft.methods.subspace.whole_picture import Statistics, lay_large_ground

# HR pixels of the sample that the lengths of the solver's steps are found on, at most; smaller pictures whole.
MOST_SOLVED = 2**20
# LR pixels that the map is fitted on, at most: some hundred for each of its weights.
MOST_FITTED = 2**16
# A sample is taken in so many places at most, evenly spread from top to bottom, and in so many LR rows each at least:
# fewer have no inner ones, all of whose neighbours are there, too.
PLACES = 8
LEAST_BLOCK = 12
# HR pixels of a block of rows whose features are seen at a time: a picture that is looked at as a whole is one block.
BLOCK_PIXELS = 2**20


def blocks_of_rows(
    count: int,
    wanted: int,
    longest: int,
) -> list[tuple[int, int]]:
    """Half-open ranges of LR rows: all of them, or a sample from evenly spread places.

    Args:
        count: h.
        wanted: How many rows are wanted in all.
        longest: Rows of one range at most.
    """
    places = [(0, count)]
    wanted = max(wanted, LEAST_BLOCK)
    if wanted < count:
        number = min(PLACES, wanted // LEAST_BLOCK)
        each = wanted // number
        firsts = np.linspace(0, count - each, number).astype(int)
        places = [(int(first), int(first) + each) for first in np.unique(firsts)]
    ranges = []
    for first, end in places:
        for top in range(first, end, longest):
            ranges.append((top, min(top + longest, end)))
    return ranges


def learn(
    observation: Observation,
    settings: SubspaceInput,
    *,
    seed: int = 0,
    on_record: Optional[OnRecord] = None,
) -> StripSolver:
    """Learn everything about a pair that is learned once.

    Args:
        observation: The image pair, on grids that tile each other.
        settings: The sections `subspace` and `preparation`.
        seed: Draws the random features.
        on_record: Called with one dict per stage.

    Raises:
        DataError: The pair cannot be fused, or not by strips.
    """
    record, history = recorder(on_record)
    subspace = settings.subspace
    ground, statistics = lay_large_ground(observation, subspace, settings.preparation)
    record("estimate", loss=ground.degradations.residual, rank=ground.rank)

    features = _features(ground, statistics, subspace, seed)
    fitted, seen = _seen(ground, statistics, features)
    weights, fit, axes = fit_on(seen, SINGLE_CAUTION)
    left_out = fit.left_out @ axes.T
    extras = choices_on(ground)
    extras["held_out_rmse"] = held_out_rmse(left_out, observation.bands) * ground.level
    record("map", loss=extras["held_out_rmse"])

    misfit = (seen.missing - seen.blurred @ weights).astype(np.float32)
    solver = StripSolver(
        ground=ground,
        statistics=statistics,
        settings=subspace,
        features=features,
        weights=weights,
        image_weights=image_weights(ground, misfit),
        steps=[],
        blend=None,
        share=np.ones(observation.bands),
        plain=None,
        left_out=left_out,
        fitted=fitted,
        extras=extras,
        history=history,
    )
    del seen
    solver.steps, curve = _steps(solver)
    last = 0.0
    if curve:
        last = curve[-1]
    record("steps", loss=last, steps=len(curve))
    if subspace.blend:
        band_left_out = left_out @ ground.basis.T  # (n, C)
        trust = fit_weights(ground)
        solver.blend = find_blend(ground.lr_hsi, ground.hr_msi, ground.operator, band_left_out, trust, fitted)
    plain_share = np.zeros(observation.bands)
    if subspace.stack:
        solver.share = own_shares(ground, single_map(subspace, seed))
        plain_share = 1.0 - solver.share
    if np.any(plain_share):
        solver.plain = plain_of(ground, fitted)
    extras["plain_share"] = plain_share.round(SHARE_DIGITS).tolist()
    record("shares", loss=float(plain_share.mean()))
    return solver


def _features(
    ground: Ground,
    statistics: Statistics,
    settings: SubspaceSettings,
    seed: int,
) -> Features:
    """Features of the map, on the first row for now."""
    first = np.arange(1)
    return Features(
        statistics.inputs_of(ground.hr_msi[first], first),
        Kernel(),
        max(settings.map_features, 1),
        np.random.default_rng(seed),
        statistics.spreads,
    )


def _seen(
    ground: Ground,
    statistics: Statistics,
    features: Features,
) -> tuple[np.ndarray, FittedOn]:
    """LR pixels that the map is fitted on, (h, w), and what they say."""
    height, width = ground.lr_hsi.shape[:2]
    shape = (ground.hr_msi.shape[0], ground.hr_msi.shape[1])
    longest = max(1, BLOCK_PIXELS // (shape[1] * ground.operator.scale))
    wanted = min(height, MOST_FITTED // width)
    fitted = np.zeros((height, width), dtype=bool)
    parts = []
    for rows in blocks_of_rows(height, wanted, longest):
        window = window_below(ground.operator, shape, rows)
        part = window_of(ground, window, statistics)
        parts.append(to_fit_on(part, linear_coeffs(part), [features.on(part.inputs)], SINGLE_GAMMA))
        fitted[slice(*rows)] = ground.kept[slice(*rows)]
    return fitted, FittedOn(
        missing=np.concatenate([part.missing for part in parts]),
        blurred=np.concatenate([part.blurred for part in parts]),
        trust=np.concatenate([part.trust for part in parts]),
    )


def _steps(solver: StripSolver) -> tuple[list[Step], Sequence[float]]:
    """Solve a sample of the picture: its steps are those of all strips."""
    ground = solver.ground
    height = ground.lr_hsi.shape[0]
    shape = solver.shape
    wanted = height
    if shape[0] * shape[1] > MOST_SOLVED:
        wanted = MOST_SOLVED // (shape[1] * solver.scale)
    problems = []
    for rows in blocks_of_rows(height, wanted, height):
        window = window_below(ground.operator, shape, rows)
        if rows == (0, height):
            # HR rows that no LR row sees belong to the picture, too.
            window = window_around(ground.operator, shape, (0, shape[0]), 0)
        part = window_of(ground, window, solver.statistics)
        edges = edges_in(part, window, solver.settings, solver.statistics)
        prior = solver.prior(part)
        problems.append(problem_of(part, prior, solver.settings, weights=solver.image_weights, edges=edges))
    return find_steps(problems, solver.settings.iterations)
