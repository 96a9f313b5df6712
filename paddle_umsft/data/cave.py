"""The CAVE scenes as Columbia University ships them: a folder of 31 pictures, one per band.

References:
    Yasuma, Mitsunaga, Iso, Nayar: Generalized Assorted Pixel Camera. Columbia University, CUCS-061-08, 2008.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Optional

import numpy as np

from paddle_umsft.data.arrays import read_unchanged
from paddle_umsft.errors import DataError

CAVE_BANDS = 31
_BAND_FILE = re.compile(r"^(?P<stem>.+)_(?P<band>\d{2})\.png$", re.IGNORECASE)


def cave_wavelengths() -> np.ndarray:
    """(31,) band centres: 400, 410 ... 700 nm."""
    return np.linspace(400.0, 700.0, CAVE_BANDS)


def find_cave_folder(folder: Path) -> Optional[Path]:
    """The folder that holds the band pictures: the one given, or one of the same name inside it.

    Returns:
        None where neither holds at least two files named like `..._01.png`.
    """
    for candidate in (folder, folder / folder.name):
        if candidate.is_dir() and len(_band_files(candidate)) >= 2:
            return candidate
    return None


def cave_name(folder: Path) -> str:
    """Short name of a scene: the folder's without `_ms`."""
    name = folder.resolve().name
    return name[:-3] if name.endswith("_ms") and len(name) > 3 else name


def read_cave(folder: Path) -> np.ndarray:
    """Reads the 31 band pictures; other files (the RGB rendering as BMP) are passed over.

    16-bit grey pictures come as they are. `watercolors_ms` has 8-bit pictures with four channels, of which the
    three colours are equal: the first is taken.

    Args:
        folder: The scene's folder, nested or flat.

    Returns:
        (H, W, 31), uint16 or uint8 as in the files.

    Raises:
        DataError: No such folder, bands missing, or pictures that differ in size or depth.
    """
    found = find_cave_folder(folder)
    if found is None:
        raise DataError("no band pictures", where=folder, expected="31 files named ..._01.png to ..._31.png")
    files = _band_files(found)
    missing = [number for number in range(1, CAVE_BANDS + 1) if number not in files]
    extra = [number for number in files if not 1 <= number <= CAVE_BANDS]
    if missing or extra:
        got = f"{len(files)} pictures"
        if missing:
            got += f" without {', '.join(f'{number:02d}' for number in missing)}"
        if extra:
            got += f" and with {', '.join(f'{number:02d}' for number in extra)}"
        raise DataError("band pictures", where=found, expected="31, numbered 01 to 31", got=got)
    cube: Optional[np.ndarray] = None
    for number in range(1, CAVE_BANDS + 1):
        picture = read_unchanged(files[number])
        band = picture if picture.ndim == 2 else picture[:, :, 0]
        if cube is None:
            cube = np.empty((*band.shape, CAVE_BANDS), band.dtype)
        if band.shape != cube.shape[:2] or band.dtype != cube.dtype:
            expected = f"{cube.shape[0]}x{cube.shape[1]} {cube.dtype} as band 01"
            got = f"{band.shape[0]}x{band.shape[1]} {band.dtype}"
            raise DataError("size or depth of the picture", where=files[number], expected=expected, got=got)
        cube[:, :, number - 1] = band
    assert cube is not None
    return cube


def _band_files(folder: Path) -> dict[int, Path]:
    """Band number -> picture."""
    files = {}
    for path in folder.iterdir():
        match = _BAND_FILE.match(path.name)
        if match and not path.name.startswith("."):
            files[int(match["band"])] = path
    return files
