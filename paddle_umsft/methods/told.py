"""What each method is told of a configuration, and a plan of strips of a method: what rows of the table name."""

from __future__ import annotations

from dataclasses import dataclass

from paddle_umsft.config.ensemble import EnsembleInput
from paddle_umsft.config.run import Config
from paddle_umsft.config.subspace import SubspaceInput
from paddle_umsft.config.uhntc import UhntcInput
from paddle_umsft.config.umsft import UmsftInput

# HR pixels of the sample that the lengths of the solver's steps are found on, at most; smaller pictures whole. A pixel
# of an ensemble's rounds of refinement costs thirty times what it costs a single map: half as many.
SAMPLED = 2**20
SAMPLED_BY_ENSEMBLE = 2**19


def no_settings(config: Config) -> None:
    """Return nothing: the method has no settings."""


def umsft_input(config: Config) -> UmsftInput:
    """What UMSFT is told."""
    return UmsftInput(
        warm_up=config.warm_up,
        solver=config.solver,
        network=config.network,
        runtime=config.runtime,
    )


def uhntc_input(config: Config) -> UhntcInput:
    """What uHNTC is told."""
    return UhntcInput(uhntc=config.uhntc, runtime=config.runtime)


def subspace_input(config: Config) -> SubspaceInput:
    """What `subspace` is told."""
    return SubspaceInput(subspace=config.subspace, preparation=config.preparation)


def ensemble_input(config: Config) -> EnsembleInput:
    """What `ensemble` is told."""
    return EnsembleInput(
        ensemble=config.ensemble,
        subspace=config.subspace,
        preparation=config.preparation,
    )


@dataclass(frozen=True)
class StripFacts:
    """What a plan has to know of a method that works strip by strip.

    Attributes:
        max_rank: Channels that a strip leaves, at most.
        features: That a map is fitted on.
        sampled: HR pixels that the solver's steps are found on, at most.
        stages: How many times all strips are gone through, at most.
        is_refined: Whether the MSI's bands are regressed on, window by window.
    """

    max_rank: int
    features: int
    sampled: int
    stages: int = 1
    is_refined: bool = False


def subspace_strips(config: Config) -> StripFacts:
    """What a plan of strips has to know of `subspace`."""
    return StripFacts(
        max_rank=config.subspace.max_rank,
        features=config.subspace.map_features,
        sampled=SAMPLED,
    )


def ensemble_strips(config: Config) -> StripFacts:
    """What a plan of strips has to know of `ensemble`."""
    rounds = config.ensemble.refine_rounds
    return StripFacts(
        max_rank=max(config.ensemble.max_rank, config.subspace.max_rank),
        features=config.ensemble.features,
        sampled=SAMPLED_BY_ENSEMBLE,
        # The maps, the first agreement, one more after each refinement.
        stages=2 + rounds,
        is_refined=rounds > 0 and config.ensemble.refine_radius != 0,
    )
