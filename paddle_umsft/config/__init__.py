"""The configuration: typed, closed sections, and their reading from YAML. Knows no method.

Earlier versions had `Config` and `load_config` here; both are names of `paddle_umsft` itself.
"""

from __future__ import annotations

from paddle_umsft.machine.moved import moved_to

__getattr__ = moved_to(__name__, "paddle_umsft", only=("Config", "load_config"))
