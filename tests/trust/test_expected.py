"""The expected error against errors that were made on purpose, with numpy and scipy alone."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_pairs import made_pair
from scipy.ndimage import gaussian_filter

from paddle_umsft.cameras.psf import box_psf
from paddle_umsft.config.load import load_config
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.data.trust import ExpectedError
from paddle_umsft.methods.table import run_method
from paddle_umsft.trust.judge import Examined, judged
from paddle_umsft.trust.linear import common_share, left_out_residuals, linear_view, roughness

SCALE, HEIGHT, WIDTH, BANDS = 4, 96, 128, 9
RNG = np.random.default_rng(5)
# Three MSI bands, each the mean of three HSI bands.
SRF = np.kron(np.eye(3), np.full((1, 3), 1 / 3))


def blocks(cube: np.ndarray) -> np.ndarray:
    """(h, w, C) block means."""
    height, width, bands = cube.shape
    parts = cube.reshape(height // SCALE, SCALE, width // SCALE, SCALE, bands)
    return parts.mean(axis=(1, 3))


def texture(count: int, smooth: float, seed: int) -> np.ndarray:
    """(H, W, count) natural enough: noise at several scales, the coarse ones stronger."""
    rng = np.random.default_rng(seed)
    total = np.zeros((HEIGHT, WIDTH, count))
    for level in range(5):
        spread = smooth * 2.0**level
        noise = gaussian_filter(rng.standard_normal(total.shape), (spread, spread, 0), mode="wrap")
        total += noise / noise.std() * spread**0.5
    return total / total.std()


def scene(hidden: float) -> np.ndarray:
    """(H, W, C): what the MSI's bands say, and detail of each band's own that they do not."""
    shared = texture(3, 1.0, 1) @ np.kron(np.eye(3), np.ones((1, 3)))
    own = texture(BANDS, 1.0, 2)
    return 1.0 + 0.1 * shared + hidden * (own - own @ SRF.T @ np.kron(np.eye(3), np.ones((1, 3))))


def expected_of(
    truth: np.ndarray,
    fused: np.ndarray,
    held_out: np.ndarray | None = None,
) -> ExpectedError:
    pair = Observation(blocks(truth).astype(np.float32), (truth @ SRF.T).astype(np.float32), SCALE)
    result = FusionResult(fused.astype(np.float32), held_out=held_out)
    trust = judged(result, pair, Examined(psf=box_psf(SCALE), srf=SRF)).trust
    assert trust is not None
    return trust.expected


def linear_fusion(truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The HSI regressed on the MSI, and what is left over spread over each LR pixel: both by plain least squares."""
    hr_msi, lr_hsi = truth @ SRF.T, blocks(truth)
    ones = np.ones((*lr_hsi.shape[:2], 1))
    design = np.concatenate([blocks(hr_msi), ones], axis=2).reshape(-1, 4)
    weights = np.linalg.lstsq(design, lr_hsi.reshape(-1, BANDS), rcond=None)[0]
    sharp = hr_msi @ weights[:3] + weights[3]
    rest = lr_hsi - blocks(sharp)
    return sharp + rest.repeat(SCALE, 0).repeat(SCALE, 1), rest


def test_left_out_residuals_are_those_of_fitting_without_the_pixel() -> None:
    design, targets = RNG.standard_normal((12, 3)), RNG.standard_normal((12, 2))
    _, residuals = left_out_residuals(design, targets)
    for row in range(12):
        others = np.arange(12) != row
        weights = np.linalg.lstsq(design[others], targets[others], rcond=None)[0]
        np.testing.assert_allclose(residuals[row], targets[row] - design[row] @ weights, atol=1e-10)


def test_roughness_is_that_of_a_known_wave_and_skips_what_is_not_in_use() -> None:
    rows = np.arange(30.0)[:, None, None]
    # Along a cosine of frequency w a value less the mean of its neighbours is (1 - cos w) / 2 of it.
    wave = np.cos(0.6 * rows) * np.ones((30, 40, 1))
    inner = (1 - np.cos(0.6)) / 2 * wave[1:-1]
    np.testing.assert_allclose(roughness(wave), np.sqrt(np.mean(inner**2)), rtol=1e-6)
    broken = wave.copy()
    broken[10, 10] = np.nan
    np.testing.assert_allclose(roughness(broken), roughness(wave), rtol=1e-2)


def test_chance_explains_nothing_and_a_mix_is_explained_whole() -> None:
    lr_hsi = RNG.standard_normal((16, 20, 40))
    used = np.ones((16, 20), dtype=bool)
    assert abs(common_share(lr_hsi, RNG.standard_normal((16, 20, 3)), used)[0]) < 0.1
    flat = np.zeros_like(lr_hsi)
    flat[..., :3] = RNG.standard_normal((16, 20, 3))
    assert common_share(flat, flat[..., :2], used)[0] > 0.999
    assert np.isnan(common_share(lr_hsi[:1, :3], lr_hsi[:1, :3, :2], used[:1, :3])[0])


def test_what_the_msi_shows_and_the_cube_does_not_is_known_pixel_by_pixel() -> None:
    truth = scene(hidden=0.0)
    error = 0.05 * texture(3, 1.0, 7) @ np.kron(np.eye(3), np.ones((1, 3)))
    error -= blocks(error).repeat(SCALE, 0).repeat(SCALE, 1)
    expected = expected_of(truth, truth + error).cube()
    large = np.abs(error) > np.abs(error).mean()
    np.testing.assert_allclose(expected[large], np.abs(error)[large], rtol=0.2)


def test_what_the_hsi_shows_and_the_cube_does_not_is_known_lr_pixel_by_lr_pixel() -> None:
    truth = scene(hidden=0.0)
    error = np.zeros_like(truth)
    # An error that no MSI band sees: it cancels in every mean of three.
    error[40:44, 60:64, 0], error[40:44, 60:64, 1] = 0.2, -0.2
    expected = expected_of(truth, truth + error).cube()
    assert 0.15 < expected[41, 61, 0] < 0.3
    assert np.median(expected[..., 0]) < 0.02


@pytest.mark.parametrize("method", ["bicubic", "gsa", "subspace"])
@pytest.mark.parametrize("width", [0.4, 1.0])
def test_the_error_is_foreseen_about_as_large_as_it_is_and_where(width: float, method: str) -> None:
    """On discs, of another size and with other bands than those that helped to fit, blurred and cut by scipy."""
    pair = made_pair(sigma=width * SCALE)
    observation = Observation(pair.lr_hsi.astype(np.float32), pair.hr_msi.astype(np.float32), SCALE)
    result = run_method(observation, load_config(None, [f"method={method}"]))
    assert result.trust is not None
    error, expected = np.abs(pair.truth - result.fused), result.trust.expected.cube()
    assert 0.65 < np.mean((error / expected) ** 2) < 1.5
    worst = expected >= np.quantile(expected, 0.9)
    assert error[worst].mean() > 2.0 * error.mean()


def test_a_moved_hsi_is_judged_as_it_was_recorded() -> None:
    """Methods that know no places between the grids get it interpolated; what that misses is no error of the result."""
    pair = made_pair(sigma=0.4 * SCALE, shift=(2.3, -1.6))
    observation = Observation(pair.lr_hsi.astype(np.float32), pair.hr_msi.astype(np.float32), SCALE)
    result = run_method(observation, load_config(None, ["method=gsa"]))
    assert result.trust is not None
    assert result.pair is not None
    assert result.degrade is not None
    np.testing.assert_array_equal(result.pair.lr_hsi, observation.lr_hsi)
    # SciPy's Gaussian at SciPy's places is what the operator makes of the truth, but for the border.
    seen = result.degrade(pair.truth)
    inner = np.s_[2:-2, 2:-2]
    assert np.sqrt(np.mean((seen - pair.lr_hsi)[inner] ** 2)) < 0.03 * pair.lr_hsi.std()
    error, expected = np.abs(pair.truth - result.fused), result.trust.expected.cube()
    assert 0.65 < np.mean((error / expected) ** 2) < 1.5


def test_a_method_that_misses_less_on_pixels_left_out_is_expected_to_err_less() -> None:
    truth = scene(0.03)
    fused, rest = linear_fusion(truth)
    plain = expected_of(truth, fused)
    better = expected_of(truth, fused, held_out=(0.3 * rest).astype(np.float32))
    assert np.all(better.hidden < 0.9 * plain.hidden)
    # LR pixels that are not in use have no say.
    some = rest.astype(np.float32)
    some[3:6, 4:8] = np.nan
    np.testing.assert_allclose(expected_of(truth, fused, held_out=some).hidden, plain.hidden, rtol=0.35)


def test_the_summary_is_that_of_the_cube() -> None:
    truth = scene(0.02)
    expected = expected_of(truth, linear_fusion(truth)[0])
    cube = expected.cube()
    assert cube.dtype == np.float32
    assert cube.shape == (HEIGHT, WIDTH, BANDS)
    np.testing.assert_allclose(expected.places(), np.sqrt(np.mean(cube**2, axis=2)), rtol=1e-5)
    np.testing.assert_allclose(expected.bands, np.sqrt(np.mean(cube**2, axis=(0, 1))), rtol=1e-5)


def test_the_linear_view_takes_the_mean_where_there_are_too_few_pixels() -> None:
    lr_hsi = RNG.standard_normal((2, 3, 5))
    view = linear_view(lr_hsi, RNG.standard_normal((2, 3, 3)), np.ones((2, 3), dtype=bool))
    assert not view.weights.any()
    flat = lr_hsi.reshape(-1, 5)
    others = (flat.sum(axis=0) - flat) / 5  # the mean of the five others
    np.testing.assert_allclose(view.left_out.reshape(-1, 5), flat - others, atol=1e-12)
