"""Files and folders -> scenes, and given pairs of images."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import numpy as np

from paddle_umsft.config.data import BUILT_IN, DEMO_PATH, DataConfig
from paddle_umsft.data.arrays import ARRAY_SUFFIXES, guarded, read_array, require_file
from paddle_umsft.data.cave import cave_name, cave_wavelengths, find_cave_folder, read_cave
from paddle_umsft.data.checks import check_cube, check_numeric
from paddle_umsft.data.indian_pines import read_indian_pines
from paddle_umsft.data.layout import divisor_of, in_nm, sort_bands, to_hwc, wavelengths_for
from paddle_umsft.data.scene import Scene
from paddle_umsft.data.synthetic import dead_leaves_scene
from paddle_umsft.errors import ConfigError, DataError

SCENE_SUFFIXES = (".hdr", *ARRAY_SUFFIXES)


@dataclass(frozen=True)
class SceneEntry:
    """One scene of a folder (or the only one).

    Attributes:
        name: Short name, unique within the list; also the name of the run's folder.
        settings: Section `data` with the path of this one scene.
    """

    name: str
    settings: DataConfig


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
class _Raw:
    """A cube before crop and normalisation."""

    cube: np.ndarray
    wavelengths_nm: Optional[np.ndarray]
    source: str
    notes: tuple[str, ...] = ()


def list_scenes(settings: DataConfig) -> list[SceneEntry]:
    """The scenes that `data.path` stands for, in natural order (2 before 10), not yet read.

    A folder's scenes are its files of a known kind (.mat, .npy, .npz, .hdr, .tif) and its CAVE folders. Files
    starting with a dot are passed over. Where two scenes would have the same name, the suffix is kept.

    Args:
        settings: Section `data`.

    Returns:
        One entry per scene; a single one for a file, a CAVE folder, a built-in scene or a given pair.

    Raises:
        ConfigError: Neither a path nor a pair is given.
        DataError: No such file or folder, or a folder without scenes.
    """
    if settings.is_pair:
        require_file(str(settings.lr_hsi))
        require_file(str(settings.hr_msi))
        return [SceneEntry(_pair_name(settings), settings)]
    if not settings.path:
        hint = f"-o data.path=FILE_OR_FOLDER, or {DEMO_PATH}"
        raise ConfigError("no scene given", where="data.path", expected="a file or folder", hint=hint)
    if "://" in settings.path:
        if settings.path not in BUILT_IN:
            raise ConfigError("unknown scene", where="data.path", expected=" or ".join(BUILT_IN), got=settings.path)
        return [SceneEntry(settings.path.split("://")[1], settings)]
    path = Path(settings.path).expanduser()
    if not path.is_dir():
        require_file(path)
        return [SceneEntry(path.stem, settings)]
    if find_cave_folder(path) is not None:
        return [SceneEntry(cave_name(path), settings)]
    found = [item for item in path.iterdir() if not item.name.startswith(".") and _is_scene(item)]
    if not found:
        expected = "CAVE folders or files of kind " + ", ".join(SCENE_SUFFIXES)
        got = "an empty folder" if not any(path.iterdir()) else "none of these"
        raise DataError("no scene in the folder", where=path, expected=expected, got=got)
    found.sort(key=lambda item: _natural(item.name))
    short = [cave_name(item) if item.is_dir() else item.stem for item in found]
    names = [name if short.count(name) == 1 else item.name for name, item in zip(short, found)]
    return [
        SceneEntry(name, settings.model_copy(update={"path": str(item)})) for name, item in zip(names, found)
    ]


def read_scene(settings: DataConfig, name: Optional[str] = None) -> Scene:
    """Reads one scene: axes, crop, checks, normalisation, in that order.

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
        raise ConfigError("a pair has no scene", where="data.lr_hsi", hint="use read_pair")
    entries = list_scenes(settings)
    if len(entries) > 1:
        names = ", ".join(entry.name for entry in entries[:8]) + (" ..." if len(entries) > 8 else "")
        raise DataError("a folder of several scenes", where=settings.path, expected="one scene", got=names)
    name = name or entries[0].name
    settings = entries[0].settings
    if settings.path == DEMO_PATH:
        demo = settings.demo
        made = dead_leaves_scene(demo.height, demo.width, demo.bands, demo.seed)
        raw = _Raw(made.hr_hsi, made.wavelengths_nm, made.source)
    else:
        raw = _read_raw(settings)
    wavelengths = wavelengths_for(raw.cube.shape[2], settings.wavelengths_nm, raw.wavelengths_nm, name)
    cube, wavelengths, order, moved = sort_bands(raw.cube, wavelengths)
    notes = raw.notes + moved
    cube, cropped = _crop(cube, settings.crop, name)
    cube, divisor = _normalise(cube, settings, name)
    if cropped:
        notes += (cropped,)
    below = int((cube < 0).sum())
    if below:
        notes += (f"{below} values below zero are kept",)
    return Scene(cube, name, wavelengths, str(settings.normalise), divisor, raw.source, notes, order)


def read_pair(settings: DataConfig) -> ImagePair:
    """Reads an LR-HSI and an HR-MSI that belong together; each is normalised by itself.

    The HR-MSI may have two axes (a panchromatic image) if its key is given or it is the file's only array.

    Args:
        settings: Section `data` with `lr_hsi`, `hr_msi`, `lr_key`, `hr_key`; `layout` goes for both; `crop` is
            not supported here.

    Raises:
        ConfigError: No pair, or a crop is configured.
        DataError: Missing, unreadable or unusable data.
    """
    if settings.lr_hsi is None or settings.hr_msi is None:
        raise ConfigError("no pair given", where="data.lr_hsi", expected="data.lr_hsi and data.hr_msi")
    if settings.crop is not None:
        raise ConfigError("not possible with a given pair", where="data.crop", hint="crop the files beforehand")
    name = _pair_name(settings)
    low = _read_file(settings.lr_hsi, settings.lr_key, settings)
    high = _read_file(settings.hr_msi, settings.hr_key, settings, spectral=False)
    wavelengths = wavelengths_for(low.cube.shape[2], settings.wavelengths_nm, low.wavelengths_nm, name)
    cube, wavelengths, order, moved = sort_bands(low.cube, wavelengths)
    lr_hsi, lr_divisor = _normalise(cube, settings, f"{name}: LR-HSI")
    hr_msi, hr_divisor = _normalise(high.cube, settings, f"{name}: HR-MSI")
    notes = [*low.notes, *high.notes, *moved]
    if lr_divisor != hr_divisor:
        notes.append(f"LR-HSI divided by {lr_divisor:g}, HR-MSI by {hr_divisor:g}")
    meta = {
        "normalise": str(settings.normalise),
        "divisor": lr_divisor,
        "divisor_msi": hr_divisor,
        "source": low.source,
        "source_msi": high.source,
        "notes": notes,
        **({} if order is None else {"band_order": list(order)}),
    }
    return ImagePair(lr_hsi, hr_msi, name, wavelengths, meta)


def _read_raw(settings: DataConfig) -> _Raw:
    """A scene from Indian Pines, a CAVE folder or a file."""
    path = str(settings.path)
    if path in BUILT_IN:
        cube, wavelengths, notes = read_indian_pines()
        return _Raw(cube, wavelengths, path, notes)
    if Path(path).expanduser().is_dir():
        return _Raw(read_cave(Path(path).expanduser()), cave_wavelengths(), Path(path).name)
    return _read_file(path, settings.key, settings)


def _read_file(path: str, key: Optional[str], settings: DataConfig, *, spectral: bool = True) -> _Raw:
    """A cube from a file; `spectral` is False for an HR-MSI, whose bands the configured wavelengths do not fit."""
    file = require_file(path)
    if file.suffix.lower() == ".hdr":
        return _read_envi(file)
    option = "data.hr_key" if not spectral else "data.lr_key" if settings.is_pair else "data.key"
    raw = read_array(file, key, axes=(3,) if spectral else (3, 2), option=option)
    where = f"{file.name}{f' key {raw.key}' if raw.key else ''}"
    values = check_numeric(raw.values, where)
    if values.ndim == 2 and not spectral:
        values = values[:, :, None]
    if values.ndim != 3:
        hint = "reshape it to (rows, columns, bands) first" if values.ndim == 2 else None
        got = f"{values.ndim} (shape {values.shape})"
        raise DataError("number of axes", where=where, expected="3", got=got, hint=hint)
    known: Optional[int] = None
    if spectral and settings.wavelengths_nm is not None and len(settings.wavelengths_nm) > 2:
        known = len(settings.wavelengths_nm)
    elif spectral and raw.wavelengths_nm is not None:
        known = len(raw.wavelengths_nm)
    # A picture is read as rows, columns, bands, a panchromatic image has got its band axis just now: nothing to infer.
    layout = "hwc" if raw.values.ndim == 2 or raw.is_picture else settings.layout
    cube = to_hwc(values, layout, where, wavelengths=known)
    source = file.name + (f":{raw.key}" if raw.key else "")
    read_as = "rows, columns, bands" if cube is values else "bands, rows, columns"
    notes: tuple[str, ...] = ()
    if layout == "auto":
        notes = (f"{where} {values.shape}: read as {read_as} (data.layout: auto)",)
    if key and not raw.key:
        notes += (f"{file.name}: {option}={key} has no meaning, there is one array in the file and it has no name",)
    if not spectral or settings.wavelengths_nm is not None:
        return _Raw(cube, None, source, notes)
    wavelengths, converted = in_nm(raw.wavelengths_nm, "", where)
    return _Raw(cube, wavelengths, source, notes + converted)


def _read_envi(file: Path) -> _Raw:
    """An ENVI image, rows x columns x bands by its own header; wavelengths from the header, in nm."""
    import spectral.io.envi as envi

    image = guarded(file, "ENVI image", lambda: envi.open(str(file)))
    values = guarded(file, "ENVI image", lambda: np.array(image.open_memmap(interleave="bip")))
    centres = image.bands.centers
    listed = np.asarray(centres, np.float64) if centres else None
    wavelengths, notes = in_nm(listed, str(image.bands.band_unit or ""), file.name)
    return _Raw(values, wavelengths, file.name, notes)


def _crop(cube: np.ndarray, crop: Optional[list[int]], where: str) -> tuple[np.ndarray, Optional[str]]:
    if crop is None:
        return cube, None
    top, left, height, width = crop
    rows, cols = cube.shape[:2]
    if top + height > rows or left + width > cols:
        expected = f"[top, left, height, width] within {rows}x{cols}"
        raise DataError("data.crop", where=where, expected=expected, got=crop)
    note = f"cropped to rows {top}...{top + height - 1}, columns {left}...{left + width - 1} of {rows}x{cols}"
    return cube[top : top + height, left : left + width], note


def _normalise(cube: np.ndarray, settings: DataConfig, where: str) -> tuple[np.ndarray, float]:
    """Checks and divides: (H, W, C) float32 in one block of memory, and the divisor."""
    check_cube(cube, where)
    divisor = divisor_of(cube, settings.normalise, where)
    return np.ascontiguousarray(cube.astype(np.float64) / divisor, dtype=np.float32), divisor


def _is_scene(item: Path) -> bool:
    return find_cave_folder(item) is not None if item.is_dir() else item.suffix.lower() in SCENE_SUFFIXES


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sort key: numbers by value, all else as lower-case text."""
    parts = re.split(r"(\d+)", name.lower())
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts if part]


def _pair_name(settings: DataConfig) -> str:
    return Path(str(settings.lr_hsi)).stem
