"""Local refinement: within a small window spectra are an affine function of the MSI (multichannel guided filter).

On an edge between two materials a pixel is their mixture, in the MSI and in the cube alike. A map from colour to
spectrum does not know that; a local affine fit does.

References:
    K. He, J. Sun, X. Tang: Guided image filtering. IEEE TPAMI 35(6), 2013 (section 3; its a_k and b_k are `slopes`
    and `offsets` here, its epsilon is `ridge`).
    A. Levin, D. Lischinski, Y. Weiss: A closed-form solution to natural image matting. IEEE TPAMI 30(2), 2008.
"""

from __future__ import annotations

from typing import Optional

import numpy as np

from paddle_umsft.cameras.border import continued

# Values of an image that are averaged at a time: half a megabyte of float32, which a core's cache holds.
CACHED_VALUES = 2**17


def _running_sum(lines: np.ndarray, size: int) -> np.ndarray:
    """Sums of `size` lines that follow each other along the first axis: (n, ...) to (n - size + 1, ...).

    Sums of 1, 2, 4 ... lines are made by adding two of the ones before; those that the size is made of are added up.
    """
    count = len(lines) - size + 1
    total: Optional[np.ndarray] = None
    start = 0
    power, sums = 1, lines  # sums of `power` lines
    while True:
        if size & power:
            part = sums[start : start + count]
            if total is None:
                total = part
            else:
                total = total + part
            start += power
        if 2 * power > size:
            assert total is not None
            return total
        sums = sums[:-power] + sums[power:]
        power *= 2


def window_mean(image: np.ndarray, radius: int) -> np.ndarray:
    """Mean over (2 radius + 1)^2 windows of (H, W, ...), borders mirrored; some rows at a time, in the cache."""
    size = 2 * radius + 1
    height, width = image.shape[:2]
    flat = image.reshape(height, width, -1)
    rows = continued(np.arange(-radius, height + radius), height, "reflect")
    columns = continued(np.arange(-radius, width + radius), width, "reflect")
    mean = np.empty_like(flat)
    share = flat.dtype.type(1.0 / size**2)
    step = max(size, CACHED_VALUES // max(flat[0].size, 1))
    for top in range(0, height, step):
        bottom = min(top + step, height)
        seen = flat[rows[top : bottom + 2 * radius]]
        down = _running_sum(seen, size)  # (rows, W, ...)
        turned = down.swapaxes(0, 1)[columns]
        across = _running_sum(turned, size)  # (W, rows, ...)
        np.multiply(across.swapaxes(0, 1), share, out=mean[top:bottom])
    return mean.reshape(image.shape)


def _local_covariance(
    guide: np.ndarray,
    guide_mean: np.ndarray,
    radius: int,
    ridge: float,
) -> np.ndarray:
    """Covariance of the guide's bands in the window around every pixel, the ridge on its diagonal: (H, W, M, M)."""
    channels = guide.shape[2]
    products = guide[..., :, None] * guide[..., None, :]
    covariance = window_mean(products, radius)
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
    guide_mean = window_mean(guide, radius)  # (H, W, M)
    coeffs_mean = window_mean(coeffs, radius)  # (H, W, K)
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
        together = window_mean(channel * coeffs, radius)
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
    centre: Optional[np.ndarray] = None,
) -> np.ndarray:
    """Replace coefficients by the mean of the local affine fits to the guide.

    Args:
        guide: (H, W, M) MSI.
        coeffs: (H, W, K) coefficients to refine.
        radius: Radius of the windows, pixels.
        ridge: Added to the guide's local variance; at least its noise variance.
        centre: (1, 1, M) mean of the whole guide, where this is a window of it; None: that of these very pixels.

    Returns:
        (H, W, K) float32.
    """
    guide = guide.astype(np.float32)
    coeffs = coeffs.astype(np.float32)
    # Windows are narrow: without the global mean float32 variances lose their digits.
    if centre is None:
        centre = guide.mean(axis=(0, 1), keepdims=True)
    guide = guide - centre
    slopes, offsets = _local_fits(
        guide,
        coeffs,
        radius=radius,
        ridge=ridge,
    )
    # A pixel lies in many windows, and each has a fit to offer: their mean is taken.
    refined = window_mean(offsets, radius)
    for band in range(guide.shape[2]):
        channel = guide[..., band : band + 1]  # (H, W, 1)
        slope = window_mean(slopes[..., band, :], radius)  # (H, W, K)
        refined += channel * slope
    return refined
