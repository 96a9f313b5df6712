"""Cameras known by name: the Nikon D700, Sentinel-2A, and a made-up one with uniform bands.

The Nikon D700 table is used as published, not normalised (rows sum to 1.09, 0.80 and 0.99: every CAVE paper of this
family has it so); the others have rows that sum to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import numpy as np

from paddle_umsft.cameras.response import Srf, supports_of
from paddle_umsft.data.checks import check_supports
from paddle_umsft.data.scene import Supports
from paddle_umsft.errors import ConfigError, DataError

TABLES = Path(__file__).parent / "tables"

# Of the 31 bands from 400 to 700 nm, as published with the method.
NIKON_D700_SUPPORTS: Supports = ((20, 31), (10, 23), (0, 12))
# A scene whose bands lie further than half a band of CAVE from the table's is another scene.
NIKON_D700_TOLERANCE_NM = 5.0

# The bands of 10 m and the two of 20 m in the short-wave infrared, which nothing else covers.
SENTINEL2_DEFAULT = ("B2", "B3", "B4", "B8", "B11", "B12")
# exp(-ln 2 |2 (w - centre) / width|^6): flat on top, 1/2 at the band's edges, steep beyond.
FLAT_TOP_POWER = 6
# Points per HSI band: narrow MSI bands (15 nm) are not much wider than an HSI band.
POINTS_PER_BAND = 41
# Points of the whole response, from one width below the centre to one above.
POINTS_OF_WHOLE = 2001
# An MSI band of which the HSI misses more than a tenth cannot be simulated from it.
LEAST_COVERED = 0.9
# Less than this share of the largest weight is the tail of the formula, not of a filter.
NEGLIGIBLE = 1e-4
# Bands are missing where neighbours lie further apart than this many median spacings.
GAP_SPACINGS = 1.5
# Of a single band nothing tells the width: 10 nm is usual.
USUAL_SPACING_NM = 10.0


def nikon_d700(bands: int, wavelengths_nm: Optional[np.ndarray] = None) -> Srf:
    """Return the Nikon D700's responses R, G, B at 400, 410 ... 700 nm, as published with the method.

    Args:
        bands: C of the scene.
        wavelengths_nm: (C,) band centres, if known.

    Raises:
        DataError: The scene has not 31 bands, or bands elsewhere.

    References:
        Caoxuheng/HIFtool, NikonD700.npy.
    """
    table = np.loadtxt(TABLES / "nikon_d700.csv", delimiter=",")
    own_nm = table[:, 0]
    responses = table[:, 1:]  # (31, 3)
    where = "observe.srf nikon_d700"
    hint = "use sentinel2, uniform or a file"
    if bands != len(own_nm):
        raise DataError(
            "bands of the SRF",
            where=where,
            expected="a scene with 31 bands",
            got=bands,
            hint=hint,
        )
    notes: tuple[str, ...] = ()
    if wavelengths_nm is None:
        notes = ("the scene's wavelengths are not known: taken as 400...700 nm, as the Nikon D700 table has them",)
    elif np.abs(wavelengths_nm - own_nm).max() > NIKON_D700_TOLERANCE_NM:
        raise DataError(
            "outside the scene's wavelengths",
            where=where,
            expected="400...700 nm",
            got=_range_text(wavelengths_nm),
            hint=hint,
        )
    return Srf(
        values=responses.T.copy(),
        names=("R", "G", "B"),
        supports=NIKON_D700_SUPPORTS,
        notes=notes,
    )


def sentinel2(
    wavelengths_nm: Optional[np.ndarray],
    names: Optional[Sequence[str]] = None,
) -> Srf:
    """Return Sentinel-2A-like bands for an imaging spectrometer, rows summing to 1.

    The published band centres and widths are given a flat-topped shape, exp(-ln 2 * |2 (w - centre) / width|^6),
    which passes 1/2 at the band's edges; each HSI band takes its mean over the interval that the band stands for.

    Args:
        wavelengths_nm: (C,) band centres, ascending.
        names: Band names B1 ... B12, B8A; None: B2, B3, B4, B8, B11, B12, those that the scene covers.

    Raises:
        ConfigError: Unknown band name.
        DataError: The scene's wavelengths are not known, a named band lies outside them, or (without names) all do.

    References:
        ESA, Sentinel-2 user guide, spectral resolutions (the numbers in tables/sentinel2a.csv).
    """
    where = "observe.srf sentinel2"
    if wavelengths_nm is None:
        raise DataError(
            "the scene's wavelengths are not known",
            where=where,
            hint="set data.wavelengths_nm",
        )
    table = _sentinel2_table()
    wanted = names or SENTINEL2_DEFAULT
    unknown = [name for name in wanted if name not in table]
    if unknown:
        raise ConfigError(
            "unknown band",
            where="observe.bands",
            expected=", ".join(table),
            got=", ".join(unknown),
        )
    nm = np.asarray(wavelengths_nm, np.float64)
    chosen = []
    responses = []
    outside = []
    for name in wanted:
        centre, width = table[name]
        response = _flat_top(nm, centre, width)
        if response is None:
            outside.append(f"{name} ({centre:g} nm)")
            continue
        chosen.append(name)
        responses.append(response)
    listed = ", ".join(outside)
    # Bands that nobody asked for by name may be left out, as long as one is left.
    if outside and (names is not None or not chosen):
        raise DataError(
            f"{listed} outside the scene's wavelengths (or in a gap between its bands)",
            where=where,
            got=_range_text(nm),
            hint="choose others with observe.bands",
        )
    notes: tuple[str, ...] = ()
    if outside:
        notes = (f"Sentinel-2 {listed} left out: outside the scene's {_range_text(nm)}",)
    values = np.stack(responses)  # (M, C)
    return Srf(
        values=values,
        names=tuple(chosen),
        supports=supports_of(values),
        notes=notes,
    )


def uniform_srf(
    bands: int,
    msi_bands: int,
    supports: Optional[Sequence[Sequence[int]]] = None,
) -> Srf:
    """Return MSI bands that are plain means over their supports.

    Args:
        bands: C.
        msi_bands: M, for M ranges of (nearly) equal length side by side; not used where supports are given.
        supports: One range [a, b) per MSI band.

    Raises:
        ConfigError: More MSI than HSI bands, or supports that do not fit.
    """
    if supports is None:
        supports = _side_by_side(bands, msi_bands)
    checked = check_supports(supports, bands)
    values = np.zeros((len(checked), bands))
    for row, (start, stop) in zip(values, checked):
        row[start:stop] = 1.0 / (stop - start)
    names = tuple(f"[{start},{stop})" for start, stop in checked)
    return Srf(
        values=values,
        names=names,
        supports=checked,
    )


def _side_by_side(bands: int, msi_bands: int) -> list[tuple[int, int]]:
    """Divide the bands into ranges of nearly equal length."""
    if msi_bands > bands:
        raise ConfigError(
            "MSI bands",
            where="observe.msi_bands",
            expected=f"at most {bands}",
            got=msi_bands,
        )
    edges = np.linspace(0, bands, msi_bands + 1)
    edges = np.round(edges).astype(int)
    whole = edges.tolist()
    return list(zip(whole[:-1], whole[1:]))


def _sentinel2_table() -> dict[str, tuple[float, float]]:
    """Return band name -> centre and width in nm."""
    table = {}
    for line in (TABLES / "sentinel2a.csv").read_text().splitlines():
        if line.startswith("#"):
            continue
        name, centre, width = line.split(",")
        table[name] = (float(centre), float(width))
    return table


def _flat_top(
    wavelengths_nm: np.ndarray,
    centre: float,
    width: float,
) -> Optional[np.ndarray]:
    """Return (C,) response that sums to 1; None if the bands miss more than a tenth of it."""

    def shape(nm: np.ndarray) -> np.ndarray:
        distance = np.abs(2 * (nm - centre) / width)
        power = np.log(2) * distance**FLAT_TOP_POWER
        return np.asarray(np.exp(-power))

    lower, upper = band_edges(wavelengths_nm)
    length = upper - lower  # (C,)
    # Midpoints of equal parts of each band's interval.
    steps = np.arange(POINTS_PER_BAND) + 0.5
    parts = length[:, None] * steps / POINTS_PER_BAND
    points = lower[:, None] + parts  # (C, points)
    height = shape(points).mean(axis=1)
    area = height * length  # (C,)
    fine = np.linspace(centre - width, centre + width, POINTS_OF_WHOLE)
    whole = shape(fine).mean() * 2 * width
    if area.sum() < LEAST_COVERED * whole:
        return None
    is_tail = area < NEGLIGIBLE * area.max()
    area[is_tail] = 0.0
    return np.asarray(area / area.sum())


def band_edges(wavelengths_nm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return lower and upper edge of the interval that each HSI band stands for, nm.

    Edges lie half-way between neighbours; where the distance exceeds one and a half median spacings, bands are
    missing there (water absorption, say), and the edge lies half a median spacing from the centre instead.
    """
    spacing = np.diff(wavelengths_nm)
    usual = USUAL_SPACING_NM
    if spacing.size > 0:
        usual = float(np.median(spacing))
    has_gap = spacing > GAP_SPACINGS * usual
    half = np.where(has_gap, usual, spacing) / 2
    # The outer edges of the first and the last band have no neighbour.
    outer = [usual / 2]
    lower = np.concatenate([outer, half])
    upper = np.concatenate([half, outer])
    return wavelengths_nm - lower, wavelengths_nm + upper


def _range_text(wavelengths_nm: np.ndarray) -> str:
    """Return the range of the scene's wavelengths, for messages."""
    return f"{wavelengths_nm[0]:g}...{wavelengths_nm[-1]:g} nm"
