"""Configuration sections of the trained network: `warm_up`, `solver`, `network`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Optional

from pydantic import Field

from paddle_umsft.config.base import Section
from paddle_umsft.config.runtime import RuntimeConfig


class StepRate(Section):
    """A learning rate that falls in steps.

    Attributes:
        lr: Rate at the start.
        decay: Factor at each step.
        every: Iterations between steps.
        weight_decay: Adam: L2; AdamW: decoupled.
    """

    lr: float = Field(gt=0)
    decay: float = Field(default=1.0, gt=0, le=1)
    every: int = Field(default=50, ge=1)
    weight_decay: float = Field(default=0.0, ge=0)


class WarmUpConfig(Section):
    """Steps 1-3: the degradations are learned before the network.

    Attributes:
        iterations: Of each of the three steps.
        joint_iterations: Of step 3, where it has another number; None: as the others.
        rank: K of the subspace that step 3 compares in; cut to what the LR-HSI has.
        srf: Step 1, the SRF alone (Adam).
        psf: Step 2, the PSF alone (Adam).
        joint: Step 3, both (AdamW each).
    """

    # As published, with the rates below (docs/porting.md).
    iterations: int = Field(default=500, ge=0)
    joint_iterations: Optional[int] = Field(default=None, ge=0)
    rank: int = Field(default=3, ge=1)
    srf: StepRate = StepRate(
        lr=1e-2,
        decay=0.9,
        weight_decay=1e-4,
    )
    psf: StepRate = StepRate(
        lr=5e-4,
        decay=0.5,
    )
    joint: StepRate = StepRate(
        lr=5e-3,
        decay=0.8,
        weight_decay=1e-4,
    )


class SolverConfig(Section):
    """Step 4: the network is fitted to the two images.

    Attributes:
        iterations: N; 0: none, and no warm-up either: what `network.weights` brings is applied as it is.
        rate: Of the network (AdamW).
        joint_after: Share of N after which the degradations learn along.
        joint_lr: Their AdamW rate.
        joint_weight_decay: Their AdamW decay.
        srf_with_network: Whether the network's optimiser moves the SRF too, as published (P2).
        schedule: "step" as published, or "one_cycle": up to `rate.lr` and down again by a cosine.
        average: Weight of the past in a moving average of the outputs; 0: the last output, as published (P10).
    """

    iterations: int = Field(default=300, ge=0)
    rate: StepRate = StepRate(
        lr=2e-3,
        decay=0.99,
        every=100,
        weight_decay=0.01,
    )
    # P2 and P10 are rows of docs/porting.md.
    joint_after: float = Field(default=1 / 3, ge=0, le=1)
    joint_lr: float = Field(default=1e-5, gt=0)
    joint_weight_decay: float = Field(default=0.01, ge=0)
    srf_with_network: bool = True
    schedule: Literal["step", "one_cycle"] = "step"
    average: float = Field(default=0.0, ge=0, lt=1)


class NetworkConfig(Section):
    """UMSFT's sizes and start.

    Attributes:
        width: Channels of the hourglasses.
        skip: Channels of their skip branches.
        heads: Attention heads.
        attention: "published" or "paper", who asks and who answers (P3).
        vgg_weights: VGG16-BN weights to start the encoders from (.pth, .pdparams, .safetensors).
        weights: UMSFT weights to start from, a published checkpoint or a run's model.pdparams: the network, and the
            learned SRF and PSF, as far as they are in it; what is in it goes before `vgg_weights`.
    """

    width: int = Field(default=191, ge=1)
    skip: int = Field(default=20, ge=1)
    heads: int = Field(default=5, ge=1)
    attention: Literal["published", "paper"] = "published"
    vgg_weights: Optional[str] = None
    weights: Optional[str] = None


@dataclass(frozen=True)
class UmsftInput:
    """What `method: umsft` takes out of a configuration.

    Attributes:
        warm_up: Steps 1-3.
        solver: Step 4.
        network: Sizes and start.
        runtime: Device, type and precision.
    """

    warm_up: WarmUpConfig
    solver: SolverConfig
    network: NetworkConfig
    runtime: RuntimeConfig

    @property
    def headline(self) -> dict[str, float]:
        """The settings that people compare runs by."""
        return {"iterations": self.solver.iterations, "lr": self.solver.rate.lr}
