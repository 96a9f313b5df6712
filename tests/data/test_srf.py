"""SRF tables, files and supports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from paddle_umsft.cameras.response import supports_of
from paddle_umsft.cameras.srf import build_srf
from paddle_umsft.cameras.srf_files import load_srf
from paddle_umsft.cameras.srf_named import nikon_d700, sensor_srf, uniform_srf
from paddle_umsft.config.data import ObserveConfig
from paddle_umsft.errors import ConfigError, DataError

VISIBLE = np.linspace(400, 700, 31)
AVIRIS = np.arange(400.0, 2500.0, 10.0)


def test_nikon_is_raw_and_in_order_r_g_b() -> None:
    srf = nikon_d700(31, VISIBLE)
    np.testing.assert_allclose(srf.values.sum(axis=1), [1.09113168, 0.80427831, 0.99008354], atol=1e-8)
    assert VISIBLE[srf.values.argmax(axis=1)].tolist() == [600, 530, 460]
    assert srf.supports == ((20, 31), (10, 23), (0, 12))
    assert nikon_d700(31).notes
    with pytest.raises(DataError, match="31 bands, got 30"):
        nikon_d700(30)
    with pytest.raises(DataError, match=r"outside the scene's wavelengths.*400...700.*420...720"):
        nikon_d700(31, VISIBLE + 20)


def test_sentinel_centres_and_widths() -> None:
    srf = sensor_srf("sentinel2", AVIRIS)
    assert srf.names == ("B2", "B3", "B4", "B8", "B11", "B12")
    np.testing.assert_allclose(srf.values.sum(axis=1), 1)
    # First moment and half-height width against ESA's own numbers.
    np.testing.assert_allclose(srf.values @ AVIRIS, [492.4, 559.8, 664.6, 832.8, 1613.7, 2202.4], atol=1)
    widths = [(row > row.max() / 2).sum() * 10 for row in srf.values]
    np.testing.assert_allclose(widths, [66, 36, 31, 106, 91, 175], atol=10)
    for row, (start, stop) in zip(srf.values, srf.supports):
        assert row[start:stop].sum() > 0.985


def test_sentinel_outside() -> None:
    srf = sensor_srf("sentinel2", VISIBLE)
    assert srf.names == ("B2", "B3", "B4")
    assert (srf.kept, srf.wanted) == ((0, 1, 2), 6)
    assert "B12" in srf.notes[0]
    with pytest.raises(DataError, match=r"B8 .*outside the scene's wavelengths"):
        sensor_srf("sentinel2", VISIBLE, ["B8"])
    with pytest.raises(DataError, match=r"B10 .*gap"):
        sensor_srf("sentinel2", AVIRIS[(AVIRIS < 1340) | (AVIRIS > 1420)], ["B2", "B10"])
    with pytest.raises(ConfigError, match=r"unknown band.*B99"):
        sensor_srf("sentinel2", VISIBLE, ["B99"])
    with pytest.raises(DataError, match="wavelengths_nm"):
        build_srf(ObserveConfig(srf="sentinel2"), 31)


def test_uniform() -> None:
    srf = uniform_srf(10, 3)
    assert srf.supports == ((0, 3), (3, 7), (7, 10))
    np.testing.assert_allclose(srf.values @ np.ones(10), 1)
    own = build_srf(ObserveConfig(srf="uniform", supports=[(0, 6), (4, 10)]), 10)
    assert own.supports == ((0, 6), (4, 10))
    assert own.values.shape == (2, 10)
    with pytest.raises(ConfigError, match="at most 2"):
        uniform_srf(2, 3)


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("suffix", [".npy", ".csv", ".mat"])
def test_file_of_either_orientation(tmp_path: Path, suffix: str, transpose: bool) -> None:
    values = np.random.RandomState(0).uniform(0.1, 1, (4, 9))
    table = values.T if transpose else values
    path = tmp_path / f"srf{suffix}"
    if suffix == ".npy":
        np.save(path, table)
    elif suffix == ".csv":
        np.savetxt(path, table, delimiter=",")
    else:
        scipy.io.savemat(path, {"R": table})
    np.testing.assert_allclose(load_srf(str(path), 9).values, values)
    with pytest.raises(DataError, match="expected 10 as in the scene"):
        load_srf(str(path), 10)


def test_one_row_in_a_file_of_names(tmp_path: Path) -> None:
    """A panchromatic camera: MATLAB has no vectors, so the one row is a table."""
    row = np.random.RandomState(0).uniform(0.1, 1, (1, 9))
    scipy.io.savemat(tmp_path / "pan.mat", {"R": row, "wavelengths": np.linspace(400, 700, 9)})
    np.savez(tmp_path / "pan.npz", R=row.T, wavelengths=np.linspace(400, 700, 9))
    for name in ("pan.mat", "pan.npz"):
        np.testing.assert_array_equal(load_srf(str(tmp_path / name), 9).values, row)
    scipy.io.savemat(tmp_path / "two.mat", {"R": row, "S": row})
    with pytest.raises(DataError, match=r"observe\.srf_key=NAME"):
        load_srf(str(tmp_path / "two.mat"), 9)


def test_file_with_wavelengths(tmp_path: Path) -> None:
    path = tmp_path / "camera.csv"
    lines = [f"{nm},{max(0, 1 - abs(nm - 450) / 40)},{max(0, 1 - abs(nm - 600) / 40)}" for nm in range(380, 780, 5)]
    path.write_text("\n".join(["wavelength_nm,blue,red", *lines]))
    srf = load_srf(str(path), 31, VISIBLE)
    assert srf.names == ("blue", "red")
    assert VISIBLE[srf.values.argmax(axis=1)].tolist() == [450, 600]
    np.testing.assert_allclose(srf.values.sum(axis=1), 1)
    shifted = load_srf(str(path), 31, VISIBLE + 120)
    assert shifted.names == ("red",)
    assert "blue (450 nm) left out" in shifted.notes[0]
    with pytest.raises(DataError, match="outside the scene's wavelengths"):
        load_srf(str(path), 31, VISIBLE + 400)
    with pytest.raises(DataError, match="wavelengths_nm"):
        load_srf(str(path), 31)


@pytest.mark.parametrize(
    ("spoil", "fact"),
    [(-0.5, "negative"), (np.nan, "NaN"), (None, "MSI band 2 .* all zero")],
)
def test_unusable_file(tmp_path: Path, spoil: Any, fact: str) -> None:
    table = np.random.RandomState(0).uniform(0.1, 1, (31, 4))
    if spoil is None:
        table[:, 2] = 0
    else:
        table[3, 1] = spoil
    np.save(tmp_path / "srf.npy", table)
    with pytest.raises(DataError, match=fact) as caught:
        load_srf(str(tmp_path / "srf.npy"), 31)
    assert caught.value.exit_code == 3


def test_supports() -> None:
    row = np.array([0, 0.009, 0.011, 1, 0, 0.5, 0.001])
    assert supports_of(row[None]) == ((2, 6),)
    for bad, fact in (([(0, 99)] * 3, "outside"), ([(0, 3)], "got 1")):
        with pytest.raises(ConfigError, match=fact):
            build_srf(ObserveConfig(supports=bad), 31, VISIBLE)


@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_wavelengths_beside_a_table_tell_the_order_of_its_bands(tmp_path: Path, kind: str) -> None:
    """A table that is sorted already, as a run folder or simulate.py leaves it, is not sorted once more."""
    values, nm = np.random.default_rng(0).uniform(0.1, 1.0, (2, 5)), np.array([400.0, 450, 500, 550, 600])
    path = tmp_path / f"srf.{kind}"

    def write(order: list[int], wavelengths: np.ndarray) -> None:
        if kind == "npy":
            np.save(path, values[:, order])
            np.save(tmp_path / "wavelengths_nm.npy", wavelengths)
        else:
            np.savez(path, srf=values[:, order], wavelengths_nm=wavelengths)

    for order in ([0, 1, 2, 3, 4], [0, 3, 1, 2, 4]):
        write(order, nm[order])
        for moved in (None, [0, 2, 1, 3, 4]):
            np.testing.assert_array_equal(load_srf(str(path), 5, nm, band_order=moved).values, values)
    write([0, 1, 2, 3, 4], nm / 1000)  # in micrometres
    np.testing.assert_array_equal(load_srf(str(path), 5, nm, band_order=[0, 2, 1, 3, 4]).values, values)
    write([0, 1, 2, 3, 4], nm + np.array([0, 0, 40, 0, 0]))
    with pytest.raises(DataError, match=r"band 2 at 500 nm, got 540 nm"):
        load_srf(str(path), 5, nm)
    write([0, 1, 2, 3, 4], np.array([400, 450, 500, 550, np.nan]))
    with pytest.raises(DataError, match=r"band 4 at 600 nm, got nan nm"):
        load_srf(str(path), 5, nm)
