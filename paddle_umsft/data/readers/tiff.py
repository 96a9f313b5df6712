"""TIFF by tifffile: any sample type, one page or many."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from paddle_umsft.data.readers.base import RawArray, Request, guarded

# tifffile's letters for the axes of a picture: rows, columns, samples of a pixel.
PICTURE_AXES = "YXS"


def read_tiff(file: Path, request: Request) -> RawArray:
    """Read the first series of a TIFF; its own header may make it a picture.

    Raises:
        DataError: Not readable.
    """
    values, axes = guarded(file, "TIFF file", lambda: _first_series(file))
    return RawArray(values=values, is_upright=axes == PICTURE_AXES)


def _first_series(file: Path) -> tuple[np.ndarray, str]:
    """Read the values and the letters of their axes."""
    import tifffile

    with tifffile.TiffFile(str(file)) as tiff:
        values = np.asarray(tiff.asarray())
        axes = tiff.series[0].axes
    return values, axes
