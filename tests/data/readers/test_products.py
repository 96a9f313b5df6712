"""Products by their own files, written small by their published descriptions; no real ones can be had here.

EnMAP: EN-PCV-ICD-2009-2, METADATA.XML. PRISMA: PRS-ST-009, HCO and PCO swaths. EMIT: L2A user guide, groups.
Sentinel-2: S2-PDGS-TAS-DI-PSD, level 2A. Landsat: LSDS-1619. DESIS: product guide, METADATA.xml.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
from odd_files import Odd, check_part

from paddle_umsft.config.data import DataConfig
from paddle_umsft.data.facts import FileFacts
from paddle_umsft.data.listing import list_scenes
from paddle_umsft.data.readers.base import GLANCE, Request
from paddle_umsft.data.readers.many import read_image
from paddle_umsft.data.reading import read_pair, read_scene
from paddle_umsft.data.scene import Scene
from paddle_umsft.errors import ConfigError, DataError

H, W = 18, 24
# A crop is the whole, cut, of whatever is read.
PRODUCT = Odd("a product", Path)


def stored(bands: int, dtype: Any = np.uint16, shape: tuple[int, int] = (H, W), seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).randint(500, 6000, (*shape, bands)).astype(dtype)


def facts_of(scene: Scene) -> FileFacts:
    assert scene.facts is not None
    return scene.facts


def read(path: Path, **data: Any) -> Scene:
    return read_scene(DataConfig(path=str(path), normalise="none", **data))


# EnMAP and DESIS ----------------------------------------------------------------------------------------------------

# Two detectors: the wavelengths go back once.
NM = np.array([850.0, 920.0, 980.0, 905.0, 950.0, 1500.0])
GAINS = np.array([1e-4, 1e-4, 1e-4, 2e-4, 2e-4, 2e-4])
STEM = "ENMAP01-____L2A-DT0000001867_20220724T104526Z_008_V010302_20230628T165614Z"


def enmap(folder: Path, *, desis: bool = False) -> np.ndarray:
    cube = stored(6, np.int16)
    cube[:, :, 5] = -32768
    cube[:3, :, :] = -32768
    tifffile.imwrite(
        folder / f"{STEM}-SPECTRAL_IMAGE.TIF",
        np.moveaxis(cube, -1, 0),
        photometric="minisblack",
        planarconfig="separate",
        extratags=[
            (33550, "d", 3, (30.0, 30.0, 0.0), True),
            (33922, "d", 6, (0.0, 0.0, 0.0, 365055.0, 5807085.0, 0.0), True),
            (34735, "H", 12, (1, 1, 0, 2, 1025, 0, 1, 1, 3072, 0, 1, 32633), True),
        ],
    )
    bands = ""
    for number, (nm, gain) in enumerate(zip(NM, GAINS), start=1):
        if desis:
            bands += (
                f"<band><bandNumber>{number}</bandNumber><wavelengthCenterOfBand>{nm}</wavelengthCenterOfBand>"
                f"<wavelengthWidthOfBand>7.5</wavelengthWidthOfBand><gainOfBand>{gain}</gainOfBand>"
                "<offsetOfBand>0.0</offsetOfBand></band>"
            )
        else:
            bands += (
                f'<bandID number="{number}"><wavelengthCenterOfBand>{nm}</wavelengthCenterOfBand>'
                f"<FWHMOfBand>7.5</FWHMOfBand><GainOfBand>{gain}</GainOfBand><OffsetOfBand>0</OffsetOfBand></bandID>"
            )
    quality = (
        ""
        if desis
        else (
            "<vnirProductQuality><expectedChannelsList>1,2,3</expectedChannelsList></vnirProductQuality>"
            "<swirProductQuality><expectedChannelsList>4, 5</expectedChannelsList></swirProductQuality>"
        )
    )
    (folder / f"{STEM}-METADATA.XML").write_text(
        '<?xml version="1.0"?><level_X><base><temporalCoverage><startTime>2022-07-24T10:45:26Z</startTime>'
        f"</temporalCoverage></base><specific><bandCharacterisation>{bands}</bandCharacterisation>{quality}"
        "<mission>EnMAP</mission><backgroundValue>-32768</backgroundValue></specific></level_X>"
    )
    return cube


@pytest.mark.parametrize("given", ["folder", "xml", "tif"])
@pytest.mark.parametrize("desis", [False, True], ids=["EnMAP", "DESIS"])
def test_enmap(tmp_path: Path, given: str, desis: bool) -> None:
    cube = enmap(tmp_path, desis=desis)
    names = {"folder": "", "xml": f"{STEM}-METADATA.XML", "tif": f"{STEM}-SPECTRAL_IMAGE.TIF"}
    scene = read(tmp_path / names[given])
    facts = facts_of(scene)
    order = [0, 3, 1, 4, 2]
    np.testing.assert_array_equal(scene.wavelengths_nm, NM[order])
    assert (facts.order, facts.left_out()) == (tuple(order), [5])
    np.testing.assert_allclose(scene.hr_hsi[3:], (cube * GAINS)[3:, :, order], rtol=1e-6)
    assert scene.mask_hsi is not None
    np.testing.assert_array_equal(scene.mask_hsi, np.arange(H)[:, None] >= np.full((1, W), 3))
    assert facts.ground.epsg == 32633
    assert facts.ground.transform == (30, 0, 365055, 0, -30, 5807085)
    assert (facts.acquired, facts.no_data, facts.is_scaled) == ("2022-07-24T10:45:26Z", -32768, True)
    assert any("905...980 nm" in note for note in scene.notes)
    np.testing.assert_array_equal(facts.bands.fwhm_nm, np.full(6, 7.5))
    check_part(PRODUCT, tmp_path / names[given])


@pytest.mark.parametrize(("detector", "kept"), [("both", [0, 3, 1, 4, 2]), ("vnir", [0, 1, 2]), ("swir", [0, 3, 4])])
def test_whose_bands_stay_where_detectors_overlap(tmp_path: Path, detector: str, kept: list[int]) -> None:
    """905...980 nm is seen by both; band 6, at 1500 nm, holds nothing."""
    cube = enmap(tmp_path)
    scene = read(tmp_path, detector=detector)
    np.testing.assert_array_equal(scene.wavelengths_nm, NM[kept])
    # One factor for all bands is carried, not applied.
    factor = GAINS if facts_of(scene).is_scaled else np.ones(6)
    np.testing.assert_allclose(scene.hr_hsi[3:], (cube * factor)[3:, :, kept], rtol=1e-6)
    told = [note for note in scene.notes if "two spectrometers overlap at 905...980 nm" in note]
    assert len(told) == 1
    assert f"data.detector={detector}" in told[0] or detector == "both"
    # All bands are kept but for the choice of detector.
    whole = read(tmp_path, detector=detector, bad_bands="none", no_data="none")
    np.testing.assert_array_equal(whole.wavelengths_nm, [*NM[kept], 1500])


def test_enmap_in_parts(tmp_path: Path) -> None:
    enmap(tmp_path)
    (tmp_path / f"{STEM}-SPECTRAL_IMAGE.TIF").unlink()
    with pytest.raises(DataError, match="metadata without their image"):
        read(tmp_path / f"{STEM}-METADATA.XML")


# PRISMA -------------------------------------------------------------------------------------------------------------

VNIR = np.array([900.0, 700.0, 500.0, 0.0])
SWIR = np.array([0.0, 1600.0, 920.0])


def prisma(folder: Path, *, level: str = "L2D", middles: bool = True) -> tuple[Path, np.ndarray, np.ndarray]:
    path = folder / f"PRS_{level}_STD_20201107101404_20201107101408_0001.he5"
    vnir, swir, pan = stored(4, seed=1), stored(3, seed=2), stored(1, shape=(6 * H, 6 * W), seed=3)
    for cube in (vnir, swir, pan):
        cube[-1 if cube is not pan else slice(-6, None)] = 0
    inset = 15 if middles else 0
    with h5py.File(path, "w") as file:
        fields = f"HDFEOS/SWATHS/PRS_{level}_HCO/Data Fields"
        file[f"{fields}/VNIR_Cube"] = np.moveaxis(vnir, 2, 1)
        file[f"{fields}/SWIR_Cube"] = np.moveaxis(swir, 2, 1)
        file[f"HDFEOS/SWATHS/PRS_{level}_PCO/Data Fields/Cube"] = pan[:, :, 0]
        if level == "L2D":
            errors = np.zeros((H, W, 4), np.uint8)
            errors[2, 5, 1] = 1
            errors[4, 4, :] = 2
            file[f"{fields}/VNIR_PIXEL_L2_ERR_MATRIX"] = np.moveaxis(errors, 2, 1)
            file[f"{fields}/SWIR_PIXEL_L2_ERR_MATRIX"] = np.zeros((H, 3, W), np.uint8)
        file.attrs.update(
            {
                "List_Cw_Vnir": VNIR,
                "List_Cw_Swir": SWIR,
                "List_Fwhm_Vnir": np.array([12.0, 11.0, 10.0, 0.0]),
                "List_Fwhm_Swir": np.array([0.0, 14.0, 13.0]),
                "L2ScaleVnirMin": 0.01,
                "L2ScaleVnirMax": 0.9,
                "L2ScaleSwirMin": 0.0,
                "L2ScaleSwirMax": 0.7,
                "L2ScalePanMin": 0.0,
                "L2ScalePanMax": 1.0,
                "ScaleFactor_Vnir": 100.0,
                "ScaleFactor_Swir": 50.0,
                "Offset_Vnir": 2.0,
                "Offset_Swir": 0.0,
                "Product_StartTime": np.bytes_("2020-11-07T10:14:04"),
                "Epsg_Code": 32632,
                "Product_ULcorner_easting": 600000.0 + inset,
                "Product_ULcorner_northing": 5000000.0 - inset,
                "Product_LRcorner_easting": 600000.0 + 30 * W - inset,
                "Product_LRcorner_northing": 5000000.0 - 30 * H + inset,
            }
        )
    return path, vnir, swir


@pytest.mark.parametrize("middles", [True, False])
def test_prisma(tmp_path: Path, middles: bool) -> None:
    path, vnir, swir = prisma(tmp_path, middles=middles)
    scene = read(path)
    facts = facts_of(scene)
    np.testing.assert_array_equal(scene.wavelengths_nm, [500, 700, 900, 920, 1600])
    reflectance = np.stack(
        [
            *(0.01 + vnir[:, :, band] * (0.9 - 0.01) / 65535 for band in (2, 1, 0)),
            *(swir[:, :, band] * 0.7 / 65535 for band in (2, 1)),
        ],
        axis=2,
    )
    mask = np.ones((H, W), bool)
    mask[-1] = False
    mask[2, 5] = False
    assert scene.mask_hsi is not None
    np.testing.assert_array_equal(scene.mask_hsi, mask)
    np.testing.assert_allclose(scene.hr_hsi[mask], reflectance[mask], rtol=1e-5)
    assert facts.ground.transform == (30, 0, 600000, 0, -30, 5000000)
    assert (facts.ground.epsg, facts.acquired) == (32632, "2020-11-07T10:14:04")
    assert facts.bands.fwhm_nm is not None
    np.testing.assert_array_equal(facts.bands.fwhm_nm[list(facts.order or ())], [10, 11, 12, 13, 14])
    check_part(PRODUCT, path)


def test_prisma_with_its_own_panchromatic_image(tmp_path: Path) -> None:
    path, _, _ = prisma(tmp_path)
    images = read_pair(DataConfig(lr_hsi=str(path), hr_msi=str(path), normalise="none"))
    assert (images.lr_hsi.shape, images.hr_msi.shape) == ((H, W, 5), (6 * H, 6 * W, 1))
    assert images.grid is None
    assert images.msi_facts is not None
    assert images.msi_facts.ground.transform == (5, 0, 600000, 0, -5, 5000000)
    alone = read(path, key="HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields/SWIR_Cube", layout="chw")
    assert alone.hr_hsi.shape == (3, W, H - 1)  # any array by its path, as it is stored; the last of its bands is empty


def test_prisma_radiance(tmp_path: Path) -> None:
    path, vnir, swir = prisma(tmp_path, level="L1")
    scene = read(path)
    np.testing.assert_allclose(scene.hr_hsi[:-1, :, 0], vnir[:-1, :, 2] / 100 - 2, rtol=1e-5)
    np.testing.assert_allclose(scene.hr_hsi[:-1, :, 4], swir[:-1, :, 1] / 50, rtol=1e-5)
    assert not facts_of(scene).ground.is_known


# EMIT ---------------------------------------------------------------------------------------------------------------


def test_emit(tmp_path: Path) -> None:
    path = tmp_path / "EMIT_L2A_RFL_001_20231101T024133_2330502_014.nc"
    cube = stored(5, np.float32) / 10000
    # The map is the image, mirrored top to bottom, with a margin of one pixel.
    rows, columns = np.mgrid[H:0:-1, 1 : W + 1]
    with h5py.File(path, "w") as file:
        file["reflectance"] = cube
        file["sensor_band_parameters/wavelengths"] = np.linspace(400, 2400, 5)
        file["sensor_band_parameters/fwhm"] = np.full(5, 8.5)
        file["sensor_band_parameters/good_wavelengths"] = np.array([1, 1, 0, 1, 1.0])
        file["location/glt_x"] = np.pad(columns, 1).astype(np.int32)
        file["location/glt_y"] = np.pad(rows, 1).astype(np.int32)
        file.attrs["geotransform"] = np.array([10.0, 0.0005, 0.0, 50.0, 0.0, -0.0005])
        file.attrs["spatial_ref"] = 'GEOGCS["WGS 84"]'
    scene = read(path)
    facts = facts_of(scene)
    np.testing.assert_array_equal(scene.hr_hsi[1:-1, 1:-1], cube[::-1][:, :, [0, 1, 3, 4]])
    assert scene.mask_hsi is not None
    np.testing.assert_array_equal(scene.mask_hsi, np.pad(np.ones((H, W), bool), 1))
    assert (facts.ground.transform, facts.ground.epsg) == ((0.0005, 0, 10, 0, -0.0005, 50), 4326)
    assert facts.left_out() == [2]
    check_part(PRODUCT, path)
    raw = read(path, key="raw", layout="hwc")
    np.testing.assert_array_equal(raw.hr_hsi, cube[:, :, [0, 1, 3, 4]])
    assert not facts_of(raw).ground.is_known


# Sentinel-2 ---------------------------------------------------------------------------------------------------------

BANDS_10M = ("B02", "B03", "B04", "B08")
BANDS_20M = ("B05", "B06", "B07", "B8A", "B11", "B12")


def sentinel2(folder: Path, *, baseline: str = "05.09", offset: int = -1000) -> tuple[Path, dict[str, np.ndarray]]:
    imagecodecs = pytest.importorskip("imagecodecs")

    product = folder / f"S2A_MSIL2A_20230115T051121_N{baseline.replace('.', '')}_R019_T33UUU_20230115T081121.SAFE"
    granule = product / "GRANULE" / "L2A_T33UUU_A000001_20230115T051121"
    bands = {}
    for number, name in enumerate((*BANDS_10M, *BANDS_20M)):
        pixel = 10 if name in BANDS_10M else 20
        images = granule / "IMG_DATA" / f"R{pixel}m"
        images.mkdir(parents=True, exist_ok=True)
        size = (H, W) if pixel == 10 else (H // 2, W // 2)
        bands[name] = stored(1, shape=size, seed=number)[:, :, 0]
        bands[name][:2] = 0
        packed = imagecodecs.jpeg2k_encode(bands[name], level=0, reversible=True, codecformat="jp2")
        (images / f"T33UUU_20230115T051121_{name}_{pixel}m.jp2").write_bytes(packed)
    added = "".join(f'<BOA_ADD_OFFSET band_id="{band}">{offset}</BOA_ADD_OFFSET>' for band in range(13))
    listed = f"<BOA_ADD_OFFSET_VALUES_LIST>{added}</BOA_ADD_OFFSET_VALUES_LIST>" if offset else ""
    spectral = "".join(
        f'<Spectral_Information bandId="{number}" physicalBand="{name.replace("B0", "B")}"><Wavelength>'
        f'<MIN unit="nm">{400 + 99 * number}</MIN><MAX unit="nm">{430 + 99 * number}</MAX>'
        f'<CENTRAL unit="nm">{415.5 + 99 * number}</CENTRAL></Wavelength></Spectral_Information>'
        for number, name in enumerate(bands)
    )
    (product / "MTD_MSIL2A.xml").write_text(
        '<n1:Level-2A_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-2A.xsd">'
        "<n1:General_Info><Product_Info><PRODUCT_START_TIME>2023-01-15T05:11:21.024Z</PRODUCT_START_TIME>"
        f"<PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE><Datatake><SPACECRAFT_NAME>Sentinel-2A</SPACECRAFT_NAME>"
        "</Datatake></Product_Info><Product_Image_Characteristics><QUANTIFICATION_VALUES_LIST>"
        '<BOA_QUANTIFICATION_VALUE unit="none">10000</BOA_QUANTIFICATION_VALUE></QUANTIFICATION_VALUES_LIST>'
        f"{listed}<Spectral_Information_List>{spectral}</Spectral_Information_List></Product_Image_Characteristics></n1:General_Info></n1:Level-2A_User_Product>"
    )
    sizes = "".join(
        f'<Size resolution="{pixel}"><NROWS>{10 * H // pixel}</NROWS><NCOLS>{10 * W // pixel}</NCOLS></Size>'
        for pixel in (10, 20)
    )
    positions = "".join(
        f'<Geoposition resolution="{pixel}"><ULX>300000</ULX><ULY>5900040</ULY></Geoposition>' for pixel in (10, 20, 60)
    )
    (granule / "MTD_TL.xml").write_text(
        '<n1:Level-2A_Tile_ID xmlns:n1="x"><n1:Geometric_Info><Tile_Geocoding><HORIZONTAL_CS_CODE>EPSG:32633'
        f"</HORIZONTAL_CS_CODE>{sizes}{positions}</Tile_Geocoding></n1:Geometric_Info></n1:Level-2A_Tile_ID>"
    )
    return product, bands


@pytest.mark.parametrize(("baseline", "offset", "word"), [("05.09", -1000, "-1000"), ("03.01", 0, "nothing added")])
def test_sentinel2(tmp_path: Path, baseline: str, offset: int, word: str) -> None:
    product, bands = sentinel2(tmp_path, baseline=baseline, offset=offset)
    assert [entry.name for entry in list_scenes(DataConfig(path=str(product)))] == [product.name]
    scene = read(product)
    facts = facts_of(scene)
    assert scene.hr_hsi.shape == (H, W, 10)
    assert facts.bands.names == ("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12")
    names = list(bands)
    centres = [415.5 + 99 * names.index(name) for name in ("B02", "B03", "B04", "B08", "B8A")]
    assert facts.bands.wavelengths_nm is not None
    np.testing.assert_allclose(facts.bands.wavelengths_nm[[0, 1, 2, 6, 7]], centres)
    np.testing.assert_array_equal(facts.bands.fwhm_nm, np.full(10, 30))
    assert scene.mask_hsi is not None
    assert (scene.mask_hsi[:2].any(), scene.mask_hsi[4:].all()) == (False, True)
    # Once, and only once: a number of the file is (DN + offset) / 10000, or the DN where there is none.
    divisor = 10000 if offset else 1
    np.testing.assert_allclose(scene.hr_hsi[4:, :, 0], (bands["B02"][4:] + float(offset)) / divisor, rtol=1e-5)
    of_20m = bands["B8A"].astype(float).repeat(2, 0).repeat(2, 1)
    np.testing.assert_allclose(scene.hr_hsi[4:, :, 7], (of_20m[4:] + offset) / divisor, rtol=1e-5)
    assert (facts.ground.transform, facts.ground.epsg) == ((10, 0, 300000, 0, -10, 5900040), 32633)
    assert (facts.sensor, facts.acquired[:10]) == ("Sentinel-2A", "2023-01-15")
    assert len([note for note in scene.notes if word in note and baseline in note]) == 1
    check_part(PRODUCT, product)
    assert read_image(str(product), Request(window=GLANCE)).size == (H, W)


def test_sentinel2_by_resolution(tmp_path: Path) -> None:
    product, _ = sentinel2(tmp_path)
    assert read(product, key="10m").hr_hsi.shape == (H, W, 4)
    coarse = read(product / "MTD_MSIL2A.xml", key="20m")
    assert coarse.hr_hsi.shape == (H // 2, W // 2, 6)
    assert facts_of(coarse).ground.transform == (20, 0, 300000, 0, -20, 5900040)
    with pytest.raises(ConfigError, match="all, 10m, 20m"):
        read(product, key="60m")
    next(product.glob("**/*B8A_20m.jp2")).unlink()
    with pytest.raises(DataError, match=r"incomplete.*_B8A_20m\.jp2"):
        read(product)


# Landsat ------------------------------------------------------------------------------------------------------------


def test_landsat(tmp_path: Path) -> None:
    stem = "LC09_L2SP_193023_20220724_20220726_02_T1"
    lines = ["GROUP = LANDSAT_METADATA_FILE", "GROUP = IMAGE_ATTRIBUTES", 'SPACECRAFT_ID = "LANDSAT_9"']
    lines += ["DATE_ACQUIRED = 2022-07-24", 'SCENE_CENTER_TIME = "10:02:31Z"', "END_GROUP = IMAGE_ATTRIBUTES"]
    lines += ["GROUP = LEVEL2_SURFACE_REFLECTANCE_PARAMETERS"]
    bands = []
    for number in range(1, 8):
        lines += [f"REFLECTANCE_MULT_BAND_{number} = 2.75e-05", f"REFLECTANCE_ADD_BAND_{number} = -0.2"]
        bands.append(stored(1, seed=number)[:, :, 0])
        bands[-1][:, :5] = 0
        tifffile.imwrite(tmp_path / f"{stem}_SR_B{number}.TIF", bands[-1], compression="zlib")
    lines += ["END_GROUP = LEVEL2_SURFACE_REFLECTANCE_PARAMETERS", "END_GROUP = LANDSAT_METADATA_FILE", "END"]
    (tmp_path / f"{stem}_MTL.txt").write_text("\n".join(lines))
    scene = read(tmp_path)
    cube = np.stack(bands, axis=2)
    np.testing.assert_allclose(scene.hr_hsi[:, 5:], cube[:, 5:] * 2.75e-5 - 0.2, rtol=1e-4, atol=1e-6)
    assert scene.mask_hsi is not None
    np.testing.assert_array_equal(scene.mask_hsi[0], np.arange(W) >= 5)
    facts = facts_of(scene)
    assert (facts.sensor, facts.acquired) == ("LANDSAT_9", "2022-07-24T10:02:31Z")
    check_part(PRODUCT, tmp_path)
    (tmp_path / f"{stem}_SR_B4.TIF").unlink()
    with pytest.raises(DataError, match="SR_B4"):
        read(tmp_path)
