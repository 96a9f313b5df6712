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
    titles = [title_of(name) for name in names]
    lines = []
    for row in rows:
        cells = [number_of(name, row.figures.get(name)) for name in names]
        line = [
            row.file,
            row.scene,
            row.convention or MISSING,
            *cells,
        ]
        lines.append(line)
    # Below the results, what they come to.
    for group in _groups(rows):
        means = _means(group)
        scenes = len(group)
        cells = [mean_words(name, means.get(name), scenes) for name in names]
        first = group[0]
        line = [
            first.group,
            f"mean of {scenes}",
            first.convention or MISSING,
            *cells,
        ]
        lines.append(line)
    return TextTable(
        [*_WHOSE, *titles],
        lines,
        words=len(_WHOSE),
    )


def csv_table(rows: Sequence[ScoredResult]) -> TextTable:
    """Return the table for programs: full precision, plain column names, `mean` and `std` as scenes of their own.

    Args:
        rows: The results.
    """
    names = _columns(rows)
    lines = []
    for row in rows:
        cells = [_exact(row.figures.get(name)) for name in names]
        line = [
            row.file,
            row.scene,
            row.convention,
            *cells,
        ]
        lines.append(line)
    for group in _groups(rows):
        means = _means(group)
        first = group[0]
        # Two lines rather than "mean ± std" in one: a program should not have to take it apart.
        mean_line = [first.group, "mean", first.convention]
        std_line = [first.group, "std", first.convention]
        for name in names:
            mean = None
            std = None
            if name in means:
                mean = means[name].mean
                std = means[name].std
            mean_line.append(_exact(mean))
            std_line.append(_exact(std))
        lines += [mean_line, std_line]
    return TextTable(
        [*_WHOSE, *names],
        lines,
        words=len(_WHOSE),
    )


def bands_table(rows: Sequence[ScoredResult]) -> TextTable:
    """Return a table of a row per result, convention and band (counted from 1).

    Args:
        rows: The results.
    """
    # A dict keeps the order in which the names appear.
    names = list(dict.fromkeys(name for row in rows for name in row.bands))
    lines = []
    for row in rows:
        lengths = [len(values) for values in row.bands.values()]
        for band in range(max(lengths, default=0)):
            cells = [_band_cell(row, name, band) for name in names]
            line = [
                row.file,
                row.scene,
                row.convention,
                str(band + 1),
                *cells,
            ]
            lines.append(line)
    head = [*_WHOSE, "band"]
    return TextTable(
        [*head, *names],
        lines,
        words=len(head),
    )


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
    for_programs = csv_table(rows)
    for_people = results_table(rows)
    if csv:
        write_text(Path(csv), for_programs.csv())
    if markdown:
        write_text(Path(markdown), for_people.markdown())
    if latex:
        write_text(Path(latex), for_people.latex())


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
        key = (row.group, row.convention)
        groups.setdefault(key, []).append(row)
    several = []
    for group in groups.values():
        scenes = {row.scene for row in group}
        if len(scenes) > 1:
            several.append(group)
    return several


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
    # Conventions differ in what they say of single bands.
    if name not in row.bands:
        return MISSING
    value = row.bands[name][band]
    return number_of(name, float(value))


def _exact(value: Optional[float]) -> str:
    """Return a number with all its digits; nothing where there is none."""
    if value is None:
        return ""
    return repr(float(value))
