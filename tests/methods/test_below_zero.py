"""Values below zero are data: nothing is cut off unless `output.clip` asks for it, and their share is told."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_pairs import SCALE, made_pair

from paddle_umsft.config.load import load_config
from paddle_umsft.config.run import Config
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.methods.table import run_method
from paddle_umsft.runs.assess import result_table


def fused(method: str, *options: str) -> FusionResult:
    pair = made_pair()
    # A reflectance whose dark level was taken off a little too much.
    lr_hsi, hr_msi = pair.lr_hsi - 0.15, pair.hr_msi - 0.15
    observation = Observation(lr_hsi.astype(np.float32), hr_msi.astype(np.float32), SCALE)
    return run_method(observation, load_config(None, [f"method={method}", *options]))


@pytest.mark.parametrize("method", ["subspace", "gsa"])
def test_nothing_is_cut_off_unless_asked(method):
    kept = fused(method)
    truth = made_pair().truth - 0.15
    share = float(np.mean(kept.fused < 0))
    assert share == pytest.approx(float(np.mean(truth < 0)), abs=0.03)
    assert kept.extras["share_below_zero"] == share
    clipped = fused(method, "output.clip=true")
    np.testing.assert_array_equal(clipped.fused, np.maximum(kept.fused, 0))
    assert clipped.extras["share_below_zero"] == share


def test_noise_around_nought_is_not_cut_off_either():
    pair = made_pair()
    rng = np.random.default_rng(1)
    lr_hsi = pair.lr_hsi + 0.02 * rng.standard_normal(pair.lr_hsi.shape)
    assert lr_hsi.min() < 0
    observation = Observation(lr_hsi.astype(np.float32), pair.hr_msi.astype(np.float32), SCALE)
    result = run_method(observation, load_config(None, ["method=subspace"]))
    assert result.fused.min() < 0


def test_the_share_is_told_in_the_table():
    metrics = {"method": "gsa", "seconds": 1.0, "extras": {"share_below_zero": 0.25}}
    told = [line for line in result_table(metrics) if "below zero" in line]
    assert told == ["25 % of the result's values were below zero: kept as data (output.clip=true cuts them off)"]
    metrics["extras"]["clipped"] = True
    assert any("set to zero" in line for line in result_table(metrics))


def test_clipping_is_part_of_what_decides_the_numbers():
    clipping = load_config(None, ["output.clip=true"])
    assert clipping.digest() != Config().digest()
    assert load_config(None, ["output.root=elsewhere"]).digest() == Config().digest()
