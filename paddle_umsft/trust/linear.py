"""What the MSI says of the HSI by least squares, and how far that holds on LR pixels left out of the fit.

No method is needed for it, so it is the yardstick for all of them: what a plain linear mix of the MSI's bands misses of
each HSI band, where the LR pixels are, and how rough that is from one LR pixel to the next.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Fewer LR pixels for each unknown tell nothing: then the mean of each band has to do.
PIXELS_PER_WEIGHT = 4
# Singular values below this share of the largest are left out: bands that copy each other get no huge weights.
RANK_TOLERANCE = 1e-6
# A pixel that determines its own fit (leverage 1) has no leave-one-out residual: the division stops here.
LEAST_FREEDOM = 1e-6
# A value less the mean of its four neighbours: the variance of white noise grows by this.
ROUGHNESS_OF_NOISE = 1.25
# Principal components of an HSI that stand for it: natural spectra have no more that an MSI sees.
MOST_COMPONENTS = 12
# With fewer rows or columns no pixel has neighbours on all sides.
LEAST_LINES = 3


@dataclass(frozen=True)
class LinearView:
    """The HSI as a linear mix of the MSI.

    Attributes:
        weights: (M, C).
        left_out: (h, w, C) residual of every LR pixel under the fit to all others; NaN where a pixel is not in use.
        share: Part of the contrast explained on pixels left out, 1 at best, below 0 where the mean does better.
    """

    weights: np.ndarray
    left_out: np.ndarray
    share: float


def left_out_residuals(design: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least squares, and what it misses of each row if the row is left out of the fit.

    Args:
        design: (n, D).
        targets: (n, C).

    Returns:
        (D, C) weights and (n, C) leave-one-out residuals.

    References:
        D. Allen: The relationship between variable selection and data augmentation and a method for prediction.
        Technometrics 16(1), 1974 (the residual over one minus the leverage).
    """
    left, values, right = np.linalg.svd(design, full_matrices=False)
    used = values > RANK_TOLERANCE * values[0]
    left = left[:, used]  # (n, r)
    inside = left.T @ targets  # (r, C)
    weights = (right[used].T / values[used]) @ inside  # (D, C)
    leverage = np.sum(left**2, axis=1, keepdims=True)  # (n, 1)
    residuals = targets - left @ inside
    return weights, residuals / np.maximum(1.0 - leverage, LEAST_FREEDOM)


def explained_share(targets: np.ndarray, left_out: np.ndarray) -> float:
    """Part of the contrast that residuals leave explained, bands counted alike; 1 where there is no contrast.

    Args:
        targets: (n, C).
        left_out: (n, C) residuals.
    """
    contrast = np.mean((targets - targets.mean(axis=0)) ** 2, axis=0)
    has_contrast = contrast > 0
    if not has_contrast.any():
        return 1.0
    missed = np.mean(left_out**2, axis=0)[has_contrast] / contrast[has_contrast]
    return float(1.0 - np.mean(missed))


def linear_view(lr_hsi: np.ndarray, lr_msi: np.ndarray, used: np.ndarray) -> LinearView:
    """Fit every HSI band by the MSI's bands and a constant.

    Args:
        lr_hsi: (h, w, C).
        lr_msi: (h, w, M) the MSI as the HSI's PSF sees it.
        used: (h, w) LR pixels in use.
    """
    targets = lr_hsi[used].astype(np.float64)  # (n, C)
    inputs = lr_msi[used].astype(np.float64)  # (n, M)
    count, msi_bands = inputs.shape
    if count < PIXELS_PER_WEIGHT * (msi_bands + 1):
        inputs = inputs[:, :0]
    design = np.concatenate([inputs, np.ones((count, 1))], axis=1)
    fitted, residuals = left_out_residuals(design, targets)
    weights = np.zeros((msi_bands, targets.shape[1]))
    weights[: len(fitted) - 1] = fitted[:-1]
    left_out = np.full(lr_hsi.shape, np.nan)
    left_out[used] = residuals
    return LinearView(weights=weights, left_out=left_out, share=explained_share(targets, residuals))


def common_share(lr_hsi: np.ndarray, lr_msi: np.ndarray, used: np.ndarray) -> tuple[float, np.ndarray]:
    """How much of the MSI the HSI explains on LR pixels left out: all of it, if they see one scene.

    The HSI's leading principal components stand for its bands, so that chance explains nothing.

    Args:
        lr_hsi: (h, w, C).
        lr_msi: (h, w, M).
        used: (h, w) LR pixels in use.

    Returns:
        The share, NaN with too few pixels to tell; and (h, w, M) residuals, NaN where a pixel is not in use.
    """
    targets = lr_msi[used].astype(np.float64)  # (n, M)
    pixels = lr_hsi[used].astype(np.float64)  # (n, C)
    count = len(pixels)
    residuals = np.full(lr_msi.shape, np.nan)
    most = count // PIXELS_PER_WEIGHT - 1
    if most < 1:
        return float("nan"), residuals
    centred = pixels - pixels.mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    kept = min(most, MOST_COMPONENTS, len(values))
    scores = left[:, :kept] * values[:kept]
    design = np.concatenate([scores, np.ones((count, 1))], axis=1)
    _, missed = left_out_residuals(design, targets)
    residuals[used] = missed
    return explained_share(targets, missed), residuals


def without_neighbours(image: np.ndarray) -> np.ndarray:
    """(h, w, C) less the mean of each pixel's four neighbours; inner pixels only, (h - 2, w - 2, C)."""
    above, below = image[:-2, 1:-1], image[2:, 1:-1]
    before, after = image[1:-1, :-2], image[1:-1, 2:]
    return np.asarray(image[1:-1, 1:-1] - (above + below + before + after) / 4)


def roughness(image: np.ndarray) -> np.ndarray:
    """(C,) root mean square of what differs from the neighbouring LR pixels; of all values where there are none.

    Args:
        image: (h, w, C); NaN where a pixel is not in use.
    """
    inner = image
    if min(image.shape[:2]) >= LEAST_LINES:
        inner = without_neighbours(image)
    if not np.isfinite(inner).any():
        inner = image
    squares = inner.reshape(-1, inner.shape[2]) ** 2
    rows = squares[np.isfinite(squares).all(axis=1)]
    if not len(rows):
        return np.zeros(image.shape[2])
    return np.asarray(np.sqrt(rows.mean(axis=0)))
