"""numpy's .npy: one array without a name. Pickled objects are never loaded.

What an array cannot say of itself stands in an ENVI header beside it, `x.npy.hdr`, as the package writes it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import IO, Literal, Optional

import numpy as np

from paddle_umsft.data.readers.base import GLANCE, RawArray, Request, guarded, stand_in
from paddle_umsft.data.readers.envi_header import HEADER_SUFFIX, facts_of, is_envi, parse_header
from paddle_umsft.data.readers.room import check_room
from paddle_umsft.data.readers.single import IMAGE_AXES, FileBlock, is_exact, read_stored, stored_order
from paddle_umsft.errors import DataError

# Larger arrays stay on the disk after a glance.
MANY_BYTES = 1_000_000_000


def read_npy(file: Path, request: Request) -> RawArray:
    """Read the array of a .npy file, and the header beside it.

    Raises:
        DataError: Not readable.
    """
    # Of a part the axes are not known yet: the whole stays on the disk until whoever asked has cut it. After a glance
    # all of it is used, and a small one is read at once.
    mode: Optional[Literal["r"]] = None
    is_part = request.window not in (None, GLANCE)
    is_large = request.window is not None and file.stat().st_size > MANY_BYTES
    if is_part or is_large:
        mode = "r"
    shape, dtype = _head_without_objects(file)
    stored: Optional[np.dtype] = None
    if request.is_head:
        values = stand_in(shape, dtype)
    elif request.is_single and request.window is None and len(shape) == IMAGE_AXES and is_exact(dtype):
        stored = dtype
        check_room(file, shape, np.float32)
        values = guarded(file, ".npy file", lambda: _single(file, shape, request))
    else:
        if mode is None:
            check_room(file, shape, dtype)
        values = guarded(file, ".npy file", lambda: np.load(file, mmap_mode=mode, allow_pickle=False))
    found = RawArray(values=values, stored=stored)
    header = file.with_name(file.name + HEADER_SUFFIX)
    if not header.is_file() or not is_envi(header):
        return found
    return _described(found, header)


def _head_without_objects(file: Path) -> tuple[tuple[int, ...], np.dtype]:
    """Return shape and type of an array that is none of Python objects, which could run anything when loaded.

    Raises:
        DataError: It is one; or its head cannot be read.
    """
    with file.open("rb") as stream:
        shape, dtype = guarded(file, ".npy file", lambda: npy_head(stream))
    if dtype.hasobject:
        raise DataError(
            "an array of Python objects",
            where=file,
            expected="numbers",
            hint="np.save(file, np.stack(list(array)).astype(float)) where it was made",
        )
    return shape, dtype


def npy_head(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """Read shape and type of an array from the head of its .npy."""
    version = np.lib.format.read_magic(stream)
    # Version 1.0 counts the header's length in two bytes; later ones, for long headers, in four.
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    else:
        shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    return shape, dtype


def _single(file: Path, shape: tuple[int, ...], request: Request) -> np.ndarray:
    """Read an array of three axes into float32, in the order rows, columns, bands where that can be told."""
    order = stored_order(shape, request.layout, request.bands)
    block = FileBlock(rows=1, bands=shape[order[2]])
    if np.load(file, mmap_mode="r", allow_pickle=False).flags.f_contiguous:
        # Its last axis is the slowest one.
        block = FileBlock(rows=shape[order[0]], bands=1)

    def load(part: tuple[slice, ...]) -> np.ndarray:
        # Mapped anew each time: what was touched counts as this process's memory as long as it is mapped.
        whole = np.load(file, mmap_mode="r", allow_pickle=False)
        return np.asarray(whole[part])

    return read_stored(shape, order, block, load)


def _described(found: RawArray, header: Path) -> RawArray:
    """Add what a header says, if it is of an image of this size: rows, columns, bands."""
    fields = parse_header(header)
    told = tuple(fields.get(name, "") for name in ("lines", "samples", "bands"))
    held = tuple(str(length) for length in found.values.shape)
    if told != held:
        note = f"{header.name} is not used: it is of {' x '.join(told)} numbers, the array of {' x '.join(held)}"
        return replace(found, notes=(note,))
    dtype = found.values.dtype
    if found.stored is not None:
        dtype = found.stored
    facts, notes = facts_of(
        fields,
        header,
        found.values.shape[2],
        dtype,
    )
    return replace(
        found,
        is_upright=True,
        facts=facts,
        notes=notes,
    )
