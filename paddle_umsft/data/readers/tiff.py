"""TIFF and GeoTIFF: by GDAL where rasterio is installed, by tifffile else and for files of many pages."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np

from paddle_umsft.data.readers.base import RawArray, Request, guarded
from paddle_umsft.data.readers.gdal import has_rasterio, read_with_gdal
from paddle_umsft.data.readers.geotiff_tags import facts_by_tags
from paddle_umsft.data.readers.turning import turned
from paddle_umsft.errors import DataError

# tifffile's letters for the axes of an image: rows, columns, and samples or channels of a pixel before or behind.
BANDS_BEHIND = ("YXS", "YXC")
BANDS_BEFORE = ("SYX", "CYX")
# Samples that no other kind of file has, by the tag's numbers: premultiplied and plain alpha.
ALPHA_SAMPLES = (1, 2)
EXTRA_SAMPLES = 338
ORIENTATION = 274
# Kinds of pages by the bits of their tag: smaller copies, and masks.
REDUCED_OR_MASK = 1 | 4


@dataclass(frozen=True)
class _Head:
    """What a TIFF's directory says of its first image.

    Attributes:
        pages: Pages of full size that are no masks.
        orientation: 1 for an upright image.
        needs_codec: Name of a compression that tifffile cannot undo here, "" if it can.
    """

    pages: int
    orientation: int
    needs_codec: str


def read_tiff(file: Path, request: Request) -> RawArray:
    """Read a TIFF: its axes, bands, masks and place by its own tags.

    Raises:
        DataError: Not readable.
    """
    head = guarded(file, "TIFF file", lambda: _head_of(file))
    assert isinstance(head, _Head)
    found = None
    if head.pages == 1 and has_rasterio():
        found = _by_gdal(file, request)
    if found is None:
        if head.needs_codec:
            raise DataError(
                f"compressed by {head.needs_codec}",
                where=file,
                hint='pip install imagecodecs, or pip install "paddle_umsft[geo]"',
            )
        found = guarded(file, "TIFF file", lambda: _by_tifffile(file))
        assert isinstance(found, RawArray)
    # A place on the ground goes before the way a camera was held.
    if found.facts.ground.is_known or head.orientation == 1:
        return found
    return turned(found, head.orientation, file.name)


def _by_gdal(file: Path, request: Request) -> Optional[RawArray]:
    """Read by GDAL; None where it does not know the kind of numbers, and tifffile may."""
    try:
        return read_with_gdal(file, request)
    except DataError:
        return None


def _head_of(file: Path) -> _Head:
    """Read the directory of a TIFF."""
    import tifffile

    with _strict_tifffile(), tifffile.TiffFile(str(file)) as tiff:
        pages = [page for page in tiff.pages if not _subfile(page) & REDUCED_OR_MASK]
        first: Any = tiff.pages[0]
        needs_codec = ""
        try:
            # tifffile looks for its codecs here and says what is missing.
            _ = first.decode
            _ = tifffile.TIFF.DECOMPRESSORS[first.compression]
        except (KeyError, ValueError):
            needs_codec = tifffile.COMPRESSION(first.compression).name
        orientation = first.tags.valueof(ORIENTATION, default=1)
        return _Head(pages=len(pages), orientation=int(orientation), needs_codec=needs_codec)


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
    return int(getattr(page, "subfiletype", 0) or 0)


def _by_tifffile(file: Path) -> RawArray:
    """Read the first series by tifffile."""
    import tifffile

    with _strict_tifffile(), tifffile.TiffFile(str(file)) as tiff:
        series = tiff.series[0]
        values = np.asarray(series.asarray())
        axes = series.axes
        page: Any = tiff.pages[0]
        extra = page.tags.valueof(EXTRA_SAMPLES, default=())
        is_upright = axes in BANDS_BEHIND or axes in BANDS_BEFORE
        if axes in BANDS_BEFORE:
            values = np.moveaxis(values, 0, -1)  # (C, H, W) -> (H, W, C)
        values, mask, notes = _without_alpha(values, extra, is_upright, file)
        count = _band_count(values, axes, is_upright)
        facts, told = facts_by_tags(page, count, values.dtype, file.name)
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


def _band_count(values: np.ndarray, axes: str, is_upright: bool) -> int:
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
    if not is_upright or not places or values.shape[2] <= len(kinds):
        return values, None, ()
    alpha = values.shape[2] - len(kinds) + places[0]
    mask = values[:, :, alpha] > 0
    bands = np.delete(values, alpha, axis=2)
    return bands, mask, (f"{file.name}: its alpha channel is a mask, no band",)
