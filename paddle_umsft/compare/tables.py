"""Tables of compared results: for people, for programs, band by band."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from paddle_umsft.compare.files import ScoredResult
from paddle_umsft.machine.files import write_text
from paddle_umsft.machine.tables import TextTable
from paddle_umsft.metrics.figures import MISSING, number_of, title_of
from paddle_umsft.metrics.summary import SceneMean, mean_words, means_over_scenes

# These come first and last, in this order; everything else stands between as it appears.
_FIRST = ("PSNR", "SAM", "ERGAS", "SSIM", "RMSE")
_LAST = ("D_lambda", "D_s", "QNR", "PSNR_HSI", "SAM_HSI", "PSNR_MSI", "SAM_MSI", "seconds")

# What says whose figures they are.
_WHOSE = ("file", "scene", "convention")


def results_table(rows: Sequence[ScoredResult]) -> TextTable:
    """Return the table for people: a row per result and convention, then mean ± standard deviation over scenes.

    Args:
        rows: The results.
    """
    names = _columns(rows)
    head = [*_WHOSE, *(title_of(name) for name in names)]
    lines = []
    for row in rows:
        cells = [number_of(name, row.figures.get(name)) for name in names]
        lines.append([row.file, row.scene, row.convention or MISSING, *cells])
    # Below the results, what they come to.
    for group in _groups(rows):
        means = _means(group)
        scenes = len(group)
        cells = [mean_words(name, means.get(name), scenes) for name in names]
        first = group[0]
        lines.append([first.group, f"mean of {scenes}", first.convention or MISSING, *cells])
    return TextTable(head, lines, words=len(_WHOSE))


def csv_table(rows: Sequence[ScoredResult]) -> TextTable:
    """Return the table for programs: full precision, plain column names, `mean` and `std` as scenes of their own.

    Args:
        rows: The results.
    """
    names = _columns(rows)
    lines = []
    for row in rows:
        cells = [_exact(row.figures.get(name)) for name in names]
        lines.append([row.file, row.scene, row.convention, *cells])
    for group in _groups(rows):
        means = _means(group)
        first = group[0]
        mean_line = [first.group, "mean", first.convention]
        std_line = [first.group, "std", first.convention]
        for name in names:
            if name in means:
                mean_line.append(_exact(means[name].mean))
                std_line.append(_exact(means[name].std))
            else:
                mean_line.append("")
                std_line.append("")
        lines += [mean_line, std_line]
    return TextTable([*_WHOSE, *names], lines, words=len(_WHOSE))


def bands_table(rows: Sequence[ScoredResult]) -> TextTable:
    """Return a table of a row per result, convention and band (counted from 1).

    Args:
        rows: The results.
    """
    names = list(dict.fromkeys(name for row in rows for name in row.bands))
    lines = []
    for row in rows:
        bands = max((len(values) for values in row.bands.values()), default=0)
        for band in range(bands):
            cells = [_band_cell(row, name, band) for name in names]
            lines.append([row.file, row.scene, row.convention, str(band + 1), *cells])
    return TextTable([*_WHOSE, "band", *names], lines, words=len(_WHOSE) + 1)


def write_tables(
    rows: Sequence[ScoredResult],
    *,
    csv: Optional[str] = None,
    markdown: Optional[str] = None,
    latex: Optional[str] = None,
) -> None:
    """Write the tables that are asked for, each whole or not at all; of no rows there is none.

    Args:
        rows: The results.
        csv: File for the table for programs.
        markdown: File for the table for people, in Markdown.
        latex: The same in LaTeX.

    Raises:
        DataError: One cannot be written.
    """
    if not rows:
        return
    if csv:
        write_text(Path(csv), csv_table(rows).csv())
    if markdown:
        write_text(Path(markdown), results_table(rows).markdown())
    if latex:
        write_text(Path(latex), results_table(rows).latex())


def _columns(rows: Sequence[ScoredResult]) -> list[str]:
    """Return the names of all figures, in the order of the columns."""
    # A dict keeps the order in which the names appear.
    names = dict.fromkeys(name for row in rows for name in row.figures)
    first = [name for name in _FIRST if name in names]
    last = [name for name in _LAST if name in names]
    between = [name for name in names if name not in _FIRST + _LAST]
    return first + between + last


def _groups(rows: Sequence[ScoredResult]) -> list[list[ScoredResult]]:
    """Return the results of one group and convention together, where they are of several scenes."""
    groups: dict[tuple[str, str], list[ScoredResult]] = {}
    for row in rows:
        groups.setdefault((row.group, row.convention), []).append(row)
    return [group for group in groups.values() if len({row.scene for row in group}) > 1]


def _means(group: Sequence[ScoredResult]) -> dict[str, SceneMean]:
    """Return the mean of each figure that two scenes at least have; of one it would be no mean."""
    means = means_over_scenes([row.figures for row in group])
    return {name: mean for name, mean in means.items() if mean.count > 1}


def _band_cell(
    row: ScoredResult,
    name: str,
    band: int,
) -> str:
    """Return the figure of one band, or the sign for none."""
    if name not in row.bands:
        return MISSING
    return number_of(name, float(row.bands[name][band]))


def _exact(value: Optional[float]) -> str:
    """Return a number with all its digits; nothing where there is none."""
    if value is None:
        return ""
    return repr(float(value))
