"""Pairs are placed by their files' coordinates: by the closed form, and refused where they cannot belong together."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest

from paddle_umsft.cameras.given import pair
from paddle_umsft.config.data import DataConfig, ObserveConfig
from paddle_umsft.data.facts import FileFacts
from paddle_umsft.data.ground import Georeference
from paddle_umsft.data.placing import common_windows, grid_of_files
from paddle_umsft.data.reading import read_pair
from paddle_umsft.errors import DataError

UTM = 'PROJCS["WGS 84 / UTM zone 33N",GEOGCS["WGS 84"]]'
ESRI_UTM = 'PROJCS["WGS_1984_UTM_Zone_33N",GEOGCS["GCS_WGS_1984"]]'


def at(x: float, y: float, pixel: float, **known: Any) -> FileFacts:
    transform = (pixel, 0.0, x, 0.0, -pixel, y)
    return FileFacts(ground=Georeference(transform=transform, **{"epsg": 32633, **known}))


def place(hsi: FileFacts, msi: FileFacts, low: tuple[int, int], high: tuple[int, int]) -> Any:
    return grid_of_files(hsi, msi, low, high, "msi.tif")


@pytest.mark.parametrize("pixel", [30.0, 10.0, 3.6])
def test_any_ratio_and_origin(pixel: float) -> None:
    """Ratios 3, 9 and 8.33; the closed form of where the HSI's corner lies, in pixels of the MSI."""
    grid, notes = place(at(1000, 5000, 90 if pixel != 3.6 else 30), at(1007, 4990, pixel), (20, 30), (400, 500))
    assert grid is not None
    ratio = (90 if pixel != 3.6 else 30) / pixel
    np.testing.assert_allclose(grid.ratios, ratio)
    # Rows run down from the MSI's upper edge, columns to the right from its left one.
    np.testing.assert_allclose(grid.origin, [(4990 - 5000) / pixel, (1000 - 1007) / pixel])
    assert len(notes) == 1
    assert f"{ratio:.4g} x {ratio:.4g}" in notes[0]


@pytest.mark.parametrize("off", [0.0, 0.004])
def test_grids_that_tile_each_other_are_a_plain_pair(off: float) -> None:
    assert place(at(1000, 5000, 30), at(1000 + off, 5000, 10), (20, 30), (60, 90)) == (None, ())


def test_half_a_pixel_is_no_plain_pair() -> None:
    grid, _ = place(at(1000, 5000, 30), at(1005, 5000, 10), (20, 30), (60, 90))
    assert grid is not None
    np.testing.assert_allclose(grid.origin, [0, -0.5])


def test_nothing_is_known_without_two_places() -> None:
    assert place(at(1000, 5000, 30), FileFacts(), (20, 30), (60, 90)) == (None, ())
    assert place(FileFacts(), at(1000, 5000, 30), (20, 30), (60, 90)) == (None, ())


@pytest.mark.parametrize(
    ("hsi", "msi", "facts"),
    [
        (at(0, 0, 30), at(0, 0, 10, epsg=32651), ("EPSG:32633", "EPSG:32651", "gdalwarp -t_srs EPSG:32633", "msi.tif")),
        (at(0, 0, 30), at(9000, 0, 10), ("share no ground", "data.coordinates=none")),
        (at(0, 0, 30), at(0, 900, 10), ("share no ground",)),
        (at(0, 0, 10), at(0, 0, 30), ("not smaller", "swapped")),
        (
            at(0, 0, 30, epsg=None, crs_wkt=UTM),
            at(0, 0, 10, epsg=None, crs_wkt='GEOGCS["WGS 84"]'),
            ("two coordinate",),
        ),
    ],
)
def test_pairs_that_do_not_belong_together(hsi: FileFacts, msi: FileFacts, facts: tuple[str, ...]) -> None:
    with pytest.raises(DataError) as caught:
        place(hsi, msi, (20, 30), (60, 90))
    for fact in facts:
        assert fact in str(caught.value)


def test_one_system_in_two_spellings() -> None:
    spelt: dict[str, Optional[int]] = {"epsg": None}
    one, other = at(0, 0, 30, crs_wkt=UTM, **spelt), at(0, 0, 10, crs_wkt=ESRI_UTM, **spelt)
    assert place(one, other, (20, 30), (60, 90)) == (None, ())


def write(path: Path, cube: np.ndarray, map_info: str) -> str:
    cube.astype("<f4").tofile(path.with_suffix(".img"))
    height, width, bands = cube.shape
    path.write_text(
        f"ENVI\nsamples = {width}\nlines = {height}\nbands = {bands}\ndata type = 4\ninterleave = bip\nbyte order = 0\n"
        f"map info = {{{map_info}, 33, North, WGS-84}}\n"
    )
    return str(path)


def test_a_pair_of_files_carries_its_places(tmp_path: Path) -> None:
    rng = np.random.RandomState(0)
    low = write(tmp_path / "low.hdr", rng.uniform(size=(12, 15, 6)), "UTM, 1, 1, 500000, 5800000, 20, 20")
    # The MSI's reference pixel is the middle of its first pixel: half a pixel of 6 m beyond the corner.
    high = write(tmp_path / "high.hdr", rng.uniform(size=(60, 70, 3)), "UTM, 1.5, 1.5, 499991, 5800009, 6, 6")
    settings = DataConfig(lr_hsi=low, hr_msi=high)
    images = read_pair(settings)
    assert images.grid is not None
    np.testing.assert_allclose(images.grid.ratios, 20 / 6)
    np.testing.assert_allclose(images.grid.origin, [12 / 6, 12 / 6])
    assert images.msi_facts is not None
    assert images.msi_facts.ground.transform == (6, 0, 499988, 0, -6, 5800012)
    assert any("placed by the files' coordinates" in note for note in images.meta["notes"])
    # The user's own word goes first.
    with pytest.raises(DataError, match="sizes"):
        pair(images.lr_hsi, images.hr_msi, ObserveConfig(scale=5), meta=images.meta, grid=images.grid)


@pytest.mark.parametrize(
    ("top", "left", "of_hsi", "of_msi"),
    [
        (0, 0, None, (0, 0, 24, 36)),
        (6, 9, None, (6, 9, 24, 36)),
        (-6, 3, (2, 0, 6, 12), (0, 3, 18, 36)),
        (-5, 3, (2, 0, 6, 12), (1, 3, 18, 36)),
        (30, 30, (0, 0, 3, 10), (30, 30, 9, 30)),
    ],
)
def test_whole_ratios_are_cut_to_the_common_ground(top: int, left: int, of_hsi: Any, of_msi: Any) -> None:
    """The HSI, 8 x 12 pixels of 30 m, begins so many pixels of 10 m from the corner of an MSI of 40 x 60."""
    hsi = at(1000 + 10 * left, 5000 - 10 * top, 30)
    found = common_windows(hsi, at(1000, 5000, 10), (8, 12), (40, 60))
    assert (found.of_hsi, found.of_msi) == (of_hsi, of_msi)


def test_a_whole_tile_is_cut_to_the_hsi(tmp_path: Path) -> None:
    rng = np.random.RandomState(0)
    tile = rng.uniform(size=(90, 120, 3))
    low = write(tmp_path / "low.hdr", rng.uniform(size=(8, 12, 6)), "UTM, 1, 1, 500240, 5799880, 30, 30")
    high = write(tmp_path / "high.hdr", tile, "UTM, 1, 1, 500000, 5800000, 10, 10")
    images = read_pair(DataConfig(lr_hsi=low, hr_msi=high, normalise="none"))
    assert images.grid is None
    np.testing.assert_allclose(images.hr_msi, tile[12:36, 24:60], rtol=1e-6)
    assert images.msi_facts is not None
    assert images.msi_facts.ground.transform == (10, 0, 500240, 0, -10, 5799880)
    assert any("cut from 90x120 to 24x36" in note for note in images.meta["notes"])
    odd = write(tmp_path / "odd.hdr", rng.uniform(size=(8, 12, 6)), "UTM, 1, 1, 500243, 5799880, 30, 30")
    images = read_pair(DataConfig(lr_hsi=odd, hr_msi=high, normalise="none"))
    assert images.grid is not None
    # Four HSI pixels around, and the corner is where it was.
    np.testing.assert_allclose(images.grid.origin, [12, 12.3])
    np.testing.assert_allclose(images.hr_msi, tile[0:48, 12:73], rtol=1e-6)
    aside = read_pair(DataConfig(lr_hsi=odd, hr_msi=high, coordinates="none"))
    assert (aside.grid, aside.hr_msi.shape) == (None, (90, 120, 3))
