"""What `method: ensemble` learns of a pair once, before any strip of it is solved."""

from __future__ import annotations

from typing import Optional

import numpy as np

from paddle_umsft.config.ensemble import EnsembleInput
from paddle_umsft.data.records import OnRecord
from paddle_umsft.data.scene import Observation
from paddle_umsft.methods.subspace.ensemble import (
    HALF_BELIEVED,
    MEMBER_CAUTION,
    MEMBER_GAMMA,
    draw_members,
    feature_counts,
    member_stream,
    refine_radius,
    refine_ridge,
    surround_radius,
    trial_by_all_steps,
    with_larger_rank,
)
from paddle_umsft.methods.subspace.fitting import SpectralMap, fit_on
from paddle_umsft.methods.subspace.ground import Ground
from paddle_umsft.methods.subspace.learn import one_map_on
from paddle_umsft.methods.subspace.learn_parts import FitSample, Refining, empty_solver, find_rounds, find_shares
from paddle_umsft.methods.subspace.map_features import Features
from paddle_umsft.methods.subspace.method import SHARE_DIGITS, held_out_rmse, recorder
from paddle_umsft.methods.subspace.outcome import choices_on
from paddle_umsft.methods.subspace.stages import Refinement
from paddle_umsft.methods.subspace.strips import StripSolver
from paddle_umsft.methods.subspace.whole_picture import (
    inputs_of_rows,
    lay_large_ground,
    mean_and_energy,
    spreads_in,
)
from paddle_umsft.methods.told import SAMPLED_BY_ENSEMBLE

# LR pixels that the members are fitted on, at most: fifty for each weight of a member.
MOST_FITTED = 2**15


def learn(
    observation: Observation,
    settings: EnsembleInput,
    *,
    seed: int = 0,
    on_record: Optional[OnRecord] = None,
) -> StripSolver:
    """Learn everything about a pair that is learned once.

    Args:
        observation: The image pair, on grids that are not turned against each other.
        settings: The sections `ensemble`, `subspace` and `preparation`.
        seed: Draws length scales and features.
        on_record: Called with one dict per stage.

    Raises:
        DataError: The pair cannot be fused, or not by strips.
    """
    record, history = recorder(on_record)
    settings = with_larger_rank(settings)
    bands = observation.bands
    ground, statistics = lay_large_ground(observation, settings.subspace, settings.preparation)
    record("estimate", loss=ground.degradations.residual, rank=ground.rank)

    sample = FitSample(ground, statistics, MOST_FITTED)
    base, seen, left_out = one_map_on(sample, settings.subspace, seed)
    misfit = seen.missing - seen.blurred @ base.weights
    del seen
    base_error = held_out_rmse(left_out, bands)
    record("base", loss=base_error * ground.level)
    maps = [base]
    radius = surround_radius(int(ground.kept.sum()), settings.ensemble, ground.operator.scale)
    members = _Members(sample, settings, seed, radius)
    error = held_out_rmse(members.left_out, bands)
    kept = error <= base_error
    record("ensemble", loss=error * ground.level, kept=kept)
    if kept:
        maps, misfit, left_out = members.maps, members.misfit, members.left_out
    else:
        radius = None

    extras = choices_on(ground)
    solver = empty_solver(
        ground,
        statistics,
        maps,
        surround=radius,
        settings=settings.subspace,
        method="ensemble",
        left_out=left_out,
        fitted=sample.fitted,
        extras=extras,
        history=history,
    )
    refining = _refining(ground, settings, min(error, base_error))
    accepted, curve = find_rounds(solver, misfit.astype(np.float32), SAMPLED_BY_ENSEMBLE, refining)
    last = 0.0
    if curve:
        last = curve[-1]
    record("steps", loss=last, steps=sum(len(own.steps) for own in solver.rounds))
    for is_better in accepted:
        record("refine", loss=0.0, kept=is_better)
    extras["base_held_out_rmse"] = base_error * ground.level
    extras["ensemble_held_out_rmse"] = error * ground.level
    extras["ensemble_kept"] = kept
    extras["refined"] = sum(accepted)
    plain_share = find_shares(solver, trial_by_all_steps(settings, seed), HALF_BELIEVED)
    extras["plain_share"] = plain_share.round(SHARE_DIGITS).tolist()
    record("shares", loss=float(plain_share.mean()))
    return solver


class _Members:
    """The members' maps, fitted one after the other.

    Args:
        sample: The LR pixels that they are fitted on.
        settings: The section `ensemble` counts.
        seed: Draws length scales and features.
        surround: Radius of the neighbourhood, HR pixels; None: it does not count.

    Attributes:
        maps: Of each.
        left_out: (n, K) mean of their leave-one-out residuals.
        misfit: (n, K) float64 what their mean misses.
    """

    def __init__(
        self,
        sample: FitSample,
        settings: EnsembleInput,
        seed: int,
        surround: Optional[float],
    ) -> None:
        count = settings.ensemble.members
        drawn = draw_members(settings.ensemble, seed, surround=surround is not None)
        kernels = [kernel for pair in drawn for kernel in pair]
        spreads = spreads_in(sample.ground, sample.statistics, kernels, surround)
        first = np.arange(1)
        inputs = inputs_of_rows(sample.ground, sample.statistics, first, surround)
        self.maps: list[SpectralMap] = []
        self.left_out = np.zeros_like(sample.missing)
        self.misfit = sample.missing.copy()
        for number in range(count):
            stream = member_stream(seed, number)
            features = []
            for place, (kernel, features_of_it) in enumerate(zip(drawn[number], feature_counts(settings.ensemble))):
                spread = spreads[len(drawn[number]) * number + place]
                features.append(Features(inputs, kernel, features_of_it, stream, spread))
            seen = sample.seen_by(features, MEMBER_GAMMA, surround)
            weights, fit, axes = fit_on(seen, MEMBER_CAUTION)
            self.maps.append(SpectralMap(features, weights))
            self.left_out += fit.left_out @ axes.T / count
            self.misfit -= seen.blurred @ (weights / np.float32(count))


def _refining(
    ground: Ground,
    settings: EnsembleInput,
    limit: float,
) -> Optional[Refining]:
    """What rounds of refinement are tried; None: none are asked for."""
    radius = refine_radius(settings.ensemble, ground.operator.scale)
    if radius == 0 or settings.ensemble.refine_rounds == 0:
        return None
    centre, energy = mean_and_energy(ground)
    refinement = Refinement(
        radius=radius,
        ridge=refine_ridge(energy, ground.msi_noise),
        centre=centre,
    )
    return Refining(
        refinement=refinement,
        rounds=settings.ensemble.refine_rounds,
        limit=limit,
    )
