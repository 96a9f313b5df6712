"""GDAL's metadata of bands: wavelengths and widths in any of the homes that programs give them.

References:
    GDAL: Raster Data Model, IMAGERY domain (`CENTRAL_WAVELENGTH_UM`, `FWHM_UM`; GDAL 3.10); ENVI driver (band items
    `wavelength`, `wavelength_units`); EnMAP-Box: band items `wavelength`, `wavelength_units`, `fwhm`, `bbl`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional

import numpy as np

from paddle_umsft.data.facts import BandFacts
from paddle_umsft.data.wavelengths import NM_PER_MICROMETRE, from_names, in_nm

# Items of a band, in lower case; the first that all bands have is used.
CENTRE_ITEMS = ("wavelength", "wavelengths", "center_wavelength", "centre_wavelength", "wavelength (nm)")
UNIT_ITEMS = ("wavelength_units", "wavelength_unit", "wavelength units")
WIDTH_ITEMS = ("fwhm", "bandwidth")
GOOD_ITEMS = ("bbl", "good", "bad_band_multiplier")
# The IMAGERY domain has its unit in its names.
IMAGERY_CENTRE = "central_wavelength_um"
IMAGERY_WIDTH = "fwhm_um"
NANOMETRES = "nm"
# Items of a file that hold the time it was taken, in lower case, the most exact first; and what took it.
TIME_ITEMS = ("acquisitiondatetime", "acquisition_datetime", "start_time", "acquisition time", "tifftag_datetime")
SENSOR_ITEM = "sensor"


@dataclass
class BandItems:
    """What GDAL knows of one band.

    Attributes:
        items: Its default domain, names in lower case.
        imagery: Its IMAGERY domain, names in lower case.
        description: Its description.
    """

    items: dict[str, str] = field(default_factory=dict)
    imagery: dict[str, str] = field(default_factory=dict)
    description: str = ""


def band_facts(
    bands: Sequence[BandItems],
    of_the_file: Mapping[str, str],
    where: str,
) -> tuple[BandFacts, tuple[str, ...]]:
    """Gather what is known of the bands.

    Args:
        bands: One entry a band.
        of_the_file: Items of the file as a whole, names in lower case; lists in braces stand there as well.
        where: What the file is called in notes.

    Returns:
        The facts (without scale and offset), and notes on how wavelengths were taken.
    """
    listed, unit = _centres(bands, of_the_file)
    centres, notes = in_nm(
        listed,
        unit,
        where,
    )
    widths = _numbers([band.imagery.get(IMAGERY_WIDTH) for band in bands])
    if widths is not None:
        widths = widths * NM_PER_MICROMETRE
    else:
        widths = _first_of(
            bands,
            of_the_file,
            WIDTH_ITEMS,
        )
        # Widths have the unit of the centres.
        if widths is not None and centres is not None and listed is not None:
            place = int(np.nanargmax(listed))
            widths = widths * (centres[place] / listed[place])
    flags = _first_of(
        bands,
        of_the_file,
        GOOD_ITEMS,
    )
    good = None
    if flags is not None:
        good = flags != 0
    # GDAL has a description for every band, mostly an empty one.
    descriptions = [band.description for band in bands]
    names: tuple[str, ...] = ()
    if any(descriptions):
        names = tuple(descriptions)
    facts = BandFacts(
        count=len(bands),
        wavelengths_nm=centres,
        fwhm_nm=widths,
        names=names,
        good=good,
    )
    return facts, notes


def _centres(bands: Sequence[BandItems], of_the_file: Mapping[str, str]) -> tuple[Optional[np.ndarray], str]:
    """Return the band centres as they stand somewhere, and their unit."""
    imagery = _numbers([band.imagery.get(IMAGERY_CENTRE) for band in bands])
    if imagery is not None:
        # Micrometres by their very name: nothing to tell.
        return imagery * NM_PER_MICROMETRE, NANOMETRES
    found = _first_of(
        bands,
        of_the_file,
        CENTRE_ITEMS,
    )
    if found is None:
        return from_names([band.description for band in bands])
    unit = ""
    for name in UNIT_ITEMS:
        unit = unit or bands[0].items.get(name, "") or of_the_file.get(name, "")
    return found, unit


def _first_of(
    bands: Sequence[BandItems],
    of_the_file: Mapping[str, str],
    names: Sequence[str],
) -> Optional[np.ndarray]:
    """Return the numbers of the first item that every band has, or the file has a list of."""
    for name in names:
        found = _numbers([band.items.get(name) for band in bands])
        if found is None and name in of_the_file:
            entries = of_the_file[name].strip().strip("{}[]").replace(";", ",").split(",")
            if len(entries) == len(bands):
                found = _numbers(entries)
        if found is not None:
            return found
    return None


def _numbers(texts: Sequence[Optional[str]]) -> Optional[np.ndarray]:
    """Return numbers of some texts, or None where one is missing or no number."""
    numbers = []
    for text in texts:
        if text is None:
            return None
        try:
            numbers.append(float(text))
        except ValueError:
            return None
    if not numbers:
        return None
    return np.asarray(numbers)
