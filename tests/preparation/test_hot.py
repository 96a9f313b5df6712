"""A value of the HSI far beyond all others reaches nothing; what the scene itself holds stays."""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np
import pytest
from made_up_pairs import SCALE, Pair, made_pair

from paddle_umsft import fuse
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.preparation.hot import hot_pixels, without_hot

ELEMENT = (5, 17, 3)
FAR = np.ones((made_pair().truth.shape[:2]), dtype=bool)
FAR[4 * (5 - 3) : 4 * (5 + 4), 4 * (17 - 3) : 4 * (17 + 4)] = False


def observed(pair: Pair) -> Observation:
    return Observation(pair.lr_hsi.astype(np.float32), pair.hr_msi.astype(np.float32), SCALE)


def fused(lr_hsi: np.ndarray, method: str) -> FusionResult:
    options = ["preparation.for_all=false"] if method == "gsa" else []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the notes are looked at in the result
        return fuse(lr_hsi, made_pair().hr_msi, method=method, overrides=options)


@lru_cache(maxsize=2)
def clean_error(method: str) -> float:
    return error_far(fused(made_pair().lr_hsi, method))


def error_far(result: FusionResult) -> float:
    return float(np.sqrt(np.mean((result.fused - made_pair().truth)[FAR] ** 2)))


# One element hot, one that reads a filling value, a whole pixel, two of them; near the border counts as well.
SPOILT = {
    "one hot value": ([ELEMENT], 30.0),
    "one filling value": ([ELEMENT], -9999.0),
    "a whole pixel": ([np.s_[5, 17, :]], 20.0),
    "two pixels side by side": ([np.s_[5, 17, :], np.s_[5, 18, 2]], 50.0),
}


@pytest.mark.parametrize("method", ["subspace", "gsa"])
@pytest.mark.parametrize("name", SPOILT)
def test_it_reaches_nothing_far_away(name, method):
    places, value = SPOILT[name]
    lr_hsi = made_pair().lr_hsi.copy()
    for place in places:
        lr_hsi[place] = value
    result = fused(lr_hsi, method)
    assert error_far(result) < 1.1 * clean_error(method)
    assert any("(5, 17)" in note and "outliers" in note for note in result.notes)


def test_a_highlight_of_the_scene_is_none():
    pair = made_pair()
    # A lamp: three HR pixels, which the HSI sees as one bright LR pixel.
    truth = pair.truth.copy()
    truth[21, 69:72] = 400.0
    lr_hsi = pair.lr_hsi.copy()
    lr_hsi[5, 17] += 400.0 * 3 / SCALE**2
    hr_msi = pair.hr_msi.copy()
    hr_msi[21, 69:72] = 400.0
    seen = Observation(lr_hsi.astype(np.float32), hr_msi.astype(np.float32), SCALE)
    assert not hot_pixels(seen).any()


def test_a_clean_pair_is_the_very_same():
    seen = observed(made_pair())
    same, notes = without_hot(seen)
    assert same is seen
    assert notes == []


def test_many_wild_values_are_what_the_scene_is_like():
    pair = made_pair()
    lr_hsi = pair.lr_hsi.copy()
    lr_hsi[::4, ::4, 2] = 30.0
    seen = Observation(lr_hsi.astype(np.float32), pair.hr_msi.astype(np.float32), SCALE)
    assert not hot_pixels(seen).any()
