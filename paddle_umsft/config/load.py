"""The configuration: typed, closed, read from YAML with `_base_` inheritance and command line overrides."""

from __future__ import annotations

import contextlib
import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Optional, Union

import yaml
from pydantic import BaseModel, ValidationError

from paddle_umsft.config.run import Config
from paddle_umsft.errors import ConfigError


def config_folders() -> list[Path]:
    """Where a bare configuration name is looked up: here, ./configs, and the configs that came with the package."""
    package = Path(__file__).resolve().parent.parent
    return [Path("."), Path("configs"), package.parent / "configs", package / "configs"]


def find_config(name: Union[str, Path]) -> Path:
    """Find a configuration file by path or bare name.

    Raises:
        ConfigError: If it is nowhere; the nearest known name is suggested.
    """
    path = Path(name)
    if not path.name:
        raise ConfigError("no such configuration", where="-c", expected="a file or a bare name", got=repr(str(name)))
    candidates = [path] if path.is_absolute() or len(path.parts) > 1 else [folder / path for folder in config_folders()]
    for candidate in [*candidates, *(c.with_name(c.name + ".yml") for c in candidates)]:
        if os.path.isfile(candidate):  # unlike Path.is_file, says no to a name that is too long as well
            return candidate
    known = sorted({p.name for folder in config_folders()[1:] for p in folder.glob("*.yml")})
    near = difflib.get_close_matches(path.name, known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
    raise ConfigError("no such configuration", where=str(name), hint=hint)


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, Mapping) else value
    return merged


def _read_yaml(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    path = path.resolve()
    if path in seen:
        raise ConfigError("_base_ leads back to itself", where=path.name)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError("cannot be read as YAML", where=path.name, got=str(error)) from None
    if content is None:
        content = {}
    if not isinstance(content, dict):
        got = type(content).__name__
        raise ConfigError("not a configuration", where=path.name, expected="keys and values", got=got)
    bases = content.pop("_base_", [])
    merged: dict[str, Any] = {}
    listed = bases if isinstance(bases, list) else [bases]
    wrong = [base for base in listed if not isinstance(base, str)]
    if wrong:
        raise ConfigError("_base_", where=path.name, expected="a file's name or a list of them", got=repr(wrong[0]))
    for base in listed:
        base_path = path.parent / base
        if not os.path.isfile(base_path):
            raise ConfigError("its _base_ does not exist", where=path.name, got=base)
        merged = _merge(merged, _read_yaml(base_path, (*seen, path)))
    return _merge(merged, content)


def _apply_override(content: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise ConfigError("not an override", where="-o", expected="key.sub=value", got=repr(override))
    annotation = _known_key(parts, override)
    value = _override_value(key, text, is_text=annotation in (str, Optional[str]))
    node = content
    for part in parts[:-1]:
        child = node.get(part)
        node[part] = dict(child) if isinstance(child, dict) else {}
        node = node[part]
    node[parts[-1]] = value


def _override_value(key: str, text: str, *, is_text: bool) -> Any:
    """The value of `key=text`: YAML; for a key whose value is text (a path, a name) the text as it stands.

    Paths may hold " #", which begins a comment in YAML, and names may be digits. Quotes and null keep their meaning.
    """
    if is_text and text.strip() not in ("", "~", "null", "Null", "NULL") and text.strip()[0] not in "'\"":
        return text.strip()
    try:
        node = yaml.compose(text, yaml.SafeLoader)
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError("value is not YAML", where=f"-o {key}", got=repr(text)) from None
    rest = text[node.end_mark.index if node is not None else 0 :].strip()
    if rest:
        hint = "quote a # that is meant"
        raise ConfigError("a comment in the value", where=f"-o {key}", got=repr(rest), hint=hint)
    # YAML 1.1 reads 1e-3 as text; the number is meant.
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = float(value) if "e" in value.lower() else value
    return value


def _section_of(annotation: Any) -> Optional[type[BaseModel]]:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _known_key(parts: list[str], where: str) -> Any:
    """The annotation of a key, which has to exist."""
    model: Optional[type[BaseModel]] = Config
    annotation: Any = None
    for depth, part in enumerate(parts):
        if model is None or part not in model.model_fields:
            raise _unknown_key(parts[: depth + 1], model, where)
        annotation = model.model_fields[part].annotation
        model = _section_of(annotation)
    return annotation


def _unknown_key(parts: list[str], model: Optional[type[BaseModel]], where: str) -> ConfigError:
    known = list(model.model_fields) if model is not None else []
    near = difflib.get_close_matches(parts[-1], known, n=1, cutoff=0.5)
    everywhere = {name for section in _all_sections(Config) for name in section}
    far = difflib.get_close_matches(".".join(parts), sorted(everywhere), n=1, cutoff=0.5)
    best = ".".join([*parts[:-1], near[0]]) if near else (far[0] if far else None)
    hint = f"did you mean {best}?" if best else f"known here: {', '.join(known) or 'none'}"
    return ConfigError(f"unknown key {'.'.join(parts)}", where=where, hint=hint)


def _all_sections(model: type[BaseModel], prefix: str = "") -> Iterable[list[str]]:
    yield [prefix + name for name in model.model_fields]
    for name, field in model.model_fields.items():
        section = _section_of(field.annotation)
        if section is not None:
            yield from _all_sections(section, f"{prefix}{name}.")


def make_config(content: Mapping[str, Any], where: str = "configuration") -> Config:
    """Check a nested mapping and make a `Config` of it.

    Raises:
        ConfigError: On the first unknown key, wrong type or value out of range.
    """
    try:
        return Config.model_validate(dict(content))
    except ValidationError as error:
        first = error.errors()[0]
        parts = [str(part) for part in first["loc"]]
        if first["type"] == "extra_forbidden":
            model: Optional[type[BaseModel]] = Config
            for part in parts[:-1]:
                model = _section_of(model.model_fields[part].annotation) if model else None
            raise _unknown_key(parts, model, where) from None
        got = repr(first["input"])
        got = got if len(got) <= 80 else got[:77] + "..."
        message = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{'.'.join(parts)}: {message}", where=where, got=got) from None


def load_config(path: Optional[Union[str, Path]] = None, overrides: Iterable[str] = ()) -> Config:
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
    found = find_config(path) if path is not None else None
    content = _read_yaml(found) if found is not None else {}
    overrides = list(overrides)
    for override in overrides:
        _apply_override(content, override)
    config = make_config(content, where=found.name if found is not None else "configuration")
    if config.output.name is None and found is not None:
        config.output.name = found.stem
    return config
