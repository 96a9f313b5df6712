"""Tone curves with and without a name, rounded to 8 bits, against the light that they were put on."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_pairs import SCALE, WIDTH, Pair, made_pair

from paddle_umsft.config.preparation import PreparationSettings
from paddle_umsft.data.scene import Observation
from paddle_umsft.preparation.prepare import prepare_pair
from paddle_umsft.preparation.prepared import Prepared


def film(light: np.ndarray) -> np.ndarray:
    """A foot in the shadows and a shoulder in the light, over a square root."""
    toe, shoulder, here = (1.0 / (1.0 + np.exp(-6.0 * (np.sqrt(x) - 0.5))) for x in (0.0, 1.0, light))
    return (here - toe) / (shoulder - toe)


CURVES = {
    "gamma 1.8": lambda light: light ** (1 / 1.8),
    "film": film,
    "logarithm": lambda light: np.log1p(50.0 * light) / np.log(51.0),
    "gamma 1.5": lambda light: light ** (1 / 1.5),
}


def prepared(lr_hsi: np.ndarray, hr_msi: np.ndarray) -> Prepared:
    observation = Observation(lr_hsi.astype(np.float32), hr_msi.astype(np.float32), SCALE)
    return prepare_pair(observation, PreparationSettings())


@pytest.mark.parametrize("name", CURVES)
def test_curves_are_named_and_undone(name):
    pair = made_pair()
    light = np.clip(pair.hr_msi / pair.hr_msi.max(), 0.0, 1.0)
    eight_bit = np.round(255 * CURVES[name](light))
    found = prepared(pair.lr_hsi, eight_bit)
    told = "gamma 1.8"
    if name != "gamma 1.8":
        told = "monotone spline"
    assert len(found.notes) == 1
    assert told in found.notes[0]
    undone = found.observation.hr_msi / 255
    undone = undone * np.sum(undone * light) / np.sum(undone**2)
    # Rounding to 8 bits alone leaves 1e-3 of it.
    assert np.sqrt(np.mean((undone - light) ** 2)) < 2.5e-3


def shaded(pair: Pair) -> np.ndarray:
    return pair.hr_msi * np.linspace(0.8, 1.2, WIDTH)[None, :, None]


def saturated(pair: Pair) -> np.ndarray:
    return np.minimum(pair.hr_msi, np.quantile(pair.hr_msi, 0.93))


def constant_added(pair: Pair) -> np.ndarray:
    return pair.hr_msi + np.array([0.05, 0.02, 0.08])


def dead(pair: Pair) -> np.ndarray:
    mask = np.random.default_rng(1).uniform(size=pair.hr_msi.shape) < 0.03
    return np.where(mask, pair.hr_msi.max(), pair.hr_msi)


def noisy(pair: Pair) -> np.ndarray:
    return pair.hr_msi + 0.02 * np.random.default_rng(2).standard_normal(pair.hr_msi.shape)


@pytest.mark.parametrize("effect", [shaded, saturated, constant_added, dead, noisy])
def test_linear_pairs_never_get_a_curve(effect):
    pair = made_pair()
    assert not any("tone curve" in note for note in prepared(pair.lr_hsi, effect(pair)).notes)
