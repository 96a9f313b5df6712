"""What is written in any format, the package reads back: numbers, place, bands, no-data, units."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paddle_umsft.config.data import DataConfig
from paddle_umsft.data.facts import BandFacts
from paddle_umsft.data.ground import Georeference
from paddle_umsft.data.listing import list_scenes
from paddle_umsft.data.readers.table import image_files
from paddle_umsft.data.reading import read_scene
from paddle_umsft.runs.writers.product import Product
from paddle_umsft.runs.writers.table import FORMATS, write_product

rasterio = pytest.importorskip("rasterio")

H, W = 14, 23
NM = np.array([500.0, 450.25, 512.5, 550.0, 600.0])
KEPT = [1, 0, 3, 4]
NORTH_UP = (10.0, 0.0, 399960.0, 0.0, -10.0, 5800020.0)
TURNED = (8.0, 6.0, 399960.0, 6.0, -8.0, 5800020.0)


def stored(dtype: str) -> np.ndarray:
    cube = np.random.RandomState(0).randint(1, 9000, (H, W, NM.size)).astype(dtype)
    cube[:, :, 2] = -999
    cube[3, 5] = -999
    return cube


@pytest.mark.parametrize("format", list(FORMATS))
@pytest.mark.parametrize(
    ("epsg", "transform"),
    [(32633, NORTH_UP), (32733, TURNED), (3035, NORTH_UP), (4326, (1e-4, 0.0, 12.25, 0.0, -1e-4, -52.5))],
)
@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_round_trip(tmp_path: Path, format: str, epsg: int, transform: tuple[float, ...], dtype: str) -> None:
    wkt = rasterio.crs.CRS.from_epsg(epsg).to_wkt()
    product = Product(
        values=stored(dtype),
        ground=Georeference(transform=transform, crs_wkt=wkt, epsg=epsg),
        bands=BandFacts(
            count=NM.size,
            wavelengths_nm=NM,
            fwhm_nm=np.array([8.0, 7.5, 8.0, 9.0, 10.0]),
            good=np.array([True, True, False, True, True]),
            scale=np.full(NM.size, 1e-4),
        ),
        no_data=-999.0,
        units="reflectance",
        acquired="2022-07-24T10:45:26Z",
        sensor="EnMAP",
    )
    first = write_product(tmp_path / f"x{FORMATS[format].suffix}", product, format)[0]
    scene = read_scene(DataConfig(path=str(first), normalise="none"))
    facts = scene.facts
    assert facts is not None
    np.testing.assert_array_equal(scene.wavelengths_nm, NM[KEPT])
    assert scene.mask_hsi is not None
    assert (~scene.mask_hsi).nonzero() == ([3], [5])
    np.testing.assert_array_equal(scene.hr_hsi[scene.mask_hsi], stored(dtype)[scene.mask_hsi][:, KEPT])
    assert facts.ground.transform == pytest.approx(transform, rel=1e-12)
    system = rasterio.crs.CRS.from_user_input(facts.ground.epsg or facts.ground.crs_wkt)
    assert system == rasterio.crs.CRS.from_epsg(epsg)
    assert (facts.no_data, facts.units, facts.dtype, facts.order) == (-999, "reflectance", dtype, tuple(KEPT))
    np.testing.assert_allclose(facts.bands.fwhm_nm, product.bands.fwhm_nm)
    np.testing.assert_allclose(facts.bands.scale, product.bands.scale)
    # Time and sensor have no place in a .mat.
    if format != "mat":
        assert (facts.acquired, facts.sensor) == ("2022-07-24T10:45:26Z", "EnMAP")
    # A header beside an array is no scene of its own.
    assert len(list_scenes(DataConfig(path=str(tmp_path)))) == len(image_files(tmp_path)) == 1


@pytest.mark.parametrize("format", list(FORMATS))
def test_numbers_alone(tmp_path: Path, format: str) -> None:
    """Nothing is known but the numbers, and nothing is made up."""
    values = np.random.RandomState(1).rand(H, W, 4).astype(np.float32)
    first = write_product(tmp_path / f"x{FORMATS[format].suffix}", Product(values=values), format)[0]
    scene = read_scene(DataConfig(path=str(first), normalise="none"))
    np.testing.assert_array_equal(scene.hr_hsi, values)
    assert scene.wavelengths_nm is None
    assert scene.mask_hsi is None
    assert scene.facts is not None
    assert not scene.facts.ground.is_known


def test_an_array_with_its_header_in_other_programs(tmp_path: Path) -> None:
    import spectral.io.envi as spy

    values = np.random.RandomState(1).rand(H, W, 4).astype(np.float32)
    product = Product(values=values, ground=Georeference(transform=NORTH_UP, epsg=32633))
    files = write_product(tmp_path / "x.npy", product, "npy")
    assert [file.name for file in files] == ["x.npy", "x.npy.hdr"]
    np.testing.assert_array_equal(spy.open(str(files[1]), image=str(files[0])).open_memmap(interleave="bip"), values)
    # Written anew without a place: the old header is gone.
    write_product(tmp_path / "x.npy", Product(values=values), "npy")
    assert [file.name for file in tmp_path.iterdir()] == ["x.npy"]
    # Another array under the old header.
    write_product(tmp_path / "x.npy", product, "npy")
    np.save(tmp_path / "x.npy", values[:-1])
    scene = read_scene(DataConfig(path=str(tmp_path / "x.npy"), layout="hwc"))
    assert any("x.npy.hdr is not used: it is of 14 x 23 x 4 numbers" in note for note in scene.notes)
