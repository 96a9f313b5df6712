"""Scenes of any size in files for benchmarks/scaling.py: real crops, mirrored and repeated, seen by two cameras.

No operator of the package is used: the LR-HSI is a sum of shifted copies under a Gaussian PSF, the MSI a product with
smooth responses, and both have noise.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

NOISE = 1e-3
# The PSF's standard deviation in LR pixels.
SIGMA = 0.4
PSF_REACH = 2  # LR pixels on either side
# Standard deviation of an MSI band's response, as a share of the HSI's range.
RESPONSE_SIGMA = 0.12
ROWS_AT_ONCE = 64
CAVE_SCENE = "cave/flowers_ms"
CAVE_WHITE = 65535
INDIAN_PINES = "remote_sensing/indian_pines_corrected_145x145x200_u16.npy"
PINES_SIZE = 144
PINES_WHITE = 10000
# GeoTIFFs hold whole numbers of sixteen bits: this many are 1.
TIFF_WHITE = 10000
TIFF_LARGEST = 65535
TILE_WIDTH = 256


@dataclass(frozen=True)
class Pair:
    """Two files of a scene.

    Attributes:
        lr: LR-HSI.
        hr: MSI.
        size: H, and W.
        bands: C.
        scale: H / h.
    """

    lr: Path
    hr: Path
    size: int
    bands: int
    scale: int

    @property
    def name(self) -> str:
        return f"{self.size}²×{self.bands}, ×{self.scale}, {self.hr.suffix}"


def cave(data: Path) -> np.ndarray:
    """(512, 512, 31) of 0 to 1."""
    from PIL import Image

    folder = data / CAVE_SCENE
    bands = []
    for file in sorted(folder.rglob("*_[0-9][0-9].png")):
        image = Image.open(file)
        values = np.asarray(image, dtype=np.float32)
        bands.append(values / CAVE_WHITE)
    return np.stack(bands, axis=2)


def indian_pines(data: Path) -> np.ndarray:
    """(144, 144, 200) of 0 to 1."""
    whole = np.load(data / INDIAN_PINES)
    cube = whole[:PINES_SIZE, :PINES_SIZE]
    return np.asarray(cube / PINES_WHITE, dtype=np.float32)


def period_of(crop: np.ndarray) -> np.ndarray:
    """A crop and its mirror images: repeated, they join without a jump."""
    mirrored = crop[:, ::-1]
    wide = np.concatenate([crop, mirrored], axis=1)
    upside_down = wide[::-1]
    return np.concatenate([wide, upside_down], axis=0)


def blurred(period: np.ndarray, scale: int) -> np.ndarray:
    """LR pixels of a picture that repeats itself: sums of shifted copies, no operator of the package."""
    places = np.arange(-PSF_REACH * scale, (PSF_REACH + 1) * scale)
    to_middle = (scale - 1) / 2
    from_middle = (places - to_middle) / (SIGMA * scale)
    taps = np.exp(-0.5 * from_middle**2)
    taps /= taps.sum()
    height, width, _ = period.shape
    rows = np.arange(0, height, scale)
    columns = np.arange(0, width, scale)
    down: np.ndarray = np.zeros(1, dtype=np.float32)
    for place, tap in zip(places, taps):
        seen = (rows + place) % height
        down = down + np.float32(tap) * period[seen]
    both: np.ndarray = np.zeros(1, dtype=np.float32)
    for place, tap in zip(places, taps):
        seen = (columns + place) % width
        both = both + np.float32(tap) * down[:, seen]
    return both


def msi_of(period: np.ndarray, bands: int) -> np.ndarray:
    """MSI bands of a picture: smooth responses spread over its range, the longest waves first."""
    depth = period.shape[2]
    shares = (np.arange(bands) + 0.5) / bands
    centres = shares[::-1] * (depth - 1)
    from_centre = np.arange(depth) - centres[:, None]
    srf = np.exp(-0.5 * (from_centre / (RESPONSE_SIGMA * depth)) ** 2)
    srf /= srf.sum(axis=1, keepdims=True)
    return np.asarray(period @ srf.T.astype(np.float32))


def write_repeated(
    period: np.ndarray,
    size: int,
    path: Path,
    seed: int,
) -> None:
    """Write a picture of so many rows and columns, with noise, a few rows at a time."""
    strips = noisy_strips(period, size, seed)
    if path.suffix == ".npy":
        _write_npy(path, strips, (size, size, period.shape[2]))
    else:
        _write_tiff(path, strips, (size, size, period.shape[2]))


def noisy_strips(
    period: np.ndarray,
    size: int,
    seed: int,
) -> Iterator[tuple[int, np.ndarray]]:
    """Rows of the repeated picture, from the first one down: (number of the first, (n, size, C))."""
    rng = np.random.default_rng(seed)
    height, width, _ = period.shape
    columns = np.arange(size) % width
    for top in range(0, size, ROWS_AT_ONCE):
        bottom = min(top + ROWS_AT_ONCE, size)
        rows = np.arange(top, bottom) % height
        part = period[rows][:, columns]
        noise = rng.standard_normal(part.shape, dtype=np.float32)
        yield top, np.asarray(part + np.float32(NOISE) * noise)


def _write_npy(
    path: Path,
    strips: Iterator[tuple[int, np.ndarray]],
    shape: tuple[int, int, int],
) -> None:
    file = np.lib.format.open_memmap(
        path,
        mode="w+",
        dtype=np.float32,
        shape=shape,
    )
    for top, strip in strips:
        bottom = top + len(strip)
        file[top:bottom] = strip
    file.flush()


def _write_tiff(
    path: Path,
    strips: Iterator[tuple[int, np.ndarray]],
    shape: tuple[int, int, int],
) -> None:
    import rasterio

    warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
    height, width, count = shape
    target = rasterio.open(
        path,
        "w",
        driver="GTiff",
        dtype="uint16",
        count=count,
        height=height,
        width=width,
        tiled=True,
        blockxsize=TILE_WIDTH,
        blockysize=ROWS_AT_ONCE,
    )
    with target:
        for top, strip in strips:
            numbers = np.rint(strip * TIFF_WHITE)
            stored = np.clip(numbers, 0, TIFF_LARGEST).astype(np.uint16)
            window = rasterio.windows.Window(0, top, width, len(strip))
            target.write(np.moveaxis(stored, 2, 0), window=window)
