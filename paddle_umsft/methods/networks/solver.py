"""The optimisation of one scene, step by step: warm-up of the degradations, then the fusion."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Callable, Optional, TypeVar

import numpy as np
import paddle
from pydantic import BaseModel

from paddle_umsft.config.runtime import RuntimeConfig
from paddle_umsft.config.umsft import WarmUpConfig
from paddle_umsft.data.records import OnRecord, Record
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.errors import DataError
from paddle_umsft.machine.environment import thread_facts
from paddle_umsft.methods.networks import ops
from paddle_umsft.methods.networks.fusion_phases import PhasedFusion
from paddle_umsft.methods.networks.model import FusionModel, state_problems
from paddle_umsft.methods.networks.psf_layers import KnownPsf
from paddle_umsft.methods.networks.runtime import computing_in, idle_gpu, place_and_seed
from paddle_umsft.methods.networks.spectral_subspace import spectral_subspace
from paddle_umsft.methods.networks.warm_up import Images, Stage, warm_up_stages

MB_PER_GB = 1024
# Ends of notes on a model that is applied without a single step.
RANDOM_OUTPUT = "the result is what random numbers make of the images"
START_OUTPUT = "what the result has of it is where learning would start"
DECLARED_QUERY = "the declared one was taken, which no training has seen"

Section = TypeVar("Section", bound=BaseModel)


def make_images(observation: Observation, rank: int) -> Images:
    """Turn (H, W, C) arrays into the tensors of one scene, in Paddle's default type."""
    lr_hsi = _bands_first(observation.lr_hsi)  # (C, h, w)
    hr_msi = _bands_first(observation.hr_msi)  # (M, H, W)
    basis, coeffs = spectral_subspace(lr_hsi, rank)
    return Images(
        lr_hsi=paddle.to_tensor(lr_hsi[None]),
        hr_msi=paddle.to_tensor(hr_msi[None]),
        basis=paddle.to_tensor(basis),
        coeffs=paddle.to_tensor(coeffs),
        scale=observation.scale,
    )


def _bands_first(image: np.ndarray) -> np.ndarray:
    """(H, W, C) to (C, H, W), in Paddle's default type."""
    bands = image.transpose(2, 0, 1)
    bands = np.ascontiguousarray(bands)
    return bands.astype(paddle.get_default_dtype())


def without_weights(section: Section) -> Section:
    """Return a section that starts from nothing: what a checkpoint brings makes the files needless."""
    return section.model_copy(update={"weights": None, "vgg_weights": None})


@dataclass(frozen=True)
class Start:
    """What a network starts from, as the settings have it.

    Attributes:
        weights: File of the network's own weights; None: none.
        vgg_weights: File of the encoders'; None: none.
        vgg_key: The setting that would name the latter.
    """

    weights: Optional[str]
    vgg_weights: Optional[str]
    vgg_key: str

    def lines(self, started: tuple[str, ...]) -> list[str]:
        """Lines for the log.

        Args:
            started: Parts of the model that started from `weights`.
        """
        lines = []
        if started:
            lines.append(f"start      {self.weights}: {', '.join(started)}")
        if "network" not in started:
            random = f"random (no {self.vgg_key}: published results start from ImageNet's VGG16-BN)"
            lines.append(f"encoders   {self.vgg_weights or random}")
        return lines

    def applied_notes(self, model: FusionModel) -> tuple[str, ...]:
        """Notes on what is missing where a model is applied without a single step.

        Args:
            model: As it stands.
        """
        if "network" not in model.started:
            return (f"nothing was trained and there are no weights of the network: {RANDOM_OUTPUT}",)
        notes = []
        unlearned = " and no ".join(model.not_learned())
        if unlearned:
            notes.append(f"nothing was trained, and {self.weights} has no {unlearned}: {START_OUTPUT}")
        if model.has_declared_query:
            notes.append(f"{self.weights} has no query convolution (P12): {DECLARED_QUERY}")
        return tuple(notes)


@dataclass(frozen=True)
class Recipe:
    """What a trained method brings to the solver.

    Attributes:
        method: Its name.
        warm_up: Settings of steps 1-3.
        build: Makes the model of an observation, in Paddle's default type.
        fusion: Makes step 4 of a scene's images and its model.
        rate_key: Which setting holds the network's rate, for who has to lower it.
        start: What the encoders and the rest start from, as the settings have it; for the log.
        memory_mb: Peak memory that the fit is likely to want; None: nobody has measured it.
        notes: What the user should know of the result, a line each.
    """

    method: str
    warm_up: WarmUpConfig
    build: Callable[[Observation], FusionModel]
    fusion: Callable[[Images, FusionModel], PhasedFusion]
    rate_key: str
    start: Start
    memory_mb: Optional[float] = None
    notes: tuple[str, ...] = field(default=())


class SceneSolver:
    """Fits a network to one observation.

    Args:
        observation: What the two cameras saw. The truth is never given to it.
        recipe: What to fit and how.
        runtime: Device, type and precision.
        seed: Of the network's start.
        cameras: What was learned of both cameras elsewhere (`FusionModel.cameras`): held, and no warm-up.

    Attributes:
        model: Network and degradations.
        is_applied: Whether there is no step to take: the model is applied as it stands.
        stages: The warm-up stages that apply, then the fusion.
        device: "cpu" or "gpu".
        precision: "float32", "bf16" or "float64", of maps and weights.
        position: (stage index, iteration) of the next step.
        seconds: Time spent in steps so far.
    """

    def __init__(
        self,
        observation: Observation,
        recipe: Recipe,
        *,
        runtime: RuntimeConfig,
        seed: int,
        cameras: Optional[Mapping[str, np.ndarray]] = None,
    ) -> None:
        self.device = place_and_seed(runtime, seed)
        self.precision = ops.computes_in()
        if runtime.dtype == "float64":
            self.precision = runtime.dtype
        self.observation = observation
        self.recipe = recipe
        self.seed = seed
        with computing_in(runtime):
            self.images = make_images(observation, recipe.warm_up.rank)
            self.model = recipe.build(observation)
            self.model.train()
            if cameras is not None:
                self.model.hold_cameras(cameras)
            warm_up = warm_up_stages(
                self.images,
                self.model.spatial,
                self.model.spectral,
                recipe.warm_up,
            )
            self.fusion = recipe.fusion(self.images, self.model)
        # Without a step of fusion given weights are applied as they are, their PSF and SRF too.
        self.is_applied = self.fusion.iterations == 0
        if self.is_applied or cameras is not None:
            warm_up = []
        self.stages: list[Stage] = [*warm_up, self.fusion]
        self.position = (0, 0)
        self.seconds = 0.0

    def announce(self, *, resumed: bool) -> list[str]:
        """Lines for the log: on what machine, for how long, with how much memory, from what start."""
        memory = ""
        if self.recipe.memory_mb is not None:
            gigabytes = self.recipe.memory_mb / MB_PER_GB
            memory = f"; about {gigabytes:.1f} GB of memory"
        lines = [f"device     {self.device}{memory}"]
        lines += [f"note       {note}" for note in idle_gpu()]
        if self.device == "cpu":
            lines.append(f"operators  {ops.active()}")
            lines.append(f"threads    {thread_facts()}")
        steps = ", ".join(f"{stage.name} {stage.iterations}" for stage in self.stages)
        lines.append(f"steps      {steps}; seed {self.seed}")
        if not resumed:
            lines += self.recipe.start.lines(self.model.started)
        return lines

    def run(self) -> Iterator[Record]:
        """Go on from `position` to the end, yielding a record after every step.

        A record has stage, iteration (within the main stage, or within its warm-up stage; from 1), step (over all
        stages; from 1), loss, its terms where there are several, lr and seconds.

        Raises:
            DataError: If the loss is not finite: nothing that comes after it would be.
        """
        first_stage, first_iteration = self.position
        done = sum(stage.iterations for stage in self.stages[:first_stage])
        for index in range(first_stage, len(self.stages)):
            stage = self.stages[index]
            for iteration in range(first_iteration, stage.iterations):
                started = time.perf_counter()
                lr = stage.lr  # of this step: it changes behind it
                values = stage.step(iteration)
                self.seconds += time.perf_counter() - started
                count = iteration + 1
                self.position = (index, count)
                name = stage.stage_at(iteration)
                self._check_loss(values["loss"], name, count)
                yield {
                    "stage": name,
                    "iteration": count,
                    "step": done + count,
                    "lr": lr,
                    "seconds": self.seconds,
                    **values,
                }
            done += stage.iterations
            first_iteration = 0

    def _check_loss(
        self,
        loss: float,
        stage: str,
        step: int,
    ) -> None:
        if math.isfinite(loss):
            return
        raise DataError(
            "the loss is no longer a finite number",
            where=f"{self.observation.name}, step {step} of {stage}",
            got=loss,
            hint=f"try a lower rate ({self.recipe.rate_key}), another seed, runtime.amp=off",
        )

    def result(self, history: list[Record]) -> FusionResult:
        """The outcome as arrays."""
        started = time.perf_counter()
        fused = self.fusion.result()
        seconds = self.seconds
        if self.is_applied:  # the one forward pass is all there is
            seconds += time.perf_counter() - started
        srf = self.model.spectral.effective_srf()
        return FusionResult(
            fused=fused.astype(np.float32),
            psf=self.model.spatial.effective_psf(),
            srf=srf,
            history=history,
            method=self.recipe.method,
            seconds=seconds,
            extras=self._facts(),
            notes=self._notes(srf) + ops.notes(),
        )

    def _facts(self) -> dict[str, Any]:
        """In what was computed, and what a known PSF saw beyond the image, for whoever degrades the result again."""
        facts = {"precision": self.precision}
        if isinstance(self.model.spatial, KnownPsf):
            facts["border"] = self.model.spatial.border
        return facts

    def _notes(self, srf: np.ndarray) -> tuple[str, ...]:
        # A model that is applied as it stands: what it lacks explains more than what came out.
        if not self.is_applied:
            return self.recipe.notes + unused_bands(srf)
        notes = self.recipe.start.applied_notes(self.model)
        if "SRF" in self.model.not_learned():
            return notes  # it is a start, of which nothing is to be said but that
        return notes + unused_bands(srf)

    def state_dict(self) -> dict[str, Any]:
        """Everything that moves: `model`, the tensors by name, and the state of what moves them."""
        optimizers = []
        for stage in self.stages:
            of_stage = {name: move.state_dict() for name, move in stage.moves.items()}
            optimizers.append(of_stage)
        state: dict[str, Any] = {
            "model": self.model.state_dict(),
            "optimizers": optimizers,
        }
        # The outputs too: a run killed after its last step has nothing else to take its result from.
        if self.fusion.fused is not None:
            state["fused"] = self.fusion.fused
        if self.fusion.average is not None:
            state["average"] = self.fusion.average
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
        # All of it fits: from here on things change.
        self.model.set_state_dict(state["model"])
        for stage, moves in zip(self.stages, state["optimizers"]):
            for name, move_state in moves.items():
                stage.moves[name].load_state_dict(move_state)
        self.fusion.fused = state.get("fused")
        self.fusion.average = state.get("average")
        self.fusion.precision.load_state_dict(state.get("loss_scaling", {}))


def unused_bands(srf: np.ndarray) -> tuple[str, ...]:
    """Return a note on every MSI band whose learned response is zero everywhere.

    Args:
        srf: (M, C).
    """
    silent = np.flatnonzero(~srf.any(axis=1))
    return tuple(
        f"the learned response of MSI band {band} is zero everywhere, so that band was not used: "
        "give more iterations of the warm-up, another seed, or the SRF (observe.known_srf)"
        for band in silent
    )


def run_all(
    solver: SceneSolver,
    on_record: Optional[OnRecord] = None,
) -> FusionResult:
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
