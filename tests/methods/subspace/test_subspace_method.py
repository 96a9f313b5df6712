"""`method: subspace` as a whole."""

from __future__ import annotations

import numpy as np
import pytest

from paddle_umsft.api import fuse
from paddle_umsft.cameras.psf import reference_psf
from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.config.subspace import SubspaceInput, SubspaceSettings
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.data.synthetic import dead_leaves_scene
from paddle_umsft.errors import ConfigError, DataError
from paddle_umsft.methods.baselines.bicubic import fuse_bicubic
from paddle_umsft.methods.subspace.method import fuse_subspace
from paddle_umsft.metrics import evaluate


def observe(scene: np.ndarray, scale: int, true_srf: np.ndarray, true_psf: np.ndarray, **more: object) -> Observation:
    lr_hsi = SpatialDegradation(true_psf, scale).forward(scene.astype(np.float64))
    return Observation(lr_hsi.astype(np.float32), (scene @ true_srf.T).astype(np.float32), scale, **more)


ANY = np.random.default_rng(0).uniform(0.1, 1.0, (8, 12, 3))


def fused_by(observation: Observation, seed: int = 1, **settings: object) -> FusionResult:
    return fuse_subspace(observation, SubspaceInput(SubspaceSettings(**settings)), seed=seed)


def smooth_srf(msi_bands: int, bands: int) -> np.ndarray:
    centres = (np.arange(msi_bands) + 0.5) / msi_bands * bands
    return np.exp(-(((np.arange(bands) - centres[:, None]) / (0.2 * bands)) ** 2)) / bands


def test_a_scene_within_reach_of_the_msi_is_recovered():
    # Three materials, three MSI bands: spectra follow from the MSI, whatever the PSF.
    rng = np.random.default_rng(0)
    abundances = dead_leaves_scene(64, 48, 3, 0).hr_hsi
    scene = abundances @ rng.uniform(0.1, 1.0, (3, 20))
    psf, srf = reference_psf(4, 2.0), smooth_srf(3, 20)
    result = fused_by(observe(scene, 4, srf, psf, psf=psf, srf=srf), rank=3)
    assert np.abs(result.fused - scene).max() < 2e-3 * scene.max()


def test_known_degradations_are_used_as_given():
    scene = dead_leaves_scene(32, 48, 8, 0).hr_hsi
    psf, srf = reference_psf(5, 1.0), smooth_srf(2, 8) * 1.1
    result = fused_by(observe(scene, 4, srf, psf, psf=psf, srf=srf))
    np.testing.assert_array_equal(result.psf, psf)
    np.testing.assert_array_equal(result.srf, srf)
    assert result.extras["psf_family"] == "given"


def test_far_better_than_bicubic_and_consistent_with_both_images():
    scene = dead_leaves_scene(96, 128, 16, 1).hr_hsi
    psf, srf = reference_psf(8, 4.0), smooth_srf(3, 16)
    observation = observe(scene, 8, srf, psf)
    records: list[dict] = []
    result = fuse_subspace(observation, SubspaceInput(SubspaceSettings()), seed=1, on_record=records.append)
    ours = evaluate(scene, result.fused, scale=8)
    other = evaluate(scene, fuse_bicubic(observation).fused, scale=8)
    assert ours["PSNR"] > other["PSNR"] + 8
    assert ours["SAM"] < 0.7 * other["SAM"]
    assert np.abs(result.psf - psf).sum() < 0.01
    assert (
        [entry["stage"] for entry in records]
        == ["estimate", "map", "solve"]
        == [entry["stage"] for entry in result.history]
    )
    again = SpatialDegradation(result.psf, 8).forward(result.fused)
    assert np.sqrt(np.mean((again - observation.lr_hsi) ** 2)) < 0.01 * observation.lr_hsi.mean()
    assert np.sqrt(np.mean((result.fused @ result.srf.T - observation.hr_msi) ** 2)) < 0.01 * observation.hr_msi.mean()
    assert result.fused.dtype == np.float32


def test_the_map_beats_the_plain_start():
    scene = dead_leaves_scene(64, 64, 16, 2).hr_hsi
    observation = observe(scene, 8, smooth_srf(3, 16), reference_psf(8, 4.0))
    with_map = evaluate(scene, fused_by(observation).fused, scale=8)
    without = evaluate(scene, fused_by(observation, map_features=0).fused, scale=8)
    assert with_map["PSNR"] > without["PSNR"] + 1


def test_the_same_seed_gives_the_same_bits():
    scene = dead_leaves_scene(32, 32, 8, 0).hr_hsi
    observation = observe(scene, 4, smooth_srf(3, 8), reference_psf(4, 2.0))
    first, second, other = (fused_by(observation, seed).fused for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("supports", [((12, 16), (5, 11), (0, 5)), ((11, 15), (4, 10), (1, 6))])
def test_supports_a_band_off_do_no_harm(supports):
    scene = dead_leaves_scene(64, 64, 16, 2).hr_hsi
    srf, psf = smooth_srf(3, 16), reference_psf(8, 4.0)
    free = evaluate(scene, fused_by(observe(scene, 8, srf, psf)).fused, scale=8)
    off = evaluate(scene, fused_by(observe(scene, 8, srf, psf, supports=supports)).fused, scale=8)
    assert off["PSNR"] > free["PSNR"] - 0.1


def test_units_do_not_matter():
    scene = dead_leaves_scene(32, 32, 8, 0).hr_hsi
    psf, srf = reference_psf(4, 2.0), smooth_srf(3, 8)
    one = fused_by(observe(scene, 4, srf, psf)).fused
    many = fused_by(observe(scene * 5000, 4, srf, psf)).fused
    assert np.sqrt(np.mean((many / 5000 - one) ** 2)) < 1e-3 * one.max()


@pytest.mark.parametrize(
    ("height", "width", "bands", "msi_bands", "scale"),
    [(8, 8, 3, 1, 2), (4, 6, 1, 1, 2), (8, 16, 4, 2, 8), (64, 32, 40, 4, 32), (12, 18, 31, 3, 6), (30, 20, 6, 6, 5)],
)
def test_tiny_and_odd_scenes_are_fused(height, width, bands, msi_bands, scale):
    scene = dead_leaves_scene(max(height, 8), max(width, 8), max(bands, 2), 0).hr_hsi[:height, :width, :bands]
    srf = smooth_srf(msi_bands, bands)
    observation = observe(scene, scale, srf, reference_psf(scale, scale / 2))
    result = fused_by(observation)
    assert result.fused.shape == (height, width, bands)
    assert np.isfinite(result.fused).all()


@pytest.mark.parametrize("kind", ["dark band", "constant band", "one bright pixel"])
def test_degenerate_images_give_finite_cubes(kind):
    scene = dead_leaves_scene(16, 16, 6, 0).hr_hsi.copy()
    if kind == "dark band":
        scene[..., 2] = 0
    elif kind == "constant band":
        scene[..., 2] = 0.4
    elif kind == "one bright pixel":
        scene[:] = 0
        scene[5, 7] = 1
    result = fused_by(observe(scene, 4, smooth_srf(3, 6), reference_psf(4, 2.0)))
    assert np.isfinite(result.fused).all()


@pytest.mark.parametrize(
    ("lr_hsi", "hr_msi", "scale", "message"),
    [
        (np.zeros((4, 4, 3)), np.ones((8, 8, 2)), 2, "lr_hsi: the image is all zero"),
        (ANY[:4, :4], np.full((8, 8, 2), np.nan), 2, "hr_msi: .*finite numbers only"),
        (ANY[:4, :4], ANY[:8, :12], 2, "pair: .*one whole factor"),
        (ANY[:4, :4], ANY[:8, :8], 4, "4 as told"),
        (np.ones((4, 4)), ANY[:8, :8], 2, "rows, columns, bands"),
    ],
)
def test_bad_images_are_one_line_errors(lr_hsi, hr_msi, scale, message):
    with pytest.raises(DataError, match=message) as caught:
        fused_by(Observation(lr_hsi, hr_msi, scale))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bands", [3, 4, 6])
def test_few_bands_keep_all_their_dimensions(bands):
    scene = dead_leaves_scene(64, 96, bands, 1).hr_hsi
    observation = observe(scene, 4, smooth_srf(3, bands), reference_psf(4, 2.0))
    result = fused_by(observation)
    assert result.extras["rank"] == bands
    plain = evaluate(scene, fuse_bicubic(observation).fused, scale=4)
    ours = evaluate(scene, result.fused, scale=4)
    assert ours["PSNR"] > plain["PSNR"] + 8
    assert ours["SAM"] < 0.5 * plain["SAM"]


def test_images_that_do_not_belong_together_are_told():
    psf, srf = reference_psf(4, 2.0), smooth_srf(3, 16)
    observation = observe(dead_leaves_scene(64, 96, 16, 1).hr_hsi, 4, srf, psf)
    assert fused_by(observation).notes == ()
    stranger = observe(dead_leaves_scene(64, 96, 16, 2).hr_hsi, 4, srf, psf)
    for lr_hsi, more in ((stranger.lr_hsi, {}), (observation.lr_hsi, {"psf": psf, "srf": 9 * srf})):
        result = fused_by(Observation(lr_hsi, observation.hr_msi, 4, **more))
        assert result.extras["agreement"] < 0.9
        assert "explain only" in result.notes[0]
    with pytest.warns(UserWarning, match="do not trust this: the two images do not belong together"):
        fuse(stranger.lr_hsi, observation.hr_msi, config="fast.yml")


def test_values_below_zero_are_data_where_they_are_no_noise():
    observation = observe(dead_leaves_scene(32, 48, 8, 0).hr_hsi, 4, smooth_srf(2, 8), reference_psf(4, 2.0))
    rng = np.random.default_rng(0)
    noisy = observation.lr_hsi + 0.02 * rng.standard_normal(observation.lr_hsi.shape).astype(np.float32)
    assert fused_by(Observation(noisy, observation.hr_msi, 4)).fused.min() >= 0
    # The same scene less a constant in every band of both images: the same result less the constants.
    constants = observation.lr_hsi.mean(axis=(0, 1))
    shifted_msi = observation.hr_msi - observation.hr_msi.mean(axis=(0, 1))
    straight = fused_by(observation).fused
    shifted = fused_by(Observation(observation.lr_hsi - constants, shifted_msi, 4))
    assert shifted.fused.min() < 0
    assert np.sqrt(np.mean((shifted.fused + constants - straight) ** 2)) < 0.1 * straight.std()
    assert any("below zero" in note for note in shifted.notes)


def test_a_window_too_long_for_the_psf_is_refused():
    observation = observe(dead_leaves_scene(32, 48, 8, 0).hr_hsi, 4, smooth_srf(2, 8), reference_psf(4, 2.0))
    with pytest.raises(ConfigError, match=r"subspace.psf_size.*at most 13"):
        fused_by(observation, psf_size=1000)
