"""One problem by strips: what comes out is what comes out of the whole picture, and no seam is seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Union

import numpy as np
import pytest
from made_up_pairs import made_pair
from scipy.ndimage import gaussian_filter
from solved_by_strips import ALIKE, FEW, SETTINGS, by_strips

from paddle_umsft.config.ensemble import EnsembleInput, EnsembleSettings
from paddle_umsft.config.subspace import SubspaceInput, SubspaceSettings
from paddle_umsft.data.scene import Observation
from paddle_umsft.data.synthetic import dead_leaves_scene
from paddle_umsft.errors import DataError
from paddle_umsft.methods.subspace import learn as learning
from paddle_umsft.methods.subspace import learn_ensemble, whole_picture
from paddle_umsft.methods.subspace.ensemble import draw_members, fuse_ensemble
from paddle_umsft.methods.subspace.ground import Ground
from paddle_umsft.methods.subspace.kept import is_kept, keep, taken_up
from paddle_umsft.methods.subspace.learn import learn
from paddle_umsft.methods.subspace.learn_parts import blocks_of_rows
from paddle_umsft.methods.subspace.method import fuse_subspace
from paddle_umsft.methods.subspace.whole_picture import lay_large_ground, spreads_in, surround_in

BANDS = 16


def pair(
    scale: int,
    lr_shape: tuple[int, int],
    *,
    sigma: float = 0.4,
    wrap: bool = False,
    hole: bool = False,
) -> Observation:
    """A made-up pair, blurred by Fourier transform or by plain sums over a padded picture."""
    height, width = lr_shape[0] * scale, lr_shape[1] * scale
    truth = dead_leaves_scene(height, width, BANDS, 5).hr_hsi.astype(np.float64)
    reach = 2 * scale
    places = np.arange(-reach, reach + 1) - (0.5 if scale % 2 == 0 else 0.0)
    taps = np.exp(-0.5 * (places / (sigma * scale)) ** 2)
    taps /= taps.sum()
    mode = "symmetric"
    if wrap:
        mode = "wrap"
    padded = np.pad(truth, ((reach, reach), (reach, reach), (0, 0)), mode=mode)
    first = (scale - 1) // 2
    rows = sum(tap * padded[place + first : place + first + height : scale] for place, tap in enumerate(taps))
    lr_hsi = sum(tap * rows[:, place + first : place + first + width : scale] for place, tap in enumerate(taps))
    centres = np.array([0.8, 0.5, 0.2]) * (BANDS - 1)
    srf = np.exp(-0.5 * ((np.arange(BANDS) - centres[:, None]) / (0.12 * BANDS)) ** 2)
    hr_msi = truth @ (srf / srf.sum(axis=1, keepdims=True)).T
    rng = np.random.default_rng(6)
    hr_msi = hr_msi + 1e-3 * rng.standard_normal(hr_msi.shape)
    lr_hsi = lr_hsi + 1e-3 * rng.standard_normal(lr_hsi.shape)
    mask: dict[str, np.ndarray] = {}
    if hole:
        mask["mask_msi"] = np.ones((height, width), dtype=bool)
        mask["mask_msi"][height // 3 : height // 3 + 3 * scale, 5 : 5 + 2 * scale] = False
        mask["mask_hsi"] = np.ones(lr_shape, dtype=bool)
        mask["mask_hsi"][1, 2] = False
    return Observation(lr_hsi.astype(np.float32), hr_msi.astype(np.float32), scale, **mask)


# Behind a wide PSF a map goes astray at the rim, and what is done about it by what it misses there multiplies what
# strips differ by: shares of plain hypersharpening differ by 3e-4.
ALIKE_ASTRAY = 3e-5


def check_seams(
    fused: np.ndarray,
    whole: np.ndarray,
    rows: int,
    alike: float = ALIKE,
) -> None:
    """The cube by strips is the whole's, and what differs from row to row differs no more where strips meet."""
    apart = np.abs(fused - whole)
    assert apart.max() < alike * np.ptp(whole)
    height = len(apart)
    seams = np.zeros(height, dtype=bool)
    for top in range(rows, height, rows):
        seams[top - 1 : top + 1] = True
    steps = np.abs(np.diff(fused, axis=0) - np.diff(whole, axis=0)).max(axis=(1, 2))
    assert steps[seams[:-1]].max() < ALIKE * np.ptp(whole)


CASES = {
    "camera": {"scale": 4, "lr_shape": (48, 28)},
    "simulator": {"scale": 4, "lr_shape": (48, 24), "wrap": True},
    "odd scale": {"scale": 5, "lr_shape": (40, 22)},
    "wide PSF": {"scale": 4, "lr_shape": (56, 24), "sigma": 0.7},
    "holes": {"scale": 4, "lr_shape": (48, 28), "hole": True},
}


@pytest.mark.parametrize(
    "name",
    [
        "camera",
        "holes",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("simulator", "odd scale", "wide PSF")),
    ],
)
def test_strips_make_the_cube_of_the_whole_picture(name: str):
    observation = pair(**CASES[name])
    whole = fuse_subspace(observation, SETTINGS, seed=1).fused
    fused = by_strips(learn(observation, SETTINGS, seed=1), 9)
    assert fused.shape == whole.shape
    alike = ALIKE
    if name == "wide PSF":
        alike = ALIKE_ASTRAY
    check_seams(fused, whole, 9 * observation.scale, alike)


@pytest.mark.parametrize(
    "name",
    ["camera", *(pytest.param(name, marks=pytest.mark.slow) for name in ("holes", "simulator", "odd scale"))],
)
def test_strips_of_the_ensemble_make_the_cube_of_the_whole_picture(name: str):
    observation = pair(**CASES[name])
    whole = fuse_ensemble(observation, FEW, seed=1)
    solver = learn_ensemble.learn(observation, FEW, seed=1)
    # All that a strip can go through is gone through.
    assert solver.stages == ("map", "round_0")
    assert solver.surround is not None
    assert solver.refinement is not None
    check_seams(by_strips(solver, 9), whole.fused, 9 * observation.scale)
    told = ("ensemble_kept", "refined", "base_held_out_rmse", "ensemble_held_out_rmse", "plain_share")
    for name in told:
        assert solver.extras[name] == pytest.approx(whole.extras[name], rel=1e-3, abs=1e-3)


def test_an_ensemble_that_was_thrown_away_goes_by_strips_as_a_single_map():
    observation = pair(4, (24, 28))
    alone = EnsembleInput(ensemble=EnsembleSettings(members=1, features=2), subspace=SubspaceSettings(stack=False))
    whole = fuse_ensemble(observation, alone, seed=1)
    assert not whole.extras["ensemble_kept"]
    solver = learn_ensemble.learn(observation, alone, seed=1)
    assert solver.stages[:1] != ("map",)
    assert np.abs(by_strips(solver, 24) - whole.fused).max() < ALIKE * np.ptp(whole.fused)


def test_what_went_astray_is_told_by_strips_as_by_the_whole_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    allowed = Ground.lr_error.fget
    monkeypatch.setattr(Ground, "lr_error", property(lambda ground: 1e-2 * allowed(ground)))
    observation = pair(4, (24, 28))
    whole = fuse_subspace(observation, SETTINGS, seed=1).fused
    solver = learn(observation, SETTINGS, seed=1)
    fused = by_strips(solver, 9)
    assert solver.places is not None
    assert 0.0 < solver.places.min() < 0.5 < solver.places.max()
    check_seams(fused, whole, 9 * observation.scale)
    # With rows of files instead of images, too; whether or not plain hypersharpening was there before.
    for plain in (solver.plain, None):
        solver.plain = plain
        keep(solver, tmp_path)
        assert np.array_equal(by_strips(taken_up(tmp_path, SETTINGS), 9), fused)


def test_one_strip_is_the_whole_picture_but_for_rounding():
    observation = pair(4, (20, 28))
    whole = fuse_subspace(observation, SETTINGS, seed=1).fused
    fused = by_strips(learn(observation, SETTINGS, seed=1), 20)
    assert np.abs(fused - whole).max() < 2e-6 * np.ptp(whole)


def test_where_a_strip_is_cut_makes_no_difference_to_a_large_scene(monkeypatch: pytest.MonkeyPatch):
    # As if so small a scene were too large to be looked at as a whole.
    monkeypatch.setattr(whole_picture, "MOST_AT_ONCE", 2000)
    monkeypatch.setattr(learning, "SAMPLED", 24_000)
    monkeypatch.setattr(learning, "MOST_FITTED", 1400)
    observation = pair(4, (60, 28))
    solver = learn(observation, SETTINGS, seed=1)
    assert 1200 < solver.fitted.sum() < 60 * 28
    long = by_strips(solver, 60)
    short = by_strips(solver, 11)
    # There are more steps on a sample, and they reach further.
    assert np.abs(long - short).max() < 2 * ALIKE * np.ptp(long)
    # Statistics summed up row by row, and steps found on a sample, are as good as those of the whole.
    whole = fuse_subspace(observation, SETTINGS, seed=1).fused
    assert np.sqrt(np.mean((long - whole) ** 2)) < 1e-2


@pytest.mark.parametrize("wrap", [False, True])
def test_what_maps_look_at_is_the_same_in_blocks(wrap: bool, monkeypatch: pytest.MonkeyPatch):
    observation = pair(4, (24, 28), wrap=wrap)
    ground, statistics = lay_large_ground(observation, SETTINGS.subspace, SETTINGS.preparation)
    kernels = draw_members(EnsembleSettings(members=1), 0, surround=True)[0]
    whole = spreads_in(ground, statistics, kernels, 1.3)
    # The neighbourhood by a filter over the whole picture.
    mode = ground.operator.border
    blurred = gaussian_filter(ground.hr_msi, (1.3, 1.3, 0.0), mode=mode)
    rows = np.array([*range(90, 96), *range(7), *range(40, 44)])
    np.testing.assert_allclose(surround_in(ground, statistics.lowest, rows, 1.3), blurred[rows], atol=1e-6)
    monkeypatch.setattr(whole_picture, "MOST_AT_ONCE", 2000)
    monkeypatch.setattr(whole_picture, "BLOCK_PIXELS", 2000)
    for these, those in zip(whole, spreads_in(ground, statistics, kernels, 1.3)):
        for one, other in zip(these, those):
            np.testing.assert_allclose(one.mean, other.mean, atol=1e-5)
            assert one.deviation == pytest.approx(other.deviation, rel=1e-5)


def test_a_strip_that_the_sample_knew_nothing_of_takes_its_own_steps(monkeypatch: pytest.MonkeyPatch):
    observation = pair(4, (24, 28))
    solver = learn(observation, SETTINGS, seed=1)
    expected = solver.coeffs(0, 24)
    # Steps so long that they lead anywhere.
    (own,) = solver.rounds
    solver.rounds = [replace(own, steps=[replace(step, length=np.float32(10.0) * step.length) for step in own.steps])]
    assert np.abs(solver.coeffs(0, 24) - expected).max() < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("settings", [SETTINGS, FEW], ids=["one map", "ensemble"])
def test_what_was_kept_makes_the_same_bits(settings: Union[SubspaceInput, EnsembleInput], tmp_path: Path):
    learned_by = learn
    if isinstance(settings, EnsembleInput):
        learned_by = learn_ensemble.learn
    solver = learned_by(pair(4, (24, 28), hole=True), settings, seed=1)
    assert not is_kept(tmp_path)
    keep(solver, tmp_path)
    assert is_kept(tmp_path)
    again = taken_up(tmp_path, settings)
    assert np.array_equal(by_strips(solver, 9), by_strips(again, 9))
    assert again.notes
    assert again.extras["rank"] == solver.extras["rank"]


def test_samples_are_spread_from_top_to_bottom():
    assert blocks_of_rows(100, 100, 30) == [(0, 30), (30, 60), (60, 90), (90, 100)]
    spread = blocks_of_rows(1000, 60, 5)
    assert spread[0] == (0, 5)
    assert spread[-1][1] == 1000
    assert sum(end - first for first, end in spread) == 60


@pytest.mark.slow
def test_a_turned_pair_is_refused_with_its_angle():
    made = made_pair(angle_deg=1.5)
    turned = Observation(made.lr_hsi.astype(np.float32), made.hr_msi.astype(np.float32), 4)
    with pytest.raises(DataError, match=r"turned by 1\.\d+ degrees.*preparation\.geometry=shift"):
        learn(turned, SETTINGS, seed=1)
