"""Reading a configuration: a file, overrides on top of it, and a check of every key and value."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Optional, Union

from pydantic import BaseModel, ValidationError

from paddle_umsft.config.files import find_config, read_yaml
from paddle_umsft.config.overrides import joined, override_value, set_value, split_override
from paddle_umsft.config.run import Config, config_class
from paddle_umsft.errors import ConfigError

# Likeness from which on a key is worth suggesting.
SIMILAR_KEY = 0.5
# Length up to which a message shows a wrong value.
SHOWN_VALUE = 80
# How a list begins in YAML.
LIST_BEGINS = "["
# Names of methods, and of their sections, that earlier versions had.
RENAMED = {"hybrid": "ensemble"}


def load_config(
    path: Optional[Union[str, Path]] = None,
    overrides: Optional[Iterable[str]] = (),
) -> Config:
    """Read a configuration.

    Args:
        path: A file, or a bare name (`cave.yml`, `cave`) looked up in configs/; None: the defaults.
        overrides: `key.sub=value`, the value parsed as YAML. Overrides cannot make new keys.

    Raises:
        ConfigError: If anything is unknown, of the wrong type or out of range.

    Example:
        >>> load_config(overrides=["solver.iterations=20"]).solver.iterations
        20
    """
    content: dict[str, Any] = {}
    where = "configuration"
    name = None
    # A file's name tells more than the word, for messages and for the run.
    if path is not None:
        found = find_config(path)
        content = read_yaml(found)
        where = found.name
        name = found.stem
    for override in joined(listed_overrides(overrides)):
        _apply_override(content, override)
    config = make_config(content, where=where)
    # A run is called after its configuration where nothing else is said.
    if config.output.name is None and name is not None:
        config.output.name = name
    return config


def listed_overrides(overrides: Any) -> list[str]:
    """Return overrides as a list, whatever the caller handed over; None is none.

    Raises:
        ConfigError: It is no list of text.
    """
    if overrides is None:
        return []
    # A text is a list of letters to Python.
    if isinstance(overrides, Iterable) and not isinstance(overrides, (str, bytes)):
        listed = list(overrides)
        if all(isinstance(override, str) for override in listed):
            return listed
    got = repr(overrides)[:SHOWN_VALUE]
    raise ConfigError("no list of overrides", where="overrides", expected='["key.sub=value", ...]', got=got)


def make_config(content: Mapping[str, Any], where: str = "configuration") -> Config:
    """Check a nested mapping and make a `Config` of it.

    Raises:
        ConfigError: On the first unknown key, wrong type or value out of range.
    """
    for section in content:
        _check_renamed(section, where)
    method = content.get("method")
    if isinstance(method, str):
        _check_renamed(method, f"{where}: method")
    try:
        return config_class().model_validate(dict(content))
    except ValidationError as error:
        # One line, one fault: the first.
        first = error.errors()[0]
        parts = [str(part) for part in first["loc"]]
        if first["type"] == "extra_forbidden":
            owner = _model_at(parts[:-1])
            raise _unknown_key(parts, owner, where) from None
        got = repr(first["input"])
        if len(got) > SHOWN_VALUE:
            got = got[: SHOWN_VALUE - 3] + "..."
        key = ".".join(parts)
        message = first["msg"].removeprefix("Value error, ")
        raise ConfigError(
            f"{key}: {message}",
            where=where,
            got=got,
        ) from None


def _apply_override(content: dict[str, Any], override: str) -> None:
    """Put one override into the content; its key has to be known."""
    # The key first: what its value may look like depends on it.
    parts, text = split_override(override)
    annotation = _known_key(parts, override)
    is_text = annotation in (str, Optional[str])
    # A file, or a list of them: only what opens a bracket is a list.
    if annotation == Optional[Union[str, list[str]]]:
        is_text = not text.strip().startswith(LIST_BEGINS)
    value = override_value(
        ".".join(parts),
        text,
        is_text=is_text,
    )
    set_value(content, parts, value)


def _check_renamed(name: Any, where: str) -> None:
    """Refuse a name of an earlier version, and say what it is now.

    Raises:
        ConfigError: It is one.
    """
    now = RENAMED.get(str(name))
    if now is not None:
        raise ConfigError(
            f"{name} is called {now} now",
            where=where,
            hint=f"write {now} instead of {name}",
        )


def _section_of(annotation: Any) -> Optional[type[BaseModel]]:
    """Return the section that a key stands for, or None for a plain value."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None


def _model_at(parts: list[str]) -> Optional[type[BaseModel]]:
    """Return the section that a key leads to, or None where there is none."""
    model: Optional[type[BaseModel]] = config_class()
    for part in parts:
        if model is None or part not in model.model_fields:
            return None
        model = _section_of(model.model_fields[part].annotation)
    return model


def _known_key(parts: list[str], where: str) -> Any:
    """Return the annotation of a key, which has to exist."""
    _check_renamed(parts[0], where)
    # From the outside in, so that the message names the first part that is wrong.
    annotation: Any = None
    for depth, part in enumerate(parts):
        model = _model_at(parts[:depth])
        if model is None or part not in model.model_fields:
            raise _unknown_key(parts[: depth + 1], model, where)
        annotation = model.model_fields[part].annotation
    return annotation


def _unknown_key(
    parts: list[str],
    model: Optional[type[BaseModel]],
    where: str,
) -> ConfigError:
    """Return the error for a key that does not exist, with the nearest one that does."""
    key = ".".join(parts)
    known: list[str] = []
    if model is not None:
        known = list(model.model_fields)
    # A misspelt key of this section is likelier than a key of another section.
    near = _nearest(parts[-1], known)
    far = _nearest(key, sorted(_all_keys(config_class())))
    listed = ", ".join(known) or "none"
    hint = f"known here: {listed}"
    if near is not None:
        best = ".".join([*parts[:-1], near])
        hint = f"did you mean {best}?"
    elif far is not None:
        hint = f"did you mean {far}?"
    return ConfigError(f"unknown key {key}", where=where, hint=hint)


def _nearest(name: str, known: list[str]) -> Optional[str]:
    """Return the known name that is most like another one; None where none is like it."""
    found = difflib.get_close_matches(
        name,
        known,
        n=1,
        cutoff=SIMILAR_KEY,
    )
    if not found:
        return None
    return found[0]


def _all_keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield every key there is, sections included."""
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        yield key
        section = _section_of(field.annotation)
        if section is not None:
            yield from _all_keys(section, f"{key}.")
