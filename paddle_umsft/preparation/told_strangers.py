"""Strangers named for the user and for programs: where they are, how many, and what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paddle_umsft.preparation.prepared import Prepared
from paddle_umsft.preparation.strangers import Strangers

# How notes on strangers begin or end.
MOVED = "the images do not show the same at "
LIGHT = "the light differs between the images at "
DEAD = " LR pixels of the HSI do not fit the MSI (dead?), left out"
# What becomes of them.
LEFT_OUT = "only the MSI is used there"
CORRECTED = "corrected by the HSI"
NOT_CORRECTED = f"not corrected in so large a picture where grids lie askew, {LEFT_OUT}"
# What strangers are called in findings.
NAMES = {"strangers", "moved", "light", "dead HSI pixels"}
# Places of a note; where there are more, the largest.
MOST_PLACES = 20

# (top, left, bottom, right) in LR pixels.
Box = tuple[int, int, int, int]


def name_strangers(
    prepared: Prepared,
    strangers: Strangers,
    lit: np.ndarray,
    *,
    is_corrected: bool = True,
) -> None:
    """Put them into notes and findings.

    Args:
        prepared: The pair; is given both.
        strangers: What was found.
        lit: (h, w) those that only the light makes strange.
        is_corrected: Whether these were lit as the HSI is; else they were left out as all others.
    """
    scale = prepared.observation.scale
    notes = prepared.notes
    found = prepared.found
    light = []
    moved = []
    for group in strangers.groups:
        if _is_lit(group, strangers, lit):
            light.append(group)
        else:
            moved.append(group)
    if light:
        listed = _listed(light, scale)
        done = NOT_CORRECTED
        if is_corrected:
            done = CORRECTED
            found["light"] = _places(light, scale)
        notes.append(f"{LIGHT}{listed}: {done}")
    if moved:
        listed = _listed(moved, scale)
        notes.append(f"{MOVED}{listed}: {LEFT_OUT}")
    if not is_corrected:
        # For programs all of them are alike then.
        moved = strangers.groups
    if moved:
        found["moved"] = _places(moved, scale)
    if strangers.singles:
        notes.append(f"{strangers.singles}{DEAD}")
        found["dead HSI pixels"] = strangers.singles


def is_on_strangers(note: str) -> bool:
    """Whether a note is one of these."""
    return note.startswith((MOVED, LIGHT)) or note.endswith(DEAD)


def _is_lit(
    group: Box,
    strangers: Strangers,
    lit: np.ndarray,
) -> bool:
    top, left, bottom, right = group
    own = np.s_[top:bottom, left:right]
    members = strangers.mask[own]
    is_lit = lit[own]
    return bool(np.all(is_lit[members]))


def _places(groups: Sequence[Box], scale: int) -> list[str]:
    """Where groups are on the MSI."""
    places = []
    for group in groups:
        top, left, bottom, right = (scale * edge for edge in group)
        places.append(f"rows {top}-{bottom}, columns {left}-{right}")
    return places


def _listed(groups: Sequence[Box], scale: int) -> str:
    """The places one after the other, or the largest of them and how many more there are."""
    more = len(groups) - MOST_PLACES
    named = groups
    if more > 0:
        by_area = sorted(groups, key=_area, reverse=True)
        named = by_area[:MOST_PLACES]
    places = _places(named, scale)
    listed = "; ".join(places)
    if more > 0:
        listed += f" and {more} smaller places"
    return listed


def _area(group: Box) -> int:
    top, left, bottom, right = group
    height = bottom - top
    width = right - left
    return height * width
