"""The data that a run was begun with: sizes and sums of a scene's files, kept beside its results.

A scene whose file was replaced must not go on with what was learned from the other one. The same data under another
path are the same: paths are not compared, only what lies there.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Optional

from paddle_umsft.config.run import Config
from paddle_umsft.data.listing import SceneEntry
from paddle_umsft.data.readers.envi_header import DATA_SUFFIXES, HEADER_SUFFIX, find_data, find_header
from paddle_umsft.errors import DataError
from paddle_umsft.machine.files import write_json
from paddle_umsft.machine.plain_files import digest_of_stream, read_json
from paddle_umsft.runs.folder import OUTPUT_HINT

INPUT = "input.json"
# What systems leave behind in folders of pictures.
STRAY = ("thumbs.db", "desktop.ini")

# File -> what is kept of it, in the order in which the scene's files are found.
Facts = list[dict[str, Any]]


def input_facts(entry: SceneEntry, config: Config, trusted: Optional[Facts] = None) -> Facts:
    """Return what is kept of the files that a scene is read from.

    Args:
        entry: The scene.
        config: All settings; a PSF or an SRF from a file is input as well.
        trusted: Facts from before: a file of the same size and time is taken for the same, and not read once more.

    Raises:
        DataError: A file cannot be read.
    """
    facts: Facts = []
    for key, path in _files(entry, config):
        try:
            facts.append(_facts_of(key, path, trusted or []))
        except OSError as error:
            raise DataError("cannot be read", where=path, got=error) from None
    return facts


def _facts_of(key: str, path: Path, trusted: Facts) -> dict[str, Any]:
    now = path.stat()
    known = {
        "key": key,
        "name": path.name,
        "bytes": now.st_size,
        "modified_ns": now.st_mtime_ns,
    }
    for fact in trusted:
        # All that can be known without reading is as it was.
        if known.items() <= fact.items():
            return fact
    # The data may well be a link; whether it is a pipe was asked before.
    with path.open("rb") as file:
        return {**known, "sha256": digest_of_stream(file)}


def _files(entry: SceneEntry, config: Config) -> Iterator[tuple[str, Path]]:
    """Yield (setting, file) of everything that a scene is made from."""
    settings = entry.settings
    keys = ["path"]
    if settings.is_pair:
        keys = ["lr_hsi", "hr_msi"]
    for key in (*keys, "mask_hsi", "mask_msi"):
        for path in _named_files(getattr(settings, key)):
            yield f"data.{key}", path
    observe = config.observe
    cameras = {
        "observe.psf.path": observe.psf.path,
        "observe.srf": observe.srf,
    }
    for key, text in cameras.items():
        if text is None:
            continue
        file = Path(text).expanduser()
        # An SRF may also be a name such as nikon_d700.
        if file.is_file():
            yield key, file


def _named_files(named: Any) -> Iterator[Path]:
    """Yield the files that a setting stands for: one name, a list of them, or a pattern."""
    if isinstance(named, list):
        for name in named:
            yield from _named_files(name)
        return
    # A scene that the package makes itself has no file.
    if named is None or "://" in named:
        return
    path = Path(named).expanduser()
    found = [str(path)]
    if not path.exists():
        found = sorted(glob.glob(str(path)))
    for name in found:
        yield from _files_at(Path(name))


def _files_at(path: Path) -> list[Path]:
    """Return the plain files that a path stands for: itself and what belongs to it, or all that lies in a folder."""
    if path.is_dir():
        inside = sorted(path.rglob("*"))
        return [item for item in inside if item.is_file() and not _is_stray(item)]
    # Nothing, or a pipe: said by who reads it.
    if not path.is_file():
        return []
    return [path, *_other_half(path)]


def _other_half(path: Path) -> list[Path]:
    """Return what belongs to an ENVI file: the numbers of a header, the header of numbers; else nothing."""
    suffix = path.suffix.lower()
    if suffix == HEADER_SUFFIX:
        # What is wrong with a header without numbers, its reader says.
        with suppress(DataError):
            return [find_data(path)]
    if suffix in DATA_SUFFIXES:
        header = find_header(path)
        if header is not None:
            return [header]
    return []


def _is_stray(path: Path) -> bool:
    """Whether a file of a folder has nothing to do with the scene."""
    name = path.name.lower()
    return name.startswith(".") or name in STRAY


def kept_input(folder: Path) -> Optional[Facts]:
    """Return what a scene's folder keeps of its input; None where it keeps nothing (built in, or an old run)."""
    try:
        files = read_json(folder / INPUT).get("files")
    except (OSError, ValueError):
        return None
    if not isinstance(files, list) or not all(isinstance(fact, dict) for fact in files):
        return None
    return files


def check_same_input(folder: Path, kept: Facts, found: Facts) -> None:
    """Check that a scene's data are those that its folder was begun with.

    Raises:
        DataError: They are not.
    """
    if _essence(kept) == _essence(found):
        return
    changed = "other files"
    for before, now in zip(kept, found):
        if _essence([before]) != _essence([now]):
            then = before.get("bytes")
            changed = f"{now['name']}, then {then} bytes, now {now['bytes']}"
            break
    raise DataError(
        "the data have changed since this scene was begun",
        where=folder,
        got=changed,
        hint="put the data back, or fuse them in a new run",
    )


def _essence(facts: Facts) -> list[tuple[Any, ...]]:
    """Return what makes files the same: their part, size and content."""
    counting = ("key", "bytes", "sha256")
    return [tuple(map(fact.get, counting)) for fact in facts]


def keep_input(folder: Path, facts: Facts) -> None:
    """Write input.json.

    Raises:
        DataError: It cannot be written.
    """
    if facts:
        write_json(folder / INPUT, {"files": facts}, hint=OUTPUT_HINT)
