"""How two images lie on each other, by the places on the ground that their files name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np

from paddle_umsft.data.facts import FileFacts
from paddle_umsft.data.grid import HsiGrid
from paddle_umsft.data.ground import Georeference
from paddle_umsft.errors import DataError

# MSI pixels by which a corner may lie off a plain grid: coordinates are written with few digits, and what is left of a
# shift is found in the images themselves.
ROUNDING = 0.1
# HSI pixels around the HSI that an MSI keeps when it is cut, and the share of it that is cut away at least.
MARGIN = 4
WORTH_CUTTING = 0.5
# HSI pixels are longer than MSI pixels.
LEAST_RATIO = 1.0


def grid_of_files(
    hsi: FileFacts,
    msi: FileFacts,
    lr_shape: tuple[int, ...],
    hr_shape: tuple[int, ...],
    msi_path: str,
) -> tuple[Optional[HsiGrid], tuple[str, ...]]:
    """Find where the HSI's pixels lie on the MSI.

    Args:
        hsi: Of the HSI's file.
        msi: Of the MSI's file.
        lr_shape: (h, w, ...) of the HSI.
        hr_shape: (H, W, ...) of the MSI.
        msi_path: The MSI's file, for the command that brings it to the HSI's coordinate system.

    Returns:
        The grid, or None where a file names no place or the grids tile each other from corner to corner; and notes.

    Raises:
        DataError: Two coordinate systems, or no common ground.
    """
    lr_transform = hsi.ground.geotransform
    hr_transform = msi.ground.geotransform
    if lr_transform is None or hr_transform is None:
        return None, ()
    _check_same_system(
        hsi.ground,
        msi.ground,
        msi_path,
    )
    grid = HsiGrid.of_geotransforms(lr_transform, hr_transform)
    _check_overlap(
        grid,
        lr_shape,
        hr_shape,
        hsi.ground,
        msi.ground,
    )
    ratios = grid.ratios
    if _is_plain(
        grid,
        lr_shape,
        hr_shape,
    ):
        return None, ()
    if ratios.max() <= LEAST_RATIO:
        raise DataError(
            "the MSI's pixels are not smaller than the HSI's",
            where="pair",
            got=f"{_pixel(hsi.ground)} and {_pixel(msi.ground)} by their files",
            hint="are the two files swapped? data.coordinates=none goes by the sizes alone",
        )
    row, column = grid.origin
    note = (
        f"placed by the files' coordinates: {ratios[0]:.4g} x {ratios[1]:.4g} MSI pixels an HSI pixel, "
        f"the HSI begins at row {row:.2f}, column {column:.2f} of the MSI"
    )
    return grid, (note,)


@dataclass(frozen=True)
class Windows:
    """What is cut out of the two images of a pair, (top, left, height, width) each; None: nothing.

    Attributes:
        of_hsi: Of the HSI.
        of_msi: Of the MSI.
    """

    of_hsi: Optional[tuple[int, int, int, int]] = None
    of_msi: Optional[tuple[int, int, int, int]] = None


def common_windows(
    hsi: FileFacts,
    msi: FileFacts,
    lr_shape: tuple[int, ...],
    hr_shape: tuple[int, ...],
) -> Windows:
    """Find the ground that both images show.

    Where the HSI's pixels are whole numbers of MSI pixels, both are cut to whole HSI pixels, and tile each other then.
    Elsewhere a much larger MSI is cut to what the HSI covers, with a margin for shifts and the PSF.

    Args:
        hsi: Of the HSI's file.
        msi: Of the MSI's file.
        lr_shape: (h, w, ...) of the HSI.
        hr_shape: (H, W, ...) of the MSI.
    """
    lr_transform = hsi.ground.geotransform
    hr_transform = msi.ground.geotransform
    if lr_transform is None or hr_transform is None or not _are_same(hsi.ground, msi.ground):
        return Windows()
    grid = HsiGrid.of_geotransforms(lr_transform, hr_transform)
    ratio = round(float(grid.matrix[0, 0]))
    corners = _corners(lr_shape)
    apart = corners @ grid.matrix.T + grid.origin - (ratio * corners + np.rint(grid.origin))
    if ratio > LEAST_RATIO and np.abs(apart).max() < ROUNDING:
        return _whole_windows(
            ratio,
            np.rint(grid.origin).astype(int),
            lr_shape,
            hr_shape,
        )
    return _margin_window(
        grid,
        lr_shape,
        hr_shape,
    )


def _whole_windows(
    ratio: int,
    origin: np.ndarray,
    lr_shape: tuple[int, ...],
    hr_shape: tuple[int, ...],
) -> Windows:
    """Cut both images to the HSI pixels that lie within the MSI as a whole."""
    lr_size = np.array(lr_shape[:2])
    hr_size = np.array(hr_shape[:2])
    first = np.maximum(0, -(origin // ratio))
    last = np.minimum(lr_size, (hr_size - origin) // ratio)
    size = last - first
    # No ground in common: that is refused elsewhere, with its reason.
    if size.min() < 1:
        return Windows()
    of_hsi = None
    if np.any(size < lr_size):
        of_hsi = (int(first[0]), int(first[1]), int(size[0]), int(size[1]))
    of_msi = None
    if np.any(size * ratio < hr_size):
        top, left = (int(place) for place in origin + ratio * first)
        of_msi = (top, left, int(size[0]) * ratio, int(size[1]) * ratio)
    return Windows(of_hsi=of_hsi, of_msi=of_msi)


def _margin_window(
    grid: HsiGrid,
    lr_shape: tuple[int, ...],
    hr_shape: tuple[int, ...],
) -> Windows:
    """Cut a much larger MSI to what the HSI covers and a margin."""
    margin = MARGIN * grid.ratios.max()
    corners = _corners(lr_shape) @ grid.matrix.T + grid.origin
    size = np.array(hr_shape[:2])
    first = np.clip(
        np.floor(corners.min(axis=0) - margin),
        0,
        size,
    ).astype(int)
    last = np.clip(
        np.ceil(corners.max(axis=0) + margin),
        0,
        size,
    ).astype(int)
    height, width = (int(length) for length in last - first)
    # Two places, or an MSI that is hardly larger.
    if height * width == 0 or height * width > WORTH_CUTTING * size.prod():
        return Windows()
    return Windows(of_msi=(int(first[0]), int(first[1]), height, width))


def _is_plain(
    grid: HsiGrid,
    lr_shape: tuple[int, ...],
    hr_shape: tuple[int, ...],
) -> bool:
    """Return whether the HSI's pixels tile the MSI from corner to corner, but for rounding."""
    factor = hr_shape[0] // lr_shape[0]
    if tuple(hr_shape[:2]) != (factor * lr_shape[0], factor * lr_shape[1]):
        return False
    corners = _corners(lr_shape)
    apart = corners @ grid.matrix.T + grid.origin - factor * corners
    return bool(np.abs(apart).max() < ROUNDING)


def _corners(shape: tuple[int, ...]) -> np.ndarray:
    """Return (4, 2) outer corners (row, column) of an image."""
    height, width = shape[:2]
    return np.array([[0, 0], [height, 0], [0, width], [height, width]], np.float64)


def _check_overlap(
    grid: HsiGrid,
    lr_shape: tuple[int, ...],
    hr_shape: tuple[int, ...],
    hsi: Georeference,
    msi: Georeference,
) -> None:
    """Refuse two images of different places."""
    corners = _corners(lr_shape) @ grid.matrix.T + grid.origin
    # A turned grid is taken with the rectangle around it: it is refused only if even that lies apart.
    is_before = bool(np.any(corners.max(axis=0) <= 0))
    is_behind = bool(np.any(corners.min(axis=0) >= np.asarray(hr_shape[:2])))
    if not is_before and not is_behind:
        return
    raise DataError(
        "the images share no ground",
        where="pair",
        got=f"HSI {_extent(hsi, lr_shape)}, MSI {_extent(msi, hr_shape)}",
        hint="are they of one place? If the coordinates are wrong, data.coordinates=none goes by the sizes alone",
    )


def _extent(ground: Georeference, shape: tuple[int, ...]) -> str:
    """Return the ground that an image covers, for messages."""
    places = np.array([ground.at(column, row) for row, column in _corners(shape)])
    low = places.min(axis=0)
    high = places.max(axis=0)
    return f"x {low[0]:.10g}...{high[0]:.10g}, y {low[1]:.10g}...{high[1]:.10g}"


def _pixel(ground: Georeference) -> str:
    """Return the size of a pixel, for messages."""
    size = ground.pixel_size
    if size is None:
        return "unknown"
    return f"{size[0]:.6g} x {size[1]:.6g}"


def _check_same_system(
    hsi: Georeference,
    msi: Georeference,
    msi_path: str,
) -> None:
    """Refuse two coordinate systems, with the command that brings the MSI to that of the HSI."""
    if _are_same(hsi, msi):
        return
    target = "HSI.prj"
    if hsi.epsg is not None:
        target = f"EPSG:{hsi.epsg}"
    raise DataError(
        "two coordinate systems",
        where="pair",
        expected=f"{_system(hsi)} as the HSI",
        got=_system(msi),
        hint=f"gdalwarp -t_srs {target} -r cubic {msi_path} msi_reprojected.tif brings the MSI there, which loses less "
        "than the other way round",
    )


def _are_same(one: Georeference, other: Georeference) -> bool:
    """Return whether two coordinate systems are the same, as far as anything speaks against it."""
    if one.epsg is not None and other.epsg is not None:
        return one.epsg == other.epsg
    if not one.crs_wkt or not other.crs_wkt:
        # Of one of them nothing is known but coordinates.
        return True
    return _plain_text(one.crs_wkt) == _plain_text(other.crs_wkt) or _name_of(one) == _name_of(other)


def _plain_text(wkt: str) -> str:
    """Return WKT without blanks, in lower case."""
    return "".join(wkt.split()).lower()


def _name_of(ground: Georeference) -> str:
    """Return the name of a coordinate system, spelt alike by all programs: WGS_1984_UTM_Zone_33N."""
    parts = ground.crs_wkt.split('"')
    if len(parts) < 2:
        return ground.crs_wkt
    # ESRI writes 1984 where others write 84.
    name = parts[1].lower().replace("1984", "84")
    return "".join(letter for letter in name if letter.isalnum()).replace("wgs84", "")


def _system(ground: Georeference) -> str:
    """Return a coordinate system in a word, for messages."""
    if ground.epsg is not None:
        return f"EPSG:{ground.epsg}"
    parts = ground.crs_wkt.split('"')
    if len(parts) > 1:
        return parts[1]
    return "unknown"
