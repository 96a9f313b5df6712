"""Least squares between the pixels of two images: what hypersharpening and the blend of spectral maps share.

References:
    M. Selva, B. Aiazzi, F. Butera, L. Chiarantini, S. Baronti, "Hyper-sharpening: a first approach on SIM-GA data",
    IEEE JSTARS 8(6), 2015: for every HSI band a sharp partner, a linear combination of the MSI bands that is fitted at
    low resolution.
"""

from __future__ import annotations

import numpy as np

# Keeps the level of an image of nothing but zeros from dividing by zero.
TINY = 1e-300
# Singular values below this share of the largest are left out: MSI bands that copy each other get no huge weights.
RANK_TOLERANCE = 1e-6


def with_constant(image: np.ndarray) -> np.ndarray:
    """Return the pixels as rows, a column of ones added: (h, w, M) to (h * w, M + 1), float64."""
    pixels = _pixels_of(image)
    ones = np.ones((len(pixels), 1))
    return np.concatenate([pixels, ones], axis=1)


def _pixels_of(image: np.ndarray) -> np.ndarray:
    """(h, w, B) to (h * w, B) float64."""
    bands = image.shape[2]
    pixels = image.reshape(-1, bands)
    return pixels.astype(np.float64)


def regress(
    inputs: np.ndarray,
    targets: np.ndarray,
) -> np.ndarray:
    """Least squares of one image's bands, and a constant, to the bands of another.

    Args:
        inputs: (h, w, A).
        targets: (h, w, B).

    Returns:
        (A + 1, B) weights, those of the constant last.
    """
    # Beside a column of ones the units of the inputs would decide what counts as rounding: about 1, they do not.
    squares = np.square(inputs, dtype=np.float64)
    level = float(np.sqrt(np.mean(squares))) + TINY
    design = with_constant(inputs / level)
    weights, *_ = np.linalg.lstsq(
        design,
        _pixels_of(targets),
        rcond=RANK_TOLERANCE,
    )
    weights[:-1] /= level
    return np.asarray(weights)


def mix(
    inputs: np.ndarray,
    weights: np.ndarray,
) -> np.ndarray:
    """Apply the weights of `regress`: (H, W, A) to (H, W, B), float32."""
    single = weights.astype(np.float32)
    slopes = single[:-1]
    constants = single[-1]
    mixed = inputs.astype(np.float32) @ slopes
    mixed = mixed + constants
    return np.asarray(mixed)
