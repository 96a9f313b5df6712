"""HSI bands that are mostly noise: replaced by what the other bands tell of them."""

from __future__ import annotations

import numpy as np

# Share of a band's variance that the other bands do not explain from which on it is called drowned ...
DROWNED = 0.5
# ... if the typical band is explained at least so well.
TYPICAL = 0.1
# Fewer bands or pixels than this tell nothing of each other.
LEAST_BANDS = 6
PIXELS_PER_BAND = 2
# Directions of the clean bands that a drowned one is regressed on: few, its noise is fitted too.
DIRECTIONS = 4
# Slopes and levels within so many of their errors are noise.
ERRORS = 2.0
# Directions below the rounding of float32 must not decide.
ROUNDING = 1e-6
# The correction for the number of bands stops where there are hardly more pixels.
LEAST_FREEDOM = 0.1
TINY = 1e-300


def unexplained(pixels: np.ndarray) -> np.ndarray:
    """(C,) share of each band's variance that the others leave, corrected for the number of bands.

    Args:
        pixels: (n, C) spectra.
    """
    count, bands = pixels.shape
    centred = pixels - pixels.mean(axis=0)
    spread = centred.std(axis=0)
    spread[spread == 0] = 1.0
    standard = centred / spread
    correlation = standard.T @ standard / count  # (C, C)
    inverse = np.linalg.inv(correlation + ROUNDING * np.eye(bands))
    # What a regression on all others leaves of a standardised band is 1 over the diagonal of the inverse.
    left = 1.0 / np.diag(inverse)
    freedom = max(1.0 - (bands - 1) / count, LEAST_FREEDOM)
    return np.asarray(np.minimum(left / freedom, 1.0))


def drowned_bands(lr_hsi: np.ndarray) -> np.ndarray:
    """Numbers of the bands that are mostly noise; none where all are, or where there are too few pixels to tell."""
    bands = lr_hsi.shape[2]
    pixels = lr_hsi.reshape(-1, bands)
    none = np.zeros(0, dtype=int)
    if bands < LEAST_BANDS or len(pixels) < PIXELS_PER_BAND * bands:
        return none
    share = unexplained(pixels)
    if np.median(share) > TYPICAL:
        return none
    return np.flatnonzero(share > DROWNED)


def _nearest(clean: np.ndarray, band: int) -> tuple[list[int], np.ndarray]:
    """The clean bands next to a drowned one, and their weights in a first guess of it."""
    before = clean[clean < band]
    after = clean[clean > band]
    near = []
    if before.size:
        near.append(int(before[-1]))
    if after.size:
        near.append(int(after[0]))
    closeness = np.array([1.0 / abs(band - other) for other in near])
    return near, closeness / closeness.sum()


def without_drowned(lr_hsi: np.ndarray, bands: np.ndarray) -> np.ndarray:
    """Drowned bands rebuilt from their clean neighbours in the spectrum and the leading directions of all clean ones.

    The neighbours' mean is the first guess; what the directions add to it comes from the noisy band by ridge
    regression, so that little is believed where the noise is strong.

    Args:
        lr_hsi: (h, w, C).
        bands: Numbers of the drowned bands.

    Returns:
        (h, w, C) with these bands replaced.
    """
    out: np.ndarray = lr_hsi.copy()
    pixels = lr_hsi.reshape(-1, lr_hsi.shape[2])
    count = len(pixels)
    clean = np.setdiff1d(np.arange(pixels.shape[1]), bands)
    centred = pixels[:, clean] - pixels[:, clean].mean(axis=0)
    # By the bands' Gram matrix: pixels are many, and the leading directions far above its rounding.
    energies, vectors = np.linalg.eigh(centred.T @ centred)
    leading = vectors[:, ::-1][:, :DIRECTIONS]  # the largest first
    deviations = np.sqrt(np.maximum(energies[::-1][:DIRECTIONS], TINY) / count)
    scores = centred @ leading / deviations  # (n, 4), each of variance 1
    # What two clean bands next to each other differ by is what the first guess may err by.
    steps = np.diff(pixels[:, clean], axis=1)
    apart = float(np.mean(np.var(steps, axis=0)))
    for band in bands:
        near, weights = _nearest(clean, int(band))
        guess = pixels[:, near] @ weights
        rest = pixels[:, band] - guess
        noise = float(np.var(rest))
        error = np.sqrt(noise / count)
        shrink = apart / (apart + DIRECTIONS * noise / count + TINY)
        slopes = shrink * (scores.T @ (rest - rest.mean())) / count
        slopes[np.abs(slopes) <= ERRORS * error] = 0.0
        level = float(rest.mean())
        if abs(level) <= ERRORS * error:
            level = 0.0
        rebuilt = guess + level + scores @ slopes
        out[..., band] = rebuilt.reshape(lr_hsi.shape[:2])
    return out
