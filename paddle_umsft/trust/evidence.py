"""What the expected error of a cube is read from, and the small sums that its parts share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np

from paddle_umsft.preparation.noise import diagonal_differences
from paddle_umsft.trust.linear import MEDIAN_DEVIATION, LinearView

# A median is as good from so many of them: whole rows are left out beyond.
MOST_DIFFERENCES = 65_536


@dataclass(frozen=True)
class Evidence:
    """What the expected error is read from.

    Attributes:
        lr_hsi: (h, w, C).
        hr_msi: (H, W, M).
        lr_msi: (h, w, M) PSF(MSI).
        fused: (H, W, C).
        again: (h, w, C) PSF(fused).
        srf: (M, C).
        white: Root of the sum of squares of the PSF: what comes through of white detail.
        linear: See `LinearView`.
        used: (h, w) LR pixels that belong to the scene.
        hsi_noise: (C,) standard deviations, bounds from above.
        msi_noise: (M,) the same.
        held_out: (h, w, C) the method's own residuals at LR pixels left out of its fits, NaN where there are none;
            None: it has none.
        lost: (h, w) LR pixels that show nothing of the scene, though they lie in the picture; None: all show it.
        doubted: (H, W) how little the MSI's pixels are trusted, 1 for those that show nothing of the scene; None: all
            show it.
        unsure_light: (H, W) how much the light may differ from what was undone, as a part of a pixel's values; None: no
            light was undone.
        is_refined: Whether the method has refined the result at HR pixels, which residuals at LR pixels do not tell.
    """

    lr_hsi: np.ndarray
    hr_msi: np.ndarray
    lr_msi: np.ndarray
    fused: np.ndarray
    again: np.ndarray
    srf: np.ndarray
    white: float
    linear: LinearView
    used: np.ndarray
    hsi_noise: np.ndarray
    msi_noise: np.ndarray
    held_out: Optional[np.ndarray] = None
    lost: Optional[np.ndarray] = None
    doubted: Optional[np.ndarray] = None
    unsure_light: Optional[np.ndarray] = None
    is_refined: bool = False

    @property
    def scale(self) -> int:
        """H / h."""
        return int(self.hr_msi.shape[0] // self.lr_hsi.shape[0])

    @property
    def missed(self) -> np.ndarray:
        """(h, w, C) what is missed at LR pixels left out: by the method, else by a linear mix; NaN where not in use."""
        if self.held_out is not None and np.isfinite(self.held_out).any():
            return self.held_out
        return self.linear.left_out


def fine_differences(
    image: np.ndarray,
    most: int = MOST_DIFFERENCES,
) -> np.ndarray:
    """(M,) robust size of the finest diagonal differences: noise and texture, no edges.

    Args:
        image: (H, W, M).
        most: Of so many differences, about, or fewer.
    """
    height, width, bands = image.shape
    if height < 2 or width < 2:
        return np.zeros(bands)
    step = max(1, height * width // most)
    differences = diagonal_differences(image, step)
    flat = differences.reshape(-1, bands)
    middle = np.median(np.abs(flat), axis=0)
    deviation = middle.astype(np.float64) / MEDIAN_DEVIATION
    return np.asarray(deviation)


def moments_of(image: np.ndarray) -> np.ndarray:
    """(M, M) float64 mean products of the bands of (H, W, M)."""
    bands = image.shape[2]
    flat = image.reshape(-1, bands)
    products = flat.T @ flat
    means = products / len(flat)
    return np.asarray(means.astype(np.float64))


def squares_of_mixes(
    weights: np.ndarray,
    moments: np.ndarray,
) -> np.ndarray:
    """(C,) mean squares of an image's mixes.

    Args:
        weights: (M, C).
        moments: (M, M) the image's, see `moments_of`.
    """
    squares = weights * (moments @ weights)
    return np.asarray(np.sum(squares, axis=0))


def noise_of_mixes(
    weights: np.ndarray,
    deviations: np.ndarray,
) -> np.ndarray:
    """(C,) variance of the mixes of independent bands with these (M,) deviations."""
    variances = np.square(deviations)
    return np.asarray(variances @ np.square(weights))
