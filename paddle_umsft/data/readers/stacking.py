"""Several files of one band each, read as one image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Optional

import numpy as np

from paddle_umsft.data.facts import BandFacts, FileFacts
from paddle_umsft.data.readers.base import GLANCE, RawArray, Request
from paddle_umsft.errors import DataError

# Pixels by which the corners of bands may lie apart: coordinates are written with few digits.
ROUNDING = 0.1
# Reads one file.
ReadBand = Callable[[Path, Request], RawArray]


def stack_bands(
    files: Sequence[Path],
    names: Sequence[str],
    read: Callable[[Path], RawArray],
) -> RawArray:
    """Read files of one band each as one image.

    Args:
        files: One a band.
        names: Of the bands.
        read: Reads one of them.

    Returns:
        (H, W, C), with the facts of the first file.

    Raises:
        DataError: A file holds several bands, or is of another size or type than the first.
    """
    # Allocated whole: a list of bands beside the cube would need twice the memory.
    first = read(files[0])
    image = _single(first, files[0])
    cube = np.empty((*image.shape, len(files)), image.dtype)  # (H, W, C)
    mask: Optional[np.ndarray] = None
    notes: tuple[str, ...] = ()
    for band, file in enumerate(files):
        found = first
        if band > 0:
            found = read(file)
        values = _single(found, file)
        if values.shape != image.shape or values.dtype != image.dtype:
            raise DataError(
                "size or type of a band",
                where=file,
                expected=f"{image.shape[0]}x{image.shape[1]} {image.dtype} as {files[0].name}",
                got=f"{values.shape[0]}x{values.shape[1]} {values.dtype}",
                hint="gdalwarp -te and -tr bring bands to one grid; gdal_translate -ot to one type",
            )
        _check_place(
            found,
            first,
            file,
            files[0],
        )
        cube[:, :, band] = values
        notes += found.notes
        if found.mask is not None:
            # A pixel counts where every band has it.
            held = found.mask
            if mask is not None:
                held = held & mask
            mask = held
    facts = replace(first.facts, bands=BandFacts(count=len(files), names=tuple(names)))
    return RawArray(
        values=cube,
        is_upright=True,
        facts=_with_scaling(facts, first.facts),
        mask=mask,
        notes=notes,
        window=first.window,
        size=first.size,
    )


def stack_files(
    files: Sequence[Path],
    request: Request,
    read: ReadBand,
) -> RawArray:
    """Read files of one band each, also of two pixel sizes: coarser bands are repeated on the grid of the finest.

    No number is made that was not measured, as with a product's bands of 20 m on its grid of 10 m.

    Args:
        files: One a band.
        request: For each of them.
        read: Reads one of them.

    Raises:
        DataError: A file that does not fit the others.
    """
    names = [file.stem for file in files]
    glance = replace(request, window=GLANCE)
    sizes = []
    for file in files:
        head = read(file, glance)
        sizes.append(_size_of(head))
    finest = max(sizes)
    if all(size == finest for size in sizes):
        return stack_bands(files, names, lambda file: read(file, request))
    # A window means pixels of the finest grid: the others are read whole, and whoever asked cuts.
    whole = replace(request, window=None)

    def read_repeated(file: Path) -> RawArray:
        found = read(file, whole)
        return _repeated(
            found,
            finest,
            file,
        )

    found = stack_bands(files, names, read_repeated)
    return _masked_by_size(found, sizes)


def _masked_by_size(found: RawArray, sizes: Sequence[tuple[int, int]]) -> RawArray:
    """Mask where all bands of one pixel size hold the no-data value 0: their files were cut alike, and end there.

    In a single band 0 may be dark ground; and the bands of the other size may well go on.

    Args:
        found: The stack.
        sizes: Rows and columns of each band's file.
    """
    if found.facts.no_data != 0:
        return found
    held = np.ones(found.values.shape[:2], bool)
    if found.mask is not None:
        held = found.mask
    for size in set(sizes):
        bands = [band for band, other in enumerate(sizes) if other == size]
        empty = (found.values[:, :, bands] == 0).all(axis=2)
        held = held & ~empty
    return replace(found, mask=held)


def _size_of(found: RawArray) -> tuple[int, int]:
    """Return rows and columns of a file's image."""
    size = found.size or found.values.shape[:2]
    return size[0], size[1]


def _repeated(
    found: RawArray,
    finest: tuple[int, int],
    file: Path,
) -> RawArray:
    """Repeat pixels so that a band has the size of the finest one, if that is a whole multiple."""
    rows, columns = _size_of(found)
    factor = finest[0] // rows
    if factor == 1 or finest != (factor * rows, factor * columns):
        return found

    def larger(image: np.ndarray) -> np.ndarray:
        tall = np.repeat(
            image,
            factor,
            axis=0,
        )
        return np.repeat(
            tall,
            factor,
            axis=1,
        )

    mask = found.mask
    if mask is not None:
        mask = larger(mask)
    note = f"{file.name}: each pixel repeated {factor} x {factor} times, on the grid of the finest band"
    ground = found.facts.ground.coarser(1 / factor)
    return replace(
        found,
        values=larger(found.values),
        mask=mask,
        facts=found.facts.with_ground(ground),
        notes=(*found.notes, note),
    )


def _check_place(
    found: RawArray,
    first: RawArray,
    file: Path,
    first_file: Path,
) -> None:
    """Refuse a band of another place, as far as both files name theirs.

    Raises:
        DataError: Corner, pixel or coordinate system is another one.
    """
    ground = found.facts.ground
    wanted = first.facts.ground
    pixel = wanted.pixel_size
    if ground.transform is None or wanted.transform is None or pixel is None:
        return
    is_elsewhere = False
    if ground.epsg is not None and wanted.epsg is not None:
        is_elsewhere = ground.epsg != wanted.epsg
    height, width = found.values.shape[:2]
    # Where both corners are the same, all pixels are.
    for row, column in ((0, 0), (height, width)):
        place = np.array(ground.at(column, row))
        aim = np.array(wanted.at(column, row))
        apart = np.abs(place - aim) / np.array(pixel)
        is_elsewhere = is_elsewhere or bool(apart.max() > ROUNDING)
    if is_elsewhere:
        raise DataError(
            "place of a band",
            where=file,
            expected=f"that of {first_file.name}: corner {wanted.at(0, 0)}, EPSG {wanted.epsg}",
            got=f"corner {ground.at(0, 0)}, EPSG {ground.epsg}",
            hint="gdalwarp -te and -tr bring bands to one grid",
        )


def _with_scaling(facts: FileFacts, of_first: FileFacts) -> FileFacts:
    """Keep scale and offset of the first file for all bands: products have one for all."""
    count = facts.bands.count
    bands = facts.bands
    if of_first.bands.scale is not None:
        bands = replace(bands, scale=np.full(count, of_first.bands.scale[0]))
    if of_first.bands.offset is not None:
        bands = replace(bands, offset=np.full(count, of_first.bands.offset[0]))
    return replace(facts, bands=bands)


def _single(found: RawArray, file: Path) -> np.ndarray:
    """Return (H, W) of a file of one band."""
    values = found.values
    if values.ndim == 2:
        return values
    if values.ndim == 3 and values.shape[2] == 1 and found.is_upright:
        return np.asarray(values[:, :, 0])
    raise DataError(
        "several bands in a file of a stack",
        where=file,
        expected="one band",
        got=f"shape {values.shape}",
    )
