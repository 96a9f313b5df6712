"""What a smooth response explains and leaves, against general least squares on the equations written out."""

import numpy as np
import pytest
from scipy.optimize import nnls

from paddle_umsft.preparation.projection import PROJECTED_ROUGHNESS, PROJECTED_SIZE, ProjectedOut
from paddle_umsft.preparation.srf_fit import RIDGE, ResponseFit, curvature

PIXELS, BANDS = 90, 24


def scene(seed: int = 3) -> np.ndarray:
    """(n, b) smooth spectra of five materials, and a little noise."""
    rng = np.random.default_rng(seed)
    steps = rng.random((5, BANDS))
    spectra = np.cumsum(steps, axis=1) / BANDS
    return rng.random((PIXELS, 5)) @ spectra + 1e-4 * rng.standard_normal((PIXELS, BANDS))


def second_differences() -> np.ndarray:
    """Rows (1, -2, 1) by numpy's own differences."""
    return np.diff(np.eye(BANDS), n=2, axis=0)


@pytest.mark.parametrize("constant", [False, True])
def test_what_is_left_is_the_residual_of_the_penalised_problem(constant: bool) -> None:
    pixels = scene()
    rng = np.random.default_rng(4)
    weights = rng.uniform(0.1, 1.0, PIXELS)
    targets = weights[:, None] * rng.random((PIXELS, 3))
    design = weights[:, None] * pixels
    level = np.sqrt(np.mean(np.sum(design**2, axis=0)))
    penalty = level * np.concatenate([PROJECTED_ROUGHNESS * second_differences(), PROJECTED_SIZE * np.eye(BANDS)])
    stacked = np.concatenate([design, penalty])
    if constant:
        stacked = np.concatenate([stacked, np.append(weights, np.zeros(len(penalty)))[:, None]], axis=1)
    wanted = np.concatenate([targets, np.zeros((len(penalty), 3))])
    response, *_ = np.linalg.lstsq(stacked, wanted, rcond=None)
    left = ProjectedOut(pixels, weights, constant=constant).left_of(targets)
    assert left == pytest.approx(wanted - stacked @ response, abs=1e-8)


def test_a_smooth_response_leaves_nothing_and_darkness_explains_nothing() -> None:
    pixels = scene()
    response = np.exp(-0.5 * ((np.arange(BANDS) - 11) / 4) ** 2)
    seen = pixels @ response[:, None]
    assert np.linalg.norm(ProjectedOut(pixels).left_of(seen)) < 2e-3 * np.linalg.norm(seen)
    dark = ProjectedOut(np.zeros_like(pixels)).left_of(seen)
    np.testing.assert_array_equal(dark[:PIXELS], seen)
    assert not dark[PIXELS:].any()


@pytest.mark.parametrize("strength", [1e-5, 1e-1])
def test_a_response_is_that_of_non_negative_least_squares_on_the_pixels(strength: float) -> None:
    pixels = scene()
    target = pixels @ np.maximum(np.sin(np.arange(BANDS) / 3.0), 0.0)
    level = strength * np.mean(np.sum(pixels**2, axis=0))
    rows = np.sqrt(level) * np.concatenate([second_differences(), np.sqrt(RIDGE) * np.eye(BANDS)])
    expected, _ = nnls(np.concatenate([pixels, rows]), np.append(target, np.zeros(len(rows))))
    found = ResponseFit(pixels, curvature(BANDS)).response_to(target, strength)
    assert found == pytest.approx(expected, abs=1e-4)


def test_bands_that_share_their_pixels_get_what_each_would_alone() -> None:
    pixels = scene()
    targets = pixels @ np.random.default_rng(5).random((BANDS, 2))
    shared = ResponseFit(pixels, curvature(BANDS))
    for target in targets.T:
        alone = ResponseFit(pixels, curvature(BANDS)).response_to(target, None)
        np.testing.assert_array_equal(shared.response_to(target, None), alone)
