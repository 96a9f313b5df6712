"""HSI bands that are mostly noise: replaced by what the other bands tell of them."""

from __future__ import annotations

import numpy as np

# Share of a band's variance that the other bands do not explain from which on it is called drowned ...
DROWNED = 0.5
# ... if the typical band is explained at least so well.
TYPICAL = 0.1
# Directions of the clean bands that a drowned one is regressed on: few, its noise is fitted too.
DIRECTIONS = 4


def unexplained(pixels: np.ndarray) -> np.ndarray:
    """(C,) share of each band's variance that the others leave, corrected for the number of bands.

    Args:
        pixels: (n, C) spectra.
    """
    count, bands = pixels.shape
    centred = pixels - pixels.mean(axis=0)
    spread = centred.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    correlation = (centred / spread).T @ (centred / spread) / count
    # Directions below the rounding of float32 must not decide.
    inverse = np.linalg.inv(correlation + 1e-6 * np.eye(bands))
    freedom = max(1.0 - (bands - 1) / count, 0.1)
    return np.asarray(np.minimum(1.0 / (np.diag(inverse) * freedom), 1.0))


def drowned_bands(lr_hsi: np.ndarray) -> np.ndarray:
    """Numbers of the bands that are mostly noise; none where all are, or where there are too few pixels to tell."""
    pixels = lr_hsi.reshape(-1, lr_hsi.shape[2])
    if len(pixels) < 2 * pixels.shape[1] or pixels.shape[1] < 6:
        return np.zeros(0, dtype=int)
    share = unexplained(pixels)
    if np.median(share) > TYPICAL:
        return np.zeros(0, dtype=int)
    return np.flatnonzero(share > DROWNED)


def without_drowned(lr_hsi: np.ndarray, bands: np.ndarray) -> np.ndarray:
    """Drowned bands rebuilt from their clean neighbours in the spectrum and the leading directions of all clean ones.

    The neighbours' mean is the first guess; its factor and what the directions add to it come from the noisy band by
    ridge regression, so that little is believed where the noise is strong.

    Args:
        lr_hsi: (h, w, C).
        bands: Numbers of the drowned bands.

    Returns:
        (h, w, C) with these bands replaced.
    """
    out: np.ndarray = lr_hsi.copy()
    count = lr_hsi.shape[2]
    clean = np.setdiff1d(np.arange(count), bands)
    pixels = lr_hsi.reshape(-1, count)
    centred = pixels[:, clean] - pixels[:, clean].mean(axis=0)
    left, _, _ = np.linalg.svd(centred, full_matrices=False)
    scores = left[:, :DIRECTIONS] * np.sqrt(len(pixels))
    for band in bands:
        before, after = clean[clean < band], clean[clean > band]
        near = [int(side[place]) for side, place in ((before, -1), (after, 0)) if side.size]
        distance = np.array([abs(band - other) for other in near], dtype=np.float64)
        weights = (1.0 / distance) / np.sum(1.0 / distance)
        guess = pixels[:, near] @ weights
        rest = pixels[:, band] - guess
        noise = float(np.var(rest))
        # What two clean bands as far apart differ by is what the guess may err by.
        apart = np.mean(np.var(np.diff(pixels[:, clean], axis=1), axis=0))
        shrink = apart / (apart + DIRECTIONS * noise / len(pixels) + 1e-300)
        slopes = shrink * (scores.T @ (rest - rest.mean())) / len(pixels)
        error = np.sqrt(noise / len(pixels))
        slopes = np.where(np.abs(slopes) > 2.0 * error, slopes, 0.0)
        level = rest.mean() if abs(rest.mean()) > 2.0 * error else 0.0
        out[..., band] = (guess + level + scores @ slopes).reshape(lr_hsi.shape[:2])
    return out
