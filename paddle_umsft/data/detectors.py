"""Two spectrometers in one cube, as EnMAP and PRISMA have them: where they overlap, and whose bands stay there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np

# Settings of `data.detector`: the one at shorter wavelengths, the one at longer ones, or both.
BOTH = "both"
SHORTER = "vnir"
# Fewer bands are no spectrometer of their own: a misprint makes a step back too.
FEWEST_BANDS = 2


@dataclass(frozen=True)
class Overlap:
    """Where two spectrometers see the same wavelengths.

    Attributes:
        first_nm: The shortest wavelength that both see.
        last_nm: The longest.
        of_shorter: Places in the file of the shorter spectrometer's bands within the overlap.
        of_longer: The same of the longer one.
    """

    first_nm: float
    last_nm: float
    of_shorter: tuple[int, ...]
    of_longer: tuple[int, ...]

    @property
    def span(self) -> str:
        """Return the overlap for notes."""
        return f"two spectrometers overlap at {self.first_nm:g}...{self.last_nm:g} nm"


def find_overlap(wavelengths_nm: Optional[np.ndarray]) -> Optional[Overlap]:
    """Find out whether a file's bands come from two spectrometers that overlap; None if not.

    Args:
        wavelengths_nm: (C,) in the file's order, which goes back once (or, in a descending file, forth once) where the
            second spectrometer begins; None: not known.
    """
    if wavelengths_nm is None:
        return None
    # Bands without a wavelength belong to neither.
    places = np.flatnonzero(np.isfinite(wavelengths_nm))
    steps = np.diff(wavelengths_nm[places])
    if steps.size == 0:
        return None
    is_descending = np.median(steps) < 0
    against = np.flatnonzero((steps > 0) == is_descending)
    # Out of order at several places it is a mess, and is sorted without more words.
    if against.size != 1:
        return None
    second_begins = int(against[0]) + 1
    parts = [places[:second_begins], places[second_begins:]]
    if min(part.size for part in parts) < FEWEST_BANDS:
        return None
    parts.sort(key=lambda part: float(np.median(wavelengths_nm[part])))
    shorter, longer = parts
    first = float(wavelengths_nm[longer].min())
    last = float(wavelengths_nm[shorter].max())
    if first > last:
        return None
    return Overlap(
        first_nm=first,
        last_nm=last,
        of_shorter=tuple(int(place) for place in shorter if wavelengths_nm[place] >= first),
        of_longer=tuple(int(place) for place in longer if wavelengths_nm[place] <= last),
    )


def left_out_by(overlap: Overlap, detector: str) -> tuple[int, ...]:
    """Return the places of the bands that a choice of detector leaves out.

    Args:
        overlap: Where the two see the same.
        detector: Setting `data.detector`.
    """
    if detector == BOTH:
        return ()
    if detector == SHORTER:
        return overlap.of_longer
    return overlap.of_shorter
