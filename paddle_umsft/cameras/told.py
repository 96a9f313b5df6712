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


# The settings with what was told, and notes.
Told = tuple[ObserveConfig, tuple[str, ...]]


def with_told_camera(
    observe: ObserveConfig,
    facts: Optional[FileFacts],
) -> Told:
    """Fill in of a known camera what the user left open and the MSI's file says.

    Args:
        observe: Section `observe`.
        facts: Of the MSI's file.

    Returns:
        The settings, with the platform's own table and the file's bands, and notes on both.
    """
    if facts is None or observe.srf not in SENSORS:
        return observe, ()
    observe, notes = _with_platform(
        observe,
        facts.sensor,
    )
    if observe.bands is not None:
        return observe, notes
    names = _names_of(facts)
    known = _bands_of(observe.srf)
    if not names or not set(names) <= set(known):
        return observe, notes
    listed = ", ".join(names)
    notes += (f"bands of the MSI by their names in its file: {listed}",)
    told = observe.model_copy(
        update={"bands": list(names)},
    )
    return told, notes


def _with_platform(
    observe: ObserveConfig,
    sensor: str,
) -> Told:
    """Return the settings with the table of the Sentinel-2 that took the MSI.

    Args:
        observe: Section `observe`.
        sensor: What took the MSI, as its file names it.
    """
    match = SENTINEL2.search(sensor)
    is_asked = observe.srf.startswith(ANY_SENTINEL2)
    if match is None or not is_asked:
        return observe, ()
    letter = match["platform"].lower()
    platform = f"{ANY_SENTINEL2}{letter}"
    if observe.srf == platform:
        return observe, ()
    # What the user names stays, and is doubted aloud.
    if observe.srf != ANY_SENTINEL2:
        doubt = f"SRF {observe.srf} for an MSI of {sensor}: {platform} is its own"
        return observe, (doubt,)
    told = observe.model_copy(
        update={"srf": platform},
    )
    note = f"SRF {platform}: the MSI's file is of {sensor}"
    return told, (note,)


def _names_of(facts: FileFacts) -> tuple[str, ...]:
    """Return the names of the bands that are used, in the cube's order; () where they have none, or two have one."""
    names = facts.bands.names
    if facts.order is not None and names:
        # Some were left out.
        names = tuple(names[band] for band in facts.order)
    has_twins = len(set(names)) < len(names)
    if has_twins:
        return ()
    return names


def _bands_of(camera: str) -> tuple[str, ...]:
    """Return the names of all bands in a camera's table."""
    sensor = SENSORS[camera]
    curves = read_curves(
        TABLES / sensor.table,
        sensor.table,
    )
    # What comes with the package has a header.
    assert isinstance(curves, Curves)
    return curves.names
