"""Files that are not what they seem, pictures as cameras hold them, and kinds that only GDAL knows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from odd_files import BANDS, COLUMNS, HOLE, ROWS, TRANSFORM, Odd, check, image, read, with_hole

from paddle_umsft.config.data import DataConfig
from paddle_umsft.data.readers import gdal, tiff
from paddle_umsft.data.reading import read_scene
from paddle_umsft.errors import DataError


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"", "empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 345\n", "Git LFS"),
        (b"/annex/objects/SHA256E-s1--12.tif\n", "git annex get"),
        (b"\n<!DOCTYPE html><html><body>Please log in</body></html>", "web page"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "XML"),
        (b"PK\x03\x04" + b"\0" * 40, "zip"),
        (b"\x1f\x8b" + b"\0" * 40, "gzip"),
    ],
)
@pytest.mark.parametrize("name", ["x.tif", "x.mat", "x.h5", "x.npy"])
def test_not_what_it_seems(tmp_path: Path, content: bytes, fact: str, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=fact) as caught:
        read_scene(DataConfig(path=str(tmp_path / name)))
    assert "damaged" not in str(caught.value)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_a_camera_held_otherwise(tmp_path: Path, orientation: int, suffix: str) -> None:
    """As Pillow shows it."""
    pillow = pytest.importorskip("PIL.Image")
    turning = pytest.importorskip("PIL.ImageOps")
    picture = np.full((24, 40, 3), 20, np.uint8)
    picture[:12, :20] = (250, 40, 40)
    picture[12:, 20:] = (30, 60, 240)
    path = tmp_path / f"x{suffix}"
    made = pillow.fromarray(picture)
    if suffix == ".jpg":
        exif = pillow.Exif()
        exif[0x0112] = orientation
        made.save(path, exif=exif, quality=100)
    else:
        tifffile.imwrite(path, picture, photometric="rgb", extratags=[(274, "H", 1, orientation, True)])
    with pillow.open(path) as opened:
        # Pillow turns TIFFs while it reads, and JPEGs where it is asked to.
        shown = np.asarray(turning.exif_transpose(opened), float)
    scene = read_scene(DataConfig(path=str(path), normalise="none"))
    assert scene.hr_hsi.shape == shown.shape
    assert np.abs(scene.hr_hsi - shown).max() < 12
    assert any("orientation" in note for note in scene.notes) == (orientation != 1)


@pytest.mark.parametrize("by_gdal", [True, False], ids=["gdal", "tifffile"])
def test_negatives_and_palettes(tmp_path: Path, by_gdal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff, "has_rasterio", lambda: by_gdal and gdal.has_rasterio())
    numbers = image(np.uint8)[:, :, 0]
    tifffile.imwrite(tmp_path / "negative.tif", numbers, photometric="miniswhite")
    colours = np.random.RandomState(0).randint(1, 255, (3, 256)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "palette.tif", numbers, photometric="palette", colormap=colours * 257)
    negative = read_scene(DataConfig(path=str(tmp_path / "negative.tif"), normalise="none"))
    np.testing.assert_array_equal(negative.hr_hsi[:, :, 0], 255 - numbers)
    palette = read_scene(DataConfig(path=str(tmp_path / "palette.tif"), normalise="none"))
    np.testing.assert_array_equal(palette.hr_hsi, colours.T[numbers])


def test_alpha_of_a_png(tmp_path: Path) -> None:
    import cv2

    stored = np.full((ROWS, COLUMNS, 4), 255, np.uint8)
    stored[:, :, :3] = image(np.uint8)[:, :, 2::-1]
    for row, column in HOLE:
        stored[row, column, 3] = 0
    cv2.imwrite(str(tmp_path / "x.png"), stored)
    values = image(np.uint8)[:, :, :3]
    odd = Odd("alpha", lambda folder: folder / "x.png", values, hole=HOLE, note="alpha")
    check(odd, read(odd, tmp_path))
    # Black corners of a photograph are black.
    stored[:8, :8] = (0, 0, 0, 255)
    cv2.imwrite(str(tmp_path / "x.png"), stored[:, :, :3])
    assert read_scene(DataConfig(path=str(tmp_path / "x.png"))).mask_hsi is None


@pytest.mark.parametrize(("driver", "name"), [("HFA", "x.img"), ("EHdr", "x.bil"), ("PCIDSK", "x.pix")])
def test_whatever_else_gdal_knows(tmp_path: Path, driver: str, name: str) -> None:
    rasterio = pytest.importorskip("rasterio")
    from rasterio.transform import Affine

    made = {"crs": "EPSG:32633", "transform": Affine(*TRANSFORM), "dtype": "int16", "count": BANDS}
    with rasterio.open(tmp_path / name, "w", driver=driver, height=ROWS, width=COLUMNS, **made) as target:
        target.write(np.moveaxis(image(), -1, 0))
    scene = read_scene(DataConfig(path=str(tmp_path / name), normalise="none"))
    np.testing.assert_array_equal(scene.hr_hsi, image())
    assert scene.facts is not None
    assert scene.facts.ground.transform == TRANSFORM


def test_a_fill_value_in_an_array_is_refused_with_the_call_that_mends_it() -> None:
    from paddle_umsft import fuse

    low = with_hole(np.float32)
    high = np.ones((2 * ROWS, 2 * COLUMNS, 3), np.float32)
    with pytest.raises(DataError, match=r"2 pixels of -9999.*mask_hsi=\(lr_hsi != -9999\)\.all\(2\)"):
        fuse(low, high)


WITHOUT_CODECS = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("imagecodecs", "rasterio", "zstandard", "compression"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing())
from paddle_umsft.data.readers import gdal, tiff
from paddle_umsft.data.readers.base import Request
from paddle_umsft.errors import DataError
tiff.has_rasterio = gdal.has_rasterio = lambda: False
try:
    tiff.read_tiff(__import__("pathlib").Path(sys.argv[1]), Request())
except DataError as error:
    print(error)
"""


@pytest.mark.parametrize("compression", ["lzw", "zstd"])
def test_what_to_install_for_a_compression(tmp_path: Path, compression: str) -> None:
    pytest.importorskip("imagecodecs")
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, image(np.uint8)[:, :, :3], photometric="rgb", compression=compression)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_CODECS, str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert f"compressed by {compression.upper()}; pip install imagecodecs" in done.stdout
    assert "damaged" not in done.stdout
