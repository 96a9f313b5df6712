"""The simulation computes what reference.md says, and says what it did."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest

from paddle_umsft.cameras.given import pair
from paddle_umsft.cameras.observe import simulate
from paddle_umsft.cameras.srf_named import nikon_d700
from paddle_umsft.config.data import DataConfig, ObserveConfig, PsfConfig
from paddle_umsft.data.reading import read_pair, read_scene
from paddle_umsft.data.scene import Scene
from paddle_umsft.data.synthetic import dead_leaves_scene
from paddle_umsft.errors import ConfigError, DataError, UmsftError


def scene(height: int = 24, width: int = 40, bands: int = 31) -> Scene:
    return dead_leaves_scene(height, width, bands, seed=3)


@pytest.mark.parametrize("scale", [4, 8])
def test_published_simulation_pixel_by_pixel(scale: int) -> None:
    """Gaussian s x s, sigma s // 1.5, offsets floor(-(s-1)/2) ..., stride s, no padding; Nikon D700, no noise."""
    case = simulate(scene(), ObserveConfig(scale=scale))
    truth, seen = scene().hr_hsi, case.observation
    start = math.floor(-(scale - 1) / 2)
    weights = np.array(
        [
            [math.exp(-((u + start) ** 2 + (v + start) ** 2) / (2 * (scale // 1.5) ** 2)) for v in range(scale)]
            for u in range(scale)
        ]
    )
    weights /= weights.sum()
    assert seen.lr_hsi.shape == (24 // scale, 40 // scale, 31)
    for i, j, c in itertools.product(range(24 // scale), range(40 // scale), (0, 17, 30)):
        value = sum(weights[u, v] * truth[i * scale + u, j * scale + v, c] for u in range(scale) for v in range(scale))
        assert seen.lr_hsi[i, j, c] == pytest.approx(value, abs=1e-6)
    srf = nikon_d700(31).values
    assert seen.hr_msi[7, 33, 1] == pytest.approx(sum(srf[1, c] * truth[7, 33, c] for c in range(31)), abs=1e-6)
    assert case.reference is not None
    np.testing.assert_array_equal(case.reference, truth)


def test_blind_by_default_and_known_on_demand() -> None:
    blind = simulate(scene(), ObserveConfig())
    assert blind.observation.psf is None
    assert blind.observation.srf is None
    assert blind.observation.scale == 8
    assert blind.observation.supports == ((20, 31), (10, 23), (0, 12))
    known = simulate(scene(), ObserveConfig(known_psf=True, known_srf=True))
    np.testing.assert_array_equal(known.observation.psf, blind.true_psf)
    np.testing.assert_array_equal(known.observation.srf, blind.true_srf)


def test_crop_is_made_and_named() -> None:
    case = simulate(scene(27, 45), ObserveConfig(scale=8))
    assert case.observation.shape == (24, 40)
    assert case.observation.lr_hsi.shape[:2] == (3, 5)
    assert case.reference is not None
    np.testing.assert_array_equal(case.reference, scene(27, 45).hr_hsi[:24, :40])
    assert case.observation.meta["crop"] == [0, 0, 24, 40]
    assert any("27x45 to 24x40" in note for note in case.observation.meta["notes"])
    json.dumps(case.observation.meta)


def test_noise_is_seeded_and_the_images_do_not_share_it() -> None:
    clean = simulate(scene(), ObserveConfig()).observation
    both = simulate(scene(), ObserveConfig(snr_hsi_db=30, snr_msi_db=40), seed=1).observation
    only_msi = simulate(scene(), ObserveConfig(snr_msi_db=40), seed=1).observation
    np.testing.assert_array_equal(both.hr_msi, only_msi.hr_msi)
    np.testing.assert_array_equal(only_msi.lr_hsi, clean.lr_hsi)
    other = simulate(scene(), ObserveConfig(snr_msi_db=40), seed=2).observation
    assert np.abs(other.hr_msi - both.hr_msi).max() > 0
    for name, image, pure, db in (("hsi", both.lr_hsi, clean.lr_hsi, 30), ("msi", both.hr_msi, clean.hr_msi, 40)):
        assert np.std(image - pure) == pytest.approx(both.meta[f"noise_sigma_{name}"], rel=0.15)
        assert both.meta[f"snr_{name}_db"] == db


@pytest.mark.parametrize("bands", [1, 2, 5])
def test_few_bands(bands: int) -> None:
    case = simulate(scene(bands=bands), ObserveConfig(scale=2, srf="uniform", msi_bands=1, psf=PsfConfig(type="box")))
    assert (case.observation.bands, case.observation.msi_bands) == (bands, 1)


@pytest.mark.parametrize(
    ("observe", "kind", "fact"),
    [
        ({"scale": 64}, DataError, "scale is larger than the image"),
        ({"srf": "nikon_d700", "supports": [(0, 5)]}, ConfigError, "one range per MSI band"),
        ({"srf": "uniform", "msi_bands": 99}, ConfigError, "at most 31"),
        ({"srf": "sentinel2", "bands": ["B11"]}, DataError, "outside the scene's wavelengths"),
        ({"srf": "no_such_file.npy"}, DataError, "no such file"),
        ({"psf": {"type": "file", "path": "none.npy"}}, DataError, "no such file"),
    ],
)
def test_refused(observe: dict, kind: type[UmsftError], fact: str) -> None:
    with pytest.raises(kind, match=fact) as caught:
        simulate(scene(), ObserveConfig(**observe))
    assert caught.value.exit_code == (2 if kind is ConfigError else 3)


def test_pair_with_known_physics() -> None:
    seen = simulate(scene(), ObserveConfig()).observation
    case = pair(seen.lr_hsi, seen.hr_msi, ObserveConfig(known_psf=True, known_srf=True), meta={"source": "x"})
    assert case.reference is None
    assert case.observation.psf is not None
    assert case.observation.srf is not None
    assert case.observation.meta["source"] == "x"
    with pytest.raises(DataError, match="MSI bands of the SRF, expected 2, got 3"):
        pair(seen.lr_hsi, seen.hr_msi[:, :, :2], ObserveConfig(known_srf=True))
    with pytest.raises(ConfigError, match="within \\[0, 31\\)"):
        pair(seen.lr_hsi, seen.hr_msi, ObserveConfig(supports=[(0, 5), (3, 32), (1, 2)]))
    with pytest.raises(DataError, match="both images have the same size"):
        pair(seen.hr_msi, seen.hr_msi, ObserveConfig())
    with pytest.raises(DataError, match="are the two files swapped"):
        pair(seen.hr_msi, seen.lr_hsi, ObserveConfig())


@pytest.mark.parametrize("normalise", ["max", "none", "250"])
def test_known_srf_relates_the_images_after_their_normalisation(tmp_path: Path, normalise: str) -> None:
    """Both in one unit: dividing each by its own maximum must not change the physics."""
    truth, srf = 400.0 * scene().hr_hsi.astype(np.float64), nikon_d700(31).values
    lr_hsi = truth.reshape(6, 4, 10, 4, 31).mean(axis=(1, 3))
    np.savez(tmp_path / "p.npz", hsi=lr_hsi, msi=truth @ srf.T)
    both = str(tmp_path / "p.npz")
    data = DataConfig(lr_hsi=both, hr_msi=both, lr_key="hsi", hr_key="msi", normalise=normalise, layout="hwc")
    images = read_pair(data)
    observe = ObserveConfig(known_srf=True)
    seen = pair(images.lr_hsi, images.hr_msi, observe, meta=images.meta).observation
    assert seen.srf is not None
    np.testing.assert_allclose(
        seen.hr_msi.reshape(6, 4, 10, 4, 3).mean(axis=(1, 3)), seen.lr_hsi @ seen.srf.T, rtol=1e-5
    )
    told = " ".join(seen.meta["notes"])
    if normalise == "max":
        assert f"LR-HSI divided by {lr_hsi.max():g}, HR-MSI by {(truth @ srf.T).max():g}" in told
        assert "multiplied by" in told
    else:
        assert "divided" not in told
        assert "bright" not in told


def test_known_srf_in_other_units_is_told() -> None:
    seen = simulate(scene(), ObserveConfig()).observation
    notes = pair(seen.lr_hsi, 100 * seen.hr_msi, ObserveConfig(known_srf=True)).observation.meta["notes"]
    assert "0.00998 times as bright as it is" in notes[-1]


@pytest.mark.parametrize("given", ["scene", "pair"])
def test_srf_of_a_file_follows_bands_that_were_sorted(tmp_path: Path, given: str) -> None:
    """The same scene and SRF with their bands in another order give the same observation."""
    rng = np.random.default_rng(0)
    sorted_scene, srf = scene(24, 40, 8), rng.uniform(0.1, 1.0, (3, 8))
    order = np.array([0, 1, 5, 6, 2, 3, 4, 7])
    nm = np.linspace(400, 700, 8)
    msi = sorted_scene.hr_hsi @ srf.T.astype(np.float32)
    low = sorted_scene.hr_hsi.reshape(6, 4, 10, 4, 8).mean(axis=(1, 3))
    np.savez(tmp_path / "scene.npz", hsi=sorted_scene.hr_hsi[:, :, order], wavelengths_nm=nm[order])
    np.savez(tmp_path / "pair.npz", hsi=low[:, :, order], msi=msi, wavelengths_nm=nm[order])
    np.savetxt(tmp_path / "srf.csv", srf[:, order], delimiter=",")
    observe = {"scale": 4, "srf": str(tmp_path / "srf.csv"), "known_srf": True}
    counted = ObserveConfig(srf="uniform", scale=4, supports=[(0, 2), (2, 5), (5, 8)])
    if given == "scene":
        read = read_scene(DataConfig(path=str(tmp_path / "scene.npz"), layout="hwc", normalise="none"))
        seen = simulate(read, ObserveConfig(**observe)).observation
        np.testing.assert_allclose(seen.hr_msi, msi, rtol=1e-5)
        with pytest.raises(ConfigError, match=r"observe\.supports: band numbers"):
            simulate(read, counted)
    else:
        path = str(tmp_path / "pair.npz")
        data = DataConfig(lr_hsi=path, hr_msi=path, lr_key="hsi", hr_key="msi", layout="hwc", normalise="none")
        images = read_pair(data)
        seen = pair(images.lr_hsi, images.hr_msi, ObserveConfig(**observe), meta=images.meta).observation
        with pytest.raises(ConfigError, match=r"observe\.supports: band numbers"):
            pair(images.lr_hsi, images.hr_msi, counted, meta=images.meta)
    np.testing.assert_allclose(seen.srf, srf)
    assert seen.meta["band_order"] == np.argsort(order).tolist()
    json.dumps(seen.meta)


def test_valid_border_is_the_inside_of_a_larger_simulation() -> None:
    whole = scene(48, 64)
    known = {"scale": 4, "psf": PsfConfig(type="gaussian", size=10, sigma=3.0)}
    wrapped = simulate(whole, ObserveConfig(**known))
    valid = simulate(whole, ObserveConfig(border="valid", **known))
    # Ten taps around four pixels reach three pixels beyond: one LR pixel on every side.
    assert valid.observation.meta["crop"] == [4, 4, 40, 56]
    np.testing.assert_allclose(valid.observation.lr_hsi, wrapped.observation.lr_hsi[1:-1, 1:-1], atol=1e-7)
    np.testing.assert_array_equal(valid.observation.hr_msi, wrapped.observation.hr_msi[4:-4, 4:-4])
    np.testing.assert_array_equal(valid.reference, whole.hr_hsi[4:-4, 4:-4])
    assert "whole LR pixels only" in valid.observation.meta["notes"][-1]


def test_reflected_border_is_the_simulation_of_a_padded_scene() -> None:
    whole = scene(24, 40)
    known = {"scale": 4, "psf": PsfConfig(type="gaussian", size=10, sigma=3.0)}
    reflected = simulate(whole, ObserveConfig(border="reflect", **known))
    padded = np.pad(whole.hr_hsi, ((8, 8), (8, 8), (0, 0)), mode="symmetric")
    larger = simulate(Scene(padded, "padded"), ObserveConfig(**known))
    np.testing.assert_allclose(reflected.observation.lr_hsi, larger.observation.lr_hsi[2:-2, 2:-2], atol=1e-7)


def test_a_psf_without_a_whole_pixel_is_refused() -> None:
    observe = ObserveConfig(scale=4, border="valid", psf=PsfConfig(type="gaussian", size=25, sigma=6.0))
    with pytest.raises(DataError, match=r"size of the scene.*25 HR pixels"):
        simulate(scene(24, 40), observe)
