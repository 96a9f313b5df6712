"""Folders of scenes that arrive packed, in a subfolder, or half unpacked, as AI Studio mounts its data sets."""

from __future__ import annotations

import os
import shutil
import zipfile
import zlib
from pathlib import Path
from typing import Optional

from paddle_umsft.errors import DataError

SCENE_SUFFIX = ".mat"
# What packing on a Mac adds, and what is being unpacked.
HIDDEN = (".", "__")
PART = ".part"
GIGA = 1e9


def find_scenes(folder: Path, spare: Path) -> Optional[Path]:
    """Return the folder that holds the scenes (.mat) of a data set, archives unpacked.

    An archive counts as unpacked when every file of it is there in its full size; what is missing or cut short is
    unpacked. Each file gets its name when it is whole, so that a broken off call is gone on with by the next.

    Args:
        folder: The data set.
        spare: Where archives are unpacked if `folder` may not be written to.

    Returns:
        Of `folder`, `spare` and all below, the one with most scenes; None where there are none.

    Raises:
        DataError: An archive is damaged, or there is no room for what is in it.
    """
    if not folder.is_dir():
        return None
    for archive in sorted(folder.rglob("*.zip")):
        unpack(archive, spare)
    counts: dict[Path, int] = {}
    for root in (folder, spare):
        for file in root.rglob(f"*{SCENE_SUFFIX}"):
            if not _is_hidden(file.relative_to(root)):
                counts[file.parent] = counts.get(file.parent, 0) + 1
    if not counts:
        return None
    return max(sorted(counts), key=lambda found: counts[found])


def unpack(archive: Path, spare: Path) -> Path:
    """Unpack what is missing of an archive, where some of it lies already, or else into a folder of its name.

    Args:
        archive: A .zip.
        spare: Where its folder is made if the archive's own may not be written to.

    Returns:
        The folder that its files are in.

    Raises:
        DataError: It is damaged, or there is no room.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            members = [member for member in packed.infolist() if not member.is_dir()]
            members = [member for member in members if not _is_hidden(Path(member.filename))]
            target = _target(archive, spare, members)
            missing = [member for member in members if not _is_whole(target, member)]
            _check_room(missing, target)
            for member in missing:
                _unpack_one(packed, member, target)
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise DataError(
            "cannot be unpacked",
            where=archive,
            got=error,
            hint="upload it again, or free some space",
        ) from error
    return target


def _target(archive: Path, spare: Path, members: list[zipfile.ZipInfo]) -> Path:
    """Return the folder that an archive's files are in, or shall be."""
    beside = archive.parent
    folders = [beside / archive.stem, beside, spare / archive.stem]
    for folder in folders:
        has_some = any((folder / member.filename).is_file() for member in members)
        has_all = all(_is_whole(folder, member) for member in members)
        # Half of it in a folder that cannot be written to is made whole elsewhere.
        if has_all or (has_some and os.access(folder, os.W_OK)):
            return folder
    if os.access(beside, os.W_OK):
        return folders[0]
    return folders[-1]


def _check_room(members: list[zipfile.ZipInfo], target: Path) -> None:
    """Check that what an archive says it holds fits on the disk, before any of it is unpacked.

    Raises:
        OSError: It does not.
    """
    wanted = sum(member.file_size for member in members)
    nearest = target
    while not nearest.is_dir():
        nearest = nearest.parent
    free = shutil.disk_usage(nearest).free
    if wanted > free:
        raise OSError(f"{wanted / GIGA:.3g} GB in it, {free / GIGA:.3g} GB free")


def _is_whole(folder: Path, member: zipfile.ZipInfo) -> bool:
    """Return whether a file of an archive lies in a folder in its full size."""
    file = folder / member.filename
    return file.is_file() and file.stat().st_size == member.file_size


def _unpack_one(packed: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    """Unpack one file; until it is whole it has another name."""
    # `extract` keeps within its folder whatever the names in the archive are.
    scratch = target / PART
    if scratch.is_symlink():
        scratch.unlink()
    unpacked = Path(packed.extract(member, scratch))
    final = target / unpacked.relative_to(scratch)
    final.parent.mkdir(parents=True, exist_ok=True)
    # A link among the folders that lay there already would lead it elsewhere.
    if target.resolve() not in (final.parent.resolve(), *final.parent.resolve().parents):
        raise OSError(f"{final.parent} is a link that leads out of the folder")
    os.replace(unpacked, final)
    shutil.rmtree(scratch)


def _is_hidden(path: Path) -> bool:
    """Return whether a part of a path is none of the data's."""
    return any(part.startswith(HIDDEN) for part in path.parts)
