"""UMSFT's step 4, and its solver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Optional

import numpy as np
from paddle.optimizer.lr import LRScheduler, OneCycleLR

from paddle_umsft.config.umsft import SolverConfig, StepRate, UmsftInput
from paddle_umsft.data.checks import check_minimum_size
from paddle_umsft.data.records import OnRecord
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.methods.networks.fusion_phases import FusionPhase, FusionTerms, PhasedFusion
from paddle_umsft.methods.networks.model import FusionModel, ModelSizes
from paddle_umsft.methods.networks.ops import MixedPrecision
from paddle_umsft.methods.networks.runtime import estimated_memory_mb
from paddle_umsft.methods.networks.solver import Recipe, SceneSolver, Start, run_all, without_weights
from paddle_umsft.methods.networks.warm_up import Images, Moves, degradation_moves, learning
from paddle_umsft.methods.umsft.model import build_model
from paddle_umsft.methods.umsft.network import UMSFT

# A product that is a whole number but for rounding counts as that number.
ROUNDING = 1e-9


class UmsftFusion(PhasedFusion):
    """Step 4: the network is fitted; from some point on the degradations learn along.

    Args:
        images: Of the scene.
        model: Network and degradations.
        settings: Section `solver`.
        precision: Mixed precision around the steps, or none.
    """

    def __init__(
        self,
        images: Images,
        model: FusionModel,
        settings: SolverConfig,
        precision: Optional[MixedPrecision] = None,
    ) -> None:
        moved = list(model.network.parameters())
        if settings.srf_with_network:  # P2: the published network holds the SRF as a child
            moved += learning(model.spectral)
        network = Moves(
            moved,
            settings.rate,
            decoupled=True,
            schedule=_schedule(settings),
        )
        joint = StepRate(
            lr=settings.joint_lr,
            weight_decay=settings.joint_weight_decay,
        )
        cameras = degradation_moves(model.spatial, model.spectral, joint)
        moves = {"network": network, **cameras}
        self.inputs = UMSFT.prepare(images.lr_hsi, images.hr_msi)
        super().__init__(
            phases=phases(settings),
            forward=lambda: model.network(self.inputs, model.spectral),
            terms=FusionTerms(images, model.spatial, model.spectral),
            moves=moves,
            precision=precision,
            average=settings.average,
        )


def phases(settings: SolverConfig) -> tuple[FusionPhase, FusionPhase]:
    """The network alone, then all together."""
    alone = int(settings.iterations * settings.joint_after + ROUNDING)
    observed = {"hsi": 1.0, "msi": 1.0}
    fuse = FusionPhase(
        name="fuse",
        iterations=alone,
        weights=observed,
        moves=("network",),
    )
    joint = FusionPhase(
        name="joint",
        iterations=settings.iterations - alone,
        weights={**observed, "subspace": 1.0, "degradation": 1.0},
        moves=("network", "psf", "srf"),
    )
    return fuse, joint


def _schedule(settings: SolverConfig) -> Optional[LRScheduler]:
    if settings.schedule == "one_cycle":
        # The schedule moves on behind the last step, too.
        steps = max(settings.iterations, 2)
        return OneCycleLR(settings.rate.lr, total_steps=steps + 1)
    return None


class UmsftSolver(SceneSolver):
    """Fits UMSFT to one observation.

    Args:
        observation: What the two cameras saw, H, W >= 128. The truth is never given to it.
        settings: See `UmsftInput`.
        seed: Of the network's start.
        weights: Whether to read the weights that the configuration starts from; a checkpoint to come makes them
            needless, and their file may be gone by then.
        cameras: PSF and SRF learned elsewhere, see `SceneSolver`.

    Raises:
        DataError: The image is too small, or weights to start from cannot be read or do not fit.
    """

    def __init__(
        self,
        observation: Observation,
        settings: UmsftInput,
        *,
        seed: int = 1,
        weights: bool = True,
        cameras: Optional[Mapping[str, np.ndarray]] = None,
    ) -> None:
        check_minimum_size(observation.shape)
        network = settings.network
        if not weights:
            network = without_weights(network)
        runtime = settings.runtime

        def build(seen: Observation) -> FusionModel:
            return build_model(ModelSizes.of(seen), network)

        def fusion(images: Images, model: FusionModel) -> UmsftFusion:
            precision = MixedPrecision(runtime.amp)
            return UmsftFusion(images, model, settings.solver, precision)

        height, width = observation.shape
        memory_mb = estimated_memory_mb(
            height,
            width,
            observation.bands,
            observation.msi_bands,
            double=runtime.dtype == "float64",
            bf16=runtime.precision == "bf16",
        )
        recipe = Recipe(
            method="umsft",
            warm_up=settings.warm_up,
            build=build,
            fusion=fusion,
            rate_key="solver.rate.lr",
            start=Start(
                weights=network.weights,
                vgg_weights=network.vgg_weights,
                vgg_key="network.vgg_weights",
            ),
            memory_mb=memory_mb,
        )
        super().__init__(observation, recipe, runtime=runtime, seed=seed, cameras=cameras)


def fuse_umsft(
    observation: Observation,
    settings: UmsftInput,
    *,
    seed: int = 1,
    on_record: Optional[OnRecord] = None,
) -> FusionResult:
    """Fuse with UMSFT, from nothing but the two images: arguments and errors as of `UmsftSolver` and `run_all`."""
    solver = UmsftSolver(observation, settings, seed=seed)
    return run_all(solver, on_record)
