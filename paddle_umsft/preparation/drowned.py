"""HSI bands that are mostly noise: replaced by what the other bands tell of them."""

from __future__ import annotations

from dataclasses import dataclass

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
# Of a very large cube: spectra that tell all of this, and values that are made anew at a time.
MOST_SPECTRA = 2**17
AT_ONCE = 2**23


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


@dataclass(frozen=True)
class _Directions:
    """The leading directions of the clean bands.

    Attributes:
        clean: (c,) numbers of these bands.
        mean: (c,).
        leading: (c, 4).
        deviations: (4,) of the pixels along them.
    """

    clean: np.ndarray
    mean: np.ndarray
    leading: np.ndarray
    deviations: np.ndarray

    @classmethod
    def of(cls, pixels: np.ndarray, clean: np.ndarray) -> _Directions:
        """Those of (n, C) spectra."""
        own = pixels[:, clean]
        mean = own.mean(axis=0)
        centred = own - mean
        # By the bands' Gram matrix: pixels are many, and the leading directions far above its rounding.
        gram = centred.T @ centred
        energies, vectors = np.linalg.eigh(gram)
        # The largest come last.
        largest = energies[::-1][:DIRECTIONS]
        leading = vectors[:, ::-1][:, :DIRECTIONS]
        variances = np.maximum(largest, TINY) / len(pixels)
        return cls(
            clean=clean,
            mean=mean,
            leading=leading,
            deviations=np.sqrt(variances),
        )

    def scores(self, pixels: np.ndarray) -> np.ndarray:
        """(n, 4) of (n, C) spectra along them, each of variance 1."""
        centred = pixels[:, self.clean] - self.mean
        return np.asarray(centred @ self.leading / self.deviations)


@dataclass(frozen=True)
class _Rebuilt:
    """How one band is made of others.

    Attributes:
        band: Its number.
        near: The clean bands next to it.
        weights: Theirs.
        level: What it lies above these.
        slopes: (4,) what the directions add.
    """

    band: int
    near: list[int]
    weights: np.ndarray
    level: float
    slopes: np.ndarray


class Rebuilding:
    """How drowned bands are made of their clean neighbours and the leading directions of all clean ones.

    The neighbours' mean is the first guess; what the directions add to it comes from the noisy band by ridge
    regression, so that little is believed where the noise is strong.

    Args:
        pixels: (n, C) spectra, of which it is learned.
        bands: Numbers of the drowned bands.
    """

    def __init__(self, pixels: np.ndarray, bands: np.ndarray) -> None:
        clean = np.setdiff1d(np.arange(pixels.shape[1]), bands)
        self._directions = _Directions.of(pixels, clean)
        scores = self._directions.scores(pixels)
        # What two clean bands next to each other differ by is what the first guess may err by.
        steps = np.diff(pixels[:, clean], axis=1)
        variances = np.var(steps, axis=0)
        apart = float(np.mean(variances))
        self._bands = []
        for band in bands:
            own = _rebuilt(pixels, scores, clean, int(band), apart)
            self._bands.append(own)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """(n, C) spectra with these bands made anew."""
        out: np.ndarray = pixels.copy()
        scores = self._directions.scores(pixels)
        for own in self._bands:
            guess = pixels[:, own.near] @ own.weights
            out[:, own.band] = guess + own.level + scores @ own.slopes
        return out


def _rebuilt(
    pixels: np.ndarray,
    scores: np.ndarray,
    clean: np.ndarray,
    band: int,
    apart: float,
) -> _Rebuilt:
    """How a band is made.

    Args:
        pixels: (n, C) spectra.
        scores: (n, 4) theirs.
        clean: (c,) numbers of the clean bands.
        band: Number of the band.
        apart: Variance of what two clean bands next to each other differ by.
    """
    near, weights = _nearest(clean, band)
    guess = pixels[:, near] @ weights
    rest = pixels[:, band] - guess
    level, slopes = _told_by(rest, scores, apart)
    return _Rebuilt(
        band=band,
        near=near,
        weights=weights,
        level=level,
        slopes=slopes,
    )


def _told_by(
    rest: np.ndarray,
    scores: np.ndarray,
    apart: float,
) -> tuple[float, np.ndarray]:
    """What a noisy band tells of itself beyond a first guess.

    Args:
        rest: (n,) the band less the guess: noise, mostly.
        scores: (n, 4) of the pixels along the leading directions.
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


def without_drowned(lr_hsi: np.ndarray, bands: np.ndarray) -> np.ndarray:
    """Drowned bands rebuilt from the others.

    Args:
        lr_hsi: (h, w, C).
        bands: Numbers of the drowned bands.

    Returns:
        (h, w, C) with these bands replaced.
    """
    pixels = lr_hsi.reshape(-1, lr_hsi.shape[2])
    rebuilding = Rebuilding(pixels, bands)
    return rebuilding(pixels).reshape(lr_hsi.shape)


def without_drowned_in_large(lr_hsi: np.ndarray, bands: np.ndarray) -> np.ndarray:
    """The same for a cube that is too large to be held in float64: learned of some spectra, made a few rows at a time.

    Args:
        lr_hsi: (h, w, C).
        bands: Numbers of the drowned bands.

    Returns:
        (h, w, C) float32.
    """
    height, width, depth = lr_hsi.shape
    step = -(-height * width // MOST_SPECTRA)
    some = np.arange(0, height * width, step)
    rows, columns = np.unravel_index(some, (height, width))
    spectra = lr_hsi[rows, columns]
    rebuilding = Rebuilding(spectra.astype(np.float64), bands)
    out: np.ndarray = np.empty(lr_hsi.shape, dtype=np.float32)
    at_once = max(1, AT_ONCE // (width * depth))
    for top in range(0, height, at_once):
        part = lr_hsi[top : top + at_once]
        pixels = part.reshape(-1, depth).astype(np.float64)
        out[top : top + at_once] = rebuilding(pixels).reshape(part.shape)
    return out
