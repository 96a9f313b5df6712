"""NumPy's and MATLAB's files: the cube, and what its file says of it in a header beside or in arrays of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import numpy as np

from paddle_umsft.machine.files import write_text, write_whole
from paddle_umsft.runs.writers.envi import header_text
from paddle_umsft.runs.writers.product import Product

HEADER_SUFFIX = ".hdr"


def write_npy(path: Path, product: Product, hint: Optional[str] = None) -> list[Path]:
    """Write a .npy, (H, W, C), and beside it `x.npy.hdr`: an ENVI header, by which other programs open the array too.

    Args:
        path: Of the array.
        product: What to write.
        hint: The way out to name where it cannot be written.

    Returns:
        Both files, the array first; the array alone where nothing is known but its numbers.

    Raises:
        DataError: Something cannot be written.
    """
    # Rows first and the lowest byte first: what the header promises.
    values = np.ascontiguousarray(product.values, product.values.dtype.newbyteorder("<"))

    def write(temporary: Path) -> None:
        with temporary.open("wb") as stream:
            np.save(stream, values)

    header = path.with_name(path.name + HEADER_SUFFIX)
    # One of an earlier result would be taken for this one's.
    header.unlink(missing_ok=True)
    write_whole(path, write, hint=hint)
    if not _says_something(product):
        return [path]
    offset = path.stat().st_size - values.nbytes
    described = header_text(product, interleave="bip", offset=offset)
    write_text(header, described, hint=hint)
    return [path, header]


def _says_something(product: Product) -> bool:
    """Return whether more is known of a cube than its numbers."""
    has_bands = product.bands.wavelengths_nm is not None or product.bands.scale is not None
    return product.ground.is_known or has_bands or product.no_data is not None


def write_mat(path: Path, product: Product) -> None:
    """Write a .mat of version 5, compressed: `fused` (H, W, C), and of what is known an array each.

    Raises:
        OSError: It cannot be written.
    """
    from scipy.io import savemat

    ground = product.ground
    known: dict[str, Any] = {
        "wavelengths_nm": product.bands.wavelengths_nm,
        "fwhm": product.bands.fwhm_nm,
        "bbl": product.bands.good,
        "band_scale": product.bands.scale,
        "band_offset": product.bands.offset,
        "geotransform": ground.geotransform,
        "epsg": ground.epsg,
        "crs_wkt": ground.crs_wkt or None,
        "no_data": product.no_data,
        "units": product.units or None,
    }
    content = {"fused": product.values}
    for name, value in known.items():
        if value is None:
            continue
        content[name] = np.asarray(value)
        # MATLAB's truth values are no numbers to other readers.
        if content[name].dtype == bool:
            content[name] = content[name].astype(np.uint8)
    savemat(path, content, do_compression=True)
