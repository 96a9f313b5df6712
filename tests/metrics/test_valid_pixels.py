"""Figures over valid pixels only, and over bands that hold something: what is left out has no say in any of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from paddle_umsft.metrics import CONVENTIONS, consistency, evaluate, evaluate_bands, live_bands

CONVENTION_NAMES = sorted(CONVENTIONS)


def pair(height: int = 48, width: int = 72, bands: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = 0.2 + 0.6 * rng.uniform(size=(height, width, bands))
    return truth, truth + 0.02 * rng.standard_normal(truth.shape)


@pytest.mark.parametrize("convention", CONVENTION_NAMES)
@pytest.mark.parametrize("rubbish", [np.nan, 1e9])
def test_what_is_not_valid_has_no_say(convention, rubbish):
    truth, estimate = pair()
    valid = np.ones(truth.shape[:2], dtype=bool)
    valid[5:12, 20:31] = False
    plain = evaluate(truth, estimate, scale=4, convention=convention, valid=valid)
    truth[~valid], estimate[~valid] = rubbish, -rubbish
    assert evaluate(truth, estimate, scale=4, convention=convention, valid=valid) == plain
    for name, values in evaluate_bands(truth, estimate, convention=convention, valid=valid).items():
        assert np.all(np.isfinite(values)), name


@pytest.mark.parametrize("convention", CONVENTION_NAMES)
def test_a_valid_half_is_judged_as_if_it_were_the_image(convention):
    truth, estimate = pair(height=64, width=64)
    valid = np.zeros((64, 64), dtype=bool)
    valid[:, :32] = True
    half = evaluate(truth[:, :32], estimate[:, :32], scale=4, convention=convention)
    masked = evaluate(truth, estimate, scale=4, convention=convention, valid=valid)
    for name, value in half.items():
        assert masked[name] == pytest.approx(value, rel=1e-9), name


@pytest.mark.parametrize("convention", CONVENTION_NAMES)
def test_everything_valid_is_no_mask(convention):
    truth, estimate = pair()
    everything = np.ones(truth.shape[:2], dtype=bool)
    with_mask = evaluate(truth, estimate, scale=4, convention=convention, valid=everything)
    for name, value in evaluate(truth, estimate, scale=4, convention=convention).items():
        assert with_mask[name] == pytest.approx(value, rel=1e-12), name


@pytest.mark.parametrize("convention", CONVENTION_NAMES)
@pytest.mark.parametrize("level", [0.0, 0.37])
@pytest.mark.parametrize("error", [0.0, 1e-9])
def test_a_dead_band_makes_no_mean_infinite(convention, level, error):
    truth, estimate = pair()
    alive = evaluate(truth[..., 1:], estimate[..., 1:], scale=4, convention=convention)
    truth[..., 0], estimate[..., 0] = level, level + error
    spoilt = evaluate(truth, estimate, scale=4, convention=convention)
    assert all(math.isfinite(value) for value in spoilt.values())
    assert spoilt["PSNR"] == pytest.approx(alive["PSNR"])
    np.testing.assert_array_equal(live_bands(truth), [False, True, True, True, True])


def test_a_perfect_result_is_still_infinitely_good():
    truth, _ = pair()
    assert evaluate(truth, truth, scale=4)["PSNR"] == math.inf


def test_agreement_with_the_images_counts_valid_pixels():
    truth, estimate = pair()
    mask = np.ones(truth.shape[:2], dtype=bool)
    mask[7:9] = False
    low, low_mask = truth[::4, ::4], mask[::4, ::4]
    again = estimate[::4, ::4]

    def agreement(first: np.ndarray, second: np.ndarray) -> dict[str, float]:
        return consistency(first, second, degraded_hsi=again, degraded_msi=estimate, mask_hsi=low_mask, mask_msi=mask)

    plain = agreement(low, truth)
    spoilt_low, spoilt_high = low.copy(), truth.copy()
    spoilt_low[~low_mask], spoilt_high[~mask] = np.nan, np.nan
    assert agreement(spoilt_low, spoilt_high) == plain
