"""Single pixels of the MSI that say nothing of the scene: dead, hot or stuck; found by their neighbours, filled."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import convolve, label, uniform_filter

from paddle_umsft.preparation.gains import Undone
from paddle_umsft.preparation.view import View

# Off its neighbours' median by more than so many times what is usual around, and by a share of the band's range.
TIMES_USUAL = 4.0
LEAST_JUMP = 0.08
# If at least half of the suspects share one value, the sensor's own, only these are meant.
STUCK_SHARE = 0.5
# Pixels of one stuck value that touch each other and may still be chance.
LARGEST_HEAP = 12
FILLING = 60


def _neighbours(image: np.ndarray) -> np.ndarray:
    """(8, H, W, M) values of the eight neighbours, sorted; the border goes on."""
    height, width = image.shape[:2]
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
    steps = [(row, column) for row in range(3) for column in range(3) if (row, column) != (1, 1)]
    around = np.stack([padded[row : row + height, column : column + width] for row, column in steps])
    return np.sort(around, axis=0)


def suspects(hr_msi: np.ndarray) -> np.ndarray:
    """(H, W, M) pixels that stand out of their neighbourhood, alone or nearly so."""
    image = hr_msi.astype(np.float32)
    around = _neighbours(image)
    # Two of the eight may be dead themselves.
    jump = np.maximum(image - around[5], around[2] - image)
    usual = np.abs(image - 0.5 * (around[3] + around[4]))
    span = np.quantile(image, 0.99, axis=(0, 1)) - np.quantile(image, 0.01, axis=(0, 1))
    usual = uniform_filter(np.minimum(usual, LEAST_JUMP * span), size=(7, 7, 1), mode="nearest")
    found = jump > TIMES_USUAL * usual + LEAST_JUMP * span
    for band in range(hr_msi.shape[2]):
        chosen = found[..., band]
        values = hr_msi[..., band][chosen]
        if not values.size:
            continue
        rounded = np.round(values / max(float(span[band]), 1e-30), 4)
        unique, counts = np.unique(rounded, return_counts=True)
        stuck = unique[counts >= max(0.2 * len(values), 5)]
        told = np.isin(rounded, stuck)
        if told.mean() >= STUCK_SHARE:
            whole = np.round(hr_msi[..., band] / max(float(span[band]), 1e-30), 4)
            # Dead neighbours hide each other: every small heap of the stuck value is meant, and nothing else.
            heaps, _ = label(np.isin(whole, stuck), structure=np.ones((3, 3)))
            small = np.bincount(heaps.ravel()) <= LARGEST_HEAP
            small[0] = False
            found[..., band] = small[heaps]
    return np.asarray(found)


def filled(hr_msi: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """Unknown pixels replaced by the smoothest surface through their neighbours (Laplace's equation)."""
    out: np.ndarray = hr_msi.copy()
    kernel = np.array([[1.0, 2.0, 1.0], [2.0, 0.0, 2.0], [1.0, 2.0, 1.0]])
    for band in range(hr_msi.shape[2]):
        hole = unknown[..., band]
        if not hole.any() or hole.all():
            continue
        image = np.where(hole, 0.0, out[..., band])
        known = (~hole).astype(np.float64)
        # From the rim inwards a first guess, then the surface.
        while True:
            support = convolve(known, kernel, mode="nearest")
            fresh = (known == 0) & (support > 0)
            if not fresh.any():
                break
            image[fresh] = (convolve(image * known, kernel, mode="nearest") / np.maximum(support, 1e-30))[fresh]
            known[fresh] = 1.0
        for _ in range(FILLING):
            image[hole] = (convolve(image, kernel, mode="nearest") / kernel.sum())[hole]
        out[..., band] = image
    return out


def without_dead_msi(view: View) -> tuple[Undone, np.ndarray]:
    """The MSI with suspects filled, and the (H, W, M) mask of them."""
    unknown = suspects(view.hr_msi)
    share = float(np.any(unknown, axis=2).mean())
    note = f"{100 * share:.2g} % of the MSI's pixels are dead or stuck, filled from their neighbours"
    return Undone(view.but(hr_msi=filled(view.hr_msi, unknown)), note, 1, share), unknown
