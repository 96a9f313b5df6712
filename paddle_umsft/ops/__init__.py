"""Fast paths on the CPU behind the networks' layers, and the switch between them and plain Paddle."""

from __future__ import annotations

from paddle_umsft.ops.mode import active, set_mode, set_recompute, set_threads, threads

__all__ = ["active", "set_mode", "set_recompute", "set_threads", "threads"]
