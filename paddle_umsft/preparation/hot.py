"""LR pixels with values far beyond all others that the MSI knows nothing of: hot detector elements, broken words.

One such value decides every least squares fit, so they are looked for before anything else, by order statistics alone,
and masked. What the scene itself holds (a highlight, a lamp) the MSI shows as well, and it stays.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from paddle_umsft.data.masks import filled
from paddle_umsft.data.scene import Observation
from paddle_umsft.preparation.masked import lr_pixels_with_data

# The usual range of a band: between these shares of its values.
LOW, HIGH = 0.02, 0.98
# Away from the median by more than so many usual ranges on its side is wild; so much less is nothing special.
WILD = 6.0
USUAL = 1.5
# Fewer LR pixels have no usual range; where more than this share is wild, that is what the scene is like.
LEAST_PIXELS = 48
MOST = 0.02
# Pixels that the usual range is taken from, at most; of larger images every n-th.
MOST_USUAL = 2**17
# Pixels whose distances are formed at a time.
AT_ONCE = 2**16
TINY = 1e-30


def _farthest(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """How far values lie from their band's median, in usual ranges on the same side, in the band where it is farthest.

    Args:
        values: (n, B).
        known: (n,) those that say what is usual.

    Returns:
        (n,).
    """
    # So many pixels tell what is usual as well as all of them do.
    step = -(-int(known.sum()) // MOST_USUAL)
    usual = np.flatnonzero(known)[::step]
    low, middle, high = np.quantile(values[usual], [LOW, 0.5, HIGH], axis=0)
    widest = np.maximum(high - middle, middle - low)
    # A band's narrow side does not make its other values wild.
    farthest = np.empty(len(values))
    # A large image a few pixels at a time: the distances of all its values would be twice as large as it.
    for first in range(0, len(values), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        distance = np.abs(values[some] - middle) / (widest + TINY)
        farthest[some] = distance.max(axis=1)
    return farthest


def hot_pixels(observation: Observation) -> np.ndarray:
    """(h, w) LR pixels with a wild value in any band at places where no MSI band shows anything special."""
    lr_hsi, scale = observation.lr_hsi, observation.scale
    height, width, bands = lr_hsi.shape
    nowhere = np.zeros((height, width), dtype=bool)
    known = lr_pixels_with_data(observation).ravel()
    if known.sum() < LEAST_PIXELS:
        return nowhere
    wild = (_farthest(lr_hsi.reshape(-1, bands), known) > WILD) & known
    if not wild.any() or wild.sum() > MOST * known.sum() + 1:
        return nowhere
    cells = observation.hr_msi.reshape(height, scale, width, scale, -1)
    # The brightest pixel of a cell, too: a highlight smaller than an LR pixel is one.
    for seen in (cells.mean(axis=(1, 3)), cells.max(axis=(1, 3))):
        pixels = seen.reshape(len(known), -1)
        wild &= _farthest(pixels, known) <= USUAL
    return np.asarray(wild.reshape(height, width))


def without_hot(observation: Observation) -> tuple[Observation, list[str]]:
    """A pair with its hot LR pixels masked and filled, and a note; the very pair where there are none.

    Args:
        observation: What the cameras saw, without anything left of what was masked before.
    """
    hot = hot_pixels(observation)
    if not hot.any():
        return observation, []
    valid = lr_pixels_with_data(observation) & ~hot
    cleaned = replace(
        observation,
        lr_hsi=filled(observation.lr_hsi, valid, "lr_hsi"),
        mask_hsi=valid,
    )
    places = [f"({row}, {column})" for row, column in np.argwhere(hot)[:3]]
    more = ""
    if hot.sum() > len(places):
        more = " ..."
    note = (
        f"{int(hot.sum())} LR pixels of the HSI, at (row, column) {', '.join(places)}{more}, hold values far beyond "
        "all others that the MSI knows nothing of: left out as outliers"
    )
    return cleaned, [note]
