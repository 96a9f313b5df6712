"""Opens any weight file by what its bytes say, not by its ending."""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import stat
from pathlib import Path
from typing import Any, Union

from paddle_umsft.errors import ConversionError
from paddle_umsft.weights.formats import safetensors_reader, torch_reader
from paddle_umsft.weights.formats.values import Leaf, WeightFile
from paddle_umsft.weights.formats.zip_reader import read_table, unpack

# In our files: what only the published network has.
ASIDE_PREFIX = "published_only/"
# JSON as bytes (uint8), where the format has no place for it.
META_KEY = f"{ASIDE_PREFIX}meta"
# Where PyTorch's zip format keeps files of others.
EXTRA_RECORD = "extra/paddle_umsft.json"

# A zip file begins with a member, or, if it is empty, with its end record.
_ZIP_MAGICS = (b"PK\3\4", b"PK\5\6")
_TAR_MAGIC = b"ustar"
_TAR_MAGIC_AT = 257
# Pickles begin with their protocol (2 and later) or with one of these opcodes: mark, empty list, empty dict, global.
_PICKLE_BEGINNINGS = b"\x80(]}c."
# Metadata of our files have some hundred bytes.
_MAX_METADATA = 1 << 20


def read_weights(path: Union[str, Path]) -> WeightFile:
    """Read a weight file; nothing that it brings is executed.

    Args:
        path: A `.pth` (zip format, the older one, or a plain pickle), `.pdparams` or `.safetensors`.

    Returns:
        Its content. The arrays are views of the file, which stays mapped as long as one of them lives.

    Raises:
        ConversionError: It cannot be read, is damaged, is of another kind, or brings more than data.
    """
    path = Path(path)
    view = map_file(path)
    container, tree, metadata = _read(view, path)
    return WeightFile(
        path=path,
        container=container,
        tree=tree,
        sha256=hashlib.sha256(view).hexdigest(),
        metadata=metadata,
    )


def map_file(path: Path) -> memoryview:
    """Map a file into memory, read only.

    Args:
        path: Where it lies.

    Raises:
        ConversionError: It is missing, empty, or no plain file.
    """
    try:
        with open(path, "rb", opener=_open_plain) as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise ConversionError("an empty file", where=path)
            return memoryview(
                mmap.mmap(
                    file.fileno(),
                    0,
                    access=mmap.ACCESS_READ,
                )
            )
    except FileNotFoundError:
        raise ConversionError("no such file", where=path) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConversionError(f"cannot be read ({reason})", where=path) from None


def _read(view: memoryview, path: Path) -> tuple[str, Any, dict[str, str]]:
    """Return container, tree and metadata of a file, whatever kind it is."""
    if bytes(view[:4]) in _ZIP_MAGICS:
        tree, metadata = _read_zip(view, path)
        return "torch zip", tree, metadata
    if safetensors_reader.looks_like(view):
        tensors, metadata = safetensors_reader.read(view, path)
        return "safetensors", tensors, metadata
    if bytes(view[_TAR_MAGIC_AT : _TAR_MAGIC_AT + len(_TAR_MAGIC)]) == _TAR_MAGIC:
        raise ConversionError(
            "a tar file: PyTorch's format of before 2017, or no checkpoint at all",
            where=path,
            hint="load it where PyTorch is installed and torch.save its state_dict()",
        )
    if view[0] not in _PICKLE_BEGINNINGS:
        raise ConversionError("no weight file (its first bytes belong to none of the known formats)", where=path)
    container, tree = torch_reader.read_pickle(view, path)
    return container, tree, _metadata_in_tree(tree)


def _open_plain(name: str, flags: int) -> int:
    # Without O_NONBLOCK, opening a pipe would wait for a writer for ever. O_BINARY is there on Windows alone.
    flags |= getattr(os, "O_NONBLOCK", 0)
    flags |= getattr(os, "O_BINARY", 0)
    handle = os.open(name, flags)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(None, "it is no plain file")
    return handle


def _read_zip(view: memoryview, path: Path) -> tuple[Any, dict[str, str]]:
    members = read_table(view, path)
    tree = torch_reader.read_zip(members, path)
    for name, member in members.items():
        if name.endswith(f"/{EXTRA_RECORD}"):
            text = unpack(member, path)
            return tree, _strings(bytes(text))
    return tree, {}


def _metadata_in_tree(tree: Any) -> dict[str, str]:
    if not isinstance(tree, dict):
        return {}
    leaf = tree.get(META_KEY)
    if not isinstance(leaf, Leaf) or leaf.array is None or leaf.dtype != "uint8":
        return {}
    return _strings(leaf.array.tobytes())


def _strings(text: bytes) -> dict[str, str]:
    """Return a JSON object's strings; metadata are a courtesy, so what is no such object counts as none."""
    if len(text) > _MAX_METADATA:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str)}
