"""`xarray.DataArray` in and out: axes by their names, and all that its coordinates and attributes say.

xarray itself is imported only where a labelled array comes in, so it is there then.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from paddle_umsft.data.axis_names import axis_roles
from paddle_umsft.data.wavelengths import from_names, in_nm
from paddle_umsft.errors import DataError

WAVELENGTH_NAMES = ("wavelength", "wavelengths", "wavelength_nm", "wavelengths_nm", "center_wavelength", "wl", "lambda")


@dataclass(frozen=True)
class Labelled:
    """A labelled image, upright.

    Attributes:
        source: As it came.
        values: (H, W, B).
        dims: Its names of rows, columns and bands; the last is "" for an image of two axes.
        wavelengths_nm: (B,), if known.
        mask: (H, W) bool, True where there is data; None: everywhere.
    """

    source: Any
    values: np.ndarray
    dims: tuple[str, str, str]
    wavelengths_nm: Optional[np.ndarray] = None
    mask: Optional[np.ndarray] = None


def is_labelled(value: Any) -> bool:
    """Return whether a value is an `xarray.DataArray`; where xarray was never imported, nothing is."""
    xarray = sys.modules.get("xarray")
    return xarray is not None and isinstance(value, xarray.DataArray)


def read_labelled(array: Any, where: str) -> Labelled:
    """Take a labelled array apart.

    Args:
        array: Two or three axes, whose names tell which is which.
        where: What it is called in a message.

    Raises:
        DataError: Another number of axes, or names that tell nothing; the call that mends it is named.
    """
    rows, columns, bands = _axes(array, where)
    order = [rows, columns]
    if bands:
        order.append(bands)
    values = np.asarray(array.transpose(*order).values)
    if not bands:
        values = values[:, :, None]
    return Labelled(
        source=array,
        values=values,
        dims=(rows, columns, bands),
        wavelengths_nm=_wavelengths(array, bands, where),
        mask=_mask(array, values),
    )


def _axes(array: Any, where: str) -> tuple[str, str, str]:
    """Return the names of rows, columns and bands."""
    names = [str(name) for name in array.dims]
    told = axis_roles(names)
    if told is None:
        wanted = ("y", "x", "band")
        renamed = [f"{name!r}: {new!r}" for name, new in zip(names, wanted)]
        example = ", ".join(renamed)
        raise DataError(
            "which axis is which",
            where=where,
            expected="axes y, x and band",
            got=", ".join(names),
            hint=f"name them: {where}.rename({{{example}}})",
        )
    return told


def _wavelengths(array: Any, bands: str, where: str) -> Optional[np.ndarray]:
    """Return (B,) wavelengths in nm, from a coordinate or the bands' own names."""
    if not bands:
        return None
    for name in WAVELENGTH_NAMES:
        if name not in array.coords:
            continue
        coordinate = array.coords[name]
        values = np.asarray(coordinate.values)
        is_of_bands = coordinate.dims == (bands,)
        if not is_of_bands or values.dtype.kind not in "iuf":
            continue
        unit = str(coordinate.attrs.get("units", ""))
        # A coordinate that only counts the bands is none: `in_nm` tells.
        found, _ = in_nm(values.astype(np.float64), unit, where)
        return found
    named = array.attrs.get("long_name")
    if isinstance(named, (tuple, list)):
        listed, unit = from_names([str(name) for name in named])
        found, _ = in_nm(listed, unit, where)
        return found
    return None


def _mask(array: Any, values: np.ndarray) -> Optional[np.ndarray]:
    """Return where there is data: no NaN, and not the no-data value that xarray or rioxarray keeps."""
    hidden = np.zeros(values.shape[:2], bool)
    if values.dtype.kind == "f":
        hidden |= np.isnan(values).any(axis=2)
    for kept in (array.attrs, array.encoding):
        mark = kept.get("_FillValue", kept.get("nodata"))
        if mark is not None and np.isfinite(mark):
            marked = values == mark
            everywhere = marked.all(axis=2)
            somewhere = marked.any(axis=2)
            # Zero in one band may be dark; zero in all is no data.
            if mark == 0:
                somewhere = everywhere
            hidden |= somewhere
    if not hidden.any():
        return None
    return ~hidden


def to_labelled(
    fused: np.ndarray,
    valid: Optional[np.ndarray],
    hsi: Labelled,
    msi: Labelled,
) -> Any:
    """Label a fused cube: bands and attributes of the HSI, rows and columns of the MSI, axes in the HSI's order.

    Args:
        fused: (H, W, C) in the HSI's units, bands in its order.
        valid: (H, W), False where it means nothing; None: it means something everywhere.
        hsi: The HSI.
        msi: The MSI.
    """
    import xarray

    values = fused
    if valid is not None:
        values = np.where(valid[:, :, None], fused, np.nan)
    rows, columns, _ = msi.dims
    bands = hsi.dims[2]
    coords: dict[str, Any] = {}
    for name, coordinate in msi.source.coords.items():
        if set(coordinate.dims) <= {rows, columns}:
            coords[str(name)] = coordinate
    for name, coordinate in hsi.source.coords.items():
        if coordinate.dims == (bands,):
            coords[str(name)] = coordinate
    if hsi.wavelengths_nm is not None and "wavelength" not in coords:
        coords["wavelength"] = (bands, hsi.wavelengths_nm, {"units": "nm"})
    labelled = xarray.DataArray(
        values,
        dims=(rows, columns, bands),
        coords=coords,
        name=hsi.source.name,
        attrs=_kept(hsi.source.attrs),
    )
    # What the HSI calls its axes tells their order; rows and columns may be called otherwise in the MSI.
    renamed = dict(zip(hsi.dims, (rows, columns, bands)))
    return labelled.transpose(*(renamed[str(name)] for name in hsi.source.dims))


def _kept(attributes: Any) -> dict[str, Any]:
    """Return the HSI's attributes without those that are of its grid or of how its numbers were stored."""
    gone = ("transform", "_FillValue", "nodata", "scale_factor", "add_offset")
    return {str(name): value for name, value in attributes.items() if name not in gone}
