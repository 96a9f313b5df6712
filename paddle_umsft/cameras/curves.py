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
FWHM_SIGMAS = 2.0 * np.sqrt(2.0 * np.log(2.0))
# A Gaussian's table ends where it has fallen to 1/1000 of its peak, at 3.7 sigma.
GAUSSIAN_REACH_SIGMAS = 3.7
GAUSSIAN_STEP_NM = 0.5


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
        return Curves(wavelengths_nm=self.wavelengths_nm, values=self.values[places], names=names)


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
    step = min(GAUSSIAN_STEP_NM, float(sigma.min()) / 4.0)
    pieces = []
    for centre, far in zip(centres, reach):
        # Samples on either side of the peak, and one on it.
        count = int(np.ceil(far / step))
        pieces.append(centre + step * np.arange(-count, count + 1))
    samples = np.unique(np.concatenate(pieces))
    distance = (samples[None, :] - centres[:, None]) / sigma[:, None]  # (M, S)
    values = np.exp(-0.5 * distance**2)
    values[np.abs(distance) > GAUSSIAN_REACH_SIGMAS] = 0.0
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
    # Midpoints of equal parts of each band's interval.
    places = (np.arange(POINTS_PER_BAND) + 0.5) / POINTS_PER_BAND
    points = lower[:, None] + length[:, None] * places  # (C, points)
    steps = np.repeat(length / POINTS_PER_BAND, POINTS_PER_BAND)  # (C * points,)
    shares = None
    if fwhm_nm is not None:
        shares = _gaussian_shares(points.ravel(), centres, np.asarray(fwhm_nm, np.float64), length)
    rows = []
    covered = []
    for curve in curves.values:
        response = np.interp(points.ravel(), curves.wavelengths_nm, curve, left=0.0, right=0.0)
        area = response * steps
        whole = _area(curves.wavelengths_nm, curve)
        covered.append(min(float(area.sum() / whole), 1.0))
        if shares is None:
            row = area.reshape(points.shape).sum(axis=1)  # (C,)
        else:
            row = shares @ area  # (C,)
        rows.append(_scaled(row))
    return np.stack(rows), np.asarray(covered)


def _area(wavelengths_nm: np.ndarray, curve: np.ndarray) -> float:
    """Return a curve's integral: it is linear between its samples."""
    between = (curve[1:] + curve[:-1]) / 2.0
    return float(between @ np.diff(wavelengths_nm))


def _scaled(row: np.ndarray) -> np.ndarray:
    """Return a row that sums to 1, without what is negligible; a row of zeros stays one."""
    kept = np.where(row < NEGLIGIBLE * row.max(), 0.0, row)
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
    exponent = -0.5 * ((points[None, :] - centres[:, None]) / sigma[:, None]) ** 2
    # The nearest band's own exponent is taken off, so that narrow bands leave no wavelength to nobody.
    exponent -= exponent.max(axis=0, keepdims=True)
    # A band's Gaussian has the area that the band stands for.
    weight = np.exp(exponent) * (length / sigma)[:, None]
    return np.asarray(weight / weight.sum(axis=0, keepdims=True))


def band_edges(wavelengths_nm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return lower and upper edge of the interval that each HSI band stands for, nm.

    Edges lie half-way between neighbours. Where the distance exceeds one and a half of what is usual thereabouts,
    bands are missing (water absorption, say), and the edge lies half the usual distance from the centre instead.

    Args:
        wavelengths_nm: (C,) band centres, ascending.
    """
    spacing = np.diff(wavelengths_nm)
    if spacing.size == 0:
        half = np.array([USUAL_SPACING_NM / 2])
        return wavelengths_nm - half, wavelengths_nm + half
    usual = np.array([_usual_beside(spacing, place) for place in range(spacing.size)])
    has_gap = spacing > GAP_SPACINGS * usual
    half = np.where(has_gap, usual, spacing) / 2
    # The outer edges of the first and the last band have no neighbour.
    lower = np.concatenate([half[:1], half])
    upper = np.concatenate([half, half[-1:]])
    return wavelengths_nm - lower, wavelengths_nm + upper


def _usual_beside(spacing: np.ndarray, place: int) -> float:
    """Return the distance that is usual beside a pair of neighbours: on the side where bands lie further apart."""
    before = spacing[max(place - NEIGHBOURS, 0) : place]
    behind = spacing[place + 1 : place + 1 + NEIGHBOURS]
    sides = [float(np.median(side)) for side in (before, behind) if side.size > 0]
    # Two bands have no other distance than their own.
    if not sides:
        return float(spacing[place])
    return max(sides)
