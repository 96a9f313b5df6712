"""SRFs from files: tables with one row or column per HSI band, and curves over wavelength.

A table with one row or column per HSI band is used as it stands; curves are read off at the scene's wavelengths, and
have rows that sum to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import numpy as np

from paddle_umsft.cameras.response import Srf, supports_of
from paddle_umsft.data.checks import check_srf
from paddle_umsft.data.layout import in_nm
from paddle_umsft.data.readers.base import RawArray, Request, require_file
from paddle_umsft.data.readers.table import read_array, read_table
from paddle_umsft.errors import DataError

# A run folder keeps its wavelengths in a file of their own, beside srf.npy.
WAVELENGTHS_FILE = "wavelengths_nm.npy"
# A peak this far outside the scene's first or last band is still what that band sees: they have a width.
BAND_REACH_NM = 10.0


def load_srf(
    path: str,
    bands: int,
    wavelengths_nm: Optional[np.ndarray] = None,
    *,
    key: Optional[str] = None,
    band_order: Optional[Sequence[int]] = None,
) -> Srf:
    """Read an SRF from a file.

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
        return _from_curves(file, header, where, wavelengths_nm)
    found = read_table(file, key, option="observe.srf_key")
    table = found.values
    if bands not in table.shape:
        raise DataError(
            "bands of the SRF",
            where=where,
            expected=f"{bands} as in the scene",
            got=f"shape {table.shape}",
        )
    if table.shape[1] != bands:
        table = table.T
    values = check_srf(table, bands, where)  # (M, C)
    notes: tuple[str, ...] = ()
    own = _own_wavelengths(file, found)
    # What stands beside the table tells more than the order of the scene's file.
    if own is not None and wavelengths_nm is not None and own.size == bands:
        places = _same_bands(own, wavelengths_nm, where)
        values = values[:, places]
    elif band_order is not None:
        values = values[:, list(band_order)]
        notes = (f"{where}: sorted by wavelength, as the bands were",)
    names = tuple(f"band{number}" for number in range(1, len(values) + 1))
    return Srf(
        values=values,
        names=names,
        supports=supports_of(values),
        notes=notes,
    )


def _own_wavelengths(file: Path, table: RawArray) -> Optional[np.ndarray]:
    """Return the wavelengths beside a table, in nm, or None."""
    listed = table.wavelengths
    beside = file.with_name(WAVELENGTHS_FILE)
    if file.suffix.lower() == ".npy" and beside.is_file():
        found = read_array(beside, Request())
        listed = np.ravel(found.values).astype(np.float64)
    wavelengths, _ = in_nm(listed, table.wavelength_unit, file.name)
    return wavelengths


def _same_bands(
    own: np.ndarray,
    wavelengths_nm: np.ndarray,
    where: str,
) -> np.ndarray:
    """Return of each of the scene's bands its place among a table's own wavelengths."""
    order = np.argsort(own, kind="stable")
    apart = np.abs(own[order] - wavelengths_nm)
    # Half a band, and half a nanometre where one band has no neighbour.
    tolerance = 0.5
    if own.size > 1:
        tolerance = 0.5 * float(np.median(np.diff(wavelengths_nm)))
    # Written so that not a number counts as different.
    if apart.max() <= tolerance:
        return order
    band = int(apart.argmax())
    raise DataError(
        "wavelengths differ from the scene's",
        where=where,
        expected=f"band {band} at {wavelengths_nm[band]:g} nm",
        got=f"{own[order][band]:g} nm",
        hint="take away the wavelengths beside the table if they are not its own",
    )


def _csv_header(file: Path) -> Optional[list[str]]:
    """Return the names of the columns of a .csv with wavelengths, or None for any other file."""
    if file.suffix.lower() != ".csv":
        return None
    # Spreadsheets put a byte-order mark in front; other programs make the header a comment.
    with file.open(encoding="utf-8-sig", errors="replace") as stream:
        first = stream.readline().lstrip("# ").strip()
    if not first.lower().startswith("wavelength"):
        return None
    return [name.strip() for name in first.split(",")]


def _from_curves(
    file: Path,
    header: list[str],
    where: str,
    wavelengths_nm: Optional[np.ndarray],
) -> Srf:
    """Read an SRF off a table with wavelengths."""
    if wavelengths_nm is None:
        raise DataError(
            "the scene's wavelengths are not known",
            where=where,
            hint="set data.wavelengths_nm",
        )
    table = _curves(file, len(header), where)
    nm = table[:, 0]
    curves = table[:, 1:].T  # (M, samples)
    names = tuple(header[1:])
    check_srf(curves, None, where)
    rows = []
    for name, curve in zip(names, curves):
        row = np.interp(wavelengths_nm, nm, curve, left=0.0, right=0.0)  # (C,)
        peak = nm[int(curve.argmax())]
        first = wavelengths_nm[0]
        last = wavelengths_nm[-1]
        is_within = first - BAND_REACH_NM <= peak <= last + BAND_REACH_NM
        if not is_within or row.max() == 0:
            raise DataError(
                f"band {name} lies outside the scene's wavelengths",
                where=where,
                got=f"peak at {peak:g} nm, scene {first:g}...{last:g} nm",
            )
        rows.append(row)
    values = np.stack(rows)  # (M, C)
    values /= values.sum(axis=1, keepdims=True)
    return Srf(values=values, names=names, supports=supports_of(values))


def _curves(
    file: Path,
    columns: int,
    where: str,
) -> np.ndarray:
    """Read (samples, 1 + M) numbers, wavelengths ascending."""
    try:
        table = np.loadtxt(
            file,
            delimiter=",",
            ndmin=2,
            skiprows=1,
            encoding="utf-8-sig",
        )
    except ValueError as error:
        raise DataError(
            "cannot be read as a table of numbers",
            where=where,
            got=str(error),
        ) from error
    # Two samples at least, or nothing can be interpolated.
    samples, found = table.shape
    if samples < 2 or found < 2 or found != columns:
        raise DataError(
            "shape of the table",
            where=where,
            expected="a wavelength and at least one band per line",
            got=table.shape,
        )
    steps = np.diff(table[:, 0])
    if np.any(steps <= 0):
        raise DataError("the wavelengths do not ascend", where=where)
    return table
