"""Single pixels of the MSI that say nothing of the scene: dead, hot or stuck; found by their neighbours, filled."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import label, uniform_filter

from paddle_umsft.preparation.gains import Undone
from paddle_umsft.preparation.view import View

# Off its neighbours by more than so many times what is usual around, and by a share of the band's range.
TIMES_USUAL = 4.0
LEAST_JUMP = 0.08
AROUND = 7
# The range, without its wildest pixels.
LOW, HIGH = 0.01, 0.99
# Of the eight neighbours two may be dead themselves: the third smallest and largest are asked.
SMALL, LARGE = 2, 5
MIDDLE = (3, 4)
# Values are alike if they agree to so many digits of the range.
DIGITS = 4
# A value that so many of the suspects, and at least so many pixels, share is the sensor's own ...
COMMON = 0.2
LEAST_PIXELS = 5
# ... and if at least half of them have such a value, only these are meant.
STUCK_SHARE = 0.5
# Pixels of one stuck value that touch each other and may still be chance.
LARGEST_HEAP = 12
CORNERS = np.ones((3, 3))
# Relaxations of the surface that fills the holes; its neighbours' weights.
FILLING = 60
NEIGHBOURS = np.array([[1.0, 2.0, 1.0], [2.0, 0.0, 2.0], [1.0, 2.0, 1.0]])
TINY = 1e-30
# Comparisons that sort eight numbers, whatever they are; whole images at once, which is many times as fast as sorting
# pixel by pixel.
SORTING = (
    ((0, 2), (1, 3), (4, 6), (5, 7)),
    ((0, 4), (1, 5), (2, 6), (3, 7)),
    ((0, 1), (2, 3), (4, 5), (6, 7)),
    ((2, 4), (3, 5)),
    ((1, 4), (3, 6)),
    ((1, 2), (3, 4), (5, 6)),
)


def _sorted_neighbours(image: np.ndarray) -> list[np.ndarray]:
    """The values of the eight neighbours, sorted: eight times (H, W, M); the border goes on.

    References:
        D. Knuth: The art of computer programming, volume 3, section 5.3.4 (sorting networks).
    """
    height, width, _ = image.shape
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
    around = []
    for row in range(3):
        for column in range(3):
            if (row, column) == (1, 1):
                # The pixel itself.
                continue
            rows = slice(row, row + height)
            columns = slice(column, column + width)
            around.append(padded[rows, columns])
    for comparisons in SORTING:
        for low, high in comparisons:
            smaller = np.minimum(around[low], around[high])
            larger = np.maximum(around[low], around[high])
            around[low] = smaller
            around[high] = larger
    return around


def _range(image: np.ndarray) -> np.ndarray:
    """(M,) range of each band without its wildest pixels."""
    high = np.quantile(image, HIGH, axis=(0, 1))
    low = np.quantile(image, LOW, axis=(0, 1))
    return np.asarray(high - low)


def suspects(hr_msi: np.ndarray) -> np.ndarray:
    """(H, W, M) pixels that stand out of their neighbourhood, alone or nearly so."""
    image = hr_msi.astype(np.float32)
    around = _sorted_neighbours(image)
    span = _range(image)
    above = image - around[LARGE]
    below = around[SMALL] - image
    jump = np.maximum(above, below)
    before_middle, behind_middle = MIDDLE
    middle = 0.5 * (around[before_middle] + around[behind_middle])
    # What is far off itself says nothing of what is usual.
    off = np.abs(image - middle)
    usual = np.minimum(off, LEAST_JUMP * span)
    window = (AROUND, AROUND, 1)
    usual = uniform_filter(usual, size=window, mode="nearest")
    found = jump > TIMES_USUAL * usual + LEAST_JUMP * span
    for band in range(hr_msi.shape[2]):
        found[..., band] = _stuck_or_all(
            hr_msi[..., band],
            found[..., band],
            span=float(span[band]),
        )
    return np.asarray(found)


def _stuck_or_all(
    image: np.ndarray,
    found: np.ndarray,
    span: float,
) -> np.ndarray:
    """The pixels that have the sensor's own values, if most suspects have; else all suspects.

    Args:
        image: (H, W).
        found: (H, W) suspects.
        span: Range of the band.
    """
    rounded = np.round(image / max(span, TINY), DIGITS)
    suspected = rounded[found]
    if not suspected.size:
        return found
    values, counts = np.unique(suspected, return_counts=True)
    enough = max(COMMON * suspected.size, LEAST_PIXELS)
    stuck = values[counts >= enough]
    share = np.isin(suspected, stuck).mean()
    if share < STUCK_SHARE:
        return found
    # Dead neighbours hide each other: every small heap of a stuck value is meant, and nothing else.
    is_stuck = np.isin(rounded, stuck)
    heaps, _ = label(is_stuck, structure=CORNERS)
    sizes = np.bincount(heaps.ravel())
    is_small = sizes <= LARGEST_HEAP
    # What is in no heap.
    is_small[0] = False
    return np.asarray(is_small[heaps])


def filled(
    hr_msi: np.ndarray,
    unknown: np.ndarray,
) -> np.ndarray:
    """Unknown pixels replaced by the smoothest surface through their neighbours (Laplace's equation)."""
    out: np.ndarray = hr_msi.copy()
    for band in range(hr_msi.shape[2]):
        hole = unknown[..., band]
        if hole.any() and not hole.all():
            out[..., band] = _filled_band(out[..., band], hole)
    return out


def _filled_band(
    image: np.ndarray,
    hole: np.ndarray,
) -> np.ndarray:
    """(H, W) one band with its holes filled."""
    image = np.where(hole, 0.0, image)
    pixels = image.ravel()
    # Only what lies in the holes and around them is looked at: there are few.
    places = np.flatnonzero(hole)
    around, weights = _neighbours_of(hole)
    is_known = ~hole
    _guess_inwards(pixels, is_known.ravel(), places, around, weights)
    for _ in range(FILLING):
        sums = pixels[around] @ weights
        pixels[places] = sums / weights.sum()
    return pixels.reshape(image.shape)


def _guess_inwards(
    pixels: np.ndarray,
    is_known: np.ndarray,
    places: np.ndarray,
    around: np.ndarray,
    weights: np.ndarray,
) -> None:
    """Fill holes by the means of known neighbours, from the rim inwards.

    Args:
        pixels: (p,) of a band; changed where they are not known.
        is_known: (p,) changed with them.
        places: (n,) pixels of the holes.
        around: (n, k) their neighbours.
        weights: (k,) of these.
    """
    unknown = np.arange(len(places))
    while unknown.size:
        neighbours = around[unknown]
        support = weights * is_known[neighbours]  # (n, k)
        total = support.sum(axis=1)
        is_fresh = total > 0
        if not is_fresh.any():
            break
        sums = np.sum(support * pixels[neighbours], axis=1)
        guess = sums / np.maximum(total, TINY)
        fresh = places[unknown[is_fresh]]
        pixels[fresh] = guess[is_fresh]
        is_known[fresh] = True
        unknown = unknown[~is_fresh]


def _neighbours_of(hole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, k) flat indices of the neighbours of the pixels of a hole, the edge repeated outwards, and (k,) weights."""
    counts = NEIGHBOURS > 0
    # From the pixel in the middle.
    steps = np.argwhere(counts) - 1  # (k, 2)
    own = np.argwhere(hole)
    around = own[:, None, :] + steps  # (n, k, 2)
    height, width = hole.shape
    last = np.array([height - 1, width - 1])
    inside = np.clip(around, 0, last)
    rows = inside[..., 0]
    columns = inside[..., 1]
    return rows * width + columns, NEIGHBOURS[counts]


def without_dead_msi(view: View) -> tuple[Undone, np.ndarray]:
    """The MSI with suspects filled, and the (H, W, M) mask of them."""
    unknown = suspects(view.hr_msi)
    in_any_band = np.any(unknown, axis=2)
    share = float(in_any_band.mean())
    undone = Undone(
        view=view.but(hr_msi=filled(view.hr_msi, unknown)),
        note=f"{100 * share:.2g} % of the MSI's pixels are dead or stuck, filled from their neighbours",
        freedom=1,
        size=share,
    )
    return undone, unknown
