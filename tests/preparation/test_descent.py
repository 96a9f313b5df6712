"""The damped least-squares descent, against closed forms and scipy's own."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares

from paddle_umsft.preparation.descent import COST_TOLERANCE, DAMPING, LIMIT, LONGEST_STEP, Around, descend, differences

MATRIX = np.random.default_rng(1).standard_normal((40, 3))
TIMES = np.linspace(0.0, 4.0, 50)


class Counted:
    """Residuals and derivatives that remember where they were asked for."""

    def __init__(self, around: Around) -> None:
        self.around = around
        self.asked: list[np.ndarray] = []

    def __call__(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.asked.append(parameters.copy())
        return self.around(parameters)


def linear(target: np.ndarray) -> Around:
    """Residuals of MATRIX @ parameters - target."""

    def around(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return MATRIX @ parameters - target, MATRIX.T

    return around


def decay(parameters: np.ndarray) -> np.ndarray:
    """A curve that falls off: height * exp(-rate * t) + floor."""
    height, rate, floor = parameters
    return height * np.exp(-rate * TIMES) + floor


def valley(parameters: np.ndarray) -> np.ndarray:
    """Rosenbrock's valley, bent and flat along its floor; nothing is left at (1, 1)."""
    first, second = parameters
    return np.array([10.0 * (second - first**2), 1.0 - first])


def test_one_step_solves_a_linear_problem_but_for_the_damping() -> None:
    wanted = np.array([1.2, -0.7, 0.4])
    start = np.array([1.0, -1.0, 0.5])
    found = descend(linear(MATRIX @ wanted), start, steps=2)
    # Damping holds back about its own share of the way; columns that lean on each other some times that.
    assert np.linalg.norm(found - wanted) < 10 * DAMPING * np.linalg.norm(start - wanted)


def test_a_linear_problem_ends_where_the_normal_equations_do() -> None:
    target = np.random.default_rng(2).standard_normal(40)
    counted = Counted(linear(target))
    found = descend(counted, np.array([0.5, 0.5, 0.5]), steps=30)
    solved, *_ = np.linalg.lstsq(MATRIX, target, rcond=None)
    np.testing.assert_allclose(found, solved, rtol=0, atol=1e-5)
    # It stops by itself, long before it is stopped.
    assert len(counted.asked) < 10


def test_a_curved_problem_ends_where_scipy_does() -> None:
    noise = 0.02 * np.random.default_rng(3).standard_normal(len(TIMES))
    measured = decay(np.array([2.0, 1.3, 0.4])) + noise

    def misfit(parameters: np.ndarray) -> np.ndarray:
        return decay(parameters) - measured

    def around(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        made = differences(misfit, parameters)
        return made[0], made[1:]

    start = np.array([1.0, 0.5, 0.0])
    expected = least_squares(misfit, start, method="lm")
    found = descend(around, start, steps=40)
    assert np.sum(misfit(found) ** 2) <= 2.0 * expected.cost * (1.0 + 10 * COST_TOLERANCE)
    np.testing.assert_allclose(found, expected.x, rtol=1e-3)


def test_a_bent_valley_is_followed_to_its_end() -> None:
    def around(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        first, _ = parameters
        by_first = np.array([-20.0 * first, -1.0])
        by_second = np.array([10.0, 0.0])
        return valley(parameters), np.stack([by_first, by_second])

    start = np.array([-1.2, 1.0])
    expected = least_squares(valley, start, method="lm")
    found = descend(around, start, steps=100)
    np.testing.assert_allclose(found, expected.x, rtol=0, atol=1e-4)


def test_steps_are_limited_by_what_the_parameters_are_taken_to_vary_by() -> None:
    start = np.array([1.0, 1.0, 1.0])
    counted = Counted(linear(MATRIX @ np.array([1e3, -1e3, 1e3])))
    descend(counted, start, steps=12)
    steps = np.diff(counted.asked, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    # Every one of them helps, so each is twice as long as the last, up to the limit; a unit is 1 here.
    assert lengths[0] == pytest.approx(LONGEST_STEP)
    assert lengths[1] == pytest.approx(2 * LONGEST_STEP)
    np.testing.assert_allclose(lengths[2:], LIMIT)


def test_no_step_makes_it_worse_and_the_best_is_returned() -> None:
    # Derivatives of the wrong sign: no step helps.
    def misled(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return MATRIX @ parameters, -MATRIX.T

    start = np.array([0.3, -0.2, 0.1])
    counted = Counted(misled)
    found = descend(counted, start, steps=100)
    np.testing.assert_array_equal(found, start)
    lengths = np.linalg.norm(np.array(counted.asked[1:]) - start, axis=1)
    assert np.all(np.diff(lengths) < 0)
    # Shorter and shorter until a step is none.
    assert len(counted.asked) < 100


def test_around_is_asked_no_more_often_than_allowed() -> None:
    for steps in (1, 2, 5):
        counted = Counted(linear(MATRIX @ np.array([1e3, -1e3, 1e3])))
        descend(counted, np.ones(3), steps)
        assert len(counted.asked) == steps


@pytest.mark.filterwarnings("error")
def test_a_parameter_that_does_not_matter_stays_where_it_is() -> None:
    target = MATRIX[:, :2] @ np.array([1.5, 0.5])

    def around(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rest = MATRIX[:, :2] @ parameters[:2] - target
        return rest, np.vstack([MATRIX[:, :2].T, np.zeros(40)])

    counted = Counted(around)
    found = descend(counted, np.array([1.0, 1.0, 7.0]), steps=50)
    np.testing.assert_allclose(found, [1.5, 0.5, 7.0], rtol=0, atol=1e-5)
    assert len(counted.asked) < 15


@pytest.mark.filterwarnings("error")
def test_where_nothing_matters_the_start_is_the_answer() -> None:
    def around(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.ones(5), np.zeros((2, 5))

    start = np.array([0.0, 2.0])
    counted = Counted(around)
    np.testing.assert_array_equal(descend(counted, start, steps=50), start)
    assert len(counted.asked) == 2


@pytest.mark.filterwarnings("error")
def test_a_parameter_that_matters_less_and_less_does_not_overflow() -> None:
    # exp(-x): always a little better further out, as a width beyond the picture is.
    def around(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rest = np.exp(-parameters)
        return rest + 1.0, -rest[None]

    counted = Counted(around)
    found = descend(counted, np.array([1.0]), steps=200)
    assert np.isfinite(found).all()
    assert len(counted.asked) < 50


@pytest.mark.filterwarnings("error")
def test_nothing_left_at_the_start_ends_at_once() -> None:
    start = np.array([1.0, 2.0, 3.0])
    counted = Counted(linear(MATRIX @ start))
    np.testing.assert_array_equal(descend(counted, start, steps=50), start)
    assert len(counted.asked) == 2


def test_differences_are_the_derivatives() -> None:
    parameters = np.array([2.0, 1.3, 0.4])
    height, rate, _ = parameters
    falling = np.exp(-rate * TIMES)
    made = differences(decay, parameters)
    np.testing.assert_array_equal(made[0], decay(parameters))
    expected = np.stack([falling, -height * TIMES * falling, np.ones(len(TIMES))])
    np.testing.assert_allclose(made[1:], expected, rtol=0, atol=1e-6)
    # What was handed over is not moved.
    np.testing.assert_array_equal(parameters, [2.0, 1.3, 0.4])
