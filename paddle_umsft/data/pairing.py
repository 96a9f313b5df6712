"""Which HSI belongs to which MSI: a folder of pairs, or two folders, matched by the names of their files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from paddle_umsft.data.readers.table import image_files
from paddle_umsft.errors import DataError

# Words in a file's name that say which of the two it is; what is left of the name is the pair's.
HSI_WORDS = {"hsi", "hs", "lr", "lrhsi", "hyper", "hyperspectral", "enmap", "prisma", "emit", "desis", "hyperion"}
MSI_WORDS = {"msi", "ms", "hr", "hrmsi", "multi", "multispectral", "rgb", "pan", "s2", "sentinel2", "landsat", "ali"}
# A message names so many files.
SHOWN_FILES = 4


@dataclass(frozen=True)
class NamedPair:
    """Two files that belong together.

    Attributes:
        name: What their names have in common.
        hsi: File of the HSI.
        msi: File of the MSI.
    """

    name: str
    hsi: Path
    msi: Path


def pairs_in(hsi: Path, msi: Path) -> list[NamedPair]:
    """Match files by their names.

    Args:
        hsi: Folder of HSIs, or of both.
        msi: Folder of MSIs; the same folder: names tell which is which, `a_hsi.tif` and `a_msi.tif`.

    Returns:
        The pairs, by name.

    Raises:
        DataError: No pair, a file without a partner, or several files that would be one.
    """
    if hsi.resolve() == msi.resolve():
        images = image_files(hsi)
        low = _by_name((file for file in images if _role(file) == "hsi"), hsi)
        high = _by_name((file for file in images if _role(file) == "msi"), msi)
    else:
        low = _by_name(image_files(hsi), hsi)
        high = _by_name(image_files(msi), msi)
    if not low and not high:
        raise DataError(
            "no pair in the folder",
            where=hsi,
            expected="names such as a_hsi.tif and a_msi.tif, or two folders with the same names",
        )
    alone = [low[name].name for name in low if name not in high]
    alone += [high[name].name for name in high if name not in low]
    if alone:
        got = ", ".join(alone[:SHOWN_FILES])
        if len(alone) > SHOWN_FILES:
            got += " ..."
        raise DataError("files without a partner", where=hsi, expected="the same name for both", got=got)
    return [NamedPair(name=name, hsi=low[name], msi=high[name]) for name in sorted(low)]


def _words(file: Path) -> list[str]:
    """Return the words of a file's name."""
    return [word for word in re.split(r"[\W_]+", file.stem) if word]


def _role(file: Path) -> Optional[str]:
    """Return "hsi", "msi", or None for a name that does not say."""
    for word in _words(file):
        if word.lower() in HSI_WORDS:
            return "hsi"
        if word.lower() in MSI_WORDS:
            return "msi"
    return None


def _by_name(files: Iterable[Path], folder: Path) -> dict[str, Path]:
    """Return files by what is left of their names without the words for the two roles."""
    found: dict[str, Path] = {}
    for file in files:
        left = [word for word in _words(file) if word.lower() not in HSI_WORDS | MSI_WORDS]
        name = "_".join(left) or "pair"
        if name in found:
            raise DataError(
                "two files of one name",
                where=folder,
                got=f"{found[name].name}, {file.name}",
            )
        found[name] = file
    return found
