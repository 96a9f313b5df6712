"""Writes `.safetensors`: a JSON table of names, types, shapes and places, and the bytes behind it.

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

from paddle_umsft.weights.formats.safetensors_reader import TYPE_OF_CODE
from paddle_umsft.weights.formats.values import NUMPY_TYPES, contiguous_bytes

# The bytes behind the table begin at a multiple of this, as the format recommends.
_ALIGNMENT = 8
# bfloat16 has no NumPy type of its own: an array never has it.
_CODE_OF_KIND = {NUMPY_TYPES[name]: code for code, name in TYPE_OF_CODE.items() if code != "BF16"}


def write_safetensors(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays; the same ones give the same bytes.

    Args:
        path: Where to; what is there is replaced.
        arrays: By name, of any shape.

    Raises:
        ValueError: An array is of a type that the format has not.
        OSError: It cannot be written.
    """
    table: dict[str, Any] = {}
    at = 0
    for name, array in arrays.items():
        end = at + array.nbytes
        table[name] = {
            "dtype": _code_of(name, array),
            "shape": list(array.shape),
            "data_offsets": [at, end],
        }
        at = end
    text = json.dumps(table)
    # Blanks behind the table are part of it.
    while len(text) % _ALIGNMENT:
        text += " "
    length = struct.pack("<Q", len(text))
    with path.open("wb") as file:
        file.write(length)
        file.write(text.encode("ascii"))
        # One after another: joined they would need the memory once more.
        for array in arrays.values():
            little = array.astype(_little(array), copy=False)
            file.write(contiguous_bytes(little))


def _little(array: np.ndarray) -> np.dtype:
    """Return an array's type with the format's order of bytes."""
    kind: np.dtype = array.dtype.newbyteorder("<")
    return kind


def _code_of(name: str, array: np.ndarray) -> str:
    """Return what the format calls an array's type.

    Raises:
        ValueError: It has no such type.
    """
    kind = _little(array)
    code = _CODE_OF_KIND.get(kind.str)
    if code is None:
        raise ValueError(f"{name} is of type {array.dtype}, which cannot be kept")
    return code
