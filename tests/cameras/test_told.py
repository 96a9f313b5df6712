"""Satellite and bands by the MSI's own file, where the user leaves them open."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np
import pytest

from paddle_umsft.cameras.given import pair
from paddle_umsft.cameras.srf_named import sensor_srf
from paddle_umsft.cameras.told import with_told_camera
from paddle_umsft.config.data import ObserveConfig
from paddle_umsft.data.facts import BandFacts, FileFacts

TEN = ("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12")


def facts(sensor: str, names: tuple[str, ...] = TEN, order: Optional[tuple[int, ...]] = None) -> FileFacts:
    return FileFacts(bands=BandFacts(count=len(names), names=names), sensor=sensor, order=order)


@pytest.mark.parametrize(
    ("srf", "sensor", "taken", "word"),
    [
        ("sentinel2", "Sentinel-2B", "sentinel2b", "of Sentinel-2B"),
        ("sentinel2", "S2C", "sentinel2c", "of S2C"),
        ("sentinel2", "", "sentinel2", ""),
        ("sentinel2", "Sentinel-3B", "sentinel2", ""),
        # What the user says stays, and is doubted aloud.
        ("sentinel2a", "Sentinel-2B", "sentinel2a", "sentinel2b is its own"),
        ("sentinel2b", "Sentinel-2B", "sentinel2b", ""),
        ("landsat8", "LANDSAT_8", "landsat8", ""),
        ("mine.csv", "Sentinel-2B", "mine.csv", ""),
    ],
)
def test_the_platform(srf: str, sensor: str, taken: str, word: str) -> None:
    observe, notes = with_told_camera(ObserveConfig(srf=srf), facts(sensor, ()))
    assert observe.srf == taken
    assert len(notes) == bool(word)
    assert word in " ".join(notes)


@pytest.mark.parametrize(
    ("given", "more", "taken"),
    [
        (None, {}, list(TEN)),
        (["B2"], {}, ["B2"]),
        (None, {"names": ("B4", "B3", "B2")}, ["B4", "B3", "B2"]),
        (None, {"names": ("B4", "B3", "B2"), "order": (0, 2)}, ["B4", "B2"]),
        (None, {"names": ("red", "green")}, None),
        (None, {"names": ("B2", "B2")}, None),
        (None, {"names": ()}, None),
    ],
)
def test_the_bands(given: Any, more: dict[str, Any], taken: Any) -> None:
    observe, _ = with_told_camera(ObserveConfig(srf="sentinel2", bands=given), facts("Sentinel-2A", **more))
    assert observe.bands == taken


def test_a_known_srf_is_that_of_the_satellite() -> None:
    """Ten bands in the file are ten rows, though the usual ones of Sentinel-2 are six."""
    nm = np.arange(400.0, 2500.0, 10.0)
    rng = np.random.RandomState(0)
    low, high = rng.rand(8, 9, nm.size) + 0.5, rng.rand(32, 36, 10) + 0.5
    observe = ObserveConfig(srf="sentinel2", known_srf=True)
    observation = pair(low, high, observe, wavelengths_nm=nm, msi_facts=facts("Sentinel-2B")).observation
    assert observation.srf is not None
    np.testing.assert_allclose(observation.srf, sensor_srf("sentinel2b", nm, TEN).values)
    assert any("SRF sentinel2b: the MSI's file is of Sentinel-2B" in note for note in observation.meta["notes"])
