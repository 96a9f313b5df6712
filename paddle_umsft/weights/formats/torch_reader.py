"""Reads what `torch.save` writes, without PyTorch: the zip format, the older one, and plain pickled tensors.

References:
    PyTorch `torch/serialization.py` (both formats), `torch/_utils.py` (how a tensor is rebuilt),
    https://pytorch.org/docs/stable/notes/serialization.html.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional, Union

from paddle_umsft.errors import ConversionError
from paddle_umsft.weights.formats.numpy_pickle import NUMPY_NAMES
from paddle_umsft.weights.formats.opcodes import OPCODES
from paddle_umsft.weights.formats.pickle_parts import Budget, Handler, ListedName, plain_key
from paddle_umsft.weights.formats.torch_storage import STORAGE_TYPES, Storage, TensorView, split_id, whole_number
from paddle_umsft.weights.formats.unpickle import Unpickler
from paddle_umsft.weights.formats.values import NUMPY_TYPES, Leaf
from paddle_umsft.weights.formats.zip_reader import Member, unpack

# The older format begins with these two numbers, each a pickle of its own.
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
# A view of a storage in the older format: (key, first element, length).
_VIEW_PARTS = 3
# How much of a foreign name goes into a message.
_SHOWN = 40

_SYSTEM_MODULES = re.compile(
    r"(?:os|posix|nt|sys|builtins|__builtin__|subprocess|shutil|socket|runpy|importlib|ctypes|pty|code|codeop|pickle|"
    r"webbrowser|timeit|pdb|bdb|cProfile|operator|functools|asyncio|multiprocessing)(?:\.|$)"
)
# What PyTorch calls its types -> ours.
_DTYPE_NAMES = {
    **{name: name for name in NUMPY_TYPES},
    "half": "float16",
    "float": "float32",
    "double": "float64",
}


def read_zip(members: Mapping[str, Member], where: Union[Path, str]) -> Any:
    """Read the zip format.

    Args:
        members: Table of the zip file.
        where: The file, for messages.

    Returns:
        The saved object: nested dicts and lists with `Leaf` for tensors.

    Raises:
        ConversionError: It is damaged, or holds more than data.
    """
    root = _zip_root(members, where)
    reader = _TorchReader(where)

    def storage(pid: Any) -> Storage:
        dtype, key, count, _ = split_id(pid)
        known = reader.storages.get(key)
        if known is not None:
            if known.dtype == dtype:
                return known
            # The same bytes, looked at as another type.
            return Storage(
                dtype,
                count,
                data=known.bytes(),
            )
        member = members.get(f"{root}/data/{key}")
        if member is None:
            raise ValueError(f"storage {key[:_SHOWN]!r} is missing")
        made = Storage(
            dtype,
            count,
            data=unpack(member, where),
        )
        reader.storages[key] = made
        return made

    program = unpack(members[f"{root}/data.pkl"], where)
    machine = reader.machine(program, storage)
    tree = machine.load()
    reader.find_tensors(machine)
    return tree


def read_pickle(view: memoryview, where: Union[Path, str]) -> tuple[str, Any]:
    """Read the older format, or a plain pickle of tensors or NumPy arrays (a `.pdparams`).

    Args:
        view: The whole file.
        where: The file, for messages.

    Returns:
        Container (`torch legacy` or `pickle`) and the saved object, as `read_zip` gives it.

    Raises:
        ConversionError: It is damaged, or holds more than data.
    """
    reader = _TorchReader(where)
    machine = reader.machine(view, None)
    first = machine.load()
    if type(first) is int and first == _LEGACY_MAGIC:
        return "torch legacy", reader.legacy(machine.data, machine.at)
    reader.find_tensors(machine)
    return "pickle", first


class _TorchReader:
    """The state of reading one file: its storages, its tensors, and the closed list of names.

    Args:
        where: The file, for messages.
        budget: Of the file that this one is inside of.
        nested: Whether this file is a storage of another one.
    """

    def __init__(
        self,
        where: Union[Path, str],
        budget: Optional[Budget] = None,
        *,
        nested: bool = False,
    ) -> None:
        self.where = where
        self.budget = budget
        self.storages: dict[str, Storage] = {}
        self.tensors: list[TensorView] = []
        self._nested = nested

    def machine(self, data: memoryview, persistent: Optional[Handler]) -> Unpickler:
        """Return a reader of pickles for these bytes."""
        self.budget = self.budget or Budget(len(data))
        return Unpickler(
            data,
            self.where,
            self._names(self.budget),
            opcodes=OPCODES,
            persistent=persistent,
            explain=_explain,
            budget=self.budget,
        )

    def find_tensors(self, machine: Unpickler) -> None:
        """Give every tensor its bytes.

        Raises:
            ConversionError: Some lie outside.
        """
        try:
            for tensor in self.tensors:
                tensor.find()
        except (ValueError, OverflowError, MemoryError, TypeError) as error:
            raise machine.error(f"damaged: {error}") from None

    def legacy(self, data: memoryview, at: int) -> Any:
        """Read the older format behind its magic number: header, object, list of storages, their bytes."""
        machine = self.machine(data, self._legacy_storage)
        machine.at = at
        version = machine.load()
        system = machine.load()
        if version != _LEGACY_PROTOCOL:
            raise machine.error("wrong protocol number in the older PyTorch format")
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
            raise ValueError(f"storage {key[:_SHOWN]!r} is unknown or not of the size the pickle says")
        storage.data = machine.take(storage.nbytes)

    def _legacy_storage(self, pid: Any) -> Storage:
        dtype, key, count, view = split_id(pid)
        storage = self.storages.setdefault(key, Storage(dtype, count))
        if storage.dtype != dtype or storage.count != count:
            raise ValueError(f"storage {key[:_SHOWN]!r} described twice, differently")
        if view is None:
            return storage
        if not isinstance(view, tuple) or len(view) != _VIEW_PARTS:
            raise ValueError("a damaged view of a storage")
        _, first, length = view
        end = whole_number(first, "offset") + whole_number(length, "size")
        if end > count:
            raise ValueError("a view that reaches beyond its storage")
        return Storage(
            dtype,
            length,
            root=(storage, first),
        )

    def _names(self, budget: Budget) -> dict[tuple[str, str], Optional[Handler]]:
        names: dict[tuple[str, str], Optional[Handler]] = {
            **NUMPY_NAMES,
            ("collections", "OrderedDict"): lambda pairs=(): _ordered_dict(pairs, budget),
            ("torch._utils", "_rebuild_tensor"): self._tensor,
            ("torch._utils", "_rebuild_tensor_v2"): self._tensor,
            ("torch._utils", "_rebuild_tensor_v3"): self._typed_tensor,
            ("torch._utils", "_rebuild_parameter"): _first_leaf,
            ("torch.nn.parameter", "Parameter"): _first_leaf,
            ("torch", "Size"): _size,
            ("torch", "device"): _device,
            ("torch.storage", "_load_from_bytes"): self._nested_storage,
            ("torch.storage", "UntypedStorage"): None,
        }
        for name in (*STORAGE_TYPES, *_DTYPE_NAMES):
            names["torch", name] = None
        return names

    def _tensor(self, storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> TensorView:
        return self._keep_tensor(storage, offset, size, stride, None)

    def _typed_tensor(
        self,
        storage: Any,
        offset: Any,
        size: Any,
        stride: Any,
        grad: Any,
        hooks: Any,
        dtype: Any,
        *_: Any,
    ) -> TensorView:
        name = None
        if isinstance(dtype, ListedName):
            name = _DTYPE_NAMES.get(dtype.name)
        if name is None and isinstance(storage, Storage):
            raise ValueError("a tensor of a type that has no NumPy counterpart")
        return self._keep_tensor(storage, offset, size, stride, name)

    def _keep_tensor(
        self,
        storage: Any,
        offset: Any,
        size: Any,
        stride: Any,
        dtype: Optional[str],
    ) -> TensorView:
        if not isinstance(storage, Storage):
            raise TypeError("a tensor without a storage")
        tensor = TensorView(storage, offset, size, stride, dtype)
        self.tensors.append(tensor)
        return tensor

    def _nested_storage(self, data: Any) -> Storage:
        """Read the storage of a plainly pickled tensor: a whole file of the older format, inside the other."""
        if self._nested or not isinstance(data, (memoryview, bytes)):
            raise ValueError("a storage inside a storage")
        inner = _TorchReader(
            self.where,
            self.budget,
            nested=True,
        )
        view = memoryview(data)
        machine = inner.machine(view, None)
        if machine.load() != _LEGACY_MAGIC:
            raise ValueError("a storage of an unknown format")
        storage = inner.legacy(view, machine.at)
        if not isinstance(storage, Storage):
            raise TypeError("a storage that is none")
        return storage


def _ordered_dict(pairs: Any, budget: Budget) -> dict[Any, Any]:
    if not isinstance(pairs, (list, tuple)):
        raise TypeError("an ordered dict made from something that is no list")
    # One list may be used over and over.
    budget.spend(len(pairs))
    made: dict[Any, Any] = {}
    for key, value in pairs:
        made[plain_key(key)] = value
    return made


def _size(numbers: Any = ()) -> tuple[Any, ...]:
    if not isinstance(numbers, tuple):
        raise TypeError("a size that is no tuple")
    return numbers


def _device(*_: Any) -> None:
    """Where a tensor lay says nothing about what it holds."""


def _first_leaf(tensor: Any, *_: Any) -> Leaf:
    if not isinstance(tensor, Leaf):
        raise TypeError("a parameter that is no tensor")
    return tensor


def _zip_root(members: Mapping[str, Member], where: Union[Path, str]) -> str:
    """Return the folder that all of a checkpoint lies in; explain what other zip files are."""
    roots = []
    for name in members:
        folder, _, rest = name.partition("/")
        if rest == "data.pkl":
            roots.append(folder)
    if len(roots) != 1:
        raise ConversionError(
            "a zip file, but no PyTorch checkpoint (no data.pkl in it, or several)",
            where=where,
            hint=_explain_zip(members),
        )
    root = roots[0]
    if any(name.startswith(f"{root}/code/") for name in members):
        raise ConversionError(
            "a TorchScript program, not a set of weights",
            where=where,
            hint="load it with torch.jit.load where PyTorch is installed and torch.save its state_dict()",
        )
    order = members.get(f"{root}/byteorder")
    # "little" or "big", and no more is looked at.
    if order is not None and bytes(order.data[:8]).strip() != b"little":
        raise ConversionError("written on a big-endian machine, which is not supported", where=where)
    return root


def _explain_zip(members: Mapping[str, Member]) -> Optional[str]:
    """Return what a zip file without a checkpoint may be."""
    if any(name.endswith((".zip", ".pth")) for name in members):
        return "a zip file inside a zip file?"
    if members and all(name.endswith(".npy") for name in members):
        makes_another = "pickle.dump(dict(numpy.load(FILE)), open(OTHER, 'wb'), 4)"
        return f"NumPy's .npz is not read; {makes_another} makes a file that is"
    return None


def _explain(module: str, name: str) -> str:
    """Return what to do about a name that was refused."""
    if _SYSTEM_MODULES.match(module):
        return "nothing of it was executed; do not load this file elsewhere"
    return (
        f"nothing of it was executed; if the file pickles a whole module or other objects along with the weights "
        f"({name[:_SHOWN]!r}), load it where that code is installed and save the state_dict() alone"
    )
