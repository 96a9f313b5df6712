"""benchmarks/wald.py: the degradation against closed forms, the table, bad usage."""

from __future__ import annotations

import numpy as np
import pytest
from programs import program

SIZE = (40, 52)


@pytest.fixture(scope="module")
def wald():
    return program("benchmarks/wald.py")


@pytest.fixture
def pair(tmp_path):
    """Four bands of smooth waves and two of their mixes at twice the resolution."""
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[0 : 2 * SIZE[0], 0 : 2 * SIZE[1]] / 2
    waves = []
    for _ in range(4):
        down, across, phase = rng.uniform(0.05, 0.6, 3)
        waves.append(1.5 + np.sin(down * rows + across * columns + phase))
    scene = np.stack(waves, axis=2)
    fine = scene @ rng.uniform(0.2, 1.0, (4, 2))
    coarse = scene.reshape(SIZE[0], 2, SIZE[1], 2, 4).mean(axis=(1, 3))
    np.save(tmp_path / "hsi.npy", coarse)
    np.save(tmp_path / "msi.npy", fine)
    np.save(tmp_path / "msi_1.npy", fine.reshape(SIZE[0], 2, SIZE[1], 2, 2).mean(axis=(1, 3)))
    return tmp_path


@pytest.mark.parametrize(("ratio", "gain"), [(4, 0.29), (3, 0.15)])
def test_the_transfer_at_nyquist_is_the_gain(wald, ratio, gain):
    # A wave of the coarser grid's Nyquist frequency that peaks in the middle of every second coarse pixel.
    length = 16 * ratio
    places = np.arange(length) - (ratio - 1) / 2
    wave = np.cos(np.pi * places / ratio)
    weights, whole = wald.averages(length, ratio, wald.sigma_for(ratio, gain))
    seen = (weights @ wave)[whole]
    # The Gaussian ends at three standard deviations: nearly the closed form.
    np.testing.assert_allclose(np.abs(seen), gain, atol=5e-3)
    assert whole.sum() == 12


def test_a_straight_ramp_keeps_its_place(wald):
    ramp = np.arange(48.0)[:, None, None] + np.zeros((48, 48, 1))
    degraded = wald.degrade(ramp, ramp, ratio=4, gain=0.29)
    middles = degraded.truth[:, 0, 0].reshape(-1, 4).mean(axis=1)
    np.testing.assert_allclose(degraded.lr_hsi[:, 0, 0], middles, atol=1e-5)
    np.testing.assert_array_equal(degraded.hr_msi, degraded.truth)


def test_finds_the_shift_that_was_put_in(wald):
    # The same waves seen half a pixel further on: what the second camera shows is known without interpolation.
    rows, columns = np.mgrid[0:40, 0:52].astype(float)
    down, right = 0.3, -0.6

    def scene(rows, columns):
        waves = [np.sin(0.4 * rows + 0.3 * columns), np.cos(0.5 * columns - 0.2 * rows), np.sin(0.6 * rows)]
        return 2 + np.stack(waves, axis=2)

    hsi = scene(rows, columns)
    msi = scene(rows - down, columns - right) @ np.array([[0.5, 0.1], [0.2, 0.7], [0.3, 0.2]])
    shift = wald.shift_onto(hsi, msi, 1, 0.29)
    np.testing.assert_allclose(shift, [-down, -right], atol=0.01)


@pytest.mark.parametrize(("msi", "ratio"), [("msi.npy", 2), ("msi_1.npy", 4)])
def test_measures_pairs_with_and_without_a_ratio_of_their_own(wald, pair, msi, ratio, capsys):
    common = ["--hsi", str(pair / "hsi.npy"), "--msi", str(pair / msi), "-o", "data.layout=hwc"]
    assert wald.main([*common, "--methods", "bicubic", "gsa", "--out", str(pair / "out")]) == 0
    text = (pair / "out" / "wald.md").read_text()
    assert f"degraded by {ratio}" in text
    lines = [line.split("|") for line in text.splitlines() if line.startswith(("| bicubic", "| gsa"))]
    bicubic, gsa = [float(cells[2]) for cells in lines]
    assert gsa > bicubic
    assert "seconds" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        (["--gain", "1.5"], 2),
        (["--ratio", "3"], 2),
        (["--methods", "no_such_method"], 2),
        (["-o", "data.lr_hsi=missing.npy"], 3),
    ],
)
def test_bad_usage_ends_before_any_run(wald, pair, extra, code, capsys):
    common = ["--hsi", str(pair / "hsi.npy"), "--msi", str(pair / "msi.npy"), "--out", str(pair / "out")]
    assert wald.main([*common, *extra]) == code
    assert capsys.readouterr().err.count("\n") == 1
