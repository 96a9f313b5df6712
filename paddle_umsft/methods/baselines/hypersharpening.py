"""What GSA and SFIM share as hypersharpening: for every HSI band a sharp partner, mixed from the MSI bands.

References:
    M. Selva, B. Aiazzi, F. Butera, L. Chiarantini, S. Baronti, "Hyper-sharpening: a first approach on SIM-GA data",
    IEEE JSTARS 8(6), 2015: the partner is a linear combination of the MSI bands, fitted at low resolution.
"""

from __future__ import annotations

import numpy as np


def with_constant(image: np.ndarray) -> np.ndarray:
    """Pixels as rows, a column of ones added: (h, w, M) to (h * w, M + 1), float64."""
    pixels = image.reshape(-1, image.shape[2]).astype(np.float64)
    return np.concatenate([pixels, np.ones((len(pixels), 1))], axis=1)


def regress(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Least squares weights from (h, w, A) plus a constant to (h, w, B): (A + 1, B)."""
    weights = np.linalg.lstsq(
        with_constant(inputs), targets.reshape(-1, targets.shape[2]).astype(np.float64), rcond=1e-6
    )
    return np.asarray(weights[0])


def mix(inputs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Applies the weights of `regress`: (H, W, A) to (H, W, B), float32."""
    mixed = inputs.astype(np.float32) @ weights[:-1].astype(np.float32) + weights[-1].astype(np.float32)
    return np.asarray(mixed)
