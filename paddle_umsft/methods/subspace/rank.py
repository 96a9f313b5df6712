"""Noise of both images, and how many dimensions of the spectra stand out of it."""

from __future__ import annotations

import numpy as np

# Added to the bands' Gram matrix, relative to its mean diagonal: bands that are copies of each other can be inverted.
GRAM_RIDGE = 1e-10
# With hardly more pixels than bands the residual has no degrees of freedom left; a tenth of the pixels is assumed.
LEAST_FREEDOM = 10
# Noise of a band, relative to the image, below which rounding of float32 inputs is the larger part.
LEAST_NOISE = 1e-6
# Margin over the largest eigenvalue of pure noise, as the noise of the bands is only known up to an estimate.
MARGIN = 1.5
# Keep divisions finite where the image is all zero.
TINY = 1e-30
TINY_DIAGONAL = 1e-300


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
    values = pixels.astype(np.float64)
    gram = values.T @ values  # (C, C)
    ridge = GRAM_RIDGE * np.trace(gram) / bands
    ridge = ridge + TINY
    regular = gram + ridge * np.eye(bands)
    inverse = np.linalg.inv(regular)
    # Residual energy of band b regressed on the rest is 1 / inverse[b, b], and the ridge is part of it.
    diagonal = np.maximum(np.diag(inverse), TINY_DIAGONAL)
    energy = 1.0 / diagonal
    energy = np.maximum(energy - ridge, 0.0)
    few = max(count // LEAST_FREEDOM, 1)
    freedom = max(count - bands, few)
    noise = np.sqrt(energy / freedom)
    return np.asarray(noise)


def choose_rank(
    pixels: np.ndarray,
    largest: int,
    *,
    least: int = 1,
) -> tuple[int, np.ndarray]:
    """Number of spectral dimensions above the noise.

    Up to `largest` bands all are kept: with few bands, what the others do not predict is signal more often than noise.

    Args:
        pixels: (n, C) spectra.
        largest: Upper bound.
        least: Lower bound.

    Returns:
        K and the (C,) noise standard deviations.

    References:
        V. Marchenko, L. Pastur: Distribution of eigenvalues for some sets of random matrices. Math. USSR Sbornik 1(4),
        1967 (the edge of the eigenvalues of noise).
    """
    count, bands = pixels.shape
    noise = band_noise(pixels)
    rank = bands
    if bands > largest:
        rank = _dimensions_above(pixels, noise)
    rank = max(rank, least)
    rank = min(rank, largest, bands, count)
    rank = max(rank, 1)
    return rank, noise


def _dimensions_above(pixels: np.ndarray, noise: np.ndarray) -> int:
    """Number of eigenvalues of the covariance of (n, C) spectra that noise of (C,) deviations would not reach."""
    count, bands = pixels.shape
    values = pixels.astype(np.float64)
    energy = np.mean(values**2)
    level = float(np.sqrt(energy))
    rounding = LEAST_NOISE * level + TINY
    floor = np.maximum(noise, rounding)  # (C,)
    # Divided by their noise, pure noise would have covariance I: every eigenvalue near 1, the largest at `edge`.
    white = pixels / floor
    singular = np.linalg.svd(white, compute_uv=False)
    eigenvalues = singular**2 / count
    ratio = np.sqrt(bands / count)
    edge = MARGIN * (1.0 + ratio) ** 2
    above = eigenvalues > edge
    return int(np.sum(above))
