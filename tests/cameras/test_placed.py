"""LR pixels at any place: closed forms, adjointness, and the plain operator where nothing moves."""

from __future__ import annotations

import numpy as np
import pytest

from paddle_umsft.preparation.footprint import Profile, look
from paddle_umsft.preparation.placed_operator import PlacedOperator, placed_patches
from paddle_umsft.cameras.placement import Placement
from paddle_umsft.subspace.operators import PsfOperator

SHAPE, SCALE = (48, 64), 4
BENT = np.array([[1.01, 0.03], [-0.02, 0.98]])
PLACEMENTS = [
    Placement(SCALE, np.array([3.0, -2.0])),
    Placement(SCALE, np.array([0.3, -1.4]), np.diag([1.02, 0.98])),
    Placement(SCALE, np.array([-0.6, 1.7]), BENT),
]


def some_psf(size: int = 5) -> np.ndarray:
    psf = np.random.default_rng(1).uniform(size=(size, size))
    return psf / psf.sum()


def test_unmoved_it_is_the_plain_operator_inside():
    image = np.random.default_rng(0).standard_normal((*SHAPE, 3))
    plain = PsfOperator(some_psf(), SCALE, SHAPE, dtype=np.float64).forward(image)
    placed = PlacedOperator(some_psf(), SCALE, SHAPE, Placement(SCALE), dtype=np.float64).forward(image)
    np.testing.assert_allclose(placed[1:-1, 1:-1], plain[1:-1, 1:-1], atol=1e-12)


def test_a_whole_shift_is_the_plain_operator_on_a_shifted_image():
    image = np.random.default_rng(0).standard_normal((*SHAPE, 2))
    placement = Placement(SCALE, np.array([3.0, -2.0]))
    placed = PlacedOperator(some_psf(), SCALE, SHAPE, placement, dtype=np.float64).forward(image)
    shifted = np.roll(image, (-3, 2), axis=(0, 1))
    plain = PsfOperator(some_psf(), SCALE, SHAPE, dtype=np.float64).forward(shifted)
    np.testing.assert_allclose(placed[2:-2, 2:-2], plain[2:-2, 2:-2], atol=1e-12)


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_forward_adjoint_strips_and_patches_agree(placement):
    rng = np.random.default_rng(2)
    image = rng.standard_normal((*SHAPE, 3))
    operator = PlacedOperator(some_psf(), SCALE, SHAPE, placement, dtype=np.float64)
    seen = operator.forward(image)
    other = rng.standard_normal(seen.shape)
    assert np.vdot(seen, other) == pytest.approx(np.vdot(image, operator.adjoint(other)))
    strips = operator.forward_rows(lambda index: image[index], 3)
    np.testing.assert_allclose(strips, seen, atol=1e-6)
    through = placed_patches(image, 5, SCALE, placement) @ some_psf().ravel()
    np.testing.assert_allclose(through.T.reshape(seen.shape), seen, atol=1e-12)


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_a_plane_is_seen_at_the_place_of_the_pixel(placement):
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float64)
    plane = (0.3 * rows - 0.7 * columns + 2.0)[..., None]
    psf = np.ones((SCALE, SCALE)) / SCALE**2  # its middle is that of the LR pixel
    operator = PlacedOperator(psf, SCALE, SHAPE, placement, dtype=np.float64)
    places = placement.places(operator.lr_shape)
    expected = 0.3 * places[..., 0] - 0.7 * places[..., 1] + 2.0
    inside = (slice(2, -2), slice(2, -2))
    np.testing.assert_allclose(operator.forward(plane)[..., 0][inside], expected[inside], atol=1e-9)
    seen = look(plane, placement, operator.lr_shape, Profile(box=3.0, softness=0.8))
    whole = (seen.inside > 1 - 1e-9).reshape(operator.lr_shape)
    np.testing.assert_allclose(seen.values.reshape(expected.shape)[whole], expected[whole], atol=1e-2)
    np.testing.assert_allclose(seen.down.reshape(expected.shape)[whole], 0.3, atol=1e-2)
    np.testing.assert_allclose(seen.right.reshape(expected.shape)[whole], -0.7, atol=1e-2)


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_interpolation_puts_every_value_at_its_place(placement):
    lr_shape = (SHAPE[0] // SCALE, SHAPE[1] // SCALE)
    places = placement.places(lr_shape)
    values = (0.2 * places[..., 0] + 0.5 * places[..., 1])[..., None]
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    large = placement.upsampled(values, SHAPE)[..., 0]
    inside = (slice(8, -8), slice(8, -8))
    np.testing.assert_allclose(large[inside], (0.2 * rows + 0.5 * columns)[inside], atol=1e-6)
