"""Files -> scenes, and given pairs of images: axes, wavelengths, crop, checks and normalisation, in one order."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import numpy as np

from paddle_umsft.config.data import DEMO_PATH, INDIAN_PINES_PATH, DataConfig
from paddle_umsft.data.checks import check_axes, check_cube, check_numeric, to_float32
from paddle_umsft.data.indian_pines import read_indian_pines
from paddle_umsft.data.layout import SortedBands, divisor_of, in_nm, sort_bands, to_hwc, wavelengths_for
from paddle_umsft.data.listing import list_scenes, pair_name
from paddle_umsft.data.readers.base import RawArray, Request
from paddle_umsft.data.readers.table import folder_format, read_array
from paddle_umsft.data.scene import Scene
from paddle_umsft.data.synthetic import dead_leaves_scene
from paddle_umsft.errors import ConfigError, DataError

# Of a folder of scenes taken for one, a message names this many.
SHOWN_SCENES = 8
# data.wavelengths_nm may be [first, last]: from three numbers on it counts the bands.
ENDS_OF_A_RANGE = 2


@dataclass(frozen=True)
class ImagePair:
    """Two images made elsewhere.

    Attributes:
        lr_hsi: (h, w, C) float32, normalised.
        hr_msi: (H, W, M) float32, normalised.
        name: Short name.
        wavelengths_nm: (C,) HSI band centres, if known.
        meta: How both were normalised, where they came from, notes; `band_order` if the bands were sorted.
    """

    lr_hsi: np.ndarray
    hr_msi: np.ndarray
    name: str
    wavelengths_nm: Optional[np.ndarray] = None
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Cube:
    """A cube before sorting, crop and normalisation.

    Attributes:
        values: (H, W, C).
        wavelengths_nm: (C,) from the file, or None.
        source: The file or folder it came from.
        notes: Lines worth printing.
    """

    values: np.ndarray
    wavelengths_nm: Optional[np.ndarray]
    source: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Role:
    """What a file is read as.

    Attributes:
        option: Config key of the array's name.
        axes: Numbers of axes that fit, the preferred one first.
        is_spectral: The configured wavelengths are its bands'.
    """

    option: str
    axes: tuple[int, ...]
    is_spectral: bool


_SCENE = _Role(option="data.key", axes=(3,), is_spectral=True)
_LR_HSI = _Role(option="data.lr_key", axes=(3,), is_spectral=True)
# A panchromatic image has two axes.
_HR_MSI = _Role(option="data.hr_key", axes=(3, 2), is_spectral=False)


def read_scene(settings: DataConfig, name: Optional[str] = None) -> Scene:
    """Read one scene: axes, crop, checks, normalisation, in that order.

    Args:
        settings: Section `data`; its path must stand for one scene (see `list_scenes`).
        name: Short name; None: from the path.

    Returns:
        The scene, (H, W, C) float32, bands in ascending order of wavelength where those are known.

    Raises:
        ConfigError: No path, or an unknown built-in scene.
        DataError: Missing, unreadable or unusable data, an ambiguous key or order of axes, a crop outside the
            image. The message names the file and the way out.
    """
    if settings.is_pair:
        raise ConfigError(
            "a pair has no scene",
            where="data.lr_hsi",
            hint="use read_pair",
        )
    entries = list_scenes(settings)
    if len(entries) > 1:
        names = [entry.name for entry in entries]
        got = ", ".join(names[:SHOWN_SCENES])
        if len(names) > SHOWN_SCENES:
            got += " ..."
        raise DataError(
            "a folder of several scenes",
            where=settings.path,
            expected="one scene",
            got=got,
        )
    only = entries[0]
    name = name or only.name
    settings = only.settings
    raw = _read_source(settings)
    bands = _sorted(raw, settings, name)
    cropped, crop_notes = _crop(bands.cube, settings.crop, name)
    cube, divisor = _normalise(cropped, settings, name)
    notes = raw.notes + bands.notes + crop_notes
    below = int((cube < 0).sum())
    if below > 0:
        notes += (f"{below} values below zero are kept",)
    return Scene(
        hr_hsi=cube,
        name=name,
        wavelengths_nm=bands.wavelengths_nm,
        normalise=str(settings.normalise),
        divisor=divisor,
        source=raw.source,
        notes=notes,
        band_order=bands.order,
    )


def read_pair(settings: DataConfig) -> ImagePair:
    """Read an LR-HSI and an HR-MSI that belong together; each is normalised by itself.

    The HR-MSI may have two axes (a panchromatic image) if its key is given or it is the file's only array.

    Args:
        settings: Section `data` with `lr_hsi`, `hr_msi`, `lr_key`, `hr_key`; `layout` goes for both; `crop` is
            not supported here.

    Raises:
        ConfigError: No pair, or a crop is configured.
        DataError: Missing, unreadable or unusable data.
    """
    if settings.lr_hsi is None or settings.hr_msi is None:
        raise ConfigError(
            "no pair given",
            where="data.lr_hsi",
            expected="data.lr_hsi and data.hr_msi",
        )
    if settings.crop is not None:
        raise ConfigError(
            "not possible with a given pair",
            where="data.crop",
            hint="crop the files beforehand",
        )
    name = pair_name(settings)
    low = _read_file(settings.lr_hsi, settings.lr_key, settings, _LR_HSI)
    high = _read_file(settings.hr_msi, settings.hr_key, settings, _HR_MSI)
    bands = _sorted(low, settings, name)
    lr_hsi, lr_divisor = _normalise(bands.cube, settings, f"{name}: LR-HSI")
    hr_msi, hr_divisor = _normalise(high.values, settings, f"{name}: HR-MSI")
    notes = [*low.notes, *high.notes, *bands.notes]
    # PSF and SRF relate the two images: a user should know that they are on two scales.
    if lr_divisor != hr_divisor:
        notes.append(f"LR-HSI divided by {lr_divisor:g}, HR-MSI by {hr_divisor:g}")
    meta = {
        "normalise": str(settings.normalise),
        "divisor": lr_divisor,
        "divisor_msi": hr_divisor,
        "source": low.source,
        "source_msi": high.source,
        "notes": notes,
    }
    if bands.order is not None:
        meta["band_order"] = list(bands.order)
    return ImagePair(
        lr_hsi=lr_hsi,
        hr_msi=hr_msi,
        name=name,
        wavelengths_nm=bands.wavelengths_nm,
        meta=meta,
    )


def _read_source(settings: DataConfig) -> _Cube:
    """Read a scene from wherever it is: made here, in a package, a folder or a file."""
    path = str(settings.path)
    if path == DEMO_PATH:
        demo = settings.demo
        made = dead_leaves_scene(demo.height, demo.width, demo.bands, demo.seed)
        return _Cube(
            values=made.hr_hsi,
            wavelengths_nm=made.wavelengths_nm,
            source=made.source,
        )
    if path == INDIAN_PINES_PATH:
        values, wavelengths, notes = read_indian_pines()
        return _Cube(
            values=values,
            wavelengths_nm=wavelengths,
            source=path,
            notes=notes,
        )
    folder = Path(path).expanduser()
    if not folder.is_dir():
        return _read_file(path, settings.key, settings, _SCENE)
    whole = folder_format(folder)
    # `list_scenes` has found out already that this folder is one scene.
    assert whole is not None
    found = whole.read(folder)
    return _upright(found, Path(path).name, settings, _SCENE)


def _read_file(
    path: str,
    key: Optional[str],
    settings: DataConfig,
    role: _Role,
) -> _Cube:
    """Read a cube from a file."""
    request = Request(key=key, axes=role.axes, option=role.option)
    found = read_array(path, request)
    return _upright(found, Path(path).name, settings, role, key=key)


def _upright(
    found: RawArray,
    file_name: str,
    settings: DataConfig,
    role: _Role,
    *,
    key: Optional[str] = None,
) -> _Cube:
    """Bring what a reader found to rows, columns, bands, and its wavelengths to nm."""
    where = file_name
    source = file_name
    if found.key:
        where = f"{file_name} key {found.key}"
        source = f"{file_name}:{found.key}"
    values = check_numeric(found.values, where)
    layout = settings.layout
    # A picture is rows, columns, bands by its kind, a panchromatic image gets its band axis here: nothing to infer.
    if found.is_upright:
        layout = "hwc"
    if values.ndim == 2 and not role.is_spectral:
        values = values[:, :, None]  # (H, W, 1)
        layout = "hwc"
    check_axes(values, where)
    known = _known_bands(found, settings, role)
    cube = to_hwc(values, layout, where, wavelengths=known)  # (H, W, C)
    notes: tuple[str, ...] = ()
    # A guess is told: a cube on its side fuses without a word otherwise.
    if layout == "auto":
        read_as = "bands, rows, columns"
        if cube is values:
            read_as = "rows, columns, bands"
        notes += (f"{where} {values.shape}: read as {read_as} (data.layout: auto)",)
    if key and not found.key:
        notes += (
            f"{file_name}: {role.option}={key} has no meaning, there is one array in the file and it has no name",
        )
    wavelengths = None
    # Wavelengths that are configured go before those of the file; an MSI's own are not used.
    if role.is_spectral and settings.wavelengths_nm is None:
        wavelengths, converted = in_nm(found.wavelengths, found.wavelength_unit, where)
        notes += converted
    return _Cube(
        values=cube,
        wavelengths_nm=wavelengths,
        source=source,
        notes=notes,
    )


def _known_bands(
    found: RawArray,
    settings: DataConfig,
    role: _Role,
) -> Optional[int]:
    """Return the number of bands that a list of wavelengths tells, configured or found; None without one."""
    if not role.is_spectral:
        return None
    configured = settings.wavelengths_nm
    if configured is not None and len(configured) > ENDS_OF_A_RANGE:
        return len(configured)
    if found.wavelengths is not None:
        return len(found.wavelengths)
    return None


def _sorted(
    raw: _Cube,
    settings: DataConfig,
    name: str,
) -> SortedBands:
    """Find the wavelength of each band and put the bands in ascending order of it."""
    count = raw.values.shape[2]
    wavelengths = wavelengths_for(count, settings.wavelengths_nm, raw.wavelengths_nm, name)
    return sort_bands(raw.values, wavelengths)


def _crop(
    cube: np.ndarray,
    crop: Optional[list[int]],
    where: str,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Cut [top, left, height, width] out of a cube, and say so in a note."""
    if crop is None:
        return cube, ()
    top, left, height, width = crop
    bottom = top + height
    right = left + width
    rows, columns = cube.shape[:2]
    if bottom > rows or right > columns:
        raise DataError(
            "data.crop",
            where=where,
            expected=f"[top, left, height, width] within {rows}x{columns}",
            got=crop,
        )
    note = f"cropped to rows {top}...{bottom - 1}, columns {left}...{right - 1} of {rows}x{columns}"
    return cube[top:bottom, left:right], (note,)


def _normalise(
    cube: np.ndarray,
    settings: DataConfig,
    where: str,
) -> tuple[np.ndarray, float]:
    """Check and divide: (H, W, C) float32 in one block of memory, and the divisor."""
    check_cube(cube, where)
    divisor = divisor_of(cube, settings.normalise, where)
    # Divided in float64: a 16-bit integer has no exact quotient in float32, and is to be rounded once only.
    divided = cube.astype(np.float64) / divisor
    return to_float32(divided, where), divisor
