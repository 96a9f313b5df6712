"""Band by band, how far to trust the learned map and how far a plain linear one: leave-one-out errors decide.

In bands of little contrast a spectral map lets through what it knows of brighter ones, and a few weights per band do
better; on edges and in mixtures it is the other way round. Both are known by their errors on LR pixels left out of the
fit, and the best convex mean of two predictors follows from the variances and covariance of those.

References:
    L. Breiman: Stacked regressions. Machine Learning 24, 1996.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np

from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.methods.regression import RANK_TOLERANCE, with_constant

PIXELS_PER_WEIGHT = 4  # fewer LR pixels tell nothing of how well a linear mix does
# A pixel that determines its own fit (leverage 1) has no leave-one-out residual: the division stops here.
LEAST_FREEDOM = 1e-6
# Values of an image that are worked on at a time in float64: 32 MB.
AT_ONCE = 2**22


class LinearFit:
    """Regression of anything on the MSI bands and a constant, on the LR pixels.

    Args:
        hr_msi: (H, W, M).
        operator: The PSF.
        trust: (n, 1) factors on the residuals of the LR pixels in use; None: all alike.
        kept: (h, w) the n LR pixels in use.
    """

    def __init__(
        self,
        hr_msi: np.ndarray,
        operator: SpatialDegradation,
        trust: Optional[np.ndarray],
        kept: np.ndarray,
    ) -> None:
        seen = operator.forward(hr_msi)[kept]  # (n, M)
        design = with_constant(seen[None])  # (n, M + 1)
        if trust is not None:
            design = design * trust
        self.trust = trust
        left, values, right = np.linalg.svd(design, full_matrices=False)
        used = values > RANK_TOLERANCE * values[0]
        self.left = left[:, used]  # (n, r)
        self.turned = right[used].T / values[used]  # (M + 1, r)
        leverage = np.sum(self.left**2, axis=1, keepdims=True)  # (n, 1)
        self.freedom = np.maximum(1.0 - leverage, LEAST_FREEDOM)

    def of(self, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fit (n, C) targets.

        Returns:
            (M + 1, C) weights, the constants last, and (n, C) leave-one-out residuals, multiplied by the trust.
        """
        wanted = targets.astype(np.float64)
        if self.trust is not None:
            wanted = wanted * self.trust
        inside = self.left.T @ wanted  # (r, C)
        residuals = wanted - self.left @ inside
        return self.turned @ inside, residuals / self.freedom


def parts_of(bands: int, pixels: int) -> list[slice]:
    """Bands of an image that are looked at together: what is worked out of all pixels stays small."""
    step = max(1, AT_ONCE // max(pixels, 1))
    return [slice(first, min(first + step, bands)) for first in range(0, bands, step)]


def linear_bands(
    lr_hsi: np.ndarray,
    hr_msi: np.ndarray,
    operator: SpatialDegradation,
    trust: Optional[np.ndarray] = None,
    kept: Optional[np.ndarray] = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Each HSI band as a linear mix of the MSI bands and a constant, fitted on the LR pixels.

    Args:
        lr_hsi: (h, w, C).
        hr_msi: (H, W, M).
        operator: The PSF.
        trust: (n, 1) factors on the residuals of the LR pixels in use; None: all alike.
        kept: (h, w) the n LR pixels in use; None: all.

    Returns:
        (M, C) weights and (C,) constants.
    """
    if kept is None:
        kept = np.ones(lr_hsi.shape[:2], dtype=bool)
    fit = LinearFit(hr_msi, operator, trust, kept)
    weights = []
    for some in parts_of(lr_hsi.shape[2], len(fit.left)):
        own, _ = fit.of(lr_hsi[..., some][kept])
        weights.append(own)
    whole = np.concatenate(weights, axis=1)
    return whole[:-1], whole[-1]


def shares(map_left_out: np.ndarray, linear_left_out: np.ndarray) -> np.ndarray:
    """The map's share of each band in the mean of both that errs least on left out pixels.

    With errors m and l, |a m + (1 - a) l|^2 is least at a = l'(l - m) / |m - l|^2.

    Args:
        map_left_out: (n, C) leave-one-out residuals of the map.
        linear_left_out: (n, C) those of the linear mix.

    Returns:
        (C,) between 0 and 1; 1 where both err alike, and where an error is no finite number.
    """
    apart = np.sum((map_left_out - linear_left_out) ** 2, axis=0)
    gained = np.sum(linear_left_out * (linear_left_out - map_left_out), axis=0)
    tells = (apart > 0) & np.isfinite(apart) & np.isfinite(gained)
    # 1 / 1 where nothing is told: the map keeps the band.
    gained = np.where(tells, gained, 1.0)
    apart = np.where(tells, apart, 1.0)
    share = np.clip(gained / apart, 0.0, 1.0)
    return np.asarray(share)


def blend(
    fused: np.ndarray,
    lr_hsi: np.ndarray,
    hr_msi: np.ndarray,
    operator: SpatialDegradation,
    map_left_out: np.ndarray,
    lr_trust: Optional[np.ndarray] = None,
    kept: Optional[np.ndarray] = None,
    basis: Optional[np.ndarray] = None,
) -> np.ndarray:
    """Move each band of a cube towards the linear mix, as far as leave-one-out errors ask for it.

    Args:
        fused: (H, W, C) float32, changed in place.
        lr_hsi: (h, w, C), in the same units.
        hr_msi: (H, W, M), in the same units.
        operator: The PSF.
        map_left_out: (n, C) leave-one-out residuals of the map that `fused` was made with.
        lr_trust: (h, w) weights of the LR pixels; None: all alike.
        kept: (h, w) the n LR pixels that the map was fitted on; None: all.
        basis: (C, K) orthonormal; the residuals are (n, K) coefficients in it then.

    Returns:
        `fused`; as it was, if there are too few LR pixels to tell.
    """
    move = find_blend(lr_hsi, hr_msi, operator, map_left_out, lr_trust, kept, basis)
    if move is not None:
        move.apply(fused, hr_msi)
    return fused


@dataclass(frozen=True)
class Blend:
    """How far each band moves, and where to.

    Attributes:
        share: (C,) the map's, float32.
        slopes: (M, C) float32 of the linear mix, times its share.
        offsets: (C,) float32, likewise.
    """

    share: np.ndarray
    slopes: np.ndarray
    offsets: np.ndarray

    def apply(self, fused: np.ndarray, hr_msi: np.ndarray) -> None:
        """Move a cube (H, W, C), in place; any rows of it with those of the MSI."""
        fused *= self.share
        fused += hr_msi.astype(np.float32) @ self.slopes
        fused += self.offsets


def find_blend(
    lr_hsi: np.ndarray,
    hr_msi: np.ndarray,
    operator: SpatialDegradation,
    map_left_out: np.ndarray,
    lr_trust: Optional[np.ndarray] = None,
    kept: Optional[np.ndarray] = None,
    basis: Optional[np.ndarray] = None,
) -> Optional[Blend]:
    """What `blend` does to a cube; None: nothing, there are too few LR pixels to tell."""
    if kept is None:
        kept = np.ones(lr_hsi.shape[:2], dtype=bool)
    unknowns = hr_msi.shape[2] + 1
    if kept.sum() < PIXELS_PER_WEIGHT * unknowns:
        return None
    trust: Optional[np.ndarray] = None
    if lr_trust is not None:
        trust = np.sqrt(lr_trust[kept]).reshape(-1, 1)
        map_left_out = map_left_out * trust
    fit = LinearFit(hr_msi, operator, trust, kept)
    share = []
    weights = []
    for some in parts_of(lr_hsi.shape[2], len(fit.left)):
        own, left_out = fit.of(lr_hsi[..., some][kept])
        if basis is None:
            band_left_out = map_left_out[:, some]
        else:
            band_left_out = map_left_out @ basis[some].T
        share.append(shares(band_left_out, left_out))
        weights.append(own)
    map_share = np.concatenate(share).astype(np.float32)  # (C,)
    linear = (1 - map_share) * np.concatenate(weights, axis=1)  # (M + 1, C)
    return Blend(
        share=map_share,
        slopes=linear[:-1].astype(np.float32),
        offsets=linear[-1].astype(np.float32),
    )
