"""From files to cubes: axes that two readings fit, bands left out by every way, units of wavelengths."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest

from paddle_umsft.cameras.observe import simulate
from paddle_umsft.config.data import DataConfig, ObserveConfig
from paddle_umsft.data.checks import check_counted
from paddle_umsft.data.reading import read_pair, read_scene
from paddle_umsft.data.wavelengths import from_names, in_nm
from paddle_umsft.errors import ConfigError, DataError


def cube(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).uniform(0.1, 1, shape)


def save(path: Path, **arrays: np.ndarray) -> str:
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    else:
        np.save(path, next(iter(arrays.values())))
    return str(path)


@pytest.mark.parametrize("shape", [(20, 145, 200), (16, 128, 224), (30, 80, 100), (31, 200, 128)])
def test_strips_are_asked_for(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = save(tmp_path / "a.npy", a=cube(*shape))
    with pytest.raises(DataError, match=r"two ways.*data\.layout=hwc.*chw"):
        read_scene(DataConfig(path=path))
    assert read_scene(DataConfig(path=path, layout="hwc")).hr_hsi.shape == shape
    assert read_scene(DataConfig(path=path, layout="chw")).hr_hsi.shape == (shape[1], shape[2], shape[0])
    named = read_scene(DataConfig(path=path, wavelengths_nm=list(np.linspace(400, 900, shape[2]))))
    assert named.hr_hsi.shape == shape


@pytest.mark.parametrize("shape", [(31, 96, 96), (7, 40, 56), (4, 100, 130), (31, 200, 700)])
def test_bands_first_without_a_doubt(tmp_path: Path, shape: tuple[int, ...]) -> None:
    scene = read_scene(DataConfig(path=save(tmp_path / "a.npy", a=cube(*shape))))
    assert scene.hr_hsi.shape == (shape[1], shape[2], shape[0])


@pytest.mark.parametrize("low", [(16, 20, 31), (31, 16, 20)])
@pytest.mark.parametrize("high", [(64, 80, 3), (3, 64, 80)])
def test_one_image_of_a_pair_tells_the_axes_of_the_other(tmp_path: Path, low: Any, high: Any) -> None:
    paths = {"lr_hsi": save(tmp_path / "l.npy", a=cube(*low)), "hr_msi": save(tmp_path / "h.npy", a=cube(*high))}
    images = read_pair(DataConfig(**paths))
    assert (images.lr_hsi.shape, images.hr_msi.shape) == ((16, 20, 31), (64, 80, 3))
    assert any("their sizes fit only so" in note for note in images.meta["notes"])


def test_a_pair_that_fits_in_two_ways_is_asked_for(tmp_path: Path) -> None:
    low, high = cube(16, 16, 16), cube(64, 64, 3)
    paths = {"lr_hsi": save(tmp_path / "l.npy", a=low), "hr_msi": save(tmp_path / "h.npy", a=high)}
    with pytest.raises(DataError, match=r"data\.lr_layout=hwc"):
        read_pair(DataConfig(**paths))
    turned = read_pair(DataConfig(**paths, lr_layout="chw", normalise="none"))
    np.testing.assert_allclose(turned.lr_hsi, np.moveaxis(low, 0, -1), rtol=1e-6)
    np.testing.assert_allclose(turned.hr_msi, high, rtol=1e-6)


def test_each_image_of_a_pair_has_its_own_normalisation(tmp_path: Path) -> None:
    low, high = cube(16, 20, 31), cube(64, 80, 3) * 255
    paths = {"lr_hsi": save(tmp_path / "l.npy", a=low), "hr_msi": save(tmp_path / "h.npy", a=high)}
    images = read_pair(DataConfig(**paths, normalise=255, lr_normalise="none"))
    np.testing.assert_allclose(images.lr_hsi, low, rtol=1e-6)
    np.testing.assert_allclose(images.hr_msi, high / 255, rtol=1e-6)
    images = read_pair(DataConfig(**paths, hr_normalise="none"))
    assert (images.lr_hsi.max(), images.hr_msi.max() > 200) == (1, True)
    with pytest.raises(ValueError, match="hr_normalise"):
        DataConfig(**paths, hr_normalise=0)


@pytest.mark.parametrize(
    ("setting", "left"),
    [("auto", [1, 4]), ("none", []), ([0, 2], [0, 2, 1]), ([(2, 4)], [2, 3, 1]), ([5, (0, 1)], [0, 5, 1])],
)
def test_bad_bands(tmp_path: Path, setting: Any, left: list[int]) -> None:
    values = cube(20, 24, 6)
    values[:, :, 1] = 0.5  # dead
    bbl = np.array([1, 1, 1, 1, 0, 1])
    path = save(tmp_path / "a.npz", hsi=values, wavelengths_nm=np.linspace(400, 900, 6), bbl=bbl)
    scene = read_scene(DataConfig(path=path, layout="hwc", bad_bands=setting, normalise="none"))
    kept = [band for band in range(6) if band not in left]
    np.testing.assert_allclose(scene.hr_hsi, values[:, :, kept], rtol=1e-6)
    np.testing.assert_allclose(scene.wavelengths_nm, np.linspace(400, 900, 6)[kept])
    assert scene.facts is not None
    assert scene.facts.left_out() == sorted(left)
    assert sum("left out" in note for note in scene.notes) == (0 if setting == "none" else 2)


@pytest.mark.parametrize("setting", [[6], [(4, 7)], [(3, 3)], [-1]])
def test_bad_bands_that_are_none(tmp_path: Path, setting: Any) -> None:
    path = save(tmp_path / "a.npy", a=cube(20, 24, 6))
    with pytest.raises(ConfigError, match="bands from 0 to 5"):
        read_scene(DataConfig(path=path, layout="hwc", bad_bands=setting))


def test_supports_and_tables_count_the_bands_of_the_file(tmp_path: Path) -> None:
    values = cube(16, 24, 8)
    path = save(tmp_path / "a.npz", hsi=values, bbl=np.array([1, 1, 1, 0, 0, 1, 1, 1]))
    srf = np.eye(2, 8, k=1) + np.eye(2, 8, k=5)  # bands 1 and 5, 2 and 6 of the file
    table = save(tmp_path / "srf.npy", a=srf)
    scene = read_scene(DataConfig(path=path, layout="hwc", normalise="none"))
    settings = ObserveConfig(scale=2, srf=table, supports=[(0, 6), (2, 8)])
    case = simulate(scene, settings)
    np.testing.assert_allclose(case.observation.hr_msi[:, :, 1], values[:, :, 2] + values[:, :, 6], rtol=1e-6)
    assert case.observation.supports == ((0, 4), (2, 6))
    with pytest.raises(ConfigError, match=r"supports\[0\].*left out"):
        check_counted([(3, 5)], [0, 1, 2, 5, 6, 7])


@pytest.mark.parametrize(
    ("found", "unit", "nm"),
    [
        ([0.4, 0.7], "", [400, 700]),
        ([400, 700], "", [400, 700]),
        ([0.4, 0.7], "Micrometers", [400, 700]),
        ([0.4, 0.7], "μm", [400, 700]),
        ([0.4, 0.7], "microns", [400, 700]),
        ([400, 700], "nanometrs", [400, 700]),
        ([4000, 7000], "Angstroms", [400, 700]),
        ([4e-7, 7e-7], "m", [400, 700]),
        ([400, 700], "Micrometers", [400, 700]),
        ([0.4, 0.7], "Nanometers", [400, 700]),
        ([0.4, 0.7], "Unknown", [400, 700]),
        ([0.4, np.nan], "um", [400, np.nan]),
        ([25000, 14000], "Wavenumber", None),
        ([1, 2, 3], "", None),
        ([1, 2, 3], "Index", None),
    ],
)
def test_units(found: list[float], unit: str, nm: Optional[list[float]]) -> None:
    converted, notes = in_nm(np.array(found), unit, "a.hdr")
    if nm is None:
        assert converted is None
    else:
        np.testing.assert_allclose(converted, nm)
    assert (len(notes) == 0) == (found == [400, 700] and unit != "Micrometers")


@pytest.mark.parametrize(
    ("names", "numbers", "unit"),
    [
        (["band 1 (418.24 Nanometers)", "band 2 (423.9 Nanometers)"], [418.24, 423.9], "Nanometers"),
        (["Resize (Band 1:x) (426.82) (426.82)", "Resize (Band 2:x) (436.99) (436.99)"], [426.82, 436.99], ""),
        (["418.24 nm", "500 nm"], [418.24, 500], "nm"),
        (["Red", "Green"], None, ""),
        (["band (1)", "band (2)"], None, ""),
        (["450 nm", "Green"], None, ""),
    ],
)
def test_wavelengths_in_names(names: list[str], numbers: Optional[list[float]], unit: str) -> None:
    found, told = from_names(names)
    assert told == unit
    if numbers is None:
        assert found is None
    else:
        np.testing.assert_array_equal(found, numbers)
