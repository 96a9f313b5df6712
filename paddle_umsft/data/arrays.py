"""Earlier name of `paddle_umsft.data.readers.table`, whose `read_array` takes what it is asked for as one `Request`."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Union

from paddle_umsft.data.readers import table
from paddle_umsft.data.readers.base import RawArray, Request
from paddle_umsft.machine.moved import moved_to, warn_moved

_READERS = "paddle_umsft.data.readers.table"
__getattr__ = moved_to(__name__, _READERS)


def read_array(
    path: Union[str, Path],
    key: Optional[str] = None,
    *,
    axes: tuple[int, ...] = (3,),
    option: str = "data.key",
) -> RawArray:
    """Read one array, as 0.1.0 was called.

    Args:
        path: A file of any format that is read.
        key: Its name in the file; None: the only one that fits.
        axes: Numbers of axes that fit.
        option: Config key that `key` came from, named in a message.

    Raises:
        DataError: As `paddle_umsft.data.readers.table.read_array`.
    """
    warn_moved(f"{__name__}.read_array", f"{_READERS}.read_array")
    # What is new since then (windows, layouts) has its defaults.
    request = Request(key=key, axes=axes, option=option)
    return table.read_array(path, request)
