"""What a file says of its image goes along with it: places by the closed form, bands back in the file's order."""

from __future__ import annotations

import numpy as np
import pytest

from paddle_umsft.data.facts import BandFacts, FileFacts
from paddle_umsft.data.ground import Georeference

ROTATED = (20.0, 15.0, 500000.0, 15.0, -20.0, 5800000.0)


def test_a_cut_and_a_coarser_grid_keep_their_place() -> None:
    ground = Georeference(transform=ROTATED, epsg=32633, map_info="UTM, 1, 1")
    cut = ground.cut(top=4, left=6)
    assert cut.at(0, 0) == ground.at(6, 4) == (500000 + 20 * 6 + 15 * 4, 5800000 + 15 * 6 - 20 * 4)
    assert cut.at(2, 3) == ground.at(8, 7)
    assert ground.geotransform == (500000.0, 20.0, 15.0, 5800000.0, 15.0, -20.0)
    coarse = ground.coarser(8)
    assert coarse.at(1, 2) == ground.at(8, 16)
    assert (coarse.pixel_size, ground.pixel_size) == ((200.0, 200.0), (25.0, 25.0))
    assert (cut.map_info, coarse.map_info, cut.epsg) == ("", "", 32633)


def test_an_image_without_a_place_stays_without_one() -> None:
    nowhere = Georeference(map_info="Arbitrary, 1, 1")
    assert nowhere.cut(1, 1) == nowhere == nowhere.coarser(2)
    assert not nowhere.is_known
    assert nowhere.pixel_size is None
    with pytest.raises(ValueError, match="transform"):
        nowhere.at(0, 0)


def test_bands_that_were_sorted_and_left_out_go_back() -> None:
    facts = FileFacts(bands=BandFacts(count=5), order=(4, 0, 2))
    cube = np.arange(2 * 3 * 3, dtype=np.float32).reshape(2, 3, 3)
    whole = facts.in_file_order(cube, fill=-1)
    assert facts.left_out() == [1, 3]
    assert whole.shape == (2, 3, 5)
    np.testing.assert_array_equal(whole[1, 2], [cube[1, 2, 1], -1, cube[1, 2, 2], -1, cube[1, 2, 0]])
    assert FileFacts().in_file_order(cube, fill=-1) is cube
    assert FileFacts().left_out() == []
