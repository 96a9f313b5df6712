"""Earlier name of `paddle_umsft.runs.folder`."""

from __future__ import annotations

from paddle_umsft.machine.moved import moved_to

__getattr__ = moved_to(__name__, "paddle_umsft.runs.folder")
