"""Reads the plain arrays of a ``.npz`` file; never a pickled object.

``numpy.load(allow_pickle=False)`` runs no code either, but it reserves whatever size an array's header claims.

References:
    NumPy ``numpy/lib/format.py``, format versions 1.0 to 3.0.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from paddle_umsft.errors import ConversionError
from paddle_umsft.weights.formats.numpy_pickle import PickledType, plain_array
from paddle_umsft.weights.formats.values import Leaf
from paddle_umsft.weights.formats.zip_view import Member, unpack

_HEADER = re.compile(
    r"\{'descr': '(?P<kind>[^']{1,20})', 'fortran_order': (?P<fortran>True|False), "
    r"'shape': \((?P<shape>[0-9, ]{0,400})\), ?\}\s*"
)


def read(members: Mapping[str, Member], where: Path | str) -> dict[str, Leaf]:
    """Reads every array.

    Args:
        members: Table of the zip file; all names end with ``.npy``.
        where: The file, for messages.

    Returns:
        Arrays by name.

    Raises:
        ConversionError: One is damaged, or holds objects.
    """
    arrays: dict[str, Leaf] = {}
    for name, member in members.items():
        data = unpack(member, where, allow_deflate=True)
        try:
            arrays[name[: -len(".npy")]] = _array(data)
        except (ValueError, struct.error, UnicodeError, IndexError) as error:
            raise ConversionError(f"array {name!r} is damaged ({error})", where=where) from None
    return arrays


def _array(data: memoryview) -> Leaf:
    if bytes(data[:6]) != b"\x93NUMPY" or data[6] not in (1, 2, 3):
        raise ValueError("it is no .npy")
    form, at = ("<H", 10) if data[6] == 1 else ("<I", 12)
    (length,) = struct.unpack(form, data[8:at])
    if length > 65536:
        raise ValueError("a header too long")
    found = _HEADER.fullmatch(str(data[at : at + length], "utf-8"))
    if found is None:
        raise ValueError("its header describes no plain array")
    kind = PickledType(found["kind"])
    shape = tuple(int(n) for n in found["shape"].split(",") if n.strip())
    return Leaf(plain_array(data[at + length :], kind.numpy(), shape, found["fortran"] == "True"), kind.name)


def plain_numpy(arrays: Mapping[str, Leaf]) -> dict[str, np.ndarray]:
    """Returns leaves as arrays."""
    return {name: leaf.values() for name, leaf in arrays.items()}
