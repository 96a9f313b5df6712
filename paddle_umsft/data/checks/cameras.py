"""Checks of what is known about the two cameras: PSF, SRF, and the HSI bands that each MSI band sees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

import numpy as np

from paddle_umsft.config.data import Ranges
from paddle_umsft.data.checks.values import check_finite, check_numeric
from paddle_umsft.data.scene import Supports
from paddle_umsft.errors import ConfigError, DataError

# A message is one line: what a user handed over is shown up to this length.
SHOWN_VALUE = 60
# Products of two responses must fit into float32, with room for sums over bands.
LARGEST_RESPONSE = 1e12


def check_psf(
    psf: np.ndarray,
    where: str = "psf",
    *,
    signed: bool = False,
) -> np.ndarray:
    """Check a PSF: (k, k), real, finite, not all zero, and not negative unless it is a learned one.

    Args:
        psf: (k, k).
        where: What it is called in the message.
        signed: Negative values are allowed: a kernel fitted to data may have small lobes of either sign.

    Returns:
        (k, k) float64, not rescaled.

    Raises:
        DataError: Anything of that does not hold.
    """
    psf = check_numeric(psf, where)
    check_finite(psf, where)
    # Everything downstream counts taps from one corner of a square window.
    is_square = psf.ndim == 2 and psf.shape[0] == psf.shape[1]
    if not is_square or psf.size == 0:
        raise DataError(
            "shape of the PSF",
            where=where,
            expected="(k, k)",
            got=psf.shape,
        )
    if psf.min() < 0 and not signed:
        raise DataError(
            "PSF",
            where=where,
            expected="no negative value",
            got=f"{psf.min():.4g}",
        )
    if not psf.any():
        raise DataError("the PSF is all zero", where=where)
    return psf.astype(np.float64)


def check_srf(
    srf: np.ndarray,
    bands: Optional[int] = None,
    where: str = "srf",
    *,
    msi_bands: Optional[int] = None,
    learned: bool = False,
) -> np.ndarray:
    """Check an SRF: (M, C), real, finite, and unless it is a learned one, not negative and no MSI band all zero.

    Args:
        srf: (M, C).
        bands: C of the scene, if known.
        where: What it is called in the message.
        msi_bands: M of the HR-MSI, if known.
        learned: It was fitted to data, and only has to be usable as an operator.

    Returns:
        (M, C) float64, not rescaled.

    Raises:
        DataError: Anything of that does not hold.
    """
    srf = check_numeric(srf, where)
    check_finite(srf, where)
    if srf.ndim != 2 or srf.size == 0:
        raise DataError(
            "shape of the SRF",
            where=where,
            expected="(MSI bands, HSI bands)",
            got=srf.shape,
        )
    if bands is not None and srf.shape[1] != bands:
        raise DataError(
            "bands of the SRF",
            where=where,
            expected=f"{bands} as in the scene",
            got=srf.shape[1],
        )
    # A fit may put a band a little below zero or to nothing: it is still a linear map.
    if not learned:
        _check_responses(srf, where)
    if msi_bands is not None and srf.shape[0] != msi_bands:
        raise DataError(
            "MSI bands of the SRF",
            where=where,
            expected=msi_bands,
            got=srf.shape[0],
        )
    return srf.astype(np.float64)


def _check_responses(srf: np.ndarray, where: str) -> None:
    """Refuse responses that no sensor has: negative ones, a band that sees nothing, numbers whose squares overflow."""
    if srf.max() > LARGEST_RESPONSE:
        raise DataError("SRF", where=where, expected=f"at most {LARGEST_RESPONSE:g}", got=f"{srf.max():.4g}")
    if srf.min() < 0:
        row, column = np.unravel_index(int(srf.argmin()), srf.shape)
        raise DataError(
            "SRF",
            where=where,
            expected="no negative value",
            got=f"{srf.min():.4g} at MSI band {int(row)}, HSI band {int(column)}",
        )
    empty = np.flatnonzero(srf.max(axis=1) == 0)
    if empty.size > 0:
        raise DataError(f"the SRF of MSI band {int(empty[0])} (counted from 0) is all zero", where=where)


def check_supports(
    supports: Iterable[Sequence[int]],
    bands: int,
    msi_bands: Optional[int] = None,
) -> Supports:
    """Check the half-open ranges [a, b) of HSI bands that the MSI bands see.

    Args:
        supports: One pair (a, b) per MSI band.
        bands: C.
        msi_bands: M; None: any number from 1 on.

    Returns:
        The supports as a tuple of pairs of ints.

    Raises:
        ConfigError: Wrong number of ranges, an empty range, or one that leaves [0, C).
    """
    try:
        # Text and dictionaries can be walked through as well, but hold no ranges.
        if isinstance(supports, (str, bytes, Mapping)):
            raise TypeError
        ranges = list(supports)
    except TypeError:
        raise ConfigError(
            "ranges",
            where="supports",
            expected="one [a, b) per MSI band",
            got=repr(supports)[:SHOWN_VALUE],
        ) from None
    expected = "at least one range"
    is_right = len(ranges) > 0
    if msi_bands is not None:
        expected = f"one range per MSI band ({msi_bands})"
        is_right = len(ranges) == msi_bands
    if not is_right:
        raise ConfigError(
            "number of ranges",
            where="supports",
            expected=expected,
            got=len(ranges),
        )
    checked = []
    for index, support in enumerate(ranges):
        pair = _check_range(support, bands, f"supports[{index}]")
        checked.append(pair)
    return tuple(checked)


def _check_range(
    support: Any,
    bands: int,
    where: str,
) -> tuple[int, int]:
    """Check one range [a, b)."""
    is_array = isinstance(support, np.ndarray) and support.ndim == 1
    # Anything else is no pair: it is shown as it came.
    listed = [support]
    if is_array or isinstance(support, (list, tuple)):
        listed = list(support)
    if len(listed) != 2 or not all(_is_whole(value) for value in listed):
        raise ConfigError(
            "range",
            where=where,
            expected="two whole numbers [a, b)",
            got=repr(support)[:SHOWN_VALUE],
        )
    start = int(listed[0])
    stop = int(listed[1])
    shown = f"[{start}, {stop})"
    if start >= stop:
        raise ConfigError(
            "empty range",
            where=where,
            expected="[a, b) with a < b",
            got=shown,
        )
    if start < 0 or stop > bands:
        raise ConfigError(
            "range outside the bands",
            where=where,
            expected=f"a range within [0, {bands}) for {bands} bands",
            got=shown,
        )
    return start, stop


def _is_whole(value: Any) -> bool:
    """Return whether a value counts something; Python takes True for a whole number too."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def check_counted(
    supports: Optional[Sequence[Sequence[int]]],
    band_order: Optional[Sequence[int]],
) -> Optional[Ranges]:
    """Count supports among the bands that are used; refuse them where sorting has given the bands other numbers.

    Args:
        supports: The configured ones, ranges [a, b) of the file's bands, or None.
        band_order: Of each band its place in the file, where bands were sorted or left out; None: they were not.

    Returns:
        The supports as ranges of the bands that are used, or None.

    Raises:
        ConfigError: Supports are configured, and the bands were sorted, or one holds only bands that were left out.
    """
    if supports is None:
        return None
    ranges = [(int(start), int(stop)) for start, stop in supports]
    if band_order is None:
        return ranges
    places = np.asarray(band_order)
    if np.any(np.diff(places) < 0):
        raise ConfigError(
            "band numbers, but the bands were sorted by wavelength",
            where="observe.supports",
            hint="leave them out, or sort the bands in the file",
        )
    counted = []
    for index, (start, stop) in enumerate(ranges):
        first = int((places < start).sum())
        end = int((places < stop).sum())
        if first == end:
            raise ConfigError(
                "only bands that are left out",
                where=f"observe.supports[{index}]",
                got=f"[{start}, {stop})",
                hint="data.bad_bands=none keeps all bands",
            )
        counted.append((first, end))
    return counted
