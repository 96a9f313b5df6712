"""What `method: subspace` learns of a pair once, before any strip of it is solved."""

from __future__ import annotations

from typing import Optional

import numpy as np

from paddle_umsft.config.subspace import SubspaceInput, SubspaceSettings
from paddle_umsft.data.records import OnRecord
from paddle_umsft.data.scene import Observation
from paddle_umsft.machine.memory import give_back
from paddle_umsft.methods.subspace.fitting import SINGLE_GAMMA, FittedOn, SpectralMap, fit_on
from paddle_umsft.methods.subspace.ground import Ground
from paddle_umsft.methods.subspace.learn_parts import FitSample, empty_solver, find_rounds, find_shares
from paddle_umsft.methods.subspace.map_features import Features, Kernel
from paddle_umsft.methods.subspace.method import SHARE_DIGITS, held_out_rmse, recorder, single_map
from paddle_umsft.methods.subspace.outcome import choices_on
from paddle_umsft.methods.subspace.spectral_map import SINGLE_CAUTION
from paddle_umsft.methods.subspace.strips import StripSolver
from paddle_umsft.methods.subspace.whole_picture import Statistics, lay_large_ground, spreads_in
from paddle_umsft.methods.told import SAMPLED

# LR pixels that the map is fitted on, at most: some hundred for each of its weights.
MOST_FITTED = 2**16


def learn(
    observation: Observation,
    settings: SubspaceInput,
    *,
    seed: int = 0,
    on_record: Optional[OnRecord] = None,
) -> StripSolver:
    """Learn everything about a pair that is learned once.

    Args:
        observation: The image pair, on grids that are not turned against each other.
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

    sample = FitSample(ground, statistics, MOST_FITTED)
    single, seen, left_out = one_map_on(sample, subspace, seed)
    extras = choices_on(ground)
    extras["held_out_rmse"] = held_out_rmse(left_out, observation.bands) * ground.level
    record("map", loss=extras["held_out_rmse"])

    misfit = (seen.missing - seen.blurred @ single.weights).astype(np.float32)
    solver = empty_solver(
        ground,
        statistics,
        [single],
        settings=subspace,
        method="subspace",
        left_out=left_out,
        fitted=sample.fitted,
        extras=extras,
        history=history,
    )
    del seen
    give_back()
    _, curve = find_rounds(solver, misfit, SAMPLED)
    last = 0.0
    if curve:
        last = curve[-1]
    record("steps", loss=last, steps=len(curve))
    plain_share = find_shares(solver, single_map(subspace, seed))
    extras["plain_share"] = plain_share.round(SHARE_DIGITS).tolist()
    record("shares", loss=float(plain_share.mean()))
    return solver


def one_map_on(
    sample: FitSample,
    settings: SubspaceSettings,
    seed: int,
) -> tuple[SpectralMap, FittedOn, np.ndarray]:
    """Learn a single map, of one kernel, as `method.one_map` does of a whole picture.

    Args:
        sample: The LR pixels that it is fitted on.
        settings: Number of features; one at least.
        seed: Draws them.

    Returns:
        The map, what it was fitted on, and its (n, K) leave-one-out residuals there.
    """
    features = _features(sample.ground, sample.statistics, settings, seed)
    seen = sample.seen_by([features], SINGLE_GAMMA)
    weights, fit, axes = fit_on(seen, SINGLE_CAUTION)
    return SpectralMap([features], weights), seen, fit.left_out @ axes.T


def _features(
    ground: Ground,
    statistics: Statistics,
    settings: SubspaceSettings,
    seed: int,
) -> Features:
    """Features of the map, on the first row for now."""
    first = np.arange(1)
    kernel = Kernel()
    return Features(
        statistics.inputs_of(ground.hr_msi[first], first),
        kernel,
        max(settings.map_features, 1),
        np.random.default_rng(seed),
        spreads_in(ground, statistics, [kernel])[0],
    )
