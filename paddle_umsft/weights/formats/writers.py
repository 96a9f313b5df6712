"""Writes weight files: Paddle's `.pdparams` and PyTorch's zip format. Same input, same bytes out.

References:
    Paddle `paddle/framework/io.py` (`_build_saved_state_dict`, `load`).
"""

from __future__ import annotations

import json
import pickle  # for the opcodes' names alone
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Callable, Union

import numpy as np

from paddle_umsft.errors import ConfigError, ConversionError
from paddle_umsft.weights.formats import pickle_writer as write_as
from paddle_umsft.weights.formats.hashing import HashingFile, write_hashed
from paddle_umsft.weights.formats.reader import ASIDE_PREFIX, META_KEY
from paddle_umsft.weights.formats.torch_writer import Tensors, write_torch
from paddle_umsft.weights.formats.values import NUMPY_TYPES, contiguous_bytes

# Paddle's own table in a state_dict: name in the dict -> name of the parameter.
_PARAMETER_TABLE = "StructuredToParameterName@@"
# Paddle's table of the slices of tensors of more than 1 GiB.
_SLICES_TABLE = "UnpackBigParamInfor@@"
# What a format keeps beside the tensors, under names like theirs.
RESERVED = {
    ".pdparams": (META_KEY, _PARAMETER_TABLE, _SLICES_TABLE),
}
# Protocol 4 is the highest that Paddle 2.6 writes itself, and the first whose bytes may be longer than 4 GB.
_PROTOCOL = 4
# Versions of NumPy's pickled arrays and types.
_ARRAY_VERSION = 1
_TYPE_VERSION = 3
# What a plain type says of its size and alignment: look them up.
_LOOK_UP = -1


def save(
    path: Union[str, Path],
    tensors: Tensors,
    metadata: Mapping[str, str],
) -> str:
    """Write a weight file, whole or not at all.

    Args:
        path: Its ending says which kind: `.pdparams`, `.pth` or `.pt`.
        tensors: Name -> (values, dtype name).
        metadata: Strings to keep inside the file.

    Returns:
        sha256 of the file.

    Raises:
        ConfigError: The ending is none of these.
        ConversionError: It cannot be written, or a tensor has a name that the format keeps for itself.
    """
    path = Path(path)
    ending = path.suffix.lower()
    writers: dict[str, Callable[[HashingFile, Tensors, Mapping[str, str]], None]] = {
        ".pdparams": write_pdparams,
        ".pth": write_torch,
        ".pt": write_torch,
    }
    writer = writers.get(ending)
    if writer is None:
        raise ConfigError(
            "unknown kind of weight file",
            where=path,
            expected=", ".join(writers),
        )
    for name in RESERVED.get(ending, ()):
        if name in tensors:
            raise ConversionError(
                "a tensor has a name that the format keeps for itself",
                where=path,
                got=name,
            )
    # A NumPy scalar is no array yet.
    arrays = {name: (np.asarray(values), dtype) for name, (values, dtype) in tensors.items()}
    return write_hashed(path, lambda file: writer(file, arrays, metadata))


def write_pdparams(
    file: HashingFile,
    tensors: Tensors,
    metadata: Mapping[str, str],
) -> None:
    """Write what `paddle.load` (2.6 and 3.x) reads as a state_dict: a pickle of a dict of NumPy arrays.

    Names that begin with `published_only/` stay out of Paddle's table of parameters, so that `paddle.load` leaves them
    as NumPy arrays, and `Layer.set_state_dict` passes over them as over any name it does not know.

    Args:
        file: Where to.
        tensors: Name -> (values, dtype name).
        metadata: Kept as JSON in `published_only/meta` (uint8): a pickle has no other place that no loader trips on.
    """
    text = json.dumps(
        dict(metadata),
        sort_keys=True,
        ensure_ascii=True,
    )
    meta = np.frombuffer(text.encode("ascii"), np.uint8)
    everything = {**tensors, META_KEY: (meta, "uint8")}
    file.write(pickle.PROTO + struct.pack("<B", _PROTOCOL))
    file.write(pickle.EMPTY_DICT + pickle.MARK)
    for name, (array, dtype) in everything.items():
        file.write(write_as.text(name))
        _write_array(file, array, np.dtype(NUMPY_TYPES[dtype]))
    file.write(write_as.text(_PARAMETER_TABLE) + pickle.EMPTY_DICT + pickle.MARK)
    for name in tensors:
        if not name.startswith(ASIDE_PREFIX):
            # A parameter's own name does not matter; Paddle wants one.
            file.write(write_as.text(name))
            file.write(write_as.text(name))
    # Once for the table, once for the whole.
    file.write(pickle.SETITEMS + pickle.SETITEMS)
    file.write(pickle.STOP)


def _write_array(
    file: HashingFile,
    array: np.ndarray,
    kind: np.dtype,
) -> None:
    """Write one array as NumPy pickles it: made empty, then given its state."""
    data = contiguous_bytes(array)
    before = [
        # The old module name: NumPy 1 and 2 both resolve it, Paddle 2.6 comes with NumPy 1.
        write_as.global_name("numpy.core.multiarray", "_reconstruct"),
        # _reconstruct(ndarray, (0,), b"b"): what NumPy itself asks for.
        write_as.global_name("numpy", "ndarray"),
        write_as.small_integer(0),
        pickle.TUPLE1,
        pickle.SHORT_BINBYTES,
        struct.pack("<B", 1),
        b"b",
        pickle.TUPLE3,
        pickle.REDUCE,
        # Its state: (version, shape, type, not in Fortran order, bytes).
        pickle.MARK,
        write_as.small_integer(_ARRAY_VERSION),
        write_as.integers(array.shape),
        _pickled_type(kind),
        pickle.NEWFALSE,
        pickle.BINBYTES8,
        struct.pack("<Q", len(data)),
    ]
    file.write(b"".join(before))
    # Not joined with the rest, as it may be large.
    file.write(data)
    file.write(pickle.TUPLE + pickle.BUILD)


def _pickled_type(kind: np.dtype) -> bytes:
    """Return the opcodes of `numpy.dtype(code, False, True)` and its state."""
    code = kind.str[1:]
    # A single byte has no order.
    order = "<"
    if kind.itemsize == 1:
        order = "|"
    look_up = pickle.BININT + struct.pack("<i", _LOOK_UP)
    pieces = [
        write_as.global_name("numpy", "dtype"),
        write_as.text(code),
        # Neither aligned nor copied from another type.
        pickle.NEWFALSE,
        pickle.NEWTRUE,
        pickle.TUPLE3,
        pickle.REDUCE,
        # Its state: (version, order, no subtype, no names, no fields, size, alignment, flags).
        pickle.MARK,
        write_as.small_integer(_TYPE_VERSION),
        write_as.text(order),
        pickle.NONE,
        pickle.NONE,
        pickle.NONE,
        look_up,
        look_up,
        write_as.small_integer(0),
        pickle.TUPLE,
        pickle.BUILD,
    ]
    return b"".join(pieces)
