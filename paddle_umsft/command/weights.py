"""`tools/convert_weights.py` and the half of `umsft convert` that is about weights: between PyTorch and Paddle."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from paddle_umsft.command.base import DONE, Command

if TYPE_CHECKING:
    from paddle_umsft.weights import Report


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.add_argument("source", metavar="SRC", help=".pth, .pt, .pdparams or .safetensors")
    parser.add_argument("target", metavar="DST", help=".pdparams (this package's names), .pth or .pt (the published)")
    parser.add_argument("--key", help="entry of a checkpoint to take, for instance model")
    add_more(parser)


def add_more(parser: argparse._ActionsContainer) -> None:
    """Add the options that only weights have."""
    parser.add_argument("--part", metavar="NAME", help="network to take, if SRC holds several: umsft, vgg, srf ...")
    parser.add_argument(
        "--image-size",
        nargs=2,
        type=int,
        metavar=("H", "W"),
        help="towards PyTorch: for which image uHNTC's unused attentions are filled in (else as they were, or 128 128)",
    )
    parser.add_argument("--all", action="store_true", help="list every tensor in the table")


def run(arguments: argparse.Namespace) -> int:
    """Convert; of what is missing or left over, the table is shown too."""
    from paddle_umsft.weights import IncompleteError, convert_file

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
    except IncompleteError as error:
        # Which tensors are missing or left over, the table tells better than the line.
        show(error.report, arguments.all)
        raise
    show(report, arguments.all)
    return DONE


def show(report: Report, every_name: bool) -> None:
    """Print what the source is, the table and both digests."""
    source_name, source_digest = report.source
    print(f"{source_name}: {report.recognised}, sha256 {source_digest}")
    print(report.table(every_name))
    result_name, result_digest = report.result
    if result_digest:
        print(f"{result_name}: {report.grammar}'s names, sha256 {result_digest}")


WEIGHTS = Command(
    name="convert_weights",
    summary="Convert weights between PyTorch and Paddle; neither of them need be installed.",
    add_options=add_options,
    run=run,
    details="Example:\n  %(prog)s published.pth model.pdparams",
    interrupted="nothing was written",
)
