"""Compare fused results with the truth: python tools/eval.py RUN_OR_FILES... --reference FILE."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

PRESETS = ("fast", "best", "published")


def parse(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare fused results (ours or another program's) with the truth.")
    add: Any = parser.add_argument
    add("results", nargs="*", metavar="RUN_OR_FILES", help="run folders, scene folders, files, folders of files")
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
    add("--debug", action="store_true", help="show the traceback of an error")
    return parser.parse_args(argv)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run; returns 0, 2 (bad usage), 3 (bad data) or 130 (interrupted, after the table of what was done)."""
    args = parse(argv)
    try:
        from paddle_umsft.compare import side_by_side, tables
        from paddle_umsft.compare.settings import Settings
        from paddle_umsft.errors import UmsftError
        from paddle_umsft.machine.screen import screen_may_close

        screen_may_close()
        settings = Settings.from_options(vars(args))
        keep = None
        if args.output:
            keep = side_by_side.save_comparison(args.output)
        rows, failed = side_by_side.evaluate_all(settings, lambda line: print(line, file=sys.stderr), keep)
        print(tables.results_table(rows).text() if rows else "no results")
        if args.per_band:
            print("\n" + tables.bands_table(rows).text())
        tables.write_tables(rows, csv=args.csv, markdown=args.markdown, latex=args.latex)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except UmsftError as error:
        if args.debug:
            traceback.print_exc()
        failed = [error]
    for error in failed:
        print(f"error: {error}", file=sys.stderr)
    return max((error.exit_code for error in failed), default=0)


if __name__ == "__main__":
    sys.exit(main())
