"""Tables of evaluation rows: on screen, CSV, Markdown, LaTeX."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import numpy as np

from paddle_umsft.compare.files import Row
from paddle_umsft.errors import DataError

# These come first and last, in this order; everything else stands between as it appears.
_FIRST = ("PSNR", "SAM", "ERGAS", "SSIM", "RMSE")
_LAST = ("D_lambda", "D_s", "QNR", "PSNR_HSI", "SAM_HSI", "PSNR_MSI", "SAM_MSI", "seconds")
_UNITS = {"PSNR": "dB", "SAM": "°", "PSNR_HSI": "dB", "SAM_HSI": "°", "PSNR_MSI": "dB", "SAM_MSI": "°", "seconds": "s"}
_DIGITS = {"PSNR": 2, "SAM": 2, "ERGAS": 3, "RMSE": 3, "DD": 3, "seconds": 1, "PSNR_HSI": 2, "PSNR_MSI": 2}
MISSING = "–"


class Table:
    """Rows of text under a head.

    Args:
        head: Titles of the columns.
        lines: One list of cells per line.
    """

    def __init__(self, head: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
        self.head, self.lines = list(head), [list(line) for line in lines]

    def text(self) -> str:
        """Columns lined up with blanks, numbers to the right."""
        widths = [max(len(line[i]) for line in [self.head, *self.lines]) for i in range(len(self.head))]
        rows = [
            "  ".join(
                cell.ljust(width) if i < _words(self.head) else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths))
            ).rstrip()
            for line in [self.head, *self.lines]
        ]
        return "\n".join([rows[0], "-" * max(len(row) for row in rows), *rows[1:]])

    def csv(self) -> str:
        """Comma separated values."""
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([self.head, *self.lines])
        return out.getvalue()

    def markdown(self) -> str:
        """A Markdown table."""
        words = _words(self.head)
        rule = ["---" if i < words else "---:" for i in range(len(self.head))]
        escaped = [[cell.replace("|", "\\|") for cell in line] for line in [self.head, *self.lines]]
        lines = [escaped[0], rule, *escaped[1:]]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"

    def latex(self) -> str:
        """A LaTeX tabular with the rules of the package booktabs."""
        words = _words(self.head)
        body = [" & ".join(_tex(cell) for cell in line) + r" \\" for line in [self.head, *self.lines]]
        columns = "l" * words + "r" * (len(self.head) - words)
        begin, end = rf"\begin{{tabular}}{{{columns}}}", r"\end{tabular}"
        return "\n".join([begin, r"\toprule", body[0], r"\midrule", *body[1:], r"\bottomrule", end]) + "\n"


def _words(head: Sequence[str]) -> int:
    """Number of leading columns that hold words."""
    return sum(title in ("file", "scene", "convention", "band") for title in head)


def _tex(cell: str) -> str:
    for plain, escaped in (
        ("\\", r"\textbackslash "), ("&", r"\&"), ("%", r"\%"), ("_", r"\_"), ("#", r"\#"), ("$", r"\$"),
        ("±", r"$\pm$"), ("°", r"$^\circ$"), ("∞", r"$\infty$"), ("–", "--"),
    ):  # fmt: skip
        cell = cell.replace(plain, escaped)
    return cell


def _number(name: str, value: Optional[float]) -> str:
    if value is None or math.isnan(value):
        return MISSING
    return "∞" if math.isinf(value) else f"{value:.{_DIGITS.get(name, 4)}f}"


def _figures(rows: Sequence[Row]) -> list[str]:
    names = dict.fromkeys(name for row in rows for name in row.figures)
    between = [name for name in names if name not in _FIRST + _LAST]
    return [name for name in _FIRST if name in names] + between + [name for name in _LAST if name in names]


def _groups(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows of one group and convention over several scenes."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.group, row.convention), []).append(row)
    return [group for group in groups.values() if len({row.scene for row in group}) > 1]


def _mean(group: Sequence[Row], name: str) -> tuple[Optional[float], Optional[float]]:
    values = [row.figures[name] for row in group if name in row.figures]
    values = [value for value in values if math.isfinite(value)]
    # Sample standard deviation: the scenes stand for others.
    return (float(np.mean(values)), float(np.std(values, ddof=1))) if len(values) > 1 else (None, None)


def results_table(rows: Sequence[Row]) -> Table:
    """For people: a row per result and convention, then mean ± standard deviation of each group of scenes."""
    names = _figures(rows)
    head = ["file", "scene", "convention", *(f"{n} ({_UNITS[n]})" if n in _UNITS else n for n in names)]
    lines = [
        [row.file, row.scene, row.convention or MISSING, *(_number(n, row.figures.get(n)) for n in names)]
        for row in rows
    ]
    for group in _groups(rows):
        cells = []
        for name in names:
            mean, spread = _mean(group, name)
            cells.append(MISSING if mean is None else f"{_number(name, mean)} ± {_number(name, spread)}")
        lines.append([group[0].group, f"mean of {len(group)}", group[0].convention or MISSING, *cells])
    return Table(head, lines)


def csv_table(rows: Sequence[Row]) -> Table:
    """For programs: full precision, plain column names, `mean` and `std` as scenes of their own."""
    names = _figures(rows)

    def cell(value: Optional[float]) -> str:
        return "" if value is None else repr(float(value))

    lines = [[row.file, row.scene, row.convention, *(cell(row.figures.get(n)) for n in names)] for row in rows]
    for group in _groups(rows):
        for which, word in enumerate(("mean", "std")):
            cells = [cell(_mean(group, n)[which]) for n in names]
            lines.append([group[0].group, word, group[0].convention, *cells])
    return Table(["file", "scene", "convention", *names], lines)


def bands_table(rows: Sequence[Row]) -> Table:
    """A row per result, convention and band (counted from 1)."""
    names = list(dict.fromkeys(name for row in rows for name in row.bands))
    lines = []
    for row in rows:
        for band in range(max((len(values) for values in row.bands.values()), default=0)):
            cells = [_number(n, float(row.bands[n][band]) if n in row.bands else None) for n in names]
            lines.append([row.file, row.scene, row.convention, str(band + 1), *cells])
    return Table(["file", "scene", "convention", "band", *names], lines)


def write_table(path: str, text: str) -> None:
    """Writes a table's text.

    Raises:
        DataError: It cannot be written.
    """
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError("cannot be written", where=path, got=error.strerror or error) from None
