"""A file's values are its own: HDF5, GDAL, OME-TIFF can point at others, which are not read; pipes are no files."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from paddle_umsft.data.readers.base import Request
from paddle_umsft.data.readers.table import read_array
from paddle_umsft.errors import DataError


@pytest.mark.parametrize("suffix", ["mat", "h5"])
@pytest.mark.parametrize("kind", ["raw", "link", "by a link", "virtual"])
def test_values_kept_in_another_file_are_not_read(tmp_path: Path, suffix: str, kind: str) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("TOP SECRET " * 100)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.arange(48.0).reshape(4, 4, 3)
    path = tmp_path / f"made.{suffix}"
    with h5py.File(path, "w") as file:
        if kind == "raw":
            file.create_dataset("x", (4, 4, 4), "u1", external=[(str(secret), 0, 64)])
        elif kind == "virtual":
            layout = h5py.VirtualLayout((4, 4, 3), "f8")
            layout[...] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", shape=(4, 4, 3))
            file.create_virtual_dataset("x", layout)
        else:
            file["there"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/")
            if kind == "by a link":
                file["x"] = h5py.SoftLink("/there/x")
    with pytest.raises(DataError):
        read_array(path, Request())
    # Not by name either.
    for name in ("x", "there/x"):
        with pytest.raises(DataError):
            read_array(path, Request(key=name))


@pytest.mark.parametrize("kind", ["raw", "link"])
@pytest.mark.parametrize("name", ["reflectance", "location/glt_x", "sensor_band_parameters/wavelengths"])
def test_products_are_read_by_names_that_lead_nowhere_else(tmp_path: Path, kind: str, name: str) -> None:
    """EMIT's reader asks for arrays by name: none of them may be another file's."""
    secret = tmp_path / "secret.txt"
    secret.write_bytes(b"TOP SECRET " * 100)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.ones((4, 5, 6), "f4")
    values = {
        "reflectance": np.arange(120, dtype="f4").reshape(4, 5, 6) / 120,
        "location/glt_x": np.arange(1, 21, dtype="i4").reshape(4, 5) % 5 + 1,
        "location/glt_y": np.arange(1, 21, dtype="i4").reshape(4, 5) % 4 + 1,
        "sensor_band_parameters/wavelengths": np.linspace(400, 900, 6, dtype="f4"),
        "sensor_band_parameters/fwhm": np.full(6, 8, "f4"),
    }
    path = tmp_path / "x.nc"
    with h5py.File(path, "w") as file:
        for key, array in values.items():
            if key != name:
                file[key] = array
            elif kind == "raw":
                file.create_dataset(key, array.shape, array.dtype, external=[(str(secret), 0, array.nbytes)])
            else:
                file[key] = h5py.ExternalLink(str(tmp_path / "other.h5"), "x")
    # It is no product then; the image is read only where it is the file's own.
    if name == "reflectance":
        with pytest.raises(DataError, match="no array"):
            read_array(path, Request())
    else:
        assert np.array_equal(read_array(path, Request()).values, values["reflectance"])


@pytest.mark.skipif(os.name == "nt", reason="needs a pipe")
def test_a_pipe_among_the_bands_of_a_scene_is_a_missing_band(tmp_path: Path) -> None:
    import cv2

    from paddle_umsft.data.readers.cave import read_cave

    for band in range(1, 31):
        cv2.imwrite(str(tmp_path / f"a_{band:02d}.png"), np.full((4, 5), band, np.uint16))
    os.mkfifo(tmp_path / "a_31.png")
    with pytest.raises(DataError, match="without 31"):
        read_cave(tmp_path)


SECRET = b"TOP SECRET " * 10
RAW = '<SourceFilename relativeToVRT="0">{}</SourceFilename><ImageOffset>0</ImageOffset><PixelOffset>1</PixelOffset>'
RAW_BAND = f'<VRTRasterBand dataType="Byte" band="1" subClass="VRTRawRasterBand">{RAW}</VRTRasterBand>'
KIND_WITHIN = f'<VRTRasterBand dataType="Byte" band="1"><subClass>VRTRawRasterBand</subClass>{RAW}</VRTRasterBand>'
PLAIN_BAND = (
    '<VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename relativeToVRT="{1}">{0}</SourceFilename>'
    "<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>"
)
AS_ATTRIBUTE = '<VRTRasterBand dataType="Byte" band="1"><SimpleSource sourceFilename="{0}"/></VRTRasterBand>'


def mosaic(path: Path, band: str) -> Path:
    path.write_text(f'<VRTDataset rasterXSize="5" rasterYSize="4">{band}</VRTDataset>')
    return path


def own_tiff(path: Path) -> np.ndarray:
    import tifffile

    values = np.arange(20, dtype=np.uint8).reshape(4, 5)
    tifffile.imwrite(path, values)
    return values


@pytest.mark.parametrize("name", ["x.vrt", "x.dat", "x.unknown"])
@pytest.mark.parametrize("band", [RAW_BAND, KIND_WITHIN, AS_ATTRIBUTE])
def test_bytes_of_any_file_are_no_bands(tmp_path: Path, name: str, band: str) -> None:
    """GDAL tells a mosaic by its content, under whatever name, and its "raw bands" are bytes of any file."""
    pytest.importorskip("rasterio")
    (tmp_path / "secret.txt").write_bytes(SECRET)
    path = mosaic(tmp_path / name, band.format(tmp_path / "secret.txt"))
    with pytest.raises(DataError):
        read_array(path, Request())


def test_a_mosaic_of_images_beside_it_is_read_and_one_that_leads_elsewhere_is_not(tmp_path: Path) -> None:
    pytest.importorskip("rasterio")
    folder = tmp_path / "mosaic"
    folder.mkdir()
    values = own_tiff(folder / "part.tif")
    own_tiff(tmp_path / "other.tif")
    found = read_array(mosaic(folder / "x.vrt", PLAIN_BAND.format("part.tif", 1)), Request())
    assert np.array_equal(found.values[:, :, 0], values)

    (tmp_path / "secret.txt").write_bytes(SECRET)
    mosaic(folder / "inner.tif", RAW_BAND.format(tmp_path / "secret.txt"))
    for source, beside in [
        ("../other.tif", 1),
        (str(tmp_path / "other.tif"), 0),
        ("inner.tif", 1),
        ("/vsicurl/http://127.0.0.1:9/a.tif", 0),
        ("/vsizip/other.zip/a.tif", 1),
    ]:
        path = mosaic(folder / "x.vrt", PLAIN_BAND.format(source, beside))
        with pytest.raises(DataError, match=r"beside it|missing"):
            read_array(path, Request())


def test_bands_of_a_pci_file_that_lie_in_other_files(tmp_path: Path) -> None:
    pytest.importorskip("rasterio")
    (tmp_path / "x.pix").write_bytes(b"PCIDSK".ljust(360) + b"FILE    ".ljust(664))
    with pytest.raises(DataError):
        read_array(tmp_path / "x.pix", Request())


def test_pages_that_an_ome_tiff_says_are_in_another_file(tmp_path: Path) -> None:
    import tifffile

    values = own_tiff(tmp_path / "other.tif")
    told = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        '<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="5" SizeY="4" SizeC="2" SizeZ="1" SizeT="1">'
        '<TiffData IFD="0" FirstC="0" PlaneCount="1"/><TiffData IFD="0" FirstC="1" PlaneCount="1">'
        '<UUID FileName="other.tif">urn:uuid:00000000-0000-0000-0000-000000000000</UUID></TiffData>'
        "</Pixels></Image></OME>"
    )
    tifffile.imwrite(tmp_path / "x.tif", values + 100, description=told, metadata=None)
    try:
        found = read_array(tmp_path / "x.tif", Request()).values
    except DataError:
        return
    assert not np.any(np.isin(found, values[values > 0]))
