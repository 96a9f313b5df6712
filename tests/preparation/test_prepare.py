"""What is found in pairs that have one thing wrong, against what was done to them."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_pairs import HEIGHT, LR_SHAPE, SCALE, WIDTH, Pair, made_pair, response

from paddle_umsft.config.load import load_config
from paddle_umsft.config.preparation import PreparationSettings
from paddle_umsft.config.subspace import SubspaceSettings
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.data.synthetic import dead_leaves_scene
from paddle_umsft.methods.table import run_method
from paddle_umsft.preparation.aligned import on_the_grid
from paddle_umsft.preparation.drowned import drowned_bands, without_drowned
from paddle_umsft.preparation.examine import examine
from paddle_umsft.preparation.prepare import prepare_pair
from paddle_umsft.preparation.prepared import Prepared
from paddle_umsft.preparation.tone import linear_from_srgb


def prepared(pair: Pair, **settings: object) -> Prepared:
    return prepare_pair(observed(pair), PreparationSettings(**settings))


def observed(pair: Pair) -> Observation:
    return Observation(pair.lr_hsi.astype(np.float32), pair.hr_msi.astype(np.float32), SCALE)


def psnr(pair: Pair, method: str = "subspace", *options: str) -> float:
    fused = run_method(observed(pair), load_config(None, [f"method={method}", *options])).fused
    return float(-10 * np.log10(np.mean((fused - pair.truth) ** 2)))


def test_a_clean_pair_stays_as_it_is():
    pair = made_pair()
    found = prepared(pair)
    assert found.notes == []
    assert found.found == {}
    assert found.placement is None
    assert found.fit_trust.all()
    assert found.use_trust.all()
    assert np.all(found.msi_trust == 1)
    np.testing.assert_array_equal(found.observation.hr_msi, pair.hr_msi.astype(np.float32))


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_what_is_found_does_not_hang_on_the_units(factor):
    pair = made_pair(shift=(5.0, -3.0))
    other = Pair(pair.lr_hsi * factor, pair.hr_msi * factor, pair.truth)
    np.testing.assert_allclose(prepared(other).found["shift"], prepared(pair).found["shift"], atol=2e-3)


@pytest.mark.parametrize("shift", [(1.0, -2.0), (2.3, 1.6), (-9.0, 14.0)])
def test_shifts_to_a_tenth_of_a_pixel(shift):
    found = prepared(made_pair(shift=shift))
    np.testing.assert_allclose(found.found["shift"], shift, atol=0.1)
    assert not found.use_trust.all()  # LR pixels that lie beside the MSI


@pytest.mark.parametrize(("angle", "shift"), [(1.0, (0.0, 0.0)), (-2.0, (3.0, -5.0))])
def test_angles_to_a_twentieth_of_a_degree(angle, shift):
    found = prepared(made_pair(angle_deg=angle, shift=shift)).found["affine"]
    assert found["angle_deg"] == pytest.approx(angle, abs=0.05)
    assert found["zoom"] == pytest.approx(1.0, abs=2e-3)
    np.testing.assert_allclose(found["shift"], shift, atol=0.1)


def test_geometry_none_moves_nothing():
    assert prepared(made_pair(shift=(2.0, 2.0)), geometry="none").placement is None


@pytest.mark.parametrize(
    ("turn", "what"),
    [
        (lambda cube: cube[::-1], "mirrored top to bottom"),
        (lambda cube: cube[:, ::-1], "mirrored left to right"),
        (lambda cube: cube[::-1, ::-1], "turned by 180"),
    ],
)
def test_mirrored_images_are_named_and_turned_back(turn, what):
    pair = made_pair()
    found = prepared(Pair(turn(pair.lr_hsi), pair.hr_msi, pair.truth))
    assert what in found.notes[0]
    np.testing.assert_allclose(found.observation.lr_hsi, pair.lr_hsi, atol=1e-6)


def test_offset_to_one_per_cent():
    pair = made_pair()
    offset = np.array([0.05, 0.02, 0.08])
    shifted = Pair(pair.lr_hsi, pair.hr_msi + offset, pair.truth)
    found = prepared(shifted)
    np.testing.assert_allclose(found.found["offset"], offset, atol=8e-3)
    result = run_method(observed(shifted), load_config(None, ["method=subspace"]))
    np.testing.assert_allclose(result.extras["found"]["offset"], offset, rtol=0.01, atol=3e-4)


def test_an_8_bit_photograph_is_named_srgb():
    pair = made_pair()
    light = np.clip(pair.hr_msi / pair.hr_msi.max(), 0.0, 1.0)
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    eight_bit = np.round(255 * curve)
    np.testing.assert_allclose(linear_from_srgb(curve), light, atol=1e-6)
    for photograph in (eight_bit, eight_bit / 255):
        found = prepared(Pair(pair.lr_hsi, photograph, pair.truth))
        assert any("sRGB" in note for note in found.notes)
        undone = found.observation.hr_msi / found.observation.hr_msi.max()
        assert np.abs(undone - light).max() < 0.01


@pytest.mark.parametrize("strength", [0.1, 0.3])
def test_shading_is_undone(strength):
    pair = made_pair()
    gain = np.linspace(1 - strength, 1 + strength, WIDTH)[None, :, None]
    found = prepared(Pair(pair.lr_hsi, pair.hr_msi * gain, pair.truth))
    assert "shaded" in found.notes[0]
    ratio = found.observation.hr_msi.mean(axis=2) / pair.hr_msi.mean(axis=2)
    assert np.std(ratio) / np.mean(ratio) < 0.02 * strength / 0.1


@pytest.mark.parametrize("axis", [0, 1])
def test_stripes_are_undone(axis):
    pair = made_pair()
    gains = 1 + 0.05 * np.random.default_rng(0).standard_normal(LR_SHAPE[axis])
    along = gains[None, :, None] if axis == 1 else gains[:, None, None]
    found = prepared(Pair(pair.lr_hsi * along, pair.hr_msi, pair.truth))
    assert ("columns" if axis == 1 else "rows") in found.notes[0]
    left = (found.observation.lr_hsi / pair.lr_hsi).mean(axis=(1 - axis, 2))
    assert np.std(left) < 0.006


def test_dead_msi_pixels_are_found_and_filled():
    pair = made_pair()
    dead = np.random.default_rng(0).uniform(size=(HEIGHT, WIDTH)) < 0.05
    spoilt = pair.hr_msi.copy()
    spoilt[dead] = 1.0
    found = prepared(Pair(pair.lr_hsi, spoilt, pair.truth))
    np.testing.assert_array_equal(found.msi_trust < 1, dead)
    np.testing.assert_allclose(found.observation.hr_msi[~dead], pair.hr_msi[~dead], atol=1e-6)
    filled = found.observation.hr_msi[dead] - pair.hr_msi[dead]
    assert np.sqrt(np.mean(filled**2)) < 0.5 * pair.hr_msi.std()


def test_dead_hsi_pixels_are_left_out():
    pair = made_pair()
    dead = np.random.default_rng(1).uniform(size=LR_SHAPE) < 0.05
    spoilt = pair.lr_hsi.copy()
    spoilt[dead] = 1.0
    found = prepared(Pair(spoilt, pair.hr_msi, pair.truth))
    assert not found.use_trust[dead].any()
    assert found.use_trust[~dead].mean() > 0.99
    assert psnr(Pair(spoilt, pair.hr_msi, pair.truth)) > psnr(pair) - 0.5


def test_saturated_pixels_are_raised_by_what_the_hsi_shows():
    pair = made_pair()
    level = np.quantile(pair.hr_msi, 0.94, axis=(0, 1))
    cut = np.minimum(pair.hr_msi, level)
    found = prepared(Pair(pair.lr_hsi, cut, pair.truth))
    assert any("saturated" in note for note in found.notes)
    before = np.sum((cut - pair.hr_msi) ** 2)
    assert np.sum((found.observation.hr_msi - pair.hr_msi) ** 2) < 0.5 * before
    assert np.all(found.observation.hr_msi >= cut.astype(np.float32) - 1e-6)


def test_a_shadow_is_lit_and_a_moved_object_is_not():
    pair = made_pair()
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    disc = np.hypot(rows - 36, columns - 60) < 16
    shadowed = pair.hr_msi * np.where(disc, 0.5, 1.0)[..., None]
    found = prepared(Pair(pair.lr_hsi, shadowed, pair.truth))
    assert any("light differs" in note for note in found.notes)
    core = np.hypot(rows - 36, columns - 60) < 10
    np.testing.assert_allclose(np.median(found.observation.hr_msi[core] / pair.hr_msi[core]), 1.0, atol=0.05)

    moved = pair.hr_msi.copy()
    moved[24:48, 40:64] = pair.hr_msi[48:72, 8:32]
    found = prepared(Pair(pair.lr_hsi, moved, pair.truth))
    assert any("do not show the same" in note for note in found.notes)
    assert not found.use_trust[7:11, 11:15].any()


def test_drowned_bands_are_rebuilt_and_refuse_nothing():
    pair = made_pair()
    rng = np.random.default_rng(0)
    noisy = pair.lr_hsi.copy()
    for band in (3, 11):
        noisy[..., band] += 2 * np.sqrt(np.mean(noisy[..., band] ** 2)) * rng.standard_normal(LR_SHAPE)
    assert noisy.min() < 0
    assert drowned_bands(noisy).tolist() == [3, 11]
    assert drowned_bands(pair.lr_hsi).size == 0
    rebuilt = without_drowned(noisy, np.array([3, 11]))
    for band in (3, 11):
        error = np.mean((rebuilt[..., band] - pair.lr_hsi[..., band]) ** 2)
        assert error < 0.05 * np.var(pair.lr_hsi[..., band])
    clean = run_method(observed(pair), load_config(None, ["method=subspace"])).fused
    fused = run_method(observed(Pair(noisy, pair.hr_msi, pair.truth)), load_config(None, ["method=subspace"])).fused
    before = np.mean((clean - pair.truth) ** 2, axis=(0, 1))
    after = np.mean((fused - pair.truth) ** 2, axis=(0, 1))
    others = np.delete(np.arange(pair.truth.shape[2]), [3, 11])
    assert 10 * np.log10(after[others] / before[others]).max() < 0.3
    # What a drowned band is rebuilt from are the others: far better than nothing.
    assert (after < 0.02 * np.var(pair.truth, axis=(0, 1)))[[3, 11]].all()


@pytest.mark.parametrize("method", ["subspace", "ensemble"])
def test_the_solvers_follow_a_turned_and_shifted_msi(method):
    few = ["ensemble.members=2", "ensemble.features=200"]
    straight = psnr(made_pair(), method, *few)
    assert psnr(made_pair(angle_deg=1.5, shift=(2.5, 0.0)), method, *few) > straight - 1.5


def test_methods_that_know_only_grids_get_the_hsi_where_it_belongs():
    pair, moved = made_pair(), made_pair(shift=(2.0 * SCALE, -1.0 * SCALE))
    laid = on_the_grid(prepared(moved)).lr_hsi
    # Moved by whole LR pixels: the same values, two rows up and one column to the right.
    np.testing.assert_allclose(laid[:-2, 1:], pair.lr_hsi[2:, :-1], atol=0.02)
    clean = on_the_grid(prepared(pair))
    np.testing.assert_array_equal(clean.lr_hsi, pair.lr_hsi.astype(np.float32))


def test_gsa_gains_from_a_prepared_pair_and_says_what_it_cannot_do():
    pair = made_pair(shift=(6.0, -5.0), angle_deg=1.0)

    def run(*options: str) -> FusionResult:
        return run_method(observed(pair), load_config(None, ["method=gsa", *options]))

    def error(result: FusionResult) -> float:
        return float(np.mean((result.fused - pair.truth)[16:-16, 16:-16] ** 2))

    prepared_one, raw = run(), run("preparation.for_all=false")
    assert error(prepared_one) < 0.25 * error(raw)
    assert raw.verdict is not None
    assert raw.notes == (raw.verdict.line,)
    assert any("turned by +1.0" in note for note in prepared_one.notes)
    assert any("interpolated" in note for note in prepared_one.notes)


def test_a_pair_that_is_explained_is_the_very_same():
    cube = dead_leaves_scene(64, 96, 16, 1).hr_hsi
    place = np.arange(SCALE) - (SCALE - 1) / 2
    bell = np.exp(-0.5 * (place / 2.0) ** 2)
    psf = np.outer(bell, bell) / bell.sum() ** 2
    blocks = cube.reshape(16, SCALE, 24, SCALE, 16).astype(np.float64)
    lr_hsi = np.einsum("iajbc,ab->ijc", blocks, psf).astype(np.float32)
    observation = Observation(lr_hsi, (cube @ response().T).astype(np.float32), SCALE)
    found, degradations = examine(observation, SubspaceSettings(), PreparationSettings())
    assert found.observation is observation
    assert found.notes == []
    assert degradations.agreement > 1 - 1e-6


@pytest.mark.parametrize("sigma", [0.5, 1.0])
@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_a_wide_psf_is_no_shading_no_stripes_and_no_stranger(sigma, noise):
    pair = made_pair(noise=noise, sigma=sigma * SCALE)
    found, _ = examine(observed(pair), SubspaceSettings(), PreparationSettings())
    assert found.notes == []
