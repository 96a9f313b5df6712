"""A trained method that takes milliseconds, for tests of what is done with tiles."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from typing import Any, Optional

import numpy as np

from paddle_umsft.cameras.resize import bicubic_upsample
from paddle_umsft.data.records import Record
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.methods.table import Method

NAME = "toy"
# Seconds that a tile takes where a test wants to see processes beside each other.
SLOWNESS = "TOY_SECONDS"


class Stage:
    def __init__(self, name: str, iterations: int, *, is_main: bool) -> None:
        self.name = name
        self.iterations = iterations
        self.is_main = is_main


class Layer:
    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def effective_psf(self) -> np.ndarray:
        return self.array

    def effective_srf(self) -> np.ndarray:
        return self.array


class Model:
    def __init__(self, gain: np.ndarray, observation: Observation) -> None:
        self.gain = gain
        scale = observation.scale
        self.spatial = Layer(np.full((scale, scale), scale**-2.0))
        self.spectral = Layer(np.full((observation.msi_bands, observation.bands), 1.0 / observation.bands))

    def cameras(self) -> dict[str, np.ndarray]:
        return {"spatial.gain": self.gain}


class ToySolver:
    """Learns one number of the whole pair; interpolates, and adds what its tile's mean says."""

    def __init__(
        self,
        observation: Observation,
        settings: None,
        *,
        seed: int,
        weights: bool = True,
        cameras: Optional[Mapping[str, np.ndarray]] = None,
    ) -> None:
        self.observation = observation
        self.seed = seed
        gain = np.zeros(1)
        self.stages = [Stage("warm", 2, is_main=False), Stage("pull", 2, is_main=True)]
        if cameras is not None:
            gain = cameras["spatial.gain"]
            self.stages = self.stages[1:]
        self.model = Model(gain, observation)

    def run(self) -> Iterator[Record]:
        for stage in self.stages:
            for iteration in range(stage.iterations):
                if not stage.is_main:
                    self.model.gain = np.array([float(self.observation.hr_msi.mean())])
                yield {"stage": stage.name, "iteration": iteration + 1, "loss": 1.0 / (iteration + 1), "seconds": 0.0}

    def result(self, history: list[Record]) -> FusionResult:
        time.sleep(float(os.environ.get(SLOWNESS, "0")))
        fused = bicubic_upsample(self.observation.lr_hsi, self.observation.scale)
        local = float(self.observation.hr_msi.mean()) - float(self.model.gain[0])
        return FusionResult(
            fused=(fused + np.float32(1e-2 * local)).astype(np.float32),
            psf=self.model.spatial.array,
            srf=self.model.spectral.array,
            history=history,
            method=NAME,
            notes=("a toy",),
        )


def _fuse(*arguments: Any, **more: Any) -> FusionResult:
    raise AssertionError("it is trained in tiles")


def memory_of(height: int, width: int, bands: int, msi_bands: int) -> float:
    return 0.002 * height * width


TOY = Method(
    fuse=_fuse,
    trained=ToySolver,
    smallest=8,
    memory_of=memory_of,
)
