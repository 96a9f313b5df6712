"""UMSFT's step 4, and its solver."""

from __future__ import annotations

from typing import Optional

from paddle.optimizer.lr import LRScheduler, OneCycleLR

from paddle_umsft.config.umsft import SolverConfig, StepRate, UmsftInput
from paddle_umsft.data.checks import check_minimum_size
from paddle_umsft.data.records import OnRecord
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.methods.networks.fusion_phases import FusionPhase, FusionTerms, PhasedFusion
from paddle_umsft.methods.networks.model import FusionModel, ModelSizes
from paddle_umsft.methods.networks.ops import MixedPrecision
from paddle_umsft.methods.networks.runtime import estimated_memory_mb
from paddle_umsft.methods.networks.solver import Recipe, SceneSolver, Start, run_all
from paddle_umsft.methods.networks.warm_up import Images, Moves, degradation_moves
from paddle_umsft.methods.umsft.model import build_model
from paddle_umsft.methods.umsft.network import UMSFT


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
            moved += model.spectral.parameters()
        moves = {"network": Moves(moved, settings.rate, decoupled=True, schedule=_schedule(settings))}
        joint = StepRate(lr=settings.joint_lr, weight_decay=settings.joint_weight_decay)
        moves.update(degradation_moves(model.spatial, model.spectral, joint))
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
    alone = int(settings.iterations * settings.joint_after + 1e-9)
    observed = {"hsi": 1.0, "msi": 1.0}
    return (
        FusionPhase(name="fuse", iterations=alone, weights=observed, moves=("network",)),
        FusionPhase(
            name="joint",
            iterations=settings.iterations - alone,
            weights={**observed, "subspace": 1.0, "degradation": 1.0},
            moves=("network", "psf", "srf"),
        ),
    )


def _schedule(settings: SolverConfig) -> Optional[LRScheduler]:
    if settings.schedule == "one_cycle":
        return OneCycleLR(settings.rate.lr, total_steps=max(settings.iterations, 2) + 1)
    return None


class UmsftSolver(SceneSolver):
    """Fits UMSFT to one observation.

    Args:
        observation: What the two cameras saw, H, W >= 128. The truth is never given to it.
        settings: See `UmsftInput`.
        seed: Of the network's start.
        weights: Whether to read the weights that the configuration starts from; a checkpoint to come makes them
            needless, and their file may be gone by then.

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
    ) -> None:
        check_minimum_size(observation.shape)
        network = settings.network
        if not weights:
            network = network.model_copy(update={"weights": None, "vgg_weights": None})
        runtime = settings.runtime

        def build(seen: Observation) -> FusionModel:
            return build_model(ModelSizes.of(seen), network)

        def fusion(images: Images, model: FusionModel) -> UmsftFusion:
            return UmsftFusion(images, model, settings.solver, MixedPrecision(runtime.amp))

        double = runtime.dtype == "float64"
        height, width = observation.shape
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
            memory_mb=estimated_memory_mb(height, width, observation.bands, observation.msi_bands, double=double),
        )
        super().__init__(observation, recipe, runtime=runtime, seed=seed)


def fuse_umsft(
    observation: Observation,
    settings: UmsftInput,
    *,
    seed: int = 1,
    on_record: Optional[OnRecord] = None,
) -> FusionResult:
    """Fuse with UMSFT: learn both degradations, then the network, from nothing but the two images.

    Args:
        observation: LR-HSI (h, w, C) and HR-MSI (H, W, M), H, W >= 128.
        settings: See `UmsftInput`.
        seed: Of the network's start.
        on_record: Called with every record.

    Raises:
        DataError: If the image is too small, or the loss is no longer a finite number.
    """
    return run_all(UmsftSolver(observation, settings, seed=seed), on_record)
