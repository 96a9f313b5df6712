"""The universal image quality index and its form for many bands, Q2n."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from paddle_umsft.metrics.common import check_pair

# Below this part of the squared mean a variance is rounding, and the window counts as flat.
_FLAT = 1e-12


def quality_ratio(
    mean_a: np.ndarray, mean_b: np.ndarray, var_a: np.ndarray, var_b: np.ndarray, covariance: np.ndarray
) -> np.ndarray:
    """Wang and Bovik's Q from the statistics of a window, elementwise.

    Q = 4·cov·m_a·m_b / ((var_a + var_b)·(m_a² + m_b²)); without variance in either only the means are compared, and
    where the means are zero too (or nothing but the variance is left) Q is 1, as in Wang's own program.

    Args:
        mean_a: Means of the first image.
        mean_b: Means of the second.
        var_a: Variances of the first.
        var_b: Variances of the second.
        covariance: Covariances.

    Returns:
        Q in [-1, 1], of the common shape.
    """
    power = mean_a**2 + mean_b**2
    variance = var_a + var_b
    varies = variance > _FLAT * power
    has_mean = power > 0
    luminance = 2.0 * mean_a * mean_b / np.where(has_mean, power, 1.0)
    structure = np.where(varies, 2.0 * covariance / np.where(varies, variance, 1.0), 1.0)
    return np.asarray(np.where(has_mean, luminance * structure, 1.0))


def _window_means(image: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Means over all windows of this size that fit, one for each place."""
    sums = np.pad(image.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    total = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns] + sums[:-rows, :-columns]
    return np.asarray(total / (rows * columns))


def band_uiqi(reference: Any, fused: Any, *, block: int = 32) -> np.ndarray:
    """UIQI of each band: mean of Q over all windows of block × block pixels, moved by one pixel.

    Args:
        reference: (H, W, C) truth.
        fused: (H, W, C) estimate.
        block: Side of the window; cut to the image's where that is smaller.

    Returns:
        (C,).

    Raises:
        DataError: Shapes differ or NaN.

    References:
        Z. Wang, A. Bovik, "A universal image quality index", IEEE Signal Processing Letters 9(3), 2002.
    """
    truth, estimate = check_pair(reference, fused)
    rows, columns = min(block, truth.shape[0]), min(block, truth.shape[1])
    values = []
    for band in range(truth.shape[2]):
        a, b = truth[:, :, band], estimate[:, :, band]
        # Variances do not change when a constant is taken away first, and lose fewer digits.
        shift_a, shift_b = a.mean(), b.mean()
        a, b = a - shift_a, b - shift_b
        mean_a, mean_b = _window_means(a, rows, columns), _window_means(b, rows, columns)
        var_a = np.clip(_window_means(a * a, rows, columns) - mean_a**2, 0.0, None)
        var_b = np.clip(_window_means(b * b, rows, columns) - mean_b**2, 0.0, None)
        covariance = _window_means(a * b, rows, columns) - mean_a * mean_b
        values.append(quality_ratio(mean_a + shift_a, mean_b + shift_b, var_a, var_b, covariance).mean())
    return np.array(values)


@lru_cache(maxsize=8)
def _product_signs(size: int) -> np.ndarray:
    """Signs of the products of hypercomplex units: e_i · e_j = sign[i, j] · e_(i xor j).

    Built by doubling, (a, b)(c, d) = (ac − d·conj(b), conj(a)·d + c·b), with the second halves kept conjugated, which
    is the form the index is defined with.

    Args:
        size: Number of units, a power of two.

    Returns:
        (size, size) of ±1.
    """
    if size == 1:
        return np.ones((1, 1))
    half = _product_signs(size // 2)
    conjugate = -np.ones(size // 2)
    conjugate[0] = 1.0
    return np.block(
        [
            [half, conjugate[:, None] * conjugate[None, :] * half],
            [conjugate[:, None] * half.T, -conjugate[None, :] * half.T],
        ]
    )


def _block_q2n(truth: np.ndarray, estimate: np.ndarray) -> float:
    """Q2n of one block, (pixels, N) each, N a power of two."""
    pixels, size = truth.shape
    mean = truth.mean(axis=0)
    spread = truth.std(axis=0, ddof=1)
    # A band that is flat in the block is not stretched; a padded one (all zero) becomes 1 in both.
    spread = np.where(spread > 0, spread, 1.0)
    a = (truth - mean) / spread + 1.0
    b = (estimate - mean) / spread + 1.0
    mean_a, mean_b = a.mean(axis=0), b.mean(axis=0)
    power_a, power_b = float(mean_a @ mean_a), float(mean_b @ mean_b)
    bias = 2.0 * np.sqrt(power_a * power_b) / (power_a + power_b)
    a, b = a - mean_a, b - mean_b
    variance = float(np.sum(a * a) + np.sum(b * b)) / (pixels - 1)
    if variance <= _FLAT:
        return float(bias)
    conjugate = -np.ones(size)
    conjugate[0] = 1.0
    terms = a.T @ b / (pixels - 1) * conjugate * _product_signs(size)
    units = np.arange(size)
    # Component k of the product collects the pairs (i, i xor k).
    covariance = terms[units[:, None], units[:, None] ^ units[None, :]].sum(axis=0)
    return float(np.linalg.norm(covariance) * bias * 2.0 / variance)


def q2n(reference: Any, fused: Any, *, block: int = 32) -> float:
    """Q2n: the quality index of pixels seen as hypercomplex numbers, mean over distinct blocks.

    Bands are padded with zeros to a power of two; images that are no multiple of the block are mirrored at their lower
    and right border. Values are taken as they are (the published MATLAB program rounds them to whole numbers first).

    Args:
        reference: (H, W, C) truth.
        fused: (H, W, C) estimate.
        block: Side of the blocks; cut to the image's where that is smaller.

    Returns:
        Q2n in [0, 1]; 1 is perfect.

    Raises:
        DataError: Shapes differ or NaN.

    References:
        A. Garzelli, F. Nencini, "Hypercomplex quality assessment of multi/hyperspectral images", IEEE GRSL 6(4), 2009.
    """
    truth, estimate = check_pair(reference, fused)
    height, width, bands = truth.shape
    side = max(min(block, height, width), 2)
    size = 1 << (bands - 1).bit_length()
    fill = ((0, -height % side), (0, -width % side), (0, 0))
    padding = ((0, 0), (0, 0), (0, size - bands))
    a, b = (np.pad(np.pad(cube, fill, mode="symmetric"), padding) for cube in (truth, estimate))
    values = [
        _block_q2n(a[i : i + side, j : j + side].reshape(-1, size), b[i : i + side, j : j + side].reshape(-1, size))
        for i in range(0, a.shape[0], side)
        for j in range(0, a.shape[1], side)
    ]
    return float(np.mean(values))
