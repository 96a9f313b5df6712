"""From what a reader found to a cube that can be used: axes, wavelengths, bands, validity, scale, in that order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Optional

import numpy as np

from paddle_umsft.config.data import DataConfig
from paddle_umsft.data.bad_bands import keep_bands
from paddle_umsft.data.checks import check_axes, check_numeric
from paddle_umsft.data.facts import BandFacts, FileFacts
from paddle_umsft.data.layout import sort_bands, to_hwc, wavelengths_for
from paddle_umsft.data.readers.base import RawArray
from paddle_umsft.data.validity import valid_pixels
from paddle_umsft.data.wavelengths import in_nm

# Top, left, height, width.
Window = tuple[int, int, int, int]
# data.wavelengths_nm may be [first, last]: from three numbers on it counts the bands.
ENDS_OF_A_RANGE = 2
# Wavelengths as near to each other as this differ by rounding.
SAME_NM = 1.0


@dataclass(frozen=True)
class Cube:
    """A cube on its way from a file.

    Attributes:
        values: (H, W, C).
        wavelengths_nm: (C,), or None.
        source: The file or folder it came from.
        notes: Lines worth printing.
        facts: What the file says beside.
        mask: (H, W) bool, True where a pixel holds data; None: everywhere.
        band_order: Of each band its place in the file, where bands were sorted or left out; None: they were not.
        is_photograph: A camera's picture: zeros along its edge are black, and data.
    """

    values: np.ndarray
    wavelengths_nm: Optional[np.ndarray]
    source: str
    notes: tuple[str, ...] = ()
    facts: FileFacts = field(default_factory=FileFacts)
    mask: Optional[np.ndarray] = None
    band_order: Optional[tuple[int, ...]] = None
    is_photograph: bool = False


@dataclass(frozen=True)
class Role:
    """What a file is read as.

    Attributes:
        option: Config key of the array's name.
        layout: Config key of its axes.
        axes: Numbers of axes that fit, the preferred one first.
        is_spectral: The configured wavelengths are its bands'.
    """

    option: str
    layout: str
    axes: tuple[int, ...]
    is_spectral: bool


def upright(
    found: RawArray,
    file_name: str,
    settings: DataConfig,
    role: Role,
    *,
    layout: str,
    key: Optional[str] = None,
) -> Cube:
    """Bring what a reader found to rows, columns, bands, and its wavelengths to nm.

    Args:
        found: What it found.
        file_name: For messages.
        settings: Section `data`.
        role: What it is read as.
        layout: "hwc", "chw" or "auto".
        key: The name that was asked for.
    """
    where = file_name
    source = file_name
    if found.key:
        where = f"{file_name} key {found.key}"
        source = f"{file_name}:{found.key}"
    values = check_numeric(found.values, where)
    # A picture is rows, columns, bands by its kind, a panchromatic image gets its band axis here: nothing to infer.
    if found.is_upright:
        layout = "hwc"
    if values.ndim == 2 and (not role.is_spectral or found.is_upright):
        values = values[:, :, None]  # (H, W, 1)
        layout = "hwc"
    check_axes(values, where)
    cube = to_hwc(
        values,
        layout,
        where,
        wavelengths=known_bands(
            found,
            settings,
            role,
        ),
        is_stacked=found.is_stacked,
        key=role.layout,
    )  # (H, W, C)
    notes = found.notes
    # A guess is told: a cube on its side fuses without a word otherwise.
    if layout == "auto":
        read_as = "bands, rows, columns"
        if cube is values:
            read_as = "rows, columns, bands"
        notes += (f"{where} {values.shape}: read as {read_as} ({role.layout}: auto)",)
    if key and not found.key:
        notes += (
            f"{file_name}: {role.option}={key} has no meaning, there is one array in the file and it has no name",
        )
    bands, converted = _known_of_bands(
        found,
        cube.shape[2],
        where,
    )
    # Wavelengths that are configured go before those of the file, and that is said.
    if role.is_spectral and settings.wavelengths_nm is not None:
        notes += _overruled(bands.wavelengths_nm, settings.wavelengths_nm, where)
        bands = replace(bands, wavelengths_nm=None)
    elif role.is_spectral:
        notes += converted
    # A reader that scaled or unpacked the numbers knows the type they had.
    dtype = found.facts.dtype or values.dtype.name
    wavelengths = None
    # An MSI's own are carried, but not used.
    if role.is_spectral:
        wavelengths = bands.wavelengths_nm
    return Cube(
        values=cube,
        wavelengths_nm=wavelengths,
        source=source,
        notes=notes,
        facts=replace(
            found.facts,
            bands=bands,
            dtype=dtype,
        ),
        mask=found.mask,
        is_photograph=found.is_photograph,
    )


def _overruled(
    own: Optional[np.ndarray],
    configured: list[float],
    where: str,
) -> tuple[str, ...]:
    """Return a note where a file's own wavelengths are others than the configured ones.

    Args:
        own: (C,) nm, as the file says; None: it says nothing.
        configured: [first, last], or one number per band.
        where: The file.
    """
    if own is None or own.size == 0:
        return ()
    told = np.asarray(configured, dtype=np.float64)
    known = own
    if told.size == ENDS_OF_A_RANGE:
        known = np.array([own.min(), own.max()])
        told = np.sort(told)
    if told.shape == known.shape and np.allclose(told, known, rtol=0, atol=SAME_NM):
        return ()
    return (
        f"{where}: its own wavelengths, {own.min():g}...{own.max():g} nm, are overruled by "
        f"data.wavelengths_nm, {told.min():g}...{told.max():g} nm",
    )


def _known_of_bands(
    found: RawArray,
    count: int,
    where: str,
) -> tuple[BandFacts, tuple[str, ...]]:
    """Return what is known of the bands, with a list that stands beside the cube, and notes."""
    bands = _of_length(found.facts.bands, count)
    if bands.wavelengths_nm is not None or found.wavelengths is None:
        return bands, ()
    centres, notes = in_nm(
        found.wavelengths,
        found.wavelength_unit,
        where,
    )
    widths = bands.fwhm_nm
    # Widths have the unit of the centres.
    if widths is not None and centres is not None and centres.size > 0:
        place = int(np.nanargmax(centres))
        widths = widths * (centres[place] / found.wavelengths[place])
    return replace(
        bands,
        wavelengths_nm=centres,
        fwhm_nm=widths,
    ), notes


def _of_length(bands: BandFacts, count: int) -> BandFacts:
    """Return facts of so many bands; lists of another length beside the cube are not its own."""

    def kept(listed: Optional[np.ndarray]) -> Optional[np.ndarray]:
        # One number goes for all bands.
        if listed is not None and len(listed) == 1:
            return np.full(count, listed[0])
        if listed is None or len(listed) != count:
            return None
        return listed

    names = bands.names
    if len(names) != count:
        names = ()
    return replace(
        bands,
        count=count,
        names=names,
        fwhm_nm=kept(bands.fwhm_nm),
        good=kept(bands.good),
        scale=kept(bands.scale),
        offset=kept(bands.offset),
    )


def known_bands(
    found: RawArray,
    settings: DataConfig,
    role: Role,
) -> Optional[int]:
    """Return the number of bands that a list of wavelengths tells, configured or found; None without one."""
    if not role.is_spectral:
        return None
    configured = settings.wavelengths_nm
    if configured is not None and len(configured) > ENDS_OF_A_RANGE:
        return len(configured)
    if found.wavelengths is not None:
        return len(found.wavelengths)
    if found.facts.bands.wavelengths_nm is not None:
        return len(found.facts.bands.wavelengths_nm)
    return None


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
    if is_spectral:
        wavelengths = wavelengths_for(
            count,
            settings.wavelengths_nm,
            cube.wavelengths_nm,
            name,
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
    )
    values = cube.values
    if kept.places is not None:
        values = values[:, :, list(kept.places)]
        if wavelengths is not None:
            wavelengths = wavelengths[list(kept.places)]
    sorted_bands = sort_bands(values, wavelengths)
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
        notes=cube.notes + kept.notes + sorted_bands.notes,
        facts=facts,
        band_order=facts.order,
    )


def cut_to(cube: Cube, window: Optional[Window]) -> Cube:
    """Cut a cube to (top, left, height, width), with its mask and its place; as it came without a window."""
    if window is None:
        return cube
    top, left, height, width = window
    part = (slice(top, top + height), slice(left, left + width))
    mask = cube.mask
    if mask is not None:
        mask = mask[part]
    rows, columns = cube.values.shape[:2]
    note = (
        f"{cube.source}: cut from {rows}x{columns} to {height}x{width} at row {top}, column {left}: "
        "the ground that both images show"
    )
    return replace(
        cube,
        values=cube.values[part],
        mask=mask,
        facts=cube.facts.with_ground(cube.facts.ground.cut(top, left)),
        notes=(*cube.notes, note),
    )


def used_values(
    cube: Cube,
    settings: DataConfig,
    name: str,
) -> Cube:
    """Find the pixels that hold data, and bring the numbers to one scale where each band has its own.

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
    scale, offset = _scaling(facts)
    if scale is not None and offset is not None:
        values = values * scale + offset
        facts = replace(facts, is_scaled=True)
        notes += (f"{name}: stored numbers times scale plus offset, as its file says",)
    return replace(
        cube,
        values=values,
        mask=mask,
        facts=facts,
        notes=cube.notes + notes,
    )


def _scaling(facts: FileFacts) -> tuple[Optional[np.ndarray], Optional[np.ndarray]]:
    """Return (C,) scale and offset of the bands that are used, or None twice where stored numbers serve as well.

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
        return None, None
    return scale, offset
