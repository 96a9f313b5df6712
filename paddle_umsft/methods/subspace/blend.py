"""Band by band, how far to trust the learned map and how far a plain linear one: leave-one-out errors decide.

In bands of little contrast a spectral map lets through what it knows of brighter ones, and a few weights per band do
better; on edges and in mixtures it is the other way round. Both are known by their errors on LR pixels left out of the
fit, and the best convex mean of two predictors follows from the variances and covariance of those.

References:
    L. Breiman: Stacked regressions. Machine Learning 24, 1996.
"""

from __future__ import annotations

import numpy as np

from paddle_umsft.cameras.operators import PsfOperator
from paddle_umsft.methods.baselines.hypersharpening import with_constant

PIXELS_PER_WEIGHT = 4  # fewer LR pixels tell nothing of how well a linear mix does


def linear_bands(
    lr_hsi: np.ndarray, hr_msi: np.ndarray, operator: PsfOperator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each HSI band as a linear mix of the MSI bands and a constant, fitted on the LR pixels.

    Args:
        lr_hsi: (h, w, C).
        hr_msi: (H, W, M).
        operator: The PSF.

    Returns:
        (M, C) weights, (C,) constants, and (h*w, C) leave-one-out residuals.
    """
    targets = lr_hsi.reshape(-1, lr_hsi.shape[2]).astype(np.float64)
    left, values, right = np.linalg.svd(with_constant(operator.forward(hr_msi)), full_matrices=False)
    kept = values > 1e-6 * values[0]
    left = left[:, kept]
    fitted = left.T @ targets
    weights = (right[kept].T / values[kept]) @ fitted
    leverage = np.sum(left**2, axis=1, keepdims=True)
    return weights[:-1], weights[-1], (targets - left @ fitted) / np.maximum(1.0 - leverage, 1e-6)


def shares(map_left_out: np.ndarray, linear_left_out: np.ndarray) -> np.ndarray:
    """The map's share of each band in the mean of both that errs least on left out pixels.

    Args:
        map_left_out: (n, C) leave-one-out residuals of the map.
        linear_left_out: (n, C) those of the linear mix.

    Returns:
        (C,) between 0 and 1; 1 where both err alike, and where an error is no finite number.
    """
    apart = np.sum((map_left_out - linear_left_out) ** 2, axis=0)
    gained = np.sum(linear_left_out * (linear_left_out - map_left_out), axis=0)
    tells = (apart > 0) & np.isfinite(apart) & np.isfinite(gained)
    return np.where(tells, np.clip(np.where(tells, gained, 1.0) / np.where(tells, apart, 1.0), 0.0, 1.0), 1.0)


def blend(
    fused: np.ndarray, lr_hsi: np.ndarray, hr_msi: np.ndarray, operator: PsfOperator, map_left_out: np.ndarray
) -> np.ndarray:
    """Moves each band of a cube towards the linear mix, as far as leave-one-out errors ask for it.

    Args:
        fused: (H, W, C) float32, changed in place.
        lr_hsi: (h, w, C), in the same units.
        hr_msi: (H, W, M), in the same units.
        operator: The PSF.
        map_left_out: (h*w, C) leave-one-out residuals of the map that `fused` was made with.

    Returns:
        `fused`; as it was, if there are too few LR pixels to tell.
    """
    if lr_hsi.shape[0] * lr_hsi.shape[1] < PIXELS_PER_WEIGHT * (hr_msi.shape[2] + 1):
        return fused
    weights, constants, left_out = linear_bands(lr_hsi, hr_msi, operator)
    share = shares(map_left_out, left_out).astype(np.float32)
    fused *= share
    fused += hr_msi.astype(np.float32) @ ((1 - share) * weights).astype(np.float32)
    fused += ((1 - share) * constants).astype(np.float32)
    return fused
