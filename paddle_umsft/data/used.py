"""Of an upright cube what can be used: bands with a wavelength and with data, in order; pixels with data; one scale."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

import numpy as np

from paddle_umsft.config.data import DataConfig
from paddle_umsft.data.bad_bands import keep_bands
from paddle_umsft.data.cubes import Cube
from paddle_umsft.data.facts import FileFacts
from paddle_umsft.data.layout import bands_of, sort_bands, wavelengths_for
from paddle_umsft.data.scaled import Scaling
from paddle_umsft.data.validity import valid_pixels


def used_bands(
    cube: Cube,
    settings: DataConfig,
    name: str,
    *,
    is_spectral: bool,
) -> Cube:
    """Leave out bands that cannot be used, and put the others in ascending order of wavelength.

    Args:
        cube: As in the file.
        settings: Section `data`: `wavelengths_nm`, `bad_bands`.
        name: What it is called in notes and messages.
        is_spectral: It is the hyperspectral image.
    """
    count = cube.values.shape[2]
    wavelengths = None
    unplaced: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    if is_spectral:
        found, unplaced, notes = _placed_bands(cube, settings, name)
        wavelengths = wavelengths_for(
            count,
            settings.wavelengths_nm,
            found,
            name,
            unplaced=unplaced,
        )
    bands = replace(cube.facts.bands, count=count)
    if wavelengths is not None:
        bands = replace(bands, wavelengths_nm=wavelengths)
    facts = replace(cube.facts, bands=bands)
    # Bad bands are judged in the file's order, before anything is sorted.
    kept = keep_bands(
        cube.values,
        facts,
        settings.bad_bands,
        name,
        is_spectral=is_spectral,
        detector=settings.detector,
        unplaced=unplaced,
    )
    values = cube.values
    # What was read for this alone is not kept beside.
    is_own = cube.stored is not None
    if kept.places is not None:
        values = bands_of(values, kept.places, in_place=is_own)
        if wavelengths is not None:
            wavelengths = wavelengths[list(kept.places)]
    sorted_bands = sort_bands(values, wavelengths, in_place=is_own)
    places = kept.places or tuple(range(count))
    order = sorted_bands.order
    # Of each band its place in the file: what sorting says is among the bands that stayed.
    if order is not None:
        places = tuple(places[band] for band in order)
    if kept.places is not None or order is not None:
        facts = replace(facts, order=places)
    return replace(
        cube,
        values=sorted_bands.cube,
        wavelengths_nm=sorted_bands.wavelengths_nm,
        notes=cube.notes + notes + kept.notes + sorted_bands.notes,
        facts=facts,
        band_order=facts.order,
    )


def _placed_bands(
    cube: Cube,
    settings: DataConfig,
    name: str,
) -> tuple[Optional[np.ndarray], tuple[int, ...], tuple[str, ...]]:
    """Return the wavelengths that a file knows, the bands for which it has none (0, not a number), and a note."""
    found = cube.wavelengths_nm
    if found is None or settings.wavelengths_nm is not None:
        return found, (), ()
    missing = np.isnan(found) | (found == 0)
    if missing.all():
        return None, (), (f"{name}: wavelengths of nothing but zeros in the file: not used; set data.wavelengths_nm",)
    return found, tuple(int(band) for band in np.flatnonzero(missing)), ()


def used_values(
    cube: Cube,
    settings: DataConfig,
    name: str,
) -> Cube:
    """Find the pixels that hold data, and bring the numbers to one scale where each band has its own.

    Numbers that were read as float32 stay as they are, with what is to be made of them (`Cube.scaling`).

    Args:
        cube: With the bands that are used.
        settings: Section `data`: `no_data`.
        name: What it is called in notes and messages.
    """
    mask, notes = valid_pixels(
        cube.values,
        cube.facts,
        cube.mask,
        settings.no_data,
        name,
        looks_for_zeros=not cube.is_photograph,
    )
    # No data was looked for in the stored numbers: what it means is said of those.
    values = cube.values
    facts = cube.facts
    scaling = _scaling(facts)
    if scaling is not None:
        facts = replace(facts, is_scaled=True)
        notes += (f"{name}: stored numbers times scale plus offset, as its file says",)
    if scaling is not None and cube.stored is None:
        values = scaling.of(values, slice(None))
        scaling = None
    return replace(
        cube,
        values=values,
        mask=mask,
        facts=facts,
        scaling=scaling,
        notes=cube.notes + notes,
    )


def _scaling(facts: FileFacts) -> Optional[Scaling]:
    """Return scale and offset of the bands that are used, or None where stored numbers serve as well.

    One factor for all bands changes nothing that a normalisation does not undo, and numbers stay those of the file.
    """
    bands = facts.bands
    scale = bands.scale
    offset = bands.offset
    if scale is None:
        scale = np.ones(bands.count)
    if offset is None:
        offset = np.zeros(bands.count)
    if facts.order is not None:
        scale = scale[list(facts.order)]
        offset = offset[list(facts.order)]
    if np.all(scale == scale[0]) and not offset.any():
        return None
    return Scaling(scale=scale, offset=offset)
