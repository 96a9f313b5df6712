"""Results do not hang on the units: both images times a factor, the result times the same factor."""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np
import pytest
from made_up_pairs import made_pair

from paddle_umsft import fuse

# Largest difference as a share of the largest value. Rounding of float32, which CNMF's hundreds of updates add up, and
# which the search for the PSF turns into steps that end a little elsewhere (any factor does that, 3 as much as 1e6).
TOLERANCES = {"bicubic": 1e-6, "gsa": 5e-6, "sfim": 5e-6, "cnmf": 5e-5, "subspace": 2e-4, "ensemble": 2e-4}
OPTIONS = {
    "subspace": (),
    "ensemble": ("ensemble.members=2", "ensemble.features=64"),
}
AS_IT_IS = ("preparation.for_all=false",)


@lru_cache(maxsize=6)
def fused(method: str, factor: float) -> np.ndarray:
    pair = made_pair()
    overrides = OPTIONS.get(method, AS_IT_IS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the notes are not at issue
        result = fuse(pair.lr_hsi * factor, pair.hr_msi * factor, method=method, overrides=overrides)
    return result.fused / factor


@pytest.mark.parametrize("factor", [1e-6, 1e6])
@pytest.mark.parametrize("method", TOLERANCES)
def test_a_factor_on_both_images_is_one_on_the_result(method, factor):
    plain = fused(method, 1.0)
    other = fused(method, factor)
    assert np.max(np.abs(other - plain)) < TOLERANCES[method] * np.max(plain)
