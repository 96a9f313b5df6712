"""HDF5 and what is built on it (.h5, .he5, .hdf5, netCDF-4), and netCDF before it: arrays in groups, by their paths.

References:
    CF Conventions 1.11, sections 2.5.1 (_FillValue, missing_value) and 8.1 (scale_factor, add_offset).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np

from paddle_umsft.data.facts import BandFacts, FileFacts
from paddle_umsft.data.readers.base import RawArray, Request, ValuesNeeded, guarded
from paddle_umsft.data.readers.conventions import NamedFile, by_conventions, text
from paddle_umsft.data.readers.entries import Entry
from paddle_umsft.data.readers.named import read_named
from paddle_umsft.data.readers.room import check_room

# HDF5's first bytes; a block of the user's own may stand before them, of 512 bytes or a power of two times that.
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
# netCDF 3 and before.
CLASSIC_MAGIC = b"CDF"
# Attributes that name the number which means "no data".
FILL_ATTRIBUTES = ("_FillValue", "missing_value", "NoData_value", "nodata", "Data_Ignore_Value")


def read_hdf5(file: Path, request: Request) -> RawArray:
    """Read one array of an HDF5 file; its axes are as they are stored.

    Raises:
        DataError: Not readable, unknown key, no array that fits, or several.
    """
    with file.open("rb") as stream:
        head = stream.read(len(CLASSIC_MAGIC))
    listing = hdf5_entries
    add_facts = _facts_by_conventions
    kind = "HDF5 file"
    if head == CLASSIC_MAGIC and request.is_head:
        raise ValuesNeeded("listed with its values", where=file)
    if head == CLASSIC_MAGIC:
        listing = _classic_entries
        add_facts = _classic_facts
        kind = "netCDF file"
    entries = guarded(
        file,
        kind,
        lambda: listing(file),
    )
    found = read_named(
        file,
        entries,
        request,
    )
    facts = guarded(
        file,
        kind,
        lambda: add_facts(
            file,
            found,
            entries,
        ),
    )
    return replace(found, facts=facts)


def _facts_by_conventions(
    file: Path,
    found: RawArray,
    entries: dict[str, Entry],
) -> FileFacts:
    """Return what an HDF5 file says of an image by netCDF's conventions."""
    import h5py

    with h5py.File(file, "r") as handle:
        return _listed_facts(
            found,
            entries,
            attributes=handle.attrs,
            attributes_of=lambda name: handle[name].attrs,
            values_of=lambda name: handle[name][()],
        )


def _classic_facts(
    file: Path,
    found: RawArray,
    entries: dict[str, Entry],
) -> FileFacts:
    """Return what a netCDF file that is not HDF5 says of an image by the conventions."""
    from scipy.io import netcdf_file

    with netcdf_file(
        str(file),
        "r",
        mmap=False,
    ) as handle:
        return _listed_facts(
            found,
            entries,
            attributes=vars(handle)["_attributes"],
            attributes_of=lambda name: vars(handle.variables[name])["_attributes"],
            # A copy: the file's own memory goes with it.
            values_of=lambda name: np.array(handle.variables[name].data),
        )


def _listed_facts(
    found: RawArray,
    entries: dict[str, Entry],
    *,
    attributes: Mapping[str, Any],
    attributes_of: Callable[[str], Mapping[str, Any]],
    values_of: Callable[[str], np.ndarray],
) -> FileFacts:
    """Return what the conventions make of an open file.

    Args:
        found: The image.
        entries: All that was listed. Only this is asked for: a name in an attribute could lead into another file.
        attributes: Of the file.
        attributes_of: Of one array.
        values_of: All values of one array.
    """

    def listed_attributes(name: str) -> dict[str, Any]:
        if name not in entries:
            return {}
        return dict(attributes_of(name))

    def numbers(name: str) -> Optional[np.ndarray]:
        if name not in entries or len(entries[name].shape) != 1:
            return None
        return np.asarray(values_of(name))

    about = NamedFile(
        attributes=dict(attributes),
        of=listed_attributes,
        load=numbers,
    )
    return by_conventions(
        found.facts,
        about,
        found.key,
        entries[found.key].dims,
    )


def hdf5_entries(file: Path) -> dict[str, Entry]:
    """List the arrays of all groups by their paths, without the slash in front."""
    import h5py

    entries: dict[str, Entry] = {}

    def note(name: str, item: Any) -> None:
        # What lies in another file stays there: a data file is not to reach for others.
        if not isinstance(item, h5py.Dataset) or item.is_virtual or item.external:
            return
        entries[name] = Entry(
            shape=tuple(item.shape),
            kind=str(item.dtype),
            load=hdf5_loader(file, name),
            load_part=hdf5_part_loader(file, name),
            chunk=item.chunks,
            dims=_axis_names(item),
            is_numeric=item.dtype.kind in "iuf",
            facts=_facts_of(dict(item.attrs), item.dtype),
        )

    # Links to other files are not followed by this walk.
    with h5py.File(file, "r") as handle:
        handle.visititems(note)
    return entries


def _axis_names(item: Any) -> tuple[str, ...]:
    """Return the names of an array's axes: its own labels, or those of the scales that belong to them; () without."""
    names = []
    for axis in item.dims:
        name = axis.label
        if not name and len(axis) > 0:
            name = axis[0].name.rpartition("/")[2]
        names.append(name)
    # One that has no name could be any.
    if not all(names):
        return ()
    return tuple(names)


def hdf5_loader(file: Path, name: str) -> Callable[[], np.ndarray]:
    """Return what loads one array."""

    def load() -> np.ndarray:
        import h5py

        with h5py.File(file, "r") as handle:
            stored = handle[name]
            check_room(file, stored.shape, stored.dtype)
            return np.asarray(stored[()])

    return load


def hdf5_part_loader(file: Path, name: str) -> Callable[[tuple[slice, ...]], np.ndarray]:
    """Return what loads a part of one array, and reads no more than that."""

    def load(part: tuple[slice, ...]) -> np.ndarray:
        import h5py

        with h5py.File(file, "r") as handle:
            stored = handle[name]
            wanted = [len(range(*cut.indices(length))) for cut, length in zip(part, stored.shape)]
            check_room(file, wanted, stored.dtype)
            return np.asarray(stored[part])

    return load


def _classic_entries(file: Path) -> dict[str, Entry]:
    """List the variables of a netCDF file that is not HDF5."""
    from scipy.io import netcdf_file

    entries = {}
    with netcdf_file(
        str(file),
        "r",
        mmap=False,
    ) as handle:
        for name, variable in handle.variables.items():
            values = np.array(variable.data)
            # The machine's own byte order: these files have the other one.
            values = values.astype(values.dtype.newbyteorder("="))
            entries[name] = Entry(
                shape=values.shape,
                kind=str(values.dtype),
                load=_held(values),
                dims=tuple(variable.dimensions),
                is_numeric=values.dtype.kind in "iuf",
                facts=_facts_of(vars(variable)["_attributes"], values.dtype),
            )
    return entries


def _held(values: np.ndarray) -> Callable[[], np.ndarray]:
    """Return what hands out an array that is loaded already."""
    return lambda: values


def _facts_of(attributes: dict[str, Any], dtype: np.dtype) -> FileFacts:
    """Return what the attributes of an array say, by the conventions that netCDF files follow."""
    no_data = None
    for name in FILL_ATTRIBUTES:
        if no_data is None:
            no_data = _number(attributes.get(name))
    scale = _number(attributes.get("scale_factor"))
    offset = _number(attributes.get("add_offset"))
    bands = BandFacts()
    if scale is not None:
        bands = replace(bands, scale=np.array([scale]))
    if offset is not None:
        bands = replace(bands, offset=np.array([offset]))
    return FileFacts(
        bands=bands,
        no_data=no_data,
        units=text(attributes.get("units", "")),
        dtype=dtype.name,
    )


def _number(value: Any) -> Optional[float]:
    """Return a single number of an attribute, or None."""
    found = np.ravel(value)
    if found.size == 1 and found.dtype.kind in "iuf":
        return float(found[0])
    return None
