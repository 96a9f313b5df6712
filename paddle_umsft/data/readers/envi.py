"""ENVI images: a text header (.hdr) beside a file of raw numbers. Either of the two may be given."""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np

from paddle_umsft.data.readers.base import GLANCE, RawArray, Request, ValuesNeeded, Window, guarded
from paddle_umsft.data.readers.envi_header import HEADER_SUFFIX, facts_of, find_data, find_header, parse_header
from paddle_umsft.data.readers.gdal import if_gdal_knows
from paddle_umsft.data.readers.room import check_room
from paddle_umsft.data.readers.single import FileBlock, is_exact, read_single
from paddle_umsft.data.readers.windows import as_part, within
from paddle_umsft.errors import DataError
from paddle_umsft.machine.numbers import whole_number

# ENVI's numbers of its types; 6 and 9 are complex.
TYPES = {
    "1": "u1",
    "2": "i2",
    "3": "i4",
    "4": "f4",
    "5": "f8",
    "12": "u2",
    "13": "u4",
    "14": "i8",
    "15": "u8",
}
COMPLEX_TYPES = ("6", "9")
# `byte order`: 0 is the PC's.
BYTE_ORDERS = {"0": "<", "1": ">"}


@dataclass(frozen=True)
class _Layout:
    """How the numbers lie in the data file.

    Attributes:
        lines: H.
        samples: W.
        bands: C.
        offset: Bytes before the first number.
        dtype: Of the numbers, with their byte order.
        interleave: "bsq", "bil" or "bip".
        is_packed: The numbers are compressed by gzip.
    """

    lines: int
    samples: int
    bands: int
    offset: int
    dtype: np.dtype
    interleave: str
    is_packed: bool

    @property
    def bytes(self) -> int:
        """Bytes of the image itself."""
        return self.lines * self.samples * self.bands * self.dtype.itemsize

    def upright(self, stored: np.ndarray) -> np.ndarray:
        """Return (H, W, C) of the numbers as they lie in the file, one after the other."""
        if self.interleave == "bip":
            return np.reshape(stored, (self.lines, self.samples, self.bands))
        if self.interleave == "bil":
            by_line = np.reshape(stored, (self.lines, self.bands, self.samples))
            return np.moveaxis(
                by_line,
                1,
                2,
            )  # (H, W, C)
        by_band = np.reshape(stored, (self.bands, self.lines, self.samples))
        return np.moveaxis(
            by_band,
            0,
            2,
        )  # (H, W, C)


def read_envi(file: Path, request: Request) -> RawArray:
    """Read an ENVI image: rows, columns, bands by its own header, and all that the header says beside.

    Args:
        file: The header or the data file.
        request: Its window; an image has no name.

    Raises:
        DataError: No header, no data, or the two do not fit.
    """
    if file.suffix.lower() == HEADER_SUFFIX:
        header = file
        fields = parse_header(header)
        data = find_data(header)
    else:
        beside = find_header(file)
        if beside is None:
            # ERDAS Imagine's .img, ESRI's .bil and others are called so as well.
            other = if_gdal_knows(file, request)
            if other is not None:
                return other
            raise DataError(
                "raw numbers without their ENVI header",
                where=file,
                expected=f"{file.name}{HEADER_SUFFIX} or {file.stem}{HEADER_SUFFIX} beside it",
                hint="without it nobody can tell size, type and order of the numbers",
            )
        header = beside
        data = file
        fields = parse_header(header)
    _refuse_library(fields, header)
    layout, notes = _layout_of(fields, header)
    if request.is_head and layout.is_packed:
        raise ValuesNeeded("packed: what is in it shows once it is read", where=data)
    notes += _more_than_said(data, layout)
    facts, told = facts_of(
        fields,
        header,
        layout.bands,
        layout.dtype,
    )
    stored: Optional[np.dtype] = None
    if request.is_single and request.window != GLANCE and is_exact(layout.dtype) and not layout.is_packed:
        stored = layout.dtype.newbyteorder("=")
    values = guarded(
        data,
        "ENVI image",
        lambda: _load(data, layout, request.window, is_single=stored is not None),
    )
    found = RawArray(
        values=values,
        is_upright=True,
        facts=facts,
        notes=notes + told,
        stored=stored,
    )
    return as_part(found, request.window, (layout.lines, layout.samples))


def _refuse_library(fields: dict[str, str], header: Path) -> None:
    """Refuse spectra without an image: a library has one a row, its bands along the columns.

    Raises:
        DataError: It is one.
    """
    if "spectral library" in fields.get("file type", "").lower():
        raise DataError(
            "a spectral library",
            where=header,
            expected="an image",
            got=f"file type = {fields['file type']}",
        )


def _more_than_said(data: Path, layout: _Layout) -> tuple[str, ...]:
    """Return a note where a data file is longer than its header promises: a number in the header may be wrong."""
    rest = data.stat().st_size - layout.offset - layout.bytes
    if layout.is_packed or rest <= 0:
        return ()
    return (
        f"{data.name}: {rest} bytes more than {layout.lines}x{layout.samples}x{layout.bands} {layout.dtype.name}: are "
        "lines, samples, bands and data type of its header right?",
    )


def _layout_of(fields: dict[str, str], header: Path) -> tuple[_Layout, tuple[str, ...]]:
    """Return how the numbers lie, and a note on what the header leaves out.

    Raises:
        DataError: A size is missing or no number, or the type is none that can be read.
    """
    kind = fields.get("data type", "")
    if kind in COMPLEX_TYPES:
        raise DataError(
            "type of the values",
            where=header,
            expected="real numbers",
            got=f"data type {kind} (complex)",
        )
    if kind not in TYPES:
        raise DataError(
            "field 'data type'",
            where=header,
            expected=f"one of {', '.join(TYPES)}",
            got=repr(kind),
        )
    notes: tuple[str, ...] = ()
    # Headers by other programs than ENVI leave out what is usual.
    order = fields.get("byte order", "")
    if order not in BYTE_ORDERS:
        order = "0"
        notes += (f"{header.name}: no byte order, read as 0 (little-endian)",)
    interleave = fields.get("interleave", "").lower()
    if interleave not in ("bsq", "bil", "bip"):
        # In a single band all three are one.
        if (
            _whole(
                fields,
                "bands",
                header,
            )
            > 1
        ):
            raise DataError(
                "field 'interleave'",
                where=header,
                expected="bsq, bil or bip",
                got=repr(interleave),
            )
        interleave = "bsq"
    offset = 0
    if fields.get("header offset"):
        offset = _whole(
            fields,
            "header offset",
            header,
            smallest=0,
        )
    layout = _Layout(
        lines=_whole(
            fields,
            "lines",
            header,
        ),
        samples=_whole(
            fields,
            "samples",
            header,
        ),
        bands=_whole(
            fields,
            "bands",
            header,
        ),
        offset=offset,
        dtype=np.dtype(BYTE_ORDERS[order] + TYPES[kind]),
        interleave=interleave,
        is_packed=fields.get("file compression", "") == "1",
    )
    return layout, notes


def _whole(
    fields: dict[str, str],
    name: str,
    header: Path,
    *,
    smallest: int = 1,
) -> int:
    """Return a whole number of the header."""
    # "16.0" is how some programs write a count.
    text = fields.get(name, "").removesuffix(".0")
    number = whole_number(text)
    if number is not None and number >= smallest:
        return number
    raise DataError(
        f"field {name!r}",
        where=header,
        expected=f"a whole number from {smallest} on",
        got=repr(text),
    )


def _load(
    data: Path,
    layout: _Layout,
    window: Optional[Window],
    *,
    is_single: bool = False,
) -> np.ndarray:
    """Read the numbers as (H, W, C) in the machine's own byte order.

    Args:
        data: The file of numbers.
        layout: How they lie in it.
        window: The part that is wanted; None: all of it.
        is_single: As float32, a few rows at a time; not of packed ones.

    Raises:
        DataError: The file holds less than the header promises.
    """
    size = (layout.lines, layout.samples, layout.bands)
    if layout.is_packed:
        check_room(data, size, layout.dtype)
        behind = io.BytesIO(data.read_bytes()[layout.offset :])
        # No more than the header promises: zeros pack a thousand to one.
        with gzip.GzipFile(fileobj=behind) as stream:
            packed = stream.read(layout.bytes)
        found = len(packed)
    else:
        packed = b""
        found = data.stat().st_size - layout.offset
    if found < layout.bytes:
        raise DataError(
            "cut short: the header promises more than the data file holds",
            where=data,
            expected=f"{layout.bytes} bytes ({layout.lines}x{layout.samples}x{layout.bands} {layout.dtype.name})",
            got=f"{max(found, 0)} bytes",
            hint="copy the data file again, or mend lines, samples, bands, data type or header offset in the header",
        )
    if is_single:
        return _load_single(data, layout, window or (0, 0, layout.lines, layout.samples))
    count = layout.lines * layout.samples * layout.bands
    if layout.is_packed:
        stored = np.frombuffer(
            packed,
            layout.dtype,
            count,
        )
    elif window is None:
        check_room(data, size, layout.dtype)
        stored = np.fromfile(
            data,
            layout.dtype,
            count,
            offset=layout.offset,
        )
    else:
        # Stays on the disk but for the pages that the window touches.
        stored = np.memmap(
            data,
            layout.dtype,
            mode="r",
            offset=layout.offset,
            shape=(count,),
        )
    upright = layout.upright(stored)
    if window is not None:
        rows, columns = within(window, (layout.lines, layout.samples), data)
        # A copy: what stays mapped cannot be written to, nor its file replaced on some systems.
        upright = np.array(upright[rows, columns])
    # In one block, bands last, in the machine's own byte order.
    return np.ascontiguousarray(upright, dtype=layout.dtype.newbyteorder("="))


def _load_single(data: Path, layout: _Layout, window: Window) -> np.ndarray:
    """Read a part of the image, whose file is long enough, as (H, W, C) float32."""
    rows, columns = within(window, (layout.lines, layout.samples), data)
    shape = (window[2], window[3], layout.bands)
    check_room(data, shape, np.float32)
    count = layout.lines * layout.samples * layout.bands

    def read(some: slice, bands: slice) -> np.ndarray:
        # Mapped anew each time: what was touched counts as this process's memory as long as it is mapped.
        stored = np.memmap(data, layout.dtype, mode="r", offset=layout.offset, shape=(count,))
        wanted = slice(rows.start + some.start, rows.start + some.stop)
        return layout.upright(stored)[wanted, columns, bands]

    # Whatever its interleave, a few rows of all bands are a few pieces of the file.
    return read_single(shape, FileBlock(rows=1, bands=layout.bands), read)
