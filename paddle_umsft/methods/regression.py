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
    pixels = image.reshape(-1, image.shape[2]).astype(np.float64)
    ones = np.ones((len(pixels), 1))
    return np.concatenate([pixels, ones], axis=1)


def regress(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return least squares weights from (h, w, A) plus a constant to (h, w, B): (A + 1, B)."""
    bands = targets.shape[2]
    wanted = targets.reshape(-1, bands).astype(np.float64)
    # Beside a column of ones the units of the inputs would decide what counts as rounding: about 1, they do not.
    level = float(np.sqrt(np.mean(np.square(inputs, dtype=np.float64)))) + TINY
    design = with_constant(inputs / level)
    weights, *_ = np.linalg.lstsq(design, wanted, rcond=RANK_TOLERANCE)
    weights[:-1] /= level
    return np.asarray(weights)


def mix(inputs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Apply the weights of `regress`: (H, W, A) to (H, W, B), float32."""
    slopes = weights[:-1].astype(np.float32)
    constants = weights[-1].astype(np.float32)
    mixed = inputs.astype(np.float32) @ slopes
    mixed = mixed + constants
    return np.asarray(mixed)
