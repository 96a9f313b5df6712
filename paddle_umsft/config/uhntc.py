"""Configuration section of uHNTC: `uhntc`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Optional

from pydantic import Field, field_validator

from paddle_umsft.config.base import Section
from paddle_umsft.config.runtime import RuntimeConfig
from paddle_umsft.config.umsft import StepRate, WarmUpConfig

Term = Literal["hsi", "msi", "subspace", "degradation", "perceptual", "band_difference"]
Moved = Literal["network", "psf", "srf"]


class PhaseConfig(Section):
    """A run of equal steps of the fusion.

    Attributes:
        name: Name in records and logs.
        iterations: How many steps.
        weights: Weight of each term of the loss: hsi and msi (L1 of either image), subspace and degradation (both
            losses of step 3), perceptual, band_difference. What is not named is left out.
        moves: Which optimisers step: network, psf, srf. What is known has nothing to move.
    """

    name: str = Field(min_length=1)
    iterations: int = Field(ge=0)
    weights: dict[Term, float]
    moves: list[Moved]

    @field_validator("weights")
    @classmethod
    def _something_to_minimise(cls, value: dict[Term, float]) -> dict[Term, float]:
        if not value or min(value.values()) < 0:
            raise ValueError("must name one term at least, and no weight below 0")
        return value

    @field_validator("moves")
    @classmethod
    def _network_among_them(cls, value: list[Moved]) -> list[Moved]:
        if "network" not in value:
            raise ValueError("must have network among them")
        return value


def published_phases() -> list[PhaseConfig]:
    """The published schedule: 4000 steps, a third of them without the degradations, and 4000 more."""
    return [
        PhaseConfig(
            name="fuse",
            iterations=1333,
            weights={"hsi": 1.0, "msi": 1.0, "perceptual": 0.5, "band_difference": 0.1},
            moves=["network"],
        ),
        PhaseConfig(
            name="joint",
            iterations=2667,
            weights={"hsi": 1.0, "msi": 1.0, "perceptual": 0.1, "subspace": 1.0, "degradation": 1.0},
            moves=["network", "psf", "srf"],
        ),
        PhaseConfig(
            name="refine",
            iterations=4000,
            weights={"hsi": 1.0, "msi": 0.8, "perceptual": 0.1, "degradation": 1.0, "band_difference": 0.1},
            moves=["network", "psf", "srf"],
        ),
    ]


class UhntcSettings(Section):
    """uHNTC (FeafusFormer): schedule and start.

    Attributes:
        warm_up: Steps 1-3, as UMSFT's; step 3 has twice the steps and a larger subspace.
        phases: The fusion, phase after phase.
        iterations: Steps of all phases together, which are stretched or shortened alike; None: as they say; 0: none,
            and no warm-up either: what `weights` brings is applied as it is.
        rank: K of the subspace that the fusion compares in.
        rate: Of the network (AdamW).
        joint_lr: AdamW rate of the degradations, while they learn along.
        joint_weight_decay: Their AdamW decay.
        average: Weight of the past in a moving average of the outputs; 0: the last output, as published (P10).
        vgg_weights: VGG16-BN weights to start the encoder from (.pth, .pdparams, .safetensors).
        perceptual_weights: VGG19 weights for the perceptual term; None: there is no such term.
        weights: uHNTC weights to start from, a published checkpoint or a run's model.pdparams, as far as they are in
            it; what is in it goes before `vgg_weights`.
    """

    warm_up: WarmUpConfig = WarmUpConfig(joint_iterations=1000, rank=12)
    phases: list[PhaseConfig] = Field(default_factory=published_phases, min_length=1)
    iterations: Optional[int] = Field(default=None, ge=0)
    rank: int = Field(default=10, ge=1)
    rate: StepRate = StepRate(lr=8e-3, decay=0.99, every=100, weight_decay=0.01)
    joint_lr: float = Field(default=1e-4, gt=0)
    joint_weight_decay: float = Field(default=0.01, ge=0)
    average: float = Field(default=0.0, ge=0, lt=1)
    vgg_weights: Optional[str] = None
    perceptual_weights: Optional[str] = None
    weights: Optional[str] = None


@dataclass(frozen=True)
class UhntcInput:
    """What `method: uhntc` takes out of a configuration.

    Attributes:
        uhntc: Schedule and start.
        runtime: Device, type and precision.
    """

    uhntc: UhntcSettings
    runtime: RuntimeConfig

    @property
    def headline(self) -> dict[str, float]:
        """The settings that people compare runs by."""
        iterations = self.uhntc.iterations
        if iterations is None:
            iterations = sum(phase.iterations for phase in self.uhntc.phases)
        return {"iterations": iterations, "lr": self.uhntc.rate.lr}
