"""The spectral response (SRF) of the MSI camera by smooth non-negative least squares on the low-resolution pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import numpy as np
from scipy.optimize import nnls

from paddle_umsft.errors import DataError

STRENGTHS = tuple(10.0**power for power in range(-9, 1, 2))


def check_supports(supports: Optional[Sequence[tuple[int, int]]], bands: int, msi_bands: int) -> list[tuple[int, int]]:
    """Half-open band ranges, one per MSI band; the whole range where none are given.

    Raises:
        DataError: Wrong number of supports, or one that is empty or outside [0, bands).
    """
    if supports is None:
        return [(0, bands)] * msi_bands
    ranges = [(int(low), int(high)) for low, high in supports]
    if len(ranges) != msi_bands:
        raise DataError("one support per MSI band is needed", where="supports", expected=msi_bands, got=len(ranges))
    for low, high in ranges:
        if not 0 <= low < high <= bands:
            expected = f"0 <= a < b <= {bands}"
            raise DataError("support out of range", where="supports", expected=expected, got=(low, high))
    return ranges


def curvature(bands: int, positions: Optional[np.ndarray] = None) -> np.ndarray:
    """(bands - 2, bands) second differences; zero rows where fewer than three bands or a gap in the wavelengths.

    Args:
        bands: Number of bands n.
        positions: (n,) band centres; a jump over three times the median step breaks the chain there.
    """
    if bands < 3:
        return np.zeros((0, bands))
    second = np.zeros((bands - 2, bands))
    index = np.arange(bands - 2)
    second[index, index], second[index, index + 1], second[index, index + 2] = 1.0, -2.0, 1.0
    if positions is not None:
        steps = np.abs(np.diff(np.asarray(positions, dtype=np.float64)))
        wide = steps > 3.0 * np.median(steps)
        second[wide[:-1] | wide[1:]] = 0.0
    return second


def _solve(gram: np.ndarray, cross: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    """Non-negative minimiser of x'(gram + penalty)x - 2 cross'x through its Cholesky factor."""
    if np.trace(gram) <= 0:
        return np.zeros(len(gram))
    system = gram + penalty
    system = system + 1e-12 * np.trace(system) / len(system) * np.eye(len(system))
    factor = np.linalg.cholesky(system)
    target = np.linalg.solve(factor, cross)
    try:
        solution, _ = nnls(factor.T, target, maxiter=30 * len(system))
    except RuntimeError:  # the active set circles: take what the unconstrained problem says, cut at zero
        solution = np.clip(np.linalg.solve(factor.T, target), 0.0, None)
    return np.asarray(solution)


def fit_band(design: np.ndarray, target: np.ndarray, second: np.ndarray, strength: Optional[float]) -> np.ndarray:
    """One SRF row on its support.

    Args:
        design: (n, b) LR-HSI pixels on the support.
        target: (n,) PSF(MSI band).
        second: Curvature matrix of the support.
        strength: Weight of the curvature relative to the data; None: by five-fold cross-validation.

    Returns:
        (b,) non-negative response.
    """
    rows = second.T @ second

    def gram_of(keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return design[keep].T @ design[keep], design[keep].T @ target[keep]

    def solve(gram: np.ndarray, cross: np.ndarray, weight: float) -> np.ndarray:
        level = np.trace(gram) / len(gram)
        return _solve(gram, cross, level * weight * (rows + 1e-6 * np.eye(len(rows))))

    if strength is None:
        folds = np.arange(len(target)) * 5 // max(len(target), 1)
        errors = np.zeros(len(STRENGTHS))
        for fold in range(5):
            keep = folds != fold
            if not keep.any() or keep.all():
                continue
            gram, cross = gram_of(keep)
            for number, candidate in enumerate(STRENGTHS):
                rest = target[~keep] - design[~keep] @ solve(gram, cross, candidate)
                errors[number] += float(rest @ rest)
        # The smoothest response whose held-out error is as good as the best one's.
        strength = max(c for c, e in zip(STRENGTHS, errors) if e <= errors.min() * 1.02 + 1e-30)
    gram, cross = gram_of(np.ones(len(target), dtype=bool))
    return solve(gram, cross, strength)


def fit_srf(
    lr_hsi: np.ndarray,
    lr_msi: np.ndarray,
    supports: Sequence[tuple[int, int]],
    *,
    wavelengths_nm: Optional[np.ndarray] = None,
    strength: Optional[float] = None,
) -> np.ndarray:
    """Find the SRF that turns the LR-HSI into the blurred MSI.

    Args:
        lr_hsi: (h, w, C).
        lr_msi: (h, w, M), the MSI behind the PSF.
        supports: Per MSI band the half-open band range it can see.
        wavelengths_nm: (C,) band centres; the smoothness does not reach over gaps.
        strength: Weight of the smoothness; None: by cross-validation.

    Returns:
        (M, C) non-negative SRF, zero outside the supports.
    """
    bands, msi_bands = lr_hsi.shape[2], lr_msi.shape[2]
    pixels = lr_hsi.reshape(-1, bands).astype(np.float64)
    targets = lr_msi.reshape(-1, msi_bands).astype(np.float64)
    srf = np.zeros((msi_bands, bands))
    for band, (low, high) in enumerate(supports):
        centres = None if wavelengths_nm is None else np.asarray(wavelengths_nm)[low:high]
        second = curvature(high - low, centres)
        srf[band, low:high] = fit_band(pixels[:, low:high], targets[:, band], second, strength)
    return srf
