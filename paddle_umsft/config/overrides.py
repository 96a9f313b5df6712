"""Overrides `key.sub=value` of the command line: their parts, and the value as YAML."""

from __future__ import annotations

from typing import Any

from paddle_umsft.config.yaml_text import parse_yaml
from paddle_umsft.errors import ConfigError

# What YAML reads as nothing at all.
NULLS = ("", "~", "null", "Null", "NULL")
QUOTES = ("'", '"')
# Letters of a wrong value that a message shows.
SHOWN_TEXT = 200


def joined(words: list[str]) -> list[str]:
    """Put together what a shell took apart: `data.crop=[0, 0, 64, 64]` without quotes comes as four words.

    Args:
        words: Overrides; one that opens more brackets than it closes goes on with the words that follow, as long as
            these are no overrides themselves.
    """
    whole: list[str] = []
    for word in words:
        goes_on = bool(whole) and _is_open(whole[-1]) and "=" not in word
        if goes_on:
            whole[-1] = f"{whole[-1]} {word}"
        else:
            whole.append(word)
    return whole


def _is_open(override: str) -> bool:
    """Return whether a value begins a list or a mapping that it does not end."""
    _, _, value = override.partition("=")
    if not value.startswith(("[", "{")):
        return False
    opened = value.count("[") + value.count("{")
    closed = value.count("]") + value.count("}")
    return opened > closed


def split_override(override: str) -> tuple[list[str], str]:
    """Split `key.sub=value` into the parts of its key and the value's text.

    Raises:
        ConfigError: No equals sign, or an empty part.
    """
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise ConfigError(
            "not an override",
            where="-o",
            expected="key.sub=value",
            got=repr(override),
        )
    return parts, text


def override_value(
    key: str,
    text: str,
    *,
    is_text: bool,
) -> Any:
    """Return the value of `key=text`: YAML; for a key whose value is text (a path, a name) the text as it stands.

    Paths may hold " #", which begins a comment in YAML, and names may be digits. Quotes and null keep their meaning.

    Args:
        key: The whole key, for messages.
        text: What stands behind the equals sign.
        is_text: The key's value is text.

    Raises:
        ConfigError: Not YAML, or a comment in it.
    """
    stripped = text.strip()
    is_null = stripped in NULLS
    if is_text and not is_null and not stripped.startswith(QUOTES):
        return stripped
    try:
        value, end = parse_yaml(text)
    except ValueError:
        got = repr(text[:SHOWN_TEXT])
        raise ConfigError("value is not YAML", where=f"-o {key}", got=got) from None
    # What YAML has not read of the text can only be a comment.
    rest = text[end:].strip()
    if rest:
        raise ConfigError(
            "a comment in the value",
            where=f"-o {key}",
            got=repr(rest),
            hint="quote a # that is meant",
        )
    return _number_if_meant(value)


def _number_if_meant(value: Any) -> Any:
    """Return 1e-3 as a number: YAML 1.1 wants a point in it, and reads it as text."""
    if not isinstance(value, str) or "e" not in value.lower():
        return value
    try:
        return float(value)
    except ValueError:
        return value


def set_value(
    content: dict[str, Any],
    parts: list[str],
    value: Any,
) -> None:
    """Put a value into nested mappings, making the sections on the way.

    Args:
        content: Changed in place.
        parts: The key's.
        value: What it is set to.
    """
    node = content
    for part in parts[:-1]:
        child = node.get(part)
        # A copy: the section may belong to a base that another configuration shares.
        section: dict[str, Any] = {}
        if isinstance(child, dict):
            section = dict(child)
        node[part] = section
        node = section
    node[parts[-1]] = value
