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
    # A band that is the same everywhere stays zero.
    spread[spread == 0] = 1.0
    standard = centred / spread
    correlation = standard.T @ standard / count  # (C, C)
    # Bands that copy each other can be inverted.
    ridge = ROUNDING * np.eye(bands)
    inverse = np.linalg.inv(correlation + ridge)
    # What a regression on all others leaves of a standardised band is 1 over the diagonal of the inverse.
    left = 1.0 / np.diag(inverse)
    others = bands - 1
    freedom = max(1.0 - others / count, LEAST_FREEDOM)
    share = left / freedom
    return np.asarray(np.minimum(share, 1.0))


def drowned_bands(lr_hsi: np.ndarray) -> np.ndarray:
    """Numbers of the bands that are mostly noise; none where all are, or where there are too few pixels to tell.

    Args:
        lr_hsi: (h, w, C).
    """
    bands = lr_hsi.shape[2]
    pixels = lr_hsi.reshape(-1, bands)
    none = np.zeros(0, dtype=int)
    if bands < LEAST_BANDS or len(pixels) < PIXELS_PER_BAND * bands:
        return none
    share = unexplained(pixels)
    typical = np.median(share)
    if typical > TYPICAL:
        return none
    return np.flatnonzero(share > DROWNED)


def _nearest(
    clean: np.ndarray,
    band: int,
) -> tuple[list[int], np.ndarray]:
    """The clean bands next to a drowned one, and their weights in a first guess of it."""
    before = clean[clean < band]
    after = clean[clean > band]
    near = []
    if before.size:
        near.append(int(before[-1]))
    if after.size:
        near.append(int(after[0]))
    distances = np.abs(band - np.array(near))
    closeness = 1.0 / distances
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
    height, width, depth = lr_hsi.shape
    pixels = lr_hsi.reshape(-1, depth)
    clean = np.setdiff1d(np.arange(depth), bands)
    clean_pixels = pixels[:, clean]
    scores = _leading_scores(clean_pixels)
    # What two clean bands next to each other differ by is what the first guess may err by.
    steps = np.diff(clean_pixels, axis=1)
    variances = np.var(steps, axis=0)
    apart = float(np.mean(variances))
    out: np.ndarray = lr_hsi.copy()
    for band in bands:
        near, weights = _nearest(clean, int(band))
        guess = pixels[:, near] @ weights
        rest = pixels[:, band] - guess
        level, slopes = _told_by(rest, scores, apart)
        rebuilt = guess + level + scores @ slopes
        out[..., band] = rebuilt.reshape(height, width)
    return out


def _leading_scores(pixels: np.ndarray) -> np.ndarray:
    """How much of the leading directions is in each pixel, in standard deviations.

    Args:
        pixels: (n, b) of the clean bands.

    Returns:
        (n, 4), each of variance 1.
    """
    centred = pixels - pixels.mean(axis=0)
    # By the bands' Gram matrix: pixels are many, and the leading directions far above its rounding.
    gram = centred.T @ centred
    energies, vectors = np.linalg.eigh(gram)
    # The largest come last.
    leading = vectors[:, ::-1][:, :DIRECTIONS]  # (b, 4)
    largest = energies[::-1][:DIRECTIONS]
    variances = np.maximum(largest, TINY) / len(pixels)
    return np.asarray(centred @ leading / np.sqrt(variances))


def _told_by(
    rest: np.ndarray,
    scores: np.ndarray,
    apart: float,
) -> tuple[float, np.ndarray]:
    """What a noisy band tells of itself beyond a first guess.

    Args:
        rest: (n,) the band less the guess: noise, mostly.
        scores: (n, 4) see `_leading_scores`.
        apart: Variance that the guess may err by.

    Returns:
        The mean of what is told, and its (4,) slopes along the directions; zero what is within its error.
    """
    count = len(rest)
    noise = float(np.var(rest))
    error = np.sqrt(noise / count)
    # Ridge regression: the less, the more of the slopes is noise.
    noise_of_slopes = DIRECTIONS * noise / count
    shrink = apart / (apart + noise_of_slopes + TINY)
    centred = rest - rest.mean()
    slopes = shrink * (scores.T @ centred) / count
    slopes[np.abs(slopes) <= ERRORS * error] = 0.0
    level = float(rest.mean())
    if abs(level) <= ERRORS * error:
        level = 0.0
    return level, slopes
