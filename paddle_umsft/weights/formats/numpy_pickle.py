"""NumPy arrays inside a pickle: how `.pdparams` files hold weights.

References:
    NumPy `numpy/_core/src/multiarray/methods.c` (array_reduce, array_setstate) and `descriptor.c`;
    Paddle `paddle/framework/io.py` (save, load).
"""

from __future__ import annotations

from typing import Any, Optional, Union

import numpy as np

from paddle_umsft.weights.formats.pickle_parts import BigText, Handler, ListedName
from paddle_umsft.weights.formats.values import NUMPY_TYPES, Leaf

# NumPy's code of a type without its byte order ("f4") -> its name. NumPy has no bfloat16.
_NAME_OF_CODE = {np.dtype(code).str[1:]: name for name, code in NUMPY_TYPES.items() if name != "bfloat16"}
_ORDERS = ("<", ">", "|", "=")
# NumPy arrays have no more axes than this (64 since NumPy 2, but no weight has more than five).
_MAX_AXES = 32
# A type's name longer than this is no type's name, and is not repeated in a message.
_LONGEST_CODE = 20
# Sizes of more than 2**62 belong to no file; Python's integers would go on for ever.
_SIZE_LIMIT = 1 << 62
# Elements, of any axis but the empty ones, that an array without elements may claim.
_MOST_OF_NOTHING = 1 << 24
# A pickled array type: (version, order, subtype, names, fields, size, alignment, flags).
_STRUCTURE = slice(2, 5)
_SHORTEST_TYPE_STATE = 5
# A pickled array: (version, shape, type, whether in Fortran order, bytes).
_ARRAY_STATE = 5


class PickledType:
    """A `numpy.dtype` in the making: plain numbers only.

    Args:
        code: NumPy's code of it, `f4` or `<f4`.

    Raises:
        ValueError: It is another kind of type.
    """

    def __init__(self, code: Any = None, *_: Any) -> None:
        if not isinstance(code, str):
            raise ValueError(f"an array of type {type(code).__name__!r}, which is no plain number")
        name = _NAME_OF_CODE.get(code.lstrip("<>|="))
        if name is None:
            shown = code
            if len(code) >= _LONGEST_CODE:
                shown = "str"
            raise ValueError(f"an array of type {shown!r}, which is no plain number")
        self.name = name
        self.big_endian = code[0] == ">"

    def set_state(self, state: Any) -> None:
        """Take the byte order from a pickled type's state.

        Raises:
            ValueError: The state is none, or that of a structured type.
        """
        if not isinstance(state, tuple) or len(state) < _SHORTEST_TYPE_STATE or state[1] not in _ORDERS:
            raise ValueError("a damaged array type")
        if any(part is not None for part in state[_STRUCTURE]):
            raise ValueError("an array of a structured type, which is no plain number")
        self.big_endian = state[1] == ">"

    def numpy(self) -> np.dtype[Any]:
        """Return the NumPy type."""
        kind: np.dtype[Any] = np.dtype(NUMPY_TYPES[self.name])
        if self.big_endian:
            kind = kind.newbyteorder(">")
        return kind


class PickledArray(Leaf):
    """A `numpy.ndarray` in the making."""

    def __init__(self, *_: Any) -> None:
        super().__init__(array=None, dtype="float32")

    def set_state(self, state: Any) -> None:
        """Take shape, type and bytes from a pickled array's state.

        Raises:
            ValueError: It is none, or its parts do not go together.
        """
        if not isinstance(state, tuple) or len(state) != _ARRAY_STATE:
            raise ValueError("a damaged array")
        _, shape, kind, fortran, data = state
        if not isinstance(kind, PickledType) or not isinstance(shape, tuple) or len(shape) > _MAX_AXES:
            raise ValueError("a damaged array")
        for size in shape:
            if type(size) is not int or not 0 <= size < _SIZE_LIMIT:
                raise ValueError("an array of impossible size")
        self.dtype = kind.name
        self.array = plain_array(
            _as_bytes(data),
            kind.numpy(),
            shape,
            fortran=bool(fortran),
        )

    def values(self) -> np.ndarray:
        """Return the array.

        Raises:
            ValueError: It never got its values.
        """
        if self.array is None:
            raise ValueError("an array without values")
        return super().values()


def plain_array(
    data: Union[memoryview, bytes],
    kind: np.dtype[Any],
    shape: tuple[int, ...],
    *,
    fortran: bool = False,
) -> np.ndarray:
    """Return bytes as an array, without a copy where the byte order allows.

    Args:
        data: Its bytes.
        kind: Their type.
        shape: Its shape.
        fortran: Whether the first axis runs fastest.

    Raises:
        ValueError: There are more or fewer bytes than the shape needs.
    """
    needed = kind.itemsize
    for size in shape:
        needed *= size
    if needed != len(data):
        raise ValueError(f"an array of {needed} bytes with {len(data)} in the file")
    if needed == 0:
        return empty_array(shape, kind.newbyteorder("<"))
    flat = np.frombuffer(data, kind)
    if kind.byteorder == ">":
        flat = flat.astype(kind.newbyteorder("<"))
    if fortran:
        return flat.reshape(shape, order="F")
    return flat.reshape(shape)


def empty_array(shape: tuple[int, ...], kind: np.dtype[Any]) -> np.ndarray:
    """Return an array without elements.

    Args:
        shape: Its shape; one of the sizes is 0.
        kind: Its type.

    Raises:
        ValueError: The other sizes are huge. NumPy reserves memory for their product, empty array or not.
    """
    rest = 1
    for size in shape:
        if size > 0:
            rest *= size
    if rest > _MOST_OF_NOTHING:
        raise ValueError("an empty array of impossible size")
    return np.broadcast_to(np.zeros((), kind), shape)


def _as_bytes(data: Any) -> Union[memoryview, bytes]:
    if isinstance(data, str):
        return data.encode("latin-1")
    if isinstance(data, BigText):
        return data.latin1()
    if isinstance(data, (bytes, memoryview)):
        return data
    raise ValueError("an array of objects, which is no plain number")


def _scalar(kind: Any, data: Any = b"") -> Leaf:
    if not isinstance(kind, PickledType):
        raise ValueError("a damaged number")
    array = plain_array(_as_bytes(data), kind.numpy(), ())
    return Leaf(
        array=array,
        dtype=kind.name,
    )


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """`_codecs.encode`: how protocol 2 carries bytes."""
    if encoding not in ("latin1", "latin-1"):
        raise ValueError("bytes in another encoding than latin1")
    if not isinstance(text, (str, BigText)):
        raise TypeError("bytes made from something that is no text")
    return bytes(_as_bytes(text))


def _reconstruct(kind: Any = None, *_: Any) -> PickledArray:
    if not isinstance(kind, ListedName) or kind.name != "ndarray":
        raise ValueError("an array of a foreign class")
    return PickledArray()


def _named_tensor(pair: Any = ()) -> tuple[Any, ...]:
    """`tuple((name, array))`: how `paddle.save` writes a tensor that is not in a plain state dict."""
    if not isinstance(pair, tuple):
        raise ValueError("a tuple made from something that is none")
    return pair


# Every name that a pickle of arrays may ask for. NumPy 2 renamed `numpy.core`; Python 2 said `__builtin__`.
NUMPY_NAMES: dict[tuple[str, str], Optional[Handler]] = {
    ("numpy", "ndarray"): None,
    ("numpy", "dtype"): PickledType,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("_codecs", "encode"): _encode,
    ("builtins", "tuple"): _named_tensor,
    ("__builtin__", "tuple"): _named_tensor,
}
