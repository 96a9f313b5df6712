"""The reference of all configuration keys, made of the sections themselves: types, bounds, defaults, what they mean."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Optional, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from paddle_umsft.config.run import Config

# How a line of a docstring's "Attributes:" begins, and how deep such lines stand.
ATTRIBUTE = re.compile(r"^    (\w+): (.*)$")
HEADING = "Attributes:"
# Bounds that pydantic keeps, and their signs.
BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
PLAIN_TYPES = {str: "text", int: "whole number", float: "number", bool: "true or false"}
COMMAND = "python tools/make_reference.py"
CHINESE = "[中文](configuration_CN.md)"
INTRODUCTION = (
    "Any key can be set on top of a configuration: `-o solver.iterations=300 data.crop=[0,0,64,64]`, values being YAML",
    "(`umsft fuse` calls it `--set`). Unknown keys are refused, and the nearest known one is named. A configuration",
    "builds upon another, one beside it or a preset, by `_base_: fast.yml`. A run keeps all keys in its `config.yml`.",
)


@dataclass(frozen=True)
class Key:
    """One key.

    Attributes:
        name: As `-o` takes it: "solver.iterations".
        kind: Type and bounds, in words.
        default: As YAML has it.
        meaning: What the section's docstring says of it.
    """

    name: str
    kind: str
    default: str
    meaning: str


def reference_page() -> str:
    """Return the page in Markdown: a table for each section."""
    parts = [
        "# Configuration keys",
        "",
        CHINESE,
        "",
        f"Made by `{COMMAND}` of the sections in `paddle_umsft/config/`; a test compares the two.",
        "",
        *INTRODUCTION,
        "",
        "## The whole run",
        "",
        *_table(list(_plain_keys(Config, ""))),
    ]
    for name, field in Config.model_fields.items():
        section = _section(field.annotation)
        if section is not None:
            parts += ["", f"## `{name}`", "", _summary(section), "", *_table(list(_keys(section, f"{name}.", field)))]
    return "\n".join(parts) + "\n"


def _table(keys: list[Key]) -> list[str]:
    """Return the rows of a section."""
    rows = ["| key | value | default | |", "|---|---|---|---|"]
    for key in keys:
        cells = (f"`{key.name}`", key.kind, f"`{key.default}`", key.meaning)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return rows


def _plain_keys(model: type[BaseModel], prefix: str, given: Any = None) -> Iterator[Key]:
    """Yield the keys of a section that are no sections themselves.

    Args:
        model: The section.
        prefix: Of its keys' names.
        given: Defaults that the section has where it stands, instead of its own.
    """
    meanings = _meanings(model)
    for name, field in model.model_fields.items():
        if _section(field.annotation) is not None:
            continue
        default = field.get_default(call_default_factory=True)
        if given is not None:
            default = getattr(given, name)
        yield Key(
            name=f"{prefix}{name}",
            kind=_kind(field),
            default=_as_yaml(default),
            # Python's word for nothing is not YAML's.
            meaning=meanings.get(name, "").replace("None:", "null:"),
        )


def _keys(model: type[BaseModel], prefix: str, field: FieldInfo) -> Iterator[Key]:
    """Yield the keys of a section and of the sections within it."""
    given = field.get_default(call_default_factory=True)
    yield from _plain_keys(model, prefix, given)
    for name, inner in model.model_fields.items():
        section = _section(inner.annotation)
        if section is not None:
            # Where it stands, a section may have other defaults than by itself.
            placed = FieldInfo(annotation=section, default=getattr(given, name))
            yield from _keys(section, f"{prefix}{name}.", placed)


def _section(annotation: Any) -> Optional[type[BaseModel]]:
    """Return the section that a key stands for; None for a plain value."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None


def _summary(model: type[BaseModel]) -> str:
    """Return what a section's docstring says before its attributes."""
    text = inspect.getdoc(model) or ""
    before, _, _ = text.partition(HEADING)
    return " ".join(before.split())


def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """Return what a section's docstring says of each of its keys."""
    text = inspect.getdoc(model) or ""
    _, _, attributes = text.partition(HEADING)
    meanings: dict[str, str] = {}
    name = ""
    for line in attributes.splitlines():
        found = ATTRIBUTE.match(line)
        if found is not None:
            name = found[1]
            meanings[name] = found[2]
        elif name and line.strip():
            meanings[name] += f" {line.strip()}"
    return meanings


def _kind(field: FieldInfo) -> str:
    """Return a key's type and bounds in words."""
    kind = _type_words(field.annotation)
    bounds = []
    for rule in field.metadata:
        for name, sign in BOUNDS.items():
            bound = getattr(rule, name, None)
            if bound is not None:
                bounds.append(f"{sign} {bound}")
    if bounds:
        kind += f" {', '.join(bounds)}"
    return kind


def _type_words(annotation: Any) -> str:
    """Return a type in words."""
    origin = get_origin(annotation)
    arguments = get_args(annotation)
    if annotation is type(None):
        return "null"
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in arguments)
    if origin is Union:
        return " or ".join(_type_words(argument) for argument in arguments)
    if origin is tuple:
        return f"[{', '.join(_type_words(argument) for argument in arguments)}]"
    if origin is list:
        return f"list of {_type_words(arguments[0])}"
    section = _section(annotation)
    if section is not None:
        return "settings " + ", ".join(f"`{name}`" for name in section.model_fields)
    return PLAIN_TYPES.get(annotation, str(annotation))


def _as_yaml(value: Any) -> str:
    """Return a default as a configuration writes it."""
    if value is PydanticUndefined:
        return "must be given"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], BaseModel):
        return f"{len(value)} of them, see the preset"
    return str(value)
