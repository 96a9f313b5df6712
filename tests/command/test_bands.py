"""What `umsft info` says of bands that are of little use, and what `umsft camera` knows of cameras and files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paddle_umsft.cameras.curve_files import read_curves
from paddle_umsft.cameras.curves import Curves
from paddle_umsft.cameras.srf_curves import srf_of_curves
from paddle_umsft.cameras.srf_named import SENSORS, sensor_srf
from paddle_umsft.command.main import main

H, W = 40, 52
NM = np.linspace(420, 900, 12)


def cube() -> np.ndarray:
    """Four materials in smooth patches: every band is told by the others."""
    rng = np.random.RandomState(0)
    rows, columns = np.mgrid[:H, :W]
    shares = np.stack([np.sin(rows / 9 + k) + np.cos(columns / 7 - 2 * k) + 3 for k in range(4)], axis=-1)
    spectra = rng.uniform(100, 900, (4, NM.size))
    return shares @ spectra + rng.normal(0, 5, (H, W, NM.size))


def test_info_names_bands_with_their_reasons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = cube()
    image[:, :, 2] = 7
    for band in (5, 6):
        image[:, :, band] = np.random.RandomState(band).normal(500, 200, (H, W))
    image[:, :, 8] = np.nan
    image[3, 4] = np.nan
    good = np.ones(NM.size)
    good[10] = 0
    np.savez(tmp_path / "x.npz", hsi=image, wavelengths=NM[::-1], bbl=good)
    assert main(["info", str(tmp_path / "x.npz")]) == 0
    shown = capsys.readouterr().out
    lines = {line.split()[0]: line for line in shown.splitlines() if line.strip()}
    assert "left out band 11 (counted from 1): bad bands by the file's own list" in shown
    assert "left out band 9 (counted from 1): no data in any pixel" in shown
    assert "left out band 3 (counted from 1): dead, one number in all pixels" in shown
    # The wavelengths descend: bands are counted as in the file all the same.
    assert "bands 6...7 (counted from 1): mostly noise" in lines["drowned"]
    # The setting that is named helps.
    assert "data.bad_bands=[[5,7]]" in lines["drowned"]
    assert main(["info", str(tmp_path / "x.npz"), "--set", "data.bad_bands=[[5,7]]"]) == 0
    assert "drowned" not in capsys.readouterr().out


def test_info_of_a_sound_cube(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "x.npz", hsi=cube(), wavelengths=NM)
    assert main(["info", str(tmp_path / "x.npz")]) == 0
    shown = capsys.readouterr().out
    assert "drowned" not in shown
    assert "left out" not in shown


@pytest.mark.parametrize(
    ("name", "bands", "first", "last", "overlap"),
    [
        ("enmap", 224, 418.24, 2445.53, True),
        ("prisma", 234, 406.9934, 2497.115, True),
        ("emit", 285, 381.0056, 2492.924, False),
        ("desis", 235, 401.43, 999.98, False),
    ],
)
def test_spectrometers(
    name: str, bands: int, first: float, last: float, overlap: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Counts and ends as the agencies publish them, and a step between bands that no misprint breaks."""
    assert main(["camera", name, "--wavelengths"]) == 0
    centres = np.array(capsys.readouterr().out.strip().strip("[]").split(","), float)
    assert (centres.size, centres[0], centres[-1]) == (bands, first, last)
    steps = np.diff(centres)
    assert (steps < 0).sum() == overlap
    # EnMAP leaves out 1390...1570 and 1850...1930 nm, where water lets nothing through.
    assert 1 < steps[steps > 0].min() < np.median(steps) < 12


def test_a_spectrometer_as_another_one_sees_it(tmp_path: Path) -> None:
    """Bands of DESIS out of a scene with a band a nanometre: their centres are what they are called by."""
    nm = np.arange(390.0, 1010.0)
    srf = sensor_srf("desis", nm, bands=["B1", "B100", "B235"])
    np.testing.assert_allclose(srf.values @ nm, [401.43, 655.14, 999.98], atol=0.1)


def test_the_table_of_a_file_is_one_that_a_simulation_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "x.npz", hsi=cube(), wavelengths=NM, fwhm=np.full(NM.size, 11.5))
    np.savez(tmp_path / "y.npz", hsi=cube(), wavelengths=NM)
    assert main(["camera", str(tmp_path / "x.npz"), "-o", str(tmp_path / "x.csv")]) == 0
    table = np.genfromtxt(tmp_path / "x.csv", delimiter=",", skip_header=2, usecols=(1, 2))
    np.testing.assert_allclose(table, np.stack([NM, np.full(NM.size, 11.5)], axis=1), rtol=1e-6)
    curves = read_curves(tmp_path / "x.csv", "x.csv")
    assert isinstance(curves, Curves)
    nm = np.arange(390.0, 930.0)
    named = {"bands": curves.names, "is_named": True, "least_covered": 0.9}
    srf = srf_of_curves(curves, nm, where="x.csv", label="x", **named)
    np.testing.assert_allclose(srf.values @ nm, NM, atol=0.5)
    assert main(["camera", str(tmp_path / "y.npz")]) == 3
    assert "knows no widths" in capsys.readouterr().err
    assert main(["camera", str(tmp_path / "y.npz"), "--wavelengths"]) == 0
    assert capsys.readouterr().out.startswith("[420,463.6364,")


def test_names_and_what_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["camera"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in SENSORS)
    assert main(["camera", "prizma"]) == 2
    assert "did you mean prisma?" in capsys.readouterr().err
    assert main(["camera", "landsat8", "--wavelengths"]) == 3
    assert "without --wavelengths" in capsys.readouterr().err
