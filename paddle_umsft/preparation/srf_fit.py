"""The spectral response (SRF) of the MSI camera by smooth non-negative least squares on the low-resolution pair.

For one MSI band with pixels D (n, b) of the HSI on its support and targets t (n,), the response x minimises

    |D x - t|^2  +  level * strength * (|second x|^2 + RIDGE |x|^2)      over x >= 0,

`second` the second differences and `level` the mean energy of a band.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import numpy as np
from scipy.optimize import nnls

# Weights of the smoothness that compete: from none that could be felt to a response that is all but straight.
STRENGTHS = tuple(10.0**power for power in range(-9, 1, 2))
FOLDS = 5
# How much worse than the best a smoother response may predict: less is chance.
TOLERATED = 1.02
# Curvature says nothing of a straight line: this much of the response itself keeps the system regular.
RIDGE = 1e-6
# A step between band centres over so many median steps is a gap (an absorption band cut out): no smoothness over it.
GAP = 3.0
# Added to a system for its Cholesky factor, relative to the mean diagonal: float64 rounding, summed.
ROUNDING = 1e-12
# NNLS takes about as many steps as there are bands; this many per band mean that it circles.
STEPS_PER_BAND = 30
# Penalties on an SRF that is projected out, relative to the level of a band: on its curvature and on itself.
PROJECTED_ROUGHNESS = 3e-4
PROJECTED_SIZE = 1e-6
TINY = 1e-30


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
    second[index, index] = 1.0
    second[index, index + 1] = -2.0
    second[index, index + 2] = 1.0
    if positions is not None:
        centres = np.asarray(positions, dtype=np.float64)
        steps = np.abs(np.diff(centres))
        wide = steps > GAP * np.median(steps)
        crosses = wide[:-1] | wide[1:]
        second[crosses] = 0.0
    return second


def projection_penalty(pixels: np.ndarray) -> np.ndarray:
    """Rows below the pixels that keep a response smooth which is projected out of a PSF's equations.

    Args:
        pixels: (n, b) LR-HSI on the support of a band.

    Returns:
        (2 b - 2, b): with [pixels; penalty] = QR, I - QQ' leaves what no smooth response explains.
    """
    bands = pixels.shape[1]
    level = np.sqrt(np.sum(pixels**2) / bands)
    return np.asarray(level * unit_penalty(bands))


def unit_penalty(bands: int) -> np.ndarray:
    """`projection_penalty` of pixels whose bands have norm 1."""
    rough = PROJECTED_ROUGHNESS * curvature(bands)
    large = PROJECTED_SIZE * np.eye(bands)
    return np.concatenate([rough, large])


def with_free_constant(penalised: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """A column beside the pixels for a constant that costs nothing.

    Args:
        penalised: (n + penalties, b) rows of pixels above those of the penalty.
        weights: (n,) factors on the pixels' rows.

    Returns:
        (n + penalties, b + 1).
    """
    column = np.zeros((len(penalised), 1))
    column[: len(weights), 0] = weights
    return np.concatenate([penalised, column], axis=1)


def _non_negative(gram: np.ndarray, cross: np.ndarray) -> np.ndarray:
    """Minimiser of x'gram x - 2 cross'x over x >= 0, through the Cholesky factor: |L'x - L^-1 cross|^2."""
    rounding = ROUNDING * np.trace(gram) / len(gram)
    system = gram + rounding * np.eye(len(gram))
    factor = np.linalg.cholesky(system)
    target = np.linalg.solve(factor, cross)
    try:
        solution, _ = nnls(factor.T, target, maxiter=STEPS_PER_BAND * len(system))
    except RuntimeError:  # the active set circles: take what the unconstrained problem says, cut at zero
        free = np.linalg.solve(factor.T, target)
        solution = np.clip(free, 0.0, None)
    return np.asarray(solution)


def _smooth_response(
    gram: np.ndarray,
    cross: np.ndarray,
    roughness: np.ndarray,
    strength: float,
) -> np.ndarray:
    """The response for one strength of the smoothness.

    Args:
        gram: (b, b) D'D.
        cross: (b,) D't.
        roughness: (b, b) second'second.
        strength: Weight of the smoothness relative to the data.

    Returns:
        (b,) non-negative.
    """
    if np.trace(gram) <= 0:
        return np.zeros(len(gram))
    level = np.trace(gram) / len(gram)
    penalty = level * strength * (roughness + RIDGE * np.eye(len(gram)))
    return _non_negative(gram + penalty, cross)


def _normal_equations(
    design: np.ndarray,
    target: np.ndarray,
    keep: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """D'D (b, b) and D't (b,) over the pixels to keep."""
    gram = design[keep].T @ design[keep]
    cross = design[keep].T @ target[keep]
    return gram, cross


def _cross_validated(
    design: np.ndarray,
    target: np.ndarray,
    roughness: np.ndarray,
) -> float:
    """The largest strength whose held-out error is as good as the best one's; folds are runs of pixels."""
    count = len(target)
    folds = np.arange(count) * FOLDS // max(count, 1)
    errors = np.zeros(len(STRENGTHS))
    for fold in range(FOLDS):
        keep = folds != fold
        if not keep.any() or keep.all():
            continue
        gram, cross = _normal_equations(design, target, keep)
        for number, candidate in enumerate(STRENGTHS):
            response = _smooth_response(gram, cross, roughness, candidate)
            misfit = target[~keep] - design[~keep] @ response
            errors[number] += float(misfit @ misfit)
    good = errors <= errors.min() * TOLERATED + TINY
    return max(strength for strength, is_good in zip(STRENGTHS, good) if is_good)


def fit_band(
    design: np.ndarray,
    target: np.ndarray,
    second: np.ndarray,
    strength: Optional[float],
) -> np.ndarray:
    """One SRF row on its support.

    Args:
        design: (n, b) LR-HSI pixels on the support.
        target: (n,) PSF(MSI band).
        second: Curvature matrix of the support.
        strength: Weight of the curvature relative to the data; None: by five-fold cross-validation.

    Returns:
        (b,) non-negative response.
    """
    roughness = second.T @ second
    if strength is None:
        strength = _cross_validated(design, target, roughness)
    every_pixel = np.ones(len(target), dtype=bool)
    gram, cross = _normal_equations(design, target, every_pixel)
    return _smooth_response(gram, cross, roughness, strength)


def fit_srf(
    lr_hsi: np.ndarray,
    lr_msi: np.ndarray,
    supports: Sequence[tuple[int, int]],
    *,
    wavelengths_nm: Optional[np.ndarray] = None,
    strength: Optional[float] = None,
    trust: Optional[np.ndarray] = None,
) -> np.ndarray:
    """Find the SRF that turns the LR-HSI into the blurred MSI.

    Args:
        lr_hsi: (h, w, C).
        lr_msi: (h, w, M), the MSI behind the PSF.
        supports: Per MSI band the half-open band range it can see.
        wavelengths_nm: (C,) band centres; the smoothness does not reach over gaps.
        strength: Weight of the smoothness; 0: none; None: by cross-validation.
        trust: (h*w,) factors on the residuals of the LR pixels; None: all alike.

    Returns:
        (M, C) non-negative SRF, zero outside the supports.
    """
    bands, msi_bands = lr_hsi.shape[2], lr_msi.shape[2]
    pixels = lr_hsi.reshape(-1, bands).astype(np.float64)
    targets = lr_msi.reshape(-1, msi_bands).astype(np.float64)
    if trust is not None:
        pixels = pixels * trust[:, None]
        targets = targets * trust[:, None]
    srf = np.zeros((msi_bands, bands))
    for band, (low, high) in enumerate(supports):
        centres = None
        if wavelengths_nm is not None:
            centres = np.asarray(wavelengths_nm)[low:high]
        second = curvature(high - low, centres)
        srf[band, low:high] = fit_band(pixels[:, low:high], targets[:, band], second, strength)
    return srf
