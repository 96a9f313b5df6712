"""A weight file's nested dicts as one list of dotted names, within bounds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from paddle_umsft.errors import ConversionError
from paddle_umsft.weights.formats.values import Leaf

# A checkpoint of 500 tensors and its optimiser has some two thousand entries, three levels deep.
_MOST_ENTRIES = 200_000
_MOST_LEVELS = 8
_LONGEST_NAME = 300
# What Paddle keeps beside the tensors: parameters' names, and how tensors of more than 1 GiB were cut.
_NAME_TABLE = "StructuredToParameterName@@"
_SLICES_TABLE = "UnpackBigParamInfor@@"


def flatten(tree: Any, where: Path) -> Iterator[tuple[str, Any]]:
    """Yield (dotted name, leaf or other value) of a file's content.

    Lists are passed over as they are, so that a shared one cannot multiply.

    Args:
        tree: The content.
        where: The file, for messages.

    Raises:
        ConversionError: It is no dict, too large or too deep, or has names that no weights have.
    """
    if not isinstance(tree, dict):
        raise ConversionError(
            "not a set of named weights",
            where=where,
            got=f"a {type(tree).__name__}",
        )
    pending: list[tuple[str, dict[Any, Any], int]] = [("", tree, 0)]
    entries = 0
    while pending:
        prefix, level, depth = pending.pop()
        for name, value in level.items():
            entries += 1
            if entries > _MOST_ENTRIES or depth > _MOST_LEVELS:
                raise ConversionError("nested too deeply or too large to be a set of weights", where=where)
            full = f"{prefix}{name}"
            _check_entry(full, value, where)
            if name == _SLICES_TABLE:
                raise ConversionError("a tensor of more than 1 GiB, cut into slices", where=where)
            if name == _NAME_TABLE:
                continue
            if isinstance(value, dict):
                pending.append((f"{full}.", value, depth + 1))
                continue
            yield full, _unwrapped(value)


def _check_entry(
    name: str,
    value: Any,
    where: Path,
) -> None:
    # A terminal may be steered by what is unprintable.
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise ConversionError("a name of more than 300 characters, or of unprintable ones", where=where)
    if isinstance(value, Leaf) and value.array is None:
        raise ConversionError(f"damaged: {name!r} never gets its values", where=where)


def _unwrapped(value: Any) -> Any:
    """Return the tensor of (its own name, tensor), as Paddle saves one outside a plain state dict."""
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], Leaf):
        return value[1]
    return value
