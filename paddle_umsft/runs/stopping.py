"""Ctrl-C and SIGTERM, a batch system's end: heard between two steps, where everything can be saved."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable, Optional

from paddle_umsft.errors import StoppedError, TerminatedError

# After which a stop that was dropped is sent again.
AGAIN_SECONDS = 0.02


class Terminated(KeyboardInterrupt):
    """SIGTERM where there is nothing to save.

    Attributes:
        exit_code: What a command line tool returns for it.
    """

    exit_code = TerminatedError.exit_code


@contextmanager
def termination_is_heard() -> Iterator[None]:
    """Raise `Terminated` on SIGTERM, so that a run ends as it does on Ctrl-C: in one line, its folder in order."""

    def stop(number: int, frame: object) -> None:
        raise Terminated

    with _none_swallowed(), _handling({signal.SIGTERM: stop}):
        yield


@contextmanager
def _none_swallowed() -> Iterator[None]:
    """Send a stop once more that fell into a finaliser: Python drops what is raised there, with a traceback."""
    before = sys.unraisablehook

    def again(dropped: Any) -> None:
        if not isinstance(dropped.exc_value, KeyboardInterrupt):
            before(dropped)
            return
        number = signal.SIGINT
        if isinstance(dropped.exc_value, Terminated):
            number = signal.SIGTERM
        # Not at once: it would fall into this very hook.
        later = threading.Timer(AGAIN_SECONDS, signal.raise_signal, (number,))
        later.daemon = True
        later.start()

    sys.unraisablehook = again
    try:
        yield
    finally:
        sys.unraisablehook = before


@contextmanager
def stop_between_steps(log: logging.Logger) -> Iterator[Callable[[], Optional[type[StoppedError]]]]:
    """Hold Ctrl-C and SIGTERM back until the step at hand is whole: half a step cannot be saved.

    A second one stops at once, and loses what came after the last checkpoint.

    Args:
        log: Is told.

    Yields:
        A function that returns the error to stop with, or None.
    """
    asked: list[int] = []

    def ask(number: int, frame: object) -> None:
        if asked:
            raise _error_of(number)
        asked.append(number)
        log.info("stopping after this step; once more to stop at once")

    def to_stop_with() -> Optional[type[StoppedError]]:
        if not asked:
            return None
        if asked[0] == signal.SIGTERM:
            return TerminatedError
        return StoppedError

    with _handling({signal.SIGINT: ask, signal.SIGTERM: ask}):
        yield to_stop_with


def _error_of(number: int) -> KeyboardInterrupt:
    """Return what a signal raises that stops at once."""
    if number == signal.SIGTERM:
        return Terminated()
    return KeyboardInterrupt()


@contextmanager
def _handling(handlers: dict[signal.Signals, Any]) -> Iterator[None]:
    """Handle signals; in other threads than the main one nothing changes, as signals are the main thread's."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            # A handler that is not Python's cannot be put back by it.
            if handler is not None:
                signal.signal(number, handler)
