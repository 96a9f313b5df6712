"""Tables of text: for the screen, for programs (CSV), for Markdown and for LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any, Optional

# What LaTeX has no letter for; tabulate escapes the letters that LaTeX gives a meaning of its own.
_LATEX_SIGNS = {
    "±": r"$\pm$",
    "°": r"$^\circ$",
    "∞": r"$\infty$",
    "–": "--",
}

# A spreadsheet takes a cell that begins so for a formula, and this sign before it for words.
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
_WORDS_FOLLOW = "'"


def harmless(cell: Any) -> Any:
    """Return a cell of comma-separated values that no spreadsheet computes; numbers stay.

    Args:
        cell: A number, a text, which may come from a file's name or from a folder that somebody sent, or nothing.
    """
    if not isinstance(cell, str) or not cell.startswith(_FORMULA_SIGNS):
        return cell
    try:
        float(cell)
    except ValueError:
        return _WORDS_FOLLOW + cell
    return cell


class TextTable:
    """Rows of text under a head.

    Args:
        head: Titles of the columns.
        lines: One list of cells per line.
        words: How many of the first columns hold words and begin at the left; the others hold numbers, which end at
            the right.
    """

    def __init__(
        self,
        head: Sequence[str],
        lines: Sequence[Sequence[str]],
        *,
        words: int,
    ) -> None:
        self.head = list(head)
        self.lines = [list(line) for line in lines]
        self.words = words

    def text(self) -> str:
        """Return columns lined up with blanks, for the screen."""
        return self._tabulated("simple", self.head, self.lines)

    def csv(self) -> str:
        """Return comma separated values."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        for line in (self.head, *self.lines):
            writer.writerow([harmless(cell) for cell in line])
        return out.getvalue()

    def markdown(self) -> str:
        """Return a Markdown table."""
        head = _without_bars(self.head)
        lines = [_without_bars(line) for line in self.lines]
        text = self._tabulated("pipe", head, lines)
        return text + "\n"

    def latex(self) -> str:
        """Return a LaTeX tabular with the rules of the package booktabs."""
        text = self._tabulated("latex_booktabs", self.head, self.lines)
        for sign, command in _LATEX_SIGNS.items():
            text = text.replace(sign, command)
        return text + "\n"

    def _tabulated(
        self,
        form: str,
        head: Sequence[str],
        lines: Sequence[Sequence[str]],
    ) -> str:
        from tabulate import tabulate

        sides: Optional[list[str]] = None
        if lines:
            numbers = len(head) - self.words
            sides = ["left"] * self.words + ["right"] * numbers
        # Else nothing is there to be aligned, which tabulate 0.9 (that of Python 3.9) does not know.
        text = tabulate(
            lines,
            headers=head,
            tablefmt=form,
            colalign=sides,
            # Cells are text already: tabulate must not read them as numbers and write them in its own way.
            disable_numparse=True,
        )
        return str(text)


def _without_bars(cells: Sequence[str]) -> list[str]:
    """Return cells whose bars do not end them in Markdown."""
    return [cell.replace("|", "\\|") for cell in cells]
