"""Tables of spectral responses as makers and agencies publish them, read into curves over wavelength.

Two kinds: one line per wavelength with a column per band, and one line per band with its centre and width (FWHM), or
with the wavelengths between which it lies.
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
from paddle_umsft.cameras.text_tables import QUOTES, SHAPE_HINT, WAVELENGTH_NAME, TextTable, read_cells
from paddle_umsft.config.data import SHORTEST_NM
from paddle_umsft.data.checks import check_finite
from paddle_umsft.data.readers.seeming import check_is_data
from paddle_umsft.data.wavelengths import NM_PER_MICROMETRE
from paddle_umsft.errors import DataError

SUFFIXES = (".csv", ".txt", ".tsv", ".dat")
MICROMETRE_NAME = re.compile(r"[uµμ]m\b|micro", re.IGNORECASE)
CENTRE_NAME = re.compile(r"cent(er|re|ral)|wave|lambda|peak", re.IGNORECASE)
WIDTH_NAME = re.compile(r"fwhm|width|full.?width", re.IGNORECASE)
# Ends of a band: words of their own, not parts of "luminance" or "maximum response".
LOWER_NAME = re.compile(r"(?:^|[\W_])(?:min|lower|from|start)(?:$|[\W_])", re.IGNORECASE)
UPPER_NAME = re.compile(r"(?:^|[\W_])(?:max|upper|to|end)(?:$|[\W_])", re.IGNORECASE)
# A unit behind a band's name: "red (%)", "B4 [-]".
UNIT_OF_NAME = re.compile(r"\s*[(\[][^()\[\]]*[)\]]\s*$")
# Measured curves go a little below zero where nothing is seen; more is no response.
BELOW_ZERO = 0.02
# From here on a rising column of numbers can be nothing but nanometres: responses go to 1, or to 100 per cent.
CERTAINLY_NM = 200.0
# A column that rises evenly within these, in steps as small as a spectrometer's, could be micrometres as well as a
# response.
MICROMETRES = (0.2, 20.0)
LONGEST_STEP = 0.1
FEWEST_SAMPLES = 6
EVEN = 1e-3
# Fewer lines are no column of wavelengths, but a table of so many MSI bands.
FEWEST_LINES = 3
# Two samples at least, or nothing can be interpolated.
FEWEST_WAVELENGTHS = 2
# No band of an imager is narrower: smaller widths are micrometres.
NARROWEST_NM = 1.0


@dataclass(frozen=True)
class FoundInTable:
    """What a table without names turned out to be.

    Attributes:
        table: As it came, or without its numbering.
        curves: The responses, where it has wavelengths; None: it has none.
        notes: What was taken how.
    """

    table: np.ndarray
    curves: Optional[Curves] = None
    notes: tuple[str, ...] = ()


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
    # A web page or a pointer holds no numbers either, but that is not what is wrong with it.
    check_is_data(file)
    text = read_cells(file)
    if not text.rows:
        raise DataError("no numbers in it", where=where, hint=SHAPE_HINT)
    if text.header is None:
        return text.numbers(where)
    names = [name.strip(QUOTES) for name in text.header]
    # One line per band: somewhere a centre, somewhere else a width.
    width = _first(names, WIDTH_NAME)
    centre = _first(names, CENTRE_NAME, but=width)
    if width is not None and centre is not None:
        return _from_bands(text, names, centre, width, where)
    lower = _first(names, LOWER_NAME)
    upper = _first(names, UPPER_NAME)
    column = _first(names, WAVELENGTH_NAME)
    # A table over wavelength may have a band that is called "max".
    is_over_wavelength = column is not None and column not in (lower, upper)
    if lower is not None and upper is not None and not is_over_wavelength:
        return _from_limits(text, names, lower, upper, where)
    table = text.numbers(where)
    if column is None:
        return table
    others = []
    for place, name in enumerate(names):
        if place != column and name:
            others.append(place)
    is_micrometres = MICROMETRE_NAME.search(names[column]) is not None
    return make_curves(
        table[:, column],
        table[:, others].T,
        _without_units([names[place] for place in others]),
        where,
        is_micrometres=is_micrometres,
    )


def _without_units(names: list[str]) -> tuple[str, ...]:
    """Return names of bands without the units behind them, as far as they stay different."""
    plain = [UNIT_OF_NAME.sub("", name) for name in names]
    if all(plain) and len(set(plain)) == len(plain):
        return tuple(plain)
    return tuple(names)


def _first(
    names: list[str],
    pattern: re.Pattern[str],
    but: Optional[int] = None,
) -> Optional[int]:
    """Return the place of the first name that matches, except one; None where none does."""
    for place, name in enumerate(names):
        if place != but and pattern.search(name):
            return place
    return None


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
    if nm.size < FEWEST_WAVELENGTHS or len(responses) < 1:
        raise DataError(
            "shape of the table",
            where=where,
            got=f"{nm.size} wavelengths",
            hint=SHAPE_HINT,
        )
    check_finite(nm, where)
    check_finite(responses, where)
    if is_micrometres or nm.max() < SHORTEST_NM:
        nm = nm * NM_PER_MICROMETRE
    order = np.argsort(nm, kind="stable")
    nm = nm[order]
    responses = responses[:, order]
    steps = np.diff(nm)
    twice = nm[:-1][steps == 0]
    if twice.size > 0:
        raise DataError(
            "a wavelength twice",
            where=where,
            got=f"{twice[0]:g} nm",
            hint=SHAPE_HINT,
        )
    for name, curve in zip(names, responses):
        _check_response(name, curve, where)
    return Curves(
        wavelengths_nm=nm,
        values=np.maximum(responses, 0.0),
        names=names,
    )


def _check_response(name: str, curve: np.ndarray, where: str) -> None:
    """Refuse a response that is nowhere, or far below zero somewhere."""
    peak = curve.max()
    lowest = curve.min()
    if peak <= 0:
        raise DataError(f"MSI band {name} is all zero", where=where)
    if lowest < -BELOW_ZERO * peak:
        raise DataError(
            f"MSI band {name} is negative",
            where=where,
            got=f"{lowest:g}",
        )


def curves_in_table(table: np.ndarray, where: str) -> FoundInTable:
    """Look in a table without names for a column, or a row, of wavelengths or of mere numbering.

    Args:
        table: Two axes.
        where: What it is called in a message.

    Raises:
        DataError: What could be micrometres as well as a response.
    """
    for turned in (table, table.T):
        lines, columns = turned.shape
        if columns < 2 or lines < FEWEST_LINES:
            continue
        first = np.asarray(turned[:, 0], np.float64)
        rest = turned[:, 1:]
        if not _is_monotone(first):
            continue
        # Lines are numbered downwards; a response that rises by ones across a line is no numbering.
        if turned is table and _is_count(first):
            note = f"{where}: the first column counts the lines and is left out"
            return FoundInTable(table=rest, notes=(note,))
        lowest = first.min()
        if lowest >= CERTAINLY_NM:
            names = tuple(f"band{number}" for number in range(1, columns))
            curves = make_curves(first, rest.T, names, where)
            note = f"{where}: {lowest:g}...{first.max():g} taken as the wavelengths of its lines, in nm"
            return FoundInTable(table=table, curves=curves, notes=(note,))
        _check_no_micrometres(first, where)
    return FoundInTable(table=table)


def _is_monotone(values: np.ndarray) -> bool:
    """Return whether numbers rise or fall all the way; not a number does neither."""
    steps = np.diff(values)
    return bool(np.all(steps > 0)) or bool(np.all(steps < 0))


def _is_count(values: np.ndarray) -> bool:
    """Return whether numbers count, from 0 or 1 on."""
    steps = np.diff(values)
    return bool(np.all(steps == 1)) and values[0] in (0.0, 1.0)


def _check_no_micrometres(values: np.ndarray, where: str) -> None:
    """Ask about a monotone column that could be micrometres as well as a response.

    Raises:
        DataError: It could.
    """
    low, high = MICROMETRES
    steps = np.diff(values)
    step = abs(float(steps[0]))
    if values.size < FEWEST_SAMPLES or step > LONGEST_STEP:
        return
    is_even = np.allclose(steps, steps[0], rtol=EVEN)
    is_within = low <= values.min() and values.max() <= high
    if is_even and is_within:
        raise DataError(
            "wavelengths in micrometres, or a response?",
            where=where,
            got=f"{values[0]:g}...{values[-1]:g}",
            hint="say which by a header line in a .csv: wavelength_um,B2,B3 or B1,B2,B3",
        )


def _from_bands(
    text: TextTable,
    names: list[str],
    centre: int,
    width: int,
    where: str,
) -> Curves:
    """Return Gaussians from a table with a line per band."""
    centres = text.column(centre, where)
    widths = text.column(width, where)
    # Widths may be in nm where centres are in micrometres, and the other way round.
    if MICROMETRE_NAME.search(names[width]) or widths.max() < NARROWEST_NM:
        widths = widths * NM_PER_MICROMETRE
    if MICROMETRE_NAME.search(names[centre]) or centres.max() < SHORTEST_NM:
        centres = centres * NM_PER_MICROMETRE
    bands = _band_names(text, names, (centre, width))
    return _gaussians(bands, centres, widths, where)


def _from_limits(
    text: TextTable,
    names: list[str],
    lower: int,
    upper: int,
    where: str,
) -> Curves:
    """Return Gaussians from a table of band limits: the centre half-way, their distance the width at half maximum."""
    first = text.column(lower, where)
    last = text.column(upper, where)
    if MICROMETRE_NAME.search(names[lower]) or last.max() < SHORTEST_NM:
        first = first * NM_PER_MICROMETRE
        last = last * NM_PER_MICROMETRE
    bands = _band_names(text, names, (lower, upper))
    return _gaussians(bands, (first + last) / 2, last - first, where)


def _band_names(
    text: TextTable,
    names: list[str],
    taken: tuple[int, int],
) -> tuple[str, ...]:
    """Return the names of the bands, one a line: those of the first column that holds no numbers of theirs."""
    for place in range(len(names)):
        if place not in taken:
            return tuple(row[place] for row in text.rows)
    return tuple(f"band{number}" for number in range(1, len(text.rows) + 1))


def _gaussians(
    bands: tuple[str, ...],
    centres: np.ndarray,
    widths: np.ndarray,
    where: str,
) -> Curves:
    """Return Gaussians of checked centres and widths in nm.

    Raises:
        DataError: One of them is not above zero.
    """
    if min(centres.min(), widths.min()) <= 0:
        raise DataError(
            "centres and widths",
            where=where,
            expected="numbers above zero",
            hint=SHAPE_HINT,
        )
    return gaussian_curves(bands, centres, widths)
