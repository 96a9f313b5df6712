"""What a step of the optimisation is, and steps 1-3: the degradations learned before the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Optional, Union

import paddle
import paddle.nn.functional as F
from paddle import nn
from paddle.optimizer import Adam
from paddle.optimizer.lr import LambdaDecay, LRScheduler

from paddle_umsft.config.umsft import StepRate, WarmUpConfig
from paddle_umsft.methods.networks.exact import AdamW
from paddle_umsft.methods.networks.losses import degradation_terms, negative_psnr, total
from paddle_umsft.methods.networks.ops import MixedPrecision
from paddle_umsft.methods.networks.psf_layers import KnownPsf, LearnedPsf
from paddle_umsft.methods.networks.srf_layers import KnownSrf, LearnedSrf

SpatialLayer = Union[LearnedPsf, KnownPsf]
SpectralLayer = Union[LearnedSrf, KnownSrf]


@dataclass(frozen=True)
class Images:
    """One scene's tensors.

    Attributes:
        lr_hsi: (1, C, h, w).
        hr_msi: (1, M, H, W).
        basis: (C, K) spectral subspace of the LR-HSI.
        coeffs: (K, h*w).
        scale: s.
    """

    lr_hsi: paddle.Tensor
    hr_msi: paddle.Tensor
    basis: paddle.Tensor
    coeffs: paddle.Tensor
    scale: int

    def of_rank(self, rank: int) -> Images:
        """The same with the leading `rank` vectors of the subspace, or all where there are fewer."""
        return replace(self, basis=self.basis[:, :rank], coeffs=self.coeffs[:rank])


class Moves:
    """An optimiser with its schedule.

    Args:
        parameters: What it moves.
        rate: Its settings.
        decoupled: AdamW if true, else Adam with L2.
        schedule: Another schedule than the stepwise one.
    """

    def __init__(
        self,
        parameters: list[paddle.Tensor],
        rate: StepRate,
        *,
        decoupled: bool,
        schedule: Optional[LRScheduler] = None,
    ) -> None:
        self.parameters = parameters
        if schedule is None:
            schedule = LambdaDecay(rate.lr, lambda done: rate.decay ** (done // rate.every))
        self.schedule = schedule
        if decoupled:
            self.optimizer = AdamW(
                schedule,
                parameters=parameters,
                weight_decay=rate.weight_decay,
            )
        else:
            self.optimizer = Adam(
                schedule,
                parameters=parameters,
                weight_decay=rate.weight_decay or None,  # none at all, rather than a regulariser of strength 0
            )

    @property
    def lr(self) -> float:
        """The rate of the next step."""
        return float(self.optimizer.get_lr())

    def step(self) -> None:
        """Move once; gradients and schedule stay."""
        # The first step makes the moments, and names them: fresh names are the same in every process.
        with paddle.utils.unique_name.guard():
            self.optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """Moments and schedule, for a checkpoint."""
        return dict(self.optimizer.state_dict())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up where `state_dict` left off."""
        self.optimizer.set_state_dict(state)


def learning(layer: nn.Layer) -> list[paddle.Tensor]:
    """Parameters of a layer that learn: none of one whose values are held."""
    return [parameter for parameter in layer.parameters() if not parameter.stop_gradient]


def degradation_moves(
    spatial: SpatialLayer,
    spectral: SpectralLayer,
    rate: StepRate,
) -> dict[str, Moves]:
    """Make an AdamW for each degradation that learns, by the names "psf" and "srf"; none for a known or held one."""
    moves = {}
    for name, layer in (("psf", spatial), ("srf", spectral)):
        parameters = learning(layer)
        if parameters:
            moves[name] = Moves(parameters, rate, decoupled=True)
    return moves


class Stage:
    """A run of equal steps with its optimisers.

    Attributes:
        name: Name in records and logs.
        iterations: How many steps it has.
        moves: Its optimisers by name.
        is_main: Whether it is the fusion itself; the others warm up.
        precision: Mixed precision around its steps, or none.
    """

    name = ""
    is_main = False

    def __init__(
        self,
        iterations: int,
        moves: dict[str, Moves],
        precision: Optional[MixedPrecision] = None,
    ) -> None:
        self.iterations = iterations
        self.moves = moves
        self.precision = precision or MixedPrecision("off")

    def stage_at(self, iteration: int) -> str:
        """Name of the stage that a step belongs to."""
        return self.name

    def step(self, iteration: int) -> dict[str, float]:
        """Do one step; returns the loss and its terms."""
        raise NotImplementedError

    @property
    def lr(self) -> float:
        """Rate of the leading optimiser."""
        leading = next(iter(self.moves.values()))
        return leading.lr

    def _descend(
        self,
        terms: dict[str, paddle.Tensor],
        moves: Optional[dict[str, Moves]] = None,
        weights: Optional[Mapping[str, float]] = None,
    ) -> dict[str, float]:
        loss = total(terms, weights)
        self.precision.backward(loss)
        if moves is None:
            moves = self.moves
        moving = list(moves.values())

        def step_all() -> None:
            for move in moving:
                move.step()

        # With loss scaling all move or none does: the scaler has to see every gradient first.
        parameters = [parameter for move in moving for parameter in move.parameters]
        self.precision.step(parameters, step_all)
        for move in moving:
            move.schedule.step()
        # Only after all have moved: two optimisers may share the SRF (P2), and whoever sits out forgets as well.
        for move in self.moves.values():
            move.optimizer.clear_grad()
        values = {"loss": float(loss)}
        if len(terms) > 1:
            values.update({name: float(term) for name, term in terms.items()})
        return values


def _frozen(layer: nn.Layer, x: paddle.Tensor) -> paddle.Tensor:
    with paddle.no_grad():
        return layer(x)


class SrfStage(Stage):
    """Step 1, the SRF alone: both images brought to the LR grid by plain averages, which blur alike."""

    name = "srf"

    def __init__(
        self,
        images: Images,
        spectral: LearnedSrf,
        settings: WarmUpConfig,
    ) -> None:
        moves = Moves(spectral.parameters(), settings.srf, decoupled=False)
        super().__init__(settings.iterations, {"srf": moves})
        scale = images.scale
        # Reflection can only repeat what is there: a tiny image has less margin than the window wants.
        shorter = min(images.hr_msi.shape[2:])
        margin = min(scale, shorter - 1)
        padded = F.pad(images.hr_msi, [margin] * 4, mode="reflect")
        self.target = F.avg_pool2d(
            padded,
            kernel_size=2 * margin + 1,
            stride=scale,
        )  # (1, M, h, w)
        edge = "reflect"
        if min(images.lr_hsi.shape[2:]) == 1:
            edge = "replicate"
        framed = F.pad(images.lr_hsi, [1] * 4, mode=edge)
        self.source = F.avg_pool2d(framed, kernel_size=3, stride=1)  # (1, C, h, w)
        self.spectral = spectral

    def step(self, iteration: int) -> dict[str, float]:
        seen = self.spectral(self.source)
        return self._descend({"srf": F.l1_loss(seen, self.target)})


class PsfStage(Stage):
    """Step 2, the PSF alone, against the MSI that the SRF makes of the LR-HSI."""

    name = "psf"

    def __init__(
        self,
        images: Images,
        spatial: LearnedPsf,
        spectral: SpectralLayer,
        settings: WarmUpConfig,
    ) -> None:
        moves = Moves(spatial.parameters(), settings.psf, decoupled=False)
        super().__init__(settings.iterations, {"psf": moves})
        self.images = images
        self.spatial = spatial
        self.spectral = spectral
        self._target: Optional[paddle.Tensor] = None

    def step(self, iteration: int) -> dict[str, float]:
        if self._target is None:  # the SRF is only final once step 1 has run
            self._target = _frozen(self.spectral, self.images.lr_hsi)
        seen = self.spatial(self.images.hr_msi)
        return self._descend({"psf": negative_psnr(seen, self._target)})


class DegradationStage(Stage):
    """Step 3: PSF and SRF together, through the spectral subspace as well."""

    name = "degradation"

    def __init__(
        self,
        images: Images,
        spatial: SpatialLayer,
        spectral: SpectralLayer,
        settings: WarmUpConfig,
    ) -> None:
        moves = degradation_moves(spatial, spectral, settings.joint)
        iterations = settings.iterations
        if settings.joint_iterations is not None:
            iterations = settings.joint_iterations
        if not moves:  # both are known
            iterations = 0
        super().__init__(iterations, moves)
        self.images = images
        self.spatial = spatial
        self.spectral = spectral

    def step(self, iteration: int) -> dict[str, float]:
        terms = current_degradation_terms(self.images, self.spatial, self.spectral)
        return self._descend(terms)


def current_degradation_terms(
    images: Images,
    spatial: SpatialLayer,
    spectral: SpectralLayer,
) -> dict[str, paddle.Tensor]:
    """Both losses of step 3 for the degradations as they are now."""
    return degradation_terms(
        lr_msi=spatial(images.hr_msi),
        response=spectral.response(),
        lr_hsi=images.lr_hsi,
        basis=images.basis,
        coeffs=images.coeffs,
    )


def warm_up_stages(
    images: Images,
    spatial: SpatialLayer,
    spectral: SpectralLayer,
    settings: WarmUpConfig,
) -> list[Stage]:
    """Steps 1-3 as far as there is something to learn: known degradations are left alone."""
    stages: list[Stage] = []
    if isinstance(spectral, LearnedSrf):
        stages.append(SrfStage(images, spectral, settings))
    if isinstance(spatial, LearnedPsf):
        stages.append(PsfStage(images, spatial, spectral, settings))
    stages.append(DegradationStage(images, spatial, spectral, settings))
    return stages
