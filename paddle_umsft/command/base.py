"""What every subcommand shares: its entry in the table, and the one place where errors become a line and a code.

Nothing here, nor at the top of a subcommand's file, imports more than Python's own library and the house's errors: a
package that is missing is met inside `guarded`, and help needs none.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable, Optional

from paddle_umsft.errors import StoppedError, UmsftError
from paddle_umsft.machine.paddle_build import INSTALL_HINT

DONE = 0
MISTAKE = UmsftError.exit_code
BAD_USAGE = 2
BAD_DATA = 3
INTERRUPTED = StoppedError.exit_code
# What -o and --set are about, for help; `choices.py` says more.
SETTINGS = "settings on top of the configuration, values as YAML, such as"
EXIT_CODES = (
    "Exit codes: 0 done, 1 a mistake of the program, 2 bad usage or configuration, 3 missing or bad data, "
    "130 interrupted, 143 ended (SIGTERM)."
)


@dataclass(frozen=True)
class Command:
    """A subcommand.

    Attributes:
        name: As it is called.
        summary: What it does, in a line.
        add_options: Adds its options to a parser.
        run: Does it; returns the exit code, errors come as exceptions.
        details: More for its help: examples, mostly.
        interrupted: What is said after "interrupted" at Ctrl-C.
    """

    name: str
    summary: str
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    details: str = ""
    interrupted: str = "nothing was done yet"


def parser_of(command: Command, program: str) -> argparse.ArgumentParser:
    """Return the parser of a subcommand.

    Args:
        command: The subcommand.
        program: What it is called by: "umsft fuse", "python tools/train.py".
    """
    epilog = EXIT_CODES
    if command.details:
        epilog = f"{command.details}\n\n{EXIT_CODES}"
    parser = argparse.ArgumentParser(
        prog=program,
        description=command.summary,
        # Lines of examples stay lines.
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=epilog.replace("%(prog)s", program),
    )
    command.add_options(parser)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def run_command(
    command: Command,
    argv: Optional[Sequence[str]],
    program: str,
) -> int:
    """Parse and run a subcommand.

    Args:
        command: The subcommand.
        argv: Its arguments; None: those of this process.
        program: What it is called by.

    Returns:
        The exit code.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    parser = parser_of(command, program)
    if not given and _needs_arguments(parser):
        parser.print_help(sys.stderr)
        return BAD_USAGE
    arguments = parser.parse_args(given)
    arguments.program = program
    return guarded(command, arguments)


def guarded(command: Command, arguments: argparse.Namespace) -> int:
    """Run a subcommand; whatever goes wrong becomes one line and its exit code.

    Args:
        command: The subcommand.
        arguments: Its options. What it finds out about going on after Ctrl-C it leaves in `arguments.interrupted`.
    """
    arguments.interrupted = command.interrupted
    try:
        from paddle_umsft.machine.screen import screen_may_close

        screen_may_close()
        from paddle_umsft.machine.failures import in_one_line

        with in_one_line(command.name, way_out="free space or mend the path"):
            return command.run(arguments)
    except (KeyboardInterrupt, StoppedError) as stop:
        print(f"interrupted; {arguments.interrupted}".removesuffix("; "), file=sys.stderr)
        # Of a batch system's end, 143.
        return getattr(stop, "exit_code", INTERRUPTED)
    except UmsftError as error:
        if arguments.debug:
            traceback.print_exc()
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except ModuleNotFoundError as error:
        # One of ours that is missing is a mistake of ours.
        if error.name is None or error.name.startswith("paddle_umsft"):
            return _mistaken(error, arguments)
        if arguments.debug:
            traceback.print_exc()
        print(f"error: {error}; {INSTALL_HINT}", file=sys.stderr)
        return BAD_USAGE
    except Exception as error:
        return _mistaken(error, arguments)


def _mistaken(error: Exception, arguments: argparse.Namespace) -> int:
    """Say in one line that the program is at fault; `--debug` shows where."""
    from paddle_umsft.machine.failures import as_own_error

    if arguments.debug:
        traceback.print_exc()
    print(f"error: {as_own_error(error)}", file=sys.stderr)
    return MISTAKE


def _needs_arguments(parser: argparse.ArgumentParser) -> bool:
    """Return whether a parser can do nothing without arguments."""
    return any(action.required for action in parser._actions)
