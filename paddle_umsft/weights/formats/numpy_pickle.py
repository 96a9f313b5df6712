"""NumPy arrays inside a pickle: how ``.pdparams`` files hold weights.

References:
    NumPy ``numpy/_core/src/multiarray/methods.c`` (array_reduce, array_setstate) and ``descriptor.c``;
    Paddle ``paddle/framework/io.py`` (save, load).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from paddle_umsft.weights.formats.pickle_parts import BigText, Handler, Name
from paddle_umsft.weights.formats.values import NUMPY_TYPES, Leaf

_CODES = {np.dtype(code).str[1:]: name for name, code in NUMPY_TYPES.items() if name != "bfloat16"}
_MAX_AXES = 32


class PickledType:
    """A ``numpy.dtype`` in the making: plain numbers only."""

    def __init__(self, code: Any = None, *_: Any) -> None:
        if not isinstance(code, str) or code.lstrip("<>|=") not in _CODES:
            shown = code if isinstance(code, str) and len(code) < 20 else type(code).__name__
            raise ValueError(f"an array of type {shown!r}, which is no plain number")
        self.name = _CODES[code.lstrip("<>|=")]
        self.order = code[0] if code[0] in "<>" else "<"

    def set_state(self, state: Any) -> None:
        """Takes the byte order; (version, order, subtype, names, fields, size, alignment, flags)."""
        if not isinstance(state, tuple) or len(state) < 5 or state[1] not in ("<", ">", "|", "="):
            raise ValueError("a damaged array type")
        if any(part is not None for part in state[2:5]):
            raise ValueError("an array of a structured type, which is no plain number")
        self.order = ">" if state[1] == ">" else "<"

    def numpy(self) -> np.dtype[Any]:
        """Returns the NumPy type."""
        kind: np.dtype[Any] = np.dtype(NUMPY_TYPES[self.name]).newbyteorder(">" if self.order == ">" else "<")
        return kind


class PickledArray(Leaf):
    """A ``numpy.ndarray`` in the making."""

    def __init__(self, *_: Any) -> None:
        super().__init__(None, "float32")

    def set_state(self, state: Any) -> None:
        """Takes (version, shape, type, whether in Fortran order, bytes)."""
        if not isinstance(state, tuple) or len(state) != 5:
            raise ValueError("a damaged array")
        _, shape, kind, fortran, data = state
        if not isinstance(kind, PickledType) or not isinstance(shape, tuple) or len(shape) > _MAX_AXES:
            raise ValueError("a damaged array")
        if any(type(n) is not int or not 0 <= n < 2**62 for n in shape):
            raise ValueError("an array of impossible size")
        self.dtype = kind.name
        self.array = plain_array(_as_bytes(data), kind.numpy(), shape, bool(fortran))

    def values(self) -> np.ndarray:
        """Returns the array. Raises: ValueError: it never got its values."""
        if self.array is None:
            raise ValueError("an array without values")
        return super().values()


def plain_array(data: memoryview | bytes, kind: np.dtype[Any], shape: tuple[int, ...], fortran: bool) -> np.ndarray:
    """Returns bytes as an array, without a copy where the byte order allows.

    Args:
        data: Its bytes.
        kind: Their type.
        shape: Its shape.
        fortran: Whether the first axis runs fastest.

    Raises:
        ValueError: There are more or fewer bytes than the shape needs.
    """
    needed = kind.itemsize
    for n in shape:
        needed *= n
    if needed != len(data):
        raise ValueError(f"an array of {needed} bytes with {len(data)} in the file")
    if needed == 0:
        return empty_array(shape, kind.newbyteorder("<"))
    flat = np.frombuffer(data, kind)
    if kind.byteorder == ">":
        flat = flat.astype(kind.newbyteorder("<"))
    return flat.reshape(shape, order="F" if fortran else "C")


def empty_array(shape: tuple[int, ...], kind: np.dtype[Any]) -> np.ndarray:
    """Returns an array without elements.

    Args:
        shape: Its shape; one of the sizes is 0.
        kind: Its type.

    Raises:
        ValueError: The other sizes are huge. NumPy reserves memory for their product, empty array or not.
    """
    rest = 1
    for n in shape:
        rest *= n or 1
    if rest > 1 << 24:
        raise ValueError("an empty array of impossible size")
    return np.broadcast_to(np.zeros((), kind), shape)


def _as_bytes(data: Any) -> memoryview | bytes:
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
    return Leaf(plain_array(_as_bytes(data), kind.numpy(), (), False), kind.name)


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """``_codecs.encode``: how protocol 2 carries bytes."""
    if encoding not in ("latin1", "latin-1"):
        raise ValueError("bytes in another encoding than latin1")
    if not isinstance(text, (str, BigText)):
        raise TypeError("bytes made from something that is no text")
    return bytes(_as_bytes(text))


def _reconstruct(kind: Any = None, *_: Any) -> PickledArray:
    if not isinstance(kind, Name) or kind.name != "ndarray":
        raise ValueError("an array of a foreign class")
    return PickledArray()


def _named_tensor(pair: Any = ()) -> tuple[Any, ...]:
    """``tuple((name, array))``: how ``paddle.save`` writes a tensor that is not in a plain state dict."""
    if not isinstance(pair, tuple):
        raise ValueError("a tuple made from something that is none")
    return pair


NUMPY_NAMES: dict[tuple[str, str], Handler | None] = {
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
