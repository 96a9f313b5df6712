"""What an iterative method tells about each of its steps."""

from __future__ import annotations

from typing import Any, Callable

# One step of a method: `stage`, `iteration` (from 1 within the main stage or the warm-up stage), `step` (from 1 over
# all stages), `loss`, `lr`, `seconds` so far, and whatever terms the loss has, each under its own name.
Record = dict[str, Any]
# What a method calls with every record, as soon as there is one.
OnRecord = Callable[[Record], None]

# The columns that every record of a trained method has, in the order of history.csv; all else is a term of its loss.
POSITION_KEYS = ("step", "stage", "iteration", "lr", "seconds", "loss")
