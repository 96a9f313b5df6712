"""Very large pairs are examined on a block in their middle; here a block of a small pair."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_up_pairs import HEIGHT, SCALE, WIDTH, made_pair
from scipy.interpolate import interp1d
from scipy.ndimage import gaussian_filter

from paddle_umsft.config.preparation import PreparationSettings
from paddle_umsft.config.subspace import SubspaceSettings
from paddle_umsft.data.grid import HsiGrid
from paddle_umsft.data.scene import Observation
from paddle_umsft.preparation import block, block_undone
from paddle_umsft.preparation.block import block_of, examine_block
from paddle_umsft.preparation.block_undone import undone_in_all
from paddle_umsft.preparation.prepared import Prepared, untouched


def observation(**wrong: tuple[float, float]) -> Observation:
    made = made_pair(**wrong)
    mask = np.ones((HEIGHT, WIDTH), dtype=bool)
    mask[:4, :4] = False
    return Observation(made.lr_hsi.astype(np.float32), made.hr_msi.astype(np.float32), SCALE, mask_msi=mask)


def test_a_block_has_the_proportions_of_the_picture_and_lies_in_its_middle(monkeypatch: pytest.MonkeyPatch):
    assert block_of((100, 200), 4) == (slice(0, 100), slice(0, 200))
    monkeypatch.setattr(block, "MOST_EXAMINED", 100 * 200 * 4)
    assert block_of((100, 200), 4) == (slice(25, 75), slice(50, 150))


def test_what_a_block_says_is_said_of_the_whole_pair(monkeypatch: pytest.MonkeyPatch):
    pair = observation()
    _, whole = examine_block(pair, SubspaceSettings(), PreparationSettings())
    monkeypatch.setattr(block, "MOST_EXAMINED", HEIGHT * WIDTH * 2 // 3)
    prepared, part = examine_block(pair, SubspaceSettings(), PreparationSettings())
    assert prepared.observation is pair
    # Masks are those of the whole pair.
    assert prepared.msi_trust.shape == (HEIGHT, WIDTH)
    assert prepared.msi_trust[0, 0] == 0
    np.testing.assert_allclose(np.sum(part.psf**2), np.sum(whole.psf**2), rtol=0.05)
    assert np.abs(part.srf - whole.srf).max() < 0.05


# A turn is about the middle, and the block's is not the pair's: the block has an odd number of lines less.
@pytest.mark.parametrize(
    "wrong",
    [
        {"shift": (7.0, -5.0)},
        pytest.param({"shift": (3.0, -2.0), "angle_deg": 1.5}, marks=pytest.mark.slow),
    ],
    ids=["shift", "turn"],
)
def test_where_a_block_lies_the_whole_pair_does(wrong: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    made = made_pair(**wrong)
    pair = Observation(made.lr_hsi.astype(np.float32), made.hr_msi.astype(np.float32), SCALE)
    lr_shape = (HEIGHT // SCALE, WIDTH // SCALE)
    whole, _ = examine_block(pair, SubspaceSettings(), PreparationSettings())
    monkeypatch.setattr(block, "MOST_EXAMINED", HEIGHT * WIDTH * 3 // 4)
    of_block, _ = examine_block(pair, SubspaceSettings(), PreparationSettings())
    assert whole.placement is not None
    assert of_block.placement is not None
    apart = whole.placement.places(lr_shape) - of_block.placement.places(lr_shape)
    assert np.abs(apart).max() < 0.2
    # What lies beyond the MSI is left out of the whole pair, and told of it.
    assert of_block.use_trust.shape == lr_shape
    assert np.mean(of_block.use_trust != whole.use_trust) < 0.01
    told = [note for note in of_block.notes if "extrapolated" in note]
    assert told == [note for note in whole.notes if "extrapolated" in note]


@pytest.mark.slow
def test_a_block_of_another_grid_is_laid_out_and_moved_as_the_whole(monkeypatch: pytest.MonkeyPatch):
    # Cells of 10/3 fine pixels by interpolation of sums: an HSI on the MSI's pixels, from row 2.4 and column 1.2 on.
    made = made_pair(shift=(4.0, -3.0))
    lr_shape = (23, 33)
    sums = np.zeros((HEIGHT + 1, WIDTH + 1, made.truth.shape[2]))
    sums[1:, 1:] = gaussian_filter(made.truth, (1.2, 1.2, 0)).cumsum(axis=0).cumsum(axis=1)
    rows = np.minimum(2.4 + np.arange(lr_shape[0] + 1) * 10 / 3, HEIGHT)
    columns = np.minimum(1.2 + np.arange(lr_shape[1] + 1) * 10 / 3, WIDTH)
    at = interp1d(np.arange(WIDTH + 1), interp1d(np.arange(HEIGHT + 1), sums, axis=0)(rows), axis=1)(columns)
    lr_hsi = np.diff(np.diff(at, axis=0), axis=1) / (10 / 3) ** 2
    pair = Observation(
        lr_hsi.astype(np.float32),
        made.hr_msi.astype(np.float32),
        4,
        # Said to be where it is not.
        grid=HsiGrid.of_ratio(10 / 3, (2.4 + 3.0, 1.2 - 2.0)),
    )
    settings = PreparationSettings(geometry="shift", radiometry=False)
    whole, _ = examine_block(pair, SubspaceSettings(), settings)
    monkeypatch.setattr(block, "MOST_EXAMINED", HEIGHT * WIDTH * 3 // 4)
    of_block, _ = examine_block(pair, SubspaceSettings(), settings)
    assert "shift" in whole.found
    assert whole.placement is not None
    assert of_block.placement is not None
    np.testing.assert_allclose(of_block.placement.shift, whole.placement.shift, atol=1e-9)
    np.testing.assert_array_equal(of_block.placement.matrix, whole.placement.matrix)
    assert of_block.placement.frame == whole.placement.frame
    assert of_block.found["grid"] == whole.found["grid"]
    assert of_block.notes[0] == whole.notes[0]


def found_in_a_block(hr_msi: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> Prepared:
    """What is found and undone where two thirds of a pair are looked at, and the whole in several parts."""
    monkeypatch.setattr(block, "MOST_EXAMINED", HEIGHT * WIDTH * 2 // 3)
    monkeypatch.setattr(block_undone, "AT_ONCE", HEIGHT // 2 * WIDTH)
    pair = Observation(made_pair().lr_hsi.astype(np.float32), hr_msi, SCALE)
    prepared, _ = examine_block(pair, SubspaceSettings(), PreparationSettings())
    assert prepared.observation.hr_msi.dtype == np.float32
    assert prepared.observation.hr_msi.shape == hr_msi.shape
    assert prepared.notes
    return prepared


def test_a_constant_of_a_block_is_taken_off_the_whole_pair(monkeypatch: pytest.MonkeyPatch):
    clean = made_pair().hr_msi.astype(np.float32)
    offset = np.array([0.1, 0.05, 0.15], dtype=np.float32)
    prepared = found_in_a_block(clean + offset, monkeypatch)
    assert "offset" in prepared.found
    apart = prepared.observation.hr_msi - clean
    assert np.abs(apart.mean(axis=(0, 1))).max() < 0.02


def test_dead_pixels_are_filled_in_the_whole_pair(monkeypatch: pytest.MonkeyPatch):
    clean = made_pair().hr_msi.astype(np.float32)
    dead = np.random.default_rng(3).uniform(size=clean.shape[:2]) < 0.01
    hr_msi = np.where(dead[..., None], np.float32(0.0), clean)
    prepared = found_in_a_block(hr_msi, monkeypatch)
    assert set(prepared.found) == {"dead MSI pixels"}
    filled = prepared.msi_trust < 1
    # Of 90 dead pixels all, and hardly another one.
    assert filled[dead].all()
    assert np.count_nonzero(filled & ~dead) <= 2
    apart = np.abs(prepared.observation.hr_msi - clean)
    assert apart[~filled].max() < 1e-6
    # A scene as fine as this one is hardly told by its neighbours: dead it would be off by a third.
    assert apart[dead].mean() < 0.04


def test_a_tone_curve_of_a_block_is_undone_beyond_the_values_that_it_holds():
    rng = np.random.default_rng(4)
    values = rng.uniform(0.2, 0.7, (60, 70, 2)).astype(np.float32)
    part = Observation(np.zeros((15, 17, 4), dtype=np.float32), values, 4)
    prepared = untouched(replace(part, hr_msi=(values**2.2).astype(np.float32)))
    prepared.found = {"tone curve": 1.0}
    whole = np.linspace(0.15, 0.75, 80 * 70 * 2, dtype=np.float32).reshape(80, 70, 2)
    undone = undone_in_all(replace(part, hr_msi=whole), part, prepared)
    assert undone is not None
    inside = (whole > 0.2) & (whole < 0.7)
    apart = np.abs(undone.observation.hr_msi - whole**2.2)
    assert apart[inside].max() < 1e-4
    assert apart.max() < 0.01
    # What depends on the place is no curve.
    shaded = values * np.linspace(0.9, 1.1, 70, dtype=np.float32)[None, :, None]
    assert undone_in_all(part, part, replace(prepared, observation=replace(part, hr_msi=shaded))) is None
