"""Reads and writes ``.safetensors``.

The project's own, not the ``safetensors`` package: the format is a JSON table and the bytes behind it, while the
package's NumPy side cannot read bfloat16 and would be one more thing to install.

References:
    https://github.com/huggingface/safetensors, README, section Format.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from paddle_umsft.errors import ConversionError
from paddle_umsft.weights.atomic import HashingFile
from paddle_umsft.weights.formats.numpy_pickle import plain_array
from paddle_umsft.weights.formats.values import NUMPY_TYPES, Leaf

_NAMES = {
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
_CODES = {name: code for code, name in _NAMES.items()}
_MAX_HEADER = 16 << 20


def looks_like(view: memoryview) -> bool:
    """Tells whether the bytes begin as a safetensors file does: a length, and a JSON object."""
    return len(view) >= 9 and view[8] == 0x7B and struct.unpack("<Q", view[:8])[0] < 1 << 40


def read(view: memoryview, where: Path | str) -> tuple[dict[str, Leaf], dict[str, str]]:
    """Reads a safetensors file.

    Args:
        view: The whole file.
        where: Its name, for messages.

    Returns:
        Tensors by name (views of the file), and the file's metadata.

    Raises:
        ConversionError: It is damaged.
    """
    (length,) = struct.unpack("<Q", view[:8])
    if length > _MAX_HEADER or 8 + length > len(view):
        raise ConversionError(f"damaged safetensors file (a table of {length} bytes)", where=where)
    try:
        header = json.loads(
            bytes(view[8 : 8 + length]), object_pairs_hook=_unique, parse_int=_bounded, parse_constant=_refuse
        )
        if not isinstance(header, dict):
            raise ValueError("its table is no object")
        metadata = header.pop("__metadata__", {})
        if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
            raise ValueError("its metadata are no strings")
        return _tensors(header, view[8 + length :]), metadata
    except RecursionError:
        raise ConversionError("damaged safetensors file (its table is nested too deeply)", where=where) from None
    except (ValueError, TypeError, KeyError) as error:
        text = " ".join(str(error).split())[:200]
        raise ConversionError(f"damaged safetensors file ({text})", where=where) from None


def write(file: HashingFile, tensors: Mapping[str, tuple[np.ndarray, str]], metadata: Mapping[str, str]) -> None:
    """Writes a safetensors file: same input, same bytes.

    Args:
        file: Where to.
        tensors: Name -> (array, dtype name as in ``NUMPY_TYPES``), in the order to write.
        metadata: Strings to keep with it.
    """
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    end = 0
    for name, (array, dtype) in tensors.items():
        header[name] = {"dtype": _CODES[dtype], "shape": list(array.shape), "data_offsets": [end, end + array.nbytes]}
        end += array.nbytes
    table = json.dumps(header, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    table += b" " * (-len(table) % 8)  # the format asks for data that begin at a multiple of eight
    file.write(struct.pack("<Q", len(table)) + table)
    for array, _ in tensors.values():
        file.write(contiguous_bytes(array))


def contiguous_bytes(array: np.ndarray) -> memoryview:
    """Returns an array's bytes in C order, little-endian; copied only where they do not lie so already."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _tensors(header: dict[str, Any], data: memoryview) -> dict[str, Leaf]:
    tensors: dict[str, Leaf] = {}
    spans: list[tuple[int, int]] = []
    for name, entry in header.items():
        dtype = _NAMES.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
        shape, (begin, end) = entry["shape"], entry["data_offsets"]
        if dtype is None:
            raise ValueError(f"tensor {name[:80]!r} is of unknown type {str(entry['dtype'])[:20]!r}")
        if not isinstance(shape, list) or len(shape) > 32:
            raise ValueError(f"tensor {name[:80]!r} has no shape")
        if any(type(n) is not int or n < 0 for n in (*shape, begin, end)) or not begin <= end <= len(data):
            raise ValueError(f"tensor {name[:80]!r} lies outside the file")
        tensors[name] = Leaf(plain_array(data[begin:end], np.dtype(NUMPY_TYPES[dtype]), tuple(shape), False), dtype)
        spans.append((begin, end))
    at = 0
    for begin, end in sorted(spans):
        if begin != at:
            raise ValueError("its tensors overlap or leave gaps")
        at = end
    if at != len(data):
        raise ValueError("bytes behind the last tensor, or too few")
    return tensors


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name given twice")
    return made


def _bounded(digits: str) -> int:
    if len(digits) > 19:
        raise ValueError("a number of more than 19 digits")
    return int(digits)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} in its table")
