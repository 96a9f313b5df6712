"""Writes PyTorch's zip format. The standard library's `zipfile` cannot align members, so the zip is written here.

References:
    PyTorch `torch/serialization.py` (`_save`), `caffe2/serialize/inline_container.cc` (alignment of records);
    PKWARE, .ZIP File Format Specification (APPNOTE.TXT) 6.3.10, sections 4.3.7, 4.3.12, 4.3.14-4.3.16, 4.5.3.
"""

from __future__ import annotations

import json
import pickle  # for the opcodes' names alone
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Union

import numpy as np

from paddle_umsft.weights.formats import pickle_writer as write_as
from paddle_umsft.weights.formats.hashing import HashingFile
from paddle_umsft.weights.formats.reader import EXTRA_RECORD
from paddle_umsft.weights.formats.values import contiguous_bytes

# Name -> (values, dtype name as in NUMPY_TYPES; bfloat16 as its bits in uint16).
Tensors = Mapping[str, tuple[np.ndarray, str]]

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
_PROTOCOL = 2
# As PyTorch does it, so that it can map the file into memory.
_ALIGNMENT = 64
# The version of the format that can hold 64-bit sizes: 4.5.
_ZIP_VERSION = 45
# 1980-01-01: zip files must have a date, and it must not change.
_DOS_DATE = (1 << 5) | 1
# The largest numbers that the 32-bit and 16-bit fields hold; one more says that the number stands elsewhere.
_MAX_32 = 0xFFFFFFFE
_ELSEWHERE_32 = 0xFFFFFFFF
_MAX_16 = 0xFFFE
_ELSEWHERE_16 = 0xFFFF
# Kinds of extra fields: 64-bit sizes, and PyTorch's padding.
_EXTRA_WIDE = 1
_EXTRA_PADDING = 0x4246
# A member's header without its name and extra field.
_HEADER_BYTES = 30
# What follows the length field in the 64-bit end record.
_WIDE_END_REST = 44


@dataclass(frozen=True)
class _Written:
    """What the table at the end says of one member.

    Args:
        name: Its name, encoded.
        crc: Checksum of its bytes.
        size: How many there are.
        start: Where its header begins.
    """

    name: bytes
    crc: int
    size: int
    start: int


def write_torch(
    file: HashingFile,
    tensors: Tensors,
    metadata: Mapping[str, str],
) -> None:
    """Write what `torch.load(weights_only=True)` opens: an ordered dict of tensors, in PyTorch's zip format.

    Names that share one array share one storage, as tied parameters do in PyTorch.

    Args:
        file: Where to.
        tensors: Name -> (values, dtype name).
        metadata: Kept as JSON in a record of its own, which PyTorch passes over.
    """
    program, storages = _pickled(tensors)
    text = json.dumps(
        dict(metadata),
        sort_keys=True,
        ensure_ascii=True,
    )
    records: list[tuple[str, Union[bytes, np.ndarray]]] = [
        ("data.pkl", program),
        ("byteorder", b"little"),
    ]
    for key, array in storages.items():
        records.append((f"data/{key}", array))
    records.append(("version", b"3\n"))
    records.append((EXTRA_RECORD, text.encode("ascii")))
    _write_zip(file, records)


def _pickled(tensors: Tensors) -> tuple[bytes, dict[str, np.ndarray]]:
    """Return the pickle of an ordered dict of tensors, and the storages it speaks of."""
    keys: dict[tuple[int, str], str] = {}
    storages: dict[str, np.ndarray] = {}
    program = [pickle.PROTO + struct.pack("<B", _PROTOCOL), _empty_ordered_dict(), pickle.MARK]
    for name, (array, dtype) in tensors.items():
        key = keys.setdefault((id(array), dtype), str(len(keys)))
        storages[key] = array
        program.append(write_as.text(name))
        program.append(_tensor(key, array.shape, dtype))
    program.append(pickle.SETITEMS + pickle.STOP)
    return b"".join(program), storages


def _tensor(
    key: str,
    shape: tuple[int, ...],
    dtype: str,
) -> bytes:
    """Return the opcodes of one contiguous tensor that fills its storage."""
    count = 1
    strides: list[int] = []
    for size in reversed(shape):
        strides.insert(0, count)
        # As PyTorch counts: an empty axis does not make the strides before it zero.
        count *= max(size, 1)
    if 0 in shape:
        count = 0
    no_gradient = pickle.NEWFALSE
    no_hooks = _empty_ordered_dict()
    # _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks)
    pieces = [
        write_as.global_name("torch._utils", "_rebuild_tensor_v2"),
        pickle.MARK,
        _storage(key, dtype, count),
        write_as.integer(0),
        write_as.integers(shape),
        write_as.integers(strides),
        no_gradient,
        no_hooks,
        pickle.TUPLE,
        pickle.REDUCE,
    ]
    return b"".join(pieces)


def _storage(
    key: str,
    dtype: str,
    count: int,
) -> bytes:
    """Return the opcodes of a storage's persistent id: ("storage", type, key, device, count)."""
    pieces = [
        pickle.MARK,
        write_as.text("storage"),
        write_as.global_name("torch", _STORAGES[dtype]),
        write_as.text(key),
        # Where it lay; readers put it where they like.
        write_as.text("cpu"),
        write_as.integer(count),
        pickle.TUPLE,
        pickle.BINPERSID,
    ]
    return b"".join(pieces)


def _empty_ordered_dict() -> bytes:
    name = write_as.global_name("collections", "OrderedDict")
    return name + pickle.EMPTY_TUPLE + pickle.REDUCE


def _write_zip(file: HashingFile, records: Iterable[tuple[str, Union[bytes, np.ndarray]]]) -> None:
    """Write records uncompressed, each beginning at a multiple of 64 bytes; 64-bit sizes where needed."""
    written: list[_Written] = []
    for name, content in records:
        if isinstance(content, np.ndarray):
            data = contiguous_bytes(content)
        else:
            data = memoryview(content)
        member = _Written(
            name=f"archive/{name}".encode(),
            crc=zlib.crc32(data),
            size=len(data),
            start=file.position,
        )
        file.write(_member_header(member))
        file.write(data)
        written.append(member)
    begin = file.position
    for member in written:
        file.write(_table_entry(member))
    _write_end(file, len(written), begin)


def _member_header(member: _Written) -> bytes:
    """Return a member's header, padded so that its data begin at a multiple of 64 bytes."""
    wide = b""
    size = member.size
    if member.size > _MAX_32:
        wide = _extra(_EXTRA_WIDE, struct.pack("<2Q", member.size, member.size))
        size = _ELSEWHERE_32
    padding_header = len(_extra(_EXTRA_PADDING, b""))
    before_padding = member.start + _HEADER_BYTES + len(member.name) + len(wide) + padding_header
    padding = b"Z" * (-before_padding % _ALIGNMENT)
    extra = wide + _extra(_EXTRA_PADDING, padding)
    pieces = [
        # magic, version, flags, method (stored)
        struct.pack("<4s3H", b"PK\3\4", _ZIP_VERSION, 0, 0),
        # time, date
        struct.pack("<2H", 0, _DOS_DATE),
        # checksum, packed size, size
        struct.pack("<3L", member.crc, size, size),
        # lengths of the name and of the extra field
        struct.pack("<2H", len(member.name), len(extra)),
        member.name,
        extra,
    ]
    return b"".join(pieces)


def _table_entry(member: _Written) -> bytes:
    """Return what the table at the end says of a member."""
    wide = b""
    for number in (member.size, member.size, member.start):
        if number > _MAX_32:
            wide += struct.pack("<Q", number)
    extra = b""
    if wide:
        extra = _extra(_EXTRA_WIDE, wide)
    size = min(member.size, _ELSEWHERE_32)
    start = min(member.start, _ELSEWHERE_32)
    pieces = [
        # magic, version made by, version needed, flags, method
        struct.pack("<4s4H", b"PK\1\2", _ZIP_VERSION, _ZIP_VERSION, 0, 0),
        # time, date
        struct.pack("<2H", 0, _DOS_DATE),
        # checksum, packed size, size
        struct.pack("<3L", member.crc, size, size),
        # lengths of name, extra field and comment
        struct.pack("<3H", len(member.name), len(extra), 0),
        # disk, attributes inside and outside
        struct.pack("<2HL", 0, 0, 0),
        # where the member begins
        struct.pack("<L", start),
        member.name,
        extra,
    ]
    return b"".join(pieces)


def _extra(kind: int, content: bytes) -> bytes:
    return struct.pack("<2H", kind, len(content)) + content


def _write_end(
    file: HashingFile,
    count: int,
    begin: int,
) -> None:
    """Write the record that says where the table is, before it a 64-bit one where the numbers do not fit."""
    end = file.position
    size = end - begin
    if end > _MAX_32 or count > _MAX_16:
        # magic, length of the rest, versions, disks, members on this disk and on all, size and place of the table
        record = struct.pack("<4sQ2H", b"PK\6\6", _WIDE_END_REST, _ZIP_VERSION, _ZIP_VERSION)
        record += struct.pack("<2L4Q", 0, 0, count, count, size, begin)
        # magic, disk, place of that record, number of disks
        locator = struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
        file.write(record + locator)
    shown_count = min(count, _ELSEWHERE_16)
    shown_size = min(size, _ELSEWHERE_32)
    shown_begin = min(begin, _ELSEWHERE_32)
    # magic, disks, members on this disk and on all, size and place of the table, no comment
    record = struct.pack("<4s4H", b"PK\5\6", 0, 0, shown_count, shown_count)
    record += struct.pack("<2LH", shown_size, shown_begin, 0)
    file.write(record)
