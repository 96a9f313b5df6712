"""Small files with one oddity each, written by hand or by another program, and what is to be read from them."""

from __future__ import annotations

import gzip
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np

from paddle_umsft.config.data import DataConfig
from paddle_umsft.data.reading import read_scene
from paddle_umsft.data.scene import Scene

ROWS, COLUMNS, BANDS = 16, 21, 6
NM = np.array([450.0, 520.0, 570.0, 660.0, 850.0, 1600.0])
WIDTHS = np.array([20.0, 25.0, 30.0, 35.0, 40.0, 90.0])
TRANSFORM = (10.0, 0.0, 500000.0, 0.0, -10.0, 5800000.0)
NO_DATA = -9999


def image(dtype: Any = np.int16) -> np.ndarray:
    """(H, W, C): of every number its band, row and column can be told."""
    rows, columns, bands = np.mgrid[:ROWS, :COLUMNS, :BANDS]
    return (1000 * (bands + 1) + 30 * rows + columns).astype(dtype)


def with_hole(dtype: Any = np.int16, fill: float = NO_DATA) -> np.ndarray:
    """The image without data in two pixels."""
    holed = image(dtype)
    holed[2, 3] = fill
    holed[15, 20] = fill
    return holed


HOLE = [(2, 3), (15, 20)]
# Top, left, height, width of a part with one pixel of the hole.
PART = (1, 2, 13, 17)


@dataclass
class Odd:
    """One file.

    Attributes:
        name: What is odd about it.
        write: Writes it into a folder; returns what is given to the reader.
        values: (H, W, C) that is to be read, outside of holes.
        wavelengths: (C,) in nm.
        hole: Pixels without data.
        transform: Where it lies.
        epsg: In which coordinate system.
        left_out: Bands of the file that are left out.
        facts: Other facts by their names.
        note: A word that stands in some note.
        settings: Section `data`.
    """

    name: str
    write: Callable[[Path], Path]
    values: np.ndarray = field(default_factory=image)
    wavelengths: Optional[np.ndarray] = None
    hole: list[tuple[int, int]] = field(default_factory=list)
    transform: Optional[tuple[float, ...]] = None
    epsg: Optional[int] = None
    left_out: list[int] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    note: str = ""
    settings: dict[str, Any] = field(default_factory=dict)


ENVI_TYPES = {"uint8": 1, "int16": 2, "int32": 3, "float32": 4, "float64": 5, "uint16": 12}


def envi(
    values: Optional[np.ndarray] = None,
    *,
    header: str = "x.hdr",
    data: str = "x.img",
    give: str = "x.hdr",
    interleave: str = "bsq",
    big: bool = False,
    lines: str = "",
    instead: Optional[dict[str, str]] = None,
    offset: int = 0,
    packed: bool = False,
) -> Callable[[Path], Path]:
    """A writer of an ENVI pair by hand; `instead` replaces fields of the header, "" takes one away."""

    def write(folder: Path) -> Path:
        cube = image() if values is None else values
        axes = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}[interleave]
        stored = cube.transpose(axes).astype(cube.dtype.newbyteorder(">" if big else "<"))
        content = b"\xff" * offset + (gzip.compress(stored.tobytes()) if packed else stored.tobytes())
        (folder / data).write_bytes(content)
        fields = {
            "samples": str(COLUMNS),
            "lines": str(ROWS),
            "bands": str(cube.shape[2]),
            "header offset": str(offset),
            "data type": str(ENVI_TYPES[cube.dtype.name]),
            "interleave": interleave,
            "byte order": "1" if big else "0",
            **(instead or {}),
        }
        text = "".join(f"{key} = {value}\n" for key, value in fields.items() if value != "")
        (folder / header).write_text(f"ENVI\n{text}{lines}", encoding="utf-8")
        return folder / give

    return write


def braces(numbers: Any) -> str:
    return "{" + ", ".join(f"{number:g}" for number in numbers) + "}"


def geotiff(
    values: Optional[np.ndarray] = None,
    *,
    tags: Optional[list[dict[str, str]]] = None,
    domain: Optional[str] = None,
    then: Optional[Callable[[Any], None]] = None,
    place: bool = True,
    **profile: Any,
) -> Callable[[Path], Path]:
    """A writer of a GeoTIFF by rasterio."""

    def write(folder: Path) -> Path:
        import rasterio
        from rasterio.transform import Affine

        cube = image() if values is None else values
        where = {"crs": "EPSG:32633", "transform": Affine(*TRANSFORM)} if place else {}
        made = {**where, **profile}
        path = folder / "x.tif"
        size = {"height": cube.shape[0], "width": cube.shape[1], "count": cube.shape[2]}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            target = rasterio.open(path, "w", driver="GTiff", dtype=cube.dtype.name, **size, **made)
        with target:
            target.write(np.moveaxis(cube, -1, 0))
            for number, items in enumerate(tags or [], start=1):
                target.update_tags(number, ns=domain, **items)
            if then is not None:
                then(target)
        return path

    return write


def check(odd: Odd, scene: Scene) -> None:
    valid = np.ones((ROWS, COLUMNS), bool)
    for row, column in odd.hole:
        valid[row, column] = False
    assert scene.hr_hsi.shape == odd.values.shape
    np.testing.assert_allclose(scene.hr_hsi[valid], odd.values[valid], rtol=1e-6)
    assert np.isfinite(scene.hr_hsi).all()
    if scene.mask_hsi is None:
        assert odd.hole == []
    else:
        np.testing.assert_array_equal(scene.mask_hsi, valid)
    if odd.wavelengths is None:
        assert scene.wavelengths_nm is None
    else:
        np.testing.assert_allclose(scene.wavelengths_nm, odd.wavelengths, rtol=1e-6)
    facts = scene.facts
    assert facts is not None
    if odd.transform is None:
        assert not facts.ground.is_known
    else:
        np.testing.assert_allclose(facts.ground.transform, odd.transform)
    assert facts.ground.epsg == odd.epsg
    assert facts.left_out() == odd.left_out
    for name, value in odd.facts.items():
        found = getattr(facts, name) if hasattr(facts, name) else getattr(facts.bands, name)
        if isinstance(value, np.ndarray):
            np.testing.assert_allclose(found, value, rtol=1e-6)
        else:
            assert found == value
    assert any(odd.note in note for note in scene.notes) or not odd.note, scene.notes


def read(odd: Odd, folder: Path) -> Scene:
    settings = {"layout": "hwc", "normalise": "none", **odd.settings}
    if odd.name == "pages":
        settings["layout"] = "auto"
    return read_scene(DataConfig(path=str(odd.write(folder)), **settings))


def check_part(odd: Odd, path: Path) -> None:
    """A crop is the whole, cut: whether the reader read no more than that or all of it."""
    whole = read_scene(DataConfig(path=str(path), normalise="none", **odd.settings))
    part = read_scene(DataConfig(path=str(path), normalise="none", crop=list(PART), **odd.settings))
    top, left, height, width = PART
    cut = (slice(top, top + height), slice(left, left + width))
    assert whole.facts is not None
    assert part.facts is not None
    np.testing.assert_array_equal(part.wavelengths_nm, whole.wavelengths_nm)
    assert part.facts.order == whole.facts.order
    assert part.facts.ground.transform == whole.facts.ground.cut(top, left).transform
    shown = np.ones((height, width), bool)
    if whole.mask_hsi is not None:
        shown = whole.mask_hsi[cut]
    # Where all of a part is valid it needs no mask.
    held = np.ones((height, width), bool)
    if part.mask_hsi is not None:
        held = part.mask_hsi
    np.testing.assert_array_equal(held, shown)
    # What lies under a mask is filled from other places.
    np.testing.assert_array_equal(part.hr_hsi[shown], whole.hr_hsi[cut][shown])
