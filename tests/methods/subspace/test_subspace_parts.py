"""The parts of the subspace solver against closed forms and independent computations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import uniform_filter
from scipy.stats import multivariate_normal

from paddle_umsft.cameras.psf import box_psf, gaussian_psf, motion_psf, reference_psf
from paddle_umsft.cameras.spatial import SpatialDegradation, patches
from paddle_umsft.config.subspace import SubspaceSettings
from paddle_umsft.data.scene import Observation
from paddle_umsft.data.synthetic import dead_leaves_scene
from paddle_umsft.errors import ConfigError, DataError
from paddle_umsft.methods.subspace.leftover import add_leftover, share_of_signal
from paddle_umsft.methods.subspace.map_features import Features, Kernel, PixelInputs
from paddle_umsft.methods.subspace.rank import choose_rank
from paddle_umsft.methods.subspace.refine import window_mean
from paddle_umsft.methods.subspace.solve import CoefficientProblem, edge_weights
from paddle_umsft.methods.subspace.spectral_map import RIDGES, fit_map
from paddle_umsft.preparation.estimate import estimate
from paddle_umsft.preparation.psf_fit import fit_psf
from paddle_umsft.preparation.srf_fit import fit_srf

WHOLE = [(0, 16)] * 3


def made_up(height: int = 64, width: int = 96, bands: int = 16, seed: int = 0) -> np.ndarray:
    return dead_leaves_scene(height, width, bands, seed).hr_hsi.astype(np.float64)


def made_up_srf(bands: int = 16) -> np.ndarray:
    centres = np.array([0.8, 0.5, 0.2]) * (bands - 1)
    return np.exp(-(((np.arange(bands) - centres[:, None]) / (0.15 * bands)) ** 2)) / bands


@pytest.mark.parametrize("size", [3, 4, 5, 8, 9])
def test_patches_are_what_the_psf_weighs(size):
    psf = np.random.default_rng(size).uniform(size=(size, size))
    image = np.random.default_rng(0).standard_normal((24, 32, 3))
    weighed = (patches(image, size, 4) @ psf.ravel()).T.reshape(6, 8, 3)
    np.testing.assert_allclose(weighed, SpatialDegradation(psf, 4).forward(image), atol=1e-10)


def test_srf_is_recovered_without_noise():
    scene, srf = made_up(), made_up_srf()
    found = fit_srf(scene, scene @ srf.T, WHOLE)
    assert np.linalg.norm(found - srf) < 0.01 * np.linalg.norm(srf)
    assert found.min() >= 0


def test_srf_is_zero_outside_its_support():
    scene, srf = made_up(), made_up_srf()
    found = fit_srf(scene, scene @ srf.T, [(8, 16), (4, 12), (0, 8)])
    outside = [found[0, :8], found[1, :4], found[1, 12:], found[2, 8:]]
    assert not any(part.any() for part in outside)


@pytest.mark.parametrize(
    ("psf", "family", "tolerance"),
    [
        (reference_psf(8, 5.0), "gaussian", 1e-3),
        (reference_psf(8, 2.5), "gaussian", 1e-3),
        (gaussian_psf(16, 4.0, 8), "gaussian", 1e-3),
        (np.pad(box_psf(6), 1), "box", 1e-3),
        (motion_psf(8, 30.0), None, 0.05),
    ],
)
def test_psf_is_recovered_with_the_srf_unknown(psf, family, tolerance):
    scene, srf = made_up(128, 192), made_up_srf()
    lr_hsi = SpatialDegradation(psf, 8).forward(scene)
    found = fit_psf(lr_hsi, scene @ srf.T, 8, WHOLE)
    assert family in (None, found.family)
    assert found.psf.sum() == pytest.approx(1.0)
    assert found.psf.min() >= 0
    again = SpatialDegradation(found.psf, 8).forward(scene)
    assert np.abs(again - lr_hsi).max() < tolerance * np.abs(lr_hsi).max()
    if found.psf.shape == psf.shape:
        assert np.abs(found.psf - psf).sum() < 10 * tolerance


def test_psf_with_a_known_srf_and_noise():
    rng = np.random.default_rng(3)
    scene, srf, psf = made_up(128, 128), made_up_srf(), reference_psf(8, 4.0)
    lr_hsi = SpatialDegradation(psf, 8).forward(scene)
    lr_hsi = lr_hsi + 0.003 * lr_hsi.mean() * rng.standard_normal(lr_hsi.shape)
    found = fit_psf(lr_hsi, scene @ srf.T, 8, WHOLE, srf=srf)
    assert np.abs(SpatialDegradation(found.psf, 8).forward(scene) - lr_hsi).mean() < 0.01 * lr_hsi.mean()


def test_a_first_look_goes_no_further_where_no_psf_explains_the_pair():
    scene = dead_leaves_scene(96, 96, 12, 2).hr_hsi
    srf = np.random.default_rng(4).random((3, 12))
    whole = ((0, 12),) * 3
    psf = gaussian_psf(16, 3.0)
    lr_hsi = SpatialDegradation(psf, 8, "reflect").forward(scene)
    seen = fit_psf(lr_hsi, scene @ srf.T, 8, whole, first_look=True)
    assert not seen.rough
    other = fit_psf(lr_hsi, scene[::-1] @ srf.T, 8, whole, first_look=True)
    assert other.rough
    assert other.family in ("gaussian", "gaussian-uncut")


def test_supports_that_contradict_the_data_are_overruled_unless_trusted():
    scene, srf, psf = made_up(), made_up_srf(), reference_psf(4, 2.0)
    lr_hsi = SpatialDegradation(psf, 4).forward(scene).astype(np.float32)
    wrong = ((13, 16), (7, 9), (0, 2))
    observation = Observation(lr_hsi, (scene @ srf.T).astype(np.float32), 4, supports=wrong)
    checked = estimate(observation, SubspaceSettings())
    assert checked.supports == "overruled"
    assert np.linalg.norm(checked.srf - srf) < 0.05 * np.linalg.norm(srf)
    trusted = estimate(observation, SubspaceSettings(supports="trust"))
    assert trusted.supports == "as given"
    assert not trusted.srf[0, :13].any()
    assert trusted.residual > 10 * checked.residual


def test_bad_supports_and_shapes_are_one_line_errors():
    images = np.ones((4, 4, 5)), np.ones((8, 8, 2)), 2
    with pytest.raises(DataError, match=r"MSI bands of the SRF, expected 2, got 3"):
        estimate(Observation(*images, srf=np.ones((3, 5))), SubspaceSettings())
    with pytest.raises(DataError, match="shape of the PSF"):
        estimate(Observation(*images, psf=np.ones((3, 2))), SubspaceSettings())
    with pytest.raises(ConfigError, match="one range per MSI band"):
        estimate(Observation(*images, supports=((0, 3),)), SubspaceSettings())
    with pytest.raises(ConfigError, match="outside the bands"):
        estimate(Observation(*images, supports=((0, 3), (2, 6))), SubspaceSettings())


def test_rank_counts_what_stands_out_of_the_noise():
    rng = np.random.default_rng(0)
    pixels = rng.uniform(size=(500, 4)) @ rng.uniform(size=(4, 40)) + 0.01 * rng.standard_normal((500, 40))
    rank, noise = choose_rank(pixels, 20)
    assert rank == 4
    np.testing.assert_allclose(noise, 0.01, rtol=0.2)
    assert choose_rank(pixels, 3)[0] == 3


def test_left_out_residuals_are_those_of_fits_without_the_pixel():
    rng = np.random.default_rng(0)
    design, targets = rng.standard_normal((30, 8)), rng.standard_normal((30, 2))
    fit = fit_map(design, targets)
    ridge = fit.ridges * np.sum(design**2) / len(design)
    for column in range(2):
        for row in (0, 17):
            rest = np.delete(np.arange(30), row)
            gram = design[rest].T @ design[rest] + ridge[column] * np.eye(8)
            weights = np.linalg.solve(gram, design[rest].T @ targets[rest, column])
            left_out = targets[row, column] - design[row] @ weights
            assert fit.left_out[row, column] == pytest.approx(left_out, rel=1e-6)


@pytest.mark.parametrize("size", [4, 7])
def test_blurred_features_are_the_psf_of_the_features(size):
    msi = made_up(24, 32, 8)[:, :, :3].astype(np.float32)
    psf = np.random.default_rng(0).uniform(size=(size, size))
    operator = SpatialDegradation(psf / psf.sum(), 4)
    features = Features(PixelInputs.of(msi), Kernel(), 10, np.random.default_rng(0))
    whole = operator.forward(features.rows(np.arange(24)))
    np.testing.assert_allclose(features.blurred(operator), whole.reshape(-1, 10), atol=1e-5)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_that_share_the_pixels_add_the_same_bits(threads: int):
    rng = np.random.default_rng(3)
    msi = rng.random((61, 45, 3), dtype=np.float32)
    features = Features(PixelInputs.of(msi), Kernel(), 130, rng)
    weights = rng.random((130, 4), dtype=np.float32)
    made = np.ones((61, 45, 4), dtype=np.float32)
    features.add_mapped(made, weights, threads)
    expected = 1.0 + features.rows(np.arange(61)).astype(np.float64) @ weights
    assert made == pytest.approx(expected, abs=1e-5)
    alone = np.ones_like(made)
    features.add_mapped(alone, weights)
    np.testing.assert_array_equal(made, alone)


@pytest.mark.parametrize(("tail", "nu"), [(3.0, 1.5), (5.0, 2.5)])
def test_features_are_those_of_a_matern_kernel(tail, nu):
    """GPML 4.17, scaled by the brightness of both pixels."""
    msi = made_up(6, 9, 8)[:, :, :3]
    inputs = PixelInputs.of(msi)
    features = Features(inputs, Kernel(tail=tail, weight=0.7), 200_000, np.random.default_rng(0))
    values = features.rows(np.arange(6)).reshape(54, -1)[::5]
    points = features.points.reshape(54, -1)[::5].astype(np.float64)
    shading = (inputs.brightness / inputs.level).reshape(54)[::5].astype(np.float64)
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    scaled = np.sqrt(2 * nu) * distance
    polynomial = 1 + scaled + (scaled**2 / 3 if nu == 2.5 else 0)
    expected = 0.7 * np.outer(shading, shading) * polynomial * np.exp(-scaled)
    np.testing.assert_allclose(values @ values.T, expected, atol=0.01 * expected.max())


def test_map_is_the_gaussian_process_of_the_book():
    """Mean (GPML 2.25) and log marginal likelihood (2.30) in function space, from the kernel matrix itself."""
    rng = np.random.default_rng(1)
    design, targets = rng.standard_normal((12, 30)), rng.standard_normal((12, 1))
    fit = fit_map(design, targets, caution=1.0)
    level = np.sum(design**2) / len(design)

    def log_likelihood(ridge: float) -> float:
        kernel = design @ design.T + ridge * level * np.eye(12)
        prior_variance = (targets.T @ np.linalg.solve(kernel, targets)).item() / 12
        return multivariate_normal(np.zeros(12), prior_variance * kernel).logpdf(targets[:, 0])

    likelihoods = [log_likelihood(ridge) for ridge in RIDGES]
    best = int(np.argmax(likelihoods))
    assert fit.ridges[0] == pytest.approx(RIDGES[best])
    # Up to the terms that depend on the number of pixels alone.
    assert fit.evidence - 6 * (np.log(2 * np.pi) + 1) == pytest.approx(likelihoods[best])
    new = rng.standard_normal((4, 30))
    kernel = design @ design.T + RIDGES[best] * level * np.eye(12)
    mean = new @ design.T @ np.linalg.solve(kernel, targets)
    np.testing.assert_allclose(new @ fit.weights, mean, atol=1e-6)


def test_conjugate_gradients_agree_with_a_dense_solution():
    rng = np.random.default_rng(0)
    operator = SpatialDegradation(reference_psf(2, 1.0), 2)
    msi = rng.uniform(size=(6, 4, 2))
    problem = CoefficientProblem(
        operator,
        rng.uniform(size=(2, 3)),
        rng.uniform(size=(3, 2, 3)).astype(np.float32),
        msi.astype(np.float32),
        rng.uniform(size=(6, 4, 3)),
        lr_weight=1.0,
        msi_weight=2.0,
        smoothness=np.array([0.1, 0.2, 0.3]),
        edges=edge_weights(msi, 0.1),
        pull=np.array([0.1, 0.1, 0.2]),
    )
    columns = [problem.apply(unit.reshape(6, 4, 3)) for unit in np.eye(72, dtype=np.float32)]
    matrix = np.stack([column.ravel() for column in columns], axis=1).astype(np.float64)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-5)
    dense = problem.prior.ravel() + np.linalg.solve(matrix, problem.right.ravel())
    solved, curve = problem.solve(100, tolerance=1e-7)
    np.testing.assert_allclose(solved.ravel(), dense, atol=1e-4)
    assert curve[-1] < 1e-5


@pytest.mark.parametrize("radius", [1, 4, 8])
def test_window_means_are_those_of_scipy(radius):
    image = np.random.default_rng(3).random((70, 90, 2, 3)).astype(np.float32)
    expected = uniform_filter(image.astype(np.float64), (2 * radius + 1, 2 * radius + 1, 1, 1), mode="reflect")
    np.testing.assert_allclose(window_mean(image, radius), expected, atol=1e-6)


def test_share_of_signal_tells_smooth_from_noise():
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:20, :30] / 30.0
    smooth = np.sin(4 * x + 2 * y)
    noise = rng.standard_normal((20, 30, 40))
    assert share_of_signal(np.dstack([smooth, 1e-6 * smooth])).min() > 0.9
    assert share_of_signal(noise).mean() < 0.01
    mixed = share_of_signal(smooth[..., None] + 0.5 * noise)
    assert 0.2 < mixed.mean() < 0.9
    assert not share_of_signal(np.zeros((20, 30, 2))).any()
    assert not share_of_signal(noise[:4, :5]).any()  # too small to tell


def test_leftover_brings_back_what_the_subspace_cannot_hold():
    truth = made_up()
    y, x = np.mgrid[: truth.shape[0], : truth.shape[1]] / 30.0
    beyond = 0.2 + 0.1 * np.sin(2 * x + y)
    operator = SpatialDegradation(gaussian_psf(8, 3.0), 8)
    fused = truth.astype(np.float32)
    truth[..., 5] += beyond
    lr_hsi = operator.forward(truth)
    before = np.sqrt(np.mean((fused - truth) ** 2))
    others = fused[..., :5].copy()
    missed = add_leftover(fused, lr_hsi, operator)
    assert fused.dtype == np.float32
    assert np.sqrt(np.mean((fused - truth) ** 2)) < 0.1 * before
    np.testing.assert_allclose(fused[..., :5], others, atol=1e-5)
    assert missed.shape == lr_hsi.shape[:2]
    assert np.sqrt(missed.mean()) < 0.1 * before
