"""Detail that the MSI does not tell, and places that nobody saw: against closed forms and errors made on purpose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_up_pairs import BANDS, HEIGHT, SCALE, WIDTH, made_pair, response
from scipy.ndimage import gaussian_filter

from paddle_umsft.cameras.resize import bicubic_upsample
from paddle_umsft.config.load import load_config
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.data.trust import ExpectedError
from paddle_umsft.methods.table import run_method
from paddle_umsft.trust.evidence import Evidence, fine_differences, moments_of
from paddle_umsft.trust.hidden import hidden_error, texture, trial
from paddle_umsft.trust.judge import Examined, judged
from paddle_umsft.trust.linear import linear_view


def observed(units: float = 1.0, sigma: float = 0.4 * SCALE) -> tuple[Observation, np.ndarray]:
    pair = made_pair(sigma=sigma)
    observation = Observation(
        (units * pair.lr_hsi).astype(np.float32),
        (units * pair.hr_msi).astype(np.float32),
        SCALE,
    )
    return observation, units * pair.truth


def expected_of(method: str, observation: Observation) -> ExpectedError:
    trust = run_method(observation, load_config(None, [f"method={method}"])).trust
    assert trust is not None
    return trust.expected


def size(expected: ExpectedError) -> float:
    return float(np.sqrt(np.mean(expected.bands**2)))


def evidence_of(hr_msi: np.ndarray, lr_msi: np.ndarray, lr_hsi: np.ndarray) -> Evidence:
    used = np.ones(lr_hsi.shape[:2], dtype=bool)
    cube = np.zeros((*hr_msi.shape[:2], lr_hsi.shape[2]), dtype=np.float32)
    return Evidence(
        lr_hsi=lr_hsi,
        hr_msi=hr_msi,
        lr_msi=lr_msi,
        fused=cube,
        again=np.zeros_like(lr_hsi),
        srf=np.zeros((hr_msi.shape[2], lr_hsi.shape[2])),
        white=1 / SCALE,
        linear=linear_view(lr_hsi, lr_msi, used),
        used=used,
        hsi_noise=np.zeros(lr_hsi.shape[2]),
        msi_noise=np.zeros(hr_msi.shape[2]),
    )


def block_means(image: np.ndarray) -> np.ndarray:
    height, width, bands = image.shape
    return image.reshape(height // SCALE, SCALE, width // SCALE, SCALE, bands).mean(axis=(1, 3))


@pytest.mark.parametrize("bands", [1, 3])
def test_the_trial_of_white_detail_is_that_of_block_means(bands: int) -> None:
    """Block means of s x s white pixels have 1 / s of their deviation, less four neighbours' mean sqrt(5 / 4) more."""
    rng = np.random.default_rng(2)
    hr_msi = rng.standard_normal((160, 240, bands)).astype(np.float32)
    lr_msi = block_means(hr_msi)
    seen = evidence_of(hr_msi, lr_msi, rng.standard_normal((40, 60, 5)).astype(np.float32))
    found = trial(seen, moments_of(hr_msi - bicubic_upsample(lr_msi, SCALE)))
    assert found == pytest.approx(SCALE / np.sqrt(1.25), rel=0.05)


def test_the_trial_leaves_out_what_the_bands_share() -> None:
    """Shared detail of any size tells nothing: what each band has of its own is the trial."""
    rng = np.random.default_rng(3)
    own = rng.standard_normal((160, 240, 4))
    shared = 30.0 * gaussian_filter(rng.standard_normal((160, 240, 1)), (6, 6, 0))
    found = []
    for image in (own, own + shared):
        lr_msi = block_means(image)
        seen = evidence_of(image, lr_msi, np.ones((40, 60, 2)))
        found.append(trial(seen, moments_of(image - bicubic_upsample(lr_msi, SCALE))))
    assert found[1] == pytest.approx(found[0], rel=0.1)


def test_an_msi_that_shows_nothing_is_no_trial() -> None:
    flat = np.ones((40, 60, 3), dtype=np.float32)
    seen = evidence_of(flat, block_means(flat), np.ones((10, 15, 4), dtype=np.float32))
    assert trial(seen, np.zeros((3, 3))) == 1.0
    assert not hidden_error(seen, np.zeros((3, 3)), 0.0).any()


def test_texture_is_where_pixels_differ_from_their_neighbours() -> None:
    image = np.zeros((30, 40, 2), dtype=np.float32)
    image[10:20, 10:20] = np.indices((10, 10)).sum(axis=0)[..., None] % 2
    energy = texture(image, np.ones((2, 5)))
    assert energy[12:18, 12:18].min() > 10 * energy[:, 25:].max()
    assert fine_differences(image).shape == (2,)


def test_behind_a_wide_psf_more_is_expected_to_be_wrong() -> None:
    narrow, wide = (observed(sigma=factor * SCALE)[0] for factor in (0.4, 1.0))
    for method in ("gsa", "subspace"):
        assert size(expected_of(method, wide)) > 1.2 * size(expected_of(method, narrow))


@pytest.mark.parametrize("units", [1e-6, 1e6])
def test_expected_errors_have_the_unit_of_the_images(units: float) -> None:
    plain, other = (expected_of("gsa", observed(factor)[0]) for factor in (1.0, units))
    np.testing.assert_allclose(other.cube() / units, plain.cube(), rtol=2e-3)


@pytest.mark.parametrize("method", ["gsa", "subspace"])
def test_what_no_band_of_the_msi_shows_is_expected_to_err_more(method: str) -> None:
    """A patch of the MSI is cut off at a level that light passes there: it shows nothing of what lies above."""
    observation, truth = observed()
    masked = np.ones((HEIGHT, WIDTH), dtype=bool)
    masked[24:40, 32:56] = False
    hr_msi = np.where(masked[..., None], observation.hr_msi, observation.hr_msi.max()).astype(np.float32)
    blind = replace(observation, hr_msi=hr_msi, mask_msi=masked)
    result = run_method(blind, load_config(None, [f"method={method}"]))
    assert result.trust is not None
    expected = result.trust.expected.places()
    error = np.sqrt(np.mean((truth - result.fused) ** 2, axis=2))
    before = expected_of(method, observation).places()
    assert error[~masked].mean() > 2 * error[masked].mean()
    assert expected[~masked].mean() > 2 * expected[masked].mean()
    assert expected[~masked].mean() > 2 * before[~masked].mean()


def test_a_saturated_patch_that_was_found_is_expected_to_err_more() -> None:
    observation, truth = observed()
    doubted = np.zeros((HEIGHT, WIDTH), dtype=np.float32)
    doubted[24:40, 32:56] = 1.0
    result = FusionResult(truth.astype(np.float32))
    plain, marked = (judged(result, observation, Examined(srf=response(), doubted=part)) for part in (None, doubted))
    assert plain.trust is not None
    assert marked.trust is not None
    grown = marked.trust.expected.places() / plain.trust.expected.places()
    assert grown[doubted == 1].min() > 1.1
    np.testing.assert_allclose(grown[doubted == 0], 1.0, rtol=1e-5)


def test_under_a_lost_lr_pixel_a_prediction_stands_alone() -> None:
    """There nothing corrects it, so it is expected to err by what it misses at LR pixels left out."""
    observation, truth = observed()
    result = FusionResult(truth.astype(np.float32))
    known = np.ones(observation.lr_hsi.shape[:2], dtype=bool)
    known[5, 7] = False
    told = judged(result, observation, Examined(srf=response(), trusted=known)).trust
    assert told is not None
    cube = told.expected.cube().reshape(HEIGHT // SCALE, SCALE, WIDTH // SCALE, SCALE, BANDS)
    lr_msi = np.asarray(block_means(observation.hr_msi))
    missed = linear_view(observation.lr_hsi, lr_msi, known).left_out[known]
    alone = np.sqrt(np.mean(missed**2, axis=0))
    assert np.all(cube[5, :, 7].min(axis=(0, 1)) > 0.9 * alone)


def test_a_scene_that_is_mostly_black_is_not_free_of_errors() -> None:
    rng = np.random.default_rng(4)
    hr_msi = rng.random((160, 240, 3)).astype(np.float32)
    hr_msi[:, 60:] = 0.0
    lr_hsi = rng.random((40, 60, 4)).astype(np.float32)
    lr_hsi[:, 15:] = 0.0
    lr_msi = block_means(hr_msi)
    seen = evidence_of(hr_msi, lr_msi, lr_hsi)
    # What the linear mix misses of black is nothing at all.
    exact = replace(seen.linear, left_out=np.where(lr_hsi > 0, seen.linear.left_out, 0.0))
    detail = moments_of(hr_msi - bicubic_upsample(lr_msi, SCALE))
    assert np.all(hidden_error(replace(seen, linear=exact), detail, 0.05) > 0)


def test_what_hides_nothing_at_lr_pixels_left_out_hides_little_within_them() -> None:
    """However rich light and texture are: with the residuals the level falls to nothing, and in step with them."""
    rng = np.random.default_rng(6)
    hr_msi = rng.random((160, 240, 3)).astype(np.float32)
    lr_hsi = rng.random((40, 60, 4)).astype(np.float32)
    seen = evidence_of(hr_msi, block_means(hr_msi), lr_hsi)
    detail = moments_of(hr_msi - bicubic_upsample(seen.lr_msi, SCALE))
    residuals = 0.1 * rng.standard_normal(lr_hsi.shape)
    natural, less, least = (
        np.sqrt(np.mean(hidden_error(replace(seen, held_out=part * residuals), detail, 0.05) ** 2))
        for part in (1.0, 1e-4, 1e-5)
    )
    assert natural < 10 * 0.1 * SCALE
    assert less == pytest.approx(10 * least, rel=1e-6)
    # A value less four neighbours' mean has sqrt(5 / 4) of the deviation; white detail is s times as large within.
    assert less == pytest.approx(15 * 1e-5 * SCALE, rel=0.1)


def test_refinement_leaves_less_of_it() -> None:
    rng = np.random.default_rng(4)
    lr_msi = rng.random((10, 14, 2))
    lr_hsi = lr_msi @ rng.random((2, 5)) + 0.01 * rng.standard_normal((10, 14, 5))
    plain = evidence_of(lr_msi.repeat(SCALE, 0).repeat(SCALE, 1), lr_msi, lr_hsi)
    refined = replace(plain, is_refined=True)
    without, with_it = (hidden_error(seen, np.eye(2), 0.01) for seen in (plain, refined))
    np.testing.assert_allclose(with_it, 0.92 * without, rtol=1e-12)


@pytest.mark.parametrize(("passed", "power"), [(1.0, 0.2), (0.2, 0.2), (0.05, 0.05)])
def test_behind_a_wide_psf_the_own_residuals_say_less(passed: float, power: float) -> None:
    rng = np.random.default_rng(8)
    hr_msi = rng.random((160, 240, 3)).astype(np.float32)
    lr_hsi = rng.random((40, 60, 4)).astype(np.float32)
    seen = replace(evidence_of(hr_msi, block_means(hr_msi), lr_hsi), white=np.sqrt(passed) / SCALE)
    detail = moments_of(hr_msi - bicubic_upsample(seen.lr_msi, SCALE))
    residuals = 0.1 * rng.standard_normal(lr_hsi.shape)
    all_of_it, half = (hidden_error(replace(seen, held_out=part * residuals), detail, 0.05) for part in (1.0, 0.5))
    np.testing.assert_allclose(half, 0.5**power * all_of_it, rtol=1e-6)
