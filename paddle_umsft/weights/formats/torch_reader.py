"""Reads what ``torch.save`` writes, without PyTorch: the zip format, the older one, and plain pickled tensors.

References:
    PyTorch ``torch/serialization.py`` (both formats), ``torch/_utils.py`` (how a tensor is rebuilt),
    https://pytorch.org/docs/stable/notes/serialization.html.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from paddle_umsft.errors import ConversionError
from paddle_umsft.weights.formats.numpy_pickle import NUMPY_NAMES, empty_array
from paddle_umsft.weights.formats.pickle_parts import Budget, Handler, Name, plain_key
from paddle_umsft.weights.formats.unpickle import Unpickler
from paddle_umsft.weights.formats.values import NUMPY_TYPES, Leaf
from paddle_umsft.weights.formats.zip_view import Member, unpack

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_MAX_AXES = 32

_STORAGE_TYPES: dict[str, str] = {
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
_SYSTEM_MODULES = re.compile(
    r"(?:os|posix|nt|sys|builtins|__builtin__|subprocess|shutil|socket|runpy|importlib|ctypes|pty|code|codeop|pickle|"
    r"webbrowser|timeit|pdb|bdb|cProfile|operator|functools|asyncio|multiprocessing)(?:\.|$)"
)
_DTYPE_NAMES = {**{name: name for name in NUMPY_TYPES}, "half": "float16", "float": "float32", "double": "float64"}


class Storage:
    """A run of numbers that tensors are views of.

    Args:
        dtype: Type of its elements.
        count: How many there are, as the pickle says.
        data: Its bytes; None until they are found (the older format puts them behind the pickle).
        root: The storage this one is a part of, and the first element of it (older format only).
    """

    def __init__(
        self, dtype: str, count: int, data: memoryview | None = None, root: tuple[Storage, int] | None = None
    ) -> None:
        self.dtype = dtype
        self.count = count
        self.data = data
        self.root = root

    @property
    def nbytes(self) -> int:
        """Its size in bytes."""
        return self.count * np.dtype(NUMPY_TYPES[self.dtype]).itemsize

    def bytes(self) -> memoryview:
        """Returns its bytes, wherever they lie."""
        if self.root is not None:
            parent, first = self.root
            itemsize = np.dtype(NUMPY_TYPES[parent.dtype]).itemsize
            data = parent.bytes()[first * itemsize : first * itemsize + self.nbytes]
        elif self.data is None:
            raise ValueError("a storage without data")
        else:
            data = self.data
        if len(data) != self.nbytes:
            raise ValueError(f"a storage of {self.nbytes} bytes with {len(data)} in the file")
        return data


class TensorView(Leaf):
    """A tensor as the pickle describes it; ``find`` turns it into an array once the bytes are there."""

    def __init__(self, storage: Storage, offset: Any, size: Any, stride: Any, dtype: str | None = None) -> None:
        super().__init__(None, dtype or storage.dtype)
        self._storage = storage
        for numbers in (size, stride):
            if not isinstance(numbers, (tuple, list)) or len(numbers) > _MAX_AXES:
                raise ValueError("sizes or strides that are no short list")
        self._offset = _whole(offset, "offset")
        self._shape = tuple(_whole(n, "size") for n in size)
        self._stride = tuple(_whole(n, "stride") for n in stride)
        if len(self._shape) != len(self._stride):
            raise ValueError(f"sizes {self._shape[:8]} with strides {self._stride[:8]}")

    def find(self) -> None:
        """Checks that every element lies inside the storage, and makes the array: a view, nothing is copied."""
        kind = np.dtype(NUMPY_TYPES[self.dtype])
        room = self._storage.nbytes // kind.itemsize
        elements = 1
        for n in self._shape:
            elements *= n  # Python integers: no overflow
        last = self._offset + sum((n - 1) * step for n, step in zip(self._shape, self._stride))
        if elements > 0 and last >= room:
            raise ValueError(f"a tensor that reaches to element {last} of a storage of {room}")
        if elements > room:
            raise ValueError(f"a tensor of {elements} elements spread over a storage of {room}")
        if elements == 0:
            self.array = empty_array(self._shape, kind)
            return
        flat = np.frombuffer(self._storage.bytes(), np.uint8)[: room * kind.itemsize].view(kind)
        steps = [step * kind.itemsize for step in self._stride]
        self.array = np.lib.stride_tricks.as_strided(flat[self._offset :], self._shape, steps, writeable=False)


def read_zip(members: Mapping[str, Member], where: Path | str) -> Any:
    """Reads the zip format.

    Args:
        members: Table of the zip file.
        where: The file, for messages.

    Returns:
        The saved object: nested dicts and lists with ``Leaf`` for tensors.

    Raises:
        ConversionError: It is damaged, or holds more than data.
    """
    root = _zip_root(members, where)
    reader = _TorchReader(where)

    def storage(pid: Any) -> Storage:
        dtype, key, count, _ = _split_id(pid)
        if key in reader.storages:
            known = reader.storages[key]
            return known if known.dtype == dtype else Storage(dtype, count, known.bytes())
        member = members.get(f"{root}/data/{key}")
        if member is None:
            raise ValueError(f"storage {key[:40]!r} is missing")
        made = reader.storages[key] = Storage(dtype, count, unpack(member, where, allow_deflate=False))
        return made

    data = unpack(members[f"{root}/data.pkl"], where, allow_deflate=False)
    machine = reader.machine(data, storage)
    tree = machine.load()
    reader.find_tensors(machine)
    return tree


def read_pickle(view: memoryview, where: Path | str) -> tuple[str, Any]:
    """Reads the older format, or a plain pickle of tensors or NumPy arrays (a ``.pdparams``).

    Args:
        view: The whole file.
        where: The file, for messages.

    Returns:
        Container (``torch legacy`` or ``pickle``) and the saved object, as ``read_zip`` gives it.

    Raises:
        ConversionError: It is damaged, or holds more than data.
    """
    reader = _TorchReader(where)
    machine = reader.machine(view, None)
    first = machine.load()
    if type(first) is int and first == LEGACY_MAGIC:
        return "torch legacy", reader.legacy(machine.data, machine.at)
    reader.find_tensors(machine)
    return "pickle", first


class _TorchReader:
    """The state of reading one file: its storages, its tensors, and the closed list of names."""

    def __init__(self, where: Path | str, budget: Budget | None = None, nested: bool = False) -> None:
        self.where = where
        self.budget = budget
        self.storages: dict[str, Storage] = {}
        self.tensors: list[TensorView] = []
        self._nested = nested

    def machine(self, data: memoryview, persistent: Handler | None) -> Unpickler:
        """Returns a reader of pickles for these bytes."""
        self.budget = self.budget or Budget(len(data))
        names = self._names(self.budget)
        return Unpickler(data, self.where, names, persistent=persistent, explain=_explain, budget=self.budget)

    def find_tensors(self, machine: Unpickler) -> None:
        """Gives every tensor its bytes. Raises: ConversionError: some lie outside."""
        try:
            for tensor in self.tensors:
                tensor.find()
        except (ValueError, OverflowError, MemoryError, TypeError) as error:
            raise machine.error(f"damaged: {error}") from None

    def legacy(self, data: memoryview, at: int) -> Any:
        """Reads the older format behind its magic number: header, object, list of storages, their bytes."""
        machine = self.machine(data, self._legacy_storage)
        machine.at = at
        version, system = machine.load(), machine.load()
        if version != _LEGACY_PROTOCOL:
            raise machine.error("wrong protocol number in the older PyTorch format", None)
        if isinstance(system, dict) and system.get("little_endian") is False:
            raise machine.error("written on a big-endian machine, which is not supported")
        tree = machine.load()
        keys = machine.load()
        # Text only, before anything is done with them: what str() makes of a hostile object may have no end.
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or len(set(keys)) != len(keys):
            raise machine.error("damaged: its list of storages is no list of different names")
        try:
            for key in keys:
                self._read_storage(machine, key)
        except (IndexError, struct.error):
            raise machine.error("cut short: a storage ends behind the file") from None
        except (ValueError, KeyError) as error:
            raise machine.error(f"damaged: {error}") from None
        self.find_tensors(machine)
        return tree

    def _read_storage(self, machine: Unpickler, key: str) -> None:
        storage = self.storages.get(key)
        count = machine.number("<q")
        if storage is None or count != storage.count:
            raise ValueError(f"storage {key[:40]!r} is unknown or not of the size the pickle says")
        storage.data = machine.take(storage.nbytes)

    def _legacy_storage(self, pid: Any) -> Storage:
        dtype, key, count, view = _split_id(pid)
        storage = self.storages.setdefault(key, Storage(dtype, count))
        if storage.dtype != dtype or storage.count != count:
            raise ValueError(f"storage {key[:40]!r} described twice, differently")
        if view is None:
            return storage
        if not isinstance(view, tuple) or len(view) != 3:
            raise ValueError("a damaged view of a storage")
        _, first, length = view
        if _whole(first, "offset") + _whole(length, "size") > count:
            raise ValueError("a view that reaches beyond its storage")
        return Storage(dtype, length, root=(storage, first))

    def _names(self, budget: Budget) -> dict[tuple[str, str], Handler | None]:
        names: dict[tuple[str, str], Handler | None] = {
            **NUMPY_NAMES,
            ("collections", "OrderedDict"): lambda pairs=(): _ordered_dict(pairs, budget),
            ("torch._utils", "_rebuild_tensor"): self._tensor,
            ("torch._utils", "_rebuild_tensor_v2"): self._tensor,
            ("torch._utils", "_rebuild_tensor_v3"): self._typed_tensor,
            ("torch._utils", "_rebuild_parameter"): _first_leaf,
            ("torch.nn.parameter", "Parameter"): _first_leaf,
            ("torch", "Size"): _size,
            ("torch", "device"): lambda *_: None,
            ("torch.storage", "_load_from_bytes"): self._nested_storage,
            ("torch.storage", "UntypedStorage"): None,
        }
        names.update({("torch", name): None for name in (*_STORAGE_TYPES, *_DTYPE_NAMES)})
        return names

    def _tensor(self, storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> TensorView:
        if not isinstance(storage, Storage):
            raise TypeError("a tensor without a storage")
        tensor = TensorView(storage, offset, size, stride)
        self.tensors.append(tensor)
        return tensor

    def _typed_tensor(
        self, storage: Any, offset: Any, size: Any, stride: Any, grad: Any, hooks: Any, dtype: Any, *_: Any
    ) -> TensorView:
        if not isinstance(storage, Storage):
            raise TypeError("a tensor without a storage")
        name = _DTYPE_NAMES.get(dtype.name if isinstance(dtype, Name) else "")
        if name is None:
            raise ValueError("a tensor of a type that has no NumPy counterpart")
        tensor = TensorView(storage, offset, size, stride, name)
        self.tensors.append(tensor)
        return tensor

    def _nested_storage(self, data: Any) -> Storage:
        """A plainly pickled tensor carries its storage as a whole file of the older format, one inside the other."""
        if self._nested or not isinstance(data, (memoryview, bytes)):
            raise ValueError("a storage inside a storage")
        inner = _TorchReader(self.where, self.budget, nested=True)
        view = memoryview(data)
        machine = inner.machine(view, None)
        if machine.load() != LEGACY_MAGIC:
            raise ValueError("a storage of an unknown format")
        storage = inner.legacy(view, machine.at)
        if not isinstance(storage, Storage):
            raise TypeError("a storage that is none")
        return storage


def _split_id(pid: Any) -> tuple[str, str, int, Any]:
    """Returns type, key, element count and view of a storage's persistent id. Raises: ValueError: it is none."""
    if isinstance(pid, tuple) and pid and pid[0] == "module":
        raise ValueError("it pickles a whole module with its source code; save its state_dict() instead")
    if not isinstance(pid, tuple) or len(pid) not in (5, 6) or pid[0] != "storage":
        raise ValueError("a persistent id that is no storage")
    kind, key, count = pid[1], pid[2], _whole(pid[4], "size")
    if not isinstance(kind, Name) or kind.name not in _STORAGE_TYPES or not isinstance(key, str):
        raise ValueError("a storage of an unknown type")
    return _STORAGE_TYPES[kind.name], key, count, pid[5] if len(pid) == 6 else None


def _whole(value: Any, what: str) -> int:
    if type(value) is not int or not 0 <= value < 2**62:
        shown = value if type(value) is int else type(value).__name__
        raise ValueError(f"a tensor with {what} {shown}")
    return value


def _ordered_dict(pairs: Any, budget: Budget) -> dict[Any, Any]:
    if not isinstance(pairs, (list, tuple)):
        raise TypeError("an ordered dict made from something that is no list")
    budget.spend(len(pairs))  # one list may be used over and over
    made: dict[Any, Any] = {}
    for key, value in pairs:
        made[plain_key(key)] = value
    return made


def _size(numbers: Any = ()) -> tuple[Any, ...]:
    if not isinstance(numbers, tuple):
        raise TypeError("a size that is no tuple")
    return numbers


def _first_leaf(tensor: Any, *_: Any) -> Leaf:
    if not isinstance(tensor, Leaf):
        raise TypeError("a parameter that is no tensor")
    return tensor


def _zip_root(members: Mapping[str, Member], where: Path | str) -> str:
    """Returns the folder that all of a checkpoint lies in; explains what other zip files are."""
    roots = [name[: -len("/data.pkl")] for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(roots) != 1:
        hint = "a zip file inside a zip file?" if any(name.endswith((".zip", ".pth")) for name in members) else None
        raise ConversionError(
            "a zip file, but no PyTorch checkpoint (no data.pkl in it, or several)", where=where, hint=hint
        )
    root = roots[0]
    if any(name.startswith(f"{root}/code/") for name in members):
        raise ConversionError(
            "a TorchScript program, not a set of weights",
            where=where,
            hint="load it with torch.jit.load where PyTorch is installed and torch.save its state_dict()",
        )
    order = members.get(f"{root}/byteorder")
    if order is not None and bytes(order.data[:8]).strip() != b"little":
        raise ConversionError("written on a big-endian machine, which is not supported", where=where)
    return root


def _explain(module: str, name: str) -> str:
    """Returns what to do about a name that was refused."""
    if _SYSTEM_MODULES.match(module):
        return "nothing of it was executed; do not load this file elsewhere"
    return (
        f"nothing of it was executed; if the file pickles a whole module or other objects along with the weights "
        f"({name[:40]!r}), load it where that code is installed and save the state_dict() alone"
    )
