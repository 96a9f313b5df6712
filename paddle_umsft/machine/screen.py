"""A screen that goes away is no error: `| head` had enough, the terminal was closed, the file behind `>` is full."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import Any, Callable, TextIO, cast

from paddle_umsft.errors import without_commands


class Screen:
    """Standard output or error that says nothing more once nobody can hear it; all else is the stream's own.

    Args:
        stream: What is written to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or go silent; what a file calls itself commands the terminal nothing."""
        self._heard(self._stream.write, without_commands(text))
        return len(text)

    def flush(self) -> None:
        """Flush, or go silent."""
        self._heard(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _heard(self, action: Callable[..., Any], *arguments: str) -> None:
        # A closed pipe raises at a write or at a flush, whichever comes first.
        try:
            action(*arguments)
        except OSError:
            with suppress(OSError, ValueError):  # a stream without a file behind it
                silence = os.open(os.devnull, os.O_WRONLY)
                # What is still in the buffers goes there too, and so does what Python writes at its end.
                os.dup2(silence, self._stream.fileno())
                os.close(silence)


def screen_may_close() -> None:
    """Let a program go on when its output is cut off; called by the tools, once, before they print."""
    for stream in (sys.stdout, sys.stderr):
        # A name that the screen's letters cannot write is shown by its codes.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if not isinstance(sys.stdout, Screen):
        sys.stdout = cast(TextIO, Screen(sys.stdout))
        sys.stderr = cast(TextIO, Screen(sys.stderr))
