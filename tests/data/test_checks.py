"""Checks at the border, and the settings' own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from paddle_umsft.config.data import DataConfig, DemoConfig, ObserveConfig, PsfConfig
from paddle_umsft.data.checks import (
    check_cube,
    check_minimum_size,
    check_pair,
    check_scale,
    check_srf,
    check_supports,
    check_tiling,
    crop_size,
)
from paddle_umsft.errors import ConfigError, DataError


@pytest.mark.parametrize("scale", [1, 0, -4, 2.5, "8", None, True])
def test_scale_out_of_range(scale: Any) -> None:
    with pytest.raises(ConfigError, match=r"observe\.scale") as caught:
        check_scale(scale)
    assert caught.value.exit_code == 2


def test_scale_against_the_image() -> None:
    assert check_scale(np.int64(8)) == 8
    check_tiling((64, 72), 8)
    assert crop_size((67, 79), 8) == (64, 72)
    with pytest.raises(DataError, match="multiples of the scale 8, got 67x79; crop it to 64x72") as caught:
        check_tiling((67, 79), 8)
    assert caught.value.exit_code == 3
    with pytest.raises(DataError, match=r"larger than the image.*64x64.*48x80"):
        check_tiling((48, 80), 64)


@pytest.mark.parametrize(
    ("supports", "fact"),
    [
        ([(0, 5), (5, 5), (1, 2)], r"supports\[1\]: empty range"),
        ([(0, 5), (7, 3), (1, 2)], r"supports\[1\]: empty range"),
        ([(0, 5), (3, 32), (1, 2)], r"supports\[1\].*\[0, 31\).*\[3, 32\)"),
        ([(-1, 5), (3, 9), (1, 2)], r"supports\[0\].*outside"),
        ([(0, 5)], "one range per MSI band"),
        ([], "one range per MSI band"),
        ([(0, 5), (0, 1, 2), (1, 2)], r"supports\[1\].*two whole numbers"),
        ([(0, 5), (0, 1.5), (1, 2)], r"supports\[1\].*two whole numbers"),
        ([1, 2, 3], r"supports\[0\].*two whole numbers.*got 1"),
        ([None, (0, 5), (1, 2)], r"supports\[0\].*got None"),
        (3, r"one \[a, b\) per MSI band, got 3"),
        ("abc", r"got 'abc'"),
        (np.array(3), r"one \[a, b\) per MSI band, got array"),
        ({0: (1, 2), 1: (1, 2), 2: (3, 4)}, r"one \[a, b\) per MSI band, got \{"),
    ],
)
def test_supports(supports: Any, fact: str) -> None:
    with pytest.raises(ConfigError, match=fact):
        check_supports(supports, 31, 3)
    assert check_supports([[20, 31], np.array([10, 23])], 31) == ((20, 31), (10, 23))
    assert check_supports(iter([[20, 31], [10, 23]]), 31, 2) == ((20, 31), (10, 23))


@pytest.mark.parametrize(
    ("low", "high"), [((68, 68), (512, 512)), ((16, 16), (128, 64)), ((16, 15), (128, 128)), ((16, 16), (8, 8))]
)
def test_pair(low: tuple[int, int], high: tuple[int, int]) -> None:
    with pytest.raises(DataError) as caught:
        check_pair(low, high)
    assert f"LR-HSI {low[0]}x{low[1]} against HR-MSI {high[0]}x{high[1]}" in str(caught.value)
    assert check_pair((16, 20, 31), (128, 160, 3)) == 8


def test_minimum_size() -> None:
    check_minimum_size((128, 128))
    with pytest.raises(DataError, match="at least 128x128, got 128x120"):
        check_minimum_size((128, 120))


def test_cube_and_srf() -> None:
    good = np.arange(24.0).reshape(2, 3, 4)
    assert check_cube(good, "x") is good
    with pytest.raises(DataError, match="empty"):
        check_cube(np.zeros((0, 3, 4)), "x")
    with pytest.raises(DataError, match=r"MSI band 1 .*all zero"):
        check_srf(np.array([[1.0, 0], [0, 0]]))
    with pytest.raises(DataError, match="expected 3 as in the scene, got 2"):
        check_srf(np.ones((4, 2)), 3)
    with pytest.raises(DataError, match="MSI bands of the SRF, expected 3, got 4"):
        check_srf(np.ones((4, 2)), 2, msi_bands=3)


@pytest.mark.parametrize(
    ("section", "values", "fact"),
    [
        (DataConfig, {"crop": [0, 0, 5]}, "height, width"),
        (DataConfig, {"crop": [-1, 0, 5, 5]}, "top, left >= 0"),
        (DataConfig, {"normalise": 0}, "> 0"),
        (DataConfig, {"normalise": -3.0}, "> 0"),
        (DataConfig, {"normalise": True}, "number > 0"),
        (DataConfig, {"normalise": "maximum"}, "max"),
        (DataConfig, {"layout": "bsq"}, "hwc"),
        (DataConfig, {"wavelengths_nm": [500]}, "first, last"),
        (DataConfig, {"wavelengths_nm": [500, 500]}, "twice"),
        (DataConfig, {"wavelengths_nm": [400, float("nan")]}, "positive"),
        (DataConfig, {"wavelengths_nm": [0.4, 0.7]}, "micrometres"),
        (DataConfig, {"lr_hsi": "a.npy"}, "belong together"),
        (DataConfig, {"pth": "a.npy"}, "Extra inputs"),
        (DemoConfig, {"height": 0}, "greater"),
        (PsfConfig, {"type": "file"}, "needs a path"),
        (PsfConfig, {"sigma": 0}, "greater"),
        (PsfConfig, {"size": 0}, "greater"),
        (ObserveConfig, {"scale": 1}, "above 1"),
        (ObserveConfig, {"scale": -8}, "above 1"),
        (ObserveConfig, {"scale": float("inf")}, "1024 at most"),
        (ObserveConfig, {"supports": [(5, 5)]}, r"\[5, 5\)"),
        (ObserveConfig, {"supports": []}, "one range"),
        (ObserveConfig, {"bands": ["B2", "B2"]}, "each once"),
        (ObserveConfig, {"snr_hsi_db": 1e9}, "less than"),
    ],
)
def test_settings_refuse(section: type, values: dict, fact: str) -> None:
    with pytest.raises(ValidationError, match=fact):
        section(**values)


def test_settings_survive_a_round_trip() -> None:
    data = DataConfig(normalise=None, crop=[1, 2, 3, 4], wavelengths_nm=[400, 700])
    assert data.normalise == "none"
    assert DataConfig(**data.model_dump(mode="json")) == data
    observe = ObserveConfig(supports=[(0, 3)], psf={"type": "gaussian", "sigma": 2})
    assert ObserveConfig(**observe.model_dump(mode="json")) == observe
