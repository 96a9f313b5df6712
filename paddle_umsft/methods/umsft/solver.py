"""The optimisation of one scene, step by step: warm-up of the degradations, then the fusion."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np
import paddle
from paddle.optimizer.lr import LRScheduler, OneCycleLR

from paddle_umsft.config.umsft import SolverConfig, StepRate, UmsftInput
from paddle_umsft.data.checks import check_minimum_size
from paddle_umsft.data.records import OnRecord, Record
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.errors import DataError
from paddle_umsft.machine.environment import thread_facts
from paddle_umsft.methods.networks.losses import observation_terms
from paddle_umsft.methods.networks.ops import MixedPrecision, active
from paddle_umsft.methods.networks.runtime import computing_in, estimated_memory_mb, place_and_seed
from paddle_umsft.methods.networks.solver import StagedSolver
from paddle_umsft.methods.networks.spectral_subspace import spectral_subspace
from paddle_umsft.methods.networks.warm_up import Images, Moves, Stage, current_degradation_terms, warm_up_stages
from paddle_umsft.methods.umsft.model import FusionModel, build_model, state_problems
from paddle_umsft.methods.umsft.network import UMSFT

MB_PER_GB = 1024


class FusionStage(Stage):
    """Step 4: the network is fitted; from some point on the degradations learn along.

    Attributes:
        fused: (1, C, H, W), the last forward pass, taken before the update that follows it (P10).
        average: Moving average of the outputs, if asked for.
    """

    name = "fuse"
    is_main = True

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
        super().__init__(settings.iterations, moves, precision)
        self.images, self.model, self.settings = images, model, settings
        self.inputs = UMSFT.prepare(images.lr_hsi, images.hr_msi)
        self.joint_from = int(settings.iterations * settings.joint_after + 1e-9)
        self.fused: Optional[paddle.Tensor] = None
        self.average: Optional[paddle.Tensor] = None

    def stage_at(self, iteration: int) -> str:
        return "fuse" if iteration < self.joint_from else "joint"

    def step(self, iteration: int) -> dict[str, float]:
        model, images = self.model, self.images
        joint = iteration >= self.joint_from
        with self.precision.forward():
            fused = model.network(self.inputs, model.spectral)
            terms = observation_terms(model.spatial(fused), images.lr_hsi, model.spectral(fused), images.hr_msi)
            if joint:
                terms.update(current_degradation_terms(images, model.spatial, model.spectral))
        self._keep(fused.detach())
        return self._descend(terms, self.moves if joint else {"network": self.moves["network"]})

    def _keep(self, fused: paddle.Tensor) -> None:
        self.fused = fused
        past = self.settings.average
        if past > 0:
            self.average = fused if self.average is None else past * self.average + (1 - past) * fused

    def result(self) -> np.ndarray:
        """(H, W, C) of the type computed in."""
        best = self.average if self.average is not None else self.fused
        if best is None:
            raise RuntimeError("no step was done")
        return np.ascontiguousarray(best.numpy()[0].transpose(1, 2, 0))


def _schedule(settings: SolverConfig) -> Optional[LRScheduler]:
    if settings.schedule == "one_cycle":
        return OneCycleLR(settings.rate.lr, total_steps=max(settings.iterations, 2) + 1)
    return None


def make_images(observation: Observation, rank: int) -> Images:
    """Turn (H, W, C) arrays into the tensors of one scene, in Paddle's default type."""
    dtype = paddle.get_default_dtype()
    lr_hsi = np.ascontiguousarray(observation.lr_hsi.transpose(2, 0, 1)).astype(dtype)
    hr_msi = np.ascontiguousarray(observation.hr_msi.transpose(2, 0, 1)).astype(dtype)
    basis, coeffs = spectral_subspace(lr_hsi, rank)
    return Images(
        lr_hsi=paddle.to_tensor(lr_hsi[None]),
        hr_msi=paddle.to_tensor(hr_msi[None]),
        basis=paddle.to_tensor(basis),
        coeffs=paddle.to_tensor(coeffs),
        scale=observation.scale,
    )


class UmsftSolver(StagedSolver):
    """Fits UMSFT to one observation.

    Args:
        observation: What the two cameras saw, H, W >= 128. The truth is never given to it.
        settings: See `UmsftInput`.
        seed: Of the network's start.
        weights: Whether to read the weights that the configuration starts from; a checkpoint to come makes them
            needless, and their file may be gone by then.

    Attributes:
        model: Network and degradations.
        stages: The warm-up stages that apply, then the fusion.
        device: "cpu" or "gpu".

    Raises:
        DataError: The image is too small, or weights to start from cannot be read or do not fit.
    """

    def __init__(
        self, observation: Observation, settings: UmsftInput, *, seed: int = 1, weights: bool = True
    ) -> None:
        check_minimum_size(observation.shape)
        network = settings.network
        if not weights:
            network = network.model_copy(update={"weights": None, "vgg_weights": None})
        self.device = place_and_seed(settings.runtime, seed)
        self.observation = observation
        self.settings = settings
        self.seed = seed
        with computing_in(settings.runtime):
            self.images = make_images(observation, settings.warm_up.rank)
            self.model = build_model(
                bands=observation.bands,
                msi_bands=observation.msi_bands,
                scale=observation.scale,
                supports=observation.supports,
                psf=observation.psf,
                srf=observation.srf,
                network=network,
            )
            self.model.train()
            warm_up = warm_up_stages(self.images, self.model.spatial, self.model.spectral, settings.warm_up)
            precision = MixedPrecision(settings.runtime.amp)
            self.fusion = FusionStage(self.images, self.model, settings.solver, precision)
        super().__init__(observation.name, [*warm_up, self.fusion])

    def announce(self, *, resumed: bool) -> list[str]:
        """Lines for the log: on what machine, for how long, with how much memory, from what start."""
        seen = self.observation
        double = self.settings.runtime.dtype == "float64"
        memory_gb = estimated_memory_mb(*seen.shape, seen.bands, seen.msi_bands, double=double) / MB_PER_GB
        lines = [f"device     {self.device}; about {memory_gb:.1f} GB of memory"]
        if self.device == "cpu":
            lines.append(f"operators  {active()}")
            lines.append(f"threads    {thread_facts()}")
        steps = ", ".join(f"{stage.name} {stage.iterations}" for stage in self.stages)
        lines.append(f"steps      {steps}; seed {self.seed}")
        if not resumed:
            lines += self._start_lines()
        return lines

    def _start_lines(self) -> list[str]:
        """Where network and encoders start."""
        network = self.settings.network
        started = self.model.started
        lines = []
        if started:
            lines.append(f"start      {network.weights}: {', '.join(started)}")
        if "network" not in started:
            random = "random (no network.vgg_weights: published results start from ImageNet's VGG16-BN)"
            lines.append(f"encoders   {network.vgg_weights or random}")
        return lines

    def result(self, history: list[Record]) -> FusionResult:
        """The outcome as arrays."""
        srf = self.model.spectral.effective_srf()
        return FusionResult(
            fused=self.fusion.result().astype(np.float32),
            psf=self.model.spatial.effective_psf(),
            srf=srf,
            history=history,
            method="umsft",
            seconds=self.seconds,
            notes=unused_bands(srf),
        )

    def state_dict(self) -> dict[str, Any]:
        """Everything that moves."""
        optimizers = [{name: move.state_dict() for name, move in stage.moves.items()} for stage in self.stages]
        state: dict[str, Any] = {"model": self.model.state_dict(), "optimizers": optimizers}
        # The outputs too: a run killed after its last step has nothing else to take its result from.
        outputs = {"fused": self.fusion.fused, "average": self.fusion.average}
        state.update({name: output for name, output in outputs.items() if output is not None})
        scaling = self.fusion.precision.state_dict()
        if scaling:
            state["loss_scaling"] = scaling
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up where `state_dict` left off.

        Raises:
            DataError: Tensors are missing, not known or of another shape; nothing is changed.
        """
        problems = state_problems(self.model.state_dict(), state["model"])
        if problems:
            raise DataError("another network or scene", got="; ".join(problems))
        self.model.set_state_dict(state["model"])
        for stage, moves in zip(self.stages, state["optimizers"]):
            for name, move_state in moves.items():
                stage.moves[name].load_state_dict(move_state)
        self.fusion.fused = state.get("fused")
        self.fusion.average = state.get("average")
        self.fusion.precision.load_state_dict(state.get("loss_scaling", {}))


def unused_bands(srf: np.ndarray) -> tuple[str, ...]:
    """Notes on MSI bands whose learned response is zero everywhere.

    Args:
        srf: (M, C).
    """
    silent = np.flatnonzero(~srf.any(axis=1))
    return tuple(
        f"the learned response of MSI band {band} is zero everywhere, so that band was not used: "
        "give more warm_up.iterations, another seed, or the SRF (observe.known_srf)"
        for band in silent
    )


def fuse_umsft(
    observation: Observation, settings: UmsftInput, *, seed: int = 1, on_record: Optional[OnRecord] = None
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
    solver = UmsftSolver(observation, settings, seed=seed)
    history = []
    for record in solver.run():
        history.append(record)
        if on_record is not None:
            on_record(record)
    return solver.result(history)
