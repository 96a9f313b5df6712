"""A fused cube written as its rows arrive, from top to bottom: it is never whole in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Callable

import numpy as np

from paddle_umsft.errors import ConfigError
from paddle_umsft.runs.writers.envi import header_text
from paddle_umsft.runs.writers.geotiff import check_rasterio, describe, opened, without_aside
from paddle_umsft.runs.writers.product import Product

# What GDAL may keep of tiles that are not written yet, in megabytes: by default a twentieth of the machine.
GDAL_CACHE = 64
# Bands of a block of rows that are turned to pictures of their own at a time: 32 MB of 256 rows of 1024 pixels.
BANDS_AT_ONCE = 32

# Takes (n, W, C) of the next rows, in the type that is stored.
WriteRows = Callable[[np.ndarray], None]


@contextmanager
def npy_rows(path: Path, product: Product, tile_rows: int) -> Iterator[WriteRows]:
    """Write a .npy; see `FORMATS_BY_ROWS`."""
    kind = product.values.dtype
    with path.open("wb") as stream:
        header = {
            "descr": np.lib.format.dtype_to_descr(kind),
            "fortran_order": False,
            "shape": product.values.shape,
        }
        np.lib.format.write_array_header_1_0(stream, header)

        def write(rows: np.ndarray) -> None:
            stream.write(np.ascontiguousarray(rows, dtype=kind).tobytes())

        yield write


@contextmanager
def envi_rows(path: Path, product: Product, tile_rows: int) -> Iterator[WriteRows]:
    """Write ENVI's numbers, band by band; see `FORMATS_BY_ROWS`. The header is another file."""
    little = product.values.dtype.newbyteorder("<")
    height, width, bands = product.values.shape
    top = 0
    with path.open("wb") as stream:

        def write(rows: np.ndarray) -> None:
            nonlocal top
            for band in range(bands):
                stream.seek((band * height + top) * width * little.itemsize)
                stream.write(np.ascontiguousarray(rows[:, :, band], dtype=little).tobytes())
            top += len(rows)

        yield write


def _by_bands(rows: np.ndarray) -> np.ndarray:
    """(n, W, C) as (C, n, W), one row after the other: a row of all bands stays in the cache while it is turned."""
    count, width, bands = rows.shape
    turned = np.empty((bands, count, width), dtype=rows.dtype)
    for number, row in enumerate(rows):
        turned[:, number] = row.T
    return turned


@contextmanager
def tif_rows(path: Path, product: Product, tile_rows: int) -> Iterator[WriteRows]:
    """Write a GeoTIFF; see `FORMATS_BY_ROWS`."""
    check_rasterio()
    import rasterio
    from rasterio.errors import RasterioError
    from rasterio.windows import Window

    width, bands = product.values.shape[1:]
    top = 0
    try:
        with rasterio.Env(GDAL_CACHEMAX=GDAL_CACHE), opened(path, product, tile_rows) as file:

            def write(rows: np.ndarray) -> None:
                nonlocal top
                window = Window(0, top, width, len(rows))
                for first in range(0, bands, BANDS_AT_ONCE):
                    some = np.arange(first, min(first + BANDS_AT_ONCE, bands))
                    numbers = (some + 1).tolist()
                    file.write(_by_bands(rows[:, :, some[0] : some[-1] + 1]), numbers, window=window)
                top += len(rows)

            yield write
            describe(file, product)
    except RasterioError as error:
        raise OSError(str(error)) from error
    finally:
        without_aside(path)


# Name of a format -> opens a file for (path, product, tile_rows): of the product only shape and type of its values
# count, and all facts; rows come in multiples of `tile_rows`, except the last.
FORMATS_BY_ROWS: dict[str, Callable[[Path, Product, int], AbstractContextManager[WriteRows]]] = {
    "npy": npy_rows,
    "envi": envi_rows,
    "tif": tif_rows,
}


def check_by_rows(format: str) -> None:
    """Check, before work is spent, that a format can be written row by row.

    Raises:
        ConfigError: It cannot.
    """
    if format not in FORMATS_BY_ROWS:
        raise ConfigError(
            "cannot be written strip by strip",
            where="output.format",
            expected=" or ".join(FORMATS_BY_ROWS),
            got=format,
        )


def header_beside(path: Path, product: Product) -> tuple[Path, str]:
    """Return name and text of the header that belongs to ENVI's numbers."""
    return path.with_suffix(".hdr"), header_text(product)
