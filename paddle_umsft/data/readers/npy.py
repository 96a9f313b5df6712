"""numpy's .npy: one array without a name. Pickled objects are never loaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from paddle_umsft.data.readers.base import RawArray, Request, guarded


def read_npy(file: Path, request: Request) -> RawArray:
    """Read the array of a .npy file.

    Raises:
        DataError: Not readable.
    """
    values = guarded(file, ".npy file", lambda: np.load(file, allow_pickle=False))
    return RawArray(values=values)
