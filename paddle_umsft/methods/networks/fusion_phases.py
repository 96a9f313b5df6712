"""Step 4 of a trained method as data: phases, each with its terms, their weights, and who moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Callable, Optional

import numpy as np
import paddle

from paddle_umsft.methods.networks.losses import band_difference, observation_terms
from paddle_umsft.methods.networks.ops import MixedPrecision
from paddle_umsft.methods.networks.warm_up import (
    Images,
    Moves,
    SpatialLayer,
    SpectralLayer,
    Stage,
    current_degradation_terms,
)

Terms = dict[str, paddle.Tensor]
Perceptual = Callable[[paddle.Tensor], paddle.Tensor]


@dataclass(frozen=True)
class FusionPhase:
    """A run of equal steps of the fusion.

    Attributes:
        name: Name in records and logs.
        iterations: How many steps it has.
        weights: Weight of each term of the loss by its name (see `FusionTerms`); a term that is not named is not
            computed.
        moves: Names of the optimisers that step.
    """

    name: str
    iterations: int
    weights: Mapping[str, float]
    moves: tuple[str, ...]


class FusionTerms:
    """The terms that a fusion may minimise, computed as far as they are asked for.

    hsi, msi: how far the degraded estimate is from either image (L1). subspace, degradation: both losses of step 3.
    band_difference: mean |difference of neighbouring bands|. perceptual: the MSI of the estimate against the MSI,
    through the eyes of a network.

    Args:
        images: Of the scene.
        spatial: The spatial degradation.
        spectral: The spectral one.
        perceptual: (1, M, H, W) -> its distance from the MSI; None: there is no such term.
    """

    def __init__(
        self,
        images: Images,
        spatial: SpatialLayer,
        spectral: SpectralLayer,
        perceptual: Optional[Perceptual] = None,
    ) -> None:
        self.images = images
        self.spatial = spatial
        self.spectral = spectral
        self.perceptual = perceptual

    def __call__(self, fused: paddle.Tensor, weights: Mapping[str, float]) -> Terms:
        """The terms that have a weight, in a fixed order.

        Args:
            fused: (1, C, H, W).
            weights: By name of the term.
        """
        # What both cameras would see of the estimate: whichever terms are asked for, two of them begin with it.
        images = self.images
        seen_hsi = self.spatial(fused)
        seen_msi = self.spectral(fused)
        terms = observation_terms(
            seen_hsi=seen_hsi,
            lr_hsi=images.lr_hsi,
            seen_msi=seen_msi,
            hr_msi=images.hr_msi,
        )
        if "subspace" in weights or "degradation" in weights:
            of_cameras = current_degradation_terms(images, self.spatial, self.spectral)
            terms.update(of_cameras)
        if "band_difference" in weights:
            terms["band_difference"] = band_difference(fused)
        if "perceptual" in weights and self.perceptual is not None:
            terms["perceptual"] = self.perceptual(seen_msi)
        return {name: term for name, term in terms.items() if name in weights}


class PhasedFusion(Stage):
    """Step 4: the network is fitted, phase after phase.

    Args:
        phases: In their order.
        forward: One pass of the network: () -> (1, C, H, W).
        terms: What the loss is made of.
        moves: Optimisers by name; "network" must be among them. One that a phase names and that is not here has
            nothing to move.
        precision: Mixed precision around the steps, or none.
        average: Weight of the past in a moving average of the outputs; 0: the last output counts.

    Attributes:
        fused: (1, C, H, W), the last forward pass, taken before the update that follows it (P10).
        average: Moving average of the outputs, if asked for.
    """

    name = "fuse"
    is_main = True

    def __init__(
        self,
        *,
        phases: Sequence[FusionPhase],
        forward: Callable[[], paddle.Tensor],
        terms: FusionTerms,
        moves: dict[str, Moves],
        precision: Optional[MixedPrecision] = None,
        average: float = 0.0,
    ) -> None:
        iterations = sum(phase.iterations for phase in phases)
        super().__init__(iterations, moves, precision)
        self.phases = tuple(phases)
        self.forward = forward
        self.terms = terms
        self.past = average
        self.fused: Optional[paddle.Tensor] = None
        self.average: Optional[paddle.Tensor] = None

    def phase_at(self, iteration: int) -> FusionPhase:
        """The phase that a step belongs to; beyond the end, the last one."""
        begin = 0
        for phase in self.phases:
            begin += phase.iterations
            if iteration < begin:
                return phase
        return self.phases[-1]

    def stage_at(self, iteration: int) -> str:
        return self.phase_at(iteration).name

    def step(self, iteration: int) -> dict[str, float]:
        phase = self.phase_at(iteration)
        # Backward and update stay outside: they follow the types that the forward pass has chosen.
        with self.precision.forward():
            fused = self.forward()
            terms = self.terms(fused, phase.weights)
        self._keep(fused.detach())
        moving = {name: self.moves[name] for name in phase.moves if name in self.moves}
        return self._descend(terms, moving, phase.weights)

    def _keep(self, fused: paddle.Tensor) -> None:
        # Detached already: the graph of a step must not outlive it.
        self.fused = fused
        if self.past <= 0:
            return
        if self.average is None:
            self.average = fused
        else:
            self.average = self.past * self.average + (1 - self.past) * fused

    def result(self) -> np.ndarray:
        """(H, W, C) of the type computed in; without any step, what the network makes of the scene as it stands."""
        best = self.average
        if best is None:
            best = self.fused
        if best is None:
            with paddle.no_grad():
                best = self.forward()
        bands = best.numpy()[0]  # (C, H, W)
        return np.ascontiguousarray(bands.transpose(1, 2, 0))
