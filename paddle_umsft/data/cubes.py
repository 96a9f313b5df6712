"""From what a reader found to a cube that can be used: axes, wavelengths, bands, validity, scale, in that order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Optional

import numpy as np

from paddle_umsft.config.data import DataConfig
from paddle_umsft.data.checks import check_axes, check_numeric
from paddle_umsft.data.facts import BandFacts, FileFacts
from paddle_umsft.data.layout import guess_note, to_hwc
from paddle_umsft.data.readers.base import RawArray, Request, Window
from paddle_umsft.data.readers.windows import within
from paddle_umsft.data.scaled import Scaling
from paddle_umsft.data.wavelengths import in_nm

# Rows, columns, bands.
IMAGE_AXES = 3
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
        window: The reader read this part alone; None: all of the image.
        size: Rows and columns of the whole image, where a part was read.
        stored: The type that the file has, where `values` are its numbers in float32 and may be written to; None: they
            have the file's type.
        scaling: What is still to be made of `values`; None: nothing.
    """

    values: np.ndarray
    wavelengths_nm: Optional[np.ndarray]
    source: str
    notes: tuple[str, ...] = ()
    facts: FileFacts = field(default_factory=FileFacts)
    mask: Optional[np.ndarray] = None
    band_order: Optional[tuple[int, ...]] = None
    is_photograph: bool = False
    window: Optional[Window] = None
    size: Optional[tuple[int, int]] = None
    stored: Optional[np.dtype] = None
    scaling: Optional[Scaling] = None

    @property
    def whole_size(self) -> tuple[int, int]:
        """Return rows and columns of the whole image, also where a part was read."""
        if self.size is not None:
            return self.size
        height, width = self.values.shape[:2]
        return height, width


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

    def request(
        self,
        key: Optional[str],
        layout: str,
        settings: DataConfig,
    ) -> Request:
        """Return what a reader is asked.

        Args:
            key: Name of the array, or None.
            layout: "hwc", "chw" or "auto".
            settings: Section `data`: its wavelengths.
        """
        return Request(
            key=key,
            axes=self.axes,
            option=self.option,
            layout=layout,
            bands=_configured_bands(settings, self),
        )


SCENE = Role(option="data.key", layout="data.layout", axes=(3,), is_spectral=True)
LR_HSI = Role(option="data.lr_key", layout="data.lr_layout", axes=(3,), is_spectral=True)
# A panchromatic image has two axes.
HR_MSI = Role(option="data.hr_key", layout="data.hr_layout", axes=(3, 2), is_spectral=False)


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
    notes = found.notes
    if values.ndim > IMAGE_AXES and np.squeeze(values).ndim == IMAGE_AXES:
        notes += (f"{where} {values.shape}: axes of length 1 are left out",)
        values = np.squeeze(values)
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
    if layout == "auto":
        guessed = "chw"
        if cube is values:
            guessed = "hwc"
        notes += (guess_note(where, values.shape, guessed, role.layout),)
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
    if not found.facts.dtype and found.stored is not None:
        dtype = found.stored.name
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
        window=found.window,
        size=found.size,
        stored=found.stored,
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
        fwhm_nm=_real_widths(kept(bands.fwhm_nm)),
        good=kept(bands.good),
        scale=kept(bands.scale),
        offset=kept(bands.offset),
    )


def _real_widths(widths: Optional[np.ndarray]) -> Optional[np.ndarray]:
    """Return widths, not a number where a file has 0 or -1 because it knows none; None where it knows none at all."""
    if widths is None:
        return None
    real = np.where(widths > 0, widths, np.nan)
    if np.isnan(real).all():
        return None
    return real


def known_bands(
    found: RawArray,
    settings: DataConfig,
    role: Role,
) -> Optional[int]:
    """Return the number of bands that a list of wavelengths tells, configured or found; None without one."""
    if not role.is_spectral:
        return None
    configured = _configured_bands(settings, role)
    if configured is not None:
        return configured
    if found.wavelengths is not None:
        return len(found.wavelengths)
    if found.facts.bands.wavelengths_nm is not None:
        return len(found.facts.bands.wavelengths_nm)
    return None


def _configured_bands(settings: DataConfig, role: Role) -> Optional[int]:
    """Return the number of bands that configured wavelengths tell; None where they do not."""
    configured = settings.wavelengths_nm
    if role.is_spectral and configured is not None and len(configured) > ENDS_OF_A_RANGE:
        return len(configured)
    return None


def cut_to(
    cube: Cube,
    window: Optional[Window],
    where: str,
) -> Cube:
    """Cut a cube with its mask and its place; as it came without a window, or where its reader has cut it already.

    Args:
        cube: As it was read.
        window: Top, left, height, width; None: nothing is cut.
        where: What it is called in a message.

    Raises:
        DataError: The window reaches beyond the image.
    """
    if window is None or cube.window is not None:
        return cube
    rows, columns = within(window, cube.whole_size, where)
    mask = cube.mask
    if mask is not None:
        mask = mask[rows, columns]
    return replace(
        cube,
        values=cube.values[rows, columns],
        mask=mask,
        facts=cube.facts.with_ground(cube.facts.ground.cut(rows.start, columns.start)),
        window=window,
        size=cube.whole_size,
    )
