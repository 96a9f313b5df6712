"""Configuration files: where a name is looked up, and YAML with `_base_` inheritance."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union

from paddle_umsft.config.yaml_text import parse_yaml
from paddle_umsft.errors import ConfigError

SUFFIX = ".yml"
BASE_KEY = "_base_"
# Likeness from which on a name is worth suggesting; below, all known ones are listed.
SIMILAR_NAME = 0.4


def config_folders() -> list[Path]:
    """Return where a bare name is looked up: here, ./configs, and the configs that came with the package."""
    return [Path("."), Path("configs"), *shipped_folders()]


def shipped_folders() -> list[Path]:
    """Return where the presets may lie: in a checkout beside the package, in a wheel inside it."""
    package = Path(__file__).resolve().parent.parent
    return [package.parent / "configs", package / "configs"]


def shipped_names() -> list[str]:
    """Return the names of the presets, with their endings."""
    names: set[str] = set()
    for folder in shipped_folders():
        names.update(found.name for found in folder.glob(f"*{SUFFIX}"))
    return sorted(names)


def find_config(name: Union[str, Path]) -> Path:
    """Find a configuration file by path or bare name.

    Raises:
        ConfigError: If it is nowhere; the nearest known name is suggested.
    """
    path = Path(name)
    if not path.name:
        raise ConfigError(
            "no such configuration",
            where="-c",
            expected="a file or a bare name",
            got=repr(str(name)),
        )
    is_bare = not path.is_absolute() and len(path.parts) == 1
    candidates = [path]
    if is_bare:
        candidates = [folder / path for folder in config_folders()]
    with_suffix = [candidate.with_name(candidate.name + SUFFIX) for candidate in candidates]
    for candidate in candidates + with_suffix:
        # Unlike Path.is_file, says no to a name that is too long as well.
        if os.path.isfile(candidate):
            return candidate
    # What lies here, in the working folder, need not be a configuration.
    known: set[str] = set()
    for folder in config_folders()[1:]:
        known.update(found.name for found in folder.glob(f"*{SUFFIX}"))
    listed = sorted(known)
    near = difflib.get_close_matches(
        path.name,
        listed,
        n=1,
        cutoff=SIMILAR_NAME,
    )
    hint = f"known: {', '.join(listed)}"
    if near:
        hint = f"did you mean {near[0]}?"
    raise ConfigError(
        "no such configuration",
        where=str(name),
        hint=hint,
    )


def read_yaml(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Read a configuration file merged over its bases.

    Args:
        path: The file.
        seen: The files whose bases led here, resolved.

    Returns:
        Nested mappings, not yet checked.

    Raises:
        ConfigError: Not readable, no mapping, a base that is no name or does not exist, or bases in a circle.
    """
    path = path.resolve()
    if path in seen:
        raise ConfigError(f"{BASE_KEY} leads back to itself", where=path.name)
    content = _read_mapping(path)
    bases = content.pop(BASE_KEY, [])
    if not isinstance(bases, list):
        bases = [bases]
    merged: dict[str, Any] = {}
    # Later bases go before earlier ones, and the file itself before all of them.
    for base in bases:
        base_path = _base_path(path, base)
        below = read_yaml(base_path, (*seen, path))
        merged = merge(merged, below)
    return merge(merged, content)


def _read_mapping(path: Path) -> dict[str, Any]:
    """Read one file, bases unread."""
    try:
        text = path.read_text(encoding="utf-8")
        content, _ = parse_yaml(text)
    except (OSError, ValueError) as error:
        raise ConfigError("cannot be read as YAML", where=path.name, got=str(error)) from None
    # An empty file says nothing against the defaults.
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(
            "not a configuration",
            where=path.name,
            expected="keys and values",
            got=type(content).__name__,
        )
    return content


def _base_path(path: Path, base: Any) -> Path:
    """Return the file that a base names: beside the one that names it, or a preset of the package."""
    if not isinstance(base, str):
        raise ConfigError(
            BASE_KEY,
            where=path.name,
            expected="a file's name or a list of them",
            got=repr(base),
        )
    beside = path.parent / base
    if os.path.isfile(beside):
        return beside
    # A preset can be built upon from anywhere, and is not beside whoever does it.
    if len(Path(base).parts) == 1:
        for folder in shipped_folders():
            shipped = folder / base
            if os.path.isfile(shipped) and shipped.resolve() != path:
                return shipped
    presets = ", ".join(shipped_names())
    raise ConfigError(
        f"its {BASE_KEY} does not exist",
        where=path.name,
        expected=f"a file beside it, or one of {presets}",
        got=base,
    )


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two nested mappings key by key; where both say something, `over` holds."""
    # Lists are replaced whole: half of a list of another file has no meaning.
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, Mapping):
            merged[key] = merge(old, value)
        else:
            merged[key] = value
    return merged
