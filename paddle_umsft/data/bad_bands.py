"""Which bands of a file are used: those that its list, the user or the numbers themselves do not rule out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Optional, Union

import numpy as np

from paddle_umsft.data.detectors import BOTH, find_overlap, left_out_by
from paddle_umsft.data.facts import FileFacts
from paddle_umsft.errors import ConfigError, DataError

# A band without data in so much more of the pixels than others is the fault of the band, not of the pixels.
MOST = 0.5

# Band numbers from 0, or half-open ranges [a, b) of them.
Listed = Sequence[Union[int, tuple[int, int]]]


@dataclass(frozen=True)
class KeptBands:
    """Which bands stay.

    Attributes:
        places: Of each band that stays its place in the file; None: all stay.
        notes: One line a reason, with the bands that it took away.
    """

    places: Optional[tuple[int, ...]]
    notes: tuple[str, ...] = ()


def keep_bands(
    values: np.ndarray,
    facts: FileFacts,
    setting: Union[str, Listed],
    where: str,
    *,
    is_spectral: bool,
    detector: str = BOTH,
    unplaced: Sequence[int] = (),
) -> KeptBands:
    """Find the bands that can be used.

    Args:
        values: (H, W, C) as stored.
        facts: Of the file: its list of bad bands, its no-data value.
        setting: "auto": by the file's list and by the numbers; "none": all are kept; or the bands to leave out, beside
            those that hold nothing.
        where: What the image is called in notes and messages.
        is_spectral: A hyperspectral image: bands that are one number everywhere are left out too. Of few bands each
            has its place in an SRF, and only those without any data are.
        detector: Of two spectrometers that overlap, whose bands stay there: "vnir", "swir" or "both".
        unplaced: Bands without a wavelength in a file that has one for the others: nobody knows what they show.

    Raises:
        ConfigError: A listed band is not in the file.
        DataError: No band would stay.
    """
    overlap = None
    if is_spectral:
        overlap = find_overlap(facts.bands.wavelengths_nm)
    if setting == "none" and not unplaced and (overlap is None or detector == BOTH):
        return KeptBands(places=None)
    count = values.shape[2]
    good = np.ones(count, bool)
    notes = []

    def leave_out(bands: Iterable[int], reason: str) -> None:
        # Each band is told of once, with the first reason.
        fresh = [band for band in bands if good[band]]
        if not fresh:
            return
        good[fresh] = False
        notes.append(f"{where}: left out {named_bands(fresh)}: {reason}")

    leave_out(unplaced, "no wavelength in its file's list")
    if overlap is not None and detector == BOTH:
        notes.append(
            f"{where}: {overlap.span}: the bands of both are kept, sorted by wavelength; data.detector=vnir or swir "
            "keeps those of one"
        )
    elif overlap is not None:
        leave_out(left_out_by(overlap, detector), f"{overlap.span}, data.detector={detector}")
    if setting == "none":
        return _kept(good, notes)
    if isinstance(setting, str):
        if facts.bands.good is not None:
            leave_out(np.flatnonzero(~facts.bands.good), "bad bands by the file's own list (bbl)")
    else:
        leave_out(_listed_bands(setting, count), "data.bad_bands")
    leave_out(_empty_bands(values, facts.no_data), "no data in any pixel")
    leave_out(_holed_bands(values, facts.no_data, good), "no data in most of the pixels that other bands have")
    if is_spectral:
        leave_out(
            _constant_bands(
                values,
                facts.no_data,
                good,
            ),
            "dead, one number in all pixels",
        )
    if not good.any():
        # An image of one number is another matter, and has a message of its own.
        if facts.bands.good is None and isinstance(setting, str):
            return KeptBands(places=None)
        raise DataError(
            "no band stays",
            where=where,
            got="; ".join(notes),
            hint="data.bad_bands=none keeps all of them",
        )
    return _kept(good, notes)


def _kept(good: np.ndarray, notes: list[str]) -> KeptBands:
    """Return the bands that are good, with what was said of the others."""
    places: Optional[tuple[int, ...]] = None
    if not good.all():
        places = tuple(int(band) for band in np.flatnonzero(good))
    return KeptBands(places=places, notes=tuple(notes))


def named_bands(bands: Sequence[int]) -> str:
    """Return bands in words, runs shortened, counted from 1 as GIS programs do: "bands 130...135, 140"."""
    runs: list[list[int]] = []
    for band in bands:
        if runs and band == runs[-1][1] + 1:
            runs[-1][1] = band
        else:
            runs.append([band, band])
    shown = []
    for first, last in runs:
        text = str(first + 1)
        if last > first:
            text += f"...{last + 1}"
        shown.append(text)
    word = "bands"
    if len(bands) == 1:
        word = "band"
    return f"{word} {', '.join(shown)} (counted from 1)"


def _listed_bands(listed: Listed, count: int) -> list[int]:
    """Return the numbers that a list of bands and ranges stands for."""
    bands: list[int] = []
    for entry in listed:
        if isinstance(entry, int):
            first, stop = entry, entry + 1
        else:
            first, stop = entry
        if not 0 <= first < stop <= count:
            raise ConfigError(
                "no such bands",
                where="data.bad_bands",
                expected=f"bands from 0 to {count - 1}, or ranges [a, b) of them",
                got=entry,
            )
        bands.extend(range(first, stop))
    return sorted(set(bands))


def _empty_bands(values: np.ndarray, no_data: Optional[float]) -> np.ndarray:
    """Return the bands whose every pixel is the no-data value, or not a number."""
    # A look at the first pixel rules out nearly all bands before anything large is compared.
    first = values[0, 0]
    suspects = is_no_data(first, no_data)
    found = []
    for band in np.flatnonzero(suspects):
        image = values[:, :, band]
        if is_no_data(image, no_data).all():
            found.append(band)
    return np.asarray(found, int)


def _holed_bands(
    values: np.ndarray,
    no_data: Optional[float],
    good: np.ndarray,
) -> list[int]:
    """Return the bands that would take most pixels of all others away, if a pixel needs data in all bands."""
    # Where nothing can mean "no data" there is nothing to count; a zero may as well be a dark band's.
    has_nan = values.dtype.kind == "f" and values.size > 0 and np.isnan(values.min())
    is_marked = has_nan or no_data not in (None, 0)
    if not is_marked or not good.any():
        return []
    shares = is_no_data(values, no_data).mean(axis=(0, 1))  # (C,)
    usual = float(np.median(shares[good]))
    return [int(band) for band in np.flatnonzero(shares > usual + MOST) if good[band]]


def _constant_bands(
    values: np.ndarray,
    no_data: Optional[float],
    good: np.ndarray,
) -> list[int]:
    """Return the bands that have one value wherever they have any."""
    found = []
    for band in np.flatnonzero(good):
        image = values[:, :, band]
        # Cheap where it differs already between neighbours; the whole of it is looked at only else.
        corners = image[[0, -1], [0, -1]]
        differs = corners[0] != corners[1]
        if differs and not is_no_data(corners, no_data).any():
            continue
        held = image[~is_no_data(image, no_data)]
        if held.size > 0 and held.min() == held.max():
            found.append(int(band))
    return found


def is_no_data(values: np.ndarray, no_data: Optional[float]) -> np.ndarray:
    """Return where values are the no-data value or not a number.

    Args:
        values: Any shape, any real type.
        no_data: The value; None: there is none.
    """
    hidden = np.zeros(values.shape, bool)
    if values.dtype.kind == "f":
        hidden |= np.isnan(values)
    if no_data is None or np.isnan(no_data):
        return hidden
    if values.dtype.kind in "iu":
        limits = np.iinfo(values.dtype)
        # -9999 in a file of unsigned numbers stands nowhere.
        if no_data != int(no_data) or not limits.min <= no_data <= limits.max:
            return hidden
    # In the type of the values: -3.4e38 in a header is not quite what it is in float32.
    hidden |= values == values.dtype.type(no_data)
    return hidden
