"""`umsft train`, `tools/train.py`: fuse the scenes of a configuration, with everything that watches a run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Optional

from paddle_umsft.command.base import DONE, SETTINGS, Command
from paddle_umsft.command.choices import choices


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.add_argument("-c", "--config", metavar="FILE", help="configuration; a bare name is looked up in configs/")
    parser.add_argument(
        "-o",
        "--override",
        nargs="+",
        action="extend",
        default=[],
        metavar="key.sub=value",
        help=f"{SETTINGS} data.path=scene.mat observe.scale=4",
    )
    parser.add_argument("--device", choices=("auto", "cpu", "gpu"), help="instead of runtime.device")
    parser.add_argument("--output", metavar="DIR", help="folder for runs (default: output)")
    parser.add_argument("--resume", metavar="DIR", help="a run folder to go on with; finished scenes are skipped")
    parser.add_argument("--share", metavar="i/n", help="this process is the i-th of n, from 0, in one output folder:"
        " for Slurm arrays (paddle.distributed.launch needs none)")  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(arguments: argparse.Namespace) -> int:
    """Fuse; a scene that fails does not stop the others, and the worst of their codes is returned."""
    from paddle_umsft.runs.run import fuse_all, open_run
    from paddle_umsft.runs.run_share import take_share

    if arguments.share is not None:
        take_share(arguments.share)
    folder: Optional[Path] = None
    config, folder = open_run(
        arguments.config,
        arguments.override,
        arguments.device,
        arguments.output,
        arguments.resume,
    )
    # From here on there is something to go on with.
    arguments.interrupted = f"go on with: {arguments.program} --resume {folder}"
    outcomes = fuse_all(config, folder, quiet=arguments.quiet, debug=arguments.debug)
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    if len(outcomes) > 1:
        done = len(outcomes) - len(errors)
        summary = ""
        if done > 0:
            summary = f"; {folder / 'summary.csv'}"
        print(f"{done} of {len(outcomes)} scenes fused{summary}")
    return max((error.exit_code for error in errors), default=DONE)


TRAIN = Command(
    name="train",
    summary="Fuse the scenes of a configuration: one scene or a folder of them, into a run folder.",
    add_options=add_options,
    run=run,
    details=(
        "Examples:\n"
        "  %(prog)s -c demo.yml\n"
        "  %(prog)s -c cave.yml -o data.path=CAVE solver.iterations=300\n"
        "  %(prog)s -c fast.yml -o data.lr_hsi=hsi.hdr data.hr_msi=rgb.tif method=gsa\n\n" + choices()
    ),
)
