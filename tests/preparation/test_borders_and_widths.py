"""PSF, border and widths by band found on pairs that were made by other means than the package's operators."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import convolve1d, gaussian_filter

from paddle_umsft.cameras.psf_families import sharpness
from paddle_umsft.config.load import load_config
from paddle_umsft.data.scene import Observation
from paddle_umsft.methods.table import run_method
from paddle_umsft.preparation.estimate import estimate
from paddle_umsft.preparation.noise import noise_before_psf, pixel_noise
from paddle_umsft.preparation.outside import without_outside
from paddle_umsft.preparation.psf_fit import charged
from paddle_umsft.preparation.wide_fit import Verdict, WideFit

SCALE, BANDS, EDGE = 4, 12, 32


@pytest.fixture(scope="module")
def large() -> np.ndarray:
    """(144, 160, C) scene of smooth spectra and sharp shapes, larger than the picture by EDGE on every side."""
    rng = np.random.default_rng(3)
    height, width = 80 + 2 * EDGE, 96 + 2 * EDGE
    shares = gaussian_filter(rng.standard_normal((height, width, 5)), (1.5, 1.5, 0))
    shares = np.exp(6.0 * shares / shares.std() * 0.3)
    band = np.arange(BANDS)
    centres = np.linspace(0, BANDS - 1, 5)
    spectra = np.exp(-0.5 * ((band[None, :] - centres[:, None]) / 2.0) ** 2) + 0.1
    cube = shares @ spectra
    return cube / cube.max()


def srf() -> np.ndarray:
    band = np.arange(BANDS)
    response = np.exp(-0.5 * ((band[None, :] - np.array([2.0, 5.5, 9.0])[:, None]) / 1.5) ** 2)
    return response / response.sum(axis=1, keepdims=True)


def observe(large: np.ndarray, sigmas: np.ndarray, wrapped: bool = False) -> Observation:
    """A picture cut out of the scene after, or before, the blur; LR pixels are read at their middle."""
    inner = large[EDGE:-EDGE, EDGE:-EDGE]
    source, mode = (inner, "wrap") if wrapped else (large, "nearest")
    seen = []
    for band, sigma in enumerate(sigmas):
        # The middle of an even LR pixel lies between HR pixels: the mean of four neighbours, a little blur of its own.
        blurred = gaussian_filter(source[..., band], float(np.sqrt(sigma**2 - 0.25)), mode=mode, truncate=6.0)
        quarter = blurred + np.roll(blurred, -1, 0)
        seen.append((quarter + np.roll(quarter, -1, 1)) / 4.0)
    image = np.stack(seen, axis=2)
    image = image if wrapped else image[EDGE:-EDGE, EDGE:-EDGE]
    lr_hsi = image[1::SCALE, 1::SCALE]
    return Observation(
        lr_hsi=lr_hsi.astype(np.float32), hr_msi=(inner @ srf().T).astype(np.float32), scale=SCALE, name="made"
    )


def width_of(psf: np.ndarray) -> float:
    positions = np.arange(len(psf)) - (len(psf) - 1) / 2
    return float(np.sqrt(positions**2 @ psf.sum(axis=0)))


def test_a_user_is_told_what_was_found(large: np.ndarray) -> None:
    sigmas = SCALE * np.linspace(0.35, 0.65, BANDS)
    result = run_method(observe(large, sigmas), load_config("fast"))
    told = " | ".join(result.notes)
    assert "continued beyond its edge" in told
    assert "depends on the wavelength" in told
    first, last = result.extras["psf_sigma_first_last_band"]
    assert first == pytest.approx(sigmas[0], rel=0.08)
    assert last == pytest.approx(sigmas[-1], rel=0.08)
    assert result.extras["border"] == "reflect"


@pytest.mark.parametrize("part", [0.5, 1.0])
def test_real_border_and_wide_psf_are_found(large: np.ndarray, part: float) -> None:
    observation = observe(large, np.full(BANDS, part * SCALE))
    found = estimate(observation, load_config("fast").subspace)
    assert found.border == "reflect"
    assert width_of(found.psf) == pytest.approx(part * SCALE, rel=0.02)
    assert np.allclose(found.srf, srf(), atol=0.05)
    assert found.band_psfs is None


def test_what_the_hsi_does_not_show_asks_for_no_wider_psf(large: np.ndarray) -> None:
    # A fifth of the MSI's variance is none of the HSI's: a wider kernel makes it smaller and explains none of it.
    observation = observe(large, np.full(BANDS, 0.5 * SCALE))
    rng = np.random.default_rng(5)
    foreign = gaussian_filter(rng.standard_normal(observation.hr_msi.shape), (1.5, 1.5, 0))
    foreign *= 0.5 * observation.hr_msi.std(axis=(0, 1)) / foreign.std(axis=(0, 1))
    hr_msi = (observation.hr_msi + foreign).astype(np.float32)
    found = estimate(replace(observation, hr_msi=hr_msi), load_config("fast").subspace)
    assert found.agreement < 0.8
    assert sharpness(found.psf) == pytest.approx(0.5 * SCALE, rel=0.25)


def test_wrapped_border_is_found(large: np.ndarray) -> None:
    found = estimate(observe(large, np.full(BANDS, 0.5 * SCALE), wrapped=True), load_config("fast").subspace)
    assert found.border == "wrap"
    assert width_of(found.psf) == pytest.approx(0.5 * SCALE, rel=0.02)


def test_border_of_a_known_psf_is_found(large: np.ndarray) -> None:
    offsets = np.arange(-10, 10) + 0.5
    line = np.exp(-0.5 * (offsets / (0.5 * SCALE)) ** 2)
    psf = np.outer(line, line) / line.sum() ** 2
    for wrapped, expected in ((False, "reflect"), (True, "wrap")):
        observation = replace(observe(large, np.full(BANDS, 0.5 * SCALE), wrapped), psf=psf)
        assert estimate(observation, load_config("fast").subspace).border == expected


def test_widths_that_grow_with_the_band_are_found(large: np.ndarray) -> None:
    sigmas = SCALE * np.linspace(0.35, 0.65, BANDS)
    found = estimate(observe(large, sigmas), load_config("fast").subspace)
    assert found.band_psfs is not None
    widths = np.array([width_of(psf) for psf in found.band_psfs])
    assert np.allclose(widths, sigmas, rtol=0.08)


def scanned(large: np.ndarray) -> Observation:
    """A detector of one LR pixel that moves down by one while it looks, behind optics; read in LR pixels' middles."""
    seen = gaussian_filter(large, (1.0, 1.0, 0.0), truncate=6.0)
    box = np.ones(SCALE) / SCALE
    # Two boxes make a triangle around a pixel, half a pixel more brings it between two; one box lies there already.
    down = np.convolve(np.convolve(box, box), [0.5, 0.5])
    seen = convolve1d(seen, down, axis=0, origin=-1)
    seen = convolve1d(seen, box, axis=1, origin=-1)
    lr_hsi = seen[EDGE:-EDGE, EDGE:-EDGE][1::SCALE, 1::SCALE]
    inner = large[EDGE:-EDGE, EDGE:-EDGE]
    return Observation(lr_hsi.astype(np.float32), (inner @ srf().T).astype(np.float32), SCALE)


def test_a_scanner_is_found(large: np.ndarray) -> None:
    found = estimate(scanned(large), load_config("fast").subspace)
    assert found.psf_family == "scanner-down"


def test_a_scanner_has_to_be_clearly_ahead() -> None:
    def fit(family: str, criterion: float) -> WideFit:
        return WideFit(np.ones((1, 1)), family, "wrap", Verdict(criterion, 0.0, 1.0))

    # As a tone curve left it of a photograph, and as a scanner is.
    for ahead, best in ((33.0, "gaussian"), (400.0, "scanner-down")):
        fits = [fit("gaussian", -100.0), fit("scanner-down", -100.0 - ahead)]
        assert min(fits, key=charged).family == best


@pytest.mark.parametrize("seed", range(2))
def test_noise_makes_no_scanner(large: np.ndarray, seed: int) -> None:
    # Truly a Gaussian: read between pixels, where LR pixels of even length have their middle.
    offsets = np.arange(-9.5, 10.0)
    line = np.exp(-0.5 * (offsets / (0.35 * SCALE)) ** 2)
    source = large
    if seed % 2:
        source = large[EDGE:-EDGE, EDGE:-EDGE]
    seen = source
    for axis in (0, 1):
        seen = convolve1d(seen, line / line.sum(), axis=axis, origin=-1, mode="wrap")
    edge = (len(source) - 80) // 2
    seen = seen[edge : edge + 80, edge : edge + 96]
    observation = replace(observe(large, np.full(BANDS, 2.0)), lr_hsi=seen[1::SCALE, 1::SCALE])
    rng = np.random.default_rng(seed)
    level = 0.02 * observation.hr_msi.mean()
    noisy = replace(
        observation,
        lr_hsi=(observation.lr_hsi + level * rng.standard_normal(observation.lr_hsi.shape)).astype(np.float32),
        hr_msi=(observation.hr_msi + level * rng.standard_normal(observation.hr_msi.shape)).astype(np.float32),
    )
    found = estimate(noisy, load_config("fast").subspace)
    assert not found.psf_family.startswith(("scanner", "motion"))


def test_what_the_msi_says_of_the_outside_is_taken_off() -> None:
    rng = np.random.default_rng(1)
    response, lift = rng.random((2, 6)), rng.random((6, 2))
    lift = lift @ np.linalg.inv(response @ lift)  # SRF(lift(m)) = m
    inside_picture, outside = rng.random((4, 5, 6)), rng.random((4, 5, 2)) @ lift.T
    share = np.ones((4, 5))
    share[0] = 0.7
    recorded = inside_picture + (1 - share)[..., None] * outside
    cleaned = without_outside(recorded, inside_picture @ response.T, response, lift, share)
    assert np.allclose(cleaned, inside_picture)


def test_noise_before_the_psf_is_the_noise_that_was_added() -> None:
    rng = np.random.default_rng(2)
    offsets = np.arange(16) - 7.5
    line = np.exp(-0.5 * (offsets / 2.0) ** 2)
    psf = np.outer(line, line) / line.sum() ** 2
    noise = 0.01 * rng.standard_normal((240, 320, 3))
    behind = np.stack(
        [
            [np.einsum("ij,ijk->k", psf, noise[r : r + 16, c : c + 16]) for c in range(0, 304, 4)]
            for r in range(0, 224, 4)
        ]
    )
    assert noise_before_psf(behind, psf, 4) == pytest.approx(0.01, rel=0.1)
    assert pixel_noise(noise) == pytest.approx(0.01, rel=0.05)
