"""Which output bands the MSI sees at all: where it does not, detail is a guess from the other bands."""

from __future__ import annotations

from typing import Optional

import numpy as np

from paddle_umsft.data.scene import Observation, Supports
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
    response = observation.srf
    if response is None and observation.supports is not None:
        return _within(observation.supports, observation.bands)
    if response is None:
        response = srf
    if response is None or not np.any(response > 0):
        return np.ones(observation.bands, dtype=bool)
    largest = response.max(axis=1, keepdims=True)  # (M, 1)
    # A response of nothing but zeros sees nothing.
    smallest = np.finfo(np.float64).tiny
    floor = np.maximum(LEAST_RESPONSE * largest, smallest)
    seen_by_any = np.any(response >= floor, axis=0)
    return np.asarray(seen_by_any)


def _within(supports: Supports, bands: int) -> np.ndarray:
    """(C,) whether a band lies within a range that some MSI band can see."""
    seen = np.zeros(bands, dtype=bool)
    for first, end in supports:
        seen[first:end] = True
    return seen


def support_classes(
    seen: np.ndarray,
    wavelengths_nm: Optional[np.ndarray] = None,
) -> np.ndarray:
    """Sort bands by what the MSI sees of them.

    Args:
        seen: (C,) see `is_seen`.
        wavelengths_nm: (C,) band centres; None: bands are taken as evenly spaced.

    Returns:
        (C,) uint8: `SEEN`, `BETWEEN` (seen bands on either side, or hardly beyond them) or `OUTSIDE`.
    """
    places, step = _places_of(len(seen), wavelengths_nm)
    seen_places = places[seen]
    lowest = seen_places.min()
    highest = seen_places.max()
    # The very next band is at the edge however narrow the range is.
    reach = max(EDGE * (highest - lowest), step)
    is_near = (places >= lowest - reach) & (places <= highest + reach)
    classes = np.full(len(seen), OUTSIDE, dtype=np.uint8)
    classes[is_near] = BETWEEN
    classes[seen] = SEEN
    return classes


def _places_of(
    bands: int,
    wavelengths_nm: Optional[np.ndarray],
) -> tuple[np.ndarray, float]:
    """(C,) where bands lie, nm or just counted, and the usual step from one to the next."""
    if wavelengths_nm is None:
        return np.arange(bands, dtype=np.float64), 1.0
    places = np.asarray(wavelengths_nm, dtype=np.float64)
    if bands < 2:
        return places, 1.0
    steps = np.abs(np.diff(places))
    return places, float(np.median(steps))


def runs_of(
    classes: np.ndarray,
    kind: int,
) -> list[tuple[int, int]]:
    """Ranges of neighbouring bands of one class, first and last."""
    is_kind = np.concatenate([[False], classes == kind, [False]])
    changes = np.flatnonzero(is_kind[1:] != is_kind[:-1])
    # They begin and end by turns.
    begins = changes[::2].tolist()
    ends = changes[1::2].tolist()
    runs = []
    for first, end in zip(begins, ends):
        runs.append((first, end - 1))
    return runs


def range_words(
    first: int,
    last: int,
    wavelengths_nm: Optional[np.ndarray],
) -> str:
    """A range of bands, with its wavelengths where they are known: "12-40 (520-800 nm)"."""
    words = f"{first}-{last}"
    if first == last:
        words = str(first)
    if wavelengths_nm is None:
        return words
    low = wavelengths_nm[first]
    high = wavelengths_nm[last]
    nm = f"{low:.0f}-{high:.0f}"
    if first == last:
        nm = f"{low:.0f}"
    return f"{words} ({nm} nm)"


def support_words(
    classes: np.ndarray,
    wavelengths_nm: Optional[np.ndarray] = None,
) -> str:
    """Say which bands the MSI does not see; nothing where it sees all, or what lies between.

    Args:
        classes: (C,) see `support_classes`.
        wavelengths_nm: (C,) band centres, if known.
    """
    ranges = runs_of(classes, OUTSIDE)
    if not ranges:
        return ""
    words = [range_words(first, last, wavelengths_nm) for first, last in ranges]
    listed = ", ".join(words)
    subject = f"bands {listed} lie"
    unseen = np.count_nonzero(classes == OUTSIDE)
    if unseen == 1:
        subject = f"band {listed} lies"
    return f"{subject} outside what the MSI sees: extrapolated from the others"
