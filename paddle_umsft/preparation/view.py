"""What both images share, and how well: the MSI as LR pixels see it against the best mix of HSI bands.

Every estimator here asks the same question: does the pair agree better with the effect undone? "Better" is a robust
one: a few pixels that do not belong together must not decide about the others.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Optional

import numpy as np

from paddle_umsft.cameras.border import Border, continued
from paddle_umsft.cameras.placement import CUBIC, Placement
from paddle_umsft.preparation.border_doubt import variance_ratio
from paddle_umsft.preparation.footprint import Seen, covered, look, look_askew
from paddle_umsft.preparation.profiles import Profile, first_profile
from paddle_umsft.preparation.robust import BOUND, TINY, majority_of, robust_scale, weighted_fit

# Spectral directions that stand for the HSI: enough for any SRF on natural spectra, few against the number of pixels.
DIRECTIONS = 12
PIXELS_PER_DIRECTION = 12
# LR pixels that they are found from, at most.
MOST_SPECTRA = 2**14
# Footprints with less than this share on the MSI see what nobody knows ...
INSIDE = 0.98
# ... but here, where every fit is a robust one, so much will do: a line of LR pixels along the border counts.
MOSTLY_INSIDE = 0.8
BORDER_WEIGHT = 0.05
# LR pixels that have to be left for a fit, per MSI band and besides.
LEAST_PER_BAND = 2
LEAST_PIXELS = 8
# LR pixels that tell a place and a width; evenly spread rows of a larger picture, but so many at least.
MOST_PIXELS = 2000
LEAST_ROWS = 8
# If less than this share of them lie on the MSI as a whole, those along the border have to do.
ENOUGH = 0.5
# Rows made for one PSF serve those that are wider by less than this.
WIDE_ENOUGH = 1.2
# Relative size of what rounding to float32 leaves.
ROUNDING = 1e-6
# Residuals below this share of the contrast come from the simple PSF here; making them smaller is no evidence.
FINE = 2e-3
# Fits, each weighted by the residuals of the one before.
REWEIGHTINGS = 4


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
        has_data: (h, w) LR pixels that may count at all: the others are masked.
        straightened: The MSI on the HSI's grid, by what lies beyond the picture, where the placement turns it: made
            once for all PSFs that it is seen through.
        lines: LR rows in use, which `lr_hsi` and `trusted` then hold alone; None: all.
        order: Of the splines that a turned MSI is interpolated by.
        shared: What `directions` has found last, by the pixels that it was asked for.
    """

    lr_hsi: np.ndarray
    hr_msi: np.ndarray
    scale: int
    placement: Placement
    profile: Profile
    trusted: np.ndarray
    has_data: np.ndarray
    straightened: dict[Border, np.ndarray] = field(default_factory=dict, repr=False)
    lines: Optional[np.ndarray] = None
    order: int = CUBIC
    shared: dict[bytes, np.ndarray] = field(default_factory=dict, repr=False)

    @property
    def lr_shape(self) -> tuple[int, int]:
        """(h, w), of the rows in use."""
        height, width = self.lr_hsi.shape[:2]
        return int(height), int(width)

    @property
    def whole_shape(self) -> tuple[int, int]:
        """(h, w) of the whole picture."""
        height, width = self.hr_msi.shape[:2]
        return int(height) // self.scale, int(width) // self.scale

    def own_places(self) -> np.ndarray:
        """(h, w, 2) middles of the LR pixels in use if nothing had moved."""
        places = self.placement.own_places(self.whole_shape)
        if self.lines is None:
            return places
        return np.asarray(places[self.lines])

    def thinned(self, pixels: int = MOST_PIXELS) -> View:
        """The same by so many LR pixels in a few rows, evenly spread, where there are more than that."""
        height, width = self.lr_shape
        kept = max(pixels // width, LEAST_ROWS)
        if self.lines is not None or kept >= height:
            return self
        spread = np.linspace(0, height - 1, kept)
        lines = np.unique(np.round(spread).astype(int))
        return self.but(lr_hsi=self.lr_hsi[lines], trusted=self.trusted[lines], lines=lines)

    def seen(self, *, change: bool = False) -> Seen:
        """The MSI as LR pixels see it; how it changes with the place, too, if that is asked for."""
        if self.placement.is_straight:
            return look(self.hr_msi, self.placement, self.whole_shape, self.profile, change=change, lines=self.lines)
        border = self.profile.border
        if border not in self.straightened:
            rows = self._rows_seen()
            self.straightened[border] = self.placement.on_the_hsi(self.hr_msi, border, order=self.order, rows=rows)
        straightened = self.straightened[border]
        return look_askew(straightened, self.placement, self.whole_shape, self.profile, change=change, lines=self.lines)

    def directions(self, counted: np.ndarray) -> np.ndarray:
        """`spectral_directions` of the LR pixels in use.

        Args:
            counted: (n,) those that count.

        Returns:
            (n, q).
        """
        # Hundreds of fits ask for those of the same pixels, one after the other.
        asked = np.packbits(counted).tobytes()
        if asked not in self.shared:
            self.shared.clear()
            self.shared[asked] = spectral_directions(self.lr_hsi, counted)
        return self.shared[asked]

    def _rows_seen(self) -> Optional[np.ndarray]:
        """HR rows of the HSI's ground that a search sees on its way through a few LR rows; None: all of them."""
        if self.lines is None or self.order == CUBIC:
            return None
        height = self.hr_msi.shape[0]
        # A little more for PSFs that are a little wider.
        reach = int(WIDE_ENOUGH * self.profile.reach) + 2
        around = np.arange(-reach, self.scale + reach)
        rows = np.add.outer(self.lines * self.scale, around)
        return np.unique(continued(rows, height, self.profile.border))

    def inside(self) -> np.ndarray:
        """(h, w) how much of every LR pixel's footprint lies on the MSI."""
        shape = self.hr_msi.shape[:2]
        if self.placement.is_straight:
            return self.seen().inside.reshape(self.lr_shape)
        inside = covered(shape, self.placement, self.whole_shape, self.profile, lines=self.lines)
        return inside.reshape(self.lr_shape)

    def on_its_ground(self) -> View:
        """The same with the MSI where the HSI's grid says, if it is not there already."""
        plain = Placement(self.scale)
        if not (self.placement.is_bent or self.placement.shift.any()):
            return self.but(placement=plain)
        return self.but(hr_msi=self.placement.on_the_hsi(self.hr_msi, "reflect"), placement=plain)

    def but(self, **changes: object) -> View:
        """The same with something else."""
        if "hr_msi" in changes or "placement" in changes:
            changes["straightened"] = {}
        if "lr_hsi" in changes:
            changes["shared"] = {}
        return replace(self, **changes)  # type: ignore[arg-type]


def first_view(
    lr_hsi: np.ndarray,
    hr_msi: np.ndarray,
    scale: int,
    has_data: Optional[np.ndarray] = None,
) -> View:
    """Nothing wrong, and the PSF about one LR pixel wide.

    Args:
        lr_hsi: (h, w, C).
        hr_msi: (H, W, M).
        scale: Ratio of the resolutions.
        has_data: (h, w) LR pixels that can be told from; None: all.
    """
    if has_data is None:
        has_data = np.ones(lr_hsi.shape[:2], dtype=bool)
    return View(
        lr_hsi=lr_hsi.astype(np.float64),
        hr_msi=hr_msi.astype(np.float64),
        scale=scale,
        placement=Placement(scale),
        profile=first_profile(scale),
        trusted=has_data.copy(),
        has_data=has_data,
    )


def spectral_directions(lr_hsi: np.ndarray, trusted: np.ndarray) -> np.ndarray:
    """(h*w, q) coefficients of the spectra in their leading directions (not centred)."""
    pixels = lr_hsi.reshape(-1, lr_hsi.shape[2])
    return np.asarray(pixels @ leading_directions(pixels, trusted))


def leading_directions(pixels: np.ndarray, trusted: np.ndarray) -> np.ndarray:
    """(C, q) the directions.

    Args:
        pixels: (n, C) spectra.
        trusted: (n,) those that tell.
    """
    places = np.flatnonzero(trusted)
    count = min(DIRECTIONS, pixels.shape[1], len(places) // PIXELS_PER_DIRECTION)
    count = max(count, 1)
    # Of a large image every n-th: it is asked for hundreds of times.
    step = max(1, -(-len(places) // MOST_SPECTRA))
    kept = pixels[places[::step]]
    _, vectors = np.linalg.eigh(kept.T @ kept)
    return np.asarray(vectors[:, ::-1][:, :count])  # the largest first


@dataclass
class Fit:
    """How well the pair agrees.

    Attributes:
        rest: (n, M) PSF(msi) - mix of the HSI, all LR pixels.
        scale: (M,) robust scale of `rest` on the trusted pixels that lie on the MSI as a whole.
        spread: (M,) standard deviation of PSF(msi) over these.
        counted: (n,) LR pixels in the fit.
        weights: (n,) robust weights, 0 for those not counted.
        factors: (q, M) the mix, of the HSI's leading directions.
        seen: What was fitted.
    """

    rest: np.ndarray
    scale: np.ndarray
    spread: np.ndarray
    counted: np.ndarray
    weights: np.ndarray
    factors: np.ndarray
    seen: Seen

    @property
    def freedom(self) -> int:
        """Parameters per MSI band."""
        return len(self.factors)

    @property
    def relative(self) -> np.ndarray:
        """(M,) robust residual over the contrast."""
        return np.asarray(self.scale / np.maximum(self.spread, TINY))

    @property
    def criterion(self) -> float:
        """Bayesian information criterion, per LR pixel: smaller is better."""
        count = max(int(self.counted.sum()), 2)
        relative = np.maximum(self.relative, FINE)
        complexity = self.freedom * np.log(count) / count
        return float(np.sum(2.0 * np.log(relative) + complexity))


def counted_pixels(view: View, seen: Seen) -> np.ndarray:
    """(n,) trusted LR pixels whose footprint lies on the MSI; all trusted ones where that leaves too few."""
    trusted = view.trusted.ravel()
    counted = trusted & (seen.inside > MOSTLY_INSIDE)
    least = LEAST_PER_BAND * seen.values.shape[1] + LEAST_PIXELS
    if counted.sum() < least:
        return trusted
    return np.asarray(counted)


def border_weights(
    view: View,
    seen: Seen,
    is_whole: np.ndarray,
) -> np.ndarray:
    """(n,) weights of LR pixels by how much of what they see is on the picture.

    Args:
        view: The pair.
        seen: What they see.
        is_whole: (n,) those that are taken to see nothing else.
    """
    weights = np.where(is_whole, 1.0, BORDER_WEIGHT)
    return np.asarray(weights / variance_ratio(seen.inside, view.profile.doubt))


def majority(view: View, seen: Seen) -> np.ndarray:
    """(n,) weights 0 or 1: the pixels that agree with each other best."""
    counted = counted_pixels(view, seen)
    shared = view.directions(counted)
    chosen = majority_of(shared[counted], seen.values[counted])
    weights: np.ndarray = np.zeros(len(counted))
    weights[np.flatnonzero(counted)[chosen]] = 1.0
    return weights


def fit(
    view: View,
    *,
    seen: Optional[Seen] = None,
    start: Optional[np.ndarray] = None,
) -> Fit:
    """The best mix of HSI bands for each MSI band, by iteratively reweighted least squares.

    Args:
        view: The pair.
        seen: What LR pixels see, if it is known already.
        start: (n,) weights to begin with; None: all alike.

    Returns:
        The residual and what it is made of.
    """
    if seen is None:
        seen = view.seen()
    counted = counted_pixels(view, seen)
    # What lies along the border is fitted too, but how good the fit is others tell.
    told = counted & (seen.inside > INSIDE)
    if told.sum() <= ENOUGH * counted.sum():
        told = counted
    prior = border_weights(view, seen, told) * counted
    shared = view.directions(counted)  # (n, q)
    least = ROUNDING * float(np.abs(seen.values).max())
    weights = prior
    if start is not None:
        weights = start * prior
    rest = np.zeros_like(seen.values)
    scale = np.zeros(seen.values.shape[1])
    factors = np.zeros((shared.shape[1], seen.values.shape[1]))
    for _ in range(REWEIGHTINGS):
        factors = weighted_fit(shared[counted], seen.values[counted], weights[counted])
        rest = seen.values - shared @ factors
        scale = robust_scale(rest[told])
        # Cauchy weights: a pixel far off in any band counts little in all.
        far = np.max(np.abs(rest) / (BOUND * scale + least), axis=1)
        weights = prior / (1.0 + far**2)
    return Fit(
        rest=rest,
        scale=scale,
        spread=seen.values[told].std(axis=0),
        counted=counted,
        weights=weights,
        factors=factors,
        seen=seen,
    )
