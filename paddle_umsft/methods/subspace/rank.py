"""Noise of both images, and how many dimensions of the spectra stand out of it."""

from __future__ import annotations

import numpy as np


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
    gram = values.T @ values
    ridge = 1e-10 * np.trace(gram) / bands + 1e-30
    inverse = np.linalg.inv(gram + ridge * np.eye(bands))
    # Residual energy of band b regressed on the rest is 1 / inverse[b, b].
    energy = 1.0 / np.maximum(np.diag(inverse), 1e-300)
    freedom = max(count - bands, max(count // 10, 1))
    return np.asarray(np.sqrt(np.maximum(energy - ridge, 0.0) / freedom))


def choose_rank(pixels: np.ndarray, largest: int, *, least: int = 1) -> tuple[int, np.ndarray]:
    """Number of spectral dimensions above the noise.

    Up to `largest` bands all are kept: with few bands, what the others do not predict is signal more often than noise.

    Args:
        pixels: (n, C) spectra.
        largest: Upper bound.
        least: Lower bound.

    Returns:
        K and the (C,) noise standard deviations.
    """
    count, bands = pixels.shape
    noise = band_noise(pixels)
    level = float(np.sqrt(np.mean(pixels.astype(np.float64) ** 2)))
    floor = np.maximum(noise, 1e-6 * level + 1e-30)
    values = np.linalg.svd(pixels / floor, compute_uv=False) ** 2 / count
    # Largest eigenvalue of pure noise (Marchenko-Pastur), with a margin for unequal bands.
    edge = 1.5 * (1.0 + np.sqrt(bands / count)) ** 2
    rank = int(np.sum(values > edge))
    if bands <= largest:
        rank = bands
    return max(1, min(max(rank, least), largest, bands, count)), noise
