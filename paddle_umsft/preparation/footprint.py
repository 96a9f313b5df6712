"""What LR pixels at any places see of the MSI, through a PSF with a formula: values, how they change with the place.

Two PSFs are known here. A box blurred by a Gaussian, in both axes alike, goes from a plain mean to a Gaussian: close
enough to what most cameras do for finding shifts, offsets and curves. Where a pair has shown another one already (wide,
with tails), that one, wider or narrower. The solvers fit their own PSF afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Optional

import numpy as np
from scipy import sparse
from scipy.interpolate import make_interp_spline
from scipy.special import ndtr

from paddle_umsft.cameras.border import Border, continued
from paddle_umsft.cameras.placement import Placement
from paddle_umsft.cameras.spatial import first_tap

# Below it a box's edge falls between two HR pixels, and the value jumps with the place.
LEAST_SOFTNESS = 0.4
# Standard deviations of the Gaussian after which nothing is left.
REACH = 3.0
# HR pixels to either side of a place between which the derivative is taken.
STEP = 0.25
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
        doubt: How much less is known of that than of the picture, see `border_equations.py`.
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


@dataclass
class Seen:
    """What LR pixels see.

    Attributes:
        values: (n, M).
        inside: (n,) share of the footprint that lies on the image.
        down: (n, M) derivative by the row of the place, per HR pixel, where it was asked for.
        right: (n, M) derivative by the column.
    """

    values: np.ndarray
    inside: np.ndarray
    down: Optional[np.ndarray] = None
    right: Optional[np.ndarray] = None


@dataclass
class _Axis:
    """One axis of all footprints: where they look, with which weights, and how these change with the place.

    Attributes:
        index: (n, k) pixels of the picture.
        distance: (n, k) of the pixels from the place.
        taps: (n, k).
        total: (n,) sum of the taps.
        inside: (n,) sum of those on the picture.
        length: Of the picture.
    """

    index: np.ndarray
    distance: np.ndarray
    taps: np.ndarray
    total: np.ndarray
    inside: np.ndarray
    length: int

    def matrix(self, weights: np.ndarray) -> sparse.csr_matrix:
        """(n, length) sparse matrix of weights."""
        count, width = self.index.shape
        rows = np.repeat(np.arange(count), width)
        places = (rows, self.index.ravel())
        return sparse.csr_matrix((weights.ravel(), places), shape=(count, self.length))


def _axis(
    places: np.ndarray,
    weights: Weights,
    profile: Profile,
    length: int,
) -> _Axis:
    """Footprints along one axis through one function of a profile."""
    wide = profile.reach + 1
    first = np.floor(places).astype(int) - wide
    positions = first[:, None] + np.arange(2 * wide + 2)[None, :]
    distance = positions - places[:, None]
    taps = weights(distance)
    is_inside = (positions >= 0) & (positions < length)
    if profile.border == "wrap":
        is_inside = np.ones_like(is_inside)
    return _Axis(
        index=continued(positions, length, profile.border),
        distance=distance,
        taps=taps,
        total=taps.sum(axis=1),
        inside=np.sum(taps * is_inside, axis=1),
        length=length,
    )


def _change(axis: _Axis, weights: Weights) -> np.ndarray:
    """(n, k) derivative of an axis's taps by the place."""
    before = weights(axis.distance - STEP)
    after = weights(axis.distance + STEP)
    return (before - after) / (2 * STEP)


def _of_lines(places: np.ndarray, lines: Optional[np.ndarray]) -> np.ndarray:
    """The places of the LR rows in use."""
    if lines is None:
        return places
    return np.asarray(places[lines])


def look(
    hr_msi: np.ndarray,
    placement: Placement,
    lr_shape: tuple[int, int],
    profile: Profile,
    *,
    change: bool = False,
    lines: Optional[np.ndarray] = None,
) -> Seen:
    """What all LR pixels see.

    Args:
        hr_msi: (H, W, M).
        placement: Where LR pixels lie on the MSI.
        lr_shape: (h, w).
        profile: The PSF.
        change: Whether the derivatives are wanted too; they cost twice as much again.
        lines: LR rows in use; None: all.

    Returns:
        Values and derivatives, n = h*w, or what the lines have of them.
    """
    if not placement.is_straight:
        straightened = placement.on_the_hsi(hr_msi, profile.border)
        return look_askew(straightened, placement, lr_shape, profile, change=change, lines=lines)
    height, width, bands = hr_msi.shape
    places = _of_lines(placement.places(lr_shape), lines)
    count = places.shape[0] * places.shape[1]
    values = np.zeros((count, bands))
    down = np.zeros((count, bands))
    right = np.zeros((count, bands))
    total = np.zeros(count)
    inside = np.zeros(count)
    for row_weights, column_weights in profile.terms:
        rows = _axis(places[:, 0, 0], row_weights, profile, height)
        columns = _axis(places[0, :, 1], column_weights, profile, width)
        total += np.outer(rows.total, columns.total).ravel()
        inside += np.outer(rows.inside, columns.inside).ravel()
        row_taps, column_taps = rows.matrix(rows.taps), columns.matrix(columns.taps)
        values += _through(hr_msi, row_taps, column_taps)
        if change:
            down += _through(hr_msi, rows.matrix(_change(rows, row_weights)), column_taps)
            right += _through(hr_msi, row_taps, columns.matrix(_change(columns, column_weights)))
    seen = Seen(
        values=values / total[:, None],
        inside=np.clip(inside / total, 0.0, 1.0),
    )
    if change:
        seen.down = down / total[:, None]
        seen.right = right / total[:, None]
    return seen


def look_askew(
    straightened: np.ndarray,
    placement: Placement,
    lr_shape: tuple[int, int],
    profile: Profile,
    *,
    change: bool = False,
    lines: Optional[np.ndarray] = None,
) -> Seen:
    """`look` for a grid that is turned: the MSI has been brought onto it, what changes with the place is turned back.

    Args:
        straightened: (H, W, M) the MSI on the HSI's grid.
        placement: Where LR pixels lie on the MSI.
        lr_shape: (h, w).
        profile: The PSF.
        change: Whether the derivatives are wanted too.
        lines: LR rows in use; None: all.

    Returns:
        Values and derivatives, n = h*w, or what the lines have of them.
    """
    seen = look(straightened, Placement(placement.scale), lr_shape, profile, change=change, lines=lines)
    inverse = np.linalg.inv(placement.matrix)
    places = _of_lines(placement.places(lr_shape), lines)
    total = np.zeros(len(seen.inside))
    inside = np.zeros(len(seen.inside))
    for row_weights, column_weights in profile.terms:
        rows = _axis(places[..., 0].ravel(), row_weights, profile, straightened.shape[0])
        columns = _axis(places[..., 1].ravel(), column_weights, profile, straightened.shape[1])
        total += rows.total * columns.total
        inside += rows.inside * columns.inside
    askew = Seen(
        values=seen.values,
        inside=np.clip(inside / total, 0.0, 1.0),
    )
    if seen.down is not None and seen.right is not None:
        askew.down = inverse[0, 0] * seen.down + inverse[1, 0] * seen.right
        askew.right = inverse[0, 1] * seen.down + inverse[1, 1] * seen.right
    return askew


def _through(
    hr_msi: np.ndarray,
    row_map: sparse.csr_matrix,
    column_map: sparse.csr_matrix,
) -> np.ndarray:
    """(h*w, M): rows and columns one after the other."""
    height, width, bands = hr_msi.shape
    half = row_map @ hr_msi.reshape(height, width * bands)
    half = half.reshape(-1, width, bands).transpose(1, 0, 2).reshape(width, -1)
    seen = (column_map @ half).reshape(column_map.shape[0], row_map.shape[0], bands)
    return np.asarray(seen.transpose(1, 0, 2).reshape(-1, bands))
