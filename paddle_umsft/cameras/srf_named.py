"""Cameras known by name: the Nikon D700, satellites' sensors and spectrometers, and a made-up one with uniform bands.

The Nikon D700 table is used as published, not normalised (rows sum to 1.09, 0.80 and 0.99: every CAVE paper of this
family has it so); the others have rows that sum to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np

from paddle_umsft.cameras.curve_files import read_curves
from paddle_umsft.cameras.curves import Curves
from paddle_umsft.cameras.response import Srf
from paddle_umsft.cameras.srf_curves import range_text, srf_of_curves
from paddle_umsft.data.checks import check_supports
from paddle_umsft.data.scene import Supports
from paddle_umsft.errors import ConfigError, DataError

TABLES = Path(__file__).parent / "tables"

# Of the 31 bands from 400 to 700 nm, as published with the method.
NIKON_D700_SUPPORTS: Supports = ((20, 31), (10, 23), (0, 12))
# A scene whose bands lie further than half a band of CAVE from the table's is another scene.
NIKON_D700_TOLERANCE_NM = 5.0

# An MSI band of which the HSI misses more than a tenth cannot be simulated from it.
LEAST_COVERED = 0.9


@dataclass(frozen=True)
class Sensor:
    """A camera whose responses stand in a table.

    Attributes:
        label: What it is called in messages.
        table: File in `tables/`; its head names source and terms.
        default: Bands taken where `observe.bands` names none; None: all.
    """

    label: str
    table: str
    default: Optional[tuple[str, ...]] = None


# Of Sentinel-2 the bands of 10 m and the two of 20 m in the short-wave infrared, which nothing else covers; of the
# Landsats those of 30 m that see the ground; of all, not the panchromatic one beside the others.
_SENTINEL2_DEFAULT = ("B2", "B3", "B4", "B8", "B11", "B12")
_OLI_DEFAULT = ("B1", "B2", "B3", "B4", "B5", "B6", "B7")
_ALI_DEFAULT = ("MS1p", "MS1", "MS2", "MS3", "MS4", "MS4p", "MS5p", "MS5", "MS7")
_WORLDVIEW_DEFAULT = ("coastal", "blue", "green", "yellow", "red", "rededge", "nir1", "nir2")
SENSORS: dict[str, Sensor] = {
    "sentinel2": Sensor(label="Sentinel-2A", table="sentinel2a.csv", default=_SENTINEL2_DEFAULT),
    "sentinel2a": Sensor(label="Sentinel-2A", table="sentinel2a.csv", default=_SENTINEL2_DEFAULT),
    "sentinel2b": Sensor(label="Sentinel-2B", table="sentinel2b.csv", default=_SENTINEL2_DEFAULT),
    "sentinel2c": Sensor(label="Sentinel-2C", table="sentinel2c.csv", default=_SENTINEL2_DEFAULT),
    "landsat7": Sensor(label="Landsat 7", table="landsat7.csv", default=("B1", "B2", "B3", "B4", "B5", "B7")),
    "landsat8": Sensor(label="Landsat 8", table="landsat8.csv", default=_OLI_DEFAULT),
    "landsat9": Sensor(label="Landsat 9", table="landsat9.csv", default=_OLI_DEFAULT),
    "worldview2": Sensor(label="WorldView-2", table="worldview2.csv", default=_WORLDVIEW_DEFAULT),
    "worldview3": Sensor(label="WorldView-3", table="worldview3.csv", default=_WORLDVIEW_DEFAULT),
    "superdove": Sensor(label="SuperDove", table="superdove.csv"),
    # Imaging spectrometers: all their bands, as one takes another's scene for its own.
    "enmap": Sensor(label="EnMAP", table="enmap.csv"),
    "prisma": Sensor(label="PRISMA", table="prisma.csv"),
    "emit": Sensor(label="EMIT", table="emit.csv"),
    "desis": Sensor(label="DESIS", table="desis.csv"),
    "ali": Sensor(label="ALI", table="ali.csv", default=_ALI_DEFAULT),
}


def nikon_d700(bands: int, wavelengths_nm: Optional[np.ndarray] = None) -> Srf:
    """Return the Nikon D700's responses R, G, B at 400, 410 ... 700 nm, as published with the method.

    Args:
        bands: C of the scene.
        wavelengths_nm: (C,) band centres, if known.

    Raises:
        DataError: The scene has not 31 bands, or bands elsewhere.

    References:
        Caoxuheng/HIFtool, NikonD700.npy.
    """
    table = np.loadtxt(TABLES / "nikon_d700.csv", delimiter=",")
    own_nm = table[:, 0]
    responses = table[:, 1:]  # (31, 3)
    where = "observe.srf nikon_d700"
    hint = "use sentinel2, uniform or a file"
    if bands != len(own_nm):
        raise DataError(
            "bands of the SRF",
            where=where,
            expected="a scene with 31 bands",
            got=bands,
            hint=hint,
        )
    notes: tuple[str, ...] = ()
    if wavelengths_nm is None:
        notes = ("the scene's wavelengths are not known: taken as 400...700 nm, as the Nikon D700 table has them",)
    elif np.abs(wavelengths_nm - own_nm).max() > NIKON_D700_TOLERANCE_NM:
        raise DataError(
            "outside the scene's wavelengths",
            where=where,
            expected="400...700 nm",
            got=range_text(wavelengths_nm),
            hint=hint,
        )
    return Srf(
        values=responses.T.copy(),
        names=("R", "G", "B"),
        supports=NIKON_D700_SUPPORTS,
        notes=notes,
    )


def sensor_srf(
    name: str,
    wavelengths_nm: Optional[np.ndarray],
    bands: Optional[Sequence[str]] = None,
    fwhm_nm: Optional[np.ndarray] = None,
) -> Srf:
    """Return a sensor's bands as an imaging spectrometer sees them, rows summing to 1.

    Args:
        name: One of `SENSORS`.
        wavelengths_nm: (C,) band centres, ascending.
        bands: Names of its bands; None: its usual ones, those that the scene covers.
        fwhm_nm: (C,) widths of the HSI's bands, if known.

    Raises:
        ConfigError: Unknown band name.
        DataError: The scene's wavelengths are not known, a named band lies outside them, or (without names) all do.

    References:
        The head of each table in `tables/`.
    """
    sensor = SENSORS[name]
    curves = read_curves(TABLES / sensor.table, sensor.table)
    # What comes with the package has a header.
    assert isinstance(curves, Curves)
    wanted = bands or sensor.default or curves.names
    return srf_of_curves(
        curves,
        wavelengths_nm,
        where=f"observe.srf {name}",
        label=sensor.label,
        bands=wanted,
        is_named=bands is not None,
        least_covered=LEAST_COVERED,
        fwhm_nm=fwhm_nm,
    )


def uniform_srf(
    bands: int,
    msi_bands: int,
    supports: Optional[Sequence[Sequence[int]]] = None,
) -> Srf:
    """Return MSI bands that are plain means over their supports.

    Args:
        bands: C.
        msi_bands: M, for M ranges of (nearly) equal length side by side; not used where supports are given.
        supports: One range [a, b) per MSI band.

    Raises:
        ConfigError: More MSI than HSI bands, or supports that do not fit.
    """
    if supports is None:
        supports = _side_by_side(bands, msi_bands)
    checked = check_supports(supports, bands)
    values = np.zeros((len(checked), bands))
    for row, (start, stop) in zip(values, checked):
        row[start:stop] = 1.0 / (stop - start)
    names = tuple(f"[{start},{stop})" for start, stop in checked)
    return Srf(
        values=values,
        names=names,
        supports=checked,
    )


def _side_by_side(bands: int, msi_bands: int) -> list[tuple[int, int]]:
    """Divide the bands into ranges of nearly equal length."""
    if msi_bands > bands:
        raise ConfigError(
            "MSI bands",
            where="observe.msi_bands",
            expected=f"at most {bands}",
            got=msi_bands,
        )
    edges = np.linspace(0, bands, msi_bands + 1)
    edges = np.round(edges).astype(int)
    whole = edges.tolist()
    return list(zip(whole[:-1], whole[1:]))
