"""Where the wavelengths of two spectrometers in one file overlap."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from paddle_umsft.data.detectors import find_overlap


@pytest.mark.parametrize(
    ("nm", "overlap"),
    [
        ([400, 500, 600, 550, 650, 750], ((2,), (3,))),
        # PRISMA: either part descends.
        ([1000, 900, 800, 2500, 1500, 950], ((0,), (5,))),
        ([400, 500, 600, 610, 700], None),
        # The second begins where the first has ended; a misprint; a mess; not known.
        ([600, 500, 400, 900, 800, 700], None),
        ([400, 500, 450, 600, 700], ((1,), (2,))),
        ([400, 500, 600, 700, 300], None),
        ([400, 300, 500, 200, 600], None),
        ([400, np.nan, 500, 450, 550], ((2,), (3,))),
        ([np.nan, 400], None),
        ([np.nan], None),
        (None, None),
    ],
)
def test_where_spectrometers_overlap(nm: Any, overlap: Any) -> None:
    found = find_overlap(None if nm is None else np.asarray(nm, float))
    assert (None if found is None else (found.of_shorter, found.of_longer)) == overlap
