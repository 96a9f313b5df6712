"""Several files of one band each, read as one image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Optional

import numpy as np

from paddle_umsft.data.facts import BandFacts, FileFacts
from paddle_umsft.data.readers.base import RawArray
from paddle_umsft.errors import DataError


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
