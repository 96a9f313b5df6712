"""Modules that have moved: their earlier names still work, and say where what they held is now.

Which names these are: `EARLIER_NAMES` of `tests/test_import_rules.py`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Callable, Optional

MOVED_IN = "0.2.0"
GOES_IN = "0.4.0"
# The frames of `warn_moved`, of what was asked for, and of the caller, whose line is to be changed.
TO_CALLER = 3


def moved_to(earlier: str, module: str, only: Optional[Sequence[str]] = None) -> Callable[[str], Any]:
    """Return a module's `__getattr__` that finds its names in another module, with a warning at each use.

    The import alone says nothing: a line that uses nothing has nothing to be changed.

    Args:
        earlier: Name of the module that is asked.
        module: Where its names are now.
        only: These; None: all.
    """

    def look_up(name: str) -> Any:
        # What Python and its tools ask every module for is no use of it.
        if name.startswith("__") or (only is not None and name not in only):
            raise AttributeError(f"module {earlier!r} has no attribute {name!r}")
        found = getattr(import_module(module), name)
        warn_moved(f"{earlier}.{name}", f"{module}.{name}")
        return found

    return look_up


def warn_moved(earlier: str, now: str) -> None:
    """Warn the caller of the function that calls this one.

    Args:
        earlier: What was asked for.
        now: What to ask for from now on.
    """
    text = f"{earlier} has moved in {MOVED_IN} and goes in {GOES_IN}; use {now}"
    warnings.warn(text, DeprecationWarning, stacklevel=TO_CALLER)
