"""Cubes small enough to travel inside a page: every so many pixels, every so many bands, a byte a value.

A value v of a band that reaches from `low` to `low + span` is stored as the nearest of 255 steps of
`sqrt((v - low) / span)`. Steps are finer in the dark, where most of a scene is, and what is stored is at the same time
how bright a screen has to show it: close to the curve of sRGB.
"""

from __future__ import annotations

import base64
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from paddle_umsft.figures.composites import Wavelengths
from paddle_umsft.figures.spectra import band_axis

# Of all cubes of a page together. As base64 they are a third larger: 1.5 MB, whatever the scene.
VALUES = 1_100_000
# More bands than this are thinned as well, so that the pictures do not get too coarse.
MOST_BANDS = 80
# Steps of the code are 0 to this; one more means that there is no value.
TOP_CODE = 254
NO_VALUE = 255


@dataclass(frozen=True)
class ThinCube:
    """A cube of a page.

    Attributes:
        rows: Its rows.
        columns: Its columns.
        values: Codes as base64, a band after the other, each row by row.
    """

    rows: int
    columns: int
    values: str


@dataclass(frozen=True)
class ThinCubes:
    """Cubes of one scene, thinned to the same bands.

    Attributes:
        cubes: By name.
        bands: (B,) numbers of the bands that are kept, from 0, by wavelength where that is known.
        positions: (B,) where they stand: nanometres, or numbers from 1.
        label: What the positions are, with the unit.
        low: (B,) value of code 0.
        span: (B,) value of `TOP_CODE` less that.
    """

    cubes: Mapping[str, ThinCube]
    bands: np.ndarray
    positions: np.ndarray
    label: str
    low: np.ndarray
    span: np.ndarray


def places(count: int, wanted: int) -> np.ndarray:
    """Return evenly spread places, each in the middle of what it stands for.

    Args:
        count: Places that there are.
        wanted: How many are taken, if there are as many.

    Returns:
        (n,) whole numbers, rising.
    """
    taken = max(1, min(count, wanted))
    middles = (np.arange(taken) + 0.5) * count / taken
    return middles.astype(np.int64)


def sampled(cube: np.ndarray, pixels: float) -> np.ndarray:
    """Return a cube of no more than so many pixels: each is one of the cube's own, no mean.

    Args:
        cube: (H, W, C).
        pixels: How many.
    """
    height, width = cube.shape[:2]
    # As many to the right as downwards.
    share = math.sqrt(pixels / (height * width))
    share = min(1.0, share)
    rows = places(height, int(height * share))
    columns = places(width, int(width * share))
    taken = np.ix_(rows, columns)
    return np.asarray(cube[taken])


def thin_cubes(
    coarse: Mapping[str, np.ndarray],
    fine: Mapping[str, np.ndarray],
    wavelengths_nm: Wavelengths,
) -> ThinCubes:
    """Thin the cubes of a scene.

    Args:
        coarse: (h, w, C) by name, at the low resolution.
        fine: (H, W, C) by name, at the high one; at least one.
        wavelengths_nm: (C,) centres of the bands.

    Returns:
        No more than `VALUES` values in all.
    """
    count = next(iter(fine.values())).shape[2]
    order, positions, label = band_axis(count, wavelengths_nm)
    kept = places(count, MOST_BANDS)
    bands = order[kept]
    pixels = VALUES / len(bands)
    small = {}
    # Whatever the coarse ones leave over is for the fine ones.
    equal = pixels / (len(coarse) + len(fine))
    for name, cube in coarse.items():
        thin = sampled(cube, equal)
        small[name] = thin[:, :, bands]
        pixels -= thin.shape[0] * thin.shape[1]
    for name, cube in fine.items():
        thin = sampled(cube, pixels / len(fine))
        small[name] = thin[:, :, bands]
    low, span = _ranges(small)
    cubes = {}
    for name, cube in small.items():
        cubes[name] = _stored(cube, low, span)
    return ThinCubes(
        cubes=cubes,
        bands=bands,
        positions=np.asarray(positions)[kept],
        label=label,
        low=low,
        span=span,
    )


def _ranges(cubes: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return what each band begins with and how far it reaches, over all cubes."""
    flat = []
    for cube in cubes.values():
        pixels = cube.reshape(-1, cube.shape[2])
        flat.append(pixels)
    values = np.concatenate(flat)  # (pixels of all cubes, B)
    values = values.astype(np.float64)
    is_number = np.isfinite(values)
    values[~is_number] = np.nan
    with warnings.catch_warnings():
        # A band without any value is NaN throughout, and is shown as nothing.
        warnings.simplefilter("ignore", RuntimeWarning)
        low = np.nanmin(values, axis=0)
        high = np.nanmax(values, axis=0)
    low = np.nan_to_num(low)
    span = np.nan_to_num(high) - low
    # A flat band has no range, and must not divide by zero.
    span = np.where(span > 0, span, 1.0)
    return low, span


def _stored(cube: np.ndarray, low: np.ndarray, span: np.ndarray) -> ThinCube:
    """Return (rows, columns, B) values as codes."""
    share = (cube.astype(np.float64) - low) / span
    is_number = np.isfinite(share)
    share = np.where(is_number, share, 0.0)
    # Rounding may have left the range by a little.
    share = np.clip(share, 0.0, 1.0)
    codes = np.round(TOP_CODE * np.sqrt(share))
    codes = np.where(is_number, codes, NO_VALUE)
    codes = codes.astype(np.uint8)
    codes = np.moveaxis(codes, 2, 0)  # (B, rows, columns)
    text = base64.b64encode(codes.tobytes())
    return ThinCube(
        rows=cube.shape[0],
        columns=cube.shape[1],
        values=text.decode("ascii"),
    )
