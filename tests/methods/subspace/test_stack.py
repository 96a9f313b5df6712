"""The result against plain hypersharpening, judged one step coarser: never far below it, as it was where it wins."""

from __future__ import annotations

import numpy as np
from made_up_pairs import SCALE, made_pair

from paddle_umsft.config.load import load_config
from paddle_umsft.config.preparation import PreparationSettings
from paddle_umsft.config.subspace import SubspaceSettings
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.methods.subspace.ground import Ground, lay_ground
from paddle_umsft.methods.subspace.stack import coarser, own_places, own_shares, plain_cube, stack
from paddle_umsft.methods.table import run_method


def affine_pair(seed: int = 4) -> tuple[Observation, np.ndarray]:
    """Every HSI band is an affine mix of three MSI bands, so that hypersharpening is exact; no noise."""
    rng = np.random.default_rng(seed)
    sharp = rng.uniform(0.1, 1.0, size=(48, 80, 3))
    mixing = rng.uniform(0.0, 0.5, size=(3, 9))
    truth = sharp @ mixing + rng.uniform(0.0, 0.2, size=9)
    lr_hsi = truth.reshape(12, 4, 20, 4, 9).mean(axis=(1, 3))
    return Observation(lr_hsi.astype(np.float32), sharp.astype(np.float32), 4), truth


def ground_of(observation: Observation) -> Ground:
    return lay_ground(observation, SubspaceSettings(), PreparationSettings())


def test_the_coarser_pair_has_the_lr_pixels_in_the_place_of_the_msi():
    observation, truth = affine_pair()
    ground = ground_of(observation)
    coarse = coarser(ground)
    assert coarse.hr_msi.shape == (12, 20, 3)
    # A mean of means is the mean over 8 x 8 HR pixels.
    expected = truth.reshape(6, 8, 10, 8, 9).mean(axis=(1, 3))
    np.testing.assert_allclose(coarse.lr_hsi * ground.level, expected, rtol=1e-4)


def noisy(noise: float, seed: int = 8) -> Observation:
    """Smooth scenes with white noise of one standard deviation in both images."""
    rng = np.random.default_rng(seed)
    rows = np.linspace(0.2, 1.0, 64)[:, None, None]
    columns = np.linspace(0.5, 1.0, 96)[None, :, None]
    truth = rows * columns * rng.uniform(0.4, 1.0, size=12)
    lr_hsi = truth.reshape(16, 4, 24, 4, 12).mean(axis=(1, 3))
    hr_msi = truth.reshape(64, 96, 3, 4).mean(axis=3)
    lr_hsi = lr_hsi + noise * rng.standard_normal(lr_hsi.shape)
    hr_msi = hr_msi + noise * rng.standard_normal(hr_msi.shape)
    return Observation(lr_hsi.astype(np.float32), hr_msi.astype(np.float32), 4)


def fine_differences(image: np.ndarray) -> float:
    """Standard deviation of the noise by differences of four neighbours, in which a smooth scene cancels."""
    four = image[1:, 1:] - image[1:, :-1] - image[:-1, 1:] + image[:-1, :-1]
    return float(np.std(four) / 2.0)


def test_the_coarser_pair_is_as_noisy_as_the_pair():
    noise = 0.02
    ground = ground_of(noisy(noise))
    coarse = coarser(ground)
    assert 0.7 * noise < fine_differences(coarse.hr_msi * ground.level) < 1.3 * noise
    assert 0.7 * noise < fine_differences(coarse.lr_hsi * ground.level) < 1.3 * noise


def test_an_odd_border_is_left_out_and_too_few_pixels_tell_nothing():
    observation, _ = affine_pair()
    odd = Observation(observation.lr_hsi[:11, :19], observation.hr_msi[:44, :76], 4)
    assert coarser(ground_of(odd)).lr_hsi.shape == (5, 9, 9)
    few = Observation(observation.lr_hsi[:6, :6], observation.hr_msi[:24, :24], 4)
    ground = ground_of(few)
    assert coarser(ground) is None
    np.testing.assert_array_equal(own_shares(ground, plain_cube), np.ones(9))


def test_hypersharpening_is_exact_where_bands_are_mixes_of_the_msi():
    observation, truth = affine_pair()
    ground = ground_of(observation)
    np.testing.assert_allclose(plain_cube(ground) * ground.level, truth, atol=2e-3)


def test_the_better_one_has_the_larger_share():
    observation, _ = affine_pair()
    ground = ground_of(observation)

    def bad(other: Ground) -> np.ndarray:
        return plain_cube(other) + np.linspace(-1.0, 1.0, 9, dtype=np.float32)

    def good(other: Ground) -> np.ndarray:
        return ground.lr_hsi

    of_bad = own_shares(ground, bad)
    assert np.all(of_bad[[0, 1, 7, 8]] < 0.4)
    np.testing.assert_allclose(own_shares(ground, good), 1.0, atol=1e-6)


def test_the_own_result_counts_as_far_as_it_says_as_much_of_the_lr_hsi():
    missed = np.array([[0.0, 1.0, 4.0], [9.0, 40.0, 1.0]])
    plain_missed = np.array([[5.0, 5.0, 1.0], [1.0, 1.0, 0.0]])
    # Of 4 + 1 that may be missed beside it counts all, of 40 a twentieth: 1 + 1 of 40.
    own = own_places(missed, plain_missed, 1.0)
    np.testing.assert_allclose(own[..., 0], [[1.0, 1.0, 0.5], [2 / 9, 0.05, 1.0]], rtol=1e-6)


def test_a_rim_where_the_map_went_astray_becomes_the_plain_one():
    observation, truth = affine_pair()
    ground = ground_of(observation)

    def good(other: Ground) -> np.ndarray:
        return ground.lr_hsi

    rng = np.random.default_rng(2)
    own = truth.astype(np.float32)
    # Far too bright in some pixels, cut off at nought in others: of twice the light that is there.
    own[:8] = rng.uniform(0.0, 4.0, size=own[:8].shape) * own[:8]
    error = np.abs(own[:8] - truth[:8]).mean()
    missed = np.mean((ground.lr_hsi - ground.operator.forward(own / np.float32(ground.level))) ** 2, axis=2)
    inside = own[16:].copy()
    share = stack(ground, own, good, missed=missed)
    np.testing.assert_allclose(share, 0.0, atol=1e-6)
    assert np.abs(own[:8] - truth[:8]).mean() < 0.1 * error
    np.testing.assert_allclose(own[16:], inside, rtol=1e-5)


def test_it_is_told_and_can_be_switched_off():
    pair = made_pair()
    observation = Observation(pair.lr_hsi.astype(np.float32), pair.hr_msi.astype(np.float32), SCALE)

    def fused(*options: str) -> FusionResult:
        return run_method(observation, load_config(None, ["method=subspace", *options]))

    def error(result: FusionResult) -> float:
        return float(np.sqrt(np.mean((result.fused - pair.truth) ** 2)))

    with_it, without = fused(), fused("subspace.stack=false")
    assert len(with_it.extras["plain_share"]) == observation.bands
    assert "plain_share" not in without.extras
    assert error(with_it) < 1.02 * error(without)
