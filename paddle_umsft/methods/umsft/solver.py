"""UMSFT's step 4, and its solver."""

from __future__ import annotations

from typing import Callable, Optional

from paddle.optimizer.lr import LRScheduler, OneCycleLR

from paddle_umsft.config.run import Config
from paddle_umsft.config.umsft import NetworkConfig, SolverConfig, StepRate
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.methods.networks.fusion_phases import FusionPhase, FusionTerms, PhasedFusion
from paddle_umsft.methods.networks.model import FusionModel
from paddle_umsft.methods.networks.ops import MixedPrecision
from paddle_umsft.methods.networks.solver import Recipe, Record, SceneSolver, run_all
from paddle_umsft.methods.networks.warm_up import Images, Moves
from paddle_umsft.methods.umsft.model import build_model
from paddle_umsft.methods.umsft.network import UMSFT


class FusionStage(PhasedFusion):
    """Step 4: the network is fitted; from some point on the degradations learn along.

    Args:
        images: Of the scene.
        model: Network and degradations.
        settings: Section `solver`.
        precision: Mixed precision around the steps, or none.
    """

    def __init__(
        self, images: Images, model: FusionModel, settings: SolverConfig, precision: Optional[MixedPrecision] = None
    ) -> None:
        moved = list(model.network.parameters())
        if settings.srf_with_network:  # P2: the published network holds the SRF as a child
            moved += model.spectral.parameters()
        moves = {"network": Moves(moved, settings.rate, decoupled=True, schedule=_schedule(settings))}
        joint = StepRate(lr=settings.joint_lr, weight_decay=settings.joint_weight_decay)
        for name, layer in (("psf", model.spatial), ("srf", model.spectral)):
            if layer.parameters():
                moves[name] = Moves(layer.parameters(), joint, decoupled=True)
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


class Solver(SceneSolver):
    """Fits UMSFT to one observation.

    Args:
        observation: What the two cameras saw. The truth is never given to it.
        config: All settings.
        weights: Whether to read the weights that the configuration starts from; a checkpoint to come makes them
            needless, and their file may be gone by then.
    """

    def __init__(self, observation: Observation, config: Config, *, weights: bool = True) -> None:
        network = config.network
        if not weights:
            network = network.model_copy(update={"weights": None, "vgg_weights": None})
        recipe = Recipe(
            method="umsft",
            warm_up=config.warm_up,
            build=lambda seen: _build(seen, network),
            fusion=lambda images, model: FusionStage(
                images, model, config.solver, MixedPrecision(config.runtime.amp)
            ),
            rate_key="solver.rate.lr",
        )
        super().__init__(observation, config, recipe)


def _build(observation: Observation, network: NetworkConfig) -> FusionModel:
    return build_model(
        bands=observation.bands,
        msi_bands=observation.msi_bands,
        scale=observation.scale,
        supports=observation.supports,
        psf=observation.psf,
        srf=observation.srf,
        network=network,
    )


def fuse_umsft(
    observation: Observation, config: Config, on_record: Optional[Callable[[Record], None]] = None
) -> FusionResult:
    """Fuse with UMSFT: learn both degradations, then the network, from nothing but the two images.

    Args:
        observation: LR-HSI (h, w, C) and HR-MSI (H, W, M), H, W >= 128.
        config: All settings.
        on_record: Called with every record.

    Raises:
        DataError: If the image is too small, or the loss is no longer a finite number.
    """
    return run_all(Solver(observation, config), on_record)
