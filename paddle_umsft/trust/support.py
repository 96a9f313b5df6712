"""Which output bands the MSI sees at all: where it does not, detail is a guess from the other bands."""

from __future__ import annotations

from typing import Optional

import numpy as np

from paddle_umsft.data.scene import Observation
from paddle_umsft.data.trust import BETWEEN, OUTSIDE, SEEN

# A response below this share of its MSI band's largest is a tail, of which a learned SRF has many.
LEAST_RESPONSE = 0.1
# Bands this far beyond the outermost seen ones, as a share of the range that is seen, lie at the edge: spectra are
# smooth over a tenth of a range, not over half of it.
EDGE = 0.1


def is_seen(observation: Observation, srf: Optional[np.ndarray]) -> np.ndarray:
    """(C,) whether a band lies within what some MSI band responds to.

    Args:
        observation: The pair; a given SRF goes before given supports, these before anything learned.
        srf: (M, C) learned SRF; None: nobody knows it, and all bands count as seen.
    """
    bands = observation.bands
    response = observation.srf
    if response is None and observation.supports is not None:
        seen = np.zeros(bands, dtype=bool)
        for first, end in observation.supports:
            seen[first:end] = True
        return seen
    if response is None:
        response = srf
    if response is None or not np.any(response > 0):
        return np.ones(bands, dtype=bool)
    largest = response.max(axis=1, keepdims=True)  # (M, 1)
    floor = np.maximum(LEAST_RESPONSE * largest, np.finfo(np.float64).tiny)
    return np.asarray(np.any(response >= floor, axis=0))


def support_classes(seen: np.ndarray, wavelengths_nm: Optional[np.ndarray] = None) -> np.ndarray:
    """Sort bands by what the MSI sees of them.

    Args:
        seen: (C,) see `is_seen`.
        wavelengths_nm: (C,) band centres; None: bands are taken as evenly spaced.

    Returns:
        (C,) uint8: `SEEN`, `BETWEEN` (seen bands on either side, or hardly beyond them) or `OUTSIDE`.
    """
    places = np.arange(len(seen), dtype=np.float64)
    step = 1.0
    if wavelengths_nm is not None:
        places = np.asarray(wavelengths_nm, dtype=np.float64)
    if wavelengths_nm is not None and len(seen) > 1:
        step = float(np.median(np.abs(np.diff(places))))
    lowest, highest = places[seen].min(), places[seen].max()
    # The very next band is at the edge however narrow the range is.
    reach = max(EDGE * (highest - lowest), step)
    classes = np.full(len(seen), OUTSIDE, dtype=np.uint8)
    is_near = (places >= lowest - reach) & (places <= highest + reach)
    classes[is_near] = BETWEEN
    classes[seen] = SEEN
    return classes


def runs_of(classes: np.ndarray, kind: int) -> list[tuple[int, int]]:
    """Ranges of neighbouring bands of one class, first and last."""
    is_kind = np.concatenate([[False], classes == kind, [False]])
    changes = np.flatnonzero(is_kind[1:] != is_kind[:-1])
    return [(int(first), int(end) - 1) for first, end in zip(changes[::2], changes[1::2])]


def range_words(first: int, last: int, wavelengths_nm: Optional[np.ndarray]) -> str:
    """A range of bands, with its wavelengths where they are known: "12-40 (520-800 nm)"."""
    words = f"{first}-{last}"
    if first == last:
        words = str(first)
    if wavelengths_nm is None:
        return words
    low, high = wavelengths_nm[first], wavelengths_nm[last]
    nm = f"{low:.0f}-{high:.0f}"
    if first == last:
        nm = f"{low:.0f}"
    return f"{words} ({nm} nm)"


def support_words(classes: np.ndarray, wavelengths_nm: Optional[np.ndarray] = None) -> str:
    """Say which bands the MSI does not see; nothing where it sees all, or what lies between.

    Args:
        classes: (C,) see `support_classes`.
        wavelengths_nm: (C,) band centres, if known.
    """
    ranges = runs_of(classes, OUTSIDE)
    if not ranges:
        return ""
    listed = ", ".join(range_words(first, last, wavelengths_nm) for first, last in ranges)
    subject = f"bands {listed} lie"
    if np.count_nonzero(classes == OUTSIDE) == 1:
        subject = f"band {listed} lies"
    return f"{subject} outside what the MSI sees: extrapolated from the others"
