"""`method: ensemble`: the refinement in closed form; the base is never given up for something worse."""

from __future__ import annotations

import numpy as np
import pytest

from paddle_umsft.cameras.psf import reference_psf
from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.config.ensemble import EnsembleSettings
from paddle_umsft.config.subspace import SubspaceInput, SubspaceSettings
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.data.synthetic import dead_leaves_scene
from paddle_umsft.methods.subspace import ensemble as ensemble_method
from paddle_umsft.methods.subspace.ensemble import EnsembleInput, fuse_ensemble, refine_radius
from paddle_umsft.methods.subspace.method import fuse_subspace
from paddle_umsft.methods.subspace.refine import guided_refine
from paddle_umsft.methods.subspace.stack import ONE_MAP_HALF_BELIEVED
from paddle_umsft.metrics import evaluate


def observe(height: int, width: int, bands: int, scale: int, seed: int = 0) -> tuple[np.ndarray, Observation]:
    scene = dead_leaves_scene(height, width, bands, seed).hr_hsi
    centres = np.array([0.8, 0.5, 0.2]) * bands
    srf = np.exp(-(((np.arange(bands) - centres[:, None]) / (0.2 * bands)) ** 2)) / bands
    lr_hsi = SpatialDegradation(reference_psf(scale, scale / 2), scale).forward(scene.astype(np.float64))
    return scene, Observation(lr_hsi.astype(np.float32), (scene @ srf.T).astype(np.float32), scale)


def fused_by(observation: Observation, seed: int = 1, **settings: object) -> FusionResult:
    members = EnsembleSettings(**{"members": 4, "features": 200, **settings})
    return fuse_ensemble(observation, EnsembleInput(ensemble=members, subspace=SubspaceSettings()), seed=seed)


def test_refinement_keeps_what_is_affine_in_the_guide():
    rng = np.random.default_rng(0)
    guide = rng.uniform(size=(20, 30, 3))
    coeffs = guide @ rng.standard_normal((3, 4)) + rng.standard_normal(4)
    np.testing.assert_allclose(guided_refine(guide, coeffs, 3, 1e-8), coeffs, atol=1e-3)


def test_refinement_without_a_guide_is_a_mean_of_means():
    coeffs = np.random.default_rng(0).uniform(size=(9, 9, 1))
    refined = guided_refine(np.zeros((9, 9, 2)), coeffs, 1, 1e-3)
    weights = np.outer([1, 2, 3, 2, 1], [1, 2, 3, 2, 1]) / 81
    assert refined[4, 4, 0] == pytest.approx(np.sum(weights * coeffs[2:7, 2:7, 0]), rel=1e-5)


def test_refinement_sharpens_a_blurred_edge():
    guide = np.zeros((32, 32, 1))
    guide[:, 16:] = 1
    blurred = np.clip((np.arange(32) - 12) / 8, 0, 1)[None, :, None] * np.ones((32, 1, 1))
    refined = guided_refine(guide, blurred, 8, 1e-4)
    assert blurred[16, 16, 0] - blurred[16, 15, 0] == pytest.approx(0.125)
    assert refined[16, 16, 0] - refined[16, 15, 0] > 0.5


@pytest.mark.parametrize(("scale", "radius"), [(2, 2), (8, 4), (32, 8)])
def test_the_window_follows_the_scale(scale, radius):
    assert refine_radius(EnsembleSettings(), scale) == radius
    assert refine_radius(EnsembleSettings(refine_radius=5), scale) == 5


def test_better_than_the_base_on_a_made_up_scene():
    scene, observation = observe(96, 128, 16, 8)
    base = evaluate(scene, fuse_subspace(observation, SubspaceInput(SubspaceSettings()), seed=1).fused, scale=8)
    result = fused_by(observation)
    best = evaluate(scene, result.fused, scale=8)
    assert best["PSNR"] > base["PSNR"] + 0.3
    assert best["SAM"] < base["SAM"]
    assert result.extras["ensemble_held_out_rmse"] < result.extras["base_held_out_rmse"]
    assert [entry["stage"] for entry in result.history] == ["estimate", "base", "ensemble", "refine"]


def test_an_ensemble_that_predicts_worse_is_thrown_away(monkeypatch):
    scene, observation = observe(48, 64, 12, 4)

    def rubbish(ground, settings, seed):
        pixels = ground.lr_hsi.shape[0] * ground.lr_hsi.shape[1]
        return np.full((48, 64, ground.rank), 7.0, dtype=np.float32), np.ones((pixels, ground.rank))

    base = evaluate(scene, fuse_subspace(observation, SubspaceInput(SubspaceSettings()), seed=1).fused, scale=4)
    monkeypatch.setattr(ensemble_method, "ensemble", rubbish)
    # With one map left the trial is believed as with one map.
    monkeypatch.setattr(ensemble_method, "HALF_BELIEVED", ONE_MAP_HALF_BELIEVED)
    result = fused_by(observation, refine_radius=0)
    assert not result.extras["ensemble_kept"]
    assert evaluate(scene, result.fused, scale=4)["PSNR"] > base["PSNR"] - 0.1


def test_a_refinement_that_breaks_the_lr_pixels_is_thrown_away(monkeypatch):
    _, observation = observe(48, 64, 12, 4)
    monkeypatch.setattr(ensemble_method, "guided_refine", lambda guide, coeffs, radius, ridge: coeffs + 1.0)
    assert fused_by(observation).extras["refined"] == 0


def test_the_number_of_threads_does_not_change_the_result():
    _, observation = observe(32, 48, 8, 4)
    one = fused_by(observation, threads=1).fused
    two = fused_by(observation, threads=2).fused
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, fused_by(observation, seed=2).fused)


@pytest.mark.parametrize(("height", "width", "bands", "scale"), [(8, 8, 3, 2), (64, 32, 40, 32), (12, 20, 5, 4)])
def test_tiny_scenes_are_fused(height, width, bands, scale):
    _, observation = observe(height, width, bands, scale)
    fused = fused_by(observation, members=2).fused
    assert fused.shape == (height, width, bands)
    assert np.isfinite(fused).all()
