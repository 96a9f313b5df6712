"""Local refinement: within a small window spectra are an affine function of the MSI (multichannel guided filter).

On an edge between two materials a pixel is their mixture, in the MSI and in the cube alike. A map from colour to
spectrum does not know that; a local affine fit does.

References:
    K. He, J. Sun, X. Tang: Guided image filtering. IEEE TPAMI 35(6), 2013 (section 3; its a_k and b_k are `slopes`
    and `offsets` here, its epsilon is `ridge`).
    A. Levin, D. Lischinski, Y. Weiss: A closed-form solution to natural image matting. IEEE TPAMI 30(2), 2008.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter1d


def _window_mean(image: np.ndarray, radius: int) -> np.ndarray:
    """Mean over (2 radius + 1)^2 windows of (H, W, ...), borders mirrored."""
    size = 2 * radius + 1
    mean = image
    for axis in (0, 1):
        mean = uniform_filter1d(
            mean,
            size=size,
            axis=axis,
            mode="reflect",
        )
    return np.asarray(mean)


def _local_covariance(
    guide: np.ndarray,
    guide_mean: np.ndarray,
    radius: int,
    ridge: float,
) -> np.ndarray:
    """Covariance of the guide's bands in the window around every pixel, the ridge on its diagonal: (H, W, M, M)."""
    channels = guide.shape[2]
    products = guide[..., :, None] * guide[..., None, :]
    covariance = _window_mean(products, radius)
    covariance -= guide_mean[..., :, None] * guide_mean[..., None, :]
    identity = np.eye(channels, dtype=np.float32)
    covariance += np.float32(ridge) * identity
    return covariance


def _local_fits(
    guide: np.ndarray,
    coeffs: np.ndarray,
    radius: int,
    ridge: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Ridge regression of the coefficients on the guide in the window around every pixel.

    Args:
        guide: (H, W, M).
        coeffs: (H, W, K).
        radius: Radius of the windows, pixels.
        ridge: Added to the guide's local variance.

    Returns:
        Slopes (H, W, M, K) and offsets (H, W, K), float32.
    """
    height, width, channels = guide.shape
    depth = coeffs.shape[2]
    guide_mean = _window_mean(guide, radius)  # (H, W, M)
    coeffs_mean = _window_mean(coeffs, radius)  # (H, W, K)
    covariance = _local_covariance(
        guide,
        guide_mean,
        radius=radius,
        ridge=ridge,
    )

    # First the covariances of guide and coefficients; the slopes then take their place, row by row.
    shape = (height, width, channels, depth)
    slopes = np.empty(shape, dtype=np.float32)
    for band in range(channels):
        channel = guide[..., band : band + 1]  # (H, W, 1)
        channel_mean = guide_mean[..., band : band + 1]
        together = _window_mean(channel * coeffs, radius)
        apart = channel_mean * coeffs_mean
        slopes[..., band, :] = together - apart
    for row in range(height):
        # (W, M, M) and (W, M, K); in float64, as a small ridge leaves the systems close to singular.
        left = covariance[row].astype(np.float64)
        right = slopes[row].astype(np.float64)
        slopes[row] = np.linalg.solve(left, right)
    offsets = coeffs_mean - np.einsum("hwm,hwmk->hwk", guide_mean, slopes)
    return slopes, offsets


def guided_refine(
    guide: np.ndarray,
    coeffs: np.ndarray,
    radius: int,
    ridge: float,
) -> np.ndarray:
    """Replace coefficients by the mean of the local affine fits to the guide.

    Args:
        guide: (H, W, M) MSI.
        coeffs: (H, W, K) coefficients to refine.
        radius: Radius of the windows, pixels.
        ridge: Added to the guide's local variance; at least its noise variance.

    Returns:
        (H, W, K) float32.
    """
    guide = guide.astype(np.float32)
    coeffs = coeffs.astype(np.float32)
    # Windows are narrow: without the global mean float32 variances lose their digits.
    guide = guide - guide.mean(axis=(0, 1), keepdims=True)
    slopes, offsets = _local_fits(
        guide,
        coeffs,
        radius=radius,
        ridge=ridge,
    )
    # A pixel lies in many windows, and each has a fit to offer: their mean is taken.
    refined = _window_mean(offsets, radius)
    for band in range(guide.shape[2]):
        channel = guide[..., band : band + 1]  # (H, W, 1)
        slope = _window_mean(slopes[..., band, :], radius)  # (H, W, K)
        refined += channel * slope
    return refined
