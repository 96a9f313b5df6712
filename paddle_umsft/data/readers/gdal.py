"""Whatever GDAL reads, by rasterio (extra `geo`): GeoTIFF and COG of every compression, JPEG 2000, ERDAS and others."""

from __future__ import annotations

import warnings
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Optional

import numpy as np

from paddle_umsft.data.facts import BandFacts, FileFacts
from paddle_umsft.data.ground import Georeference
from paddle_umsft.data.readers.band_metadata import SENSOR_ITEM, TIME_ITEMS, BandItems, band_facts
from paddle_umsft.data.readers.base import GLANCE, RawArray, Request, guarded
from paddle_umsft.data.readers.gdal_drivers import opened
from paddle_umsft.data.readers.room import check_room
from paddle_umsft.data.readers.single import EXACT_TYPES, FileBlock, read_single
from paddle_umsft.data.readers.windows import OutsideImage, as_part, within
from paddle_umsft.errors import DataError

# What GDAL calls a band that says where the others hold data.
ALPHA = "alpha"
# rasterio looks through all bands for each of them: of tens of thousands it takes hours to tell.
MOST_BANDS = 10_000
# What GDAL may keep of blocks that it has unpacked, bytes: each is asked for once. By default it is a twentieth of the
# machine, and holds an image in the file's own type.
GDAL_CACHE = 2**25


def has_rasterio() -> bool:
    """Return whether rasterio is installed."""
    return find_spec("rasterio") is not None


def if_gdal_knows(file: Path, request: Request) -> Optional[RawArray]:
    """Read a file of any kind, if GDAL is there and knows it; None else."""
    if not has_rasterio():
        return None
    try:
        return read_with_gdal(file, request)
    except OutsideImage:
        raise
    except DataError:
        return None


def read_with_gdal(file: Path, request: Request) -> RawArray:
    """Read all bands of a file, alpha made a mask, with everything that GDAL knows of them.

    Args:
        file: A file of a kind that GDAL knows.
        request: Its window; an image has no name.

    Raises:
        DataError: rasterio is not installed, or the file cannot be read.
    """
    if not has_rasterio():
        raise DataError(
            "this kind of file is read by GDAL",
            where=file,
            hint='pip install "paddle_umsft[geo]" (or pip install rasterio)',
        )
    found = guarded(
        file,
        "GDAL raster",
        lambda: _read(file, request),
    )
    assert isinstance(found, RawArray)
    return found


def _read(file: Path, request: Request) -> RawArray:
    """Read the file by rasterio."""
    import rasterio

    with warnings.catch_warnings(), rasterio.Env(GDAL_CACHEMAX=GDAL_CACHE):
        # A picture without a place is an ordinary thing here.
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with opened(file) as source:
            return _all_of(source, file, request)


def _all_of(
    source: Any,
    file: Path,
    request: Request,
) -> RawArray:
    """Read values, mask and facts of an open file, or of a part of it."""
    window = request.window
    if source.count == 0:
        raise DataError(
            "holds several images, each under a name of its own",
            where=file,
            got=", ".join(source.subdatasets),
            hint="gdal_translate NAME one.tif takes one out",
        )
    if source.count > MOST_BANDS:
        raise DataError(
            "more bands than any camera has",
            where=file,
            expected=f"at most {MOST_BANDS}",
            got=source.count,
        )
    kinds = [colour.name for colour in source.colorinterp]
    numbers = [number for number, kind in enumerate(kinds, start=1) if kind != ALPHA]
    # A file of nothing but alpha bands has its colours misnamed.
    if not numbers:
        numbers = list(source.indexes)
    part = None
    if window is not None:
        part = _ranges(within(window, (source.height, source.width), file))
    stored: Optional[np.dtype] = None
    if request.is_single and window != GLANCE and _is_exact(source, numbers):
        stored = np.dtype(source.dtypes[0])
        values = _single_of(source, numbers, part, file)
    else:
        values = _values_of(source, numbers, part, file)
    dtype = values.dtype
    if stored is not None:
        dtype = stored
    mask = None
    if window != GLANCE:
        mask = _own_mask(source, kinds, part)
    places = [number - 1 for number in numbers]
    # Asked for once: rasterio makes the descriptions of all bands each time.
    descriptions = source.descriptions
    bands = [_items_of(source, number, descriptions[number - 1]) for number in numbers]
    tags = {**source.tags(ns="IMAGERY"), **source.tags()}
    items = {name.lower(): text for name, text in tags.items()}
    known, notes = band_facts(
        bands,
        items,
        file.name,
    )
    gcps, _ = source.gcps
    if gcps and source.transform.is_identity:
        notes += (f"{file.name}: ground control points are not used; gdalwarp makes a grid of them",)
    if len(numbers) < source.count:
        notes += (f"{file.name}: its alpha channel is a mask, no band",)
    scale = np.asarray(source.scales, float)[places]
    offset = np.asarray(source.offsets, float)[places]
    time = next((items[name] for name in TIME_ITEMS if items.get(name)), "")
    facts = FileFacts(
        ground=_ground_of(source),
        bands=_with_scale(
            known,
            scale,
            offset,
        ),
        no_data=_no_data_of(source.nodatavals[places[0]]),
        units=next((unit for unit in source.units if unit), ""),
        dtype=str(dtype),
        acquired=time,
        sensor=items.get(SENSOR_ITEM, ""),
    )
    found = RawArray(
        values=values,
        is_upright=True,
        facts=facts,
        mask=mask,
        notes=notes,
        stored=stored,
    )
    return as_part(found, window, (source.height, source.width))


def _values_of(
    source: Any,
    numbers: list[int],
    part: Optional[tuple[tuple[int, int], ...]],
    file: Path,
) -> np.ndarray:
    """Read (H, W, C) in the file's own type.

    Args:
        source: The open file.
        numbers: Of the bands, counted from 1 as GDAL does.
        part: Rows from and to, columns from and to; None: all.
        file: For messages.
    """
    height, width = _size_of(source, part)
    if height * width == 0:
        return np.empty((0, 0, len(numbers)), source.dtypes[0])
    check_room(file, (len(numbers), height, width), source.dtypes[0])
    stack = source.read(numbers, window=part)  # (C, H, W)
    return np.ascontiguousarray(np.moveaxis(stack, 0, -1))  # (H, W, C)


def _is_exact(source: Any, numbers: list[int]) -> bool:
    """Whether all bands are of one type, whose numbers float32 holds."""
    types = {source.dtypes[number - 1] for number in numbers}
    # GDAL has types that NumPy knows nothing of: their names are compared.
    return len(types) == 1 and types <= set(EXACT_TYPES)


def _single_of(
    source: Any,
    numbers: list[int],
    part: Optional[tuple[tuple[int, int], ...]],
    file: Path,
) -> np.ndarray:
    """Read (H, W, C) float32; arguments as those of `_values_of`."""
    height, width = _size_of(source, part)
    shape = (height, width, len(numbers))
    check_room(file, shape, np.float32)
    top, left = 0, 0
    if part is not None:
        (top, _), (left, _) = part
    block = FileBlock(rows=source.block_shapes[0][0], bands=len(numbers))
    if source.tags(ns="IMAGE_STRUCTURE").get("INTERLEAVE") == "BAND":
        block = FileBlock(rows=block.rows, bands=1)

    def read(rows: slice, bands: slice) -> np.ndarray:
        window = ((top + rows.start, top + rows.stop), (left, left + width))
        stack = source.read(numbers[bands], window=window)  # (m, n, W)
        return np.moveaxis(stack, 0, -1)

    return read_single(shape, block, read)


def _size_of(source: Any, part: Optional[tuple[tuple[int, int], ...]]) -> tuple[int, int]:
    """Return rows and columns of a part of an open file."""
    if part is None:
        return source.height, source.width
    rows, columns = (stop - start for start, stop in part)
    return rows, columns


def _ranges(part: tuple[slice, slice]) -> tuple[tuple[int, int], ...]:
    """Return a window as rasterio has it: rows from and to, columns from and to."""
    return tuple((side.start, side.stop) for side in part)


def _with_scale(
    known: BandFacts,
    scale: np.ndarray,
    offset: np.ndarray,
) -> BandFacts:
    """Return facts of bands with scale and offset, where GDAL has any other than 1 and 0."""
    if np.any(scale != 1):
        known = replace(known, scale=scale)
    if np.any(offset != 0):
        known = replace(known, offset=offset)
    return known


def _no_data_of(value: Optional[float]) -> Optional[float]:
    """Return the no-data value as a float, or None."""
    if value is None:
        return None
    return float(value)


def _own_mask(
    source: Any,
    kinds: list[str],
    part: Any,
) -> Optional[np.ndarray]:
    """Return the mask by an alpha channel or a mask band, True where there is data; None without either.

    A no-data value is looked for in the numbers themselves: what it means depends on the bands that are used.
    """
    from rasterio.enums import MaskFlags

    if ALPHA in kinds and len(kinds) > 1:
        return np.asarray(source.read(kinds.index(ALPHA) + 1, window=part) > 0)
    flags = source.mask_flag_enums[0]
    if MaskFlags.per_dataset in flags and MaskFlags.nodata not in flags:
        return np.asarray(source.read_masks(1, window=part) > 0)
    return None


def _items_of(source: Any, number: int, description: Optional[str]) -> BandItems:
    """Return the metadata of a band, counted from 1."""
    return BandItems(
        items={name.lower(): text for name, text in source.tags(number).items()},
        imagery={name.lower(): text for name, text in source.tags(number, ns="IMAGERY").items()},
        description=description or "",
    )


def _ground_of(source: Any) -> Georeference:
    """Return where the image lies; GDAL has moved POINT files by half a pixel already."""
    transform = tuple(float(number) for number in source.transform[:6])
    wkt = ""
    epsg = None
    if source.crs:
        wkt = source.crs.to_wkt()
        epsg = source.crs.to_epsg()
    # GDAL's answer for a file that says nothing.
    if source.transform.is_identity and not wkt:
        return Georeference()
    a, b, c, d, e, f = transform
    return Georeference(
        transform=(a, b, c, d, e, f),
        crs_wkt=wkt,
        epsg=epsg,
    )
