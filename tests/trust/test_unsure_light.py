"""A shadow over one image: where its rim lies within LR pixels nobody knows, and there errors are expected."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from made_up_pairs import HEIGHT, SCALE, WIDTH, made_pair

from paddle_umsft.config.load import load_config
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.data.trust import ExpectedError
from paddle_umsft.methods.table import run_method
from paddle_umsft.preparation.illumination import unsure_part
from paddle_umsft.trust.judge import Examined, judged


def test_the_spread_of_a_slope_is_that_of_its_steps() -> None:
    """s numbers that are d apart have a standard deviation of d sqrt((s^2 - 1) / 12)."""
    columns = np.arange(80.0)[None, :] * np.ones((48, 1))
    unsure = unsure_part(0.05 * columns, 8)
    # Half of it counts.
    np.testing.assert_allclose(unsure[:, 8:-8], 0.5 * 0.05 * np.sqrt(63 / 12), rtol=1e-5)
    assert unsure.dtype == np.float32
    assert unsure_part(np.full((48, 80), -0.7), 8).max() < 1e-6


def test_what_light_may_change_adds_to_the_squares_of_errors() -> None:
    pair = made_pair(sigma=0.4 * SCALE)
    observation = Observation(pair.lr_hsi.astype(np.float32), pair.hr_msi.astype(np.float32), SCALE)
    unsure = np.zeros((HEIGHT, WIDTH), dtype=np.float32)
    unsure[20:30, 40:60] = 0.2
    result = FusionResult(pair.truth.astype(np.float32))
    told = [judged(result, observation, Examined(unsure_light=part)).trust for part in (None, unsure)]
    assert told[0] is not None
    assert told[1] is not None
    added = told[1].expected.cube() ** 2 - told[0].expected.cube() ** 2
    np.testing.assert_allclose(added[20:30, 40:60], (0.2 * pair.truth[20:30, 40:60]) ** 2, rtol=1e-2, atol=1e-7)
    np.testing.assert_allclose(added[unsure == 0], 0.0, atol=1e-9)
    cube = told[1].expected.cube()
    np.testing.assert_allclose(told[1].expected.bands, np.sqrt(np.mean(cube**2, axis=(0, 1))), rtol=1e-4)
    # A map of other pixels than the MSI's is of no use.
    other = judged(result, observation, Examined(unsure_light=unsure[:-4])).trust
    assert other is not None
    np.testing.assert_array_equal(other.expected.cube(), told[0].expected.cube())


def test_the_rim_of_a_shadow_is_foreseen() -> None:
    pair = made_pair(sigma=0.4 * SCALE)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    distance = np.hypot(rows - 0.4 * HEIGHT, columns - 0.6 * WIDTH) - 0.22 * HEIGHT
    shadow = 1.0 - 0.5 / (1.0 + np.exp(4.0 * distance))
    shaded = pair.hr_msi * shadow[:, :, None]
    observation = Observation(pair.lr_hsi.astype(np.float32), shaded.astype(np.float32), SCALE)
    result = run_method(observation, load_config(None, ["method=subspace"]))
    assert any("light differs" in note for note in result.notes)
    assert result.trust is not None
    told = result.trust.expected
    untold = replace(told, unsure_light=None)
    error = np.sqrt(np.mean((pair.truth - result.fused) ** 2, axis=2))
    rim = np.abs(distance) < SCALE

    def missed_by(expected: ExpectedError) -> float:
        return float(np.sqrt(np.mean(error[rim] ** 2) / np.mean(expected.places()[rim] ** 2)))

    # Nearer to what it is, and not below it.
    assert 0.7 < missed_by(told) < 0.85 * missed_by(untold)


def test_the_mean_gain_of_stripes_is_known_no_better_than_their_number_allows() -> None:
    """n gains that differ by d have a mean that is off by d / sqrt(n), and all of the result with it."""
    pair = made_pair(sigma=0.4 * SCALE)
    observation = Observation(pair.lr_hsi.astype(np.float32), pair.hr_msi.astype(np.float32), SCALE)
    result = FusionResult(pair.truth.astype(np.float32))
    told = [judged(result, observation, Examined(found=found)).trust for found in ({}, {"stripes": 0.1})]
    assert told[0] is not None
    assert told[1] is not None
    added = told[1].expected.cube() ** 2 - told[0].expected.cube() ** 2
    lines = HEIGHT // SCALE
    np.testing.assert_allclose(added, 0.1**2 / lines * pair.truth**2, rtol=1e-2, atol=1e-7)
