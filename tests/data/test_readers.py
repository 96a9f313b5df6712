"""Files of every kind come back as written; unusable ones are refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from scene_files import C, H, W, cube, refused, write

from paddle_umsft.cameras.given import pair
from paddle_umsft.config.data import INDIAN_PINES_PATH, DataConfig, ObserveConfig
from paddle_umsft.data.listing import SceneEntry, list_scenes
from paddle_umsft.data.readers import table
from paddle_umsft.data.readers.base import RawArray, Request
from paddle_umsft.data.reading import read_pair, read_scene
from paddle_umsft.data.scene import Case
from paddle_umsft.errors import DataError


def load_case(entry: SceneEntry, observe: ObserveConfig) -> Case:
    images = read_pair(entry.settings)
    return pair(images.lr_hsi, images.hr_msi, observe, name=images.name, wavelengths_nm=images.wavelengths_nm)


def cave_folder(folder: Path, picture: Any = None, bands: int = 31) -> Path:
    folder.mkdir(parents=True)
    for band in range(1, bands + 1):
        image = cube(shape=(20, 24), seed=band) * 100 if picture is None else picture(band)
        cv2.imwrite(str(folder / f"{folder.name}_{band:02d}.png"), image)
    (folder / "scene_RGB.bmp").write_bytes(b"not read")
    return folder


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.mat", "a.mat73", "a.tif", "a.hdr"])
def test_every_kind_comes_back_upright(tmp_path: Path, name: str) -> None:
    raw = cube()
    scene = read_scene(DataConfig(path=write(tmp_path / name, scene=raw), normalise="none"))
    assert scene.name == "a"
    assert scene.hr_hsi.dtype == np.float32
    assert scene.hr_hsi.flags.c_contiguous
    np.testing.assert_array_equal(scene.hr_hsi, raw.astype(np.float32))
    if name == "a.hdr":
        np.testing.assert_allclose(scene.wavelengths_nm, np.arange(400, 701, 50))


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.mat", "a.mat73"])
def test_bands_first(tmp_path: Path, name: str) -> None:
    raw = cube()
    path = write(tmp_path / name, scene=np.ascontiguousarray(np.moveaxis(raw, -1, 0)))
    for layout in ("auto", "chw"):
        scene = read_scene(DataConfig(path=path, layout=layout, normalise="none"))
        np.testing.assert_array_equal(scene.hr_hsi, raw)


def test_an_inferred_order_of_axes_is_told_and_a_given_one_is_not(tmp_path: Path) -> None:
    last = write(tmp_path / "last.npz", hsi=cube())
    first = write(tmp_path / "first.npy", a=np.ascontiguousarray(np.moveaxis(cube(), -1, 0)))
    told = [f"last.npz key hsi ({H}, {W}, {C}): read as rows, columns, bands (data.layout: auto)"]
    assert list(read_scene(DataConfig(path=last)).notes) == told
    told = [f"first.npy ({C}, {H}, {W}): read as bands, rows, columns (data.layout: auto)"]
    assert list(read_scene(DataConfig(path=first)).notes) == told
    assert read_scene(DataConfig(path=first, layout="chw")).notes == ()
    pan = write(tmp_path / "pan.npy", a=cube(shape=(3 * H, 3 * W)))
    images = read_pair(DataConfig(lr_hsi=first, hr_msi=pan, normalise="none"))
    assert images.meta["notes"] == [told[0].replace("data.layout", "data.lr_layout")]  # two axes leave nothing to infer


def test_two_readings_are_refused_and_resolved(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npy", a=cube(shape=(20, 24, 21)))
    refused(DataError, DataConfig(path=path), "(20, 24, 21)", "data.layout")
    assert read_scene(DataConfig(path=path, layout="hwc")).hr_hsi.shape == (20, 24, 21)
    assert read_scene(DataConfig(path=path, layout="chw")).hr_hsi.shape == (24, 21, 20)
    by_length = DataConfig(path=path, wavelengths_nm=list(np.linspace(400, 700, 20)))
    assert read_scene(by_length).hr_hsi.shape == (24, 21, 20)


def test_wavelengths_of_a_file_are_not_overruled_in_silence(tmp_path: Path) -> None:
    nm = np.linspace(450, 900, 7)
    path = write(tmp_path / "a.npz", hsi=cube(), wavelength_nm=nm)

    def told(configured: list[float]) -> list[str]:
        notes = read_scene(DataConfig(path=path, layout="hwc", wavelengths_nm=configured)).notes
        return [note for note in notes if "overruled" in note]

    (note,) = told([400, 700])
    assert "its own wavelengths, 450...900 nm, are overruled by data.wavelengths_nm, 400...700 nm" in note
    assert told([450, 900]) == told(list(nm + 0.5)) == []
    assert len(told(list(nm + 5))) == 1


def test_wavelengths_beside_the_cube(tmp_path: Path) -> None:
    raw = cube()
    nm = np.array([400, 410, 420, 450, 440, 430, 460.0])
    scene = read_scene(DataConfig(path=write(tmp_path / "a.npz", hsi=raw, wavelength_nm=nm), normalise="none"))
    np.testing.assert_array_equal(scene.wavelengths_nm, np.sort(nm))
    np.testing.assert_array_equal(scene.hr_hsi[:, :, 3], raw[:, :, 5])
    assert scene.band_order == (0, 1, 2, 5, 4, 3, 6)
    assert [note for note in scene.notes if "sorted" in note]
    assert read_scene(DataConfig(path=str(tmp_path / "a.npz"), wavelengths_nm=[400, 700])).wavelengths_nm is not None


@pytest.mark.parametrize("suffix", [".npz", ".mat"])
def test_micrometres_beside_the_cube(tmp_path: Path, suffix: str) -> None:
    um = np.linspace(0.4, 0.7, 7)
    path = write(tmp_path / f"a{suffix}", hsi=cube(), wavelength=um)
    scene = read_scene(DataConfig(path=path))
    np.testing.assert_allclose(scene.wavelengths_nm, 1000 * um)
    assert any("micrometres" in note for note in scene.notes)
    told = read_scene(DataConfig(path=path, wavelengths_nm=[500, 800]))
    assert told.wavelengths_nm is not None
    assert told.wavelengths_nm[0] == 500
    assert not any("micrometres" in note for note in told.notes)


@pytest.mark.parametrize(
    ("nm", "fact"),
    [
        ([-400, 410, 420, 430, 440, 450, 460], "positive"),
        ([400, 410, 410, 430, 440, 450, 460], "2 bands at 410 nm"),
        ([4e-7, 4.1e-7, 4.2e-7, 4.3e-7, 4.4e-7, 4.5e-7, 4.6e-7], "nanometres"),
    ],
)
def test_wavelengths_that_cannot_be(tmp_path: Path, nm: list[float], fact: str) -> None:
    path = write(tmp_path / "a.npz", hsi=cube(), wavelengths_nm=np.array(nm))
    refused(DataError, DataConfig(path=path), "wavelengths in the file", fact)


def test_normalisation(tmp_path: Path) -> None:
    raw = cube()
    path = write(tmp_path / "a.npy", a=raw)
    for normalise, divisor in (("max", raw.max()), ("dtype", 65535), ("none", 1), (10000, 10000)):
        scene = read_scene(DataConfig(path=path, normalise=normalise))
        assert scene.divisor == divisor
        np.testing.assert_allclose(scene.hr_hsi, raw / divisor, rtol=1e-6)
    crop = read_scene(DataConfig(path=path, crop=[3, 5, 20, 30]))
    np.testing.assert_allclose(crop.hr_hsi, raw[3:23, 5:35] / raw[3:23, 5:35].max(), rtol=1e-6)
    refused(DataError, DataConfig(path=path, crop=[30, 0, 20, 20]), "40x56", "data.crop")
    refused(DataError, DataConfig(path=write(tmp_path / "f.npy", a=cube(np.float32)), normalise="dtype"), "float32")
    refused(DataError, DataConfig(path=write(tmp_path / "n.npy", a=-cube(np.float32))), "above zero")


def test_cave_flat_nested_and_rgba(tmp_path: Path) -> None:
    flat = cave_folder(tmp_path / "flat_ms")
    nested = cave_folder(tmp_path / "nested_ms" / "nested_ms")
    cave_folder(tmp_path / "paint_ms", lambda band: np.full((20, 24, 4), (band, band, band, 255), np.uint8))
    entries = list_scenes(DataConfig(path=str(tmp_path), normalise="dtype"))
    assert [entry.name for entry in entries] == ["flat", "nested", "paint"]
    for folder, entry in ((flat, entries[0]), (nested, entries[1])):
        scene = read_scene(entry.settings)
        assert (scene.name, scene.divisor, scene.hr_hsi.shape) == (folder.name[:-3], 65535, (20, 24, 31))
        np.testing.assert_allclose(scene.hr_hsi[:, :, 4], cube(shape=(20, 24), seed=5) * 100 / 65535, rtol=1e-6)
        np.testing.assert_array_equal(scene.wavelengths_nm, np.arange(400, 701, 10))
    paint = read_scene(entries[2].settings)
    np.testing.assert_allclose(paint.hr_hsi[3, 3], np.arange(1, 32) / 255, rtol=1e-6)
    assert read_scene(DataConfig(path=str(tmp_path / "nested_ms"))).name == "nested"


def test_cave_with_faults(tmp_path: Path) -> None:
    folder = cave_folder(tmp_path / "a_ms")
    (folder / "a_ms_07.png").unlink()
    refused(DataError, DataConfig(path=str(folder)), "without 07", "a_ms")
    (folder / "a_ms_07.png").write_bytes((folder / "a_ms_06.png").read_bytes()[:300])
    refused(DataError, DataConfig(path=str(folder)), "a_ms_07.png")
    cv2.imwrite(str(folder / "a_ms_07.png"), cube(shape=(20, 20)))
    refused(DataError, DataConfig(path=str(folder)), "a_ms_07.png", "20x24", "20x20")


def test_folder_in_natural_order(tmp_path: Path) -> None:
    for name in ("10.mat", "2.mat", "1.npy", "b.npz", "b.npy", "readme.txt", ".hidden.npy"):
        write(tmp_path / name, scene=cube())
    (tmp_path / "readme.txt").write_text("text")
    names = [entry.name for entry in list_scenes(DataConfig(path=str(tmp_path)))]
    assert names == ["1", "2", "10", "b.npy", "b.npz"]
    refused(DataError, DataConfig(path=str(tmp_path)), "several scenes")


def test_a_new_format_is_one_reader_and_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three numbers for the shape, then 16-bit values, bands first, wavelengths in micrometres."""

    def read_toy(file: Path, request: Request) -> RawArray:
        raw = np.fromfile(file, np.uint16)
        bands, rows, columns = (int(number) for number in raw[:3])
        upright = np.moveaxis(raw[3:].reshape(bands, rows, columns), 0, -1)
        return RawArray(values=upright, wavelengths=np.linspace(0.4, 0.7, bands), is_upright=True)

    row = table.FileFormat(suffixes=(".toy",), read=read_toy)
    monkeypatch.setattr(table, "FILE_FORMATS", (*table.FILE_FORMATS, row))
    raw = cube()
    first = np.moveaxis(raw, -1, 0)
    for name in ("1.toy", "2.TOY"):
        np.concatenate([np.array(first.shape, np.uint16), first.ravel()]).tofile(tmp_path / name)
    entries = list_scenes(DataConfig(path=str(tmp_path), normalise="none"))
    assert [entry.name for entry in entries] == ["1", "2"]
    scene = read_scene(entries[1].settings)
    np.testing.assert_array_equal(scene.hr_hsi, raw)
    np.testing.assert_allclose(scene.wavelengths_nm, np.linspace(400, 700, C))
    refused(DataError, DataConfig(path=write(tmp_path / "a.npy", a=raw) + "x"), "no such file")
    (tmp_path / "a.xyz").write_text("?")
    refused(DataError, DataConfig(path=str(tmp_path / "a.xyz")), "unknown kind", ".toy")


def test_a_new_kind_of_folder_is_one_reader_and_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = cube()
    row = table.FolderFormat(
        label="tapes",
        recognises=lambda folder: (folder / "tape.txt").is_file(),
        name_of=lambda folder: folder.name.upper(),
        read=lambda folder: RawArray(values=raw, is_upright=True),
    )
    monkeypatch.setattr(table, "FOLDER_FORMATS", (*table.FOLDER_FORMATS, row))
    cave_folder(tmp_path / "b_ms")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "tape.txt").write_text("reel 1")
    entries = list_scenes(DataConfig(path=str(tmp_path), normalise="none"))
    assert [entry.name for entry in entries] == ["A", "b"]
    np.testing.assert_array_equal(read_scene(entries[0].settings).hr_hsi, raw)


def test_pair_without_truth(tmp_path: Path) -> None:
    path = write(tmp_path / "p.mat", I_HS=cube(shape=(24, 40, 9)), I_MS=cube(shape=(72, 120, 4), seed=1))
    data = DataConfig(lr_hsi=path, hr_msi=path, lr_key="I_HS", hr_key="I_MS", wavelengths_nm=[400, 700])
    case = load_case(list_scenes(data)[0], ObserveConfig(supports=[(0, 3), (2, 5), (4, 7), (6, 9)]))
    seen = case.observation
    assert case.reference is None
    assert (seen.scale, seen.bands, seen.msi_bands, seen.shape) == (3, 9, 4, (72, 120))
    assert seen.lr_hsi.max() == seen.hr_msi.max() == 1
    with pytest.raises(DataError, match=r"several arrays.*data\.lr_key=NAME"):
        read_pair(DataConfig(lr_hsi=path, hr_msi=path))
    with pytest.raises(DataError, match=r"several arrays.*data\.hr_key=NAME"):
        read_pair(DataConfig(lr_hsi=path, hr_msi=path, lr_key="I_HS"))
    with pytest.raises(DataError, match="expected 4 as told, got 3"):
        load_case(list_scenes(data)[0], ObserveConfig(scale=4))


def test_a_key_where_nothing_has_a_name(tmp_path: Path) -> None:
    scene = read_scene(DataConfig(path=write(tmp_path / "a.npy", a=cube()), key="zz", layout="hwc"))
    assert [note for note in scene.notes if "data.key=zz has no meaning" in note]
    scene = read_scene(DataConfig(path=write(tmp_path / "a.mat", a=cube()), key="a", layout="hwc"))
    assert not scene.notes


def test_pair_with_a_photograph_and_with_a_pan_image(tmp_path: Path) -> None:
    low = write(tmp_path / "low.npy", a=cube(shape=(24, 40, 9)))
    picture = cube(np.uint8, shape=(48, 80, 3))
    cv2.imwrite(str(tmp_path / "photo.png"), picture[:, :, ::-1])
    images = read_pair(DataConfig(lr_hsi=low, hr_msi=str(tmp_path / "photo.png"), normalise="none"))
    np.testing.assert_array_equal(images.hr_msi, picture)
    first = write(tmp_path / "first.npy", a=np.moveaxis(cube(shape=(24, 40, 9)), -1, 0))
    of_both = DataConfig(lr_hsi=first, hr_msi=str(tmp_path / "photo.png"), normalise="none", layout="chw")
    np.testing.assert_array_equal(read_pair(of_both).hr_msi, picture)  # data.layout cannot mean the photograph
    tifffile.imwrite(str(tmp_path / "photo.tif"), picture)
    of_both = DataConfig(lr_hsi=first, hr_msi=str(tmp_path / "photo.tif"), normalise="none", layout="chw")
    np.testing.assert_array_equal(read_pair(of_both).hr_msi, picture)  # its header says the same
    pan = write(tmp_path / "pan.npy", a=cube(shape=(48, 80)))
    assert read_pair(DataConfig(lr_hsi=low, hr_msi=pan)).hr_msi.shape == (48, 80, 1)


@pytest.mark.parametrize("size", [(68, 68), (100, 160), (24, 40), (12, 20)])
def test_pair_sizes_that_do_not_agree(tmp_path: Path, size: tuple[int, int]) -> None:
    low = write(tmp_path / "low.npy", a=cube(shape=(24, 40, 9)))
    high = write(tmp_path / "high.npy", a=cube(shape=(*size, 3)))
    entry = list_scenes(DataConfig(lr_hsi=low, hr_msi=high))[0]
    with pytest.raises(DataError, match="24x40") as caught:
        load_case(entry, ObserveConfig())
    assert f"{size[0]}x{size[1]}" in str(caught.value)


def test_indian_pines() -> None:
    pytest.importorskip("tensorly")
    scene = read_scene(DataConfig(path=INDIAN_PINES_PATH, normalise="none"))
    assert scene.hr_hsi.shape == (145, 145, 200)
    assert (scene.hr_hsi.min(), scene.hr_hsi.max()) == (955, 9604)
    assert scene.wavelengths_nm is not None
    assert np.all(np.diff(scene.wavelengths_nm) > 0)
    assert any("misprint" in note for note in scene.notes)
    assert any("out of order at 2 places" in note for note in scene.notes)
    # The proof of the misprint: around it each band resembles its neighbours as closely as elsewhere there.
    bands = scene.hr_hsi[:, :, 165:178].reshape(-1, 13)
    neighbours = [np.corrcoef(bands[:, i], bands[:, i + 1])[0, 1] for i in range(12)]
    assert min(neighbours) > 0.997


def test_indian_pines_without_tensorly(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "tensorly.datasets", None)
    refused(DataError, DataConfig(path=INDIAN_PINES_PATH), "pip install tensorly")
