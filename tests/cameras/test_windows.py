"""An operator cut to a window of rows: what it gives its LR rows is what the whole one gives them."""

from __future__ import annotations

import numpy as np
import pytest

from paddle_umsft.cameras.psf import gaussian_psf
from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.cameras.windows import WindowedDegradation, window_around, window_below

SHAPE = (72, 40)
SCALE = 4


def operator(border: str, turned: bool = False) -> SpatialDegradation:
    psf = gaussian_psf(9, 1.7)
    if turned:
        # No outer product any more: several terms.
        psf = psf + 0.3 * np.eye(9) / 9
    return SpatialDegradation(psf / psf.sum(), SCALE, border)


@pytest.mark.parametrize("border", ["wrap", "reflect"])
@pytest.mark.parametrize("rows", [(0, 16), (24, 40), (56, 72)])
@pytest.mark.parametrize("turned", [False, True])
def test_lr_rows_of_a_window_see_what_they_see_of_the_whole(border: str, rows: tuple[int, int], turned: bool):
    whole = operator(border, turned)
    cube = np.random.default_rng(1).random((*SHAPE, 3), dtype=np.float32)
    window = window_around(whole, SHAPE, rows, 8)
    assert set(range(*rows)) <= set(window.hr_rows.tolist())
    assert len(window.lr_rows) >= (rows[1] - rows[0]) // SCALE
    cut = WindowedDegradation(whole, window)
    seen = cut.forward(cube[window.hr_rows])
    np.testing.assert_allclose(seen, whole.forward(cube)[window.lr_rows], rtol=0, atol=1e-6)
    by_rows = cut.forward_by_rows(lambda index: cube[window.hr_rows][index], (len(window.hr_rows), SHAPE[1], 3))
    # Rows that are narrowed as they are made leave out the weakest shapes of the PSF.
    np.testing.assert_allclose(by_rows, seen, rtol=0, atol=3e-4)


@pytest.mark.parametrize("border", ["wrap", "reflect"])
def test_the_adjoint_of_a_window_is_its_transpose(border: str):
    rng = np.random.default_rng(2)
    cut = WindowedDegradation(operator(border), window_below(operator(border), SHAPE, (3, 7)))
    assert cut.window.lr_rows.tolist() == [3, 4, 5, 6]
    image = rng.random((len(cut.window.hr_rows), SHAPE[1], 2), dtype=np.float32)
    lr = rng.random((4, SHAPE[1] // SCALE, 2), dtype=np.float32)
    assert np.vdot(cut.forward(image), lr) == pytest.approx(np.vdot(image, cut.adjoint(lr)), rel=1e-5)


def test_a_border_that_repeats_the_picture_brings_rows_of_its_other_side():
    window = window_around(operator("wrap"), SHAPE, (0, 8), 4)
    assert window.hr_rows.tolist() == [68, 69, 70, 71, *range(12)]
    assert window_around(operator("reflect"), SHAPE, (0, 8), 4).hr_rows.tolist() == list(range(12))


def test_rows_interpolated_alone_are_those_of_the_whole_to_the_last_bit():
    lr = np.random.default_rng(3).random((18, 10, 5), dtype=np.float32)
    whole = operator("reflect").enlarge(lr)
    rows = np.arange(13, 50)
    assert np.array_equal(operator("reflect").enlarge_rows(lr, rows), whole[rows])
