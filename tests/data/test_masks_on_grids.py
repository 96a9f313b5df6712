"""Masks of a pair whose grids do not tile each other: a whole ratio gives what plain repetition gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from paddle_umsft.data.grid import HsiGrid
from paddle_umsft.data.masks import valid_pixels
from paddle_umsft.data.scene import Observation
from paddle_umsft.preparation.masked import lr_pixels_to_fit

H, W, SCALE = 36, 48, 4


def observed() -> Observation:
    rng = np.random.RandomState(3)
    mask_hsi = rng.uniform(size=(H // SCALE, W // SCALE)) > 0.2
    mask_msi = np.ones((H, W), bool)
    mask_msi[4:9, 20:31] = False
    return Observation(
        lr_hsi=rng.uniform(size=(H // SCALE, W // SCALE, 5)).astype(np.float32),
        hr_msi=rng.uniform(size=(H, W, 3)).astype(np.float32),
        scale=SCALE,
        mask_hsi=mask_hsi,
        mask_msi=mask_msi,
    )


def test_a_whole_ratio_as_a_grid_sees_the_same_pixels() -> None:
    plain = observed()
    on_grid = replace(plain, grid=HsiGrid.of_ratio(SCALE))
    np.testing.assert_array_equal(valid_pixels(on_grid), valid_pixels(plain))
    # Along the border a grid knows of nothing beyond, and pixels there have a share of it.
    inside = (slice(2, -2), slice(2, -2))
    fits, plainly = lr_pixels_to_fit(on_grid)[inside], lr_pixels_to_fit(plain)[inside]
    assert not np.any(fits & ~plainly)
    assert fits.sum() > 0.7 * plainly.sum()


@pytest.mark.parametrize("ratio", [3.33, 6.67])
def test_a_part_of_the_msi_that_the_hsi_does_not_reach(ratio: float) -> None:
    grid = HsiGrid.of_ratio(ratio, (5.0, 7.5))
    seen = replace(observed(), grid=grid, mask_hsi=np.ones((4, 5), bool), lr_hsi=np.zeros((4, 5, 2), np.float32))
    rows = np.arange(H)[:, None] + 0.5
    columns = np.arange(W)[None, :] + 0.5
    reached = (rows > 5) & (rows < 5 + 4 * ratio) & (columns > 7.5) & (columns < 7.5 + 5 * ratio)
    assert seen.mask_msi is not None
    np.testing.assert_array_equal(valid_pixels(seen), seen.mask_msi | reached)
