"""What is said of images that do not lie on each other: orientations, settings, and more than an affine map."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_pairs import BANDS, HEIGHT, MARGIN, SCALE, WIDTH, Pair, made_pair, response, scene
from scipy.ndimage import map_coordinates

from paddle_umsft.config.preparation import PreparationSettings
from paddle_umsft.data.scene import Observation
from paddle_umsft.preparation.prepare import prepare_pair
from paddle_umsft.preparation.prepared import Prepared

# What is wrong with an HSI, and what is done to one to make it so.
WAYS = {
    "mirrored top to bottom": lambda cube: cube[::-1],
    "mirrored left to right": lambda cube: cube[:, ::-1],
    "turned by 180 degrees": lambda cube: cube[::-1, ::-1],
    "with rows and columns swapped": lambda cube: cube.swapaxes(0, 1),
    "turned by 90 degrees clockwise": lambda cube: cube[::-1].swapaxes(0, 1),
    "turned by 90 degrees anticlockwise": lambda cube: cube[:, ::-1].swapaxes(0, 1),
    "swapped and turned by 180 degrees": lambda cube: cube[::-1, ::-1].swapaxes(0, 1),
}


def prepared(pair: Pair, **settings: object) -> Prepared:
    observation = Observation(pair.lr_hsi.astype(np.float32), pair.hr_msi.astype(np.float32), SCALE)
    return prepare_pair(observation, PreparationSettings(**settings))


def square() -> Pair:
    pair = made_pair()
    return Pair(pair.lr_hsi[:, : HEIGHT // SCALE], pair.hr_msi[:, :HEIGHT], pair.truth[:, :HEIGHT])


def warped(pixels: float) -> tuple[Pair, float]:
    """A pair whose MSI shows places that waves move, and how far on average (root mean square)."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)
    down = pixels * np.sin(2 * np.pi * columns / WIDTH * 1.3 + 0.4) * np.cos(2 * np.pi * rows / HEIGHT)
    right = pixels * np.cos(2 * np.pi * columns / WIDTH) * np.sin(2 * np.pi * rows / HEIGHT * 1.2)
    there = np.stack([rows + down, columns + right]) + MARGIN
    truth = np.stack([map_coordinates(scene()[..., band], there, order=3) for band in range(BANDS)], axis=2)
    noise = 5e-4 * np.random.default_rng(0).standard_normal((HEIGHT, WIDTH, 3))
    pair = Pair(made_pair().lr_hsi, truth @ response().T + noise, truth)
    return pair, float(np.sqrt(np.mean(down**2 + right**2)))


@pytest.mark.parametrize("what", [*WAYS, ""])
def test_every_orientation_is_named_and_turned_back(what):
    pair = square()
    turned = pair.lr_hsi
    if what:
        turned = WAYS[what](pair.lr_hsi)
    found = prepared(Pair(np.ascontiguousarray(turned), pair.hr_msi, pair.truth))
    if what:
        assert found.notes == [f"the HSI is {what} against the MSI; it was turned back"]
    else:
        assert found.notes == []
    np.testing.assert_allclose(found.observation.lr_hsi, pair.lr_hsi, atol=1e-6)


def test_orientations_are_left_alone_if_a_user_says_so():
    pair = square()
    found = prepared(Pair(pair.lr_hsi[::-1].copy(), pair.hr_msi, pair.truth), orientation=False)
    assert "orientation" not in found.found


@pytest.mark.parametrize(
    ("geometry", "of_shift", "of_turn"),
    [
        ("none", set(), set()),
        ("shift", {"shift"}, set()),
        ("affine", {"shift"}, {"affine"}),
        ("auto", {"shift"}, {"affine"}),
    ],
)
def test_each_setting_finds_what_it_says(geometry, of_shift, of_turn):
    moved = prepared(made_pair(shift=(3.3, -2.1)), geometry=geometry)
    assert set(moved.found) & {"shift", "affine"} == of_shift
    turned = prepared(made_pair(angle_deg=1.5), geometry=geometry)
    assert set(turned.found) & {"affine"} == of_turn
    assert (turned.placement is not None and turned.placement.is_bent) == bool(of_turn)


@pytest.mark.parametrize("pixels", [2.0, 3.0])
def test_a_smooth_warp_is_measured_and_the_tool_is_named(pixels):
    pair, size = warped(pixels)
    found = prepared(pair)
    assert found.found["warp"]["mean"] == pytest.approx(size, rel=0.15)
    assert any("more than an affine map" in note and "AROSICS" in note for note in found.notes)


@pytest.mark.parametrize("wrong", [{"shift": (3.3, -2.1)}, {"angle_deg": 2.0}, {"noise": 1e-2}, {"sigma": 0.8 * SCALE}])
def test_what_is_affine_noisy_or_soft_is_no_warp(wrong):
    assert "warp" not in prepared(made_pair(**wrong)).found
