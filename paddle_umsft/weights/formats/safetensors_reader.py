"""Reads `.safetensors`: a JSON table of names, types, shapes and places, and the bytes behind it.

The project's own, not the `safetensors` package, whose NumPy side cannot read bfloat16 and would be one more thing to
install.

References:
    https://github.com/huggingface/safetensors, README, section Format.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any, Union

import numpy as np

from paddle_umsft.errors import ConversionError
from paddle_umsft.weights.formats.numpy_pickle import plain_array
from paddle_umsft.weights.formats.values import NUMPY_TYPES, Leaf

# What the format calls a type -> ours.
TYPE_OF_CODE = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
}
# The file begins with the length of its table, eight bytes.
_LENGTH_BYTES = 8
# A table of 500 tensors is 60 kB long.
_MAX_TABLE = 16 << 20
# No file is longer than this: what else has a brace in the ninth byte is no safetensors file.
_PLAUSIBLE_TABLE = 1 << 40
_MAX_AXES = 32
# Digits of the largest 64-bit number; Python would read a hundred thousand of them, slowly.
_MAX_DIGITS = 19
# How much of what the file says may go into a message.
_SHOWN_NAME = 80
_SHOWN_TYPE = 20
_SHOWN_REASON = 200


def looks_like(view: memoryview) -> bool:
    """Tell whether the bytes begin as a safetensors file does: a length, and a JSON object."""
    if len(view) <= _LENGTH_BYTES:
        return False
    if view[_LENGTH_BYTES] != ord("{"):
        return False
    return _table_length(view) < _PLAUSIBLE_TABLE


def read(view: memoryview, where: Union[Path, str]) -> tuple[dict[str, Leaf], dict[str, str]]:
    """Read a safetensors file.

    Args:
        view: The whole file.
        where: Its name, for messages.

    Returns:
        Tensors by name (views of the file), and the file's metadata.

    Raises:
        ConversionError: It is damaged.
    """
    length = _table_length(view)
    end = _LENGTH_BYTES + length
    if length > _MAX_TABLE or end > len(view):
        raise ConversionError(f"damaged safetensors file (a table of {length} bytes)", where=where)
    try:
        table = _read_table(bytes(view[_LENGTH_BYTES:end]))
        metadata = table.pop("__metadata__", {})
        _check_metadata(metadata)
        return _tensors(table, view[end:]), metadata
    except RecursionError:
        raise ConversionError("damaged safetensors file (its table is nested too deeply)", where=where) from None
    except (ValueError, TypeError, KeyError) as error:
        words = str(error).split()
        reason = " ".join(words)[:_SHOWN_REASON]
        raise ConversionError(f"damaged safetensors file ({reason})", where=where) from None


def _table_length(view: memoryview) -> int:
    (length,) = struct.unpack("<Q", view[:_LENGTH_BYTES])
    return int(length)


def _read_table(text: bytes) -> dict[str, Any]:
    table = json.loads(
        text,
        object_pairs_hook=_unique,
        parse_int=_bounded,
        parse_constant=_refuse,
    )
    if not isinstance(table, dict):
        raise ValueError("its table is no object")
    return table


def _check_metadata(metadata: Any) -> None:
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("its metadata are no strings")


def _tensors(table: dict[str, Any], data: memoryview) -> dict[str, Leaf]:
    """Return the tensors of a table; together they must fill the data, without overlaps and gaps."""
    tensors: dict[str, Leaf] = {}
    spans: list[tuple[int, int]] = []
    for name, entry in table.items():
        begin, end = entry["data_offsets"]
        tensors[name] = _tensor(name, entry, begin, end, data)
        spans.append((begin, end))
    spans.sort()
    covered = 0
    for begin, end in spans:
        if begin != covered:
            raise ValueError("its tensors overlap or leave gaps")
        covered = end
    if covered != len(data):
        raise ValueError("bytes behind the last tensor, or too few")
    return tensors


def _tensor(
    name: str,
    entry: dict[str, Any],
    begin: Any,
    end: Any,
    data: memoryview,
) -> Leaf:
    shown = repr(name[:_SHOWN_NAME])
    code = entry["dtype"]
    # Looked up as text only: what else stands there may not be hashable.
    dtype = TYPE_OF_CODE.get(str(code))
    if dtype is None or not isinstance(code, str):
        raise ValueError(f"tensor {shown} is of unknown type {str(code)[:_SHOWN_TYPE]!r}")
    shape = entry["shape"]
    if not isinstance(shape, list) or len(shape) > _MAX_AXES:
        raise ValueError(f"tensor {shown} has no shape")
    for number in (*shape, begin, end):
        # `type`, as True is an integer to isinstance.
        if type(number) is not int or number < 0:
            raise ValueError(f"tensor {shown} lies outside the file")
    if not begin <= end <= len(data):
        raise ValueError(f"tensor {shown} lies outside the file")
    kind = np.dtype(NUMPY_TYPES[dtype])
    array = plain_array(data[begin:end], kind, tuple(shape))
    return Leaf(
        array=array,
        dtype=dtype,
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name given twice")
    return made


def _bounded(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError("a number of more than 19 digits")
    return int(digits)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} in its table")
