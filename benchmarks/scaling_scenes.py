"""Scenes of any size in files for benchmarks/scaling.py: real crops, mirrored and repeated, seen by two cameras.

No operator of the package is used: the LR-HSI is a sum of shifted copies under a Gaussian PSF, the MSI a product with
smooth responses, and both have noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

NOISE = 1e-3
# The PSF's standard deviation in LR pixels.
SIGMA = 0.4
PSF_REACH = 2  # LR pixels on either side
ROWS_AT_ONCE = 64
CAVE_SCENE = "cave/flowers_ms"
INDIAN_PINES = "remote_sensing/indian_pines_corrected_145x145x200_u16.npy"


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

    files = sorted((data / CAVE_SCENE).rglob("*_[0-9][0-9].png"))
    bands = [np.asarray(Image.open(file), dtype=np.float32) / 65535 for file in files]
    return np.stack(bands, axis=2)


def indian_pines(data: Path) -> np.ndarray:
    """(144, 144, 200) of 0 to 1."""
    cube = np.load(data / INDIAN_PINES)[:144, :144]
    return np.asarray(cube / 10000, dtype=np.float32)


def period_of(crop: np.ndarray) -> np.ndarray:
    """A crop and its mirror images: repeated, they join without a jump."""
    wide = np.concatenate([crop, crop[:, ::-1]], axis=1)
    return np.concatenate([wide, wide[::-1]], axis=0)


def blurred(period: np.ndarray, scale: int) -> np.ndarray:
    """LR pixels of a picture that repeats itself: sums of shifted copies, no operator of the package."""
    offset = (scale - 1) / 2
    places = np.arange(-PSF_REACH * scale, (PSF_REACH + 1) * scale)
    taps = np.exp(-0.5 * ((places - offset) / (SIGMA * scale)) ** 2)
    taps /= taps.sum()
    rows = np.arange(0, period.shape[0], scale)
    down = sum(np.float32(tap) * period[(rows + place) % period.shape[0]] for place, tap in zip(places, taps))
    columns = np.arange(0, period.shape[1], scale)
    both = sum(np.float32(tap) * down[:, (columns + place) % period.shape[1]] for place, tap in zip(places, taps))
    return np.asarray(both)


def msi_of(period: np.ndarray, bands: int) -> np.ndarray:
    """MSI bands of a picture: smooth responses spread over its range."""
    depth = period.shape[2]
    centres = (np.arange(bands)[::-1] + 0.5) / bands * (depth - 1)
    srf = np.exp(-0.5 * ((np.arange(depth) - centres[:, None]) / (0.12 * depth)) ** 2)
    srf /= srf.sum(axis=1, keepdims=True)
    return np.asarray(period @ srf.T.astype(np.float32))


def write_repeated(
    period: np.ndarray,
    size: int,
    path: Path,
    seed: int,
) -> None:
    """Write a picture of so many rows and columns, with noise, a few rows at a time."""
    rng = np.random.default_rng(seed)
    columns = np.arange(size) % period.shape[1]
    depth = period.shape[2]

    def rows_from(top: int) -> np.ndarray:
        rows = np.arange(top, min(top + ROWS_AT_ONCE, size)) % period.shape[0]
        part = period[rows][:, columns]
        noise = rng.standard_normal(part.shape, dtype=np.float32)
        return np.asarray(part + np.float32(NOISE) * noise)

    if path.suffix == ".npy":
        file = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(size, size, depth))
        for top in range(0, size, ROWS_AT_ONCE):
            file[top : top + ROWS_AT_ONCE] = rows_from(top)
        file.flush()
        return
    import warnings

    import rasterio

    warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
    facts = {"driver": "GTiff", "dtype": "uint16", "count": depth, "height": size, "width": size, "tiled": True}
    with rasterio.open(path, "w", **facts, blockxsize=256, blockysize=ROWS_AT_ONCE) as target:
        for top in range(0, size, ROWS_AT_ONCE):
            part = np.clip(np.rint(rows_from(top) * 10000), 0, 65535).astype(np.uint16)
            window = rasterio.windows.Window(0, top, size, len(part))
            target.write(np.moveaxis(part, 2, 0), window=window)
