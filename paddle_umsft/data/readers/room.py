"""Room for an array: what a file says of its size is believed only as far as there is memory for it.

Some kilobytes can stand for a terabyte: compressed zeros, a block of HDF5 that was never written, a hole in a file.
The system lends such a size and ends the process, or another one, once it is used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from paddle_umsft.errors import DataError
from paddle_umsft.machine.memory import available_bytes, in_words


def check_room(file: Path, shape: Sequence[int], dtype: Any) -> None:
    """Check that there is memory for an array, before any is taken.

    Args:
        file: Where it stands.
        shape: As the file says.
        dtype: Of its numbers, anything that NumPy takes for one.

    Raises:
        DataError: It is larger than the memory that is free.
    """
    # Python's integers: no product overflows.
    needed = math.prod(int(length) for length in shape) * np.dtype(dtype).itemsize
    free = available_bytes()
    if free is None or needed <= free:
        return
    sizes = " x ".join(str(length) for length in shape)
    raise DataError(
        "no memory for the array",
        where=file,
        expected=f"at most {in_words(free)}",
        got=f"{sizes} numbers, {in_words(needed)}",
        hint="data.crop reads a part of it; is the file what it should be?",
    )
