"""`umsft eval`, `tools/eval.py`: compare fused results, ours or another program's, with the truth."""

from __future__ import annotations

import argparse
import sys
import traceback
from typing import Any

from paddle_umsft.command.base import DONE, Command
from paddle_umsft.command.choices import choices
from paddle_umsft.errors import UmsftError

PRESETS = ("fast", "best", "published")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    add: Any = parser.add_argument
    add(
        "results",
        nargs="*",
        default=[],
        metavar="RUN_OR_FILES",
        help="run folders, scene folders, files, folders of files",
    )
    add("--reference", metavar="FILE", help="the truth: file or folder; default: as the run's config says")
    add("--scale", type=int, metavar="S", help="ratio of the resolutions; default: as the run's config says")
    add("--convention", default="author", metavar="NAME", help="author, dian, yokoya ... or all: see docs/metrics.md")
    add("--key", help="array in a result's .mat or .npz")
    add("--reference-key", help="array in the reference's .mat or .npz")
    add("--normalise", help="divisor of the reference: max, dtype, none or a number; default: the config's")
    add("--result-normalise", default="none", help="the same for the results (default: none)")
    add("--layout", choices=("auto", "hwc", "chw"), help="order of the axes in the files")
    add("--transposed", action="store_true", help="the results are (W, H, C), as the published code writes them")
    add("--crop", type=int, nargs=4, metavar=("TOP", "LEFT", "HEIGHT", "WIDTH"), help="part of the reference")
    add("--without-truth", action="store_true", help="add agreement with the observation, D_lambda, D_s and QNR")
    add("--baselines", action="store_true", help="run baselines and presets on the same observation")
    add("--presets", nargs="*", default=list(PRESETS), metavar="NAME", help=f"default: {' '.join(PRESETS)}; or none")
    add("-c", "--config", metavar="FILE", help="how the observation is simulated; default: the run's config")
    add("-o", "--override", dest="overrides", nargs="+", action="extend", default=[], metavar="key.sub=value",
        help="on top of either")  # fmt: skip
    add("--per-band", action="store_true", help="a table of every band as well")
    for kind in ("csv", "markdown", "latex"):
        add(f"--{kind}", metavar="FILE", help=f"write the table as {kind}")
    add("--output", metavar="DIR", help="with --baselines: save panels and cubes there")


def run(arguments: argparse.Namespace) -> int:
    """Compare; a result that fails does not stop the others, and the worst of their codes is returned."""
    from paddle_umsft.compare import side_by_side, tables
    from paddle_umsft.compare.settings import Settings

    settings = Settings.from_options(vars(arguments))
    keep = None
    if arguments.output:
        keep = side_by_side.save_comparison(arguments.output)
    failed: list[UmsftError] = []
    try:
        rows, failed = side_by_side.evaluate_all(settings, lambda line: print(line, file=sys.stderr), keep)
        shown = "no results"
        if rows:
            shown = tables.results_table(rows).text()
        print(shown)
        if arguments.per_band:
            print("\n" + tables.bands_table(rows).text())
        tables.write_tables(rows, csv=arguments.csv, markdown=arguments.markdown, latex=arguments.latex)
    except UmsftError as stopped:
        # A table that cannot be written says more than the results that failed before.
        if arguments.debug:
            traceback.print_exc()
        failed = [stopped]
    for error in failed:
        print(f"error: {error}", file=sys.stderr)
    return max((error.exit_code for error in failed), default=DONE)


EVALUATE = Command(
    name="eval",
    summary="Compare fused results (ours or another program's) with the truth.",
    add_options=add_options,
    run=run,
    details=(
        "Examples:\n"
        "  %(prog)s output/fast\n"
        "  %(prog)s theirs.mat --reference truth.mat --scale 8 --convention all\n"
        "  %(prog)s -c demo.yml --baselines\n\n" + choices()
    ),
    interrupted="",
)
