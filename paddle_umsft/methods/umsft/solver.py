"""The optimisation of one scene, step by step: warm-up of the degradations, then the fusion."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any, Callable, Optional

import numpy as np
import paddle
from paddle.optimizer.lr import LRScheduler, OneCycleLR

from paddle_umsft.config.run import Config
from paddle_umsft.config.umsft import SolverConfig, StepRate
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.errors import DataError
from paddle_umsft.methods.networks.losses import observation_terms
from paddle_umsft.methods.networks.ops import MixedPrecision
from paddle_umsft.methods.networks.runtime import computing_in, place_and_seed
from paddle_umsft.methods.networks.spectral_subspace import spectral_subspace
from paddle_umsft.methods.networks.warm_up import Images, Moves, Stage, current_degradation_terms, warm_up_stages
from paddle_umsft.methods.umsft.model import FusionModel, build_model
from paddle_umsft.methods.umsft.network import UMSFT

Record = dict[str, Any]


class FusionStage(Stage):
    """Step 4: the network is fitted; from some point on the degradations learn along.

    Attributes:
        fused: (1, C, H, W), the last forward pass, taken before the update that follows it (P10).
        average: Moving average of the outputs, if asked for.
    """

    name = "fuse"

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


class Solver:
    """Fits UMSFT to one observation.

    Args:
        observation: What the two cameras saw. The truth is never given to it.
        config: All settings.
        weights: Whether to read the weights that the configuration starts from; a checkpoint to come makes them
            needless, and their file may be gone by then.

    Attributes:
        model: Network and degradations.
        stages: The warm-up stages that apply, then the fusion.
        device: "cpu" or "gpu".
        position: (stage index, iteration) of the next step.
    """

    def __init__(self, observation: Observation, config: Config, *, weights: bool = True) -> None:
        network = config.network
        if not weights:
            network = network.model_copy(update={"weights": None, "vgg_weights": None})
        self.device = place_and_seed(config)
        self.observation, self.config = observation, config
        with computing_in(config.runtime):
            self.images = make_images(observation, config.warm_up.rank)
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
            warm_up = warm_up_stages(self.images, self.model.spatial, self.model.spectral, config.warm_up)
            self.fusion = FusionStage(self.images, self.model, config.solver, MixedPrecision(config.runtime.amp))
            self.stages: list[Stage] = [*warm_up, self.fusion]
        self.position = (0, 0)
        self.seconds = 0.0

    @property
    def steps_total(self) -> int:
        """Steps of all stages together."""
        return sum(stage.iterations for stage in self.stages)

    def run(self) -> Iterator[Record]:
        """Go on from `position` to the end, yielding a record after every step.

        A record has stage, iteration (within step 4, or within its warm-up stage; from 1), step (over all stages;
        from 1), loss, its terms where there are several, lr and seconds.

        Raises:
            DataError: If the loss is not finite: nothing that comes after it would be.
        """
        first_stage, first_iteration = self.position
        done = sum(stage.iterations for stage in self.stages[:first_stage])
        for index in range(first_stage, len(self.stages)):
            stage = self.stages[index]
            for iteration in range(first_iteration, stage.iterations):
                started, lr = time.perf_counter(), stage.lr
                values = stage.step(iteration)
                self.seconds += time.perf_counter() - started
                self.position = (index, iteration + 1)
                if not math.isfinite(values["loss"]):
                    raise DataError(
                        "the loss is no longer a finite number",
                        where=f"{self.observation.name}, step {iteration + 1} of {stage.stage_at(iteration)}",
                        got=values["loss"],
                        hint="try a lower rate (solver.rate.lr), another seed, runtime.amp=off",
                    )
                yield {
                    "stage": stage.stage_at(iteration),
                    "iteration": iteration + 1,
                    "step": done + iteration + 1,
                    "lr": lr,
                    "seconds": self.seconds,
                    **values,
                }
            done += stage.iterations
            first_iteration = 0

    def result(self, history: list[Record]) -> FusionResult:
        """The outcome as arrays."""
        return FusionResult(
            fused=self.fusion.result().astype(np.float32),
            psf=self.model.spatial.effective_psf(),
            srf=self.model.spectral.effective_srf(),
            history=history,
            method="umsft",
            seconds=self.seconds,
        )

    def state_dict(self) -> dict[str, Any]:
        """Everything that moves, but for the model's own tensors."""
        stages = [{name: move.state_dict() for name, move in stage.moves.items()} for stage in self.stages]
        state: dict[str, Any] = {"optimizers": stages}
        # The outputs too: a run killed after its last step has nothing else to take its result from.
        outputs = {"fused": self.fusion.fused, "average": self.fusion.average}
        state.update({name: output for name, output in outputs.items() if output is not None})
        scaling = self.fusion.precision.state_dict()
        if scaling:
            state["loss_scaling"] = scaling
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up where `state_dict` left off."""
        for stage, moves in zip(self.stages, state["optimizers"]):
            for name, move_state in moves.items():
                stage.moves[name].load_state_dict(move_state)
        self.fusion.fused, self.fusion.average = state.get("fused"), state.get("average")
        self.fusion.precision.load_state_dict(state.get("loss_scaling", {}))


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
    solver = Solver(observation, config)
    history = []
    for record in solver.run():
        history.append(record)
        if on_record is not None:
            on_record(record)
    return solver.result(history)
