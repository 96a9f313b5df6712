"""The CAVE scenes as Columbia University ships them: a folder of 31 pictures, one per band.

References:
    Yasuma, Mitsunaga, Iso, Nayar: Generalized Assorted Pixel Camera. Columbia University, CUCS-061-08, 2008.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Optional

import numpy as np

from paddle_umsft.data.readers.base import RawArray
from paddle_umsft.data.readers.pictures import read_unchanged
from paddle_umsft.errors import DataError

BANDS = 31
# 400, 410 ... 700 nm.
FIRST_NM = 400.0
LAST_NM = 700.0
BAND_FILE = re.compile(r"^(?P<stem>.+)_(?P<band>\d{2})\.png$", re.IGNORECASE)
FOLDER_ENDING = "_ms"
# One picture named ..._01.png may be anything. In a folder of CAVE's naming two are a scene, complete or not; in any
# other folder more than half of the bands: B_09, B_10 and B_11 may as well be those of a satellite.
FEWEST_PICTURES = 2
FEWEST_ELSEWHERE = 16


def is_cave(folder: Path) -> bool:
    """Return whether a folder holds a CAVE scene."""
    return _find_folder(folder) is not None


def cave_name(folder: Path) -> str:
    """Return the short name of a scene: the folder's without `_ms`."""
    name = folder.resolve().name
    if name.endswith(FOLDER_ENDING) and name != FOLDER_ENDING:
        return name[: -len(FOLDER_ENDING)]
    return name


def read_cave(folder: Path) -> RawArray:
    """Read the 31 band pictures; other files (the RGB rendering as BMP) are passed over.

    16-bit grey pictures come as they are. `watercolors_ms` has 8-bit pictures with four channels, of which the
    three colours are equal: the first is taken.

    Args:
        folder: The scene's folder, nested or flat.

    Returns:
        (H, W, 31), uint16 or uint8 as in the files, and the wavelengths in nm.

    Raises:
        DataError: No such folder, bands missing, or pictures that differ in size or depth.
    """
    found = _find_folder(folder)
    if found is None:
        raise DataError(
            "no band pictures",
            where=folder,
            expected="31 files named ..._01.png to ..._31.png",
        )
    files = _band_files(found)
    _check_complete(found, files)
    # Allocated whole: the cube of a full scene is 16 MB, a list of bands beside it would double that.
    first = _read_band(files[1])
    cube = np.empty((*first.shape, BANDS), first.dtype)  # (H, W, 31)
    for number in range(1, BANDS + 1):
        band = _read_band(files[number])
        if band.shape != first.shape or band.dtype != first.dtype:
            raise DataError(
                "size or depth of the picture",
                where=files[number],
                expected=f"{_size(first)} as band 01",
                got=_size(band),
            )
        cube[:, :, number - 1] = band
    return RawArray(
        values=cube,
        wavelengths=np.linspace(FIRST_NM, LAST_NM, BANDS),
        wavelength_unit="nm",
        is_upright=True,
    )


def _find_folder(folder: Path) -> Optional[Path]:
    """Return the folder that holds the band pictures: the one given, or one of the same name inside it."""
    for candidate in (folder, folder / folder.name):
        fewest = FEWEST_ELSEWHERE
        if candidate.resolve().name.endswith(FOLDER_ENDING):
            fewest = FEWEST_PICTURES
        if candidate.is_dir() and len(_band_files(candidate)) >= fewest:
            return candidate
    return None


def _band_files(folder: Path) -> dict[int, Path]:
    """Return band number -> picture."""
    files = {}
    for path in folder.iterdir():
        match = BAND_FILE.match(path.name)
        # macOS leaves ._NAME beside NAME on foreign disks; a pipe would be waited for without end.
        if match and not path.name.startswith(".") and path.is_file():
            files[int(match["band"])] = path
    return files


def _check_complete(folder: Path, files: dict[int, Path]) -> None:
    """Refuse a scene with bands missing or too many."""
    wanted = range(1, BANDS + 1)
    missing = [f"{number:02d}" for number in wanted if number not in files]
    extra = [f"{number:02d}" for number in files if number not in wanted]
    if not missing and not extra:
        return
    got = f"{len(files)} pictures"
    if missing:
        got += f" without {', '.join(missing)}"
    if extra:
        got += f" and with {', '.join(extra)}"
    raise DataError(
        "band pictures",
        where=folder,
        expected="31, numbered 01 to 31",
        got=got,
    )


def _read_band(file: Path) -> np.ndarray:
    """Read one band as (H, W)."""
    picture = read_unchanged(file)
    if picture.ndim == 3:
        return picture[:, :, 0]
    return picture


def _size(band: np.ndarray) -> str:
    """Return size and depth, for messages."""
    return f"{band.shape[0]}x{band.shape[1]} {band.dtype}"
