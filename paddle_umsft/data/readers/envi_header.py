"""ENVI's header: its text, what it says of the numbers beside it, and where those are.

References:
    NV5 Geospatial, ENVI help: ENVI Header Files (the fields, map info, data types).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import numpy as np

from paddle_umsft.data.facts import BandFacts, FileFacts
from paddle_umsft.data.ground import Affine, Georeference
from paddle_umsft.data.wavelengths import from_names, in_nm
from paddle_umsft.errors import DataError
from paddle_umsft.machine.numbers import whole_number

HEADER_SUFFIX = ".hdr"
# A .npy is raw numbers behind a head of its own: `header offset` says how long that is.
ARRAY_HEADER = ".npy.hdr"
# The data file's usual endings, those that ENVI itself looks for first; "" is ENVI's own custom.
DATA_SUFFIXES = ("", ".img", ".dat", ".raw", ".bsq", ".bil", ".bip", ".bin", ".sli")
MAGIC = "ENVI"
# Map projections that stand for a coordinate system by themselves, on this datum only.
WGS84 = "wgs84"
WGS84_DEGREES = 4326
UTM_NORTH = 32600
UTM_SOUTH = 32700
UTM_ZONES = 60
# Projection, reference pixel (2), its coordinates (2), pixel sizes (2).
MAP_FIELDS = 7


def find_header(data: Path) -> Optional[Path]:
    """Return the header beside an ENVI data file (x.hdr or x.dat.hdr for x.dat), or None."""
    for name in (data.name + HEADER_SUFFIX, data.stem + HEADER_SUFFIX):
        for spelling in (name, name[: -len(HEADER_SUFFIX)] + HEADER_SUFFIX.upper()):
            header = data.with_name(spelling)
            if header != data and header.is_file() and is_envi(header):
                return header
    return None


def describes_array(file: Path) -> bool:
    """Return whether a file is the header of a .npy, by its name: it says more of that file, and is no image itself."""
    return file.name.lower().endswith(ARRAY_HEADER)


def find_data(header: Path) -> Path:
    """Return the data file beside a header: its name without `.hdr`, or that with another ending.

    Raises:
        DataError: There is none, or several that may be meant.
    """
    stem = header.name[: -len(HEADER_SUFFIX)]
    candidates = []
    for path in sorted(header.parent.iterdir()):
        name = path.name
        ending = name[len(stem) :].lower()
        if path.is_file() and name.startswith(stem) and ending in DATA_SUFFIXES:
            candidates.append(path)
    # ENVI's own custom, a name without an ending more than the header's, leaves no doubt.
    exact = header.with_name(stem)
    if exact in candidates:
        return exact
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise DataError(
            "several data files beside the ENVI header",
            where=header,
            got=", ".join(path.name for path in candidates),
            hint="give the data file instead of the header",
        )
    raise DataError(
        "an ENVI header without its data file",
        where=header,
        expected=f"{stem}, {stem}.img, {stem}.dat or the like beside it",
        hint="copy the data file too: the header holds no image",
    )


def is_envi(file: Path) -> bool:
    """Return whether a file begins as an ENVI header does."""
    with file.open("rb") as stream:
        head = stream.read(16)
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").upper().startswith(MAGIC.encode())


def parse_header(file: Path) -> dict[str, str]:
    """Return field -> value of a header: names in lower case, values without braces, comment lines left out.

    Raises:
        DataError: No ENVI header, or a brace that is never closed.
    """
    if not is_envi(file):
        raise DataError(
            "no ENVI header",
            where=file,
            expected="a text that begins with ENVI",
            hint="GDAL's and ESRI's .hdr are other formats: gdal_translate -of ENVI IN OUT",
        )
    text = file.read_bytes().decode("utf-8-sig", errors="replace")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith(";")]
    fields: dict[str, str] = {}
    name = ""
    # Parts of a value in braces that is not closed yet; None: outside of braces.
    open_value: Optional[list[str]] = None
    for line in lines[1:]:
        if open_value is None:
            before, equals, value = line.partition("=")
            if not equals:
                continue
            name = " ".join(before.lower().split())
            value = value.strip()
            if not value.startswith("{"):
                fields[name] = value
                continue
            open_value = []
            line = value[1:]
        part, closed, _ = line.rpartition("}")
        if closed:
            fields[name] = "\n".join([*open_value, part]).strip()
            open_value = None
        else:
            open_value.append(line)
    # The end of the text came before the end of a value.
    if open_value is not None:
        raise DataError(
            "a brace that is never closed", where=file, got=f"field {name!r}", hint="is the header cut short?"
        )
    return fields


def listed(fields: dict[str, str], name: str) -> list[str]:
    """Return the entries of a list, [] where the field is missing or empty."""
    value = fields.get(name, "").strip()
    if not value:
        return []
    return [entry.strip() for entry in value.rstrip(",").split(",")]


def numbers(
    fields: dict[str, str],
    name: str,
    file: Path,
) -> Optional[np.ndarray]:
    """Return the numbers of a list, or None where the field is missing or empty.

    Raises:
        DataError: An entry is no number.
    """
    entries = listed(fields, name)
    if not entries:
        return None
    try:
        return np.asarray([float(entry) for entry in entries])
    except ValueError as error:
        raise DataError(
            f"field {name!r}",
            where=file,
            expected="numbers",
            got=str(error),
        ) from None


def facts_of(
    fields: dict[str, str],
    file: Path,
    count: int,
    dtype: np.dtype,
) -> tuple[FileFacts, tuple[str, ...]]:
    """Return what a header says beside the layout of the numbers, and notes on how it was taken.

    Args:
        fields: As `parse_header` returns them.
        file: The header, for messages.
        count: Number of bands.
        dtype: Of the numbers.

    Raises:
        DataError: A list that holds anything but numbers, or not one entry a band.
    """

    notes: tuple[str, ...] = ()

    def one_a_band(name: str) -> Optional[np.ndarray]:
        nonlocal notes
        found, told = _list_of(
            fields,
            name,
            file,
            count,
        )
        notes += told
        return found

    names = tuple(listed(fields, "band names"))
    unit = fields.get("wavelength units", "")
    listed_centres = one_a_band("wavelength")
    if listed_centres is None:
        listed_centres, unit = from_names(names)
    centres, converted = in_nm(
        listed_centres,
        unit,
        file.name,
    )
    notes += converted
    widths = one_a_band("fwhm")
    # Widths have the unit of the centres.
    if widths is not None and centres is not None and listed_centres is not None:
        widths = widths * _factor_between(listed_centres, centres)
    scale = one_a_band("data gain values")
    offset = one_a_band("data offset values")
    factor = numbers(
        fields,
        "reflectance scale factor",
        file,
    )
    if scale is None and factor is not None and factor[0] > 0:
        scale = np.full(count, 1.0 / factor[0])
    flags = one_a_band("bbl")
    good = None
    if flags is not None:
        good = flags != 0
    # A list may stand here, one number a band; they are the same in all files at hand.
    ignored = numbers(
        fields,
        "data ignore value",
        file,
    )
    bands = BandFacts(
        count=count,
        wavelengths_nm=centres,
        fwhm_nm=widths,
        names=names,
        good=good,
        scale=scale,
        offset=offset,
    )
    no_data = None
    if ignored is not None:
        no_data = float(ignored[0])
    facts = FileFacts(
        ground=ground_of(fields),
        bands=bands,
        no_data=no_data,
        units=fields.get("data units", ""),
        dtype=dtype.newbyteorder("=").name,
        acquired=fields.get("acquisition time", ""),
        sensor=fields.get("sensor type", ""),
    )
    return facts, notes


def _list_of(
    fields: dict[str, str],
    name: str,
    file: Path,
    count: int,
) -> tuple[Optional[np.ndarray], tuple[str, ...]]:
    """Return a list of one number a band; None, and a note, where it is none."""
    # A subset often keeps the lists of the cube that it was cut from: no fault of its numbers.
    try:
        found = numbers(fields, name, file)
    except DataError:
        return None, (f"{file.name}: field {name!r} is not used, it holds more than numbers",)
    if found is None or found.size == count:
        return found, ()
    return None, (f"{file.name}: field {name!r} is not used, it has {found.size} numbers for {count} bands",)


def _factor_between(before: np.ndarray, after: np.ndarray) -> float:
    """Return what wavelengths were multiplied by to be nm."""
    place = int(np.argmax(before))
    return float(after[place] / before[place])


def ground_of(fields: dict[str, str]) -> Georeference:
    """Return where the image lies, by `map info` and `coordinate system string`."""
    map_info = fields.get("map info", "")
    wkt = " ".join(fields.get("coordinate system string", "").split())
    entries = listed(fields, "map info")
    return Georeference(
        transform=_transform_of(entries, has_system=bool(wkt)),
        crs_wkt=wkt,
        epsg=_epsg_of(entries),
        map_info=" ".join(map_info.split()),
    )


def _transform_of(entries: Sequence[str], *, has_system: bool) -> Optional[Affine]:
    """Return the six numbers of `map info`, whose reference pixel is counted from 1 at its outer corner.

    Args:
        entries: Of `map info`.
        has_system: The header names the coordinate system besides: "arbitrary" then means one that ENVI
            has no word for.
    """
    if len(entries) < MAP_FIELDS:
        return None
    if entries[0].lower().startswith("arbitrary") and not has_system:
        return None
    try:
        column, row, x, y, width, height = (float(entry) for entry in entries[1:MAP_FIELDS])
    except ValueError:
        return None
    # Degrees, against the clock.
    angle = 0.0
    for entry in entries[MAP_FIELDS:]:
        match = re.match(
            r"rotation\s*=\s*([-+.\deE]+)",
            entry,
            re.IGNORECASE,
        )
        if match:
            angle = np.deg2rad(-float(match[1]))
    a = float(np.cos(angle) * width)
    b = float(-np.sin(angle) * width)
    d = float(-np.sin(angle) * height)
    e = float(-np.cos(angle) * height)
    left = column - 1
    above = row - 1
    return a, b, x - a * left - b * above, d, e, y - d * left - e * above


def _epsg_of(entries: Sequence[str]) -> Optional[int]:
    """Return the EPSG number of a projection that `map info` names completely; None for all others."""
    if not entries:
        return None
    projection = entries[0].lower()
    # "WGS-84" and "WGS 84" are one word then.
    words = [
        re.sub(
            r"[^a-z0-9]",
            "",
            entry.lower(),
        )
        for entry in entries[MAP_FIELDS:]
    ]
    if WGS84 not in words:
        return None
    if projection.startswith("geographic"):
        return WGS84_DEGREES
    # UTM's zone and hemisphere come right behind the numbers.
    if projection != "utm" or len(words) < 2:
        return None
    zone = whole_number(words[0])
    if zone is None or not 1 <= zone <= UTM_ZONES:
        return None
    if words[1].startswith("s"):
        return UTM_SOUTH + zone
    return UTM_NORTH + zone
