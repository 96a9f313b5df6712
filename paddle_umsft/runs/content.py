"""What a method has to keep, taken apart into arrays and plain JSON, and put together again. Nothing can execute.

In JSON a dict is `{"dict": {...}}`, a tuple `{"tuple": [...]}`, a tensor of Paddle's `{"tensor": NAME}` and an array of
NumPy's `{"array": NAME}`, NAME that of the array kept beside. Lists, numbers, text, true, false and null are
themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

DICT = "dict"
TUPLE = "tuple"
TENSOR = "tensor"
ARRAY = "array"
# `type` is asked for these, as a number of NumPy's may call itself a float: it is kept with its own type.
PLAIN = (type(None), bool, int, float, str)
# A method's state is a handful of dicts within each other; Python itself gives up at a thousand.
DEEPEST = 50


def take_apart(content: Any) -> tuple[Any, dict[str, np.ndarray]]:
    """Take a method's state apart.

    Args:
        content: Dicts with text for keys, lists, tuples, tensors, arrays, numbers, text, None.

    Returns:
        What JSON can hold of it, and the arrays by the path that leads to them.

    Raises:
        ValueError: There is something else in it.
    """
    arrays: dict[str, np.ndarray] = {}
    tree = _apart(content, "", arrays)
    return tree, arrays


def _apart(value: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
    """Return what JSON can hold of a part, and put its arrays to the others.

    Args:
        value: The part.
        path: That leads to it.
        arrays: Those found so far.
    """
    if type(value) in PLAIN:
        return value
    if isinstance(value, Mapping):
        inside = {}
        for key, item in value.items():
            inside[key] = _apart(item, _below(path, key), arrays)
        return {DICT: inside}
    if isinstance(value, (list, tuple)):
        items = []
        for index, item in enumerate(value):
            items.append(_apart(item, _below(path, str(index)), arrays))
        if isinstance(value, tuple):
            return {TUPLE: items}
        return items
    kind = ARRAY
    if not isinstance(value, (np.ndarray, np.generic)):
        if not hasattr(value, "numpy"):
            raise ValueError(f"{path} is of {type(value)}, which cannot be kept")
        kind = TENSOR
        value = value.numpy()
    # Keys with slashes in them could make two paths one.
    if path in arrays:
        raise ValueError(f"two values are called {path}")
    arrays[path] = np.asarray(value)
    return {kind: path}


def _below(path: str, key: Any) -> str:
    """Return the path of what a key leads to.

    Raises:
        ValueError: JSON would make text of the key, and another key of it.
    """
    if not isinstance(key, str):
        raise ValueError(f"{path} has a key that is no text: {key!r}")
    if not path:
        return key
    return f"{path}/{key}"


def put_together(tree: Any, arrays: Mapping[str, np.ndarray], depth: int = 0) -> Any:
    """Put together what `take_apart` took apart.

    Args:
        tree: As JSON had it.
        arrays: By name.
        depth: How far down this part is.

    Raises:
        ValueError: It is of another form, or an array is missing.
    """
    if depth > DEEPEST:
        raise ValueError("it is nested too deeply")
    below = depth + 1
    if isinstance(tree, list):
        return [put_together(item, arrays, below) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if len(tree) != 1:
        raise ValueError("a part is of no known kind")
    kind, inside = next(iter(tree.items()))
    if kind == DICT:
        made = {}
        for key, item in _expected(dict, inside).items():
            made[key] = put_together(item, arrays, below)
        return made
    if kind == TUPLE:
        items = put_together(_expected(list, inside), arrays, below)
        return tuple(items)
    if kind not in (TENSOR, ARRAY):
        raise ValueError(f"a part is of no known kind: {kind}")
    name = _expected(str, inside)
    if name not in arrays:
        raise ValueError(f"an array is missing: {name}")
    # A copy: what was read may be a view of a file that stays mapped as long as somebody looks at it.
    values = np.array(arrays[name])
    if kind == ARRAY:
        return values
    return tensor_of(values)


def _expected(kind: type, found: Any) -> Any:
    """Return what was found.

    Raises:
        ValueError: It is of another type.
    """
    if not isinstance(found, kind):
        raise ValueError(f"a part is of {type(found)} instead of {kind}")
    return found


def tensor_of(values: np.ndarray) -> Any:
    """Return an array as a tensor of Paddle's, of the same type."""
    import paddle

    return paddle.to_tensor(values)
