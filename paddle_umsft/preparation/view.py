"""What both images share, and how well: the MSI as LR pixels see it against the best mix of HSI bands.

Every estimator here asks the same question: does the pair agree better with the effect undone? "Better" is a robust
one: a few pixels that do not belong together must not decide about the others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional

import numpy as np

from paddle_umsft.cameras.placement import Placement
from paddle_umsft.preparation.border_equations import variance_ratio
from paddle_umsft.preparation.footprint import Profile, Seen, first_profile, look

# Spectral directions that stand for the HSI: enough for any SRF on natural spectra, few against the number of pixels.
DIRECTIONS = 12
PIXELS_PER_DIRECTION = 12
# A robust scale ignores what is further off than about this many times itself.
BOUND = 3.0
# Footprints with less than this share on the MSI see what nobody knows ...
INSIDE = 0.98
# ... but here, where every fit is a robust one, so much will do: a line of LR pixels along the border counts.
MOSTLY_INSIDE = 0.8
BORDER_WEIGHT = 0.05
# Relative size of what rounding to float32 leaves.
ROUNDING = 1e-6
# Residuals below this share of the contrast come from the simple PSF here; making them smaller is no evidence.
FINE = 2e-3
# Random starts of a fit that must not be led astray by pixels that do not belong together.
STARTS = 20
# Pixels that such a start is tried on.
FEW = 1000


@dataclass
class View:
    """Both images as far as they are understood.

    Attributes:
        lr_hsi: (h, w, C) float64, with what was found undone.
        hr_msi: (H, W, M) float64, likewise.
        scale: Ratio of the resolutions.
        placement: Where LR pixels lie on the MSI.
        profile: A PSF close to the true one.
        trusted: (h, w) LR pixels that count.
        offset: Whether the MSI may differ by a constant.
    """

    lr_hsi: np.ndarray
    hr_msi: np.ndarray
    scale: int
    placement: Placement
    profile: Profile
    trusted: np.ndarray
    offset: bool = False

    @property
    def lr_shape(self) -> tuple[int, int]:
        """(h, w)."""
        return int(self.lr_hsi.shape[0]), int(self.lr_hsi.shape[1])

    def seen(self) -> Seen:
        """The MSI as LR pixels see it."""
        return look(self.hr_msi, self.placement, self.lr_shape, self.profile)

    def but(self, **changes: object) -> View:
        """The same with something else."""
        return replace(self, **changes)  # type: ignore[arg-type]


def first_view(lr_hsi: np.ndarray, hr_msi: np.ndarray, scale: int) -> View:
    """Nothing wrong, and the PSF about one LR pixel wide."""
    return View(
        lr_hsi=lr_hsi.astype(np.float64),
        hr_msi=hr_msi.astype(np.float64),
        scale=scale,
        placement=Placement(scale),
        profile=first_profile(scale),
        trusted=np.ones(lr_hsi.shape[:2], dtype=bool),
    )


def spectral_directions(lr_hsi: np.ndarray, trusted: np.ndarray) -> np.ndarray:
    """(h*w, q) coefficients of the spectra in their leading directions (not centred)."""
    pixels = lr_hsi.reshape(-1, lr_hsi.shape[2])
    kept = pixels[trusted.ravel()]
    count = max(1, min(DIRECTIONS, pixels.shape[1], len(kept) // PIXELS_PER_DIRECTION))
    _, vectors = np.linalg.eigh(kept.T @ kept)
    return np.asarray(pixels @ vectors[:, ::-1][:, :count])


def robust_scale(values: np.ndarray) -> np.ndarray:
    """(M,) scale of (n, M) residuals: root mean square of what lies within `BOUND` scales, begun at the median."""
    magnitude = np.abs(values)
    scale = 1.4826 * np.median(magnitude, axis=0) + 1e-30
    for _ in range(5):
        bounded = np.minimum(magnitude, BOUND * scale)
        scale = np.sqrt(np.mean(bounded**2, axis=0)) * 1.006 + 1e-30
        scale = np.minimum(scale, 1.4826 * np.median(magnitude, axis=0) * 2.0 + 1e-30)
    return np.asarray(scale)


@dataclass
class Fit:
    """How well the pair agrees.

    Attributes:
        rest: (n, M) PSF(msi) - mix of the HSI, all LR pixels.
        scale: (M,) robust scale of `rest` on the trusted pixels that lie on the MSI as a whole.
        spread: (M,) standard deviation of PSF(msi) over these.
        counted: (n,) LR pixels in the fit.
        weights: (n,) robust weights, 0 for those not counted.
        extra: (e, M) factors of the extra columns.
        freedom: Parameters per MSI band.
        seen: What was fitted.
    """

    rest: np.ndarray
    scale: np.ndarray
    spread: np.ndarray
    counted: np.ndarray
    weights: np.ndarray
    extra: np.ndarray
    freedom: int
    seen: Seen

    @property
    def relative(self) -> np.ndarray:
        """(M,) robust residual over the contrast."""
        return np.asarray(self.scale / np.maximum(self.spread, 1e-30))

    @property
    def criterion(self) -> float:
        """Bayesian information criterion, per LR pixel: smaller is better."""
        count = max(int(self.counted.sum()), 2)
        relative = np.maximum(self.relative, FINE)
        return float(np.sum(2.0 * np.log(relative) + self.freedom * np.log(count) / count))


def _weighted_fit(design: np.ndarray, target: np.ndarray, weights: np.ndarray) -> np.ndarray:
    root = np.sqrt(weights)[:, None]
    scaled = design * root
    norms = np.sqrt(np.sum(scaled**2, axis=0)) + 1e-300
    factors = np.linalg.lstsq(scaled / norms, target * root, rcond=1e-9)[0]
    return np.asarray(factors / norms[:, None])


def shared_columns(view: View, counted: np.ndarray) -> np.ndarray:
    """(n, q) columns that explain every MSI band: the HSI's directions, and a constant where one may be there."""
    columns = [spectral_directions(view.lr_hsi, counted.reshape(view.lr_shape))]
    if view.offset:
        columns.append(np.ones((len(counted), 1)))
    return np.concatenate(columns, axis=1)


def counted_pixels(view: View, seen: Seen) -> np.ndarray:
    """(n,) trusted LR pixels whose footprint lies on the MSI; all trusted ones where that leaves too few."""
    trusted = view.trusted.ravel()
    counted = trusted & (seen.inside > MOSTLY_INSIDE)
    least = 2 * seen.values.shape[1] + 8
    return np.asarray(counted if counted.sum() >= least else trusted)


def majority(view: View, seen: Seen, seed: int = 0) -> np.ndarray:
    """(n,) weights 0 or 1: the half of the pixels that agree with each other best, by least trimmed squares.

    References:
        P. Rousseeuw, K. Van Driessen: Computing LTS regression for large data sets. Data Mining and Knowledge
        Discovery 12, 2006 (random starts and concentration steps).
    """
    counted = counted_pixels(view, seen)
    design, target = shared_columns(view, counted)[counted], seen.values[counted]
    rng = np.random.default_rng(seed)
    count, depth = design.shape
    spread = target.std(axis=0) + 1e-30
    everyone, everything = design, target
    few = np.sort(rng.choice(count, FEW, replace=False)) if count > FEW else np.arange(count)
    design, target = design[few], target[few]
    count = len(few)
    half = max(int(0.6 * count), min(count, depth + 2))
    best, least = np.arange(count), np.inf
    for _ in range(STARTS):
        chosen = rng.choice(count, min(count, depth + 2), replace=False)
        for _ in range(4):
            rest = target - design @ np.linalg.lstsq(design[chosen], target[chosen], rcond=1e-9)[0]
            far = np.max(np.abs(rest) / spread, axis=1)
            chosen = np.argpartition(far, half - 1)[:half]
        loss = float(np.sum(far[chosen] ** 2))
        if loss < least:
            best, least = chosen, loss
    rest = everything - everyone @ np.linalg.lstsq(design[best], target[best], rcond=1e-9)[0]
    far = np.max(np.abs(rest) / spread, axis=1)
    most = max(int(0.6 * len(far)), min(len(far), depth + 2))
    weights: np.ndarray = np.zeros(len(counted))
    weights[np.flatnonzero(counted)[np.argpartition(far, most - 1)[:most]]] = 1.0
    return weights


def fit(
    view: View,
    *,
    extra: Optional[np.ndarray] = None,
    seen: Optional[Seen] = None,
    start: Optional[np.ndarray] = None,
    rounds: int = 4,
) -> Fit:
    """The best mix of HSI bands for each MSI band, by iteratively reweighted least squares.

    Args:
        view: The pair.
        extra: (n, e) further columns, alike for all MSI bands; or (n, e, M), other ones for each.
        seen: What LR pixels see, if it is known already.
        start: (n,) weights to begin with; None: all alike.
        rounds: Reweightings.

    Returns:
        The residual and what it is made of.
    """
    seen = view.seen() if seen is None else seen
    counted = counted_pixels(view, seen)
    # What lies along the border is fitted too, but how good the fit is others tell.
    told = counted & (seen.inside > INSIDE)
    told = told if told.sum() > 0.5 * counted.sum() else counted
    doubt = np.where(told, 1.0, BORDER_WEIGHT) * counted
    doubt = doubt / variance_ratio(seen.inside, view.profile.doubt)
    shared = shared_columns(view, counted)
    bands = seen.values.shape[1]
    depth = 0 if extra is None else extra.shape[1]
    weights = doubt if start is None else start * doubt
    rest = np.zeros_like(seen.values)
    factors = np.zeros((depth, bands))
    for _ in range(rounds):
        if extra is None or extra.ndim == 2:
            design = shared if extra is None else np.concatenate([shared, extra], axis=1)
            solved = _weighted_fit(design[counted], seen.values[counted], weights[counted])
            rest = seen.values - design @ solved
            factors = solved[shared.shape[1] :]
        else:
            for band in range(bands):
                design = np.concatenate([shared, extra[:, :, band]], axis=1)
                solved = _weighted_fit(design[counted], seen.values[counted, band : band + 1], weights[counted])
                rest[:, band] = seen.values[:, band] - (design @ solved)[:, 0]
                factors[:, band] = solved[shared.shape[1] :, 0]
        scale = robust_scale(rest[told])
        # Cauchy weights: a pixel far off in any band counts little in all.
        far = np.max(np.abs(rest) / (BOUND * scale + ROUNDING * np.abs(seen.values).max()), axis=1)
        weights = doubt / (1.0 + far**2)
    return Fit(
        rest=rest,
        scale=scale,
        spread=seen.values[told].std(axis=0),
        counted=counted,
        weights=weights,
        extra=factors,
        freedom=shared.shape[1] + depth,
        seen=seen,
    )
