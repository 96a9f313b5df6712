"""Which pixels of a file hold anything: by its mask, its no-data value, NaN, and regions of nothing but zeros."""

from __future__ import annotations

from typing import Optional, Union

import numpy as np

from paddle_umsft.data.bad_bands import is_no_data
from paddle_umsft.data.facts import FileFacts
from paddle_umsft.errors import DataError

# A region of zeros along the image's edge counts as no data from so many pixels on ...
FEWEST_ZEROS = 8
# ... and from this share of the image on: single dark pixels are light that was too little.
LEAST_ZERO_SHARE = 0.005
# Numbers that files of this field are filled with where nothing was measured; light is none of them.
KNOWN_FILLS = (-9999.0, -32768.0, -999.0, -9990.0, -99999.0, -3.4028234663852886e38, -1.7976931348623157e308)
# Pixels without data that a scene cannot do without: at least this share must hold some.
LEAST_VALID = 0.01


def valid_pixels(
    values: np.ndarray,
    facts: FileFacts,
    own_mask: Optional[np.ndarray],
    setting: Union[str, float],
    where: str,
    *,
    looks_for_zeros: bool,
) -> tuple[Optional[np.ndarray], tuple[str, ...]]:
    """Find the pixels that hold data in all bands.

    Args:
        values: (H, W, C) as stored, the bands that are used.
        facts: Of the file: its no-data value.
        own_mask: (H, W) bool of the file itself, True where there is data; None: it has none.
        setting: "auto": all of the above; "none": nothing is masked; or the no-data value, instead of the file's.
        where: What the image is called in notes and messages.
        looks_for_zeros: Regions of zeros along the image's edge are no data, whether or not the file says so.

    Returns:
        (H, W) bool, True where a pixel holds data, or None where all do; and a note a reason.

    Raises:
        DataError: Hardly a pixel holds data.
    """
    if setting == "none":
        return None, ()
    no_data = facts.no_data
    unsaid = False
    if not isinstance(setting, str):
        no_data = float(setting)
    elif no_data is None:
        no_data = usual_fill(values)
        unsaid = no_data is not None
    hidden = np.zeros(values.shape[:2], bool)
    notes: list[str] = []

    def hide(found: np.ndarray, reason: str) -> None:
        # Each pixel is told of once, with the first reason.
        fresh = int((found & ~hidden).sum())
        if fresh == 0:
            return
        hidden[found] = True
        share = _percent(fresh, hidden.size)
        notes.append(f"{where}: {fresh} of {hidden.size} pixels ({share}) masked: {reason}")

    if own_mask is not None:
        hide(~own_mask, "no data by the file's own mask")
    # The least of numbers is none if one of them is: a glance that nearly all images pass.
    if values.dtype.kind == "f" and values.size > 0 and np.isnan(values.min()):
        not_numbers = np.isnan(values)
        hide(np.asarray(not_numbers.any(axis=2)), "no data (NaN)")
    if no_data is not None:
        marked = is_no_data(values, no_data)
        # Zero may as well be a very dark band; nothing else that means "no data" can be a measurement.
        found = np.asarray(marked.any(axis=2))
        if no_data == 0:
            found = np.asarray(marked.all(axis=2))
        reason = f"no data ({no_data:g})"
        if unsaid:
            reason += ", as such files are filled though this one does not say so; data.no_data=none keeps it"
        hide(found, reason)
    if looks_for_zeros and isinstance(setting, str):
        reason = "nothing but zeros along the edge, taken as no data; data.no_data=none keeps them"
        hide(_zeros_at_the_edge(values), reason)
    if not hidden.any():
        return None, ()
    held = 1 - hidden.mean()
    if held < LEAST_VALID:
        raise DataError(
            "hardly a pixel holds data",
            where=where,
            got="; ".join(notes),
            hint="is it the right file? data.no_data=none takes all values as they are",
        )
    return ~hidden, tuple(notes)


def usual_fill(values: np.ndarray) -> Optional[float]:
    """Return the usual fill value that whole pixels hold, where a file names none; None if there is no such pixel.

    Args:
        values: (H, W, C).
    """
    if values.dtype.kind not in "if":
        return None
    # It is the least of all numbers, or not there: a look at one band of each pixel is enough to say so.
    with np.errstate(invalid="ignore"):
        least = np.fmin.reduce(values[:, :, 0], axis=None)
    if float(least) not in KNOWN_FILLS:
        return None
    whole = (values == least).all(axis=2)
    if not whole.any():
        return None
    return float(least)


def _zeros_at_the_edge(values: np.ndarray) -> np.ndarray:
    """Return (H, W) bool: connected regions of zeros in all bands that touch the image's edge and are no specks."""
    from scipy.ndimage import label

    edge = [
        values[0],
        values[-1],
        values[:, 0],
        values[:, -1],
    ]
    # Nearly all images have no such pixel at all: a look at their edge is enough.
    if not any((side == 0).all(axis=1).any() for side in edge):
        return np.zeros(values.shape[:2], bool)
    empty = (values == 0).all(axis=2)
    # Nothing at all is another fault, and named as such.
    if empty.all():
        return np.zeros_like(empty)
    regions, count = label(empty)
    sizes = np.bincount(regions.ravel(), minlength=count + 1)
    fewest = max(FEWEST_ZEROS, LEAST_ZERO_SHARE * empty.size)
    rim = np.concatenate(
        [
            regions[0],
            regions[-1],
            regions[:, 0],
            regions[:, -1],
        ]
    )
    # Number 0 is what is not empty.
    kept = []
    for region in np.unique(rim):
        if region > 0 and sizes[region] >= fewest:
            kept.append(region)
    return np.isin(regions, kept)


def _percent(part: int, whole: int) -> str:
    """Return a share for a note."""
    return f"{100 * part / whole:.3g} %"
