"""Bands that say the same are one band: a grey picture saved as RGB is fused as the grey picture."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_pairs import SCALE, made_pair

from paddle_umsft.config.load import load_config
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.methods.table import run_method
from paddle_umsft.preparation.same_bands import groups_of, with_bands_once

RNG_SEED = 2


def grey() -> np.ndarray:
    return np.round(255 * made_pair().truth[..., 3:12].mean(axis=2)) / 255


def copies() -> dict[str, np.ndarray]:
    """The same picture three times, as files bring it."""
    rng = np.random.default_rng(RNG_SEED)
    one = grey()
    noise = rng.integers(-1, 2, size=(*one.shape, 3)) / 255
    return {
        "the very same": np.stack([one, one, one], axis=2),
        "other gains": np.stack([one, 0.5 * one, 0.1 + 0.9 * one], axis=2),
        "rounded or compressed": np.clip(one[..., None] + noise, 0, 1),
    }


def fused(hr_msi: np.ndarray, method: str) -> FusionResult:
    pair = made_pair()
    observation = Observation(pair.lr_hsi.astype(np.float32), hr_msi.astype(np.float32), SCALE)
    return run_method(observation, load_config(None, [f"method={method}", "preparation.for_all=false"]))


def psnr(result: FusionResult) -> float:
    return float(-10 * np.log10(np.mean((result.fused - made_pair().truth) ** 2)))


@pytest.mark.parametrize("method", ["subspace", "gsa"])
@pytest.mark.parametrize("name", copies())
def test_copies_are_no_worse_than_the_one(name, method):
    single = psnr(fused(grey()[..., None], method))
    result = fused(copies()[name], method)
    assert psnr(result) > single - 0.5
    assert any("0 = 1 = 2" in note for note in result.notes)


def test_bands_of_a_scene_stay_apart_however_faint_their_colour():
    pair = made_pair()
    colour = pair.hr_msi
    faint = grey()[..., None] + 0.02 * (colour - colour.mean(axis=2, keepdims=True))
    assert groups_of(colour, SCALE) == [[0], [1], [2]]
    assert groups_of(faint, SCALE) == [[0], [1], [2]]
    same, notes = with_bands_once(Observation(pair.lr_hsi, colour, SCALE))
    assert same.hr_msi is colour
    assert notes == []


def test_one_band_stored_twice_among_others():
    pair = made_pair()
    hr_msi = np.concatenate([pair.hr_msi, pair.hr_msi[..., :1]], axis=2)
    srf = np.arange(4 * 16, dtype=float).reshape(4, 16)
    supports = ((0, 4), (4, 8), (8, 16), (2, 6))
    once, _ = with_bands_once(Observation(pair.lr_hsi, hr_msi, SCALE, srf=srf, supports=supports))
    np.testing.assert_allclose(once.hr_msi, pair.hr_msi, rtol=1e-6)
    np.testing.assert_allclose(once.srf, np.stack([(srf[0] + srf[3]) / 2, srf[1], srf[2]]))
    assert once.supports == ((0, 6), (4, 8), (8, 16))
