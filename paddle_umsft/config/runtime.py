"""Configuration section `runtime`: the machine."""

from __future__ import annotations

from typing import Any, Literal, Optional, Union

from pydantic import Field, field_validator, model_validator

from paddle_umsft.config.base import Section
from paddle_umsft.machine.memory import bytes_of


class RuntimeConfig(Section):
    """The machine.

    Attributes:
        device: "auto" takes a GPU where Paddle has one.
        threads: OpenMP threads on the CPU; None: OMP_NUM_THREADS, or the physical cores that the process may use.
        cpu_ops: "auto" takes the CPU fast paths where they work, "plain" Paddle's own operators.
        dtype: "float64" is for checking; it takes the plain path.
        precision: What the networks' maps and weights are inside the CPU fast paths: "bf16" (8 significant bits; sums,
            statistics and the parameters themselves stay float32) takes half the time where the processor has
            instructions for it, and is refused elsewhere.
        amp: Mixed precision on a GPU, "O1" or "off".
        recompute: Compute activations twice to hold fewer of them.
        deterministic: Ask cuDNN for repeatable algorithms.
        memory: What a run may take, such as "4GB" or "800MB"; "auto": most of what the machine or its container leaves.
            A scene that needs more goes strip by strip, or tile by tile, where its method can (docs/scaling.md).
        tile: HR pixels of a tile's side, for methods that are trained; "auto": the scene is trained as a whole where
            that fits into memory, else in the largest tiles that do; "none": as a whole in any case. Tiles are an
            approximation (docs/scaling.md).
    """

    device: Literal["auto", "cpu", "gpu"] = "auto"
    threads: Optional[int] = Field(default=None, ge=1, le=1024)
    cpu_ops: Literal["auto", "plain"] = "auto"
    dtype: Literal["float32", "float64"] = "float32"
    precision: Literal["float32", "bf16"] = "float32"
    amp: Literal["off", "O1"] = "off"
    recompute: bool = False
    deterministic: bool = True
    memory: str = "auto"
    tile: Union[int, Literal["auto", "none"]] = "auto"

    @field_validator("amp", mode="before")
    @classmethod
    def _off_is_a_word(cls, value: Any) -> Any:
        # YAML 1.1 reads a bare `off` as false.
        if value is False:
            return "off"
        return value

    @field_validator("memory")
    @classmethod
    def _is_a_size(cls, value: str) -> str:
        if value != "auto":
            bytes_of(value)
        return value

    @field_validator("tile", mode="before")
    @classmethod
    def _none_is_a_word(cls, value: Any) -> Any:
        # Whoever writes YAML's own word for nothing means it.
        if value is None:
            return "none"
        return value

    @field_validator("tile")
    @classmethod
    def _is_a_side(cls, value: Union[int, str]) -> Union[int, str]:
        if isinstance(value, int) and value < 1:
            raise ValueError("a tile's side in HR pixels, at least 1")
        return value

    @model_validator(mode="after")
    def _bf16_is_of_the_fast_paths(self) -> RuntimeConfig:
        if self.precision == "float32":
            return self
        if self.dtype == "float64":
            raise ValueError("precision: bf16 and dtype: float64 exclude each other")
        if self.cpu_ops == "plain":
            raise ValueError("precision: bf16 is of the CPU fast paths, which cpu_ops: plain switches off")
        if self.device == "gpu":
            raise ValueError("precision: bf16 is of the CPU; on a GPU there is amp: O1")
        return self
