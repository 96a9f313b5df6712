"""How much of the MSI's noise a cube holds: against noise of a known size."""

from __future__ import annotations

import numpy as np
import pytest

from paddle_umsft.trust.evidence import MOST_DIFFERENCES, fine_differences
from paddle_umsft.trust.passed_on import noise_passed_on

HEIGHT, WIDTH = 120, 168
DEVIATIONS = np.array([0.02, 0.05, 0.01, 0.03])


def noise(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (DEVIATIONS * rng.standard_normal((HEIGHT, WIDTH, 4))).astype(np.float32)


def smooth() -> np.ndarray:
    """(H, W, 4) a scene without fine detail but for a few edges, which are no noise."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    scene = np.sin(rows / 30.0) + np.cos(columns / 40.0) + (columns > 60) + 2.0 * (rows > 50)
    return np.repeat(scene[:, :, None], 4, axis=2).astype(np.float32)


@pytest.mark.parametrize("kept", [1.0, 0.5, 0.1])
def test_a_filter_that_keeps_a_part_of_the_noise_errs_by_that_part_of_its_variance(kept: float) -> None:
    """Wiener's filter: a = D / (D + N), and (1 - a)^2 D + a^2 N = a N."""
    noise_variance = DEVIATIONS**2
    detail = kept / max(1.0 - kept, 1e-9) * noise_variance
    by_wiener = (1.0 - kept) ** 2 * detail + kept**2 * noise_variance
    found = noise_passed_on(smooth() + np.float32(kept) * noise(), noise_variance)
    np.testing.assert_allclose(found, by_wiener, rtol=0.05)


def test_a_cube_holds_no_more_noise_than_there_is_and_none_where_it_shows_none() -> None:
    variance = DEVIATIONS**2
    np.testing.assert_allclose(noise_passed_on(smooth() + 3 * noise(), variance), variance)
    assert np.all(noise_passed_on(smooth(), variance) < 0.05 * variance)
    assert not noise_passed_on(smooth() + noise(), np.zeros(4)).any()


def test_some_rows_are_enough_to_tell_noise() -> None:
    rng = np.random.default_rng(1)
    large = rng.standard_normal((400, 600, 2)).astype(np.float32)
    assert large.shape[0] * large.shape[1] > 2 * MOST_DIFFERENCES
    np.testing.assert_allclose(fine_differences(large), 1.0, rtol=0.02)
    np.testing.assert_array_equal(fine_differences(large[:1]), 0.0)
    np.testing.assert_array_equal(fine_differences(large[:, :1]), 0.0)
