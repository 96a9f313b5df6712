"""The package's own exceptions: one line each, saying what, where, expected, got, and the way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

# Likeness from which on a name is worth suggesting.
SIMILAR_NAME = 0.5
# Letters of what is no name that a message shows.
SHOWN_NAME = 80
# Of what was expected or found a message shows this much, end included: a file may hold a line of a megabyte.
SHOWN_LETTERS = 1000


# Control characters but tab and both ends of a line, and those that turn the direction of writing.
_CONTROLS = [*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), *range(0x7F, 0xA0)]
_TURNING = [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_COMMANDS = {code: ascii(chr(code))[1:-1] for code in (*_CONTROLS, *_TURNING)}


class UmsftError(Exception):
    """Base of every error the package raises on purpose.

    Args:
        what: What is wrong, in a few words.
        where: The file, config key or argument it concerns.
        expected: What would have been right.
        got: What was found instead.
        hint: The way out.

    Attributes:
        exit_code: What a command line tool returns for it.
    """

    exit_code = 1

    def __init__(
        self,
        what: str,
        *,
        where: Any = None,
        expected: Any = None,
        got: Any = None,
        hint: str | None = None,
    ) -> None:
        parts = [f"{where}: {what}" if where is not None else what]
        if expected is not None:
            parts.append(f"expected {_shown(expected)}")
        if got is not None:
            parts.append(f"got {_shown(got)}")
        message = ", ".join(parts)
        if hint:
            message += f"; {hint}"
        super().__init__(without_commands(" ".join(message.split())))

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows of it: the line, which says all, instead of thirty of a traceback.

        References:
            IPython, `InteractiveShell.showtraceback`: an exception with this method draws itself.
        """
        return [f"{type(self).__name__}: {self}"]


def without_commands(text: str) -> str:
    """Return a text in which whatever is a command to a terminal is shown by its code instead.

    A name in a file that somebody sent could clear the screen, write a title, or turn the line around.

    Args:
        text: Of one line or several.
    """
    return text.translate(_COMMANDS)


def _shown(value: Any) -> str:
    """Return a value as text, its middle left out where it is long."""
    text = str(value)
    if len(text) <= SHOWN_LETTERS:
        return text
    half = SHOWN_LETTERS // 2
    return f"{text[:half]} ... {text[-half:]}"


class ConfigError(UmsftError):
    """Wrong usage or configuration."""

    exit_code = 2


class DataError(UmsftError):
    """Missing, unreadable or unusable data."""

    exit_code = 3


class StoppedError(UmsftError):
    """The user stopped it; what was done so far is not lost."""

    exit_code = 130


class TerminatedError(StoppedError):
    """The system ended it (SIGTERM); what was done so far is not lost."""

    exit_code = 143


class CheckpointError(DataError):
    """A checkpoint that cannot be written, read or trusted."""


class ConversionError(DataError):
    """A weight file that cannot be converted."""


def unknown_name(
    what: str,
    name: Any,
    known: Iterable[str],
    *,
    where: str,
) -> ConfigError:
    """Return the error for a name that is in no table, with the nearest one that is.

    Args:
        what: What it should be a name of, such as `method`.
        name: What the user wrote, which may be no text at all.
        known: All names of the table.
        where: The setting or option that it stands in.
    """
    names = list(known)
    listed = ", ".join(names)
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=SIMILAR_NAME)
    hint = None
    if near:
        hint = f"did you mean {near[0]}?"
    return ConfigError(
        f"unknown {what}",
        where=where,
        expected=f"one of {listed}",
        got=repr(name)[:SHOWN_NAME],
        hint=hint,
    )
