"""HDF5 files that keep all their values themselves, for readers that ask for arrays by their names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paddle_umsft.errors import DataError


@contextmanager
def opened_own(path: Path) -> Iterator[Any]:
    """Open a file for reading; nothing in it leads into another file.

    Args:
        path: It exists.

    Raises:
        DataError: Something does: a link, external storage, a virtual data set.
        OSError: It is no HDF5.
    """
    import h5py

    with h5py.File(path, "r") as handle:
        for name in _foreign(handle):
            raise DataError("keeps values in another file, which is not read", where=path, got=name)
        yield handle


def _foreign(handle: Any) -> Iterator[str]:
    """Yield the names of all that leads into other files; nothing of it is opened."""
    import h5py

    waiting = [handle]
    seen = set()
    while waiting:
        group = waiting.pop()
        for name in group:
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                yield f"{group.name}/{name}"
            # What a soft link leads to is found under its own name, or lies beyond one of the above.
            if not isinstance(link, h5py.HardLink):
                continue
            item = group[name]
            place = h5py.h5o.get_info(item.id).addr
            # Groups may hold each other.
            if place in seen:
                continue
            seen.add(place)
            if isinstance(item, h5py.Group):
                waiting.append(item)
            elif isinstance(item, h5py.Dataset) and (item.is_virtual or item.external):
                yield item.name
