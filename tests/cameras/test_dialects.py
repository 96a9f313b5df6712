"""One table of responses in the dialects that makers ship: the same numbers are read from each."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import numpy as np
import pytest

from paddle_umsft.cameras.curve_files import read_curves
from paddle_umsft.cameras.curves import Curves
from paddle_umsft.errors import DataError

NM = np.arange(400.0, 701.0, 10.0)
NAMES = ("B", "G", "R")
VALUES = np.stack([np.exp(-0.5 * ((NM - centre) / 25) ** 2) for centre in (450, 550, 640)])


def lines(head: str, row: Callable[[float, np.ndarray], str], *, falling: bool = False) -> str:
    listed = [row(nm, values) for nm, values in zip(NM, VALUES.T)]
    if falling:
        listed.reverse()
    return "\n".join([head, *listed, ""])


def plain(nm: float, values: np.ndarray, separator: str = ",") -> str:
    return separator.join([f"{nm:g}", *(f"{value:.6f}" for value in values)])


def german(nm: float, values: np.ndarray) -> str:
    return plain(nm, values, ";").replace(".", ",")


def percent(nm: float, values: np.ndarray) -> str:
    return ",".join([f"{nm / 1000:g}", *(f"{100 * value:.4f}%" for value in values)])


def with_unit(nm: float, values: np.ndarray) -> str:
    return plain(nm, values).replace(",", " nm,", 1)


def with_nan(nm: float, values: np.ndarray) -> str:
    return ",".join([f"{nm:g}", *("NaN" if value < 1e-5 else f"{value:.6f}" for value in values)])


def last(nm: float, values: np.ndarray) -> str:
    return ",".join([*(f"{value:.6f}" for value in values), f"{nm:g}"])


TABLES = {
    "plain": lines("wavelength,B,G,R", plain).encode(),
    "German": lines("Wellenlänge;B;G;R", german).encode("latin-1"),
    "Chinese": lines("波长,B,G,R", plain).encode(),
    "Unicode text of a spreadsheet": lines("wavelength\tB\tG\tR", lambda *row: plain(*row, "\t")).encode("utf-16"),
    "with a mark": lines("wavelength,B,G,R", plain).encode("utf-8-sig"),
    "units in a line of their own": lines("Wavelength,B,G,R\n(nm),(-),(-),(-)", plain).encode(),
    "titles above": lines("Camera X, wavelength calibration\n2019-05-01\n\nwavelength,B,G,R", plain).encode(),
    "micrometres, falling, per cent": lines("Wavelength (um),B (%),G (%),R (%)", percent, falling=True).encode(),
    "units in the cells": lines("wl,B [-],G [-],R [-]", with_unit).encode(),
    "NaN where nothing is": lines("wavelength,B,G,R", with_nan).encode(),
    "wavelengths last": lines("B,G,R,nm", last).encode(),
    "old Macintosh": lines("wavelength,B,G,R", plain).replace("\n", "\r").encode(),
}


@pytest.mark.parametrize("dialect", TABLES)
def test_dialects(tmp_path: Path, dialect: str) -> None:
    (tmp_path / "x.csv").write_bytes(TABLES[dialect])
    curves = read_curves(tmp_path / "x.csv", "x.csv")
    assert isinstance(curves, Curves)
    assert curves.names == NAMES
    np.testing.assert_allclose(curves.wavelengths_nm, NM, rtol=1e-9)
    shares = curves.values / curves.values.max(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, VALUES / VALUES.max(axis=1, keepdims=True), atol=2e-5)


@pytest.mark.parametrize(
    ("head", "factor"), [("band,min_nm,max_nm", 1), ("name,from (um),to (um)", 1e-3), ("band,lower,upper", 1)]
)
def test_limits_of_bands(tmp_path: Path, head: str, factor: float) -> None:
    """Half of the peak at either limit, the peak half-way."""
    limits = {"blue": (450.0, 510.0), "nir": (770.0, 890.0)}
    rows = [f"{name},{low * factor:g},{high * factor:g}" for name, (low, high) in limits.items()]
    (tmp_path / "x.csv").write_text("\n".join([head, *rows]))
    curves = read_curves(tmp_path / "x.csv", "x.csv")
    assert isinstance(curves, Curves)
    assert curves.names == tuple(limits)
    for curve, (low, high) in zip(curves.values, limits.values()):
        sampled = np.interp([low, (low + high) / 2, high], curves.wavelengths_nm, curve)
        np.testing.assert_allclose(sampled, [0.5, 1, 0.5], atol=2e-3)


def test_a_band_that_is_called_max(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("wavelength,min,max\n400,0.1,0.2\n500,0.4,0.3\n600,0.1,0.9\n")
    curves = read_curves(tmp_path / "x.csv", "x.csv")
    assert isinstance(curves, Curves)
    assert curves.names == ("min", "max")


def test_a_web_page_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("<!DOCTYPE html><html><body>Please log in</body></html>")
    with pytest.raises(DataError, match="a web page saved under the name"):
        read_curves(tmp_path / "x.csv", "x.csv")
