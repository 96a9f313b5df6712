"""GSA, SFIM and CNMF: exact where their model holds, better than bicubic elsewhere, upright, blind or not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import convolve1d, gaussian_filter

from paddle_umsft.api import fuse
from paddle_umsft.cameras.given import pair
from paddle_umsft.cameras.psf import box_psf, gaussian_psf
from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.config.data import ObserveConfig
from paddle_umsft.data.scene import Observation
from paddle_umsft.data.synthetic import dead_leaves_scene
from paddle_umsft.methods.baselines.bicubic import fuse_bicubic
from paddle_umsft.methods.baselines.cnmf import extreme_spectra, fuse_cnmf
from paddle_umsft.methods.baselines.gsa import fuse_gsa
from paddle_umsft.methods.baselines.guesses import find_operator, find_psf, find_srf
from paddle_umsft.methods.baselines.sfim import fuse_sfim
from paddle_umsft.metrics import evaluate

SUPPORTS = ((20, 31), (10, 23), (0, 12))
SHARPENERS = [fuse_gsa, fuse_sfim, fuse_cnmf]


def _srf() -> np.ndarray:
    """Three triangular responses, none outside its support."""
    srf = np.zeros((3, 31))
    for band, (start, stop) in enumerate(SUPPORTS):
        response = np.minimum(np.arange(1, stop - start + 1), np.arange(stop - start, 0, -1)).astype(float)
        srf[band, start:stop] = response / response.sum()
    return srf


def _observe(hr_hsi: np.ndarray, psf: np.ndarray, scale: int = 8) -> Observation:
    lr_hsi = SpatialDegradation(psf, scale).forward(hr_hsi).astype(np.float32)
    msi = (hr_hsi @ _srf().T).astype(np.float32)
    return Observation(lr_hsi, msi, scale, "made up", supports=SUPPORTS)


@pytest.fixture(name="leaves", scope="module")
def leaves_fixture() -> np.ndarray:
    """A non-square scene with the statistics of natural images, (64, 96, 31)."""
    return dead_leaves_scene(64, 96, 31, seed=4).hr_hsi


@pytest.mark.parametrize("fuse", SHARPENERS)
@pytest.mark.parametrize("blind", [True, False])
def test_better_than_bicubic(fuse: Any, blind: bool, leaves: np.ndarray) -> None:
    psf = gaussian_psf(8, 3.0, 8)
    observation = _observe(leaves, psf)
    if not blind:
        observation = replace(observation, psf=psf, srf=_srf())
    floor = evaluate(leaves, fuse_bicubic(observation).fused, scale=8)
    result = fuse(observation)
    got = evaluate(leaves, result.fused, scale=8)
    assert result.fused.shape == leaves.shape
    assert result.fused.dtype == np.float32
    assert got["PSNR"] > floor["PSNR"] + 4.0
    assert result.psf is not None
    assert result.psf.sum() == pytest.approx(1.0)
    if not blind:
        np.testing.assert_array_equal(result.psf, psf)


@pytest.mark.parametrize("fuse", [fuse_gsa, fuse_sfim])
def test_exact_where_every_band_is_a_mix_of_the_msi(fuse: Any) -> None:
    """A scene of three materials: three MSI bands tell all, and the sharp partner is the band itself."""
    rng = np.random.default_rng(0)
    # Materials that peak in different MSI bands, so that non-negative mixes can tell them apart too.
    spectra = _srf() + 1e-3
    shares = rng.uniform(0.1, 1.0, (48, 80, 3))
    mixing = spectra @ _srf().T
    hr_hsi = shares @ spectra
    weights = np.linalg.solve(mixing, spectra)
    if fuse is fuse_sfim:
        # SFIM mixes with weights >= 0: build the scene from such.
        weights = np.clip(weights, 0, None)
    msi = shares @ mixing
    hr_hsi = msi @ weights
    psf = box_psf(8)
    lr_hsi = SpatialDegradation(psf, 8).forward(hr_hsi)
    fused = fuse(Observation(lr_hsi, msi, 8, psf=psf)).fused
    np.testing.assert_allclose(fused, hr_hsi, atol=2e-5 * hr_hsi.max(), rtol=2e-4)


def test_cnmf_explains_both_images(leaves: np.ndarray) -> None:
    psf = box_psf(8)
    records: list[dict[str, Any]] = []
    observation = replace(_observe(leaves, psf), psf=psf, srf=_srf())
    result = fuse_cnmf(observation, on_record=records.append)
    assert records == result.history
    assert len(records) == 4
    assert records[-1]["hsi_error"] < 0.05
    assert records[-1]["msi_error"] < 0.05
    assert records[-1]["msi_error"] <= records[0]["msi_error"]
    assert result.fused.min() >= 0
    # What it reports is what the result does.
    again = result.fused @ _srf().T
    error = np.linalg.norm(again - observation.hr_msi) / np.linalg.norm(observation.hr_msi)
    assert error == pytest.approx(records[-1]["msi_error"], rel=1e-3)


@pytest.mark.parametrize("fuse", [fuse_bicubic, *SHARPENERS])
def test_upright_on_a_non_square_scene(fuse: Any) -> None:
    """A bright block in the top right corner stays there."""
    scene = np.full((32, 96, 31), 0.1) + 0.05 * np.random.default_rng(0).uniform(size=(32, 96, 1))
    scene[:8, 80:] = 0.8
    fused = fuse(_observe(scene, box_psf(8))).fused
    assert fused.shape == scene.shape
    assert fused[2:6, 84:92].mean() == pytest.approx(0.8, abs=0.1)
    assert fused[-8:].mean() < 0.3
    assert fused[:, :64].mean() < 0.3


@pytest.mark.parametrize("fuse", [fuse_bicubic, *SHARPENERS])
def test_black_pixels_and_dead_bands_make_no_nan(fuse: Any, leaves: np.ndarray) -> None:
    scene = leaves.astype(np.float64)
    scene[16:40, 16:48] = 0.0
    scene[:, :, 5] = 0.0
    fused = fuse(_observe(scene, box_psf(8))).fused
    assert np.isfinite(fused).all()


@pytest.mark.parametrize("fuse", SHARPENERS)
@pytest.mark.parametrize(("bands", "msi_bands"), [(1, 1), (4, 1), (6, 8)])
def test_any_number_of_bands(fuse: Any, bands: int, msi_bands: int) -> None:
    rng = np.random.default_rng(bands)
    scene = rng.uniform(0.1, 1.0, (16, 24, bands))
    msi = scene @ rng.uniform(size=(bands, msi_bands))
    observation = Observation(SpatialDegradation(box_psf(4), 4).forward(scene), msi, 4)
    assert fuse(observation).fused.shape == scene.shape


def test_guesses_recover_what_fits() -> None:
    scene = np.random.default_rng(0).uniform(size=(64, 96, 31))
    for psf in (box_psf(8), gaussian_psf(8, 0.25 * 8, 8)):
        np.testing.assert_allclose(find_psf(_observe(scene, psf)), psf)
    observation = _observe(scene, box_psf(8))
    np.testing.assert_allclose(find_srf(observation, observation.lr_hsi @ _srf().T), _srf(), atol=1e-4)


def test_at_a_real_border_gaussians_keep_their_tails() -> None:
    """Cut out after the blur, by scipy: a Gaussian of half an LR pixel reaches beyond its own pixel and the picture."""
    scale, edge = 8, 32
    scene = gaussian_filter(np.random.default_rng(4).uniform(size=(128, 160, 31)), (1.5, 1.5, 0))
    offsets = np.arange(-19.5, 20.0)
    line = np.exp(-0.5 * (offsets / (0.5 * scale)) ** 2)
    seen = convolve1d(convolve1d(scene, line / line.sum(), axis=0, origin=-1), line / line.sum(), axis=1, origin=-1)
    inner = scene[edge:-edge, edge:-edge]
    lr_hsi = seen[edge:-edge, edge:-edge][3::scale, 3::scale]
    case = pair(lr_hsi, inner @ _srf().T, ObserveConfig())
    found = find_operator(case.observation)
    assert found.border == "reflect"
    assert np.sum(found.psf**2) == pytest.approx(1 / (4 * np.pi * (0.5 * scale) ** 2), rel=0.01)
    simulated = pair(lr_hsi, inner @ _srf().T, ObserveConfig(border="wrap"))
    assert find_operator(simulated.observation).border == "wrap"
    assert len(find_psf(simulated.observation)) == scale


def test_extreme_spectra_are_the_corners() -> None:
    """Pixels inside a triangle are mixes of its corners: the corners are found."""
    rng = np.random.default_rng(2)
    corners = rng.uniform(size=(3, 9))
    shares = rng.dirichlet(np.ones(3), 200)
    shares[[7, 50, 120]] = np.eye(3)
    found = extreme_spectra(shares @ corners, 3).T
    assert {int(np.argmin(np.linalg.norm(corners - f, axis=1))) for f in found} == {0, 1, 2}
    for spectrum in found:
        assert np.linalg.norm(corners - spectrum, axis=1).min() < 1e-9


def test_a_psf_that_does_not_sum_to_one_is_scaled(leaves: np.ndarray) -> None:
    """As that of a file is; left alone, ones((8, 8)) darkens what is divided by it 64 times."""
    seen = _observe(leaves, box_psf(8))
    results = [fuse(seen.lr_hsi, seen.hr_msi, method="sfim", psf=psf) for psf in (box_psf(8), np.ones((8, 8)))]
    np.testing.assert_allclose(results[1].psf, box_psf(8))
    np.testing.assert_allclose(results[1].fused, results[0].fused, rtol=1e-5, atol=1e-6)
