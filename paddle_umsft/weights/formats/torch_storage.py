"""PyTorch's storages and the tensors that are views of them, checked before they become arrays.

References:
    PyTorch `torch/storage.py`, `torch/_utils.py` (`_rebuild_tensor`).
"""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from paddle_umsft.weights.formats.numpy_pickle import empty_array
from paddle_umsft.weights.formats.pickle_parts import ListedName
from paddle_umsft.weights.formats.values import NUMPY_TYPES, Leaf

# Names of PyTorch's classes of storages -> type of their elements.
STORAGE_TYPES: dict[str, str] = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "UntypedStorage": "uint8",
}
# PyTorch has no such bound; no weight has more than five axes.
_MAX_AXES = 32
# How many sizes go into a message.
_SHOWN_AXES = 8
# Numbers of more than 2**62 belong to no file; Python's integers would go on for ever.
_NUMBER_LIMIT = 1 << 62
# A storage's persistent id: ("storage", type, key, device, count) and, in the older format, a view of another storage.
_PLAIN_ID = 5
_ID_WITH_VIEW = 6


class Storage:
    """A run of numbers that tensors are views of.

    Args:
        dtype: Type of its elements.
        count: How many there are, as the pickle says.
        data: Its bytes; None until they are found (the older format puts them behind the pickle).
        root: The storage this one is a part of, and the first element of it (older format only).
    """

    def __init__(
        self,
        dtype: str,
        count: int,
        *,
        data: Optional[memoryview] = None,
        root: Optional[tuple[Storage, int]] = None,
    ) -> None:
        self.dtype = dtype
        self.count = count
        self.data = data
        self.root = root

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return np.dtype(NUMPY_TYPES[self.dtype]).itemsize

    @property
    def nbytes(self) -> int:
        """Its size in bytes."""
        return self.count * self.itemsize

    def bytes(self) -> memoryview:
        """Return its bytes, wherever they lie.

        Raises:
            ValueError: There are none, or more or fewer than the pickle says.
        """
        data = self._own_bytes()
        if len(data) != self.nbytes:
            raise ValueError(f"a storage of {self.nbytes} bytes with {len(data)} in the file")
        return data

    def _own_bytes(self) -> memoryview:
        if self.root is not None:
            parent, first = self.root
            begin = first * parent.itemsize
            return parent.bytes()[begin : begin + self.nbytes]
        if self.data is None:
            raise ValueError("a storage without data")
        return self.data


class TensorView(Leaf):
    """A tensor as the pickle describes it; `find` turns it into an array once the bytes are there.

    Args:
        storage: Its storage.
        offset: Its first element there.
        size: Elements along each axis.
        stride: Elements of the storage from one to the next, along each axis.
        dtype: Its type, if it is another one than the storage's.

    Raises:
        ValueError: The numbers are none, negative, or do not go together.
    """

    def __init__(
        self,
        storage: Storage,
        offset: Any,
        size: Any,
        stride: Any,
        dtype: Optional[str] = None,
    ) -> None:
        super().__init__(
            array=None,
            dtype=dtype or storage.dtype,
        )
        for numbers in (size, stride):
            if not isinstance(numbers, (tuple, list)) or len(numbers) > _MAX_AXES:
                raise ValueError("sizes or strides that are no short list")
        self._storage = storage
        self._offset = whole_number(offset, "offset")
        self._shape = tuple(whole_number(n, "size") for n in size)
        self._stride = tuple(whole_number(n, "stride") for n in stride)
        if len(self._shape) != len(self._stride):
            raise ValueError(f"sizes {self._shape[:_SHOWN_AXES]} with strides {self._stride[:_SHOWN_AXES]}")

    def find(self) -> None:
        """Check that every element lies inside the storage, and make the array: a view, nothing is copied.

        Raises:
            ValueError: Some lie outside.
        """
        kind = np.dtype(NUMPY_TYPES[self.dtype])
        room = self._storage.nbytes // kind.itemsize
        # Python's integers: no product overflows.
        elements = 1
        last = self._offset
        for count, step in zip(self._shape, self._stride):
            elements *= count
            last += (count - 1) * step
        if elements > 0 and last >= room:
            raise ValueError(f"a tensor that reaches to element {last} of a storage of {room}")
        # Steps of zero make one number a million by a million.
        if elements > room:
            raise ValueError(f"a tensor of {elements} elements spread over a storage of {room}")
        if elements == 0:
            self.array = empty_array(self._shape, kind)
            return
        raw = np.frombuffer(self._storage.bytes(), np.uint8)
        flat = raw[: room * kind.itemsize].view(kind)
        self.array = np.lib.stride_tricks.as_strided(
            flat[self._offset :],
            shape=self._shape,
            strides=[step * kind.itemsize for step in self._stride],
            writeable=False,
        )


def split_id(pid: Any) -> tuple[str, str, int, Any]:
    """Return type, key, element count and view of a storage's persistent id.

    Raises:
        ValueError: It is none.
    """
    if isinstance(pid, tuple) and pid and pid[0] == "module":
        raise ValueError("it pickles a whole module with its source code; save its state_dict() instead")
    if not isinstance(pid, tuple) or len(pid) not in (_PLAIN_ID, _ID_WITH_VIEW) or pid[0] != "storage":
        raise ValueError("a persistent id that is no storage")
    kind, key = pid[1], pid[2]
    count = whole_number(pid[4], "size")
    if not isinstance(kind, ListedName) or kind.name not in STORAGE_TYPES or not isinstance(key, str):
        raise ValueError("a storage of an unknown type")
    view = None
    if len(pid) == _ID_WITH_VIEW:
        view = pid[5]
    return STORAGE_TYPES[kind.name], key, count, view


def whole_number(value: Any, what: str) -> int:
    """Return a number that counts something in a file.

    Args:
        value: What the pickle has in its place.
        what: What it counts, for the message.

    Raises:
        ValueError: It is none, negative, or larger than any file.
    """
    if type(value) is not int:
        raise ValueError(f"a tensor with {what} {type(value).__name__}")
    if not 0 <= value < _NUMBER_LIMIT:
        raise ValueError(f"a tensor with {what} {value}")
    return value
