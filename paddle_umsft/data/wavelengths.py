"""Wavelengths as files have them: in which unit, in a list or inside the bands' names, or not wavelengths at all."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Optional

import numpy as np

from paddle_umsft.config.data import SHORTEST_NM

# Nanometres in one unit, by the names that files use; the two letters mu are the micro sign and the Greek letter.
UNIT_NM = {
    "nm": 1.0,
    "nanometer": 1.0,
    "nanometre": 1.0,
    "nanometers": 1.0,
    "nanometres": 1.0,
    "um": 1000.0,
    "µm": 1000.0,
    "μm": 1000.0,
    "mum": 1000.0,
    "micron": 1000.0,
    "microns": 1000.0,
    "micrometer": 1000.0,
    "micrometre": 1000.0,
    "micrometers": 1000.0,
    "micrometres": 1000.0,
    "mm": 1e6,
    "millimeters": 1e6,
    "m": 1e9,
    "meters": 1e9,
    "metres": 1e9,
    "angstrom": 0.1,
    "angstroms": 0.1,
}
# Units that ENVI knows beside those of length: such numbers are no wavelengths.
OTHER_UNITS = ("index", "wavenumber", "ghz", "mhz", "cm-1")
NM_PER_MICROMETRE = UNIT_NM["um"]
# No imager has bands beyond 50 micrometres: 400...2500 "micrometres" are nanometres.
LONGEST_BAND_NM = 50000.0
# How much a misspelt unit must look like a known one: "Micromters", "nanometrs".
SIMILAR_UNIT = 0.75
# Shorter words are too few letters to be misspelt in.
FEWEST_LETTERS = 4
# The last number in brackets, with or without a unit: "band 1 (418.24 Nanometers)", "B01 (426.82)".
IN_BRACKETS = re.compile(r"\(\s*(?P<number>\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)\s*(?P<unit>[^\W\d]*)\s*\)\s*$")
# A number with its unit at the end of a name: "418.24 nm".
WITH_UNIT = re.compile(r"(?P<number>\d+(?:\.\d*)?)\s*(?P<unit>nm|um|µm|μm|nanomet\w*|micromet\w*)\s*$", re.IGNORECASE)


def in_nm(
    found: Optional[np.ndarray],
    unit: str,
    where: str,
) -> tuple[Optional[np.ndarray], tuple[str, ...]]:
    """Bring wavelengths of a file to nm.

    A known unit is used, if it makes wavelengths of the numbers; a misspelt one as the one it looks like. Else, and
    where there is none, numbers below 50 are taken as micrometres. NaN stands for a band without a wavelength.

    Args:
        found: As they stand in the file, or None.
        unit: As the file names it; "" if it does not.
        where: What the file is called in a note.

    Returns:
        The wavelengths, None where the numbers are none (an index, wavenumbers); and a note on what was taken how.
    """
    if found is None or found.size == 0:
        return found, ()
    word = unit.strip().strip("[](){}.").lower()
    shown = f"{where}: wavelengths {_span(found)}"
    if word in OTHER_UNITS or (_factor(word) is None and _is_count(found)):
        return None, (f"{shown} {unit.strip() or 'without a unit'}: no wavelengths, not used; set data.wavelengths_nm",)
    factor = _factor(word)
    if factor is not None and _are_wavelengths(found * factor):
        # Nanometres as they are and as they are called: nothing to tell.
        if factor == 1:
            return found, ()
        return found * factor, (f"{shown} {_named(factor, unit)}",)
    if np.nanmax(found) >= SHORTEST_NM:
        if word == "" or factor == 1:
            return found, ()
        return found, (f"{shown} (unit {unit.strip()!r}) taken as nanometres",)
    told = ""
    if word:
        told = f" (unit {unit.strip()!r})"
    return found * NM_PER_MICROMETRE, (f"{shown}{told} taken as micrometres",)


def from_names(names: Sequence[str]) -> tuple[Optional[np.ndarray], str]:
    """Read wavelengths out of the names of bands, if every band's has one.

    Args:
        names: One a band, as "band 1 (418.24 Nanometers)".

    Returns:
        (C,) numbers and their unit as the names have it ("" if they have none), or None and "".
    """
    numbers = []
    unit = ""
    for name in names:
        match = IN_BRACKETS.search(name) or WITH_UNIT.search(name)
        if match is None:
            return None, ""
        numbers.append(float(match["number"]))
        unit = match["unit"]
    # Brackets may as well count the bands.
    listed = np.asarray(numbers)
    if not numbers or _is_count(listed):
        return None, ""
    return listed, unit


def _factor(word: str) -> Optional[float]:
    """Return nanometres in a unit, also a misspelt one; None for a word that says nothing."""
    if word in UNIT_NM:
        return UNIT_NM[word]
    if len(word) < FEWEST_LETTERS:
        return None
    near = difflib.get_close_matches(
        word,
        UNIT_NM,
        n=1,
        cutoff=SIMILAR_UNIT,
    )
    if near:
        return UNIT_NM[near[0]]
    return None


def _named(factor: float, unit: str) -> str:
    """Return how a unit was taken, for a note."""
    if factor == NM_PER_MICROMETRE:
        return "taken as micrometres"
    return f"multiplied by {factor:g} (unit {unit.strip()!r})"


def _are_wavelengths(nm: np.ndarray) -> bool:
    """Return whether the largest number is one that a band may have, in nm."""
    return bool(SHORTEST_NM <= np.nanmax(nm) < LONGEST_BAND_NM)


def _is_count(found: np.ndarray) -> bool:
    """Return whether numbers do nothing but count the bands, from 0 or 1 on."""
    if found.size < 2:
        return False
    first = found[0]
    return first in (0, 1) and bool(np.array_equal(found, first + np.arange(found.size)))


def _span(found: np.ndarray) -> str:
    """Return first and last of some numbers, for a note."""
    return f"{np.nanmin(found):g}...{np.nanmax(found):g}"
