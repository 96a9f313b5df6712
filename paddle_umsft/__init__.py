"""Hyperspectral-multispectral image fusion on PaddlePaddle.

    from paddle_umsft import fuse, load_config, UMSFT

Names are imported when first used, so that `import paddle_umsft` costs nothing and settings that must be made
before Paddle loads can be made.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0.dev0"

_EXPORTS = {
    "fuse": "paddle_umsft.api",
    "load_config": "paddle_umsft.config",
    "Config": "paddle_umsft.config",
    "UMSFT": "paddle_umsft.networks.umsft",
    "FusionResult": "paddle_umsft.data.scene",
    "Observation": "paddle_umsft.data.scene",
    "UmsftError": "paddle_umsft.errors",
}
__all__ = ["__version__", *_EXPORTS]


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
