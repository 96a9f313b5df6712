"""Spectral responses as curves over wavelength, and what of them an imaging spectrometer's own bands can tell.

An MSI band is the integral of its response times the spectrum. What is known of the spectrum are the HSI's bands:
each stands for a share of the wavelengths around its centre, and its weight is the MSI's response integrated over
that share. Integrated over wavelength, not averaged over samples: bands may lie unevenly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np

# Points per HSI band: narrow MSI bands (15 nm) are not much wider than an HSI band.
POINTS_PER_BAND = 41
# Less than this share of the largest weight is a rounding or a table's tail, not a filter.
NEGLIGIBLE = 1e-4
# Bands are missing where neighbours lie further apart than this many usual spacings.
GAP_SPACINGS = 1.5
# What is usual is read off this many spacings on either side: a prism's bands lie 2 nm apart here and 10 nm there.
NEIGHBOURS = 3
# Of a single band nothing tells the width: 10 nm is usual.
USUAL_SPACING_NM = 10.0
# Full width at half maximum of a Gaussian, in standard deviations: 2 sqrt(2 ln 2).
FWHM_SIGMAS = 2.3548200450309493
# A Gaussian's table ends where it has fallen to 1/1000 of its peak, at 3.7 sigma.
GAUSSIAN_REACH_SIGMAS = 3.7
GAUSSIAN_STEP_NM = 0.5
SAMPLES_PER_SIGMA = 4.0


@dataclass(frozen=True)
class Curves:
    """Responses over wavelength.

    Attributes:
        wavelengths_nm: (S,) samples, ascending.
        values: (M, S) responses, zero or more, in any unit.
        names: M names.
    """

    wavelengths_nm: np.ndarray
    values: np.ndarray
    names: tuple[str, ...]

    def chosen(self, places: list[int]) -> Curves:
        """Return some of the bands, in this order."""
        names = tuple(self.names[place] for place in places)
        return Curves(
            wavelengths_nm=self.wavelengths_nm,
            values=self.values[places],
            names=names,
        )


def gaussian_curves(
    names: tuple[str, ...],
    centres_nm: np.ndarray,
    fwhm_nm: np.ndarray,
) -> Curves:
    """Return Gaussian responses with a peak of 1.

    Args:
        names: M names.
        centres_nm: (M,) wavelengths of the peaks.
        fwhm_nm: (M,) full widths at half maximum, above zero.
    """
    sigma = np.asarray(fwhm_nm, np.float64) / FWHM_SIGMAS
    centres = np.asarray(centres_nm, np.float64)
    reach = GAUSSIAN_REACH_SIGMAS * sigma
    # Narrow bands have samples of their own, so that none falls between two.
    finest = float(sigma.min()) / SAMPLES_PER_SIGMA
    step = min(GAUSSIAN_STEP_NM, finest)
    pieces = []
    for centre, far in zip(centres, reach):
        # Samples on either side of the peak, and one on it.
        count = int(np.ceil(far / step))
        steps = np.arange(-count, count + 1)
        pieces.append(centre + step * steps)
    samples = np.unique(np.concatenate(pieces))
    from_peak = samples[None, :] - centres[:, None]  # (M, S)
    distance = from_peak / sigma[:, None]
    values = np.exp(-0.5 * distance**2)
    is_beyond = np.abs(distance) > GAUSSIAN_REACH_SIGMAS
    values[is_beyond] = 0.0
    return Curves(wavelengths_nm=samples, values=values, names=names)


def weights_of(
    curves: Curves,
    wavelengths_nm: np.ndarray,
    fwhm_nm: Optional[np.ndarray] = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Integrate responses over the HSI's bands.

    Without widths a band stands for the wavelengths nearer to its centre than to any other. With widths it shares
    them with its neighbours, each by its own Gaussian response; narrow Gaussians lead to the same shares.

    Args:
        curves: M responses.
        wavelengths_nm: (C,) HSI band centres, ascending.
        fwhm_nm: (C,) full widths at half maximum, if known.

    Returns:
        (M, C) weights, rows summing to 1 (or to 0, where no band sees the response), and (M,) share of each
        response that the HSI's bands cover.
    """
    centres = np.asarray(wavelengths_nm, np.float64)
    lower, upper = band_edges(centres)
    length = upper - lower
    points = _midpoints(lower, length)  # (C * points,)
    parts = length / POINTS_PER_BAND
    steps = np.repeat(parts, POINTS_PER_BAND)  # (C * points,)
    shares = None
    if fwhm_nm is not None:
        widths = np.asarray(fwhm_nm, np.float64)
        shares = _gaussian_shares(points, centres, widths, length)
    samples = curves.wavelengths_nm
    rows = []
    covered = []
    for curve in curves.values:
        response = np.interp(points, samples, curve, left=0.0, right=0.0)
        area = response * steps
        if shares is None:
            by_band = area.reshape(-1, POINTS_PER_BAND)
            row = by_band.sum(axis=1)  # (C,)
        else:
            row = shares @ area  # (C,)
        rows.append(_scaled(row))
        share = area.sum() / _area(samples, curve)
        # Sums of midpoints may come out a little above the whole.
        covered.append(min(float(share), 1.0))
    return np.stack(rows), np.asarray(covered)


def _midpoints(lower: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Return (C * points,) midpoints of equal parts of each band's interval, band after band."""
    places = np.arange(POINTS_PER_BAND) + 0.5
    within = length[:, None] * places / POINTS_PER_BAND  # (C, points)
    points = lower[:, None] + within
    return np.asarray(points.ravel())


def _area(wavelengths_nm: np.ndarray, curve: np.ndarray) -> float:
    """Return a curve's integral: it is linear between its samples."""
    steps = np.diff(wavelengths_nm)
    sums = curve[1:] + curve[:-1]
    return 0.5 * float(sums @ steps)


def _scaled(row: np.ndarray) -> np.ndarray:
    """Return a row that sums to 1, without what is negligible; a row of zeros stays one."""
    least = NEGLIGIBLE * row.max()
    kept = np.where(row < least, 0.0, row)
    total = kept.sum()
    if total == 0:
        return kept
    return np.asarray(kept / total)


def _gaussian_shares(
    points: np.ndarray,
    centres: np.ndarray,
    fwhm_nm: np.ndarray,
    length: np.ndarray,
) -> np.ndarray:
    """Return (C, points) shares of each band at each wavelength; the shares at one wavelength sum to 1."""
    sigma = fwhm_nm / FWHM_SIGMAS
    from_centre = points[None, :] - centres[:, None]  # (C, points)
    distance = from_centre / sigma[:, None]
    exponent = -0.5 * distance**2
    # The nearest band's own exponent is taken off, so that narrow bands leave no wavelength to nobody.
    exponent -= exponent.max(axis=0, keepdims=True)
    # A band's Gaussian has the area that the band stands for.
    height = length / sigma
    weight = np.exp(exponent) * height[:, None]
    total = weight.sum(axis=0, keepdims=True)
    return np.asarray(weight / total)


def band_edges(wavelengths_nm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return lower and upper edge of the interval that each HSI band stands for, nm.

    Edges lie half-way between neighbours. Where the distance exceeds one and a half of what is usual thereabouts,
    bands are missing (water absorption, say), and the edge lies half the usual distance from the centre instead.

    Args:
        wavelengths_nm: (C,) band centres, ascending.
    """
    spacing = np.diff(wavelengths_nm)
    if spacing.size == 0:
        half_usual = USUAL_SPACING_NM / 2
        return wavelengths_nm - half_usual, wavelengths_nm + half_usual
    places = range(spacing.size)
    usual = np.array([_usual_beside(spacing, place) for place in places])
    has_gap = spacing > GAP_SPACINGS * usual
    half = np.where(has_gap, usual, spacing) / 2
    # The outer edges of the first and the last band have no neighbour.
    lower = np.concatenate([half[:1], half])
    upper = np.concatenate([half, half[-1:]])
    return wavelengths_nm - lower, wavelengths_nm + upper


def _usual_beside(spacing: np.ndarray, place: int) -> float:
    """Return the distance that is usual beside a pair of neighbours: on the side where bands lie further apart."""
    first = max(place - NEIGHBOURS, 0)
    next_one = place + 1
    before = spacing[first:place]
    behind = spacing[next_one : next_one + NEIGHBOURS]
    sides = []
    for side in (before, behind):
        if side.size > 0:
            sides.append(float(np.median(side)))
    # Two bands have no other distance than their own.
    if not sides:
        return float(spacing[place])
    return max(sides)
