"""Checkpoints of format 1, two pickles of Paddle's: read by the converter's reader, which cannot execute anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from paddle_umsft.runs.content import tensor_of
from paddle_umsft.weights.formats.reader import read_weights
from paddle_umsft.weights.formats.values import Leaf

MODEL, REST = "model.pdparams", "model.pdopt"
# Paddle's own table within a state_dict, which is no tensor.
_PARAMETER_TABLE = "StructuredToParameterName@@"
_NAMED_PARTS = 2  # how Paddle pickles a tensor: (name, array)


def read_earlier(folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Read both files.

    Args:
        folder: The checkpoint.

    Returns:
        The method's state, and the sha256 of each file by its name.

    Raises:
        ConversionError: One is missing, damaged, or brings more than data.
        ValueError: They are of another form.
    """
    model = read_weights(folder / MODEL)
    rest = read_weights(folder / REST)
    for found in (model, rest):
        if not isinstance(found.tree, dict):
            raise ValueError("no table of tensors")
    state = _restored(rest.tree)
    # state.json says it as well, and that is what counts.
    state.pop("position", None)
    state["model"] = _restored(model.tree)
    sums = {
        MODEL: model.sha256,
        REST: rest.sha256,
    }
    return state, sums


def _restored(value: Any) -> Any:
    """Return a part of the pickle as it was before: Paddle's tensors, dicts, lists, plain values."""
    if isinstance(value, Leaf):
        # A copy: what was read is a view of the file.
        return tensor_of(np.array(value.values()))
    if isinstance(value, dict):
        restored = {}
        for key, item in value.items():
            if key != _PARAMETER_TABLE:
                restored[key] = _restored(item)
        return restored
    if not isinstance(value, (list, tuple)):
        return value
    is_pair = isinstance(value, tuple) and len(value) == _NAMED_PARTS
    if is_pair and isinstance(value[0], str) and isinstance(value[1], Leaf):
        return _restored(value[1])
    items = map(_restored, value)
    if isinstance(value, tuple):
        return tuple(items)
    return list(items)
