"""Files -> scenes, and given pairs of images: axes, wavelengths, crop, checks and normalisation, in one order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np

from paddle_umsft.config.data import DEMO_PATH, INDIAN_PINES_PATH, DataConfig
from paddle_umsft.data.both import read_both
from paddle_umsft.data.checks import check_cube, to_float32
from paddle_umsft.data.cubes import SCENE, Cube, cut_to, upright
from paddle_umsft.data.facts import FileFacts
from paddle_umsft.data.grid import HsiGrid
from paddle_umsft.data.indian_pines import read_indian_pines
from paddle_umsft.data.layout import divisor_of
from paddle_umsft.data.listing import list_scenes, pair_name
from paddle_umsft.data.masks import check_mask, filled
from paddle_umsft.data.placing import grid_of_files
from paddle_umsft.data.readers.base import Request, Window
from paddle_umsft.data.readers.many import image_name, read_image
from paddle_umsft.data.readers.table import read_array
from paddle_umsft.data.scaled import divided_in_place
from paddle_umsft.data.scene import Scene
from paddle_umsft.data.synthetic import dead_leaves_scene
from paddle_umsft.data.used import used_bands, used_values
from paddle_umsft.errors import ConfigError, DataError

# Of a folder of scenes taken for one, a message names this many.
SHOWN_SCENES = 8
# Values that are divided at a time: 16 MB of float64.
DIVIDED_AT_ONCE = 2**21


@dataclass(frozen=True)
class ImagePair:
    """Two images made elsewhere.

    Attributes:
        lr_hsi: (h, w, C) float32, normalised.
        hr_msi: (H, W, M) float32, normalised.
        name: Short name.
        wavelengths_nm: (C,) HSI band centres, if known.
        meta: How both were normalised, where they came from, notes; `band_order` if the bands were sorted.
        mask_hsi: (h, w) bool, True where `lr_hsi` holds data; what is masked was filled. None: everywhere.
        mask_msi: (H, W) bool, the same for `hr_msi`.
        hsi_facts: What the HSI's file says beside its numbers.
        msi_facts: The same of the MSI's.
        grid: Where the HSI's pixels lie on the MSI by their files, where they do not tile it.
    """

    lr_hsi: np.ndarray
    hr_msi: np.ndarray
    name: str
    wavelengths_nm: Optional[np.ndarray] = None
    meta: dict[str, Any] = field(default_factory=dict)
    mask_hsi: Optional[np.ndarray] = None
    mask_msi: Optional[np.ndarray] = None
    hsi_facts: Optional[FileFacts] = None
    msi_facts: Optional[FileFacts] = None
    grid: Optional[HsiGrid] = None


# A picture of a mask may have three bands that say the same.
_MASK_AXES = (2, 3)


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
    given = _read_mask(settings.mask_hsi, raw.whole_size, "data.mask_hsi")
    # Cut before anything is computed: a crop of a whole scene is to cost no more than itself.
    window = settings.window
    cropped = cut_to(raw, window, name)
    given = _cut_mask(given, window)
    in_order = used_bands(cropped, settings, name, is_spectral=True)
    used = used_values(in_order, settings, name)
    mask = _both_masks(used.mask, given)
    if mask is not None:
        check_mask(mask, used.values.shape, f"{name}: what holds data")
    whole = _without_masked(used.values, mask, name)
    cube, divisor = _normalise(whole, settings.normalise, name)
    notes = used.notes
    if window is not None:
        notes += (_crop_note(window, raw.whole_size),)
    below = int((cube < 0).sum())
    if below > 0:
        notes += (f"{below} values below zero are kept",)
    return Scene(
        hr_hsi=cube,
        name=name,
        wavelengths_nm=used.wavelengths_nm,
        normalise=str(settings.normalise),
        divisor=divisor,
        source=used.source,
        notes=notes,
        band_order=used.band_order,
        mask_hsi=mask,
        facts=used.facts,
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
    low, high = read_both(settings)
    given_hsi = _read_mask(settings.mask_hsi, low.whole_size, "data.mask_hsi")
    given_msi = _read_mask(settings.mask_msi, high.whole_size, "data.mask_msi")
    given_hsi = _cut_mask(given_hsi, low.window)
    given_msi = _cut_mask(given_msi, high.window)
    low = used_bands(low, settings, f"{name}: LR-HSI", is_spectral=True)
    high = used_bands(high, settings, f"{name}: HR-MSI", is_spectral=False)
    low = used_values(low, settings, f"{name}: LR-HSI")
    high = used_values(high, settings, f"{name}: HR-MSI")
    mask_hsi = _both_masks(low.mask, given_hsi)
    mask_msi = _both_masks(high.mask, given_msi)
    lr_normalise = settings.normalise
    if settings.lr_normalise is not None:
        lr_normalise = settings.lr_normalise
    hr_normalise = settings.normalise
    if settings.hr_normalise is not None:
        hr_normalise = settings.hr_normalise
    lr_hsi, lr_divisor = _divided_cube(low, mask_hsi, lr_normalise, f"{name}: LR-HSI")
    hr_msi, hr_divisor = _divided_cube(high, mask_msi, hr_normalise, f"{name}: HR-MSI")
    grid: Optional[HsiGrid] = None
    placed: tuple[str, ...] = ()
    if settings.coordinates == "auto":
        grid, placed = grid_of_files(low.facts, high.facts, lr_hsi.shape, hr_msi.shape, image_name(settings.hr_msi))
    notes = [*low.notes, *high.notes, *placed]
    # PSF and SRF relate the two images: a user should know that they are on two scales.
    if lr_divisor != hr_divisor:
        notes.append(f"LR-HSI divided by {lr_divisor:g}, HR-MSI by {hr_divisor:g}")
    meta = {
        "normalise": str(lr_normalise),
        "normalise_msi": str(hr_normalise),
        "divisor": lr_divisor,
        "divisor_msi": hr_divisor,
        "source": low.source,
        "source_msi": high.source,
        "notes": notes,
    }
    if low.band_order is not None:
        meta["band_order"] = list(low.band_order)
    return ImagePair(
        lr_hsi=lr_hsi,
        hr_msi=hr_msi,
        name=name,
        wavelengths_nm=low.wavelengths_nm,
        meta=meta,
        mask_hsi=mask_hsi,
        mask_msi=mask_msi,
        hsi_facts=low.facts,
        msi_facts=high.facts,
        grid=grid,
    )


def _both_masks(one: Optional[np.ndarray], other: Optional[np.ndarray]) -> Optional[np.ndarray]:
    """Return where both masks have data; None where there is none."""
    if one is None:
        return other
    if other is None:
        return one
    return np.asarray(one & other)


def _cut_mask(
    mask: Optional[np.ndarray],
    window: Optional[Window],
) -> Optional[np.ndarray]:
    """Return the part of a mask that its image was cut to."""
    if mask is None or window is None:
        return mask
    top, left, height, width = window
    return mask[top : top + height, left : left + width]


def _read_mask(
    path: Optional[str],
    size: tuple[int, int],
    option: str,
) -> Optional[np.ndarray]:
    """Read the mask of an image.

    Args:
        path: Its file; None: there is none.
        size: Rows and columns of the image whose mask it is, as they are in its file.
        option: Config key of the file, named in a message.

    Returns:
        (H, W) bool, True where a pixel is valid, or None.
    """
    if path is None:
        return None
    found = read_array(path, Request(axes=_MASK_AXES, option=option))
    return check_mask(found.values, size, f"{option} ({Path(path).name})")


def _without_masked(
    cube: np.ndarray,
    mask: Optional[np.ndarray],
    where: str,
    stored: Optional[np.dtype] = None,
) -> np.ndarray:
    """Return a cube with what its mask hides filled (`stored`: see `filled`); as it came without a mask."""
    if mask is None:
        return cube
    return filled(cube, mask, where, stored)


def _read_source(settings: DataConfig) -> Cube:
    """Read a scene from wherever it is: made here, in a package, a folder or a file."""
    path = str(settings.path)
    if path == DEMO_PATH:
        demo = settings.demo
        made = dead_leaves_scene(demo.height, demo.width, demo.bands, demo.seed)
        return Cube(
            values=made.hr_hsi,
            wavelengths_nm=made.wavelengths_nm,
            source=made.source,
        )
    if path == INDIAN_PINES_PATH:
        values, wavelengths, notes = read_indian_pines()
        return Cube(
            values=values,
            wavelengths_nm=wavelengths,
            source=path,
            notes=notes,
        )
    request = SCENE.request(settings.key, settings.layout, settings)
    found = read_image(path, replace(request, window=settings.window))
    return upright(
        found,
        Path(path).name,
        settings,
        SCENE,
        layout=settings.layout,
        key=settings.key,
    )


def _crop_note(window: Window, size: tuple[int, int]) -> str:
    """Return what a crop left of an image."""
    top, left, height, width = window
    rows, columns = size
    return f"cropped to rows {top}...{top + height - 1}, columns {left}...{left + width - 1} of {rows}x{columns}"


def _divided_cube(
    cube: Cube,
    mask: Optional[np.ndarray],
    normalise: Union[str, float],
    where: str,
) -> tuple[np.ndarray, float]:
    """Fill what is masked, check and divide.

    Args:
        cube: Of `used_values`; its values may be changed where they were read as float32.
        mask: (H, W) bool, True where there is data; None: everywhere.
        normalise: See `divisor_of`.
        where: What the cube is called in a message.

    Returns:
        (H, W, C) float32 in one block of memory, and the divisor.
    """
    values = cube.values
    stored = cube.stored
    if cube.scaling is not None:
        divisor = divided_in_place(values, cube.scaling, mask, normalise, where)
        if divisor is not None:
            return to_float32(values, where), divisor
        # What is wrong is said of the whole image, in float64.
        stored = None
        values = cube.scaling.of(values, slice(None))
    # Before the divisor is looked for: what is masked has no say in it either.
    return _normalise(_without_masked(values, mask, where, stored), normalise, where, stored)


def _normalise(
    cube: np.ndarray,
    normalise: Union[str, float],
    where: str,
    stored: Optional[np.dtype] = None,
) -> tuple[np.ndarray, float]:
    """Check and divide.

    Args:
        cube: (H, W, C).
        normalise: See `divisor_of`.
        where: What the cube is called in a message.
        stored: The cube is of float32 and holds numbers of this type; it is divided itself, and not there twice.

    Returns:
        (H, W, C) float32 in one block of memory, and the divisor.
    """
    check_cube(cube, where, stored)
    divisor = divisor_of(cube, normalise, where, stored)
    if stored is None and cube.size <= DIVIDED_AT_ONCE:
        return to_float32(_divided(cube, divisor), where), divisor
    # A large scene a few rows at a time: it is never there in float64.
    single = cube
    if stored is None or not cube.flags.c_contiguous:
        single = np.empty(cube.shape, dtype=np.float32)
    step = max(1, DIVIDED_AT_ONCE * len(cube) // cube.size)
    with np.errstate(over="ignore", under="ignore"):
        for top in range(0, len(cube), step):
            single[top : top + step] = _divided(cube[top : top + step], divisor)
    return to_float32(single, where), divisor


def _divided(cube: np.ndarray, divisor: float) -> np.ndarray:
    """Divide in float64: a 16-bit integer has no exact quotient in float32, and is to be rounded once only."""
    return cube.astype(np.float64) / divisor
