"""Grids that do not lie on each other, by strips: the cube is that of the whole picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_up_pairs import made_pair
from solved_by_strips import ALIKE, FEW, SETTINGS, by_strips

from paddle_umsft.data.scene import Observation
from paddle_umsft.errors import DataError
from paddle_umsft.methods.subspace import learn_ensemble
from paddle_umsft.methods.subspace.ensemble import fuse_ensemble
from paddle_umsft.methods.subspace.kept import keep, taken_up
from paddle_umsft.methods.subspace.learn import learn
from paddle_umsft.methods.subspace.method import fuse_subspace


def moved_pair(**wrong: tuple[float, float]) -> Observation:
    """A pair whose MSI was moved by splines, before the solver's operator knows of it."""
    made = made_pair(**wrong)
    return Observation(made.lr_hsi.astype(np.float32), made.hr_msi.astype(np.float32), 4)


def test_a_shifted_pair_by_strips_is_the_whole(tmp_path: Path):
    # Down by almost three LR pixels, and not a whole number of them to the right.
    pair = moved_pair(shift=(11.0, 5.0))
    whole = fuse_subspace(pair, SETTINGS, seed=1)
    solver = learn(pair, SETTINGS, seed=1)
    assert solver.ground.prepared.placement is not None
    fused = by_strips(solver, 5)
    assert np.abs(fused - whole.fused).max() < ALIKE * np.ptp(whole.fused)
    keep(solver, tmp_path)
    assert np.array_equal(by_strips(taken_up(tmp_path, SETTINGS), 5), fused)


@pytest.mark.slow
def test_a_shifted_pair_by_strips_of_the_ensemble_is_the_whole():
    pair = moved_pair(shift=(11.0, 5.0))
    whole = fuse_ensemble(pair, FEW, seed=1)
    solver = learn_ensemble.learn(pair, FEW, seed=1)
    assert solver.refinement is not None
    assert np.abs(by_strips(solver, 5) - whole.fused).max() < ALIKE * np.ptp(whole.fused)


@pytest.mark.slow
def test_a_turned_pair_is_refused_with_its_angle():
    pair = moved_pair(angle_deg=1.5)
    with pytest.raises(DataError, match="turned by"):
        learn(pair, SETTINGS, seed=1)
