"""Convert weights between PyTorch and Paddle: python tools/convert_weights.py SRC DST."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from paddle_umsft.weights import Report

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse(argv: Optional[Sequence[str]], parts: Sequence[str]) -> argparse.Namespace:
    """Return the arguments; bad usage ends the program with code 2, a question for help with 0."""
    parser = argparse.ArgumentParser(
        description="Convert weights between PyTorch and Paddle; neither of them need be installed.",
        epilog="Exit codes: 0 done, 2 bad usage, 3 the source cannot be used (nothing is written).",
    )
    parser.add_argument("source", metavar="SRC", help=".pth, .pt, .pdparams or .safetensors")
    parser.add_argument("target", metavar="DST", help=".pdparams (this package's names), .pth or .pt (the published)")
    parser.add_argument("--key", help="entry of a checkpoint to take, for instance model")
    parser.add_argument("--part", choices=parts, help="network to take, if SRC holds several")
    parser.add_argument(
        "--image-size",
        nargs=2,
        type=int,
        metavar=("H", "W"),
        help="towards PyTorch: for which image uHNTC's unused attentions are filled in (else as they were, or 128 128)",
    )
    parser.add_argument("--all", action="store_true", help="list every tensor in the table")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser.parse_args(argv)


def show(report: Report, every_name: bool) -> None:
    """Print what the source is, the table and both digests."""
    source_name, source_digest = report.source
    print(f"{source_name}: {report.recognised}, sha256 {source_digest}")
    print(report.table(every_name))
    result_name, result_digest = report.result
    if result_digest:
        print(f"{result_name}: {report.grammar}'s names, sha256 {result_digest}")


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run; returns 0, 2 (bad usage), 3 (bad source) or 130 (interrupted)."""
    try:
        from paddle_umsft.errors import UmsftError
        from paddle_umsft.machine.screen import screen_may_close
        from paddle_umsft.weights import IncompleteError, convert_file
        from paddle_umsft.weights.convert import PARTS
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return 130
    except ImportError as error:
        print(f"{error}; install first: pip install -r requirements-cpu.txt (or requirements.txt)", file=sys.stderr)
        return 2
    arguments = parse(argv, PARTS)
    screen_may_close()
    image_size = None
    if arguments.image_size is not None:
        height, width = arguments.image_size
        image_size = (height, width)
    try:
        report = convert_file(
            arguments.source,
            arguments.target,
            key=arguments.key,
            part=arguments.part,
            image_size=image_size,
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
