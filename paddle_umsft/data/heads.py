"""A pair of files by their heads: how large both images are and where they lie, before any of their values are read."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

import numpy as np

from paddle_umsft.config.data import DataConfig
from paddle_umsft.data.both import heads_of_both
from paddle_umsft.data.cubes import Cube
from paddle_umsft.data.grid import HsiGrid
from paddle_umsft.data.listing import pair_name
from paddle_umsft.data.placing import grid_of_files
from paddle_umsft.data.readers.base import stand_in
from paddle_umsft.data.readers.many import image_name
from paddle_umsft.data.reading import ImagePair
from paddle_umsft.data.used import used_bands

# An image of so few pixels, no two of them alike, stands for one in which every band holds something.
FEW = np.arange(1, 5, dtype=np.float32).reshape(2, 2, 1)


def heads_of_pair(settings: DataConfig) -> Optional[ImagePair]:
    """Return a pair as `read_pair` does, with images that only have their sizes.

    Bands that are left out by the file's own lists or by the settings are; those that hold nothing are not known yet.

    Args:
        settings: Section `data`.

    Returns:
        The pair; None where the files do not tell before their values are read.

    Raises:
        ConfigError: A setting that does not fit the files.
        DataError: Missing or unusable data, as far as heads show it.
    """
    cubes = heads_of_both(settings)
    if cubes is None:
        return None
    name = pair_name(settings)
    low = _with_used_bands(cubes[0], settings, f"{name}: LR-HSI", is_spectral=True)
    high = _with_used_bands(cubes[1], settings, f"{name}: HR-MSI", is_spectral=False)
    grid: Optional[HsiGrid] = None
    if settings.coordinates == "auto":
        shapes = (low.values.shape, high.values.shape)
        grid, _ = grid_of_files(low.facts, high.facts, *shapes, image_name(settings.hr_msi))
    # An SRF's bands may be given in the file's order.
    meta = {}
    if low.band_order is not None:
        meta["band_order"] = list(low.band_order)
    return ImagePair(
        lr_hsi=low.values,
        hr_msi=high.values,
        name=name,
        wavelengths_nm=low.wavelengths_nm,
        meta=meta,
        hsi_facts=low.facts,
        msi_facts=high.facts,
        grid=grid,
    )


def _with_used_bands(
    cube: Cube,
    settings: DataConfig,
    name: str,
    *,
    is_spectral: bool,
) -> Cube:
    """Return a cube with as many bands as are used of it."""
    height, width, bands = cube.values.shape
    # Which bands are used is asked of values, too, and an image of zeros would have none.
    few = replace(cube, values=np.broadcast_to(FEW, (*FEW.shape[:2], bands)))
    used = used_bands(few, settings, name, is_spectral=is_spectral)
    return replace(used, values=stand_in((height, width, used.values.shape[2])))
