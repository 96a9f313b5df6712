"""The 16-bit types that tensors once had: made float32 for Paddle, and narrowed again on the way back.

Both ways are exact: every float16 and bfloat16 number is a float32, and only what was one is made one again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Optional

import numpy as np

from paddle_umsft.weights.check import Network
from paddle_umsft.weights.formats.values import WeightFile, narrow_bfloat16
from paddle_umsft.weights.mapping import Arrays

HALF_TYPES = ("float16", "bfloat16")

# Values and the name of their type, as the writers take them: bfloat16 has no NumPy type.
Typed = tuple[np.ndarray, str]


def narrowed_types(file: WeightFile, networks: Mapping[str, Network]) -> dict[str, str]:
    """Return published name -> 16-bit type, of this file or, as this file recorded it, of the one it came from.

    Args:
        file: The source.
        networks: What it holds.
    """
    recorded = _recorded(file)
    narrowed: dict[str, str] = {}
    for network in networks.values():
        for name, leaf in network.tensors.items():
            dtype = leaf.dtype
            if dtype == "float32":
                # What this file came from may have had fewer bits.
                dtype = recorded.get(name, dtype)
            if dtype in HALF_TYPES:
                narrowed[name] = dtype
    return narrowed


def recorded_as_text(narrowed: Mapping[str, str]) -> str:
    """Return what `narrowed_types` reads back from a file's metadata."""
    return json.dumps(dict(narrowed), sort_keys=True)


def stored_types(arrays: Arrays) -> dict[str, Typed]:
    """Return arrays with the names of the types that they have."""
    typed: dict[str, Typed] = {}
    for name, array in arrays.items():
        typed[name] = (array, array.dtype.name)
    return typed


def narrow_all(arrays: Arrays, narrowed: Mapping[str, str]) -> dict[str, Typed]:
    """Return arrays in the 16-bit types they once had, where nothing is lost by it.

    Args:
        arrays: By published name.
        narrowed: As `narrowed_types` gives it.
    """
    # One array under two names stays one, as the writer takes it for one storage.
    made: dict[int, Typed] = {}
    output: dict[str, Typed] = {}
    for name, array in arrays.items():
        same = id(array)
        if same not in made:
            dtype = narrowed.get(name)
            made[same] = _narrow(array, dtype)
        output[name] = made[same]
    return output


def _narrow(array: np.ndarray, dtype: Optional[str]) -> Typed:
    """Return an array in a 16-bit type, or as it is if that would lose something."""
    as_it_is = (array, array.dtype.name)
    if array.dtype != np.float32:
        return as_it_is
    if dtype == "bfloat16":
        bits = narrow_bfloat16(array)
        if bits is not None:
            return bits, dtype
    if dtype == "float16":
        # Numbers that do not fit overflow; the comparison below finds them.
        with np.errstate(all="ignore"):
            half = array.astype(np.float16)
        back = half.astype(np.float32)
        if back.tobytes() == array.tobytes():
            return half, dtype
    return as_it_is


def _recorded(file: WeightFile) -> dict[str, str]:
    """Return what a file of ours says of the one it came from; of other files, nothing."""
    try:
        recorded = json.loads(file.metadata.get("narrowed", "{}"))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(recorded, dict):
        return {}
    found: dict[str, str] = {}
    for name, dtype in recorded.items():
        if isinstance(dtype, str):
            found[name] = dtype
    return found
