"""Means over cells of another pitch: against overlaps written out, and integrals of polynomials."""

from __future__ import annotations

import numpy as np
import pytest

from paddle_umsft.cameras.cells import cell_means, shares_within
from paddle_umsft.cameras.placed import PlacedDegradation
from paddle_umsft.cameras.placement import Placement


def test_cells_of_whole_pixels_are_plain_means():
    line = np.random.default_rng(0).uniform(size=24)
    edges = np.array([2.0, 5.0, 9.0, 10.0, 22.0])
    means = cell_means(edges, 24, (0, 24), "reflect") @ line
    wanted = [line[first:stop].mean() for first, stop in ((2, 5), (5, 9), (9, 10), (10, 22))]
    np.testing.assert_allclose(means, wanted, atol=1e-12)


def test_a_polynomial_is_averaged_exactly():
    def antiderivative(place):
        return place**5 / 50 - 0.3 * place**3 + place**2

    pixels = np.diff(antiderivative(np.arange(21.0)))  # means over pixels of length 1
    edges = np.array([4.3, 5.1, 8.77, 9.0, 13.2])
    means = cell_means(edges, 20, (0, 20), "reflect") @ pixels
    np.testing.assert_allclose(means, np.diff(antiderivative(edges)) / np.diff(edges), rtol=1e-10)


def test_nothing_is_lost_between_cells_and_only_what_was_recorded_is_seen():
    edges = np.linspace(-3.0, 33.0, 28)
    line = np.random.default_rng(1).uniform(size=30)
    means = cell_means(edges, 30, (4, 25), "reflect") @ line
    inner = line[4:25]
    mirrored = np.concatenate([inner[6::-1], inner, inner[:-9:-1]])  # pixels -3 ... 32
    assert means @ np.diff(edges) == pytest.approx(mirrored.sum())
    line[:4] = np.nan_to_num(np.inf)
    line[25:] = -1e9
    np.testing.assert_allclose(cell_means(edges, 30, (4, 25), "reflect") @ line, means)


def test_shares_of_cells():
    edges = np.array([0.0, 2.5, 5.0, 7.5])
    np.testing.assert_allclose(shares_within(edges, (1, 6)), [0.6, 1.0, 0.4])


def test_a_box_of_no_whole_length_is_its_mean():
    # Pixels of 10/3, on an MSI of 40 x 30 within 48 x 36; along each axis the image is a parabola.
    scale, ratio, lr_shape = 4, 10 / 3, (12, 9)
    shape = np.array(lr_shape) * scale
    begin = np.array([-4, -3])
    middle = (shape - 1) / 2
    matrix = np.eye(2) * ratio / scale
    shift = matrix @ (middle + 0.5) - 0.5 - begin - middle
    placement = Placement(scale, shift, matrix, ((4, 44), (3, 33)))
    operator = PlacedDegradation(np.full((scale, scale), 1 / scale**2), placement, "reflect")
    rows, columns = (np.arange(side) - first for side, first in zip(shape, (4, 3)))
    image = (rows**2 + rows + 1 / 3)[:, None] * (columns + 0.5)[None, :]  # means of x^2 and of y over pixels
    seen = operator.forward(image[..., None])[..., 0]
    i, j = np.arange(lr_shape[0]), np.arange(lr_shape[1])
    of_rows = ratio**2 * (i**2 + i + 1 / 3)
    of_columns = ratio * (j + 0.5)
    # Beyond the edge the image is mirrored: the outermost boxes only see it through the polynomial between pixels.
    np.testing.assert_allclose(seen[1:-1, 1:-1], np.outer(of_rows, of_columns)[1:-1, 1:-1], rtol=1e-9)
    np.testing.assert_allclose(operator.inside(lr_shape), 1.0, atol=1e-9)
    rng = np.random.default_rng(2)
    hr, lr = rng.standard_normal((*shape, 2)), rng.standard_normal((*lr_shape, 2))
    assert np.vdot(operator.forward(hr), lr) == pytest.approx(np.vdot(hr, operator.adjoint(lr)), rel=1e-10)
    hr32 = hr.astype(np.float32)
    by_rows = operator.forward_by_rows(lambda index: hr32[index], hr32.shape)
    np.testing.assert_allclose(by_rows, operator.forward(hr32), atol=1e-5)
