"""All fusion methods by name, imported when called for."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Callable, Optional

from paddle_umsft.config.run import Config
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.machine.environment import import_paddle

METHODS = {
    "umsft": "paddle_umsft.methods.umsft.solver:fuse_umsft",
    "uhntc": "paddle_umsft.methods.uhntc.solver:fuse_uhntc",
    "subspace": "paddle_umsft.methods.subspace.method:fuse_subspace",
    "ensemble": "paddle_umsft.methods.subspace.ensemble:fuse_ensemble",
    "bicubic": "paddle_umsft.methods.baselines.bicubic:fuse_bicubic",
    "gsa": "paddle_umsft.methods.baselines.gsa:fuse_gsa",
    "sfim": "paddle_umsft.methods.baselines.sfim:fuse_sfim",
    "cnmf": "paddle_umsft.methods.baselines.cnmf:fuse_cnmf",
}
TRAINED = ("umsft", "uhntc")  # what needs Paddle


def run_method(
    observation: Observation, config: Config, on_record: Optional[Callable[[dict[str, Any]], None]] = None
) -> FusionResult:
    """Fuse with the method that the configuration names.

    Args:
        observation: What the two cameras saw.
        config: All settings; `config.method` decides.
        on_record: Called with every record of an iterative method.
    """
    if config.method in TRAINED:
        import_paddle()
    module, function = METHODS[config.method].split(":")
    result: FusionResult = getattr(import_module(module), function)(observation, config, on_record)
    return result
