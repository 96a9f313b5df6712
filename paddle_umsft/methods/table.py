"""All fusion methods by name, imported when called for."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Callable, Optional

from paddle_umsft.config import Config
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.runtime_env import import_paddle

METHODS = {
    "umsft": "paddle_umsft.solver:fuse_umsft",
    "subspace": "paddle_umsft.subspace.method:fuse_subspace",
    "hybrid": "paddle_umsft.hybrid.method:fuse_hybrid",
    "bicubic": "paddle_umsft.baselines.bicubic:fuse_bicubic",
    "gsa": "paddle_umsft.baselines.gsa:fuse_gsa",
    "sfim": "paddle_umsft.baselines.sfim:fuse_sfim",
    "cnmf": "paddle_umsft.baselines.cnmf:fuse_cnmf",
}


def run_method(
    observation: Observation, config: Config, on_record: Optional[Callable[[dict[str, Any]], None]] = None
) -> FusionResult:
    """Fuse with the method that the configuration names.

    Args:
        observation: What the two cameras saw.
        config: All settings; `config.method` decides.
        on_record: Called with every record of an iterative method.
    """
    if config.method == "umsft":
        import_paddle()
    module, function = METHODS[config.method].split(":")
    result: FusionResult = getattr(import_module(module), function)(observation, config, on_record)
    return result
