"""Spectral response functions: built-in tables, uniform bands, files; and which HSI bands each MSI band sees.

An SRF is an (M, C) float64 array: MSI band j = sum over c of srf[j, c] * HSI band c. The Nikon D700 table is used
as published, not normalised (rows sum to 1.09, 0.80 and 0.99: every CAVE paper of this family has it so); a table
from a file with one row or column per HSI band is used as it stands; all others have rows that sum to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np

from paddle_umsft.config.data import ObserveConfig
from paddle_umsft.data.arrays import RawArray, read_array, read_table, require_file
from paddle_umsft.data.checks import check_srf, check_supports
from paddle_umsft.data.layout import in_nm
from paddle_umsft.data.scene import Supports
from paddle_umsft.errors import ConfigError, DataError

TABLES = Path(__file__).parent / "tables"
NIKON_D700_SUPPORTS: Supports = ((20, 31), (10, 23), (0, 12))
SENTINEL2_DEFAULT = ("B2", "B3", "B4", "B8", "B11", "B12")
NAMED = ("nikon_d700", "sentinel2", "uniform")
SUPPORT_THRESHOLD = 0.01


@dataclass(frozen=True)
class Srf:
    """A spectral response with its names.

    Attributes:
        values: (M, C) float64.
        names: M names.
        supports: Per MSI band the half-open range [a, b) of HSI bands.
        notes: Lines worth printing.
    """

    values: np.ndarray
    names: tuple[str, ...]
    supports: Supports
    notes: tuple[str, ...] = ()


def build_srf(
    settings: ObserveConfig,
    bands: int,
    wavelengths_nm: Optional[np.ndarray] = None,
    band_order: Optional[Sequence[int]] = None,
) -> Srf:
    """Makes the SRF that the configuration asks for, for a scene's bands.

    Args:
        settings: Section `observe`: `srf`, `srf_key`, `bands`, `msi_bands`, `supports`.
        bands: C of the scene.
        wavelengths_nm: (C,) band centres, ascending, if known.
        band_order: Of each band its place in the scene's file, where the bands were sorted by wavelength.

    Returns:
        The SRF; its supports are the configured ones, else those published for the Nikon D700, else those of
        `supports_of`.

    Raises:
        ConfigError: Unknown Sentinel-2 band, or supports that do not fit, or are given where bands were sorted.
        DataError: The SRF does not fit the scene (band count, wavelengths), or its file cannot be used.
    """
    check_counted(settings, band_order)
    if settings.srf == "nikon_d700":
        srf = nikon_d700(bands, wavelengths_nm)
    elif settings.srf == "sentinel2":
        if wavelengths_nm is None:
            hint = "set data.wavelengths_nm"
            raise DataError("the scene's wavelengths are not known", where="observe.srf sentinel2", hint=hint)
        srf = sentinel2(wavelengths_nm, settings.bands)
    elif settings.srf == "uniform":
        srf = uniform_srf(bands, settings.msi_bands, settings.supports)
    else:
        if not Path(settings.srf).suffix and not Path(settings.srf).expanduser().exists():
            hint = f"known by name: {', '.join(NAMED)}"
            raise DataError("no SRF of that name, and no such file", where=f"observe.srf {settings.srf}", hint=hint)
        srf = load_srf(settings.srf, bands, wavelengths_nm, key=settings.srf_key, band_order=band_order)
    if settings.supports is not None:
        supports = check_supports(settings.supports, bands, srf.values.shape[0])
        srf = Srf(srf.values, srf.names, supports, srf.notes)
    return srf


def check_counted(settings: ObserveConfig, band_order: Optional[Sequence[int]]) -> None:
    """Refuses supports by band number where sorting by wavelength has given the bands other numbers.

    Raises:
        ConfigError: Supports are configured, and the bands were sorted.
    """
    if settings.supports is not None and band_order is not None:
        hint = "leave them out, or sort the bands in the file"
        raise ConfigError("band numbers, but the bands were sorted by wavelength", where="observe.supports", hint=hint)


def nikon_d700(bands: int, wavelengths_nm: Optional[np.ndarray] = None) -> Srf:
    """The Nikon D700's responses R, G, B at 400, 410 ... 700 nm, as published with the method.

    Raises:
        DataError: The scene has not 31 bands, or bands elsewhere.

    References:
        Caoxuheng/HIFtool, NikonD700.npy.
    """
    table = np.loadtxt(TABLES / "nikon_d700.csv", delimiter=",")
    where, hint = "observe.srf nikon_d700", "use sentinel2, uniform or a file"
    if bands != table.shape[0]:
        raise DataError("bands of the SRF", where=where, expected="a scene with 31 bands", got=bands, hint=hint)
    notes: tuple[str, ...] = ()
    if wavelengths_nm is None:
        notes = ("the scene's wavelengths are not known: taken as 400...700 nm, as the Nikon D700 table has them",)
    elif np.abs(np.asarray(wavelengths_nm) - table[:, 0]).max() > 5:
        got = f"{wavelengths_nm[0]:g}...{wavelengths_nm[-1]:g} nm"
        raise DataError("outside the scene's wavelengths", where=where, expected="400...700 nm", got=got, hint=hint)
    return Srf(table[:, 1:].T.copy(), ("R", "G", "B"), NIKON_D700_SUPPORTS, notes)


def sentinel2(wavelengths_nm: np.ndarray, names: Optional[Sequence[str]] = None) -> Srf:
    """Sentinel-2A-like bands for an imaging spectrometer, rows summing to 1.

    The published band centres and widths are given a flat-topped shape, exp(-ln 2 * |2 (w - centre) / width|^6),
    which passes 1/2 at the band's edges; each HSI band takes its mean over the interval that the band stands for.

    Args:
        wavelengths_nm: (C,) band centres, ascending.
        names: Band names B1 ... B12, B8A; None: B2, B3, B4, B8, B11, B12, those that the scene covers.

    Raises:
        ConfigError: Unknown band name.
        DataError: A named band lies outside the scene's wavelengths, or (without names) all do.

    References:
        ESA, Sentinel-2 user guide, spectral resolutions (the numbers in tables/sentinel2a.csv).
    """
    rows = [line.split(",") for line in (TABLES / "sentinel2a.csv").read_text().splitlines() if line[0] != "#"]
    table = {name: (float(centre), float(width)) for name, centre, width in rows}
    where = "observe.srf sentinel2"
    unknown = [name for name in names or () if name not in table]
    if unknown:
        raise ConfigError("unknown band", where="observe.bands", expected=", ".join(table), got=", ".join(unknown))
    chosen, outside, responses = [], [], []
    for name in names or SENTINEL2_DEFAULT:
        row = _flat_top(np.asarray(wavelengths_nm, np.float64), *table[name])
        if row is None:
            outside.append(f"{name} ({table[name][0]:g} nm)")
        else:
            chosen.append(name)
            responses.append(row)
    got = f"{wavelengths_nm[0]:g}...{wavelengths_nm[-1]:g} nm"
    if outside and (names is not None or not chosen):
        what = f"{', '.join(outside)} outside the scene's wavelengths (or in a gap between its bands)"
        raise DataError(what, where=where, got=got, hint="choose others with observe.bands")
    notes = (f"Sentinel-2 {', '.join(outside)} left out: outside the scene's {got}",) if outside else ()
    values = np.stack(responses)
    return Srf(values, tuple(chosen), supports_of(values), notes)


def uniform_srf(bands: int, msi_bands: int, supports: Optional[Sequence[Sequence[int]]] = None) -> Srf:
    """MSI bands that are plain means over their supports.

    Args:
        bands: C.
        msi_bands: M, for M ranges of (nearly) equal length side by side; not used where supports are given.
        supports: One range [a, b) per MSI band.

    Raises:
        ConfigError: More MSI than HSI bands, or supports that do not fit.
    """
    if supports is None:
        if msi_bands > bands:
            raise ConfigError("MSI bands", where="observe.msi_bands", expected=f"at most {bands}", got=msi_bands)
        edges = np.round(np.linspace(0, bands, msi_bands + 1)).astype(int).tolist()
        supports = list(zip(edges[:-1], edges[1:]))
    checked = check_supports(supports, bands)
    values = np.zeros((len(checked), bands))
    for row, (start, stop) in zip(values, checked):
        row[start:stop] = 1.0 / (stop - start)
    return Srf(values, tuple(f"[{a},{b})" for a, b in checked), checked)


def load_srf(
    path: str,
    bands: int,
    wavelengths_nm: Optional[np.ndarray] = None,
    *,
    key: Optional[str] = None,
    band_order: Optional[Sequence[int]] = None,
) -> Srf:
    """Reads an SRF from a file.

    A table (.npy, .npz, .mat, .csv, .txt) of M x C or C x M numbers is used as it stands; where both readings fit
    (M = C) it is M x C. Its bands are in the order of the scene's file, and sorted where those were; but where
    wavelengths stand beside the table (in its .npz or .mat, or in `wavelengths_nm.npy` of a run folder), those tell
    the order, and must be the scene's. A .csv whose header line begins with "wavelength" has the wavelength in nm in
    its first column and one MSI band in each other: it is interpolated at the scene's wavelengths, rows scaled to
    sum 1.

    Args:
        path: The file.
        bands: C of the scene.
        wavelengths_nm: (C,) band centres, needed for a table with wavelengths.
        key: Name of the array in a .mat or .npz, if there are several.
        band_order: Of each band its place in the scene's file, where the bands were sorted by wavelength.

    Raises:
        DataError: Not readable, another band count, negative, an MSI band all zero, or a table with wavelengths
            that does not cover what the MSI band sees within the scene, or wavelengths beside it that are not the
            scene's.
    """
    file = require_file(path)
    where = f"SRF {file.name}"
    header = _csv_header(file)
    if header is not None:
        return _from_wavelengths(file, header, where, wavelengths_nm)
    found = read_table(file, key, option="observe.srf_key")
    table = found.values
    if bands not in table.shape:
        expected, got = f"{bands} as in the scene", f"shape {table.shape}"
        raise DataError("bands of the SRF", where=where, expected=expected, got=got)
    values = check_srf(table if table.shape[1] == bands else table.T, bands, where)
    notes: tuple[str, ...] = ()
    own = _own_wavelengths(file, found)
    if own is not None and wavelengths_nm is not None and own.size == bands:
        values = values[:, _same_bands(own, wavelengths_nm, where)]
    elif band_order is not None:
        values, notes = values[:, list(band_order)], (f"{where}: sorted by wavelength, as the bands were",)
    return Srf(values, tuple(f"band{i + 1}" for i in range(len(values))), supports_of(values), notes)


def supports_of(srf: np.ndarray, threshold: float = SUPPORT_THRESHOLD) -> Supports:
    """The range from the first to the last HSI band whose response exceeds `threshold` times the row's maximum.

    Args:
        srf: (M, C), no row all zero.
        threshold: Share of the maximum under which a response is negligible (0.01).
    """
    supports = []
    for row in srf:
        seen = np.flatnonzero(row > threshold * row.max())
        supports.append((int(seen[0]), int(seen[-1]) + 1))
    return tuple(supports)


def band_edges(wavelengths_nm: np.ndarray, gap: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper edge of the interval that each HSI band stands for, nm.

    Edges lie half-way between neighbours; where the distance exceeds `gap` times the median spacing, bands are
    missing there (water absorption, say), and the edge lies half a median spacing from the centre instead.
    """
    spacing = np.diff(wavelengths_nm)
    usual = float(np.median(spacing)) if spacing.size else 10.0
    half = np.where(spacing > gap * usual, usual, spacing) / 2
    lower = np.concatenate([[usual / 2], half])
    upper = np.concatenate([half, [usual / 2]])
    return wavelengths_nm - lower, wavelengths_nm + upper


def _flat_top(wavelengths_nm: np.ndarray, centre: float, width: float) -> Optional[np.ndarray]:
    """(C,) response that sums to 1; None if the bands miss more than a tenth of it."""
    lower, upper = band_edges(wavelengths_nm)
    # 41 points per HSI band: narrow MSI bands (15 nm) are not much wider than an HSI band.
    points = lower[:, None] + (upper - lower)[:, None] * (np.arange(41) + 0.5) / 41
    shape = np.exp(-np.log(2) * np.abs(2 * (points - centre) / width) ** 6)
    area = shape.mean(axis=1) * (upper - lower)
    fine = np.linspace(centre - width, centre + width, 2001)
    whole = np.exp(-np.log(2) * np.abs(2 * (fine - centre) / width) ** 6).mean() * 2 * width
    if area.sum() < 0.9 * whole:
        return None
    area[area < 1e-4 * area.max()] = 0.0
    return np.asarray(area / area.sum())


def _own_wavelengths(file: Path, table: RawArray) -> Optional[np.ndarray]:
    """The wavelengths beside a table, in nm, or None."""
    listed, beside = table.wavelengths_nm, file.with_name("wavelengths_nm.npy")
    if file.suffix.lower() == ".npy" and beside.is_file():
        listed = np.ravel(read_array(beside).values).astype(np.float64)
    return in_nm(listed, "", file.name)[0]


def _same_bands(own: np.ndarray, wavelengths_nm: np.ndarray, where: str) -> np.ndarray:
    """Of each of the scene's bands its place among a table's own wavelengths."""
    order = np.argsort(own, kind="stable")
    apart = np.abs(own[order] - wavelengths_nm)
    half_a_band = 0.5 * float(np.median(np.diff(wavelengths_nm))) if own.size > 1 else 0.5
    if not apart.max() <= half_a_band:  # not a number counts as different
        band = int(apart.argmax())
        expected, got = f"band {band} at {wavelengths_nm[band]:g} nm", f"{own[order][band]:g} nm"
        hint = "take away the wavelengths beside the table if they are not its own"
        raise DataError("wavelengths differ from the scene's", where=where, expected=expected, got=got, hint=hint)
    return order


def _csv_header(file: Path) -> Optional[list[str]]:
    """Names of the columns of a .csv with wavelengths, or None for any other file."""
    if file.suffix.lower() != ".csv":
        return None
    with file.open(encoding="utf-8-sig", errors="replace") as stream:
        first = stream.readline().lstrip("# ").strip()
    return [name.strip() for name in first.split(",")] if first.lower().startswith("wavelength") else None


def _from_wavelengths(file: Path, header: list[str], where: str, wavelengths_nm: Optional[np.ndarray]) -> Srf:
    """An SRF out of a table with wavelengths."""
    if wavelengths_nm is None:
        raise DataError("the scene's wavelengths are not known", where=where, hint="set data.wavelengths_nm")
    try:
        table = np.loadtxt(file, delimiter=",", ndmin=2, skiprows=1, encoding="utf-8-sig")
    except ValueError as error:
        raise DataError("cannot be read as a table of numbers", where=where, got=str(error)) from error
    if table.shape[1] < 2 or table.shape[1] != len(header) or table.shape[0] < 2:
        expected = "a wavelength and at least one band per line"
        raise DataError("shape of the table", where=where, expected=expected, got=table.shape)
    if np.any(np.diff(table[:, 0]) <= 0):
        raise DataError("the wavelengths do not ascend", where=where)
    names, nm = header[1:], table[:, 0]
    check_srf(table[:, 1:].T, None, where)
    values = np.stack([np.interp(wavelengths_nm, nm, column, left=0.0, right=0.0) for column in table[:, 1:].T])
    for name, row, column in zip(names, values, table[:, 1:].T):
        peak = nm[int(column.argmax())]
        if not wavelengths_nm[0] - 10 <= peak <= wavelengths_nm[-1] + 10 or row.max() == 0:
            got = f"peak at {peak:g} nm, scene {wavelengths_nm[0]:g}...{wavelengths_nm[-1]:g} nm"
            raise DataError(f"band {name} lies outside the scene's wavelengths", where=where, got=got)
    values /= values.sum(axis=1, keepdims=True)
    return Srf(values, tuple(names), supports_of(values))
