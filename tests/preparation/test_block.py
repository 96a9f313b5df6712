"""Very large pairs are examined on a block in their middle; here a block of a small pair."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_pairs import HEIGHT, SCALE, WIDTH, made_pair

from paddle_umsft.config.preparation import PreparationSettings
from paddle_umsft.config.subspace import SubspaceSettings
from paddle_umsft.data.scene import Observation
from paddle_umsft.errors import DataError
from paddle_umsft.preparation import block
from paddle_umsft.preparation.block import block_of, examine_block


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


def test_what_can_only_be_undone_as_a_whole_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(block, "MOST_EXAMINED", HEIGHT * WIDTH * 2 // 3)
    with pytest.raises(DataError, match=r"shift.*preparation\.geometry=none"):
        examine_block(observation(shift=(3.0, -2.0)), SubspaceSettings(), PreparationSettings())
