"""What stands beside an image in a file of several arrays: wavelengths, widths, bad bands, scale, place, no-data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Optional

import numpy as np

from paddle_umsft.data.facts import FileFacts
from paddle_umsft.data.ground import Georeference
from paddle_umsft.data.readers.base import guarded
from paddle_umsft.data.readers.entries import IMAGE_AXES, Entry

# What a list of band centres is called beside a cube.
WAVELENGTH_KEYS = ("wavelengths_nm", "wavelength_nm", "wavelengths", "wavelength")
# Shorter names for the same thing, in lower case, where the list is as long as the cube has bands.
SHORT_KEYS = ("wl", "wls", "wave", "waves", "wavelen", "lambda", "lambdas", "lam", "wvl", "wavelength_um", "bands_nm")
# Full widths at half maximum, and the bad-band list, of the same length.
WIDTH_KEYS = ("fwhm", "fwhm_nm", "fwhms")
GOOD_KEYS = ("bbl", "good_wavelengths")
# Factor and offset of the stored numbers, one a band, as the package writes them.
SCALE_KEYS = ("band_scale",)
OFFSET_KEYS = ("band_offset",)
# Field of the bands' facts -> what its list may be called.
LISTS: dict[str, tuple[str, ...]] = {
    "fwhm_nm": WIDTH_KEYS,
    "good": GOOD_KEYS,
    "scale": SCALE_KEYS,
    "offset": OFFSET_KEYS,
}
# Where the image lies, as the package writes it: GDAL's six numbers, the coordinate system by number and as text.
TRANSFORM_KEY = "geotransform"
TRANSFORM_NUMBERS = 6
EPSG_KEY = "epsg"
WKT_KEY = "crs_wkt"
NO_DATA_KEYS = ("no_data", "nodata")
UNITS_KEY = "units"


def known_beside(
    file: Path,
    entries: dict[str, Entry],
    key: str,
) -> tuple[Optional[np.ndarray], FileFacts, tuple[str, ...]]:
    """Return what stands beside an image.

    Args:
        file: The file, for messages.
        entries: Name -> array.
        key: The image.

    Returns:
        (C,) wavelengths as they stand there, or None; the image's own facts with what stands beside; notes.
    """
    wavelengths = _wavelengths_beside(
        file,
        entries,
        key,
    )
    notes: tuple[str, ...] = ()
    if wavelengths is None:
        name, wavelengths = _list_beside(
            file,
            entries,
            key,
            SHORT_KEYS,
        )
        if wavelengths is not None:
            notes = (f"{file.name}: {name} beside {key} taken as its wavelengths",)
    own = entries[key].facts
    bands = own.bands
    # Of the same length as the bands, or they are something else.
    for field, keys in LISTS.items():
        _, listed = _list_beside(
            file,
            entries,
            key,
            keys,
        )
        if listed is not None and field == "good":
            bands = replace(bands, good=listed != 0)
        elif listed is not None:
            bands = replace(bands, **{field: listed})  # type: ignore[arg-type]
    facts = replace(own, bands=bands)
    if not facts.ground.is_known:
        facts = facts.with_ground(
            _ground_beside(
                file,
                entries,
                key,
            )
        )
    if facts.no_data is None:
        facts = replace(
            facts,
            no_data=_number_beside(
                file,
                entries,
                key,
                NO_DATA_KEYS,
            ),
        )
    if not facts.units:
        facts = replace(
            facts,
            units=_text_beside(
                file,
                entries,
                key,
                UNITS_KEY,
            ),
        )
    return wavelengths, facts, notes


def _ground_beside(
    file: Path,
    entries: dict[str, Entry],
    key: str,
) -> Georeference:
    """Return where the image lies by the arrays that the package writes for it."""
    name = _nearest(entries, key, (TRANSFORM_KEY,))
    if name is None or not entries[name].is_numeric:
        return Georeference()
    numbers = np.ravel(_loaded(file, entries[name])).astype(np.float64)
    if numbers.size != TRANSFORM_NUMBERS or not np.isfinite(numbers).all():
        return Georeference()
    x, x_column, x_row, y, y_column, y_row = (float(number) for number in numbers)
    number = _number_beside(
        file,
        entries,
        key,
        (EPSG_KEY,),
    )
    epsg = None
    if number is not None and number > 0:
        epsg = int(number)
    return Georeference(
        transform=(x_column, x_row, x, y_column, y_row, y),
        crs_wkt=_text_beside(
            file,
            entries,
            key,
            WKT_KEY,
        ),
        epsg=epsg,
    )


def _nearest(
    entries: dict[str, Entry],
    key: str,
    wanted: tuple[str, ...],
) -> Optional[str]:
    """Return the array of a name, that of the image's own group first; None where there is none."""
    group = key.rpartition("/")[0]
    for name in sorted(entries, key=lambda name: not name.startswith(group)):
        if name != key and name.rpartition("/")[2].lower() in wanted:
            return name
    return None


def _number_beside(
    file: Path,
    entries: dict[str, Entry],
    key: str,
    wanted: tuple[str, ...],
) -> Optional[float]:
    """Return a single number beside the image, or None."""
    name = _nearest(entries, key, wanted)
    if name is None or not entries[name].is_numeric or np.prod(entries[name].shape) != 1:
        return None
    return float(np.ravel(_loaded(file, entries[name]))[0])


def _text_beside(
    file: Path,
    entries: dict[str, Entry],
    key: str,
    wanted: str,
) -> str:
    """Return a text beside the image, or "" without one."""
    name = _nearest(entries, key, (wanted,))
    if name is None or entries[name].is_numeric:
        return ""
    words = np.ravel(_loaded(file, entries[name]))
    # A struct or a list of texts is no text.
    if words.size != 1 or words.dtype.names is not None:
        return ""
    word = words[0]
    if isinstance(word, bytes):
        return word.decode("utf-8", errors="replace")
    return str(word)


def _loaded(file: Path, entry: Entry) -> np.ndarray:
    """Load an array; what goes wrong becomes one line."""
    return np.asarray(
        guarded(
            file,
            "array",
            entry.load,
        )
    )


def _list_beside(
    file: Path,
    entries: dict[str, Entry],
    key: str,
    names: tuple[str, ...],
) -> tuple[str, Optional[np.ndarray]]:
    """Return name and numbers of a list that is as long as one end of an image, in the image's own group or above it.

    Args:
        file: The file, for messages.
        entries: Name -> array.
        key: The image.
        names: What the list may be called, in lower case.
    """
    shape = entries[key].shape
    if len(shape) < IMAGE_AXES:
        return "", None
    for name, entry in entries.items():
        last = name.rpartition("/")[2].lower()
        is_list = entry.is_numeric and entry.axes == 1 and name != key
        if is_list and last in names and max(entry.shape) in (shape[0], shape[-1]):
            listed = guarded(
                file,
                "array",
                entry.load,
            )
            return name, np.ravel(listed).astype(np.float64)
    return "", None


def _wavelengths_beside(
    file: Path,
    entries: dict[str, Entry],
    key: str,
) -> Optional[np.ndarray]:
    """Return the list of wavelengths that stands beside an array, as (C,) float64, or None."""
    # Of several in a file of groups the one nearest by path, which is listed with it, comes first.
    group = key.rpartition("/")[0]
    names = sorted(entries, key=lambda name: not name.startswith(group))
    for wanted in WAVELENGTH_KEYS:
        for name in names:
            entry = entries[name]
            is_called_so = name.rpartition("/")[2].lower() == wanted
            # A single number is no list: MATLAB writes one as 1x1. Nor is a cube of one wavelength a pixel.
            is_list = entry.is_numeric and entry.axes == 1 and max(entry.shape, default=0) > 1
            if is_called_so and is_list and name != key:
                listed = guarded(
                    file,
                    "array",
                    entry.load,
                )
                return np.ravel(listed).astype(np.float64)
    return None
