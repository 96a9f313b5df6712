"""Ratios that are no whole number and other origins, on pairs that scipy alone made on a grid finer than both."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from paddle_umsft.config.load import load_config
from paddle_umsft.data.grid import HsiGrid
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.data.synthetic import dead_leaves_scene
from paddle_umsft.methods.table import run_method
from paddle_umsft.preparation.layout import lay_out

# An MSI pixel is so many fine ones; the scene is larger than the pair.
FINE, MARGIN, BANDS = 3, 60, 6
SCENE = dead_leaves_scene(372, 336, BANDS, 5).hr_hsi.astype(np.float64)


@dataclass
class Pair:
    """LR-HSI, HR-MSI, and the truth on the MSI's grid."""

    lr_hsi: np.ndarray
    hr_msi: np.ndarray
    truth: np.ndarray


def made(ratio: float, lr_shape: tuple[int, int], shape: tuple[int, int], origin=(0.0, 0.0)) -> Pair:
    """Means over 3 x 3 fine pixels for the MSI; a Gaussian of 0.4 LR pixels at any place for the HSI."""
    height, width = shape
    part = SCENE[MARGIN : MARGIN + FINE * height, MARGIN : MARGIN + FINE * width]
    truth = part.reshape(height, FINE, width, FINE, BANDS).mean(axis=(1, 3))
    soft = gaussian_filter(SCENE, (0.4 * ratio * FINE, 0.4 * ratio * FINE, 0))
    places = np.mgrid[: lr_shape[0], : lr_shape[1]] + 0.5
    places = (places * ratio + np.array(origin)[:, None, None]) * FINE - 0.5 + MARGIN
    lr_hsi = np.stack([map_coordinates(soft[..., band], places, order=3) for band in range(BANDS)], axis=2)
    weights = np.exp(-0.5 * ((np.arange(BANDS) - np.array([[0.8], [2.5], [4.2]])) / 1.3) ** 2)
    srf = weights / weights.sum(axis=1, keepdims=True)
    return Pair(lr_hsi.astype(np.float32), (truth @ srf.T).astype(np.float32), truth)


def fused(pair: Pair, ratio: float, grid=None, method: str = "subspace") -> FusionResult:
    whole = int(np.ceil(ratio - 1e-6))
    return run_method(Observation(pair.lr_hsi, pair.hr_msi, whole, grid=grid), load_config(None, [f"method={method}"]))


def part(image: np.ndarray, area: tuple[int, int, int, int]) -> np.ndarray:
    top, left, height, width = area
    return image[top : top + height, left : left + width]


def psnr(fused_cube: np.ndarray, truth: np.ndarray) -> float:
    assert fused_cube.shape == truth.shape
    return float(-10 * np.log10(np.mean((fused_cube - truth) ** 2)))


@lru_cache
def of_whole(ratio: int, method: str) -> tuple[np.ndarray, np.ndarray]:
    """What a method makes of a pair with a whole ratio, and the truth."""
    shape = (84, 84) if ratio > 4 else (84, 72)
    sibling = made(ratio, (shape[0] // ratio, shape[1] // ratio), shape)
    return fused(sibling, ratio, method=method).fused, sibling.truth


def psnr_of_whole(area: tuple[int, int, int, int], ratios: tuple[int, ...], method: str = "subspace") -> float:
    """Mean over whole ratios on the same ground; multiples of 12 and 42 are multiples of all that are asked for."""
    values = []
    for ratio in ratios:
        cube, truth = of_whole(ratio, method)
        values.append(psnr(part(cube, area), part(truth, area)))
    return float(np.mean(values))


@pytest.mark.parametrize(("ratio", "lr_shape"), [(10 / 3, (24, 21)), (20 / 3, (12, 12))])
def test_a_decibel_below_whole_ratios_at_most(ratio, lr_shape):
    shape = (round(ratio * lr_shape[0]), round(ratio * lr_shape[1]))
    pair = made(ratio, lr_shape, shape)
    result = fused(pair, ratio, HsiGrid.of_ratio(ratio))
    assert result.area == (0, 0, *shape)
    assert psnr(result.fused, pair.truth) > psnr_of_whole(result.area, (int(ratio), int(ratio) + 1)) - 1.0
    # What the result looks like to the HSI, and the PSF in pixels of the MSI.
    assert result.degrade is not None
    assert result.pair is not None
    apart = result.degrade(result.fused) - result.pair.lr_hsi
    assert np.sqrt(np.mean(apart[2:-2, 2:-2] ** 2)) < 2e-3
    assert np.sum(result.psf**2) == pytest.approx(1 / (4 * np.pi * (0.4 * ratio) ** 2), rel=0.1)


@pytest.mark.parametrize(
    ("origin", "lr_shape", "area"),
    [
        ((9.4, 5.2), (18, 15), (9, 5, 60, 50)),  # the MSI is larger
        ((-7.3, -12.6), (30, 27), (0, 0, 84, 72)),  # the HSI is
        ((-7.3, 20.0), (24, 24), (0, 20, 73, 52)),  # each sees something that the other does not
    ],
)
def test_origins_and_sizes_may_differ(origin, lr_shape, area):
    ratio = 10 / 3
    pair = made(ratio, lr_shape, (84, 72), origin)
    result = fused(pair, ratio, HsiGrid.of_ratio(ratio, origin))
    assert result.area == area
    assert psnr(result.fused, part(pair.truth, area)) > psnr_of_whole(area, (3, 4)) - 1.0


def test_a_grid_is_where_the_search_for_shifts_begins():
    ratio, origin = 10 / 3, (9.4, 5.2)
    pair = made(ratio, (18, 15), (84, 72), origin)
    grid = HsiGrid.of_ratio(ratio, (origin[0] + 1.5, origin[1] - 2.2))
    result = fused(pair, ratio, grid)
    np.testing.assert_allclose(result.extras["found"]["shift"], [1.5, -2.2], atol=0.1)


@pytest.mark.parametrize(("method", "less"), [("gsa", 1.5), ("sfim", 1.5), ("cnmf", 2.5), ("bicubic", 1.5)])
def test_methods_on_plain_grids_get_them_and_say_so(method, less):
    ratio, origin = 10 / 3, (9.4, 5.2)
    pair = made(ratio, (18, 15), (84, 72), origin)
    result = fused(pair, ratio, HsiGrid.of_ratio(ratio, origin), method)
    assert any("plain grids only" in note for note in result.notes)
    assert result.area is not None
    assert psnr(result.fused, part(pair.truth, result.area)) > psnr_of_whole(result.area, (3, 4), method) - less
    assert result.pair is not None
    assert result.pair.lr_hsi.shape == pair.lr_hsi.shape
    np.testing.assert_array_equal(result.pair.lr_hsi, pair.lr_hsi)  # nothing was done to it


@pytest.mark.parametrize("way", range(8))
def test_grids_that_run_any_way_round(way):
    """A mirrored, turned or transposed HSI with its grid is laid out as the upright one."""
    pair = made(10 / 3, (9, 12), (30, 40))
    plain = lay_out(Observation(pair.lr_hsi, pair.hr_msi, 4, grid=HsiGrid.of_ratio(10 / 3)))
    lr_hsi, matrix, origin = pair.lr_hsi, np.eye(2) * 10 / 3, np.zeros(2)
    for axis in (0, 1):
        if way >> axis & 1:
            origin = origin + matrix[:, axis] * lr_hsi.shape[axis]
            matrix[:, axis] *= -1
            lr_hsi = np.flip(lr_hsi, axis)
    if way & 4:
        lr_hsi, matrix = lr_hsi.swapaxes(0, 1), matrix[:, ::-1]
    turned = lay_out(Observation(lr_hsi, pair.hr_msi, 4, grid=HsiGrid(matrix, origin)))
    np.testing.assert_array_equal(turned.observation.lr_hsi, pair.lr_hsi)
    np.testing.assert_allclose(turned.placement.places((9, 12)), plain.placement.places((9, 12)), atol=1e-9)
    # Where the record says that they are, from the corner of what is laid out.
    wanted = HsiGrid.of_ratio(10 / 3).middles((9, 12)) + np.array(plain.corner)
    np.testing.assert_allclose(plain.placement.places((9, 12)), wanted, atol=1e-9)


def test_masks_go_along():
    ratio, origin = 10 / 3, (9.4, 5.2)
    pair = made(ratio, (18, 15), (84, 72), origin)
    mask_hsi = np.ones((18, 15), dtype=bool)
    mask_hsi[4, 7] = False
    mask_msi = np.ones((84, 72), dtype=bool)
    mask_msi[50:58, 20:30] = False
    lr_hsi, hr_msi = pair.lr_hsi.copy(), pair.hr_msi.copy()
    lr_hsi[~mask_hsi] = np.nan
    hr_msi[~mask_msi] = np.nan
    observation = Observation(
        lr_hsi, hr_msi, 4, grid=HsiGrid.of_ratio(ratio, origin), mask_hsi=mask_hsi, mask_msi=mask_msi
    )
    for method, least in (("subspace", 33.0), ("gsa", 29.0)):
        result = run_method(observation, load_config(None, [f"method={method}"]))
        assert result.area is not None
        seen = part(mask_msi, result.area)
        assert result.valid is not None
        assert result.valid.shape == seen.shape
        truth = part(pair.truth, result.area)
        assert np.all(np.isfinite(result.fused))
        assert -10 * np.log10(np.mean((result.fused - truth)[seen] ** 2)) > least
        # The error to expect is told for the pixels of the result.
        assert result.trust is not None
        assert result.trust.expected.cube().shape == result.fused.shape
