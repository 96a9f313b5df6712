"""Families of PSFs against integrals and widths of their own, and what lies beyond the picture."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from paddle_umsft.cameras.border import Border, continued
from paddle_umsft.cameras.psf_families import OTHERS, ROUND, airy, gaussian, moffat, scanner_down, sharpness, trimmed
from paddle_umsft.cameras.spatial import SpatialDegradation


def half_width(profile: np.ndarray, step: float) -> float:
    """Full width at half maximum of a sampled, falling profile that begins at its peak."""
    below = int(np.argmax(profile < profile[0] / 2))
    share = (profile[below - 1] - profile[0] / 2) / (profile[below - 1] - profile[below])
    return 2.0 * step * (below - 1 + share)


@pytest.mark.parametrize("name", ["reflect", "wrap"])
def test_continued_is_numpy_padding(name: Border) -> None:
    line = np.arange(7)
    mode = {"reflect": "symmetric", "wrap": "wrap"}[name]
    padded = np.pad(line, 12, mode=mode)
    assert np.array_equal(line[continued(np.arange(-12, 19), 7, name)], padded)


@pytest.mark.parametrize("border", ["wrap", "reflect"])
def test_operator_is_adjoint_and_linear_in_padding(border: Border) -> None:
    rng = np.random.default_rng(0)
    psf = rng.random((11, 11))
    psf /= psf.sum()
    operator = SpatialDegradation(psf, 4, border)
    image, other = rng.standard_normal((16, 24, 2)), rng.standard_normal((4, 6, 2))
    assert np.vdot(operator.forward(image), other) == pytest.approx(np.vdot(image, operator.adjoint(other)))
    # The same by padding the picture first and cutting out whole windows.
    mode = {"wrap": "wrap", "reflect": "symmetric"}[border]
    padded = np.pad(image, ((12, 12), (12, 12), (0, 0)), mode=mode)
    first = 12 + (4 - 11) // 2
    for row, column in ((0, 0), (3, 5), (1, 2)):
        top, left = first + 4 * row, first + 4 * column
        seen = np.einsum("ij,ijk->k", psf, padded[top : top + 11, left : left + 11])
        assert np.allclose(operator.forward(image)[row, column], seen, atol=1e-6)


@pytest.mark.parametrize("border", ["wrap", "reflect"])
def test_a_cube_made_row_by_row_under_a_wide_psf(border: Border) -> None:
    rng = np.random.default_rng(4)
    cube = rng.standard_normal((24, 16, 3)).astype(np.float32)
    psf = np.outer(rng.random(21), rng.random(21))
    operator = SpatialDegradation(psf / psf.sum(), 4, border)
    made = operator.forward_by_rows(lambda rows: cube[rows], cube.shape)
    np.testing.assert_allclose(made, operator.forward(cube), atol=1e-6)


def test_inside_is_what_a_picture_of_ones_on_black_gives() -> None:
    psf = gaussian(np.array([0.3, -0.4, np.log(3.0)]), 20)
    shares = SpatialDegradation(psf, 4, "reflect").inside((6, 4))
    padded = np.pad(np.ones((24, 16)), 20)
    for row, column in ((0, 0), (5, 1), (2, 3)):
        top, left = 20 + 4 * row - 8, 20 + 4 * column - 8
        assert shares[row, column] == pytest.approx(np.sum(psf * padded[top : top + 20, left : left + 20]), abs=1e-6)
    assert np.all(SpatialDegradation(psf, 4).inside((6, 4)) == 1.0)


@pytest.mark.parametrize("border", ["wrap", "reflect"])
@pytest.mark.parametrize("shape", [(16, 24), (80, 96)])
def test_many_separable_kernels_in_float32_are_those_in_float64(border: Border, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(5)
    psf = rng.random((19, 19))
    operator = SpatialDegradation(psf / psf.sum(), 4, border)
    image = rng.standard_normal((*shape, 3))
    lr = operator.forward(image)
    back = operator.adjoint(lr)
    single = image.astype(np.float32)
    np.testing.assert_allclose(operator.forward(single), lr, atol=1e-5)
    np.testing.assert_allclose(operator.adjoint(lr.astype(np.float32)), back, atol=1e-5)
    np.testing.assert_allclose(operator.forward_by_rows(lambda rows: single[rows], single.shape), lr, atol=1e-5)


@pytest.mark.parametrize("family", [ROUND, *OTHERS], ids=lambda family: family.name)
def test_every_family_sums_to_one_and_is_centred(family) -> None:
    parameters = family.start(np.array([0.0, 0.0, np.log(3.0)]))
    kernel = family.kernel(parameters, 48)
    positions = np.arange(48) - 23.5
    assert kernel.sum() == pytest.approx(1.0)
    assert kernel.min() >= 0.0
    assert abs(positions @ kernel.sum(axis=1)) < 1e-6
    assert abs(positions @ kernel.sum(axis=0)) < 1e-6


@pytest.mark.parametrize("kernel", [airy, lambda p, size: moffat(np.append(p, 0.4), size)], ids=["airy", "moffat"])
def test_full_width_at_half_maximum_is_the_parameter(kernel) -> None:
    profile = kernel(np.array([0.0, 0.0, np.log(40.0)]), 201)[100, 100:]
    assert half_width(profile, 1.0) == pytest.approx(40.0, rel=1e-3)


def test_airy_has_its_first_dark_ring() -> None:
    # Dark at 1.220 wavelengths over aperture where the full width at half maximum is 1.029 of them.
    profile = airy(np.array([0.0, 0.0, np.log(40.0)]), 401)[200, 200:]
    assert int(np.argmin(profile[:60])) == pytest.approx(40.0 * 1.2197 / 1.0290, abs=0.6)


def test_scanner_is_boxes_and_a_gaussian_convolved() -> None:
    fine = 20
    line = np.zeros(40 * fine)
    line[20 * fine] = 1.0
    # Odd lengths with half weights at both ends: no shift by half a step.
    box, moved = np.ones(8 * fine + 1), np.ones(6 * fine + 1)
    box[[0, -1]] = moved[[0, -1]] = 0.5
    sampled = np.convolve(np.convolve(line, box, mode="same"), moved, mode="same")
    sampled = gaussian_filter1d(sampled, 2.5 * fine)
    across = gaussian_filter1d(np.convolve(line, box, mode="same"), 2.5 * fine)
    kernel = scanner_down(np.array([0.0, 0.0, np.log(2.5), np.log(8.0), np.log(6.0)]), 39)
    picks = (np.arange(39) - 19) * fine + 20 * fine
    expected = np.outer(sampled[picks], across[picks])
    assert np.allclose(kernel, expected / expected.sum(), atol=1e-3 * kernel.max())


def test_trimmed_keeps_parity_and_middle() -> None:
    kernel = trimmed(gaussian(np.array([0.0, 0.0, np.log(2.0)]), 64))
    assert kernel.shape in {(16, 16), (18, 18)}
    assert kernel.sum() == pytest.approx(1.0)
    assert np.allclose(kernel, kernel[::-1, ::-1])


@pytest.mark.parametrize("sigma", [1.5, 4.0, 8.0])
def test_sharpness_of_a_gaussian_is_its_sigma(sigma: float) -> None:
    assert sharpness(gaussian(np.array([0.2, 0.0, np.log(sigma)]), 96)) == pytest.approx(sigma, rel=1e-3)
