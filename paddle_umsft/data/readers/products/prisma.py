"""PRISMA levels 1 and 2 (.he5): two cubes of one scene, VNIR and SWIR, and a panchromatic image.

References:
    ASI, PRISMA Products Specification Document (PRS-ST-009), sections on the HCO and PCO swaths and on the global
    attributes: List_Cw_*, List_Fwhm_*, L2Scale*Min/Max, ScaleFactor_*, Offset_*, Product_*corner_*, Epsg_Code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional

import numpy as np

from paddle_umsft.data.facts import BandFacts, FileFacts
from paddle_umsft.data.ground import Georeference
from paddle_umsft.data.readers.base import RawArray, Request, Window, guarded
from paddle_umsft.data.readers.hdf5 import read_hdf5
from paddle_umsft.data.readers.hdf5_own import opened_own
from paddle_umsft.data.readers.windows import as_part, within
from paddle_umsft.errors import DataError

SWATHS = "HDFEOS/SWATHS"
LEVELS = ("L2D", "L2C", "L2B", "L1")
SPECTROMETERS = ("Vnir", "Swir")
# The name that stands for the panchromatic image; an MSI of two axes is that image without being asked for.
PAN = "PAN"
PAN_AXES = 2
# Stored numbers of level 2 go from the scale's least to its largest in so many steps.
STEPS = 65535.0
# Of the error matrix: the pixel was invalid in level 1 already. Others are negative or saturated, and measured.
INVALID = 1
# A band that is invalid in more pixels than this share is bad itself.
BAD_SHARE = 0.1
# Lines of the error matrix that are looked at together: the whole of it is as large as the image.
LINES_AT_ONCE = 64
# Metres of a pixel; the corners' distance tells whether they are those of pixels or of their middles.
PIXEL_M = {"HCO": 30.0, "PCO": 5.0}
HALF = 0.5


@dataclass(frozen=True)
class _Part:
    """What one spectrometer gives.

    Attributes:
        values: (H, W, C) stored numbers of the bands that there are.
        centres: (C,) nm.
        widths: (C,) nm.
        scale: (C,).
        offset: (C,).
        invalid: (H, W, C) bool by the error matrix, or None.
        invalid_share: (C,) of the pixels of the whole image, or None.
    """

    values: np.ndarray
    centres: np.ndarray
    widths: np.ndarray
    scale: np.ndarray
    offset: np.ndarray
    invalid: Optional[np.ndarray]
    invalid_share: Optional[np.ndarray]


def is_prisma(path: Path) -> bool:
    """Return whether a file is a PRISMA product, by its name and its contents."""
    if not path.is_file() or path.suffix.lower() != ".he5":
        return False
    try:
        with opened_own(path) as file:
            # Attributes are what tells bands apart: a file without them is any HDF5.
            return _level_of(file) is not None and "List_Cw_Vnir" in file.attrs
    # Other readers may take it, without what is not its own.
    except (OSError, DataError):
        return False


def read_prisma(path: Path, request: Request) -> RawArray:
    """Read the hyperspectral cube, or the panchromatic image.

    Args:
        path: The .he5 file.
        request: Its window, and its key: None, `PAN`, or the path of any array in the file, which is then read as it
            stands.

    Raises:
        DataError: Not readable, or without the swath that is wanted.
    """
    wants_pan = request.key is None and PAN_AXES in request.axes
    if request.key is not None and request.key.upper() == PAN:
        wants_pan = True
    elif request.key is not None:
        return read_hdf5(path, request)
    found = guarded(
        path,
        "PRISMA product",
        lambda: _read(
            path,
            wants_pan,
            request.window,
        ),
    )
    assert isinstance(found, RawArray)
    return found


def _level_of(file: Any) -> Optional[str]:
    """Return the level of a product, or None for another HDF5 file."""
    for level in LEVELS:
        if f"{SWATHS}/PRS_{level}_HCO" in file:
            return level
    return None


def _read(
    path: Path,
    wants_pan: bool,
    window: Optional[Window],
) -> RawArray:
    """Read a product, or a part of it."""
    with opened_own(path) as file:
        level = _level_of(file)
        assert level is not None
        if wants_pan:
            return _panchromatic(
                file,
                level,
                path,
                window,
            )
        return _hyperspectral(
            file,
            level,
            path,
            window,
        )


def _hyperspectral(
    file: Any,
    level: str,
    path: Path,
    window: Optional[Window],
) -> RawArray:
    """Join the cubes of the two spectrometers, bands in the file's order."""
    lines, _, samples = file[f"{SWATHS}/PRS_{level}_HCO/Data Fields/VNIR_Cube"].shape
    rows, columns = slice(0, lines), slice(0, samples)
    if window is not None:
        rows, columns = within(window, (lines, samples), path)
    parts = [
        _part(
            file,
            level,
            name,
            rows,
            columns,
        )
        for name in SPECTROMETERS
    ]
    values = np.concatenate([part.values for part in parts], axis=2)  # (H, W, C)
    bands = BandFacts(
        count=values.shape[2],
        wavelengths_nm=np.concatenate([part.centres for part in parts]),
        fwhm_nm=np.concatenate([part.widths for part in parts]),
        scale=np.concatenate([part.scale for part in parts]),
        offset=np.concatenate([part.offset for part in parts]),
    )
    # Bands that are mostly invalid are left out; what is invalid in any other hides the pixel.
    mask, good, notes = _by_errors(parts)
    if good is not None:
        bands = replace(bands, good=good)
    facts = _facts(
        file,
        level,
        bands,
        (lines, samples),
        "HCO",
    )
    found = RawArray(
        values=values,
        is_upright=True,
        facts=facts,
        mask=mask,
        notes=notes,
    )
    return as_part(found, window, (lines, samples))


def _part(
    file: Any,
    level: str,
    name: str,
    rows: slice,
    columns: slice,
) -> _Part:
    """Read a part of the cube of one spectrometer: (line, band, sample) in the file."""
    fields = f"{SWATHS}/PRS_{level}_HCO/Data Fields"
    centres = np.ravel(file.attrs[f"List_Cw_{name}"]).astype(float)
    widths = np.ravel(file.attrs[f"List_Fwhm_{name}"]).astype(float)
    # A wavelength of 0 stands for a band that there is not.
    present = np.flatnonzero(centres > 0)
    stored = file[f"{fields}/{name.upper()}_Cube"][rows, :, columns]
    values = np.moveaxis(
        stored,
        1,
        2,
    )[:, :, present]  # (H, W, C)
    scale, offset = _scale(
        file,
        level,
        name,
    )
    invalid = None
    invalid_share = None
    matrix = f"{fields}/{name.upper()}_PIXEL_L2_ERR_MATRIX"
    if matrix in file:
        invalid = (
            np.moveaxis(
                file[matrix][rows, :, columns],
                1,
                2,
            )[:, :, present]
            == INVALID
        )
        invalid_share = _invalid_share(file[matrix])[present]
    return _Part(
        values=values,
        centres=centres[present],
        widths=widths[present],
        scale=np.full(present.size, scale),
        offset=np.full(present.size, offset),
        invalid=invalid,
        invalid_share=invalid_share,
    )


def _invalid_share(matrix: Any) -> np.ndarray:
    """Return (C,) share of each band's pixels that are invalid, in the whole image: a part has the same bands."""
    lines, bands, samples = matrix.shape
    counted = np.zeros(bands)
    for first in range(0, lines, LINES_AT_ONCE):
        block = matrix[first : first + LINES_AT_ONCE]  # (lines, C, W)
        counted += (block == INVALID).sum(axis=(0, 2))
    return np.asarray(counted / (lines * samples))


def _scale(
    file: Any,
    level: str,
    name: str,
) -> tuple[float, float]:
    """Return factor and offset of stored numbers: reflectance of level 2, radiance of level 1."""
    if level == "L1":
        factor = float(file.attrs[f"ScaleFactor_{name}"])
        return 1.0 / factor, -float(file.attrs[f"Offset_{name}"])
    least = float(file.attrs[f"L2Scale{name}Min"])
    largest = float(file.attrs[f"L2Scale{name}Max"])
    return (largest - least) / STEPS, least


def _by_errors(parts: list[_Part]) -> tuple[Optional[np.ndarray], Optional[np.ndarray], tuple[str, ...]]:
    """Return (H, W) mask and (C,) good bands by the error matrices, and a note."""
    found = [part.invalid for part in parts if part.invalid is not None]
    shares = [part.invalid_share for part in parts if part.invalid_share is not None]
    if len(found) < len(parts):
        return None, None, ()
    invalid = np.concatenate(found, axis=2)
    good = np.concatenate(shares) <= BAD_SHARE
    mask = np.asarray(~invalid[:, :, good].any(axis=2))
    notes: tuple[str, ...] = ()
    if not good.all():
        notes = (f"{int((~good).sum())} bands are invalid in more than a tenth of their pixels (error matrix)",)
    return mask, good, notes


def _panchromatic(
    file: Any,
    level: str,
    path: Path,
    window: Optional[Window],
) -> RawArray:
    """Read the panchromatic image, or a part of it."""
    name = f"{SWATHS}/PRS_{level}_PCO/Data Fields/Cube"
    if name not in file:
        raise DataError(
            "no panchromatic image",
            where=path,
            expected=name,
        )
    size = file[name].shape
    rows, columns = slice(0, size[0]), slice(0, size[1])
    if window is not None:
        rows, columns = within(window, size, path)
    values = file[name][rows, columns][:, :, None]  # (H, W, 1)
    scale, offset = _scale(
        file,
        level,
        "Pan",
    )
    bands = BandFacts(
        count=1,
        names=(PAN,),
        scale=np.array([scale]),
        offset=np.array([offset]),
    )
    found = RawArray(
        values=values,
        is_upright=True,
        facts=_facts(
            file,
            level,
            bands,
            size,
            "PCO",
        ),
    )
    return as_part(found, window, size)


def _facts(
    file: Any,
    level: str,
    bands: BandFacts,
    shape: tuple[int, ...],
    swath: str,
) -> FileFacts:
    """Return what the attributes say of an image."""
    ground = Georeference()
    if level == "L2D":
        ground = _ground(
            file,
            shape,
            swath,
        )
    units = "reflectance"
    if level in ("L1", "L2B"):
        units = "W m-2 sr-1 um-1"
    return FileFacts(
        ground=ground,
        bands=bands,
        no_data=0.0,
        units=units,
        dtype="uint16",
        acquired=_word(file.attrs.get("Product_StartTime", "")),
        sensor="PRISMA",
    )


def _ground(
    file: Any,
    shape: tuple[int, ...],
    swath: str,
) -> Georeference:
    """Return where an orthorectified image lies, by the coordinates of its corners."""
    height, width = shape
    left = float(file.attrs["Product_ULcorner_easting"])
    top = float(file.attrs["Product_ULcorner_northing"])
    right = float(file.attrs["Product_LRcorner_easting"])
    bottom = float(file.attrs["Product_LRcorner_northing"])
    pixel = PIXEL_M[swath]
    # Corners are those of the hyperspectral image, for both; of its outer pixels' middles if one pixel is missing.
    coarse = PIXEL_M["HCO"]
    across = round((right - left) / coarse)
    is_middles = across == round(width * pixel / coarse) - 1
    if is_middles:
        left -= HALF * coarse
        right += HALF * coarse
        top += HALF * coarse
        bottom -= HALF * coarse
    return Georeference(
        transform=((right - left) / width, 0.0, left, 0.0, (bottom - top) / height, top),
        epsg=int(file.attrs["Epsg_Code"]),
    )


def _word(value: Any) -> str:
    """Return text of an attribute: h5py gives bytes or str."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return str(value)
