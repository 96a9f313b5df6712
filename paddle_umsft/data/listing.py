"""Which scenes a path stands for: one file, one folder of bands, a folder of many, a built-in scene, a given pair."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from paddle_umsft.config.data import BUILT_IN, DEMO_PATH, DataConfig
from paddle_umsft.data.natural import natural
from paddle_umsft.data.pairing import pairs_in
from paddle_umsft.data.readers.base import path_of, require_file
from paddle_umsft.data.readers.envi_header import describes_array
from paddle_umsft.data.readers.many import PATTERN_LETTERS, require_image
from paddle_umsft.data.readers.table import folder_format, folder_labels, product_format, scene_suffixes
from paddle_umsft.errors import ConfigError, DataError

# Control characters, slashes of either kind, and halves of characters.
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f/\\\u2028\u2029\ud800-\udfff]")
SUBSTITUTE = "_"
FORMULA_SIGNS = ("=", "+", "-", "@")
# What a run calls its own folders and files.
_OURS = re.compile(r"iter_\d+(\.\w+)?|vdl|log|.+\.(?:yml|json|csv|html|txt)", re.IGNORECASE)
UNNAMED = "scene"
# Names of folders may have 255 bytes; a number may come behind.
LONGEST_NAME = 240


@dataclass(frozen=True)
class SceneEntry:
    """One scene of a folder (or the only one).

    Attributes:
        name: Short name, unique within the list; also the name of the run's folder.
        settings: Section `data` with the path of this one scene.
    """

    name: str
    settings: DataConfig


def list_scenes(settings: DataConfig) -> list[SceneEntry]:
    """List the scenes that `data.path` stands for, in natural order (2 before 10), not yet read.

    A folder's scenes are its files of a known kind (.mat, .npy, .npz, .hdr, .tif) and its CAVE folders. Files
    starting with a dot are passed over. Where two scenes would have the same name, the suffix is kept.

    Args:
        settings: Section `data`.

    Returns:
        One entry per scene; a single one for a file, a CAVE folder, a built-in scene or a given pair; one per pair
        where `data.lr_hsi` and `data.hr_msi` are folders (or one and the same folder).

    Raises:
        ConfigError: Neither a path nor a pair is given.
        DataError: No such file or folder, or a folder without scenes.
    """
    if settings.is_pair and path_of(str(settings.lr_hsi)).is_dir():
        folders = _pairs(settings)
        if folders:
            return folders
    if settings.is_pair:
        require_image(settings.lr_hsi)
        require_image(settings.hr_msi)
        return [SceneEntry(name=pair_name(settings), settings=settings)]
    if not settings.path:
        raise ConfigError(
            "no scene given",
            where="data.path",
            expected="a file or folder",
            hint=f"-o data.path=FILE_OR_FOLDER, or {DEMO_PATH}",
        )
    if "://" in settings.path:
        return [_built_in(settings, settings.path)]
    path = path_of(settings.path)
    if not path.is_dir():
        require_file(path)
        return [SceneEntry(name=clean_name(path.stem), settings=settings)]
    name = _folder_name(path)
    if name is not None:
        return [SceneEntry(name=clean_name(name), settings=settings)]
    return _in_folder(settings, path)


def _pairs(settings: DataConfig) -> list[SceneEntry]:
    """Return the pairs of two folders, or of one; none where the folders are images as a whole."""
    hsi = path_of(str(settings.lr_hsi))
    msi = path_of(str(settings.hr_msi))
    if not msi.is_dir() or _folder_name(hsi) is not None or _folder_name(msi) is not None:
        return []
    entries: list[SceneEntry] = []
    taken: set[str] = set()
    for found in pairs_in(hsi, msi):
        only = settings.model_copy(update={"lr_hsi": str(found.hsi), "hr_msi": str(found.msi)})
        entries.append(SceneEntry(name=_free_name(clean_name(found.name), taken), settings=only))
    return entries


def pair_name(settings: DataConfig) -> str:
    """Return the short name of a given pair: its LR-HSI's file name without the suffix."""
    first = settings.lr_hsi
    if isinstance(first, list):
        first = first[0]
    path = Path(str(first))
    # A pattern is no name: the folder of the bands has one.
    if any(letter in path.name for letter in PATTERN_LETTERS) and not path.exists():
        return clean_name(path.resolve().parent.name)
    return clean_name(path.stem)


def clean_name(name: str) -> str:
    """Return a name that is good for a folder, a cell of a table and a line of a log; ordinary ones stay.

    Args:
        name: As files are called, which may be anything.
    """
    # Of bytes that are no UTF-8 Python makes surrogates, which cannot be printed; the rest leads out of a line or path.
    name = _UNFIT.sub(SUBSTITUTE, name).strip(" .")
    # A spreadsheet computes what begins so, and a run has files and folders of its own.
    if name.startswith(FORMULA_SIGNS) or _OURS.fullmatch(name):
        name = SUBSTITUTE + name
    short = name.encode("utf-8")[:LONGEST_NAME]
    return short.decode("utf-8", "ignore") or UNNAMED


def _built_in(settings: DataConfig, path: str) -> SceneEntry:
    """Return the entry of a scene that the package has itself."""
    if path not in BUILT_IN:
        raise ConfigError(
            "unknown scene",
            where="data.path",
            expected=" or ".join(BUILT_IN),
            got=path,
        )
    name = path.split("://")[1]
    return SceneEntry(name=name, settings=settings)


def _in_folder(settings: DataConfig, folder: Path) -> list[SceneEntry]:
    """Return the scenes of a folder of many."""
    found = _scenes_in(folder)
    if not found:
        below = [item for item in sorted(folder.rglob("*")) if item.is_dir() and _scenes_in(item)]
        # A data set that was unpacked into a folder of its own.
        if len(below) == 1:
            return _in_folder(settings, below[0])
        raise _no_scene(folder, below)
    shorts = [short for _, short in found]
    entries = []
    taken: set[str] = set()
    for item, short in found:
        name = short
        # Two files that differ in nothing but the suffix: results of the one must not overwrite those of the other.
        if shorts.count(short) > 1:
            name = clean_name(item.name)
        name = _free_name(name, taken)
        only = settings.model_copy(update={"path": str(item)})
        entries.append(SceneEntry(name=name, settings=only))
    return entries


def _scenes_in(folder: Path) -> list[tuple[Path, str]]:
    """Return (path, short name) of everything in a folder that is a scene."""
    found = []
    for item in sorted(folder.iterdir(), key=lambda item: natural(item.name)):
        # What systems and archives hide is none, "__MACOSX" for instance.
        if item.name.startswith((".", "__")):
            continue
        short = _short_name(item)
        if short is not None:
            found.append((item, clean_name(short)))
    return found


def _no_scene(folder: Path, below: list[Path]) -> DataError:
    """Return the error for a folder without scenes, with what is in it instead.

    Args:
        folder: The folder.
        below: Its subfolders that have some.
    """
    packed = [item.name for item in sorted(folder.rglob("*.zip"))]
    hint = None
    got = "none of these"
    if below:
        got = "subfolders with scenes: " + ", ".join(str(item.relative_to(folder)) for item in below)
        hint = "name one of them"
    elif packed:
        got = f"packed: {', '.join(packed)}"
        hint = "unpack it first; on AI Studio, python tools/aistudio.py does"
    elif not any(folder.iterdir()):
        got = "an empty folder"
    return DataError(
        "no scene in the folder",
        where=folder,
        expected=f"{', '.join(folder_labels())} or files of kind {', '.join(scene_suffixes())}",
        got=got,
        hint=hint,
    )


def _free_name(name: str, taken: set[str]) -> str:
    """Return a name that is not taken yet, itself or with the next number behind it, and take it."""
    free = name
    number = 1
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    taken.add(free)
    return free


def _short_name(item: Path) -> Optional[str]:
    """Return a scene's short name; None for what is no scene."""
    if not item.is_dir():
        if item.suffix.lower() in scene_suffixes() and not describes_array(item):
            return item.stem
        return None
    return _folder_name(item)


def _folder_name(folder: Path) -> Optional[str]:
    """Return the short name of a folder that is a scene as a whole; None for any other."""
    whole = folder_format(folder)
    if whole is not None:
        return whole.name_of(folder)
    if product_format(folder) is not None:
        return folder.resolve().name
    return None
