"""What LR rows see of an MSI through kernels, against scipy's correlation and loops over a padded picture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from scipy.ndimage import correlate

from paddle_umsft.cameras.border import Border
from paddle_umsft.preparation.seen_rows import SeenRows, common_terms

BANDS = 3
# What is left out of the kernels' common terms may be this part of what is seen.
EXACT = 1e-4
ROUNDING = 1e-12
# What scipy and numpy call the two borders.
SCIPY_MODES = {"wrap": "grid-wrap", "reflect": "reflect"}
NUMPY_MODES = {"wrap": "wrap", "reflect": "symmetric"}


class Case(NamedTuple):
    """A picture of (h, w) LR pixels of s HR pixels, a window, and the LR rows that are asked for."""

    scale: int
    lr_shape: tuple[int, int]
    taps: int
    rows: tuple[int, ...]


CASES = [
    # First and last row, where most of the window lies outside; columns that are no multiple of those made together.
    Case(scale=4, lr_shape=(9, 13), taps=10, rows=(0, 4, 8)),
    Case(scale=4, lr_shape=(9, 13), taps=7, rows=(0, 1, 8)),
    Case(scale=3, lr_shape=(11, 6), taps=9, rows=(2, 3, 10)),
    Case(scale=3, lr_shape=(11, 6), taps=4, rows=(5,)),
    # As many columns as are made together, and one more.
    Case(scale=5, lr_shape=(4, 8), taps=11, rows=(0, 1, 2, 3)),
    Case(scale=2, lr_shape=(6, 9), taps=3, rows=(0, 5)),
    # A window smaller than the LR pixel, and one as wide as the picture.
    Case(scale=6, lr_shape=(5, 7), taps=4, rows=(0, 2, 4)),
    Case(scale=4, lr_shape=(3, 5), taps=12, rows=(0, 1, 2)),
]


def picture_of(case: Case) -> np.ndarray:
    """(H, W, M) noise: every pixel tells where it is."""
    rng = np.random.default_rng(case.taps)
    height, width = case.lr_shape
    return rng.random((height * case.scale, width * case.scale, BANDS))


def kernels_of(taps: int, count: int = 4) -> np.ndarray:
    """(q, k, k) kernels that share nothing and are no outer products."""
    return np.random.default_rng(count).standard_normal((count, taps, taps))


def by_loops(
    picture: np.ndarray,
    case: Case,
    kernel: np.ndarray,
    border: Border,
) -> np.ndarray:
    """(n, w, M): every LR pixel's window cut out of a padded picture; windows lie about the LR pixel's middle."""
    taps = len(kernel)
    margin = 2 * taps
    # Half a pixel towards the first one where it cannot be the very middle.
    before = int(np.ceil((taps - case.scale) / 2))
    padding = ((margin, margin), (margin, margin), (0, 0))
    padded = np.pad(picture, padding, mode=NUMPY_MODES[border])
    seen = np.zeros((len(case.rows), case.lr_shape[1], BANDS))
    for number, row in enumerate(case.rows):
        top = margin + row * case.scale - before
        for column in range(case.lr_shape[1]):
            left = margin + column * case.scale - before
            window = padded[top : top + taps, left : left + taps]
            for band in range(BANDS):
                seen[number, column, band] = np.sum(kernel * window[:, :, band])
    return seen


def by_scipy(
    picture: np.ndarray,
    case: Case,
    kernel: np.ndarray,
    border: Border,
) -> np.ndarray:
    """(n, w, M): the whole picture blurred by scipy, read at LR pixels whose middle is that of an HR pixel."""
    middle = case.scale // 2
    blurred = correlate(picture, kernel[:, :, None], mode=SCIPY_MODES[border])
    rows = np.array(case.rows) * case.scale + middle
    return blurred[rows, middle :: case.scale]


@pytest.mark.parametrize("border", ["wrap", "reflect"])
@pytest.mark.parametrize("case", CASES)
def test_rows_see_what_loops_over_a_padded_picture_see(case: Case, border: Border) -> None:
    picture = picture_of(case)
    kernels = kernels_of(case.taps)
    rows = SeenRows(picture, case.scale, np.array(case.rows), border, widest=case.taps)
    seen = rows.through(kernels)
    assert seen.shape == (len(kernels), len(case.rows) * case.lr_shape[1], BANDS)
    for number, kernel in enumerate(kernels):
        expected = by_loops(picture, case, kernel, border).reshape(-1, BANDS)
        np.testing.assert_allclose(seen[number], expected, rtol=0, atol=ROUNDING * np.abs(kernel).sum())


@pytest.mark.parametrize("border", ["wrap", "reflect"])
@pytest.mark.parametrize(("scale", "taps"), [(3, 5), (3, 9), (5, 7)])
def test_rows_see_what_scipy_sees_where_both_have_a_middle(
    scale: int,
    taps: int,
    border: Border,
) -> None:
    case = Case(scale, lr_shape=(6, 10), taps=taps, rows=(0, 3, 5))
    picture = picture_of(case)
    kernels = kernels_of(taps)
    seen = SeenRows(picture, scale, np.array(case.rows), border, widest=taps).through(kernels)
    for number, kernel in enumerate(kernels):
        expected = by_scipy(picture, case, kernel, border).reshape(-1, BANDS)
        np.testing.assert_allclose(seen[number], expected, rtol=0, atol=ROUNDING * np.abs(kernel).sum())


@pytest.mark.parametrize("border", ["wrap", "reflect"])
@pytest.mark.parametrize("taps", [3, 4, 8, 9, 14])
def test_rows_laid_out_for_a_wider_kernel_serve_a_narrower_one(taps: int, border: Border) -> None:
    case = Case(scale=4, lr_shape=(5, 9), taps=taps, rows=(0, 2, 4))
    picture = picture_of(case)
    kernel = kernels_of(taps, count=1)
    rows = SeenRows(picture, case.scale, np.array(case.rows), border, widest=14)
    expected = by_loops(picture, case, kernel[0], border).reshape(-1, BANDS)
    seen = rows.through(kernel)[0]
    np.testing.assert_allclose(seen, expected, rtol=0, atol=ROUNDING * np.abs(kernel).sum())


def test_one_band_is_seen_as_among_all() -> None:
    case = CASES[0]
    rows = SeenRows(picture_of(case), case.scale, np.array(case.rows), "reflect", widest=case.taps)
    kernels = kernels_of(case.taps)
    together = rows.through(kernels)
    for band in range(BANDS):
        alone = rows.through(kernels, band)
        assert alone.shape == (*together.shape[:2], 1)
        np.testing.assert_allclose(alone[:, :, 0], together[:, :, band], rtol=0, atol=1e-10)


def turned_bell(taps: int, angle: float) -> np.ndarray:
    """(k, k) a bell twice as long as wide, turned: no outer product, but nearly a mix of a few."""
    places = np.arange(taps) - (taps - 1) / 2
    rows, columns = np.meshgrid(places, places, indexing="ij")
    along = np.cos(angle) * rows + np.sin(angle) * columns
    across = np.cos(angle) * columns - np.sin(angle) * rows
    bell = np.exp(-0.5 * (along / 3.0) ** 2 - 0.5 * (across / 1.5) ** 2)
    return bell / bell.sum()


def test_a_smooth_kernel_and_its_derivative_share_few_terms_and_stay_exact() -> None:
    case = Case(scale=4, lr_shape=(9, 13), taps=28, rows=(0, 4, 8))
    turned = turned_bell(case.taps, 0.5)
    change = turned_bell(case.taps, 0.501) - turned
    kernels = np.stack([turned, change])
    row_taps, column_taps = common_terms(kernels)
    assert len(row_taps) <= case.taps // 2
    assert column_taps.shape == (2, len(row_taps), case.taps)
    picture = picture_of(case)
    seen = SeenRows(picture, case.scale, np.array(case.rows), "reflect", widest=case.taps).through(kernels)
    for number, kernel in enumerate(kernels):
        expected = by_loops(picture, case, kernel, "reflect").reshape(-1, BANDS)
        largest = np.abs(expected).max()
        np.testing.assert_allclose(seen[number], expected, rtol=0, atol=EXACT * largest)


def test_a_kernel_is_seen_exactly_beside_one_that_is_far_larger() -> None:
    case = CASES[0]
    picture = picture_of(case)
    kernels = kernels_of(case.taps, count=2)
    kernels[1] = 1e9 * turned_bell(case.taps, 0.5)
    seen = SeenRows(picture, case.scale, np.array(case.rows), "reflect", widest=case.taps).through(kernels)
    expected = by_loops(picture, case, kernels[0], "reflect").reshape(-1, BANDS)
    np.testing.assert_allclose(seen[0], expected, rtol=0, atol=EXACT * np.abs(expected).max())


def test_terms_of_outer_products_are_as_many_as_these() -> None:
    rng = np.random.default_rng(0)
    down = rng.standard_normal((2, 9))
    across = rng.standard_normal((5, 2, 9))
    kernels = np.einsum("ri,qrj->qij", down, across)
    row_taps, column_taps = common_terms(kernels)
    assert len(row_taps) == 2
    again = np.einsum("ri,qrj->qij", row_taps, column_taps)
    np.testing.assert_allclose(again, kernels, rtol=0, atol=1e-10)


def test_a_derivative_that_is_nothing_sees_nothing() -> None:
    case = CASES[1]
    kernels = kernels_of(case.taps, count=2)
    kernels[1] = 0.0
    rows = SeenRows(picture_of(case), case.scale, np.array(case.rows), "wrap", widest=case.taps)
    seen = rows.through(kernels)
    assert np.abs(seen[0]).max() > 1.0
    np.testing.assert_array_equal(seen[1], 0.0)
