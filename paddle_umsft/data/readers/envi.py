"""ENVI images by SPy: a text header (.hdr) beside a file of raw numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from paddle_umsft.data.readers.base import RawArray, Request, guarded


def read_envi(file: Path, request: Request) -> RawArray:
    """Read an ENVI image: rows, columns, bands by its own header, and the wavelengths that stand there.

    Args:
        file: The header.
        request: Not used: an image has no name.

    Raises:
        DataError: Not readable.
    """
    image, values = guarded(file, "ENVI image", lambda: _open(file))
    wavelengths = None
    if image.bands.centers:
        wavelengths = np.asarray(image.bands.centers, np.float64)
    return RawArray(
        values=values,
        wavelengths=wavelengths,
        wavelength_unit=str(image.bands.band_unit or ""),
        is_upright=True,
    )


def _open(file: Path) -> tuple[Any, np.ndarray]:
    """Open header and data; the array is a copy, (H, W, C) whatever the interleave."""
    import spectral.io.envi as envi

    # SPy finds the data beside the header by itself, whatever its suffix. A copy, since the map is read-only.
    image = envi.open(str(file))
    values = np.array(image.open_memmap(interleave="bip"))
    return image, values
