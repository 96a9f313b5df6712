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
TINY = 1e-30


def curvature(
    bands: int,
    positions: Optional[np.ndarray] = None,
) -> np.ndarray:
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
        usual = np.median(steps)
        wide = steps > GAP * usual
        # Either of the two steps that a second difference is of.
        crosses = wide[:-1] | wide[1:]
        second[crosses] = 0.0
    return second


def _non_negative(
    gram: np.ndarray,
    cross: np.ndarray,
) -> np.ndarray:
    """Minimiser of x'gram x - 2 cross'x over x >= 0, through the Cholesky factor: |L'x - L^-1 cross|^2."""
    bands = len(gram)
    rounding = ROUNDING * np.trace(gram) / bands
    system = gram + rounding * np.eye(bands)
    factor = np.linalg.cholesky(system)
    target = np.linalg.solve(factor, cross)
    try:
        solution, _ = nnls(
            factor.T,
            target,
            maxiter=STEPS_PER_BAND * bands,
        )
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
    bands = len(gram)
    energy = np.trace(gram)
    if energy <= 0:
        return np.zeros(bands)
    level = energy / bands
    tie = roughness + RIDGE * np.eye(bands)
    penalty = level * strength * tie
    return _non_negative(gram + penalty, cross)


class ResponseFit:
    """Pixels of a support, for the responses of all MSI bands that see it: what all of them need is made once.

    Args:
        design: (n, b) LR-HSI pixels on the support.
        second: Curvature matrix of the support.
    """

    def __init__(self, design: np.ndarray, second: np.ndarray) -> None:
        count = len(design)
        self.roughness = second.T @ second
        # Runs of pixels, each held out once; of very few pixels some are empty.
        self.folds = []
        for fold in range(FOLDS):
            # Shares of all pixels, rounded up.
            first = -(-fold * count // FOLDS)
            end = -(-(fold + 1) * count // FOLDS)
            if first < end:
                self.folds.append(slice(first, end))
        self.parts = [design[run] for run in self.folds]
        self.grams = [part.T @ part for part in self.parts]  # (b, b) of each fold
        self.bands = design.shape[1]

    def response_to(
        self,
        target: np.ndarray,
        strength: Optional[float],
    ) -> np.ndarray:
        """One SRF row on the support.

        Args:
            target: (n,) PSF(MSI band).
            strength: Weight of the curvature relative to the data; None: by five-fold cross-validation.

        Returns:
            (b,) non-negative.
        """
        targets = []
        crosses = []
        for run, part in zip(self.folds, self.parts):
            own = target[run]
            targets.append(own)
            crosses.append(part.T @ own)  # (b,)
        if strength is None:
            strength = self._cross_validated(targets, crosses)
        gram, cross = self._without(None, crosses)
        return _smooth_response(gram, cross, self.roughness, strength)

    def _without(
        self,
        left_out: Optional[int],
        crosses: list[np.ndarray],
    ) -> tuple[np.ndarray, np.ndarray]:
        """D'D (b, b) and D't (b,) over all folds but one."""
        gram = np.zeros((self.bands, self.bands))
        cross = np.zeros(self.bands)
        for fold, (own_gram, own_cross) in enumerate(zip(self.grams, crosses)):
            if fold != left_out:
                gram += own_gram
                cross += own_cross
        return gram, cross

    def _cross_validated(
        self,
        targets: list[np.ndarray],
        crosses: list[np.ndarray],
    ) -> float:
        """The largest strength whose held-out error is as good as the best one's."""
        if len(self.folds) < 2:
            # Nothing is held out: all are as good.
            return max(STRENGTHS)
        errors = np.zeros(len(STRENGTHS))
        for fold, part in enumerate(self.parts):
            gram, cross = self._without(fold, crosses)
            responses = []
            for strength in STRENGTHS:
                response = _smooth_response(gram, cross, self.roughness, strength)
                responses.append(response)
            predicted = part @ np.stack(responses, axis=1)  # (m, strengths)
            misfit = targets[fold][:, None] - predicted
            errors += np.sum(misfit**2, axis=0)
        most = errors.min() * TOLERATED + TINY
        good = []
        for strength, error in zip(STRENGTHS, errors):
            if error <= most:
                good.append(strength)
        return max(good)


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
    bands = lr_hsi.shape[2]
    msi_bands = lr_msi.shape[2]
    pixels = lr_hsi.reshape(-1, bands).astype(np.float64)
    targets = lr_msi.reshape(-1, msi_bands).astype(np.float64)
    if trust is not None:
        pixels = pixels * trust[:, None]
        targets = targets * trust[:, None]
    srf = np.zeros((msi_bands, bands))
    fits: dict[tuple[int, int], ResponseFit] = {}
    for band, (low, high) in enumerate(supports):
        if (low, high) not in fits:
            centres = None
            if wavelengths_nm is not None:
                centres = np.asarray(wavelengths_nm)[low:high]
            second = curvature(high - low, centres)
            visible = pixels[:, low:high]
            fits[low, high] = ResponseFit(visible, second)
        target = targets[:, band]
        response = fits[low, high].response_to(target, strength)
        srf[band, low:high] = response
    return srf
