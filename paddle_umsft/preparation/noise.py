"""How much noise an image can hold at most: its finest differences, seen directly and behind the PSF.

Differences between pixels hold texture as well as noise, so each figure is a bound from above, and the smaller one
counts. Behind the PSF texture is explained by the other image; what is left there and changes from one LR pixel to the
next can be noise, what is smooth is the fault of PSF, SRF or of what lies beyond the picture.
"""

from __future__ import annotations

import numpy as np

# The median of |x| is this many standard deviations of a Gaussian x.
MEDIAN_DEVIATION = 0.6745
# Differences of four independent pixels, halved, have the variance of one.
HALVED = 2.0
# Pixels whose differences are looked at, at most.
MOST_PIXELS = 2**21
# Spectra whose products are summed up at a time.
AT_ONCE = 2**14
# Added to the bands' Gram matrix, relative to its mean diagonal: bands that are copies of each other can be inverted.
GRAM_RIDGE = 1e-10
# With hardly more pixels than bands the residual has no degrees of freedom left; a tenth of the pixels is assumed.
LEAST_FREEDOM = 10
# Keep divisions finite where the image is all zero.
TINY = 1e-30
TINY_DIAGONAL = 1e-300


def diagonal_differences(image: np.ndarray, step: int) -> np.ndarray:
    """What is left of white noise alone, with its standard deviation: an edge along rows or columns leaves nothing.

    Args:
        image: (H, W, M).
        step: Of every so many pairs of rows one is taken.

    Returns:
        (n, W - 1, M).
    """
    above = image[:-1:step]
    below = image[1::step]
    upper_left = above[:, :-1]
    upper_right = above[:, 1:]
    lower_left = below[:, :-1]
    lower_right = below[:, 1:]
    return np.asarray((lower_right - lower_left - upper_right + upper_left) / HALVED)


def pixel_noise(image: np.ndarray) -> float:
    """Robust noise level of (H, W, M), mean over bands: from the finest diagonal differences."""
    height, width, _ = image.shape
    # Of a very large image every n-th pair of rows: a median needs no more.
    times_too_many = -(-height * width // MOST_PIXELS)
    step = max(1, times_too_many)
    diagonal = diagonal_differences(image, step)
    if not diagonal.size:
        return 0.0
    median = np.median(np.abs(diagonal), axis=(0, 1))  # (M,)
    deviation = median / MEDIAN_DEVIATION
    mean = np.mean(deviation**2)
    return float(np.sqrt(mean))


def noise_before_psf(
    misfit: np.ndarray,
    psf: np.ndarray,
    scale: int,
) -> float:
    """White noise in the HR image that would leave as much behind the PSF as is left there.

    Args:
        misfit: (h, w, M) what PSF(MSI) and SRF(LR-HSI) differ by.
        psf: (k, k).
        scale: s.

    Returns:
        Standard deviation per HR pixel.
    """
    # The difference of four neighbouring LR pixels, as `pixel_noise` takes it, is one kernel over the HR pixels.
    size = len(psf)
    side = size + scale
    kernel = np.zeros((side, side))
    first = slice(None, size)
    following = slice(scale, None)
    half = psf / HALVED
    kernel[first, first] += half
    kernel[first, following] -= half
    kernel[following, first] -= half
    kernel[following, following] += half
    squares = np.sum(kernel**2)
    norm = float(np.sqrt(squares))
    return pixel_noise(misfit) / norm


def band_noise(pixels: np.ndarray) -> np.ndarray:
    """Noise standard deviation per band: what the other bands do not predict.

    Args:
        pixels: (n, C) spectra.

    Returns:
        (C,) standard deviations, an upper bound where the bands carry details of their own.

    References:
        J. Bioucas-Dias, J. Nascimento: Hyperspectral subspace identification. IEEE TGRS 46(8), 2008.
    """
    count, bands = pixels.shape
    gram = _gram(pixels)
    ridge = GRAM_RIDGE * np.trace(gram) / bands + TINY
    inverse = np.linalg.inv(gram + ridge * np.eye(bands))
    # Residual energy of band b regressed on the rest is 1 / inverse[b, b].
    diagonal = np.diag(inverse)
    energy = 1.0 / np.maximum(diagonal, TINY_DIAGONAL)
    few = max(count // LEAST_FREEDOM, 1)
    freedom = max(count - bands, few)
    without_ridge = np.maximum(energy - ridge, 0.0)
    variance = without_ridge / freedom
    return np.asarray(np.sqrt(variance))


def _gram(pixels: np.ndarray) -> np.ndarray:
    """(C, C) float64 sums of products of the bands of (n, C)."""
    count, bands = pixels.shape
    gram: np.ndarray = np.zeros((bands, bands))
    # A few at a time: in float64 all would be twice as large.
    for first in range(0, count, AT_ONCE):
        end = first + AT_ONCE
        values = pixels[first:end].astype(np.float64)
        gram += values.T @ values
    return gram
