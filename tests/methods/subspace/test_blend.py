"""The band-wise mean of the learned map and a linear mix, by what both miss on pixels left out."""

from __future__ import annotations

import numpy as np

from paddle_umsft.cameras.psf import gaussian_psf
from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.config.subspace import SubspaceInput, SubspaceSettings
from paddle_umsft.data.scene import Observation
from paddle_umsft.data.synthetic import dead_leaves_scene
from paddle_umsft.methods.subspace.blend import LinearFit, blend, linear_bands, shares
from paddle_umsft.methods.subspace.method import fuse_subspace


def test_residuals_are_those_of_fits_without_the_pixel():
    rng = np.random.default_rng(0)
    hr_msi = rng.uniform(size=(16, 24, 3))
    operator = SpatialDegradation(gaussian_psf(5, 1.5), 4)
    lr_hsi = rng.uniform(size=(4, 6, 5))
    everywhere = np.ones((4, 6), dtype=bool)
    fitted, left_out = LinearFit(hr_msi, operator, None, everywhere).of(lr_hsi.reshape(24, 5))
    weights, constants = linear_bands(lr_hsi, hr_msi, operator)
    np.testing.assert_allclose(fitted, np.vstack([weights, constants]))
    seen, targets = operator.forward(hr_msi).reshape(24, 3), lr_hsi.reshape(24, 5)
    for pixel in (0, 7, 23):
        others = np.arange(24) != pixel
        inputs = np.column_stack([seen[others], np.ones(23)])
        fit = np.linalg.lstsq(inputs, targets[others], rcond=None)[0]
        np.testing.assert_allclose(left_out[pixel], targets[pixel] - (seen[pixel] @ fit[:-1] + fit[-1]), atol=1e-9)
    whole = np.linalg.lstsq(np.column_stack([seen, np.ones(24)]), targets, rcond=None)[0]
    np.testing.assert_allclose(np.vstack([weights, constants]), whole, atol=1e-9)


def test_shares_of_independent_errors_are_inverse_to_their_variances():
    rng = np.random.default_rng(1)
    one, other = rng.standard_normal((2, 200_000, 1))
    np.testing.assert_allclose(shares(one, 2 * other), 0.8, atol=0.01)
    np.testing.assert_allclose(shares(2 * one, other), 0.2, atol=0.01)
    assert shares(one, 3 * one) == 1  # the same error, larger: nothing to gain
    assert shares(3 * one, one) == 0
    assert shares(one, one) == 1
    assert shares(np.zeros((9, 2)), np.zeros((9, 2))).tolist() == [1, 1]
    assert shares(np.array([[np.nan, 1.0, 1.0]]), np.array([[1.0, np.inf, 0.0]])).tolist() == [1, 1, 0]


def test_each_band_goes_where_it_is_known_better():
    rng = np.random.default_rng(2)
    hr_msi = rng.uniform(size=(64, 96, 2)).astype(np.float32)
    operator = SpatialDegradation(gaussian_psf(8, 3.0), 8)
    linear = 0.5 + hr_msi @ np.array([[0.3], [-0.2]], np.float32)
    curved = hr_msi[..., :1] ** 3
    truth = np.concatenate([linear, curved], axis=2)
    error = 0.1 * rng.standard_normal(truth.shape).astype(np.float32) * np.array([1, 0], np.float32)
    left_out = operator.forward(error).reshape(-1, 2).astype(np.float64)
    result = blend(truth + error, operator.forward(truth), hr_msi, operator, left_out)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, truth, atol=1e-5)


def test_too_few_pixels_for_a_linear_mix_change_nothing():
    hr_msi = np.random.default_rng(3).uniform(size=(8, 8, 4)).astype(np.float32)
    operator = SpatialDegradation(gaussian_psf(4, 1.0), 4)
    fused = hr_msi.copy()
    left_out = np.random.default_rng(4).standard_normal((4, 4)) * 0.01
    np.testing.assert_array_equal(blend(fused, operator.forward(hr_msi) + 1, hr_msi, operator, left_out), hr_msi)


def test_bands_of_little_contrast_gain_and_the_others_lose_nothing():
    scene = dead_leaves_scene(96, 128, 16, 1).hr_hsi.astype(np.float64)
    srf = np.kron(np.eye(4), np.full(4, 0.25))
    quiet = scene @ srf.T @ np.random.default_rng(5).uniform(-0.01, 0.01, (4, 12)) + 0.3
    scene = np.concatenate([scene, quiet], axis=2)
    srf = np.concatenate([srf, np.zeros((4, 12))], axis=1)
    psf = gaussian_psf(9, 4.0)
    lr_hsi = SpatialDegradation(psf, 8).forward(scene)
    seen = Observation(lr_hsi.astype(np.float32), (scene @ srf.T).astype(np.float32), 8, psf=psf, srf=srf)
    errors = []
    for on in (False, True):
        fused = fuse_subspace(seen, SubspaceInput(SubspaceSettings(blend=on)), seed=1).fused
        errors.append(np.sqrt(np.mean((fused - scene) ** 2, axis=(0, 1))))
    assert errors[1][16:].mean() < 0.5 * errors[0][16:].mean()
    assert (errors[1][:16] < 1.02 * errors[0][:16]).all()
