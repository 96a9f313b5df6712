"""SRFs from files: tables with one row or column per HSI band, and curves over wavelength.

A table with one row or column per HSI band is used as it stands; curves are integrated over the scene's bands, and
have rows that sum to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Optional, Union

import numpy as np

from paddle_umsft.cameras.curve_files import SUFFIXES as TEXT_SUFFIXES
from paddle_umsft.cameras.curve_files import curves_in_table, make_curves, read_curves
from paddle_umsft.cameras.curves import Curves
from paddle_umsft.cameras.response import Srf, supports_of
from paddle_umsft.cameras.srf_curves import srf_of_curves
from paddle_umsft.data.checks import check_srf
from paddle_umsft.data.readers.base import RawArray, Request, require_file
from paddle_umsft.data.readers.table import read_array, read_table
from paddle_umsft.data.wavelengths import in_nm
from paddle_umsft.errors import DataError

# A run folder keeps its wavelengths in a file of their own, beside srf.npy.
WAVELENGTHS_FILE = "wavelengths_nm.npy"
# Of a response that a user brings, half has to be seen; how much it is, is said.
LEAST_COVERED = 0.5


def load_srf(
    path: str,
    bands: int,
    wavelengths_nm: Optional[np.ndarray] = None,
    *,
    key: Optional[str] = None,
    band_order: Optional[Sequence[int]] = None,
    msi_bands: Optional[Sequence[str]] = None,
    fwhm_nm: Optional[np.ndarray] = None,
) -> Srf:
    """Read an SRF from a file.

    A table (.npy, .npz, .mat, .csv, .txt) of M x C or C x M numbers is used as it stands; where both readings fit
    (M = C) it is M x C. Its bands are in the order of the scene's file, and sorted where those were; but where
    wavelengths stand beside the table (in its .npz or .mat, or in `wavelengths_nm.npy` of a run folder), those tell
    the order, and must be the scene's. Curves over wavelength are integrated over the scene's bands, rows scaled to
    sum 1: a text file whose header line names a wavelength, or centre and width of each band (see `curve_files`), a
    table whose first column can be nothing but nanometres, or one with another number of wavelengths beside it.

    Args:
        path: The file.
        bands: C of the scene.
        wavelengths_nm: (C,) band centres, needed for a table with wavelengths.
        key: Name of the array in a .mat or .npz, if there are several.
        band_order: Of each band its place in the scene's file, where bands were sorted or left out.
        msi_bands: Names of the wanted columns of curves; None: all that the scene covers.
        fwhm_nm: (C,) widths of the scene's bands, if known.

    Raises:
        ConfigError: A name that is no column.
        DataError: Not readable, another band count, negative, an MSI band all zero, curves of which the scene
            covers none, or wavelengths beside a table that are not the scene's.
    """
    file = require_file(path)
    where = f"SRF {file.name}"
    found = _read(file, key, where)
    if isinstance(found, Curves):
        curves: Optional[Curves] = found
        notes: tuple[str, ...] = ()
    else:
        looked = curves_in_table(found.values, where)
        curves, table, notes = looked.curves, looked.table, looked.notes
        own = _own_wavelengths(file, found)
        # As many as the scene has bands: a table per band, which those wavelengths put into order.
        if curves is None and own is not None and own.size != bands and own.size in table.shape:
            curves = _beside(own, table, where)
    if curves is None:
        return _of_table(table, own, bands, wavelengths_nm, band_order, where, notes)
    srf = srf_of_curves(
        curves,
        wavelengths_nm,
        where=where,
        label=where,
        bands=msi_bands or curves.names,
        is_named=msi_bands is not None,
        least_covered=LEAST_COVERED,
        fwhm_nm=fwhm_nm,
    )
    return replace(srf, notes=notes + srf.notes)


def _of_table(
    table: np.ndarray,
    own: Optional[np.ndarray],
    bands: int,
    wavelengths_nm: Optional[np.ndarray],
    band_order: Optional[Sequence[int]],
    where: str,
    notes: tuple[str, ...],
) -> Srf:
    """Return the SRF of a table with one row or column per HSI band."""
    count = _columns(table, bands, band_order)
    if count is None:
        raise DataError(
            "bands of the SRF",
            where=where,
            expected=f"{bands} as in the scene",
            got=f"shape {table.shape}",
            hint="a table over wavelength needs a header line: wavelength_nm,B1,B2",
        )
    if table.shape[1] != count:
        table = table.T
    values = check_srf(table, count, where)  # (M, bands of the file)
    # What stands beside the table tells more than the order of the scene's file.
    if own is not None and wavelengths_nm is not None and own.size == bands:
        places = _same_bands(own, wavelengths_nm, where)
        values = values[:, places]
    elif band_order is not None and count > max(band_order):
        values = values[:, list(band_order)]
        notes += (f"{where}: sorted by wavelength or left out, as the bands were",)
        values = check_srf(values, bands, where)  # (M, C)
    names = tuple(f"band{number}" for number in range(1, len(values) + 1))
    return Srf(
        values=values,
        names=names,
        supports=supports_of(values),
        notes=notes,
    )


def _columns(table: np.ndarray, bands: int, band_order: Optional[Sequence[int]]) -> Optional[int]:
    """Return how many HSI bands a table has: those that are used, or those of the file; None: neither fits."""
    if bands in table.shape:
        return bands
    if band_order is None:
        return None
    larger = [length for length in table.shape if length > max(band_order)]
    if len(larger) != 1:
        return None
    return int(larger[0])


def _read(file: Path, key: Optional[str], where: str) -> Union[Curves, RawArray]:
    """Read curves, or a table of bare numbers."""
    if file.suffix.lower() not in TEXT_SUFFIXES:
        return read_table(file, key, option="observe.srf_key")
    content = read_curves(file, where)
    if isinstance(content, Curves):
        return content
    return RawArray(values=content)


def _beside(own: np.ndarray, table: np.ndarray, where: str) -> Curves:
    """Return the curves of a table with wavelengths of its own beside it."""
    if table.shape[1] != own.size:
        table = table.T
    names = tuple(f"band{number}" for number in range(1, len(table) + 1))
    return make_curves(own, table, names, where)


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
