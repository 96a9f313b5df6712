"""Builds weight files byte by byte, sound and unsound ones, without PyTorch."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from typing import Any, Callable

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
SYSTEM = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
STORAGES = {
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


class Global:
    """A name that pickles as itself: ``Global("os", "system")``."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Call:
    """A call that unpickling would make, its state (for BUILD) set where given."""

    def __init__(self, function: Global, *arguments: Any, state: Any = None) -> None:
        self.function, self.arguments, self.state = function, arguments, state


class Stored:
    """A storage's persistent id."""

    def __init__(self, key: str, dtype: str = "float32", count: int = 0, view: Any = None) -> None:
        self.key, self.dtype, self.count, self.view = key, dtype, count, view


class _Writer(pickle._Pickler):  # type: ignore[name-defined,misc]  # the one in Python: its dispatch can be extended
    legacy = False

    def save(self, obj: Any, save_persistent_id: bool = True) -> Any:
        if isinstance(obj, Global):
            self.write(b"c" + obj.module.encode() + b"\n" + obj.name.encode() + b"\n")
        elif isinstance(obj, Call):
            self.save(obj.function)
            self.save(tuple(obj.arguments))
            self.write(b"R")
            if obj.state is not None:
                self.save(obj.state)
                self.write(b"b")
        elif isinstance(obj, Stored):
            pid = ("storage", Global("torch", STORAGES[obj.dtype]), obj.key, "cpu", obj.count)
            self.save((*pid, obj.view) if self.legacy else pid)
            self.write(b"Q")
        else:
            super().save(obj, save_persistent_id)

    def memoize(self, obj: Any) -> None:
        """Nothing is memoised: these objects are temporary, and their ids come again."""

    def persistent_id(self, obj: Any) -> None:
        return None


def dump(obj: Any, protocol: int = 2, legacy: bool = False) -> bytes:
    """Pickles plain values and the classes above."""
    file = io.BytesIO()
    writer = _Writer(file, protocol)
    writer.legacy = legacy
    writer.fast = True
    writer.dump(obj)
    return file.getvalue()


def tensor(storage: Any, size: tuple[int, ...], stride: tuple[int, ...], offset: int = 0) -> Call:
    """How PyTorch pickles a tensor."""
    rebuild = Global("torch._utils", "_rebuild_tensor_v2")
    return Call(rebuild, storage, offset, size, stride, False, Call(Global("collections", "OrderedDict")))


def strides_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides of a contiguous tensor, in elements."""
    return tuple(int(np.prod(shape[axis + 1 :], dtype=np.int64)) for axis in range(len(shape)))


def state_dict(arrays: dict[str, np.ndarray]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Returns an object to pickle and the storages it speaks of."""
    made: dict[str, Any] = OrderedDict()
    storages: dict[str, bytes] = {}
    for number, (name, array) in enumerate(arrays.items()):
        key = str(number)
        storages[key] = array.tobytes()
        made[name] = tensor(Stored(key, array.dtype.name, array.size), array.shape, strides_of(array.shape))
    return dict(made), storages


def zip_bytes(
    obj: Any,
    storages: dict[str, bytes],
    *,
    method: int = zipfile.ZIP_STORED,
    more: dict[str, bytes] | None = None,
    root: str = "archive",
    raw: bytes | None = None,
) -> bytes:
    """A file of the zip format."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr(f"{root}/data.pkl", dump(obj) if raw is None else raw)
        for key, data in storages.items():
            archive.writestr(f"{root}/data/{key}", data)
        archive.writestr(f"{root}/version", b"3\n")
        for name, data in (more or {}).items():
            archive.writestr(name, data)
    return file.getvalue()


def legacy_bytes(
    obj: Any,
    storages: dict[str, bytes],
    itemsizes: dict[str, int] | None = None,
    *,
    magic: int = MAGIC,
    version: int = 1001,
    system: Any = SYSTEM,
    keys: Any = None,
    counts: Callable[[str, int], int] = lambda key, count: count,
) -> bytes:
    """A file of the older format."""
    parts = [dump(magic), dump(version), dump(system), dump(obj, legacy=True)]
    parts.append(dump(sorted(storages) if keys is None else keys))
    for key in sorted(storages):
        count = len(storages[key]) // (itemsizes or {}).get(key, 4)
        parts.append(struct.pack("<q", counts(key, count)) + storages[key])
    return b"".join(parts)


def safetensors_of(arrays: dict[str, np.ndarray], metadata: dict[str, str] | None = None) -> bytes:
    """A sound safetensors file of float arrays."""
    codes = {"float64": "F64", "float32": "F32", "float16": "F16"}
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    end = 0
    for name, array in arrays.items():
        place = [end, end + array.nbytes]
        header[name] = {"dtype": codes[array.dtype.name], "shape": list(array.shape), "data_offsets": place}
        end += array.nbytes
    return safetensors_bytes(header, b"".join(array.tobytes() for array in arrays.values()))


def safetensors_bytes(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file with this table (text, or bytes as they are)."""
    import json

    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


def plain_zip_bytes(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip file of members given as bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()
