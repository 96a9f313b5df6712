"""Local refinement: within a small window spectra are an affine function of the MSI (multichannel guided filter).

On an edge between two materials a pixel is their mixture, in the MSI and in the cube alike. A map from colour to
spectrum does not know that; a local affine fit does.

References:
    K. He, J. Sun, X. Tang: Guided image filtering. IEEE TPAMI 35(6), 2013.
    A. Levin, D. Lischinski, Y. Weiss: A closed-form solution to natural image matting. IEEE TPAMI 30(2), 2008.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter1d


def _window_mean(image: np.ndarray, radius: int) -> np.ndarray:
    """Mean over (2 radius + 1)^2 windows of (H, W, ...), borders mirrored."""
    size = 2 * radius + 1
    rows = uniform_filter1d(image, size, axis=0, mode="reflect")
    return np.asarray(uniform_filter1d(rows, size, axis=1, mode="reflect"))


def guided_refine(guide: np.ndarray, coeffs: np.ndarray, radius: int, ridge: float) -> np.ndarray:
    """Replace coefficients by the mean of the local affine fits to the guide.

    Args:
        guide: (H, W, M) MSI.
        coeffs: (H, W, K) coefficients to refine.
        radius: Radius of the windows, pixels.
        ridge: Added to the guide's local variance; at least its noise variance.

    Returns:
        (H, W, K) float32.
    """
    guide, coeffs = guide.astype(np.float32), coeffs.astype(np.float32)
    # Windows are narrow: without the global mean float32 variances lose their digits.
    guide = guide - guide.mean(axis=(0, 1), keepdims=True)
    height, width, channels = guide.shape
    depth = coeffs.shape[2]
    guide_mean, coeffs_mean = _window_mean(guide, radius), _window_mean(coeffs, radius)
    covariance = _window_mean(guide[..., :, None] * guide[..., None, :], radius)
    covariance -= guide_mean[..., :, None] * guide_mean[..., None, :]
    covariance += np.float32(ridge) * np.eye(channels, dtype=np.float32)
    slopes = np.empty((height, width, channels, depth), dtype=np.float32)
    for band in range(channels):
        cross = _window_mean(guide[..., band : band + 1] * coeffs, radius)
        slopes[..., band, :] = cross - guide_mean[..., band : band + 1] * coeffs_mean
    for row in range(height):
        slopes[row] = np.linalg.solve(covariance[row].astype(np.float64), slopes[row].astype(np.float64))
    offsets = coeffs_mean - np.einsum("hwm,hwmk->hwk", guide_mean, slopes)
    out = _window_mean(offsets, radius)
    for band in range(channels):
        out += guide[..., band : band + 1] * _window_mean(slopes[..., band, :], radius)
    return out
