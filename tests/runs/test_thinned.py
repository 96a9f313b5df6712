"""Cubes inside a page: few enough values, each of them one of the cube's own."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from paddle_umsft.runs.thinned import NO_VALUE, TOP_CODE, VALUES, ThinCube, places, sampled, thin_cubes


def codes_of(cube: ThinCube) -> np.ndarray:
    """(B, rows, columns) codes."""
    return np.frombuffer(base64.b64decode(cube.values), np.uint8).reshape(-1, cube.rows, cube.columns)


@pytest.mark.parametrize(("count", "wanted"), [(512, 125), (7, 7), (5, 9), (1000, 1), (3, 0)])
def test_places_lie_in_the_middle_of_their_share(count: int, wanted: int) -> None:
    found = places(count, wanted)
    assert len(found) == max(1, min(count, wanted))
    edges = np.linspace(0, count, len(found) + 1)
    assert ((edges[:-1] <= found + 0.5) & (found + 0.5 <= edges[1:])).all()


def test_a_sample_keeps_the_shape_and_the_values() -> None:
    rows, columns = np.mgrid[0:200, 0:300]
    cube = np.stack([rows, columns], axis=2)
    small = sampled(cube, 600)
    assert small.shape == (20, 30, 2)
    assert (small[:, 0, 0] == places(200, 20)).all()
    assert (small[0, :, 1] == places(300, 30)).all()


def test_no_more_values_than_a_page_bears() -> None:
    fine = {"fused": np.zeros((300, 700, 150), np.float32), "truth": np.zeros((300, 700, 150), np.float32)}
    thin = thin_cubes({"LR": np.zeros((75, 175, 150), np.float32)}, fine, None)
    total = sum(codes_of(cube).size for cube in thin.cubes.values())
    assert 0.9 * VALUES < total <= VALUES


def test_bands_go_by_wavelength() -> None:
    nm = np.array([600.0, 400.0, 500.0])
    cube = np.ones((2, 4, 3), np.float32) * np.array([6.0, 4.0, 5.0], np.float32)
    thin = thin_cubes({}, {"fused": cube}, nm)
    assert thin.positions.tolist() == [400, 500, 600]
    assert thin.low.tolist() == [4, 5, 6]
    assert thin.label == "wavelength (nm)"


def test_what_is_no_number_is_no_value() -> None:
    cube = np.array([[[1.0], [np.nan]], [[np.inf], [5.0]]], np.float32)
    thin = thin_cubes({"LR": np.full((1, 1, 1), np.nan, np.float32)}, {"fused": cube}, None)
    assert codes_of(thin.cubes["fused"]).ravel().tolist() == [0, NO_VALUE, NO_VALUE, TOP_CODE]
    assert codes_of(thin.cubes["LR"]).tolist() == [[[NO_VALUE]]]
    assert (thin.low.tolist(), thin.span.tolist()) == ([1.0], [4.0])
