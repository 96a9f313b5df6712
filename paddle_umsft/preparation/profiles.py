"""PSFs with a formula, as sums of products of a function of the row and one of the column.

Two are known here. A box blurred by a Gaussian, in both axes alike, goes from a plain mean to a Gaussian: close enough
to what most cameras do for finding shifts, offsets and curves. Where a pair has shown another one already (wide, with
tails), that one, wider or narrower. The solvers fit their own PSF afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import make_interp_spline
from scipy.special import ndtr

from paddle_umsft.cameras.border import Border
from paddle_umsft.cameras.spatial import first_tap

# Below it a box's edge falls between two HR pixels, and the value jumps with the place.
LEAST_SOFTNESS = 0.4
# Standard deviations of the Gaussian after which nothing is left.
REACH = 3.0
# Bounds of the blurred box: shorter than half an HR pixel is a point; in LR pixels, no camera blurs more than this.
SHORTEST_BOX = 0.5
LONGEST_BOX, SOFTEST = 2.0, 1.2
# Bounds of what a found PSF may be stretched by.
LEAST_STRETCH, LARGEST_STRETCH = 0.5, 2.0
# Separable terms of a found PSF below this part of its largest one do not matter here.
LEAST_TERM = 1e-3
# Zeros around the taps of a found PSF, so that its spline ends smoothly.
MARGIN = 3
# Distances from the middle in HR pixels -> weights.
Weights = Callable[[np.ndarray], np.ndarray]


class Profile:
    """A PSF as a sum of products of one function of the row and one of the column.

    Attributes:
        border: What it sees beyond the picture.
        doubt: How much less is known of that than of the picture, see `border_doubt.py`.
    """

    border: Border = "reflect"
    doubt: float = 0.0

    @property
    def terms(self) -> list[tuple[Weights, Weights]]:
        """Functions of the distances along rows and columns."""
        raise NotImplementedError

    @property
    def reach(self) -> int:
        """HR pixels to either side of the middle that matter."""
        raise NotImplementedError

    def changed(self, log_length: float, log_softness: float) -> Profile:
        """The same kind of PSF, longer and softer by so much (natural logarithms), within what is possible."""
        raise NotImplementedError


@dataclass(frozen=True)
class SoftBox(Profile):
    """A box blurred by a Gaussian, the same along both axes.

    Attributes:
        box: Length of the box, HR pixels.
        softness: Standard deviation of the Gaussian, HR pixels.
        scale: Ratio of the resolutions, for what is possible.
    """

    box: float
    softness: float
    scale: int

    def weights(self, distance: np.ndarray) -> np.ndarray:
        """(n, k) taps that sum to 1 in every row, at (n, k) distances."""
        softness = max(self.softness, LEAST_SOFTNESS)
        upper = ndtr((distance + self.box / 2) / softness)
        lower = ndtr((distance - self.box / 2) / softness)
        taps = upper - lower
        return np.asarray(taps / taps.sum(axis=1, keepdims=True))

    @property
    def terms(self) -> list[tuple[Weights, Weights]]:
        """One product, the same function twice."""
        return [(self.weights, self.weights)]

    @property
    def reach(self) -> int:
        """HR pixels to either side of the middle that matter."""
        return int(np.ceil(self.box / 2 + REACH * max(self.softness, LEAST_SOFTNESS)))

    def changed(self, log_length: float, log_softness: float) -> SoftBox:
        """A longer box and a wider Gaussian."""
        box = self.box * np.exp(log_length)
        softness = self.softness * np.exp(log_softness)
        return SoftBox(
            box=float(np.clip(box, SHORTEST_BOX, LONGEST_BOX * self.scale)),
            softness=float(np.clip(softness, LEAST_SOFTNESS, SOFTEST * self.scale)),
            scale=self.scale,
        )


def first_profile(scale: int) -> SoftBox:
    """A PSF about one LR pixel wide."""
    return SoftBox(box=0.9 * scale, softness=0.1 * scale, scale=scale)


@dataclass(frozen=True)
class FoundPsf(Profile):
    """A PSF that was fitted to the pair, its middle put where that of the LR pixel is.

    Attributes:
        splines: Row and column functions of its terms, over the distance from its own middle.
        half: HR pixels from the middle to where it ends.
        stretch: Factor on its width.
        border: What it sees beyond the picture.
        doubt: How much less is known of that.
    """

    splines: tuple[tuple[Weights, Weights], ...]
    half: float
    stretch: float = 1.0
    border: Border = "reflect"
    doubt: float = 0.0

    @classmethod
    def of(
        cls,
        psf: np.ndarray,
        scale: int,
        border: Border,
        doubt: float,
    ) -> FoundPsf:
        """From its taps.

        Args:
            psf: (k, k), sum 1.
            scale: s.
            border: What it sees beyond the picture.
            doubt: How much less is known of that.
        """
        size = len(psf)
        # Distances of the taps from the LR pixel's middle.
        places = np.arange(size) + first_tap(size, scale) - (scale - 1) / 2
        row_middle = float(psf.sum(axis=1) @ places)
        column_middle = float(psf.sum(axis=0) @ places)
        left, strengths, right = np.linalg.svd(psf)
        splines = []
        for term in np.flatnonzero(strengths > LEAST_TERM * strengths[0]):
            down = _spline(places - row_middle, left[:, term] * strengths[term])
            across = _spline(places - column_middle, right[term])
            splines.append((down, across))
        off_middle = max(abs(row_middle), abs(column_middle))
        return cls(
            splines=tuple(splines),
            half=float(np.abs(places).max() + off_middle + MARGIN),
            border=border,
            doubt=doubt,
        )

    def _stretched(self, spline: Weights) -> Weights:
        return lambda distance: spline(distance / self.stretch)

    @property
    def terms(self) -> list[tuple[Weights, Weights]]:
        """As many as the PSF needs."""
        return [(self._stretched(down), self._stretched(across)) for down, across in self.splines]

    @property
    def reach(self) -> int:
        """HR pixels to either side of the middle that matter."""
        return int(np.ceil(self.half * self.stretch))

    def changed(self, log_length: float, log_softness: float) -> FoundPsf:
        """A wider one; it has no softness of its own."""
        stretch = self.stretch * np.exp(log_length)
        return replace(self, stretch=float(np.clip(stretch, LEAST_STRETCH, LARGEST_STRETCH)))


def _spline(places: np.ndarray, taps: np.ndarray) -> Weights:
    """A cubic spline through taps one HR pixel apart, zero beyond them."""
    before = places[0] - np.arange(MARGIN, 0, -1)
    after = places[-1] + np.arange(1, MARGIN + 1)
    wider = np.concatenate([before, places, after])
    spline = make_interp_spline(wider, np.pad(taps, MARGIN), k=3)

    def weights(distance: np.ndarray) -> np.ndarray:
        is_within = (distance >= wider[0]) & (distance <= wider[-1])
        return np.asarray(np.where(is_within, spline(distance), 0.0))

    return weights
