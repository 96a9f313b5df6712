"""The universal image quality index and its form for many bands, Q2n."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Optional

import numpy as np

from paddle_umsft.metrics.common import check_pair, mean_of_finite, whole_windows, window_sums

# Below this part of the squared mean a variance is rounding, and the window counts as flat.
_FLAT = 1e-12

# A block of one pixel has no spread.
_SMALLEST_BLOCK = 2
# Nor has a single pixel that is left of one.
_FEWEST_PIXELS = 2


def quality_ratio(
    *,
    mean_a: np.ndarray,
    mean_b: np.ndarray,
    var_a: np.ndarray,
    var_b: np.ndarray,
    covariance: np.ndarray,
) -> np.ndarray:
    """Return Wang and Bovik's Q from the statistics of a window, elementwise.

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
    # What a divisor of zero is replaced by does not matter: those quotients are not used.
    power = np.where(has_mean, power, 1.0)
    variance = np.where(varies, variance, 1.0)
    luminance = 2.0 * mean_a * mean_b / power
    structure = 2.0 * covariance / variance
    structure = np.where(varies, structure, 1.0)
    quality = np.where(has_mean, luminance * structure, 1.0)
    return np.asarray(quality)


def _window_means(
    image: np.ndarray,
    rows: int,
    columns: int,
) -> np.ndarray:
    """Return the means over all windows of this size that fit, (H, W) to (H - rows + 1, W - columns + 1)."""
    return window_sums(image, rows, columns) / (rows * columns)


def band_uiqi(
    reference: Any,
    fused: Any,
    *,
    block: int = 32,
    valid: Optional[np.ndarray] = None,
) -> np.ndarray:
    """Return UIQI of each band: mean of Q over all windows of block × block pixels, moved by one pixel.

    Args:
        reference: (H, W, C) truth.
        fused: (H, W, C) estimate.
        block: Side of the window; cut to the image's where that is smaller.
        valid: (H, W) bool, the pixels that count: windows with any other are left out; None: all.

    Returns:
        (C,); NaN where no window is whole.

    Raises:
        DataError: Shapes differ or NaN.

    References:
        Z. Wang, A. Bovik, "A universal image quality index", IEEE Signal Processing Letters 9(3), 2002.
    """
    truth, estimate = check_pair(reference, fused, valid)
    height, width, bands = truth.shape
    window = (min(block, height), min(block, width))
    whole = whole_windows(valid, (height, width), window)
    values = []
    for band in range(bands):
        quality = _quality_of_windows(
            truth[:, :, band],
            estimate[:, :, band],
            window,
        )
        values.append(mean_of_finite(quality[whole]))
    return np.array(values)


def _quality_of_windows(
    truth: np.ndarray,
    estimate: np.ndarray,
    window: tuple[int, int],
) -> np.ndarray:
    """Return Q of all windows of this size that fit into one band."""
    # Variances do not change when a constant is taken away first, and lose fewer digits.
    shift_a = truth.mean()
    shift_b = estimate.mean()
    a = truth - shift_a
    b = estimate - shift_b

    mean_a = _window_means(a, *window)
    mean_b = _window_means(b, *window)
    var_a = _window_means(a * a, *window) - mean_a**2
    var_b = _window_means(b * b, *window) - mean_b**2
    covariance = _window_means(a * b, *window) - mean_a * mean_b
    # Rounding can take the variance of a flat window below zero.
    return quality_ratio(
        mean_a=mean_a + shift_a,
        mean_b=mean_b + shift_b,
        var_a=np.clip(var_a, 0.0, None),
        var_b=np.clip(var_b, 0.0, None),
        covariance=covariance,
    )


@lru_cache(maxsize=8)
def _product_signs(size: int) -> np.ndarray:
    """Return the signs of the products of hypercomplex units: e_i · e_j = sign[i, j] · e_(i xor j).

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
    conjugate = _conjugate_signs(size // 2)
    by_row = conjugate[:, None]
    by_column = conjugate[None, :]
    a_times_c = half
    d_times_b = by_row * by_column * half
    a_times_d = by_row * half.T
    c_times_b = -by_column * half.T
    return np.block(
        [
            [a_times_c, d_times_b],
            [a_times_d, c_times_b],
        ]
    )


def _conjugate_signs(size: int) -> np.ndarray:
    """Return the signs of a hypercomplex number's conjugate, (size,): the first unit is real."""
    signs = -np.ones(size)
    signs[0] = 1.0
    return signs


def _block_q2n(truth: np.ndarray, estimate: np.ndarray) -> float:
    """Return Q2n of one block, (pixels, N) each, N a power of two."""
    pixels, size = truth.shape
    mean = truth.mean(axis=0)
    spread = truth.std(axis=0, ddof=1)
    # A band that is flat in the block is not stretched; a padded one (all zero) becomes 1 in both.
    spread = np.where(spread > 0, spread, 1.0)
    a = (truth - mean) / spread + 1.0
    b = (estimate - mean) / spread + 1.0

    # How well the means agree.
    mean_a = a.mean(axis=0)
    mean_b = b.mean(axis=0)
    power_a = float(mean_a @ mean_a)
    power_b = float(mean_b @ mean_b)
    bias = 2.0 * np.sqrt(power_a * power_b)
    bias = bias / (power_a + power_b)

    a = a - mean_a
    b = b - mean_b
    freedom = pixels - 1
    energy = float(np.sum(a * a) + np.sum(b * b))
    variance = energy / freedom
    if variance <= _FLAT:
        return float(bias)

    # The hypercomplex covariance: component k of a product collects the pairs (i, i xor k).
    terms = a.T @ b / freedom  # (N, N)
    terms = terms * _conjugate_signs(size) * _product_signs(size)
    units = np.arange(size)
    first = units[:, None]
    second = first ^ units[None, :]
    covariance = terms[first, second].sum(axis=0)  # (N,)
    quality = np.linalg.norm(covariance) * bias * 2.0 / variance
    return float(quality)


def q2n(
    reference: Any,
    fused: Any,
    *,
    block: int = 32,
    valid: Optional[np.ndarray] = None,
) -> float:
    """Return Q2n, the quality index of pixels seen as hypercomplex numbers, mean over distinct blocks.

    Bands are padded with zeros to a power of two; images that are no multiple of the block are mirrored at their lower
    and right border. Values are taken as they are (the published MATLAB program rounds them to whole numbers first).

    Args:
        reference: (H, W, C) truth.
        fused: (H, W, C) estimate.
        block: Side of the blocks; cut to the image's where that is smaller.
        valid: (H, W) bool, the pixels that count: of each block only these are taken; None: all.

    Returns:
        Q2n in [0, 1]; 1 is perfect. NaN where no block holds two valid pixels.

    Raises:
        DataError: Shapes differ or NaN.

    References:
        A. Garzelli, F. Nencini, "Hypercomplex quality assessment of multi/hyperspectral images", IEEE GRSL 6(4), 2009.
    """
    truth, estimate = check_pair(reference, fused, valid)
    height, width, bands = truth.shape
    if valid is None:
        valid = np.ones((height, width), dtype=bool)
    side = min(block, height, width)
    side = max(side, _SMALLEST_BLOCK)
    size = 1 << (bands - 1).bit_length()  # the next power of two
    truth = _padded(truth, side, size)
    estimate = _padded(estimate, side, size)
    padded_height, padded_width, _ = truth.shape
    beyond = ((0, padded_height - height), (0, padded_width - width))
    counted = np.pad(valid, beyond, mode="symmetric")
    values = []
    for top in range(0, padded_height, side):
        for left in range(0, padded_width, side):
            window = (slice(top, top + side), slice(left, left + side))
            is_counted = counted[window]
            pixels_a = truth[window][is_counted]  # (pixels, N), side² at most
            pixels_b = estimate[window][is_counted]
            if len(pixels_a) >= _FEWEST_PIXELS:
                value = _block_q2n(pixels_a, pixels_b)
                values.append(value)
    return mean_of_finite(np.array(values))


def _padded(
    cube: np.ndarray,
    side: int,
    size: int,
) -> np.ndarray:
    """Return a cube mirrored to whole blocks at its lower and right border, with bands of zeros up to `size`."""
    height, width, bands = cube.shape
    below = -height % side
    right = -width % side
    mirrored = np.pad(
        cube,
        ((0, below), (0, right), (0, 0)),
        mode="symmetric",
    )
    return np.pad(mirrored, ((0, 0), (0, 0), (0, size - bands)))
