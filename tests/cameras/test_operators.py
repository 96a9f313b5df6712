"""The two operators against brute force, against each other, and against their own transposes."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddle_umsft.cameras.border import Border
from paddle_umsft.cameras.noise import add_noise, noise_sigma
from paddle_umsft.cameras.psf import box_psf, build_psf, gaussian_psf, load_psf, motion_psf, reference_psf
from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.cameras.spectral import SpectralDegradation
from paddle_umsft.config.data import PsfConfig
from paddle_umsft.errors import ConfigError, DataError


def brute_force(hr: np.ndarray, psf: np.ndarray, scale: int) -> np.ndarray:
    """The geometry of the contract, pixel by pixel."""
    height, width, bands = hr.shape
    k = psf.shape[0]
    first = (scale - k) // 2
    lr = np.zeros((height // scale, width // scale, bands))
    for i, j in itertools.product(range(lr.shape[0]), range(lr.shape[1])):
        for u, v in itertools.product(range(k), range(k)):
            lr[i, j] += psf[u, v] * hr[(i * scale + first + u) % height, (j * scale + first + v) % width]
    return lr


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    scale=st.integers(1, 6),
    size=st.integers(1, 15),
    rows=st.integers(1, 4),
    cols=st.integers(1, 4),
    bands=st.integers(1, 4),
)
def test_forward_and_adjoint(scale: int, size: int, rows: int, cols: int, bands: int) -> None:
    """Any size of PSF, also larger than the image."""
    rng = np.random.RandomState(scale * 100 + size)
    psf = rng.uniform(0.01, 1, (size, size))
    hr = rng.standard_normal((rows * scale, cols * scale, bands))
    lr = rng.standard_normal((rows, cols, bands))
    operator = SpatialDegradation(psf, scale)
    np.testing.assert_allclose(operator.forward(hr), brute_force(hr, psf, scale), atol=1e-11)
    np.testing.assert_allclose(np.vdot(operator.forward(hr), lr), np.vdot(hr, operator.adjoint(lr)), atol=1e-10)


@pytest.mark.parametrize("size", [3, 8, 11])
def test_a_cube_made_row_by_row(size: int) -> None:
    rng = np.random.RandomState(3)
    cube = rng.standard_normal((16, 24, 5)).astype(np.float32)
    operator = SpatialDegradation(rng.uniform(0, 1, (size, size)), 4)
    made = operator.forward_by_rows(lambda rows: cube[rows], cube.shape)
    np.testing.assert_allclose(made, operator.forward(cube), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("border", ["wrap", "reflect"])
@pytest.mark.parametrize("width", [64, 152])
def test_a_wide_cube_made_row_by_row_behind_a_psf_with_many_terms(width: int, border: Border) -> None:
    # Wider than one chunk of a row, and no whole number of chunks.
    rng = np.random.RandomState(4)
    cube = rng.standard_normal((40, width, 3)).astype(np.float32)
    places = np.arange(-9.5, 10.0)
    radius = np.hypot(places[:, None], places[None, :])
    psf = np.sinc(radius / 6.0) ** 2
    psf /= psf.sum()
    operator = SpatialDegradation(psf, 8, border)
    made = operator.forward_by_rows(lambda rows: cube[rows], cube.shape)
    whole = operator.forward(cube.astype(np.float64))
    assert np.abs(made - whole).max() < 1e-3 * np.abs(whole).max()


def test_spectral_adjoint_and_value() -> None:
    rng = np.random.RandomState(0)
    srf, hsi, msi = rng.uniform(0, 1, (3, 7)), rng.standard_normal((4, 5, 7)), rng.standard_normal((4, 5, 3))
    operator = SpectralDegradation(srf)
    assert operator.forward(hsi)[2, 3, 1] == pytest.approx(sum(srf[1, c] * hsi[2, 3, c] for c in range(7)))
    assert np.vdot(operator.forward(hsi), msi) == pytest.approx(np.vdot(hsi, operator.adjoint(msi)))


@pytest.mark.parametrize("size", [4, 5, 9])
def test_psf_and_srf_commute(size: int) -> None:
    rng = np.random.RandomState(1)
    cube = rng.uniform(0, 1, (16, 24, 6))
    spatial = SpatialDegradation(gaussian_psf(size, 2.0, 4), 4)
    spectral = SpectralDegradation(rng.uniform(0, 1, (3, 6)))
    left, right = spatial.forward(spectral.forward(cube)), spectral.forward(spatial.forward(cube))
    np.testing.assert_allclose(left, right, atol=1e-13)


def test_float32_stays() -> None:
    cube = np.random.RandomState(2).uniform(0, 1, (16, 24, 6)).astype(np.float32)
    spatial = SpatialDegradation(box_psf(5), 4)
    assert spatial.forward(cube).dtype == np.float32
    assert spatial.adjoint(spatial.forward(cube)).dtype == np.float32
    np.testing.assert_allclose(spatial.forward(cube), spatial.forward(cube.astype(np.float64)), atol=1e-6)
    assert SpectralDegradation(np.ones((2, 6))).forward(cube).dtype == np.float32


def test_reference_psf_is_half_a_pixel_off_for_even_sizes() -> None:
    for size, offsets in ((8, range(-4, 4)), (9, range(-4, 5)), (4, range(-2, 2)), (32, range(-16, 16))):
        sigma = float(size // 1.5)
        line = np.exp(-(np.array(offsets, float) ** 2) / (2 * sigma**2))
        np.testing.assert_allclose(reference_psf(size, sigma), np.outer(line, line) / line.sum() ** 2, rtol=1e-12)
    np.testing.assert_array_equal(build_psf(PsfConfig(), 8), reference_psf(8, 5.0))
    np.testing.assert_array_equal(build_psf(PsfConfig(sigma=0.866 * 8), 8), reference_psf(8, 0.866 * 8))


@pytest.mark.parametrize("scale", [2, 3, 4, 8, 32])
@pytest.mark.parametrize("kind", ["reference", "gaussian", "box", "motion"])
def test_every_psf_sums_to_one(kind: str, scale: int) -> None:
    psf = build_psf(PsfConfig(type=kind), scale)
    assert psf.sum() == pytest.approx(1)
    assert psf.min() >= 0
    flat = np.full((scale * 4, scale * 5, 1), 3.0)
    np.testing.assert_allclose(SpatialDegradation(psf, scale).forward(flat), 3.0)


@pytest.mark.parametrize(("size", "scale"), [(8, 8), (9, 8), (16, 8), (7, 4), (6, 3)])
def test_centred_psf_sees_a_ramp_at_the_pixel_centre(size: int, scale: int) -> None:
    """A linear ramp, blurred symmetrically, has the value at the centre of the LR pixel."""
    ramp = np.tile(np.arange(6.0 * scale)[:, None, None], (1, 6 * scale, 1))
    lr = SpatialDegradation(gaussian_psf(size, size / 20, scale), scale).forward(ramp)
    np.testing.assert_allclose(lr[2:4, 3, 0], np.array([2, 3]) * scale + (scale - 1) / 2, atol=1e-3)


def test_motion_runs_along_its_angle() -> None:
    flat, steep = motion_psf(11, 0.0, 0.5), motion_psf(11, 90.0, 0.5)
    assert flat[5].sum() > 0.7
    np.testing.assert_allclose(flat, steep.T, atol=1e-12)
    falling = motion_psf(11, 45.0, 0.5)
    assert np.trace(falling) > 5 * np.trace(falling[::-1])


def test_psf_from_file(tmp_path: Path) -> None:
    psf = np.random.RandomState(3).uniform(0, 1, (5, 5))
    np.save(tmp_path / "psf.npy", psf * 7)
    np.savetxt(tmp_path / "psf.csv", psf, delimiter=",")
    for name in ("psf.npy", "psf.csv"):
        loaded = build_psf(PsfConfig(type="file", path=str(tmp_path / name)), 4)
        np.testing.assert_allclose(loaded, psf / psf.sum())
    for bad, fact in ((psf[:4], "(k, k)"), (psf - 0.5, "negative"), (psf * 0, "all zero"), (psf * np.nan, "NaN")):
        np.save(tmp_path / "bad.npy", bad)
        with pytest.raises(DataError) as caught:
            load_psf(str(tmp_path / "bad.npy"))
        assert fact in str(caught.value)
        assert "bad.npy" in str(caught.value)
    with pytest.raises(DataError, match="no such file"):
        load_psf(str(tmp_path / "none.npy"))


@pytest.mark.parametrize(("kind", "sigma"), [("gaussian", 1e-3), ("gaussian", 1e-200), ("motion", 1e-200)])
def test_a_psf_that_falls_between_the_pixels(kind: str, sigma: float) -> None:
    settings = PsfConfig(type=kind, sigma=sigma, angle_deg=30, size=8)
    with pytest.raises(ConfigError, match=r"observe\.psf\.sigma: PSF too narrow") as caught:
        build_psf(settings, 8)
    assert caught.value.exit_code == 2


def test_a_psf_among_others_is_named_by_its_key(tmp_path: Path) -> None:
    path = str(tmp_path / "psf.npz")
    np.savez(path, a=np.ones((3, 3)), b=np.ones((4, 4)))
    with pytest.raises(DataError, match=r"several arrays.*observe\.psf\.key=NAME"):
        load_psf(path)
    assert load_psf(path, "b").shape == (4, 4)


def test_wrong_use() -> None:
    with pytest.raises(DataError, match=r"multiples of the scale 4.*10x12"):
        SpatialDegradation(box_psf(4), 4).forward(np.zeros((10, 12, 1)))
    with pytest.raises(DataError, match="axes"):
        SpatialDegradation(box_psf(4), 4).forward(np.zeros((12, 12)))
    with pytest.raises(DataError, match="bands"):
        SpectralDegradation(np.ones((2, 6))).forward(np.zeros((3, 3, 5)))
    for call in (lambda: box_psf(0), lambda: reference_psf(4, 0.0)):
        with pytest.raises(ConfigError):
            call()


@pytest.mark.parametrize("snr_db", [10.0, 30.0, 40.0])
def test_noise_has_the_strength_it_says(snr_db: float) -> None:
    cube = np.random.RandomState(4).uniform(0, 1, (64, 64, 10))
    noise = add_noise(cube, snr_db, np.random.RandomState(0)) - cube
    assert 10 * np.log10(np.mean(cube**2) / np.mean(noise**2)) == pytest.approx(snr_db, abs=0.1)
    assert noise.std() == pytest.approx(noise_sigma(cube, snr_db), rel=0.01)
    assert add_noise(cube, None, np.random.RandomState(0)) is cube
