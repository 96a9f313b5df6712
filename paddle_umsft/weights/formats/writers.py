"""Writes weight files: ``.pdparams``, PyTorch's zip format, ``.safetensors``. Same input, same bytes out.

References:
    Paddle ``paddle/framework/io.py`` (``_build_saved_state_dict``, ``load``); PyTorch ``torch/serialization.py``
    (``_save``), ``caffe2/serialize/inline_container.cc`` (alignment of records).
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Callable, Union

import numpy as np

from paddle_umsft.errors import ConfigError, ConversionError
from paddle_umsft.weights.atomic import HashingFile, write_atomically
from paddle_umsft.weights.formats import safetensors_io
from paddle_umsft.weights.formats.reader import ASIDE_PREFIX, EXTRA_RECORD, META_KEY
from paddle_umsft.weights.formats.safetensors_io import contiguous_bytes
from paddle_umsft.weights.formats.values import NUMPY_TYPES

# Name -> (values, dtype name as in NUMPY_TYPES; bfloat16 as its bits in uint16).
Tensors = Mapping[str, "tuple[np.ndarray, str]"]

_STORAGES = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "bfloat16": "BFloat16Storage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
}
_ALIGNMENT = 64  # as PyTorch does it, so that it can map the file into memory
# What a format keeps beside the tensors, under names like theirs.
RESERVED = {
    ".pdparams": (META_KEY, "StructuredToParameterName@@", "UnpackBigParamInfor@@"),
    ".safetensors": ("__metadata__",),
}
_DOS_DATE = (1 << 5) | 1  # 1980-01-01: zip files must have a date, and it must not change


def save(path: Union[str, Path], tensors: Tensors, metadata: Mapping[str, str]) -> str:
    """Writes a weight file, whole or not at all.

    Args:
        path: Its ending says which kind: ``.pdparams``, ``.pth``, ``.pt`` or ``.safetensors``.
        tensors: Name -> (values, dtype name).
        metadata: Strings to keep inside the file.

    Returns:
        sha256 of the file.

    Raises:
        ConfigError: The ending is none of these.
        ConversionError: It cannot be written, or a tensor has a name that the format keeps for itself.
    """
    path = Path(path)
    writers: dict[str, Callable[[HashingFile, Tensors, Mapping[str, str]], None]] = {
        ".pdparams": write_pdparams,
        ".pth": write_torch,
        ".pt": write_torch,
        ".safetensors": safetensors_io.write,
    }
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise ConfigError("unknown kind of weight file", where=path, expected=", ".join(writers))
    for name in RESERVED.get(path.suffix.lower(), ()):
        if name in tensors:
            raise ConversionError("a tensor has a name that the format keeps for itself", where=path, got=name)
    plain = {name: (np.asarray(array), dtype) for name, (array, dtype) in tensors.items()}  # a NumPy scalar is no array
    return write_atomically(path, lambda file: writer(file, plain, metadata))


def write_pdparams(file: HashingFile, tensors: Tensors, metadata: Mapping[str, str]) -> None:
    """Writes what ``paddle.load`` (2.6 and 3.x) reads as a state_dict: a pickle of a dict of NumPy arrays.

    Names that begin with ``published_only/`` stay out of Paddle's table of parameters, so that ``paddle.load`` leaves
    them as NumPy arrays, and ``Layer.set_state_dict`` passes over them as over any name it does not know.

    Args:
        file: Where to.
        tensors: Name -> (values, dtype name).
        metadata: Kept as JSON in ``published_only/meta`` (uint8): a pickle has no other place that no loader trips on.
    """
    text = json.dumps(dict(metadata), sort_keys=True, ensure_ascii=True).encode("ascii")
    everything = {**tensors, META_KEY: (np.frombuffer(text, np.uint8), "uint8")}
    file.write(b"\x80\x04}(")
    for name, (array, dtype) in everything.items():
        kind = np.dtype(NUMPY_TYPES[dtype])
        # The old module name: NumPy 1 and 2 both resolve it, Paddle 2.6 comes with NumPy 1.
        file.write(_text(name) + b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R")
        file.write(b"(K\x01" + _tuple(array.shape))
        order = b"|" if kind.itemsize == 1 else b"<"
        file.write(b"cnumpy\ndtype\n" + _text(kind.str[1:]) + b"\x89\x88\x87R")
        file.write(b"(K\x03" + _text(order.decode()) + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89")
        data = contiguous_bytes(array)
        file.write(b"\x8e" + struct.pack("<Q", len(data)))
        file.write(data)
        file.write(b"tb")
    file.write(_text("StructuredToParameterName@@") + b"}(")
    for name in tensors:
        if not name.startswith(ASIDE_PREFIX):
            file.write(_text(name) * 2)
    file.write(b"uu.")


def write_torch(file: HashingFile, tensors: Tensors, metadata: Mapping[str, str]) -> None:
    """Writes what ``torch.load(weights_only=True)`` opens: an ordered dict of tensors, in PyTorch's zip format.

    Names that share one array share one storage, as tied parameters do in PyTorch.

    Args:
        file: Where to.
        tensors: Name -> (values, dtype name).
        metadata: Kept as JSON in a record of its own, which PyTorch passes over.
    """
    storages: dict[tuple[int, str], tuple[str, np.ndarray]] = {}
    program = [b"\x80\x02ccollections\nOrderedDict\n)R("]
    for name, (array, dtype) in tensors.items():
        key, _ = storages.setdefault((id(array), dtype), (str(len(storages)), array))
        program.append(_text(name) + _tensor(key, array.shape, dtype))
    program.append(b"u.")
    text = json.dumps(dict(metadata), sort_keys=True, ensure_ascii=True).encode("ascii")
    records: list[tuple[str, bytes | np.ndarray]] = [
        ("data.pkl", b"".join(program)),
        ("byteorder", b"little"),
        *((f"data/{key}", array) for key, array in storages.values()),
        ("version", b"3\n"),
        (EXTRA_RECORD, text),
    ]
    _write_zip(file, ((f"archive/{name}", content) for name, content in records))


def _text(text: str) -> bytes:
    raw = text.encode("utf-8")
    return b"X" + struct.pack("<I", len(raw)) + raw


def _integer(number: int) -> bytes:
    if number < 1 << 31:
        return b"J" + struct.pack("<i", number)
    return b"\x8a\x08" + struct.pack("<q", number)


def _tuple(numbers: Iterable[int]) -> bytes:
    return b"(" + b"".join(_integer(int(n)) for n in numbers) + b"t"


def _tensor(key: str, shape: tuple[int, ...], dtype: str) -> bytes:
    """Returns the opcodes of one contiguous tensor that fills its storage."""
    count, strides = 1, []
    for n in reversed(shape):
        strides.append(count)
        count *= max(n, 1)
    size = 0 if 0 in shape else count
    storage = b"(" + _text("storage") + f"ctorch\n{_STORAGES[dtype]}\n".encode() + _text(key) + _text("cpu")
    storage += _integer(size) + b"tQ"
    hooks = b"\x89ccollections\nOrderedDict\n)R"
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + storage
        + _integer(0)
        + _tuple(shape)
        + _tuple(reversed(strides))
        + hooks
        + b"tR"
    )


def _write_zip(file: HashingFile, records: Iterable[tuple[str, bytes | np.ndarray]]) -> None:
    """Writes records uncompressed, each beginning at a multiple of 64 bytes; 64-bit sizes where needed."""
    table: list[bytes] = []
    for name, content in records:
        data = contiguous_bytes(content) if isinstance(content, np.ndarray) else memoryview(content)
        raw, start, size = name.encode("utf-8"), file.position, len(data)
        crc = zlib.crc32(data)
        wide = struct.pack("<HHQQ", 1, 16, size, size) if size > 0xFFFFFFFE else b""
        shown = 0xFFFFFFFF if wide else size
        room = -(start + 30 + len(raw) + len(wide) + 4) % _ALIGNMENT
        extra = wide + struct.pack("<HH", 0x4246, room) + b"Z" * room
        header = struct.pack("<4sH", b"PK\3\4", 45) + struct.pack("<2H", 0, 0)
        header += struct.pack("<2H3L2H", 0, _DOS_DATE, crc, shown, shown, len(raw), len(extra))
        file.write(header + raw + extra)
        file.write(data)
        table.append(_table_entry(raw, crc, size, start))
    begin = file.position
    for entry in table:
        file.write(entry)
    _write_end(file, len(table), begin)


def _table_entry(name: bytes, crc: int, size: int, start: int) -> bytes:
    numbers = b"".join(struct.pack("<Q", n) for n in (size, size, start) if n > 0xFFFFFFFE)
    extra = struct.pack("<HH", 1, len(numbers)) + numbers if numbers else b""
    shown, offset = min(size, 0xFFFFFFFF), min(start, 0xFFFFFFFF)
    head = struct.pack("<4s4H", b"PK\1\2", 45, 45, 0, 0)
    head += struct.pack("<2H3L5H2L", 0, _DOS_DATE, crc, shown, shown, len(name), len(extra), 0, 0, 0, 0, offset)
    return head + name + extra


def _write_end(file: HashingFile, count: int, begin: int) -> None:
    end = file.position
    size = end - begin
    if end > 0xFFFFFFFE or count > 0xFFFE:
        file.write(struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, begin))
        file.write(struct.pack("<4sLQL", b"PK\6\7", 0, end, 1))
    shown = min(count, 0xFFFF)
    file.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, shown, shown, min(size, 0xFFFFFFFF), min(begin, 0xFFFFFFFF), 0))
