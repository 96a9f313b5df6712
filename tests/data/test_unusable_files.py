"""Files that are no scene: missing, cut short, ambiguous or full of what no image has; each is refused in one line."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scene_files import C, H, W, cube, refused, write

from paddle_umsft.api import read_pair
from paddle_umsft.cameras.observe import simulate
from paddle_umsft.config.data import DataConfig, ObserveConfig
from paddle_umsft.data.readers.products.xml_text import read_xml
from paddle_umsft.data.reading import read_scene
from paddle_umsft.errors import ConfigError, DataError


def test_missing_and_unknown(tmp_path: Path) -> None:
    refused(ConfigError, DataConfig(), "data.path")
    refused(ConfigError, DataConfig(path="demo://nothing"), "demo://dead_leaves")
    refused(DataError, DataConfig(path=str(tmp_path / "no.mat")), "no such file", "no.mat")
    refused(DataError, DataConfig(path=str(tmp_path / "no" / "no.mat")), "folder", "does not exist")
    refused(DataError, DataConfig(path=str(tmp_path)), "an empty folder")
    (tmp_path / "a.xyz").write_text("?")
    refused(DataError, DataConfig(path=str(tmp_path)), "none of these")
    refused(DataError, DataConfig(path=str(tmp_path / "a.xyz")), "unknown kind", ".xyz")


@pytest.mark.parametrize("name", ["x" * 300, "x" * 300 + ".mat", "~nobody_of_that_name/x.mat"])
def test_where_nobody_could_look(name: str) -> None:
    refused(DataError, DataConfig(path=name), "cannot be looked for")
    with pytest.raises(DataError, match="cannot be looked for"):
        read_pair(name, name)
    scene = read_scene(DataConfig(path="demo://dead_leaves", crop=(0, 0, 24, 32)))
    with pytest.raises(DataError):
        simulate(scene, ObserveConfig(srf=name))


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.mat", "a.mat73", "a.tif"])
def test_truncated(tmp_path: Path, name: str) -> None:
    path = Path(write(tmp_path / name, scene=cube(np.float64)))
    whole = path.read_bytes()
    for share in (0.0, 0.01, 0.5, 0.9):
        path.write_bytes(whole[: int(len(whole) * share)])
        refused(DataError, DataConfig(path=str(path)), path.name)
    path.write_bytes(b"this is a letter, not a picture " * 40)
    refused(DataError, DataConfig(path=str(path)), path.name)


@pytest.mark.parametrize("name", ["a.npz", "a.mat", "a.mat73"])
def test_keys(tmp_path: Path, name: str) -> None:
    raw = cube()
    path = write(tmp_path / name, hsi=raw, rgb=raw[:, :, :3], map=raw[:, :, 0])
    refused(DataError, DataConfig(path=path), "hsi (40, 56, 7)", "rgb (40, 56, 3)", "data.key")
    refused(DataError, DataConfig(path=path, key="truth"), "'truth'", "hsi", "rgb", "map")
    refused(DataError, DataConfig(path=path, key="map"), "(40, 56)", "reshape")
    np.testing.assert_array_equal(read_scene(DataConfig(path=path, key="hsi", normalise="none")).hr_hsi, raw)
    flat = write(tmp_path / f"flat{Path(name).suffix}", Y=raw.reshape(-1, C), cols=np.array([[56]]))
    refused(DataError, DataConfig(path=flat), "Y (2240, 7)", "reshape")


def spoilt(dtype: Any, **at: Any) -> np.ndarray:
    array = cube(dtype)
    array[3, 4, 5] = at["value"]
    array[9, 0, 0] = at["value"]
    return array


@pytest.mark.parametrize(
    ("array", "facts"),
    [
        (cube(shape=(H, W)), ("axes", "(40, 56)", "reshape")),
        (cube(shape=(2, 3, 4, 5)), ("axes", "4")),
        (spoilt(np.float64, value=np.inf), ("2 NaN", "(3, 4, 5)")),
        (np.zeros((H, W, C)), ("all zero",)),
        (np.full((H, W, C), 7, np.uint8), ("constant", "7")),
        (cube(np.complex64), ("complex",)),
        (cube(np.uint8).astype(str), ("text",)),
        (cube(np.uint8) > 3, ("truth values",)),
    ],
)
def test_unusable_values(tmp_path: Path, array: np.ndarray, facts: tuple[str, ...]) -> None:
    refused(DataError, DataConfig(path=write(tmp_path / "a.npy", a=array)), *facts)


def test_not_a_number_is_no_data(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npy", a=spoilt(np.float32, value=np.nan))
    scene = read_scene(DataConfig(path=path, layout="hwc"))
    assert scene.mask_hsi is not None
    assert np.argwhere(~scene.mask_hsi).tolist() == [[3, 4], [9, 0]]
    assert np.isfinite(scene.hr_hsi).all()
    assert [note for note in scene.notes if "2 of 2240 pixels" in note and "NaN" in note]
    refused(DataError, DataConfig(path=path, layout="hwc", no_data="none"), "2 NaN", "(3, 4, 5)")


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    refused(DataError, DataConfig(path=str(tmp_path / "a.npy")), "a.npy")


LONGEST_LINE = 2500


def tiff_of(width: int, height: int, samples: int, next_page: int = 0) -> bytes:
    """A TIFF's directory that claims a size, and some bytes."""
    values = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 200, 277: samples, 278: height, 279: 100}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in values.items())
    head = b"II*\0" + struct.pack("<IH", 8, len(values)) + entries + struct.pack("<I", next_page)
    return head.ljust(2000, b"\1")


def header(samples: str) -> bytes:
    return (
        f"ENVI\nsamples = {samples}\nlines = 4\nbands = 6\ndata type = 4\ninterleave = bsq\nbyte order = 0\n".encode()
    )


@pytest.mark.parametrize(
    ("name", "content", "fact"),
    [
        ("x.tif", tiff_of(0, 0, 1), "without a value"),
        ("x.tif", tiff_of(5, 4, 65535), "x.tif"),
        ("x.tif", tiff_of(5, 4, 1, next_page=8), "leads back to itself"),
        ("x.hdr", header("9" * 5000), "samples"),
        ("x.hdr", header("²"), "samples"),
        ("x.hdr", header("5.5"), "samples"),
    ],
)
def test_claims_that_cannot_be(tmp_path: Path, name: str, content: bytes, fact: str) -> None:
    (tmp_path / "x.img").write_bytes(bytes(480))
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=fact) as caught:
        read_scene(DataConfig(path=str(tmp_path / name)))
    assert len(str(caught.value)) < LONGEST_LINE


def test_an_image_without_a_pixel(tmp_path: Path) -> None:
    refused(DataError, DataConfig(path=write(tmp_path / "a.npy", a=np.zeros((0, 5, 3)))), "without a value")


def test_arrays_without_number_are_told_in_a_line_that_can_be_read(tmp_path: Path) -> None:
    arrays = {f"a{number}": cube(shape=(4, 5, 6)) for number in range(500)}
    with pytest.raises(DataError, match=r"several arrays.*500 of them.*data\.key") as caught:
        read_scene(DataConfig(path=write(tmp_path / "a.npz", **arrays)))
    assert len(str(caught.value)) < LONGEST_LINE


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_words_of_xml_that_stand_for_gigabytes(tmp_path: Path, encoding: str) -> None:
    words = "".join(f'<!ENTITY a{number + 1} "{f"&a{number};" * 10}">' for number in range(12))
    text = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "x">{words}]><x>&a12;</x>'
    (tmp_path / "x.xml").write_bytes(text.encode(encoding))
    with pytest.raises(DataError, match="entities"):
        read_xml(tmp_path / "x.xml")
