"""How much noise an image can hold at most: its finest differences, seen directly and behind the PSF.

Differences between pixels hold texture as well as noise, so each figure is a bound from above, and the smaller one
counts. Behind the PSF texture is explained by the other image; what is left there and changes from one LR pixel to the
next can be noise, what is smooth is the fault of PSF, SRF or of what lies beyond the picture.
"""

from __future__ import annotations

import numpy as np

# The median of |x| is this many standard deviations of a Gaussian x.
MEDIAN_DEVIATION = 0.6745
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


def pixel_noise(image: np.ndarray) -> float:
    """Robust noise level of (H, W, M), mean over bands: from the finest diagonal differences."""
    height, width = image.shape[:2]
    # Of a very large image every n-th pair of rows: a median needs no more.
    step = max(1, -(-height * width // MOST_PIXELS))
    above = image[:-1:step]
    below = image[1::step]
    # Four pixels of independent noise, divided by 2, have the variance of one.
    diagonal = (below[:, 1:] - below[:, :-1] - above[:, 1:] + above[:, :-1]) / 2.0
    if not diagonal.size:
        return 0.0
    median = np.median(np.abs(diagonal), axis=(0, 1))  # (M,)
    variance = (median / MEDIAN_DEVIATION) ** 2
    return float(np.sqrt(np.mean(variance)))


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
    kernel = np.zeros((size + scale, size + scale))
    half = psf / 2.0
    kernel[:size, :size] += half
    kernel[:size, scale:] -= half
    kernel[scale:, :size] -= half
    kernel[scale:, scale:] += half
    norm = float(np.sqrt(np.sum(kernel**2)))
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
    gram: np.ndarray = np.zeros((bands, bands))
    # A few at a time: in float64 all would be twice as large.
    for first in range(0, count, AT_ONCE):
        values = pixels[first : first + AT_ONCE].astype(np.float64)
        gram += values.T @ values
    ridge = GRAM_RIDGE * np.trace(gram) / bands + TINY
    inverse = np.linalg.inv(gram + ridge * np.eye(bands))
    # Residual energy of band b regressed on the rest is 1 / inverse[b, b].
    energy = 1.0 / np.maximum(np.diag(inverse), TINY_DIAGONAL)
    few = max(count // LEAST_FREEDOM, 1)
    freedom = max(count - bands, few)
    variance = np.maximum(energy - ridge, 0.0) / freedom
    return np.asarray(np.sqrt(variance))
