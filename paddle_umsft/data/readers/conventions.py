"""What netCDF files say of an image by the climate and forecast conventions: where it lies, when it was taken.

References:
    CF Conventions 1.11, sections 4.1 and 4.2 (degrees_north, degrees_east), 5.6 (grid_mapping, crs_wkt). GDAL, netCDF
    driver: GeoTransform and spatial_ref of the grid mapping. ACDD 1.3: platform, time_coverage_start.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Callable, Optional

import numpy as np

from paddle_umsft.data.axis_names import axis_roles
from paddle_umsft.data.facts import FileFacts
from paddle_umsft.data.ground import Affine, Georeference

GRID_MAPPING = "grid_mapping"
TRANSFORM = "GeoTransform"
TRANSFORM_NUMBERS = 6
SYSTEM_TEXTS = ("crs_wkt", "spatial_ref")
# A coordinate system's own number is the last one of its text; numbers of its parts stand before.
OWN_NUMBER = re.compile(r"(?:AUTHORITY|ID)\[\s*\"EPSG\"\s*,\s*\"?(\d+)\"?\s*\]\s*\]\s*$")
# Axes in degrees are latitude and longitude on WGS 84, if nothing else is said.
DEGREES = ("degrees_north", "degree_north", "degrees_n")
WGS84_DEGREES = 4326
# Steps of an even axis differ by less than this share: coordinates may be stored as float32.
UNEVEN = 1e-3
HALF = 0.5
TIME = "time_coverage_start"
SENSORS = ("platform", "sensor", "instrument")


@dataclass(frozen=True)
class NamedFile:
    """A file of variables, as far as the conventions ask for it.

    Attributes:
        attributes: Of the file.
        of: Attributes of a variable; {} where there is none of the name.
        load: Numbers of a variable of one axis, or None.
    """

    attributes: Mapping[str, Any]
    of: Callable[[str], Mapping[str, Any]]
    load: Callable[[str], Optional[np.ndarray]]


def by_conventions(
    facts: FileFacts,
    file: NamedFile,
    key: str,
    dims: tuple[str, ...],
) -> FileFacts:
    """Add what a file says by the conventions to what is known of an image.

    Args:
        facts: What is known.
        file: The file.
        key: The image.
        dims: Names of its axes.
    """
    if not facts.ground.is_known:
        ground = _ground(
            file,
            key,
            dims,
        )
        facts = facts.with_ground(ground)
    sensor = _first_text(file.attributes, SENSORS)
    time = _first_text(file.attributes, (TIME,))
    return replace(
        facts,
        acquired=facts.acquired or time,
        sensor=facts.sensor or sensor,
    )


def _first_text(attributes: Mapping[str, Any], names: Sequence[str]) -> str:
    """Return the text of the first of some attributes that there is, "" without any."""
    for name in names:
        if name in attributes:
            return text(attributes[name])
    return ""


def _ground(
    file: NamedFile,
    key: str,
    dims: tuple[str, ...],
) -> Georeference:
    """Return where an image lies: by its grid mapping, or by the coordinates of its axes."""
    # Names of other variables are those of the image's own group.
    group = key.rpartition("/")[0]
    prefix = ""
    if group:
        prefix = f"{group}/"
    mapping: Mapping[str, Any] = {}
    own = file.of(key)
    named = _first_text(own, (GRID_MAPPING,))
    if named:
        mapping = file.of(prefix + named) or file.of(named)
    wkt = _first_text(mapping, SYSTEM_TEXTS)
    six = _first_text(mapping, (TRANSFORM,))
    transform = _by_numbers(six)
    epsg = _own_number(wkt)
    names = axis_roles(dims)
    if transform is None and names is not None:
        rows = prefix + names[0]
        columns = prefix + names[1]
        transform = _by_axes(
            file.load(columns),
            file.load(rows),
        )
        of_rows = file.of(rows)
        unit = _first_text(of_rows, ("units",))
        is_degrees = unit.lower() in DEGREES
        if is_degrees and not wkt:
            epsg = WGS84_DEGREES
    if transform is None:
        return Georeference()
    return Georeference(
        transform=transform,
        crs_wkt=wkt,
        epsg=epsg,
    )


def _by_numbers(listed: str) -> Optional[Affine]:
    """Return the six numbers of GDAL's text, or None where it is none."""
    try:
        numbers = [float(word) for word in listed.split()]
    except ValueError:
        return None
    if len(numbers) != TRANSFORM_NUMBERS:
        return None
    x, x_column, x_row, y, y_column, y_row = numbers
    return x_column, x_row, x, y_column, y_row, y


def _by_axes(xs: Optional[np.ndarray], ys: Optional[np.ndarray]) -> Optional[Affine]:
    """Return the six numbers of even axes of pixels' middles, or None where they are not even."""
    if xs is None or ys is None:
        return None
    step_x = _step(xs)
    step_y = _step(ys)
    if step_x is None or step_y is None:
        return None
    # From the first pixel's middle to its outer corner.
    left = float(xs[0]) - step_x / 2
    top = float(ys[0]) - step_y / 2
    return step_x, 0.0, left, 0.0, step_y, top


def _step(places: np.ndarray) -> Optional[float]:
    """Return the distance of evenly spaced places, or None."""
    exact = places.astype(np.float64)
    steps = np.diff(exact)
    if steps.size == 0 or not np.isfinite(steps).all():
        return None
    step = float(steps.mean())
    # Places that only count the pixels are no coordinates.
    counts = abs(step) == 1 and exact[0] in (0, HALF, 1)
    uneven = np.abs(steps - step).max()
    if step == 0 or counts or uneven > UNEVEN * abs(step):
        return None
    return step


def _own_number(wkt: str) -> Optional[int]:
    """Return a coordinate system's number with EPSG, if its text ends with it."""
    match = OWN_NUMBER.search(wkt)
    if match is None:
        return None
    return int(match[1])


def text(value: Any) -> str:
    """Return text of an attribute: bytes, str, or an array of one of them."""
    words = np.ravel(value)
    if words.size != 1:
        return ""
    word = words[0]
    if isinstance(word, bytes):
        return word.decode("utf-8", errors="replace")
    return str(word)
