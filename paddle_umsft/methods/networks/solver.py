"""The optimisation of one scene, step by step: warm-up of the degradations, then the fusion."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Callable, Optional

import numpy as np
import paddle

from paddle_umsft.config.run import Config
from paddle_umsft.config.umsft import WarmUpConfig
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.errors import DataError
from paddle_umsft.methods.networks.fusion_phases import PhasedFusion
from paddle_umsft.methods.networks.model import FusionModel
from paddle_umsft.methods.networks.runtime import computing_in, place_and_seed
from paddle_umsft.methods.networks.spectral_subspace import spectral_subspace
from paddle_umsft.methods.networks.warm_up import Images, Stage, warm_up_stages

Record = dict[str, Any]


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


@dataclass(frozen=True)
class Recipe:
    """What a trained method brings to the solver.

    Attributes:
        method: Its name.
        warm_up: Settings of steps 1-3.
        build: Makes the model of an observation, in Paddle's default type.
        fusion: Makes step 4 of a scene's images and its model.
        rate_key: Which setting holds the network's rate, for who has to lower it.
        notes: What the user should know of the result, a line each.
    """

    method: str
    warm_up: WarmUpConfig
    build: Callable[[Observation], FusionModel]
    fusion: Callable[[Images, FusionModel], PhasedFusion]
    rate_key: str
    notes: tuple[str, ...] = ()


class SceneSolver:
    """Fits a network to one observation.

    Args:
        observation: What the two cameras saw. The truth is never given to it.
        config: All settings.
        recipe: What to fit and how.

    Attributes:
        model: Network and degradations.
        stages: The warm-up stages that apply, then the fusion.
        device: "cpu" or "gpu".
        position: (stage index, iteration) of the next step.
    """

    def __init__(self, observation: Observation, config: Config, recipe: Recipe) -> None:
        self.device = place_and_seed(config)
        self.observation, self.config, self.recipe = observation, config, recipe
        with computing_in(config.runtime):
            self.images = make_images(observation, recipe.warm_up.rank)
            self.model = recipe.build(observation)
            self.model.train()
            warm_up = warm_up_stages(self.images, self.model.spatial, self.model.spectral, recipe.warm_up)
            self.fusion = recipe.fusion(self.images, self.model)
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
                        hint=f"try a lower rate ({self.recipe.rate_key}), another seed, runtime.amp=off",
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
            method=self.recipe.method,
            seconds=self.seconds,
            extras={"notes": list(self.recipe.notes)} if self.recipe.notes else {},
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


def run_all(solver: SceneSolver, on_record: Optional[Callable[[Record], None]] = None) -> FusionResult:
    """Run a solver to its end.

    Args:
        solver: Fresh, or brought to where a checkpoint was taken.
        on_record: Called with every record.

    Raises:
        DataError: If the loss is no longer a finite number.
    """
    history = []
    for record in solver.run():
        history.append(record)
        if on_record is not None:
            on_record(record)
    return solver.result(history)
