"""LR pixels at any place: closed forms, adjointness, and the plain operator where nothing moves."""

from __future__ import annotations

import numpy as np
import pytest

from paddle_umsft.cameras.placed import PlacedDegradation
from paddle_umsft.cameras.placement import Placement
from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.preparation.footprint import look
from paddle_umsft.preparation.profiles import FoundPsf, Profile, SoftBox

SHAPE, SCALE = (48, 64), 4
LR_SHAPE = (SHAPE[0] // SCALE, SHAPE[1] // SCALE)
BENT = np.array([[1.01, 0.03], [-0.02, 0.98]])
PLACEMENTS = [
    Placement(SCALE, np.array([3.0, -2.0])),
    Placement(SCALE, np.array([0.3, -1.4]), np.diag([1.02, 0.98])),
    Placement(SCALE, np.array([-0.6, 1.7]), BENT),
]
BOX = np.ones((SCALE, SCALE)) / SCALE**2  # its middle is that of the LR pixel


def some_psf(size: int = 5) -> np.ndarray:
    psf = np.random.default_rng(1).uniform(size=(size, size))
    return psf / psf.sum()


def bell(sigma: float = 2.2, size: int = 18) -> np.ndarray:
    place = np.arange(size) - (size - 1) / 2
    taps = np.exp(-0.5 * (place / sigma) ** 2)
    return np.outer(taps, taps) / taps.sum() ** 2


@pytest.mark.parametrize("border", ["wrap", "reflect"])
def test_unmoved_it_is_the_plain_operator(border):
    image = np.random.default_rng(0).standard_normal((*SHAPE, 3))
    plain = SpatialDegradation(some_psf(), SCALE, border)
    placed = PlacedDegradation(some_psf(), Placement(SCALE), border)
    np.testing.assert_allclose(placed.forward(image), plain.forward(image), atol=1e-12)
    np.testing.assert_allclose(placed.inside(LR_SHAPE), plain.inside(LR_SHAPE), atol=1e-12)


def test_a_whole_shift_is_the_plain_operator_on_a_shifted_image():
    image = np.random.default_rng(0).standard_normal((*SHAPE, 2))
    placement = Placement(SCALE, np.array([3.0, -2.0]))
    placed = PlacedDegradation(some_psf(), placement, "wrap").forward(image)
    shifted = np.roll(image, (-3, 2), axis=(0, 1))
    np.testing.assert_allclose(placed, SpatialDegradation(some_psf(), SCALE, "wrap").forward(shifted), atol=1e-12)
    np.testing.assert_array_equal(placement.on_the_hsi(image, "wrap"), shifted)


@pytest.mark.parametrize("border", ["wrap", "reflect"])
@pytest.mark.parametrize("placement", PLACEMENTS)
def test_forward_adjoint_and_rows_agree(placement, border):
    rng = np.random.default_rng(2)
    image = rng.standard_normal((*SHAPE, 3))
    operator = PlacedDegradation(some_psf(), placement, border)
    seen = operator.forward(image)
    other = rng.standard_normal(seen.shape)
    assert np.vdot(seen, other) == pytest.approx(np.vdot(image, operator.adjoint(other)))
    single = image.astype(np.float32)
    np.testing.assert_allclose(operator.forward_by_rows(lambda index: single[index], image.shape), seen, atol=1e-3)


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_a_plane_is_seen_at_the_place_of_the_pixel(placement):
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float64)
    plane = (0.3 * rows - 0.7 * columns + 2.0)[..., None]
    operator = PlacedDegradation(BOX, placement, "reflect")
    places = placement.places(LR_SHAPE)
    expected = 0.3 * places[..., 0] - 0.7 * places[..., 1] + 2.0
    whole = np.zeros(LR_SHAPE, dtype=bool)
    whole[2:-2, 2:-2] = True
    np.testing.assert_allclose(operator.forward(plane)[..., 0][whole], expected[whole], atol=1e-9)
    profiles: list[Profile] = [SoftBox(3.0, 0.8, SCALE), FoundPsf.of(bell(), SCALE, "reflect", 0.0)]
    for profile in profiles:
        seen = look(plane, placement, LR_SHAPE, profile, change=True)
        inner = whole & (seen.inside > 1 - 1e-4).reshape(LR_SHAPE)
        np.testing.assert_allclose(seen.values.reshape(LR_SHAPE)[inner], expected[inner], atol=1e-2)
        np.testing.assert_allclose(seen.down.reshape(LR_SHAPE)[inner], 0.3, atol=1e-2)
        np.testing.assert_allclose(seen.right.reshape(LR_SHAPE)[inner], -0.7, atol=1e-2)


def test_a_found_psf_sees_what_the_operator_sees():
    image = np.random.default_rng(3).uniform(size=(*SHAPE, 2))
    for border in ("wrap", "reflect"):
        operator = SpatialDegradation(bell(), SCALE, border)
        seen = look(image, Placement(SCALE), LR_SHAPE, FoundPsf.of(bell(), SCALE, border, 0.0))
        np.testing.assert_allclose(seen.values.reshape(*LR_SHAPE, 2), operator.forward(image), atol=1e-6)
        np.testing.assert_allclose(seen.inside.reshape(LR_SHAPE), operator.inside(LR_SHAPE), atol=1e-6)


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_interpolation_puts_every_value_at_its_place(placement):
    places = placement.places(LR_SHAPE)
    values = (0.2 * places[..., 0] + 0.5 * places[..., 1])[..., None]
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    large = placement.enlarged(values)[..., 0]
    inside = (slice(8, -8), slice(8, -8))
    np.testing.assert_allclose(large[inside], (0.2 * rows + 0.5 * columns)[inside], atol=1e-6)


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_the_msi_on_the_hsi_s_grid_is_seen_the_same(placement):
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float64)
    smooth = np.sin(rows / 5 + columns / 7)[..., None]
    placed = PlacedDegradation(bell(), placement, "reflect").forward(smooth)
    plain = SpatialDegradation(bell(), SCALE, "reflect").forward(placement.on_the_hsi(smooth, "reflect"))
    np.testing.assert_allclose(placed[3:-3, 3:-3], plain[3:-3, 3:-3], atol=2e-3)


def test_rows_enlarged_alone_are_those_of_the_whole():
    lr = np.random.default_rng(3).random((9, 7, 4), dtype=np.float32)
    placement = Placement(3, np.array([4.0, -2.5]), np.diag([0.8, 0.9]))
    operator = PlacedDegradation(np.full((7, 7), 1 / 49), placement, "reflect")
    rows = np.arange(5, 16)
    enlarged = operator.enlarge_rows(lr, rows)
    assert np.array_equal(enlarged, operator.enlarge(lr)[rows])
    # By numpy's own interpolation between the places that LR pixels have on the MSI.
    places = placement.places((9, 7))
    down = np.interp(rows, places[:, 0, 0], lr[:, 3, 1])
    np.testing.assert_allclose(placement.enlarged(lr[:, 3:4, 1:2])[rows, 1, 0], down, atol=1e-6)


def test_a_placement_told_of_a_larger_picture_is_where_it_was():
    turned = np.array([[0.9, -0.1], [0.15, 1.1]])
    part = Placement(4, np.array([2.5, -1.0]), turned)
    first = np.array([3, 5])  # LR pixels
    corner = np.array([9, 22])  # MSI pixels, as the two grids do not tile each other
    whole = part.told_of((14, 17), (6, 8), on_ground=4 * first, on_msi=corner)
    places = whole.places((14, 17))[3:9, 5:13]
    np.testing.assert_allclose(places, part.places((6, 8)) + corner, atol=1e-12)
