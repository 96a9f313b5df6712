"""Axes that have names, in files and in labelled arrays: which of them are rows, columns and bands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

# What axes are called by rioxarray, by readers of products, and by hand.
ROW_NAMES = ("y", "row", "rows", "line", "lines", "lat", "latitude", "northing", "along_track", "downtrack")
COLUMN_NAMES = (
    "x",
    "column",
    "columns",
    "col",
    "cols",
    "sample",
    "samples",
    "lon",
    "longitude",
    "easting",
    "crosstrack",
)
BAND_NAMES = ("band", "bands", "wavelength", "wavelengths", "channel", "channels", "wl", "bnd", "spectral", "lambda")

# An image of several bands, and one of a single band without an axis for it.
WITH_BANDS = 3
WITHOUT_BANDS = 2


def axis_roles(names: Sequence[str]) -> Optional[tuple[str, str, str]]:
    """Return the names of rows, columns and bands ("" for an image of two axes); None where names do not tell.

    Args:
        names: Of the axes, in their order.
    """
    found = []
    for known in (ROW_NAMES, COLUMN_NAMES, BAND_NAMES):
        match = [name for name in names if name.lower() in known]
        # Two axes of one kind tell as little as none.
        only = ""
        if len(match) == 1:
            only = match[0]
        found.append(only)
    rows, columns, bands = found
    told = [name for name in found if name]
    # One axis that is left over is the one that is missing.
    if len(names) == WITH_BANDS and len(told) == WITH_BANDS - 1:
        rest = next(name for name in names if name not in told)
        rows, columns, bands = (name or rest for name in found)
        told.append(rest)
    is_image = len(names) in (WITHOUT_BANDS, WITH_BANDS)
    is_told = len(told) == len(names)
    if not (is_image and is_told and rows and columns):
        return None
    return rows, columns, bands
