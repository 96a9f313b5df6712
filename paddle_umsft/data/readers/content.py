"""What kind a file is by its first bytes: a sound file under a wrong name is not to be called damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

# First bytes -> the ending that such files have. MATLAB 7.3 is HDF5 behind a header that begins so too.
SIGNATURES = (
    (b"II*\x00", ".tif"),
    (b"MM\x00*", ".tif"),
    (b"II+\x00", ".tif"),
    (b"MM\x00+", ".tif"),
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"\x89HDF\r\n\x1a\n", ".h5"),
    (b"CDF\x01", ".nc"),
    (b"CDF\x02", ".nc"),
    (b"\x93NUMPY", ".npy"),
    (b"MATLAB", ".mat"),
    (b"\x00\x00\x00\x0cjP  ", ".jp2"),
)
LONGEST = 8
# Files under these names hold whatever their headers say, or decide by their content themselves.
OPEN_SUFFIXES = (".hdr", ".img", ".dat", ".raw", ".bsq", ".bil", ".bip", ".bin")
# Plain HDF5 is what many programs write under MATLAB's name.
ALLOWED = ((".mat", ".h5"),)


def suffix_by_content(file: Path) -> Optional[str]:
    """Return the ending that a file should have by its first bytes, or None where they tell nothing."""
    if file.suffix.lower() in OPEN_SUFFIXES:
        return None
    with file.open("rb") as stream:
        head = stream.read(LONGEST)
    for signature, suffix in SIGNATURES:
        if head.startswith(signature):
            if (file.suffix.lower(), suffix) in ALLOWED:
                return None
            return suffix
    return None
