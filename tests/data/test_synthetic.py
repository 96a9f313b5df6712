"""The made-up scene: quick, repeatable, and like a photograph in its statistics."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from paddle_umsft.config.data import DEMO_PATH, DataConfig, DemoConfig
from paddle_umsft.data.reading import read_scene
from paddle_umsft.data.synthetic import dead_leaves_scene


def power_slope(picture: np.ndarray) -> float:
    """Slope of the radial power spectrum in log-log, from 3 cycles to a third of the sampling rate."""
    n = min(picture.shape)
    window = np.hanning(n)
    square = (picture[:n, :n] - picture.mean()) * np.outer(window, window)
    power = np.abs(np.fft.fft2(square)) ** 2
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(n), np.fft.fftfreq(n))) * n
    rings = np.arange(3, n // 3)
    mean = [power[np.abs(radius - ring) < 0.5].mean() for ring in rings]
    return float(np.polyfit(np.log(rings), np.log(mean), 1)[0])


def test_statistics_of_natural_images() -> None:
    slopes, ranks = [], []
    for seed in range(4):
        cube = dead_leaves_scene(seed=seed).hr_hsi
        assert cube.shape == (128, 128, 31)
        assert cube.dtype == np.float32
        assert cube.min() >= 0
        assert cube.max() == 1
        slopes.append(power_slope(cube.mean(axis=2)))
        energy = np.linalg.svd(cube.reshape(-1, 31).astype(np.float64), compute_uv=False) ** 2
        ranks.append(int((1 - np.cumsum(energy) / energy.sum() > 1e-4).sum()) + 1)
        assert 0.05 < cube.mean() < 0.4
    # Amplitude about 1/f: published photographs have -1.6 to -2.8, mean about -2.
    assert -2.8 < np.mean(slopes) < -1.6
    # Neither three colours nor noise: the 1e-4 of the energy that 40 dB are made of needs 6 to 12 components.
    assert all(6 <= rank <= 12 for rank in ranks)


def test_work_grows_with_the_discs_and_not_with_their_points() -> None:
    """Some 4,200 discs on 65,536 points: a few calls for each disc, and no Python for each of its points."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        dead_leaves_scene(seed=5)
    finally:
        sys.setprofile(before)
    discs = 0.5 * 256 * 256 / 2.8**2
    assert calls < 20 * discs


def test_same_seed_same_scene() -> None:
    one = dead_leaves_scene(seed=5).hr_hsi
    np.testing.assert_array_equal(one, dead_leaves_scene(seed=5).hr_hsi)
    assert np.abs(one - dead_leaves_scene(seed=6).hr_hsi).max() > 0.1


def test_stream_of_random_numbers_is_fixed() -> None:
    # Written down once (numpy 2.4): another numpy, the same scene.
    cube = dead_leaves_scene(48, 64, 5, seed=1).hr_hsi
    got = [cube.mean(), cube.std(), cube[10, 20, 2], cube[40, 60, 4]]
    np.testing.assert_allclose(got, GOLDEN, rtol=1e-5)


GOLDEN = [0.18113865, 0.12535381, 0.10015688, 0.07186415]


@pytest.mark.parametrize("shape", [(40, 72, 1), (72, 40, 3), (33, 47, 64)])
def test_any_shape_through_the_reader(shape: tuple[int, int, int]) -> None:
    demo = DemoConfig(height=shape[0], width=shape[1], bands=shape[2], seed=2)
    scene = read_scene(DataConfig(path=DEMO_PATH, demo=demo))
    assert scene.hr_hsi.shape == shape
    assert scene.wavelengths_nm is not None
    assert scene.wavelengths_nm.shape == (shape[2],)
