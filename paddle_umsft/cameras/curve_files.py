"""Tables of spectral responses as makers and agencies publish them, read into curves over wavelength.

Two kinds: one line per wavelength with a column per band, and one line per band with its centre and width (FWHM).
Separated by commas, semicolons, tabs or blanks, with or without quotes, header words or comments; in nanometres or
micrometres, rising or falling; as shares or in per cent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Union

import numpy as np

from paddle_umsft.cameras.curves import Curves, gaussian_curves
from paddle_umsft.config.data import SHORTEST_NM
from paddle_umsft.data.wavelengths import NM_PER_MICROMETRE
from paddle_umsft.errors import DataError

SUFFIXES = (".csv", ".txt", ".tsv", ".dat")
COMMENTS = ("#", "%", "//", "!")
# Tried in this order: a comma may be a decimal sign where semicolons or tabs separate.
SEPARATORS = (";", "\t", ",")
WAVELENGTH_NAME = re.compile(r"wave|^wl|_wl\b|sr_wl|lambda|λ|^nm$|^um$|^µm$|^μm$", re.IGNORECASE)
MICROMETRE_NAME = re.compile(r"[uµμ]m\b|micro", re.IGNORECASE)
CENTRE_NAME = re.compile(r"cent(er|re|ral)|wave|lambda|peak", re.IGNORECASE)
WIDTH_NAME = re.compile(r"fwhm|width|full.?width", re.IGNORECASE)
# Measured curves go a little below zero where nothing is seen; more is no response.
BELOW_ZERO = 0.02
# From here on a rising column of numbers can be nothing but nanometres: responses go to 1, or to 100 per cent.
CERTAINLY_NM = 200.0
# A column that rises evenly within these, in steps as small as a spectrometer's, could be micrometres as well as a
# response.
MICROMETRES = (0.2, 20.0)
LONGEST_STEP = 0.1
FEWEST_SAMPLES = 6
SHAPE_HINT = "wanted: a header line and a wavelength in its first column, such as wavelength_nm,B2,B3"


@dataclass(frozen=True)
class _Text:
    """Cells of a table.

    Attributes:
        header: Names of the columns, or None.
        rows: Cells as text, all rows of one length.
        separator: What separates them; None: blanks.
    """

    header: Optional[list[str]]
    rows: list[list[str]]
    separator: Optional[str]


def read_curves(file: Path, where: str) -> Union[Curves, np.ndarray]:
    """Read responses over wavelength from a text file; where no column is called a wavelength, its bare numbers.

    Args:
        file: A text file.
        where: What it is called in a message.

    Returns:
        The curves, or the (rows, columns) numbers.

    Raises:
        DataError: No table of numbers, negative responses, or a wavelength twice.
    """
    text = _cells(file)
    if not text.rows:
        raise DataError("no numbers in it", where=where, hint=SHAPE_HINT)
    if text.header is None:
        return _numbers(text, where)
    names = [name.strip(" \"'\ufeff") for name in text.header]
    # One line per band: somewhere a centre, somewhere else a width.
    widths = [place for place, name in enumerate(names) if WIDTH_NAME.search(name)]
    centres = [place for place, name in enumerate(names) if CENTRE_NAME.search(name) and place not in widths]
    if widths and centres:
        return _from_bands(text, names, centres[0], widths[0], where)
    found = [place for place, name in enumerate(names) if WAVELENGTH_NAME.search(name)]
    table = _numbers(text, where)
    if not found:
        return table
    column = found[0]
    is_micrometres = MICROMETRE_NAME.search(names[column]) is not None
    others = [place for place in range(len(names)) if place != column and names[place]]
    return make_curves(
        table[:, column],
        table[:, others].T,
        tuple(names[place] for place in others),
        where,
        is_micrometres=is_micrometres,
    )


def make_curves(
    wavelengths: np.ndarray,
    values: np.ndarray,
    names: tuple[str, ...],
    where: str,
    *,
    is_micrometres: bool = False,
) -> Curves:
    """Check and sort responses over wavelength.

    Args:
        wavelengths: (S,) in nm, or in micrometres if said so or below 50.
        values: (M, S).
        names: M names.
        where: What they are called in a message.
        is_micrometres: Their unit is named.

    Raises:
        DataError: Fewer than two samples, not finite, negative, an MSI band all zero, or a wavelength twice.
    """
    nm = np.asarray(wavelengths, np.float64)
    responses = np.asarray(values, np.float64)
    if nm.size < 2 or responses.shape[0] < 1:
        raise DataError("shape of the table", where=where, got=f"{nm.size} wavelengths", hint=SHAPE_HINT)
    if not np.all(np.isfinite(nm)) or not np.all(np.isfinite(responses)):
        raise DataError("NaN or infinite", where=where, hint=SHAPE_HINT)
    if is_micrometres or nm.max() < SHORTEST_NM:
        nm = nm * NM_PER_MICROMETRE
    order = np.argsort(nm, kind="stable")
    nm = nm[order]
    responses = responses[:, order]
    twice = np.flatnonzero(np.diff(nm) == 0)
    if twice.size > 0:
        raise DataError("a wavelength twice", where=where, got=f"{nm[twice[0]]:g} nm", hint=SHAPE_HINT)
    for name, curve in zip(names, responses):
        peak = curve.max()
        if peak <= 0:
            raise DataError(f"MSI band {name} is all zero", where=where)
        if curve.min() < -BELOW_ZERO * peak:
            raise DataError(f"MSI band {name} is negative", where=where, got=f"{curve.min():g}")
    return Curves(wavelengths_nm=nm, values=np.maximum(responses, 0.0), names=names)


def curves_in_table(table: np.ndarray, where: str) -> tuple[Optional[Curves], np.ndarray, tuple[str, ...]]:
    """Look in a table without names for a column, or a row, of wavelengths or of mere numbering.

    Args:
        table: Two axes.
        where: What it is called in a message.

    Returns:
        The curves, where there are wavelengths, else None; the table, without its numbering if it had one; notes.

    Raises:
        DataError: What could be micrometres as well as a response.
    """
    for turned in (table, table.T):
        if turned.shape[1] < 2 or turned.shape[0] < 3:
            continue
        first = np.asarray(turned[:, 0], np.float64)
        steps = np.diff(first)
        # Written so that not a number counts as neither.
        is_monotone = bool(np.all(steps > 0) or np.all(steps < 0))
        if not is_monotone:
            continue
        # Lines are numbered downwards; a response that rises by ones across a line is no numbering.
        if turned is table and np.all(steps == 1) and first[0] in (0.0, 1.0):
            note = f"{where}: the first column counts the lines and is left out"
            return None, turned[:, 1:], (note,)
        if first.min() >= CERTAINLY_NM:
            names = tuple(f"band{number}" for number in range(1, turned.shape[1]))
            curves = make_curves(first, turned[:, 1:].T, names, where)
            note = f"{where}: {first.min():g}...{first.max():g} taken as the wavelengths of its lines, in nm"
            return curves, table, (note,)
        low, high = MICROMETRES
        is_even = np.allclose(steps, steps[0], rtol=1e-3)
        is_fine = first.size >= FEWEST_SAMPLES and abs(steps[0]) <= LONGEST_STEP
        if is_even and is_fine and low <= first.min() and first.max() <= high:
            raise DataError(
                "wavelengths in micrometres, or a response?",
                where=where,
                got=f"{first[0]:g}...{first[-1]:g}",
                hint="say which by a header line in a .csv: wavelength_um,B2,B3 or B1,B2,B3",
            )
    return None, table, ()


def _numbers(text: _Text, where: str) -> np.ndarray:
    """Return the (rows, columns) numbers of a table."""
    return np.array([[_number(cell, text.separator, where) for cell in row] for row in text.rows])


def _from_bands(
    text: _Text,
    names: list[str],
    centre: int,
    width: int,
    where: str,
) -> Curves:
    """Return Gaussians from a table with a line per band."""
    centres = np.array([_number(row[centre], text.separator, where) for row in text.rows])
    widths = np.array([_number(row[width], text.separator, where) for row in text.rows])
    if not np.all(widths > 0) or not np.all(centres > 0):
        raise DataError("centres and widths", where=where, expected="numbers above zero", hint=SHAPE_HINT)
    centre_is_micrometres = MICROMETRE_NAME.search(names[centre]) is not None or centres.max() < SHORTEST_NM
    width_is_micrometres = MICROMETRE_NAME.search(names[width]) is not None or widths.max() < 1.0
    if centre_is_micrometres:
        centres = centres * NM_PER_MICROMETRE
    if width_is_micrometres:
        widths = widths * NM_PER_MICROMETRE
    labels = [place for place in range(len(names)) if place not in (centre, width)]
    bands = tuple(f"band{number}" for number in range(1, len(text.rows) + 1))
    if labels:
        bands = tuple(row[labels[0]].strip(" \"'") for row in text.rows)
    return gaussian_curves(bands, centres, widths)


def _cells(file: Path) -> _Text:
    """Split a text file into cells; the header is the last line before the first one of numbers."""
    # Spreadsheets put a byte-order mark in front; others write in their country's own encoding.
    content = file.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    plain = [line for line in lines if not line.startswith(COMMENTS)]
    comments = [line.lstrip("#%!/ ") for line in lines if line.startswith(COMMENTS)]
    separator = _separator_of(plain)
    rows = [_split(line, separator) for line in plain]
    start = 0
    while start < len(rows) and _is_header(rows[start]):
        start += 1
    data = rows[start:]
    header = None
    if start > 0:
        header = rows[start - 1]
    elif comments:
        # Some make the header a comment, the last of them.
        named = _split(comments[-1], separator)
        if data and len(named) == len(data[0]):
            header = named
    width = len(header or (data[0] if data else []))
    padded = [(row + [""] * width)[:width] for row in data]
    return _Text(header=header, rows=padded, separator=separator)


def _separator_of(lines: list[str]) -> Optional[str]:
    """Return what separates the cells: what most lines have; None: blanks."""
    for separator in SEPARATORS:
        having = sum(separator in line for line in lines)
        if lines and 2 * having > len(lines):
            return separator
    return None


def _split(line: str, separator: Optional[str]) -> list[str]:
    """Split a line; quotes go."""
    cells = line.split(separator)
    return [cell.strip(" \"'") for cell in cells]


def _is_header(row: list[str]) -> bool:
    """Return whether a line names columns: it has no number in it, or begins with a word for wavelength."""
    if WAVELENGTH_NAME.search(row[0]) is not None and not _is_number(row[0]):
        return True
    # A line per band has its name, and numbers behind it. Names like B2 are no numbers.
    return not any(_is_number(cell) for cell in row)


def _is_number(cell: str) -> bool:
    """Return whether a cell is a number, with a decimal point or comma, perhaps in per cent."""
    try:
        float(cell.rstrip("% ").replace(",", "."))
    except ValueError:
        return False
    return True


def _number(cell: str, separator: Optional[str], where: str) -> float:
    """Return a cell's number; an empty one says that nothing is seen there."""
    stripped = cell.rstrip("% ")
    if not stripped or stripped == "-":
        return 0.0
    if separator != ",":
        stripped = stripped.replace(",", ".")
    try:
        return float(stripped)
    except ValueError:
        raise DataError("not a number", where=where, got=repr(cell), hint=SHAPE_HINT) from None
