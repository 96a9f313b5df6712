"""EnMAP and DESIS level 2A: a GeoTIFF of all bands, and beside it the metadata of the DLR's ground segment.

References:
    EnMAP Ground Segment, Product Specification Document level 1/level 2 (EN-PCV-ICD-2009-2), section on METADATA.XML:
    bandCharacterisation, expectedChannelsList, backgroundValue.
    DESIS Product Guide (DLR), section on METADATA.xml.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Optional
from xml.etree import ElementTree

import numpy as np

from paddle_umsft.data.facts import FileFacts
from paddle_umsft.data.readers.base import RawArray, Request
from paddle_umsft.data.readers.products.xml_text import elements, read_xml, text_of
from paddle_umsft.data.readers.tiff import read_tiff
from paddle_umsft.errors import DataError

METADATA = "-METADATA.XML"
# The image's names: as ordered, as a cloud-optimised copy, and DESIS's.
IMAGES = ("-SPECTRAL_IMAGE.TIF", "-SPECTRAL_IMAGE_COG.TIF", "-SPECTRAL_IMAGE.TIFF")
# Elements in lower case: EnMAP's name and DESIS's.
CENTRES = ("wavelengthcenterofband",)
WIDTHS = ("fwhmofband", "wavelengthwidthofband")
GAINS = ("gainofband",)
OFFSETS = ("offsetofband",)
CHARACTERISATION = "bandCharacterisation"
CHANNELS = "expectedchannelslist"
BACKGROUND = "backgroundvalue"
START = "starttime"
MISSION = "mission"


def is_dlr_product(path: Path) -> bool:
    """Return whether a file or folder belongs to a product of EnMAP or DESIS."""
    return _find_metadata(path) is not None


def read_dlr_product(path: Path, request: Request) -> RawArray:
    """Read a product of level 2A.

    Args:
        path: The folder, the metadata file or the spectral image.
        request: Not used: there is one image.

    Raises:
        DataError: The image is missing, or the metadata are not those of its bands.
    """
    metadata = _find_metadata(path)
    assert metadata is not None
    image = _find_image(metadata)
    # The GeoTIFF knows where it lies, the metadata all that concerns the bands.
    found = read_tiff(image, request)
    root = read_xml(metadata)
    facts = _facts(
        root,
        found.facts,
        found.values.shape[-1],
        metadata,
    )
    return replace(found, facts=facts)


def _find_metadata(path: Path) -> Optional[Path]:
    """Return the metadata file of a folder, an image, or the file itself; None for anything else."""
    if path.is_dir():
        listed = [file for file in sorted(path.iterdir()) if file.name.upper().endswith(METADATA)]
        # A folder of several products is a folder of scenes.
        if len(listed) != 1 or _image_of(listed[0]) is None:
            return None
        return listed[0]
    name = path.name.upper()
    if name.endswith(METADATA):
        return path
    for ending in IMAGES:
        if name.endswith(ending):
            stem = path.name[: -len(ending)]
            for spelling in (METADATA, "-METADATA.xml"):
                beside = path.with_name(stem + spelling)
                if beside.is_file():
                    return beside
    return None


def _image_of(metadata: Path) -> Optional[Path]:
    """Return the spectral image beside a metadata file, or None."""
    stem = metadata.name[: -len(METADATA)].upper()
    for file in sorted(metadata.parent.iterdir()):
        if file.name.upper() in [stem + ending for ending in IMAGES]:
            return file
    return None


def _find_image(metadata: Path) -> Path:
    """Return the spectral image beside a metadata file.

    Raises:
        DataError: There is none.
    """
    image = _image_of(metadata)
    if image is None:
        stem = metadata.name[: -len(METADATA)]
        raise DataError(
            "metadata without their image",
            where=metadata,
            expected=f"{stem}{IMAGES[0]} beside it",
            hint="unpack the product whole; of EnMAP only level 2A has one image",
        )
    return image


def _facts(
    root: ElementTree.Element,
    known: FileFacts,
    count: int,
    metadata: Path,
) -> FileFacts:
    """Add what the metadata say to what the GeoTIFF says."""
    # Other parts of the file have elements of the same names.
    described = elements(root, CHARACTERISATION)
    part = root
    if described:
        part = described[0]
    centres = _numbers(part, CENTRES)
    if centres is None or centres.size != count:
        got = "none"
        if centres is not None:
            got = str(centres.size)
        raise DataError(
            "bands of the metadata",
            where=metadata,
            expected=f"{count} as in the image",
            got=got,
        )
    bands = replace(
        known.bands,
        count=count,
        wavelengths_nm=centres,
        fwhm_nm=_numbers(part, WIDTHS),
        scale=_numbers(part, GAINS),
        offset=_numbers(part, OFFSETS),
    )
    # Channels that are not expected are filled with the background value, or noise.
    expected = _expected_channels(root)
    if expected:
        good = np.zeros(count, bool)
        good[[number - 1 for number in expected if number <= count]] = True
        bands = replace(bands, good=good)
    no_data = _numbers(root, (BACKGROUND,))
    facts = replace(known, bands=bands)
    if no_data is not None:
        facts = replace(facts, no_data=float(no_data[0]))
    return replace(
        facts,
        units="reflectance",
        acquired=text_of(root, START) or known.acquired,
        sensor=text_of(root, MISSION),
    )


def _numbers(root: ElementTree.Element, names: tuple[str, ...]) -> Optional[np.ndarray]:
    """Return the numbers of all elements of the first name that there is, or None."""
    for name in names:
        texts = [element.text or "" for element in elements(root, name)]
        if texts:
            return np.asarray([float(text) for text in texts])
    return None


def _expected_channels(root: ElementTree.Element) -> list[int]:
    """Return the numbers of the channels that hold anything, counted from 1; [] where they are not listed."""
    channels: list[int] = []
    for element in elements(root, CHANNELS):
        channels.extend(int(text) for text in (element.text or "").replace(",", " ").split())
    return channels
