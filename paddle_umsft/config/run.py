"""Configuration of a whole run: the sections `evaluate`, `output`, `runtime`, and `Config`, which holds them all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Optional

import yaml
from pydantic import Field

from paddle_umsft.config.base import Section
from paddle_umsft.config.data import DataConfig, ObserveConfig
from paddle_umsft.config.ensemble import EnsembleSettings
from paddle_umsft.config.subspace import SubspaceSettings
from paddle_umsft.config.uhntc import UhntcSettings
from paddle_umsft.config.umsft import NetworkConfig, SolverConfig, WarmUpConfig


class EvaluateConfig(Section):
    """Looking at the result on the way. Needs a truth; the method itself never sees it.

    Attributes:
        interval: Iterations between evaluations; 0: only at the end.
        images: Iterations between pictures for VisualDL; 0: only at the end.
        convention: Which definitions the metrics follow (docs/metrics.md).
    """

    interval: int = Field(default=50, ge=0)
    images: int = Field(default=100, ge=0)
    convention: Literal["author", "dian", "yokoya"] = "author"


class OutputConfig(Section):
    """Where results go and how.

    Attributes:
        root: Folder of all runs.
        name: Folder of this run; None: the configuration's name.
        format: File of the fused cube: "npy" or "mat".
        checkpoint_every: Iterations between checkpoints; 0: none but the one at an interrupt.
        keep: How many checkpoints stay.
        visualdl: Whether a VisualDL log is written.
        figures: Whether pictures and report.html are written.
    """

    root: str = "output"
    name: Optional[str] = None
    format: Literal["npy", "mat"] = "npy"
    checkpoint_every: int = Field(default=100, ge=0)
    keep: int = Field(default=2, ge=1)
    visualdl: bool = True
    figures: bool = True


class RuntimeConfig(Section):
    """The machine.

    Attributes:
        device: "auto" takes a GPU where Paddle has one.
        threads: OpenMP threads on the CPU; None: OMP_NUM_THREADS, or the physical cores that the process may use.
        cpu_ops: "auto" takes the CPU fast paths where they work, "plain" Paddle's own operators.
        dtype: "float64" is for checking; it takes the plain path.
        amp: Mixed precision on a GPU, "O1" or "off".
        recompute: Compute activations twice to hold fewer of them.
        deterministic: Ask cuDNN for repeatable algorithms.
    """

    device: Literal["auto", "cpu", "gpu"] = "auto"
    threads: Optional[int] = Field(default=None, ge=1)
    cpu_ops: Literal["auto", "plain"] = "auto"
    dtype: Literal["float32", "float64"] = "float32"
    amp: Literal["off", "O1"] = "off"
    recompute: bool = False
    deterministic: bool = True


class Config(Section):
    """All settings of a run; see the sections."""

    method: Literal["umsft", "uhntc", "subspace", "ensemble", "bicubic", "gsa", "sfim", "cnmf"] = "umsft"
    seed: int = Field(default=1, ge=0, lt=2**31)
    data: DataConfig = Field(default_factory=DataConfig)
    observe: ObserveConfig = Field(default_factory=ObserveConfig)
    warm_up: WarmUpConfig = Field(default_factory=WarmUpConfig)
    solver: SolverConfig = Field(default_factory=SolverConfig)
    network: NetworkConfig = Field(default_factory=NetworkConfig)
    uhntc: UhntcSettings = Field(default_factory=UhntcSettings)
    subspace: SubspaceSettings = Field(default_factory=SubspaceSettings)
    ensemble: EnsembleSettings = Field(default_factory=EnsembleSettings)
    evaluate: EvaluateConfig = Field(default_factory=EvaluateConfig)
    output: OutputConfig = Field(default_factory=OutputConfig)
    runtime: RuntimeConfig = Field(default_factory=RuntimeConfig)

    def to_yaml(self) -> str:
        """The resolved configuration, every key spelled out."""
        return str(yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True))

    def digest(self) -> str:
        """Hash of everything that decides the numbers of a run; where it runs and where the output goes do not.

        Defaults stay out of it, so that a key that comes with a later version leaves earlier runs resumable.
        """
        aside: dict[str, Any] = {"output": True, "evaluate": {"interval", "images"}, "runtime": {"device", "threads"}}
        default = dict(_leaves(type(self)().model_dump(mode="json", exclude=aside)))
        content = _leaves(self.model_dump(mode="json", exclude=aside))
        chosen = {key: value for key, value in content if key not in default or default[key] != value}
        return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:16]


def _leaves(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
