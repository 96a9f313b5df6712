"""`umsft`: which subcommands there are, and the call of one of them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Optional

from paddle_umsft.command.base import BAD_USAGE, DONE, Command, run_command
from paddle_umsft.command.camera import CAMERA
from paddle_umsft.command.check import CHECK
from paddle_umsft.command.convert import CONVERT
from paddle_umsft.command.evaluate import EVALUATE
from paddle_umsft.command.fuse import FUSE
from paddle_umsft.command.info import INFO
from paddle_umsft.command.report import REPORT_COMMAND
from paddle_umsft.command.simulate import SIMULATE
from paddle_umsft.command.train import TRAIN
from paddle_umsft.errors import unknown_name

PROGRAM = "umsft"
# In the order of the work: what is there, does it fit, fuse it, judge it.
COMMANDS: dict[str, Command] = {
    command.name: command for command in (INFO, CHECK, FUSE, TRAIN, EVALUATE, REPORT_COMMAND, SIMULATE, CONVERT, CAMERA)
}


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run `umsft`; returns 0, 2 (bad usage), 3 (bad data) or 130 (interrupted).

    Args:
        argv: Subcommand and its options; None: those of this process.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    if not given or given[0] in ("-h", "--help", "help"):
        print(help_text())
        return DONE
    if given[0] in ("-V", "--version"):
        from paddle_umsft import __version__

        print(f"paddle_umsft {__version__}")
        return DONE
    command = COMMANDS.get(given[0])
    if command is None:
        print(f"error: {unknown_name('subcommand', given[0], COMMANDS, where=PROGRAM)}", file=sys.stderr)
        return BAD_USAGE
    return run_command(command, given[1:], f"{PROGRAM} {command.name}")


def help_text() -> str:
    """Return what `umsft` says of itself."""
    longest = max(len(name) for name in COMMANDS)
    lines = [
        "usage: umsft COMMAND [options]",
        "",
        "Fuse a hyperspectral image with a sharper multispectral one of the same place.",
        "",
    ]
    for command in COMMANDS.values():
        lines.append(f"  {command.name.ljust(longest)}  {command.summary}")
    lines += [
        "",
        "umsft COMMAND --help tells the options of each; those of fuse and train list presets, methods and settings.",
        "A first picture of two files:",
        "  umsft check hsi.hdr s2.tif && umsft fuse hsi.hdr s2.tif -o fused.tif",
    ]
    return "\n".join(lines)
