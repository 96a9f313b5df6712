"""Baselines made row by row: the cube of the whole, from the disk, whatever rows are asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paddle_umsft.data.scene import Observation
from paddle_umsft.data.synthetic import dead_leaves_scene
from paddle_umsft.methods.baselines.by_rows import ByRows, upsampled
from paddle_umsft.methods.table import METHODS, imported
from paddle_umsft.runs.row_plan import solving_of

BY_ROWS = ("bicubic", "gsa", "sfim")


def pair(scale: int, lr_shape: tuple[int, int]) -> Observation:
    """A made-up pair: means of blocks, and of bands."""
    height, width = lr_shape[0] * scale, lr_shape[1] * scale
    truth = dead_leaves_scene(height, width, 12, 5).hr_hsi
    blocks = truth.reshape(lr_shape[0], scale, lr_shape[1], scale, 12)
    hr_msi = truth.reshape(height, width, 3, 4).mean(axis=3)
    return Observation(blocks.mean(axis=(1, 3)).astype(np.float32), hr_msi.astype(np.float32), scale)


def kept(name: str, observation: Observation, folder: Path) -> ByRows:
    solving = solving_of(METHODS[name])
    assert isinstance(solving, ByRows)
    solving.keep(solving.learn(observation, None), folder)
    return solving


@pytest.mark.parametrize("name", BY_ROWS)
@pytest.mark.parametrize(("scale", "lr_shape"), [(4, (17, 23)), (3, (22, 14)), (8, (9, 12))])
def test_rows_are_those_of_the_whole(name: str, scale: int, lr_shape: tuple[int, int], tmp_path: Path) -> None:
    observation = pair(scale, lr_shape)
    whole = imported(METHODS[name].fuse)(observation).fused
    solving = kept(name, observation, tmp_path)
    assert solving.is_kept(tmp_path)
    solver = solving.taken_up(tmp_path, None)
    height = observation.shape[0]
    for at_once in (1, 5, height):
        parts = []
        for top in range(0, height, at_once):
            bottom = min(top + at_once, height)
            parts.append(solver.cube(np.zeros(0), top, bottom))
        made = np.concatenate(parts)
        assert made.dtype == np.float32
        assert np.abs(made - whole).max() < 1e-6 * np.abs(whole).max()


def test_an_image_that_was_altered_is_seen(tmp_path: Path) -> None:
    solving = kept("gsa", pair(4, (9, 8)), tmp_path)
    with (tmp_path / "hr_msi.npy").open("r+b") as file:
        file.seek(400)
        file.write(b"\xff\xff")
    assert not solving.is_kept(tmp_path)


def test_a_sample_is_judged_where_it_sees_all_of_itself(tmp_path: Path) -> None:
    observation = pair(3, (40, 14))
    solving = kept("gsa", observation, tmp_path)
    solver = solving.taken_up(tmp_path, None)
    whole = imported(METHODS["gsa"].fuse)(observation).fused
    # Memory for a few blocks of rows.
    sample = solving.sample_of(solver, tmp_path, lambda rows: rows, observation, 80 * 12 * 16 * 3 * 3 * 14)
    assert sample.share == pytest.approx(16 / 40)
    rows = (sample.lr_rows[:, None] * 3 + np.arange(3)).ravel()
    np.testing.assert_allclose(sample.result.fused, whole[rows], atol=1e-6)
    assert sample.result.degrade is not None
    again = sample.result.degrade(sample.result.fused)
    assert again.shape == sample.pair.lr_hsi.shape
    # Rows whose footprint ends in the sample are what the whole cube looks like behind the PSF: here, means of blocks.
    assert sample.pair.mask_hsi is not None
    seen = sample.pair.mask_hsi[:, 0]
    blocks = whole.reshape(40, 3, 14, 3, 12).mean(axis=(1, 3))
    if solver.learned.psf is not None and np.ptp(solver.learned.psf) == 0:
        np.testing.assert_allclose(again[seen], blocks[sample.lr_rows][seen], atol=1e-5)
    everything = solving.sample_of(solver, tmp_path, lambda rows: rows, observation, 2**30)
    assert everything.share == 1
    assert everything.result.degrade is None


def test_rows_at_either_end_repeat_the_edge() -> None:
    image = np.random.default_rng(0).random((7, 5, 2)).astype(np.float32)
    whole = upsampled(image, 5)
    for rows in (np.arange(0, 1), np.arange(30, 35), np.arange(12, 19)):
        np.testing.assert_allclose(upsampled(image, 5, rows), whole[rows], rtol=1e-6)
