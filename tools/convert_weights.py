"""Converts weights between PyTorch and Paddle: python tools/convert_weights.py SRC DST."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from paddle_umsft.weights import Report

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def build_parser() -> argparse.ArgumentParser:
    """Returns the command line."""
    from paddle_umsft.weights.convert import PARTS

    parser = argparse.ArgumentParser(
        description="Converts weights between PyTorch and Paddle; neither of them need be installed.",
        epilog="Exit codes: 0 done, 2 bad usage, 3 the source cannot be used (nothing is written).",
    )
    parser.add_argument("source", metavar="SRC", help=".pth, .pt, .pdparams, .safetensors or .npz")
    parser.add_argument("target", metavar="DST", help=".pdparams, .pth, .pt or .safetensors")
    parser.add_argument("--to", choices=("paddle", "torch"), help="whose names to write; default: as DST's ending says")
    parser.add_argument("--key", help="entry of a checkpoint to take, for instance model")
    parser.add_argument("--part", choices=PARTS, help="network to take, if SRC holds several")
    parser.add_argument(
        "--image-size",
        nargs=2,
        type=int,
        metavar=("H", "W"),
        help="towards PyTorch: for which image uHNTC's unused attentions are filled in (else as they were, or 128 128)",
    )
    parser.add_argument("--all", action="store_true", help="list every tensor in the table")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def show(report: Report, every_name: bool) -> None:
    """Prints what the source is, the table and both digests."""
    print(f"{report.source[0]}: {report.recognised}, sha256 {report.source[1]}")
    print(report.table(every_name))
    if report.result[1]:
        print(f"{report.result[0]}: {report.grammar}'s names, sha256 {report.result[1]}")


def main(argv: Optional[list[str]] = None) -> int:
    """Runs the command line; returns the exit code."""
    try:
        arguments = build_parser().parse_args(argv)
        from paddle_umsft.errors import UmsftError
        from paddle_umsft.machine.screen import screen_may_close
        from paddle_umsft.weights import IncompleteError, convert_file

        screen_may_close()
        report = convert_file(
            arguments.source,
            arguments.target,
            to=arguments.to,
            key=arguments.key,
            part=arguments.part,
            image_size=tuple(arguments.image_size) if arguments.image_size else None,
        )
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return 130
    except UmsftError as error:
        if arguments.debug:
            raise
        if isinstance(error, IncompleteError):
            show(error.report, arguments.all)
        print(error, file=sys.stderr)
        return error.exit_code
    show(report, arguments.all)
    return 0


if __name__ == "__main__":
    sys.exit(main())
