"""What a weight file holds once it is read: arrays that are still views of the file, and plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

# Name of each tensor type -> NumPy type of its bytes. bfloat16 has no NumPy type: its bits are kept as uint16.
NUMPY_TYPES: dict[str, str] = {
    "float64": "<f8",
    "float32": "<f4",
    "float16": "<f2",
    "bfloat16": "<u2",
    "int64": "<i8",
    "int32": "<i4",
    "int16": "<i2",
    "int8": "|i1",
    "uint64": "<u8",
    "uint32": "<u4",
    "uint16": "<u2",
    "uint8": "|u1",
    "bool": "|b1",
}


@dataclass(eq=False)
class Leaf:
    """One tensor of a file.

    Args:
        array: Its values, usually a view of the file; bfloat16 as its uint16 bits. None until its bytes are found.
        dtype: Its type, a key of ``NUMPY_TYPES``.
    """

    array: np.ndarray | None
    dtype: str

    def values(self) -> np.ndarray:
        """Returns the tensor as a NumPy array; bfloat16 becomes float32, which is exact."""
        if self.array is None:
            raise AssertionError("a tensor was used before its bytes were read")
        return widen_bfloat16(self.array) if self.dtype == "bfloat16" else self.array


@dataclass
class WeightFile:
    """A weight file as read.

    Args:
        path: Where it lies.
        container: What it is: ``torch zip``, ``torch legacy``, ``pickle``, ``safetensors`` or ``npz``.
        tree: Its content: nested dicts and lists of ``Leaf`` and plain values, or one ``Leaf``.
        sha256: Digest of the file.
        metadata: What the file says about itself (strings), empty if nothing.
    """

    path: Path
    container: str
    tree: Any
    sha256: str
    metadata: dict[str, str] = field(default_factory=dict)


def widen_bfloat16(bits: np.ndarray) -> np.ndarray:
    """Returns bfloat16 bits (uint16, any shape) as the same numbers in float32."""
    return np.asarray(bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


def narrow_bfloat16(array: np.ndarray) -> np.ndarray | None:
    """Returns float32 numbers as bfloat16 bits (uint16, same shape), or None where that would lose something."""
    bits = np.ascontiguousarray(array, dtype=np.float32).view(np.uint32).reshape(array.shape)
    if np.any(bits & np.uint32(0xFFFF)):
        return None
    return np.asarray(bits >> np.uint32(16)).astype(np.uint16)
