"""Hyperspectral-multispectral image fusion on PaddlePaddle.

    from paddle_umsft import read_scene, read_pair, simulate, fuse, evaluate, run, load_config

Names are imported when first used. The one thing that the import does is to set the number of threads (and MKL's
code path on AMD processors) in the environment, unless the user has set them or Paddle is loaded already: Paddle
reads both only while it loads.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from paddle_umsft.machine.environment import import_paddle, prepare_environment

__version__ = "0.2.0"

prepare_environment()

_EXPORTS = {
    "read_scene": "paddle_umsft.api",
    "read_pair": "paddle_umsft.api",
    "simulate": "paddle_umsft.api",
    "find_scenes": "paddle_umsft.data.archives",
    "fuse": "paddle_umsft.api",
    "evaluate": "paddle_umsft.metrics",
    "run": "paddle_umsft.runs.run",
    "load_config": "paddle_umsft.config.load",
    "qnr": "paddle_umsft.metrics",
    "convert_file": "paddle_umsft.weights",
    "Config": "paddle_umsft.config.run",
    "UMSFT": "paddle_umsft.methods.umsft.network",
    "Case": "paddle_umsft.data.scene",
    "FusionResult": "paddle_umsft.data.scene",
    "HsiGrid": "paddle_umsft.data.grid",
    "Observation": "paddle_umsft.data.scene",
    "Scene": "paddle_umsft.data.scene",
    "UmsftError": "paddle_umsft.errors",
}
__all__ = ["__version__", *_EXPORTS]


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        if name == "UMSFT":
            import_paddle()
        return getattr(import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
