"""Where HSI pixels lie on the MSI: against coordinates written out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from paddle_umsft.cameras.given import pair
from paddle_umsft.config.data import ObserveConfig
from paddle_umsft.data.checks import check_grids, common_area
from paddle_umsft.data.grid import HsiGrid
from paddle_umsft.data.scene import Observation
from paddle_umsft.errors import DataError

# 30 m and 10 m pixels whose corners lie 5 m apart in x and 20 m in y; a grid that is turned by 90 degrees.
LANDSAT = (500000.0, 30.0, 0.0, 4200000.0, 0.0, -30.0)
SENTINEL = (499995.0, 10.0, 0.0, 4200020.0, 0.0, -10.0)
TURNED = (500000.0, 0.0, 30.0, 4200000.0, 30.0, 0.0)


def test_middles_of_a_plain_ratio():
    grid = HsiGrid.of_ratio(10 / 3, origin=(2.0, -1.0))
    middles = grid.middles((4, 5))
    for i, j in ((0, 0), (3, 4), (1, 2)):
        np.testing.assert_allclose(middles[i, j], [(i + 0.5) * 10 / 3 + 1.5, (j + 0.5) * 10 / 3 - 1.5])


@pytest.mark.parametrize("hsi", [LANDSAT, TURNED])
def test_geotransforms_meet_on_the_ground(hsi):
    middles = HsiGrid.of_geotransforms(hsi, SENTINEL).middles((6, 7))
    for i, j in ((0, 0), (5, 6), (2, 3)):
        ground_x = hsi[0] + (j + 0.5) * hsi[1] + (i + 0.5) * hsi[2]
        ground_y = hsi[3] + (j + 0.5) * hsi[4] + (i + 0.5) * hsi[5]
        # Of north-up pixels: x grows by 10 m a column, y falls by 10 m a row.
        column = (ground_x - SENTINEL[0]) / 10 - 0.5
        row = (SENTINEL[3] - ground_y) / 10 - 0.5
        np.testing.assert_allclose(middles[i, j], [row, column], atol=1e-6)


def test_the_area_that_both_see():
    grid = HsiGrid.of_ratio(2.5, origin=(-5.0, 10.0))
    assert common_area(grid, (8, 8), (40, 24)) == (0, 10, 15, 14)


def test_whole_ratios_need_no_grid():
    assert check_grids((8, 12), (32, 48), 4.0) == (4, None)
    assert check_grids((8, 12), (32, 48), None, HsiGrid.of_ratio(4)) == (4, None)
    scale, grid = check_grids((9, 12), (30, 40), 10 / 3)
    assert scale == 4
    assert grid is not None
    np.testing.assert_allclose(grid.ratios, 10 / 3)
    assert check_grids((9, 12), (30, 40), scale, grid) == (4, grid)  # as an observation holds them


@pytest.mark.parametrize(
    ("scale", "grid", "what"),
    [
        (4, None, "one whole factor"),
        (0.5, None, "above 1"),
        (8, HsiGrid.of_ratio(10 / 3), "as the grid says"),
        (None, HsiGrid.of_ratio(10 / 3, origin=(100.0, 0.0)), "share no ground"),
    ],
)
def test_what_does_not_agree_is_refused(scale, grid, what):
    with pytest.raises(DataError, match=what):
        check_grids((9, 12), (30, 40), scale, grid)


@pytest.mark.parametrize("matrix", [np.zeros((2, 2)), np.eye(3), np.full((2, 2), np.nan)])
def test_unusable_grids_are_refused(matrix):
    with pytest.raises(DataError, match="inverted"):
        HsiGrid(matrix)


def test_what_the_user_says_goes_before_what_files_say():
    rng = np.random.default_rng(0)
    images = (rng.uniform(size=(9, 12, 4)), rng.uniform(size=(30, 40, 2)))
    of_files = HsiGrid.of_ratio(3.2)
    assert pair(*images, ObserveConfig(), grid=of_files).observation.grid is of_files
    told = pair(*images, ObserveConfig(scale=10 / 3, origin=(1.0, 2.0)), grid=of_files).observation
    np.testing.assert_allclose(told.grid.origin, [1.0, 2.0])
    assert told.scale == 4


@pytest.mark.parametrize(
    ("grid", "words"),
    [(None, "4"), (HsiGrid.of_ratio(10 / 3), "3.333"), (HsiGrid.of_ratio((10 / 3, 20 / 3)), "3.333x6.667")],
)
def test_the_ratio_is_said_as_it_is(grid, words):
    """Files and pages name it: the next whole number would be another ratio."""
    pair = Observation(np.ones((6, 6, 5), np.float32), np.ones((20, 20, 2), np.float32), 4, grid=grid)
    assert pair.ratio == words
