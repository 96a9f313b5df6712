"""Colours against tabulated CIE values and scenes whose colour is known."""

from __future__ import annotations

import numpy as np
import pytest

from paddle_umsft.figures.composites import RgbView, covers_visible, matching_functions, rgb_image

NM = np.arange(400.0, 710.0, 10.0)


@pytest.mark.parametrize(
    ("nm", "xyz"),
    [  # CIE 15, table of the 1931 2° observer; the fit's own error is about 0.03.
        (450.0, (0.3362, 0.0380, 1.7721)),
        (500.0, (0.0049, 0.3230, 0.2720)),
        (555.0, (0.5121, 1.0000, 0.0057)),
        (600.0, (1.0622, 0.6310, 0.0008)),
        (650.0, (0.2835, 0.1070, 0.0000)),
    ],
)
def test_matching_functions_near_the_table(nm: float, xyz: tuple[float, float, float]) -> None:
    np.testing.assert_allclose(matching_functions(np.array([nm]))[0], xyz, atol=0.05)


def test_flat_spectrum_is_grey() -> None:
    levels = np.linspace(0.1, 1.0, 20)
    image = rgb_image(np.tile(levels[:, None, None], (1, 3, len(NM))), NM).astype(int)
    assert np.ptp(image, axis=2).max() <= 1
    assert (np.diff(image[:, 0, 0]) > 0).all()


@pytest.mark.parametrize(("low", "high", "channel"), [(610, 700, 0), (510, 570, 1), (400, 480, 2)])
def test_a_part_of_the_spectrum_has_its_colour(low: float, high: float, channel: int) -> None:
    cube = np.tile(((low <= NM) & (high >= NM)).astype(float), (2, 2, 1))
    pixel = rgb_image(cube, NM)[0, 0].astype(int)
    assert pixel[channel] == pixel.max()
    assert sorted(pixel)[1] < pixel.max()


def test_order_of_the_bands_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    cube, order = rng.uniform(size=(4, 5, len(NM))), rng.permutation(len(NM))
    np.testing.assert_array_equal(rgb_image(cube, NM), rgb_image(cube[:, :, order], NM[order]))


def test_what_counts_as_visible() -> None:
    assert covers_visible(NM)
    assert not covers_visible(None)
    assert not covers_visible(np.linspace(900, 2500, 100))
    assert not covers_visible(np.linspace(400, 2500, 20))  # gaps of 110 nm


def test_labels_name_false_colour() -> None:
    cube = np.random.default_rng(1).uniform(size=(6, 7, 30))
    assert RgbView.fit(cube, np.linspace(400, 700, 30)).label == "sRGB"
    assert RgbView.fit(cube, np.linspace(900, 2500, 30)).label == "false colour 2279/1728/1176 nm"
    assert RgbView.fit(cube).label == "false colour, bands 26/16/6"
    assert RgbView.fit(cube[:, :, :3]).label == "bands R, G, B"
    assert RgbView.fit(cube[:, :, :4], [490, 560, 665, 842]).label == "RGB 665/560/490 nm"
    assert RgbView.fit(cube[:, :, :1]).label == "band 1"


def test_constant_and_zero_images_do_not_divide_by_zero() -> None:
    for value in (0.0, 0.5):
        for nm in (NM, None):
            assert rgb_image(np.full((3, 4, 31), value), nm).dtype == np.uint8


def test_one_view_keeps_brightness_comparable() -> None:
    cube = np.random.default_rng(2).uniform(0.2, 1.0, size=(8, 8, 31))
    view = RgbView.fit(cube, NM)
    assert view.render(0.5 * cube).mean() < view.render(cube).mean()
