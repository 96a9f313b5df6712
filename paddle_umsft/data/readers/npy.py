"""numpy's .npy: one array without a name. Pickled objects are never loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Optional

import numpy as np

from paddle_umsft.data.readers.base import GLANCE, RawArray, Request, guarded


def read_npy(file: Path, request: Request) -> RawArray:
    """Read the array of a .npy file.

    Raises:
        DataError: Not readable.
    """
    # Of a part the axes are not known yet: the whole stays on the disk until whoever asked has cut it.
    mode: Optional[Literal["r"]] = None
    if request.window not in (None, GLANCE):
        mode = "r"
    values = guarded(file, ".npy file", lambda: np.load(file, mmap_mode=mode, allow_pickle=False))
    return RawArray(values=values)
