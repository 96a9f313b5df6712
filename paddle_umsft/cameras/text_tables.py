"""Text files cut into cells, in whatever dialect: separators, quotes, comments, headers, decimal commas, per cent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np

from paddle_umsft.errors import DataError

COMMENTS = ("#", "%", "//", "!")
COMMENT_SIGNS = "#%!/ "
QUOTES = " \"'"
# Tried in this order: a comma may be a decimal sign where semicolons or tabs separate.
SEPARATORS = (";", "\t", ",")
# In the languages that tables at hand come in.
WAVELENGTH_NAME = re.compile(
    r"wave|^wl|_wl\b|sr_wl|lambda|λ|^nm$|^um$|^µm$|^μm$|wellenl|longueur|longitud|lunghezza|波长",
    re.IGNORECASE,
)
# What stands in a cell where nothing was measured; a unit behind a number.
NOTHING = ("", "-", "--", "nan", "na", "n/a", "null")
UNIT_BEHIND = re.compile(r"\s*(%|nm|um|µm|μm)\s*$", re.IGNORECASE)
# "Unicode text" of spreadsheets begins so.
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
SHAPE_HINT = "wanted: a header line and a wavelength in its first column, such as wavelength_nm,B2,B3"


@dataclass(frozen=True)
class TextTable:
    """Cells of a table.

    Attributes:
        header: Names of the columns, or None.
        rows: Cells as text, all rows of one length.
        separator: What separates them; None: blanks.
    """

    header: Optional[list[str]]
    rows: list[list[str]]
    separator: Optional[str]

    def numbers(self, where: str) -> np.ndarray:
        """Return the (rows, columns) numbers.

        Args:
            where: What the table is called in a message.

        Raises:
            DataError: A cell is none.
        """
        width = len(self.rows[0])
        columns = [self.column(place, where) for place in range(width)]
        return np.stack(columns, axis=1)

    def column(self, place: int, where: str) -> np.ndarray:
        """Return the numbers of one column.

        Raises:
            DataError: A cell is none.
        """
        cells = [row[place] for row in self.rows]
        found = [_number(cell, self.separator, where) for cell in cells]
        return np.asarray(found, np.float64)


def read_cells(file: Path) -> TextTable:
    """Split a text file into cells; the header is the last line before the first one of numbers, or one that names a
    wavelength: units may stand in a line below.

    Args:
        file: Text in UTF-8 or UTF-16, or in Latin-1.
    """
    lines = _lines(file)
    plain = [line for line in lines if not line.startswith(COMMENTS)]
    comments = [line for line in lines if line.startswith(COMMENTS)]
    separator = _separator_of(plain)
    rows = [_split(line, separator) for line in plain]
    start = 0
    while start < len(rows) and _is_header(rows[start]):
        start += 1
    data = rows[start:]
    header = None
    if start > 0:
        header = _names_in(rows[:start])
    elif comments and data:
        # Some make the header a comment, the last of them.
        last = comments[-1].lstrip(COMMENT_SIGNS)
        named = _split(last, separator)
        if len(named) == len(data[0]):
            header = named
    width = 0
    if header is not None:
        width = len(header)
    elif data:
        width = len(data[0])
    padded = [_padded(row, width) for row in data]
    return TextTable(header=header, rows=padded, separator=separator)


def _lines(file: Path) -> list[str]:
    """Return the lines of a file that are not empty."""
    # Spreadsheets put a byte-order mark in front; others write in their country's own encoding.
    content = file.read_bytes()
    if content.startswith(UTF16_MARKS):
        text = content.decode("utf-16", errors="replace")
        return _not_empty(text)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return _not_empty(text)


def _not_empty(text: str) -> list[str]:
    """Return the lines of a text that are not empty."""
    stripped = [line.strip() for line in text.splitlines()]
    return [line for line in stripped if line]


def _names_in(head: list[list[str]]) -> list[str]:
    """Return the names of the columns out of the lines before the first one of numbers."""
    for row in reversed(head):
        # A title says "wavelength" too, in a single cell.
        is_named = any(WAVELENGTH_NAME.search(cell) for cell in row)
        if is_named and len(row) == len(head[-1]):
            return row
    return head[-1]


def _padded(row: list[str], width: int) -> list[str]:
    """Return a row of so many cells: trailing empty ones are often left out, or one too many is written."""
    missing = width - len(row)
    if missing > 0:
        return row + [""] * missing
    return row[:width]


def _separator_of(lines: list[str]) -> Optional[str]:
    """Return what separates the cells: what most lines have; None: blanks."""
    for separator in SEPARATORS:
        having = [line for line in lines if separator in line]
        if 2 * len(having) > len(lines):
            return separator
    return None


def _split(line: str, separator: Optional[str]) -> list[str]:
    """Split a line; quotes go."""
    cells = line.split(separator)
    return [cell.strip(QUOTES) for cell in cells]


def _is_header(row: list[str]) -> bool:
    """Return whether a line names columns: it has no number in it, or begins with a word for wavelength."""
    if WAVELENGTH_NAME.search(row[0]) is not None and not _is_number(row[0]):
        return True
    # A line per band has its name, and numbers behind it. Names like B2 are no numbers.
    return not any(_is_number(cell) for cell in row)


def _is_number(cell: str) -> bool:
    """Return whether a cell is a number, with a decimal point or comma, perhaps in per cent."""
    try:
        float(UNIT_BEHIND.sub("", cell).replace(",", "."))
    except ValueError:
        return False
    return True


def _number(cell: str, separator: Optional[str], where: str) -> float:
    """Return a cell's number; an empty one says that nothing is seen there."""
    stripped = UNIT_BEHIND.sub("", cell)
    if stripped.strip().lower() in NOTHING:
        return 0.0
    if separator != ",":
        stripped = stripped.replace(",", ".")
    try:
        return float(stripped)
    except ValueError:
        raise DataError("not a number", where=where, got=repr(cell), hint=SHAPE_HINT) from None
