"""What the MSI's own file says of its camera: which satellite it was, and which of its bands the file holds."""

from __future__ import annotations

import re
from typing import Optional

from paddle_umsft.cameras.curve_files import read_curves
from paddle_umsft.cameras.curves import Curves
from paddle_umsft.cameras.srf_named import SENSORS, TABLES
from paddle_umsft.config.data import ObserveConfig
from paddle_umsft.data.facts import FileFacts

# The platform as products name it: "Sentinel-2B", "S2B", "SENTINEL_2C".
SENTINEL2 = re.compile(r"\b(?:sentinel[-_ ]?2|s2)(?P<platform>[abc])\b", re.IGNORECASE)
ANY_SENTINEL2 = "sentinel2"


def with_told_camera(observe: ObserveConfig, facts: Optional[FileFacts]) -> tuple[ObserveConfig, tuple[str, ...]]:
    """Fill in of a known camera what the user left open and the MSI's file says.

    Args:
        observe: Section `observe`.
        facts: Of the MSI's file.

    Returns:
        The settings, with the platform's own table and the file's bands, and notes on both.
    """
    if facts is None or observe.srf not in SENSORS:
        return observe, ()
    notes: tuple[str, ...] = ()
    match = SENTINEL2.search(facts.sensor)
    if match is not None and observe.srf.startswith(ANY_SENTINEL2):
        platform = ANY_SENTINEL2 + match["platform"].lower()
        if observe.srf == ANY_SENTINEL2:
            observe = observe.model_copy(update={"srf": platform})
            notes = (f"SRF {platform}: the MSI's file is of {facts.sensor}",)
        elif observe.srf != platform:
            notes = (f"SRF {observe.srf} for an MSI of {facts.sensor}: {platform} is its own",)
    names = _names_of(facts)
    if observe.bands is None and names and set(names) <= set(_bands_of(observe.srf)):
        observe = observe.model_copy(update={"bands": list(names)})
        notes += (f"bands of the MSI by their names in its file: {', '.join(names)}",)
    return observe, notes


def _names_of(facts: FileFacts) -> tuple[str, ...]:
    """Return the names of the bands that are used, in the cube's order; () where they have none, or two have one."""
    names = facts.bands.names
    if facts.order is not None and names:
        names = tuple(names[band] for band in facts.order)
    if len(set(names)) < len(names):
        return ()
    return names


def _bands_of(camera: str) -> tuple[str, ...]:
    """Return the names of all bands in a camera's table."""
    table = SENSORS[camera].table
    curves = read_curves(TABLES / table, table)
    # What comes with the package has a header.
    assert isinstance(curves, Curves)
    return curves.names
