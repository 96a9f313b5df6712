"""Two presets of benchmarks/quality.py, run by run: python benchmarks/paired.py FOLDER/quality.csv FIRST SECOND.

Runs of the same scene, scale, seed and options are compared with each other, so that what makes scenes and starts
different falls out. For either preset mean and standard deviation over the runs; of the differences (second minus
first) mean, standard deviation, standard error of the mean, least and largest.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddle_umsft.machine.tables import TextTable

FIGURES = ("PSNR", "SAM", "ERGAS", "SSIM", "seconds")
# What two runs have to have in common to be a pair.
KEYS = ("scene", "size", "scale", "seed", "psf", "srf", "snr_db", "options", "convention")
DIGITS = 3
HEAD = ("", "pairs", "first", "second", "difference", "error of its mean", "least", "largest")

Row = dict[str, str]


def build_parser() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("rows", type=Path, metavar="CSV", help="of benchmarks/quality.py")
    parser.add_argument("first", metavar="PRESET", help="as in the file, settings behind a colon and all")
    parser.add_argument("second", metavar="PRESET")
    return parser


def pairs_of(
    rows: Sequence[Row],
    first: str,
    second: str,
) -> list[tuple[Row, Row]]:
    """Return the runs of both presets that have everything else in common; those of one only are left out."""
    of_first = runs_of(rows, first)
    of_second = runs_of(rows, second)
    pairs = []
    for key, run in of_first.items():
        if key in of_second:
            pairs.append((run, of_second[key]))
    return pairs


def runs_of(rows: Sequence[Row], preset: str) -> dict[tuple[str, ...], Row]:
    """Return the runs of a preset by what they have in common with others."""
    runs = {}
    for row in rows:
        # A run that failed has no figures.
        if row["preset"] != preset or row["error"]:
            continue
        key = tuple(row[name] for name in KEYS)
        runs[key] = row
    return runs


def compared(
    pairs: Sequence[tuple[Row, Row]],
    figure: str,
) -> list[str]:
    """Return the cells of one figure's line."""
    ones = []
    others = []
    differences = []
    for one, other in pairs:
        first = float(one[figure])
        second = float(other[figure])
        ones.append(first)
        others.append(second)
        differences.append(second - first)
    deviation = statistics.stdev(differences)
    error = deviation / len(differences) ** 0.5
    return [
        figure,
        str(len(pairs)),
        spread(ones),
        spread(others),
        spread(differences),
        f"{error:.{DIGITS}f}",
        f"{min(differences):.{DIGITS}f}",
        f"{max(differences):.{DIGITS}f}",
    ]


def spread(values: Sequence[float]) -> str:
    """Return mean and standard deviation in words."""
    mean = statistics.mean(values)
    deviation = statistics.stdev(values)
    return f"{mean:.{DIGITS}f} ± {deviation:.{DIGITS}f}"


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Print the table; returns the exit code."""
    args = build_parser().parse_args(argv)
    with args.rows.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    pairs = pairs_of(rows, args.first, args.second)
    if len(pairs) < 2:
        found = f"{len(pairs)} pairs of {args.first} and {args.second}"
        print(f"error: {args.rows}: {found}", file=sys.stderr)
        return 3
    lines = [compared(pairs, figure) for figure in FIGURES]
    print(TextTable(list(HEAD), lines, words=1).markdown())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
