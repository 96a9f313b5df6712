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
from paddle_umsft.weights.formats import npz_io, safetensors_io, torch_reader
from paddle_umsft.weights.formats.values import Leaf, WeightFile
from paddle_umsft.weights.formats.zip_view import Member, read_table, unpack

ASIDE_PREFIX = "published_only/"  # in our files: what only the published network has
META_KEY = ASIDE_PREFIX + "meta"  # JSON as bytes (uint8), where the format has no place for it
EXTRA_RECORD = "extra/paddle_umsft.json"  # where PyTorch's zip format keeps files of others


def read_weights(path: Union[str, Path]) -> WeightFile:
    """Reads a weight file; nothing that it brings is executed.

    Args:
        path: A ``.pth`` (zip format, the older one, or a plain pickle), ``.pdparams``, ``.safetensors`` or ``.npz``.

    Returns:
        Its content. The arrays are views of the file, which stays mapped as long as one of them lives.

    Raises:
        ConversionError: It cannot be read, is damaged, is of another kind, or brings more than data.
    """
    path = Path(path)
    view = map_file(path)
    digest = hashlib.sha256(view).hexdigest()
    metadata: dict[str, str] = {}
    tree: Any
    if bytes(view[:4]) in (b"PK\3\4", b"PK\5\6"):
        container, tree, metadata = _read_zip(view, path)
    elif safetensors_io.looks_like(view):
        container = "safetensors"
        tree, metadata = safetensors_io.read(view, path)
    elif bytes(view[257:262]) == b"ustar":
        raise ConversionError(
            "a tar file: PyTorch's format of before 2017, or no checkpoint at all",
            where=path,
            hint="load it where PyTorch is installed and torch.save its state_dict()",
        )
    elif view[0] not in b"\x80(]}c.":
        raise ConversionError("no weight file (its first bytes belong to none of the known formats)", where=path)
    else:
        container, tree = torch_reader.read_pickle(view, path)
        metadata = _metadata_in_tree(tree)
    return WeightFile(path, container, tree, digest, metadata)


def map_file(path: Path) -> memoryview:
    """Maps a file into memory, read only. Raises: ConversionError: it is missing, empty, or no plain file."""
    try:
        with open(path, "rb", opener=_open_plain) as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise ConversionError("an empty file", where=path)
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except FileNotFoundError:
        raise ConversionError("no such file", where=path) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConversionError(f"cannot be read ({reason})", where=path) from None


def _open_plain(name: str, flags: int) -> int:
    # Without O_NONBLOCK, opening a pipe would wait for a writer for ever.
    handle = os.open(name, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(None, "it is no plain file")
    return handle


def _read_zip(view: memoryview, path: Path) -> tuple[str, Any, dict[str, str]]:
    members = read_table(view, path)
    if members and all(name.endswith(".npy") for name in members):
        return "npz", npz_io.read(members, path), {}
    tree = torch_reader.read_zip(members, path)
    for name, member in members.items():
        if name.endswith("/" + EXTRA_RECORD):
            return "torch zip", tree, _strings(_extra(member, path))
    return "torch zip", tree, {}


def _extra(member: Member, path: Path) -> bytes:
    return bytes(unpack(member, path, allow_deflate=False))


def _metadata_in_tree(tree: Any) -> dict[str, str]:
    leaf = tree.get(META_KEY) if isinstance(tree, dict) else None
    if not isinstance(leaf, Leaf) or leaf.array is None or leaf.dtype != "uint8":
        return {}
    return _strings(leaf.array.tobytes())


def _strings(text: bytes) -> dict[str, str]:
    """Returns a JSON object's strings; metadata are a courtesy, so what is no such object counts as none."""
    if len(text) > 1 << 20:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str)}
