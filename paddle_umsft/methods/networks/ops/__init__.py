"""Fast paths on the CPU behind the networks' layers, and the switch between them and plain Paddle."""

from __future__ import annotations

from paddle_umsft.methods.networks.ops.mode import (
    active,
    computes_in,
    notes,
    set_mode,
    set_precision,
    set_recompute,
    set_threads,
    threads,
)
from paddle_umsft.methods.networks.ops.precision import MixedPrecision, set_cudnn

__all__ = [
    "MixedPrecision",
    "active",
    "computes_in",
    "notes",
    "set_cudnn",
    "set_mode",
    "set_precision",
    "set_recompute",
    "set_threads",
    "threads",
]
