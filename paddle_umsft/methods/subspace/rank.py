"""Noise of both images, and how many dimensions of the spectra stand out of it."""

from __future__ import annotations

from typing import Union

import numpy as np

from paddle_umsft.preparation.noise import band_noise

# Values that are decomposed at a time, in float64: 16 MB.
AT_ONCE = 2**21
# Noise of a band, relative to the image, below which rounding of float32 inputs is the larger part.
LEAST_NOISE = 1e-6
# Margin over the largest eigenvalue of pure noise, as the noise of the bands is only known up to an estimate.
MARGIN = 1.5
# Keeps divisions finite where the image is all zero.
TINY = 1e-30


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


def spectra_svd(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Singular values and right singular vectors, (r,) and (r, C), of (n, C) spectra, in float64."""
    _, values, right = np.linalg.svd(_triangle(pixels), full_matrices=False)
    return values, right


def _triangle(pixels: np.ndarray, divisor: Union[np.ndarray, float] = 1.0) -> np.ndarray:
    """(n, C) spectra over a divisor in float64; of many a square matrix with the same singular values and vectors.

    R of a QR decomposition, block by block: what is left of the blocks before goes on top of the next one.

    References:
        J. Demmel, L. Grigori, M. Hoemmen, J. Langou: Communication-optimal parallel and sequential QR and LU
        factorizations. SIAM J. Sci. Comput. 34(1), 2012 (section 3, TSQR).
    """
    count, bands = pixels.shape
    rows = max(AT_ONCE // bands, bands)
    triangle = pixels[:rows].astype(np.float64) / divisor
    if count <= rows:
        return np.asarray(triangle)
    for first in range(rows, count, rows):
        block = pixels[first : first + rows].astype(np.float64) / divisor
        triangle = np.asarray(np.linalg.qr(np.concatenate([triangle, block]), mode="r"))
    return np.asarray(triangle)


def _dimensions_above(pixels: np.ndarray, noise: np.ndarray) -> int:
    """Number of eigenvalues of the covariance of (n, C) spectra that noise of (C,) deviations would not reach."""
    count, bands = pixels.shape
    # Summed up in float64, which never holds all of them.
    energy = np.einsum("nc,nc->", pixels, pixels, dtype=np.float64) / pixels.size
    level = float(np.sqrt(energy))
    rounding = LEAST_NOISE * level + TINY
    floor = np.maximum(noise, rounding)  # (C,)
    # Divided by their noise, pure noise would have covariance I: every eigenvalue near 1, the largest at `edge`.
    singular = np.linalg.svd(_triangle(pixels, floor), compute_uv=False)
    eigenvalues = singular**2 / count
    ratio = np.sqrt(bands / count)
    edge = MARGIN * (1.0 + ratio) ** 2
    above = eigenvalues > edge
    return int(np.sum(above))
