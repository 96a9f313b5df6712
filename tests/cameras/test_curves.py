"""Responses over wavelength: the sensors that come with the package, makers' tables, and what bands make of them."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import numpy as np
import pytest
import scipy.io
from scipy.integrate import quad, trapezoid
from scipy.special import erf

from paddle_umsft.cameras.curve_files import read_curves
from paddle_umsft.cameras.curves import Curves, band_edges, gaussian_curves, weights_of
from paddle_umsft.cameras.given import pair
from paddle_umsft.cameras.srf_files import load_srf
from paddle_umsft.cameras.srf_named import SENSORS, TABLES, sensor_srf
from paddle_umsft.config.data import ObserveConfig
from paddle_umsft.errors import DataError

FINE = np.arange(380.0, 721.0)
NM = np.linspace(400, 700, 31)
CENTRES = (450.0, 550.0, 640.0)
TABLE = np.stack([FINE, *(np.exp(-(((FINE - centre) / 40) ** 2)) for centre in CENTRES)], axis=1)
# What ESA (S2-SRF 3.0) and NASA (the bands' page of each Landsat) give as the bands' centres, nm.
PUBLISHED = {
    "sentinel2a": {"B1": 442.7, "B3": 559.8, "B5": 704.1, "B8": 832.8, "B8A": 864.7, "B11": 1613.7, "B12": 2202.4},
    "sentinel2b": {"B1": 442.2, "B3": 559.0, "B5": 703.8, "B8": 832.9, "B8A": 864.0, "B11": 1610.4, "B12": 2185.7},
    "landsat8": {"B1": 443.0, "B2": 482.0, "B3": 561.4, "B4": 654.6, "B5": 864.7, "B6": 1608.9, "B7": 2200.7},
}


def bands_of(name: str) -> Curves:
    curves = read_curves(TABLES / SENSORS[name].table, name)
    assert isinstance(curves, Curves)
    return curves


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_measured_tables_have_the_published_centres(name: str) -> None:
    curves = bands_of(name)
    for band, centre in PUBLISHED[name].items():
        curve = curves.values[curves.names.index(band)]
        moment, whole = (trapezoid(part, curves.wavelengths_nm) for part in (curve * curves.wavelengths_nm, curve))
        assert moment / whole == pytest.approx(centre, abs=1.0)


@pytest.mark.parametrize("name", sorted(SENSORS))
def test_every_table_names_its_source_and_gives_its_usual_bands(name: str) -> None:
    sensor = SENSORS[name]
    head = (TABLES / sensor.table).read_text(encoding="utf-8").splitlines()[:3]
    assert head[1].startswith("# source: ")
    assert head[2].startswith("# terms: ")
    srf = sensor_srf(name, np.arange(365.0, 2530.0, 8.0))
    assert srf.names == (sensor.default or bands_of(name).names)
    np.testing.assert_allclose(srf.values.sum(axis=1), 1.0)


def test_gaussians_from_centre_and_width() -> None:
    curves = gaussian_curves(("a", "b"), np.array([500.0, 2200.0]), np.array([10.0, 180.0]))
    for curve, centre, width in zip(curves.values, (500.0, 2200.0), (10.0, 180.0)):
        assert np.interp(centre, curves.wavelengths_nm, curve) == pytest.approx(1.0, abs=1e-3)
        for side in (-0.5, 0.5):
            assert np.interp(centre + side * width, curves.wavelengths_nm, curve) == pytest.approx(0.5, abs=2e-3)


def test_uneven_bands_are_integrated_not_averaged() -> None:
    """A prism: 2 nm apart below 600 nm, 10 nm above. A flat filter sees the integral of the spectrum."""
    nm = np.concatenate([np.arange(400, 600, 2.0), np.arange(600, 1001, 10.0)])
    fine = np.arange(400.0, 1001.0)
    flat = Curves(fine, ((fine >= 500) & (fine <= 900))[None].astype(float), ("P",))
    weights, covered = weights_of(flat, nm)
    assert covered[0] == pytest.approx(1.0, abs=1e-3)
    for spectrum in (lambda w: 0.1 + 0.8 / (1 + np.exp(-(w - 600) / 15)), lambda w: np.sin(w / 60) + 2):
        truth = quad(spectrum, 500, 900)[0] / 400
        assert float(weights[0] @ spectrum(nm)) == pytest.approx(truth, rel=0.005)
    assert weights[0][nm < 600].sum() == pytest.approx(0.25, abs=0.01)


def test_widths_of_the_bands_count() -> None:
    """A Gaussian band seen through Gaussian bands: variances add, where the bands overlap enough to resolve it."""
    nm = np.arange(400.0, 701.0, 5.0)
    curves = gaussian_curves(("g",), np.array([550.0]), np.array([30.0]))
    narrow, _ = weights_of(curves, nm, np.full(nm.size, 0.5))
    nearest, _ = weights_of(curves, nm)
    np.testing.assert_allclose(narrow, nearest, atol=2e-3)
    wide, covered = weights_of(curves, nm, np.full(nm.size, 20.0))
    variance = float(wide[0] @ (nm - 550) ** 2)
    assert np.sqrt(variance) * 2.3548 == pytest.approx(np.hypot(30, 20), rel=0.01)
    assert covered[0] == pytest.approx(1.0, abs=1e-3)


def test_gaps_are_no_bands() -> None:
    nm = np.concatenate([np.arange(1200.0, 1340.0, 10.0), np.arange(1460.0, 1600.0, 10.0)])
    lower, upper = band_edges(nm)
    assert upper[13] == 1335.0
    assert lower[14] == 1455.0
    alone = np.array([700.0, 710, 720, 800, 880, 890, 900])  # one band between two gaps
    lower, upper = band_edges(alone)
    assert (lower[3], upper[3]) == (795.0, 805.0)
    assert [edge[0] for edge in band_edges(np.array([550.0]))] == [545.0, 555.0]


def written(path: Path, header: str, separator: str = ",", factor: float = 1.0, order: int = 1) -> None:
    rows = [header]
    for row in TABLE[::order]:
        rows.append(separator.join(f"{value:.7g}" for value in (row[0] * factor, *row[1:])))
    path.write_text("\n".join(row for row in rows if row) + "\n", encoding="utf-8")


DIALECTS: dict[str, Callable[[Path], None]] = {
    "plain": lambda path: written(path, "wavelength,B,G,R"),
    "agency": lambda path: written(path, "SR_WL,S2A_SR_AV_B2,S2A_SR_AV_B3,S2A_SR_AV_B4"),
    "lambda": lambda path: written(path, "lambda_nm,B,G,R"),
    "quoted": lambda path: written(path, '"Wavelength","B","G","R"'),
    "semicolon": lambda path: written(path, "wavelength;B;G;R", ";"),
    "tab": lambda path: written(path, "wavelength\tB\tG\tR", "\t"),
    "blanks": lambda path: written(path, "wl B G R", "  "),
    "micrometres": lambda path: written(path, "Wavelength (um),B,G,R", factor=1e-3),
    "silent micrometres": lambda path: written(path, "wavelength,B,G,R", factor=1e-3),
    "falling": lambda path: written(path, "wavelength,B,G,R", order=-1),
    "per cent": lambda path: path.write_text(
        "# a comment\nwavelength [nm],B,G,R\n"
        + "".join(f"{row[0]:g}," + ",".join(f"{100 * value:.5f}%" for value in row[1:]) + "\n" for row in TABLE)
    ),
    "decimal commas": lambda path: path.write_text(
        "Wellenlänge (wavelength);B;G;R\n"
        + "".join(";".join(f"{value:.7g}".replace(".", ",") for value in row) + "\n" for row in TABLE),
        encoding="latin-1",
    ),
    "comment as header": lambda path: written(path, "# wavelength_nm,B,G,R"),
    "bare nanometres": lambda path: written(path, ""),
    "empty cells": lambda path: path.write_text(
        "wavelength,B,G,R\n"
        + "".join(f"{row[0]:g}," + ",".join(f"{v:.7g}" if v > 1e-6 else "" for v in row[1:]) + "\n" for row in TABLE)
    ),
}


@pytest.mark.parametrize("dialect", list(DIALECTS))
def test_dialects_of_makers_say_the_same(dialect: str, tmp_path: Path) -> None:
    path = tmp_path / "camera.csv"
    DIALECTS[dialect](path)
    srf = load_srf(str(path), 31, NM)
    # A Gaussian's integral over each band's 10 nm, in closed form.
    want = np.array([erf((NM + 5 - centre) / 40) - erf((NM - 5 - centre) / 40) for centre in CENTRES])
    want /= want.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(srf.values, want, atol=2e-4)


def test_a_line_per_band(tmp_path: Path) -> None:
    path = tmp_path / "bands.csv"
    path.write_text("Band;Center (um);FWHM (um)\nblue;0,49;0,065\nred;0,665;0,03\n")
    srf = load_srf(str(path), 31, NM)
    assert srf.names == ("blue", "red")
    np.testing.assert_allclose(srf.values @ NM, [490, 665], atol=0.3)


@pytest.mark.parametrize("kind", ["columns.npy", "rows.npy", "columns.mat", "columns.txt", "rows.csv"])
def test_wavelengths_among_bare_numbers(kind: str, tmp_path: Path) -> None:
    """A table whose first column is the wavelength has three bands, not four."""
    table = TABLE[20:321:10]
    table = table.T if kind.startswith("rows") else table
    path = tmp_path / kind
    if kind.endswith("npy"):
        np.save(path, table)
    elif kind.endswith("mat"):
        scipy.io.savemat(path, {"srf": table})
    else:
        np.savetxt(path, table, delimiter="," if kind.endswith("csv") else " ")
    srf = load_srf(str(path), 31, NM)
    assert srf.values.shape == (3, 31)
    assert "taken as the wavelengths" in srf.notes[0]


def test_other_first_columns(tmp_path: Path) -> None:
    responses = TABLE[20:321:10, 1:]
    np.savetxt(tmp_path / "count.csv", np.column_stack([np.arange(31), responses]), delimiter=",")
    srf = load_srf(str(tmp_path / "count.csv"), 31, NM)
    np.testing.assert_allclose(srf.values, responses.T)
    assert "counts the lines" in srf.notes[0]
    np.savetxt(tmp_path / "um.csv", np.column_stack([NM / 1000, responses]), delimiter=",")
    with pytest.raises(DataError, match="micrometres, or a response"):
        load_srf(str(tmp_path / "um.csv"), 31, NM)


def test_wavelengths_beside_a_finer_table(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "fine.mat", {"responses": TABLE[:, 1:], "wavelength_nm": FINE[:, None]})
    srf = load_srf(str(tmp_path / "fine.mat"), 31, NM)
    assert NM[srf.values.argmax(axis=1)].tolist() == [450, 550, 640]


def test_bands_outside_leave_the_pair_too() -> None:
    """Six bands of Sentinel-2 beside a visible HSI: the three that it does not see go, and it is said."""
    rng = np.random.RandomState(0)
    low, high = rng.uniform(0.1, 1, (6, 8, 31)), rng.uniform(0.1, 1, (24, 32, 6))
    observe = ObserveConfig(srf="sentinel2a", known_srf=True)
    case = pair(low, high, observe, wavelengths_nm=NM)
    np.testing.assert_array_equal(case.observation.hr_msi, high[:, :, :3].astype(np.float32))
    assert any("B8" in note and "left out" in note for note in case.observation.meta["notes"])
    with pytest.raises(DataError, match=r"expected 4 as in the HR-MSI, got 6; .*observe\.bands"):
        pair(low, high[:, :, :4], observe, wavelengths_nm=NM)


def test_what_is_partly_covered_is_said(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text("wavelength,pan\n" + "".join(f"{nm},{float(500 <= nm <= 900)}\n" for nm in range(450, 951)))
    srf = load_srf(str(path), 31, NM)
    assert "pan to 51%" in srf.notes[0]
