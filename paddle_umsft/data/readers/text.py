"""Tables of numbers as text, without a header line: .csv with commas, .txt with blanks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from paddle_umsft.data.readers.base import RawArray, Request, guarded

# None: any run of blanks.
DELIMITERS = {".csv": ",", ".txt": None}


def read_text(file: Path, request: Request) -> RawArray:
    """Read a table; one row or one column is a table too.

    Raises:
        DataError: Not readable.
    """
    delimiter = DELIMITERS[file.suffix.lower()]
    values = guarded(file, "table of numbers", lambda: np.loadtxt(file, delimiter=delimiter, ndmin=2))
    return RawArray(values=values)
