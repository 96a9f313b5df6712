"""White detail of a scene: against noise that was put into every band of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from paddle_umsft.trust.evidence import Evidence, fine_differences
from paddle_umsft.trust.linear import linear_view
from paddle_umsft.trust.white import white_detail

SCALE, HEIGHT, WIDTH, BANDS = 4, 160, 240, 12
# Three bands of the MSI: means of three, four and five bands of the HSI.
SRF = np.repeat(np.eye(3), (3, 4, 5), axis=1) / np.array([[3.0], [4.0], [5.0]])


def block_means(image: np.ndarray) -> np.ndarray:
    height, width, bands = image.shape
    return image.reshape(height // SCALE, SCALE, width // SCALE, SCALE, bands).mean(axis=(1, 3))


def evidence_of(cube: np.ndarray, msi_noise: float = 0.0, hsi_noise: float = 1.0) -> Evidence:
    """A scene seen without any error but noise of the MSI's own, of a known size."""
    rng = np.random.default_rng(9)
    hr_msi = cube @ SRF.T + msi_noise * rng.standard_normal((HEIGHT, WIDTH, 3))
    lr_hsi, lr_msi = block_means(cube), block_means(hr_msi)
    used = np.ones(lr_hsi.shape[:2], dtype=bool)
    return Evidence(
        lr_hsi=lr_hsi,
        hr_msi=hr_msi.astype(np.float32),
        lr_msi=lr_msi,
        fused=cube.astype(np.float32),
        again=lr_hsi,
        srf=SRF,
        white=1 / SCALE,
        linear=linear_view(lr_hsi, lr_msi, used),
        used=used,
        hsi_noise=np.full(BANDS, hsi_noise),
        msi_noise=np.full(3, msi_noise),
    )


def scene(noise: float, seed: int = 0) -> np.ndarray:
    """(H, W, C) smooth fields, edges that all bands share, and noise of each band's own."""
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.standard_normal((HEIGHT, WIDTH, 3)), (12, 12, 0))
    spectra = rng.random((3, BANDS))
    columns = np.arange(WIDTH)[None, :, None]
    shared = (columns // 30 % 2) * np.linspace(0.5, 1.0, BANDS)
    return 20.0 * smooth @ spectra + shared + noise * rng.standard_normal((HEIGHT, WIDTH, BANDS))


@pytest.mark.parametrize("noise", [0.01, 0.05])
def test_noise_that_a_scene_was_recorded_with_is_found_behind_the_srf(noise: float) -> None:
    np.testing.assert_allclose(white_detail(evidence_of(scene(noise))), noise, rtol=0.1)


def test_noise_of_the_msi_alone_is_none_of_the_scene() -> None:
    found = white_detail(evidence_of(scene(0.01), msi_noise=0.05))
    assert np.all(found < 0.03)
    # Taken for the scene's, it would be that over what the SRF leaves.
    assert np.all(white_detail(replace(evidence_of(scene(0.01), msi_noise=0.05), msi_noise=np.zeros(3))) > 0.08)


def test_lr_pixels_say_how_large_it_is_at_most() -> None:
    """A band whose LR pixels hold noise of d has at most s d of it in HR pixels, behind a mean of s x s."""
    seen = evidence_of(scene(0.05), hsi_noise=0.002)
    np.testing.assert_allclose(white_detail(seen), 0.002 * SCALE)


def test_a_smooth_scene_has_none() -> None:
    assert np.all(white_detail(evidence_of(scene(0.0))) < 2e-3)
    assert fine_differences(scene(0.05)).min() > 0.04


def test_a_single_band_is_not_told_from_its_noise() -> None:
    seen = evidence_of(scene(0.05))
    alone = replace(seen, hr_msi=seen.hr_msi[..., :1], lr_msi=seen.lr_msi[..., :1], srf=SRF[:1], msi_noise=np.zeros(1))
    assert not white_detail(alone).any()
