"""uHNTC's step 4, and its solver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Optional

import numpy as np
import paddle

from paddle_umsft.config.uhntc import PhaseConfig, UhntcInput, UhntcSettings
from paddle_umsft.config.umsft import StepRate
from paddle_umsft.data.records import OnRecord
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.methods.networks.fusion_phases import FusionPhase, FusionTerms, PhasedFusion
from paddle_umsft.methods.networks.model import FusionModel, ModelSizes
from paddle_umsft.methods.networks.ops import MixedPrecision
from paddle_umsft.methods.networks.solver import Recipe, SceneSolver, Start, run_all, without_weights
from paddle_umsft.methods.networks.warm_up import Images, Moves, degradation_moves
from paddle_umsft.methods.uhntc.model import build_uhntc
from paddle_umsft.methods.uhntc.network import UHNTC
from paddle_umsft.methods.uhntc.perceptual import CHANNELS, PerceptualDistance, Vgg19Features


def fusion_phases(settings: UhntcSettings) -> tuple[FusionPhase, ...]:
    """The phases of the settings, stretched to `settings.iterations` where it is given."""
    counts = _stretched([phase.iterations for phase in settings.phases], settings.iterations)
    return tuple(_phase(phase, count) for phase, count in zip(settings.phases, counts))


def _phase(settings: PhaseConfig, iterations: int) -> FusionPhase:
    weights = {str(name): weight for name, weight in settings.weights.items()}
    return FusionPhase(
        name=settings.name,
        iterations=iterations,
        weights=weights,
        moves=tuple(str(name) for name in settings.moves),
    )


def _stretched(counts: Sequence[int], wanted: Optional[int]) -> list[int]:
    """Whole numbers in about the same proportions that add up to `wanted`."""
    total = sum(counts)
    if wanted is None or total == 0:
        return list(counts)
    ends = [round(wanted * sum(counts[: i + 1]) / total) for i in range(len(counts))]
    return [end - begin for begin, end in zip([0, *ends[:-1]], ends)]


def perceptual_notice(settings: UhntcSettings, msi_bands: int) -> Optional[str]:
    """Why there is no perceptual term, or None if there is one."""
    if not any(phase.weights.get("perceptual", 0.0) > 0 for phase in settings.phases):
        return None  # nobody asked for it
    if settings.perceptual_weights is None:
        return "no perceptual term: it needs VGG19's weights (uhntc.perceptual_weights)"
    if msi_bands != CHANNELS:
        return f"no perceptual term: VGG19 sees {CHANNELS} bands, and the MSI has {msi_bands}"
    return None


def perceptual_term(settings: UhntcSettings, hr_msi: paddle.Tensor) -> Optional[PerceptualDistance]:
    """The term where its weights are given and the MSI has three bands.

    Args:
        settings: Section `uhntc`.
        hr_msi: (1, M, H, W).

    Raises:
        ConversionError: If the weights cannot be read, or are not VGG19's.
    """
    if settings.perceptual_weights is None or hr_msi.shape[1] != CHANNELS:
        return None
    from paddle_umsft.weights import load_vgg19_features

    features = Vgg19Features(load_vgg19_features(settings.perceptual_weights))
    return PerceptualDistance(features, hr_msi)


def build_fusion(
    images: Images,
    model: FusionModel,
    settings: UhntcSettings,
    precision: Optional[MixedPrecision] = None,
) -> PhasedFusion:
    """Make step 4.

    Args:
        images: Of the scene.
        model: Network and degradations.
        settings: Section `uhntc`.
        precision: Mixed precision around the steps, or none.

    Raises:
        DataError: If the image is too small for the network.
        ConversionError: If the perceptual term's weights cannot be used.
    """
    inputs = UHNTC.prepare(images.lr_hsi, images.hr_msi)
    moved = list(model.network.parameters())
    network = Moves(moved, settings.rate, decoupled=True)
    joint = StepRate(
        lr=settings.joint_lr,
        weight_decay=settings.joint_weight_decay,
    )
    cameras = degradation_moves(model.spatial, model.spectral, joint)
    terms = FusionTerms(
        images.of_rank(settings.rank),
        spatial=model.spatial,
        spectral=model.spectral,
        perceptual=perceptual_term(settings, images.hr_msi),
    )
    return PhasedFusion(
        phases=fusion_phases(settings),
        forward=lambda: model.network(inputs),
        terms=terms,
        moves={"network": network, **cameras},
        precision=precision,
        average=settings.average,
    )


class UhntcSolver(SceneSolver):
    """Fits uHNTC to one observation.

    Args:
        observation: What the two cameras saw, H, W >= 33. The truth is never given to it.
        settings: See `UhntcInput`.
        seed: Of the network's start.
        weights: Whether to read the weights that the network starts from; a checkpoint to come makes them needless.
            Those of the perceptual term are in no checkpoint, and read in any case.
        cameras: PSF and SRF learned elsewhere, see `SceneSolver`.

    Raises:
        DataError: The image is too small, or weights to start from cannot be read or do not fit.
    """

    def __init__(
        self,
        observation: Observation,
        settings: UhntcInput,
        *,
        seed: int = 1,
        weights: bool = True,
        cameras: Optional[Mapping[str, np.ndarray]] = None,
    ) -> None:
        section = settings.uhntc
        if not weights:
            section = without_weights(section)
        runtime = settings.runtime
        notes: tuple[str, ...] = ()
        notice = perceptual_notice(section, observation.msi_bands)
        if notice is not None:
            notes = (notice,)

        def build(seen: Observation) -> FusionModel:
            return build_uhntc(ModelSizes.of(seen), section)

        def fusion(images: Images, model: FusionModel) -> PhasedFusion:
            precision = MixedPrecision(runtime.amp)
            return build_fusion(images, model, section, precision)

        recipe = Recipe(
            method="uhntc",
            warm_up=section.warm_up,
            build=build,
            fusion=fusion,
            rate_key="uhntc.rate.lr",
            start=Start(
                weights=section.weights,
                vgg_weights=section.vgg_weights,
                vgg_key="uhntc.vgg_weights",
            ),
            notes=notes,
        )
        super().__init__(observation, recipe, runtime=runtime, seed=seed, cameras=cameras)


def fuse_uhntc(
    observation: Observation,
    settings: UhntcInput,
    *,
    seed: int = 1,
    on_record: Optional[OnRecord] = None,
) -> FusionResult:
    """Fuse with uHNTC, from nothing but the two images: arguments and errors as of `UhntcSolver` and `run_all`."""
    solver = UhntcSolver(observation, settings, seed=seed)
    return run_all(solver, on_record)
