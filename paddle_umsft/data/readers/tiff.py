"""TIFF and GeoTIFF: by GDAL where rasterio is installed, by tifffile else and for files of many pages."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional

import numpy as np

from paddle_umsft.data.facts import BandFacts
from paddle_umsft.data.readers.base import RawArray, Request, ValuesNeeded, guarded
from paddle_umsft.data.readers.gdal import has_rasterio, if_gdal_knows
from paddle_umsft.data.readers.geotiff_tags import facts_by_tags
from paddle_umsft.data.readers.profiles import profile_note
from paddle_umsft.data.readers.room import check_room
from paddle_umsft.data.readers.turning import turned
from paddle_umsft.errors import DataError

# tifffile's letters for the axes of an image: rows, columns, and samples or channels of a pixel before or behind.
BANDS_BEHIND = ("YXS", "YXC")
BANDS_BEFORE = ("SYX", "CYX")
SINGLE_BAND = "YX"
# Samples that no other kind of file has, by the tag's numbers: premultiplied and plain alpha.
ALPHA_SAMPLES = (1, 2)
EXTRA_SAMPLES = 338
ORIENTATION = 274
PROFILE = 34675
# Kinds of pages by the bits of their tag: smaller copies, and masks.
REDUCED_OR_MASK = 1 | 4
# What the numbers stand for: light turned over, colours of a table.
WHITE_IS_ZERO = 0
PALETTE = 3
IMAGE_AXES = 3


@dataclass(frozen=True)
class _Head:
    """What a TIFF's directory says of its first image.

    Attributes:
        pages: Pages of full size that are no masks.
        orientation: 1 for an upright image.
        compression: Its name, as tifffile has it.
        photometric: What the numbers stand for, by the tag's numbers.
        largest: The largest number that a sample can be, 0 for real numbers.
        colours: (numbers, 3) uint8 colours of a palette, or None.
        profile: Its colour profile, b"" if it has none.
    """

    pages: int
    orientation: int
    compression: str
    photometric: int
    largest: int
    colours: Optional[np.ndarray]
    profile: bytes


def read_tiff(file: Path, request: Request) -> RawArray:
    """Read a TIFF: its axes, bands, masks and place by its own tags.

    Raises:
        DataError: Not readable.
    """
    # The directory decides who reads the image: GDAL sees only the first page of many.
    head = guarded(
        file,
        "TIFF file",
        lambda: _head_of(file),
    )
    assert isinstance(head, _Head)
    is_read_by_gdal = head.orientation == 1 and head.pages == 1 and has_rasterio()
    if request.is_head and not is_read_by_gdal:
        raise ValuesNeeded("no part of it can be read", where=file)
    # What is turned afterwards is read whole: its window means the upright image.
    if head.orientation != 1:
        request = replace(request, window=None)
    # Places in a palette are looked up, and are whole numbers for that.
    if head.photometric == PALETTE:
        request = replace(request, is_single=False)
    found = None
    if head.pages == 1 and has_rasterio():
        # GDAL does not know every kind of numbers; tifffile may.
        found = if_gdal_knows(file, request)
    if found is None and request.is_head:
        raise ValuesNeeded("no part of it can be read", where=file)
    if found is None:
        found = guarded(
            file,
            "TIFF file",
            lambda: _with_codec(file, head),
        )
        assert isinstance(found, RawArray)
    found = _as_light(
        found,
        head,
        file,
    )
    found = replace(found, notes=found.notes + profile_note(head.profile, file.name))
    # A place on the ground goes before the way a camera was held.
    if found.facts.ground.is_known or head.orientation == 1:
        return found
    return turned(
        found,
        head.orientation,
        file.name,
    )


def _head_of(file: Path) -> _Head:
    """Read the directory of a TIFF."""
    import tifffile

    # OME-TIFF can name other files that its pages are in: a data file is not to reach for others.
    with _strict_tifffile(), tifffile.TiffFile(str(file), _multifile=False) as tiff:
        pages = [page for page in _pages_of(tiff) if not _subfile(page) & REDUCED_OR_MASK]
        first: Any = tiff.pages[0]
        orientation = first.tags.valueof(ORIENTATION, default=1)
        return _Head(
            pages=len(pages),
            orientation=int(orientation),
            compression=tifffile.COMPRESSION(first.compression).name,
            photometric=int(first.photometric),
            largest=_largest_of(first),
            colours=_colours_of(first),
            profile=bytes(first.tags.valueof(PROFILE, default=b"")),
        )


def _pages_of(tiff: Any) -> Iterator[Any]:
    """Yield the pages of a TIFF.

    Raises:
        ValueError: The list of its pages leads back to itself, which tifffile would follow for ever.
    """
    seen: set[int] = set()
    for page in tiff.pages:
        if page.offset in seen:
            raise ValueError("its list of pages leads back to itself")
        seen.add(page.offset)
        yield page


def _with_codec(file: Path, head: _Head) -> RawArray:
    """Read by tifffile.

    Raises:
        DataError: It has not what undoes the file's compression.
    """
    try:
        return _by_tifffile(file)
    except (ImportError, ValueError) as error:
        # tifffile names the package in one case, and a module of later Pythons in the other.
        is_missing = isinstance(error, ImportError) or "imagecodecs" in str(error)
        if not is_missing:
            raise
    raise DataError(
        f"compressed by {head.compression}",
        where=file,
        hint='pip install imagecodecs, or pip install "paddle_umsft[geo]"',
    )


def _largest_of(page: Any) -> int:
    """Return the largest number that a sample of a page can be, 0 where it is no unsigned integer."""
    if page.dtype is None or page.dtype.kind != "u":
        return 0
    return int(2**page.bitspersample - 1)


def _colours_of(page: Any) -> Optional[np.ndarray]:
    """Return (numbers, 3) colours of a palette, or None."""
    if page.colormap is None:
        return None
    # Palettes have 16 bits a colour, of which the lower eight repeat the upper ones.
    upper = np.asarray(page.colormap) >> 8
    return np.asarray(upper.T, np.uint8)


def _as_light(
    found: RawArray,
    head: _Head,
    file: Path,
) -> RawArray:
    """Return an image whose numbers grow with the light: negatives turned over, palettes looked up."""
    if head.photometric == WHITE_IS_ZERO and head.largest > 0:
        whole = np.asarray(head.largest, found.values.dtype)
        note = f"{file.name}: 0 is white in it: numbers turned over"
        return replace(
            found,
            values=whole - found.values,
            notes=(*found.notes, note),
        )
    if head.photometric == PALETTE and head.colours is not None:
        numbers = found.values
        if numbers.ndim == IMAGE_AXES:
            numbers = numbers[:, :, 0]
        note = f"{file.name}: the colours of its palette are read, not their numbers"
        return replace(
            found,
            values=head.colours[numbers],  # (H, W, 3)
            is_upright=True,
            facts=replace(found.facts, bands=BandFacts()),
            notes=(*found.notes, note),
        )
    return found


class _Complaint(logging.Handler):
    """Raises what tifffile only logs: pages that lie beyond the end of the file."""

    def emit(self, record: logging.LogRecord) -> None:
        raise ValueError(record.getMessage())


@contextmanager
def _strict_tifffile() -> Iterator[None]:
    """Take what tifffile logs as an error for one: it goes on with the pages that are left."""
    logger = logging.getLogger("tifffile")
    handler = _Complaint(level=logging.ERROR)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _subfile(page: Any) -> int:
    """Return the bits that tell what a page is for; frames that share a page's tags are full images."""
    return int(
        getattr(
            page,
            "subfiletype",
            0,
        )
        or 0
    )


def _by_tifffile(file: Path) -> RawArray:
    """Read the first series by tifffile."""
    import tifffile

    with _strict_tifffile(), tifffile.TiffFile(str(file), _multifile=False) as tiff:
        series = tiff.series[0]
        check_room(file, series.shape, series.dtype)
        values = np.asarray(series.asarray())
        axes = series.axes
        page: Any = tiff.pages[0]
        extra = page.tags.valueof(EXTRA_SAMPLES, default=())
        is_upright = axes in BANDS_BEHIND or axes in BANDS_BEFORE or axes == SINGLE_BAND
        if axes in BANDS_BEFORE:
            values = np.moveaxis(
                values,
                0,
                -1,
            )  # (C, H, W) -> (H, W, C)
        values, mask, notes = _without_alpha(
            values,
            extra,
            is_upright,
            file,
        )
        count = _band_count(
            values,
            axes,
            is_upright,
        )
        facts, told = facts_by_tags(
            page,
            count,
            values.dtype,
            file.name,
        )
    if len(tiff.series) > 1:
        notes += (f"{file.name}: the first of its {len(tiff.series)} images is read",)
    return RawArray(
        values=values,
        is_upright=is_upright,
        is_stacked=not is_upright and values.ndim == 3 and axes.endswith("YX"),
        facts=facts,
        mask=mask,
        notes=notes + told,
    )


def _band_count(
    values: np.ndarray,
    axes: str,
    is_upright: bool,
) -> int:
    """Return the number of bands: pages, where each holds one."""
    if values.ndim == 2:
        return 1
    if is_upright:
        return int(values.shape[2])
    return int(values.shape[0])


def _without_alpha(
    values: np.ndarray,
    extra: Any,
    is_upright: bool,
    file: Path,
) -> tuple[np.ndarray, Optional[np.ndarray], tuple[str, ...]]:
    """Take an alpha channel off the bands: it is a mask.

    Args:
        values: As read.
        extra: The tag's numbers, one an extra sample at the end of the bands.
        is_upright: The bands are the last axis.
        file: For the note.

    Returns:
        The bands, the mask (True where there is data) or None, and a note.
    """
    kinds = [int(kind) for kind in np.ravel(extra)]
    places = [place for place, kind in enumerate(kinds) if kind in ALPHA_SAMPLES]
    has_alpha = is_upright and bool(places) and values.ndim == IMAGE_AXES
    if not has_alpha or values.shape[2] <= len(kinds):
        return values, None, ()
    alpha = values.shape[2] - len(kinds) + places[0]
    mask = values[:, :, alpha] > 0
    bands = np.delete(
        values,
        alpha,
        axis=2,
    )
    return bands, mask, (f"{file.name}: its alpha channel is a mask, no band",)
