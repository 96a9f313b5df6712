"""Sensor noise."""

from __future__ import annotations

from typing import Optional

import numpy as np


def noise_sigma(cube: np.ndarray, snr_db: float) -> float:
    """Return the standard deviation of the noise for which 10 log10(mean(cube**2) / sigma**2) = snr_db.

    The mean runs over the whole image, all bands together, so every band gets noise of the same strength.
    """
    squares = np.square(cube, dtype=np.float64)
    power = float(np.mean(squares))
    ratio = 10 ** (snr_db / 10)
    sigma = np.sqrt(power / ratio)
    return float(sigma)


def add_noise(
    cube: np.ndarray,
    snr_db: Optional[float],
    rng: np.random.RandomState,
) -> np.ndarray:
    """Add white Gaussian noise; the SNR is that of `noise_sigma`, over the whole image.

    Args:
        cube: Any shape, float.
        snr_db: SNR in dB; None: no noise, the cube comes back as it is.
        rng: Source of the noise.

    Returns:
        Same shape and type. Nothing is clipped: values below zero stay, so the noise has mean zero.
    """
    if snr_db is None:
        return cube
    # Drawn in float64 whatever the image's type: one seed is one noise.
    noise = rng.standard_normal(cube.shape)
    noise = noise * noise_sigma(cube, snr_db)
    noisy = cube + noise
    return noisy.astype(cube.dtype)
