"""Scenes and cameras of the realistic pairs: an own simulator that shares no code with the package.

Every pair is a crop of a larger scene, so that what lies outside its border is real: the scene is blurred first and cut
afterwards. `realism_effects.py` makes pairs of what is here.

Geometry: LR pixel i lies on HR pixels i*s ... i*s+s-1 of the crop and its PSF is centred on their middle, (s - 1) / 2;
"clean" alone follows the published simulator instead (s x s taps, half a pixel off centre, borders that wrap around).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import numpy as np
from PIL import Image
from scipy.signal import fftconvolve

SCALE = 8
# What a crop needs around itself: four standard deviations of the widest PSF and the largest shift.
MARGIN = 56
WAVELENGTHS_NM = np.arange(400.0, 701.0, 10.0)


@dataclass(frozen=True)
class Crop:
    """A part of a scene."""

    scene: str
    top: int
    left: int
    height: int = 128
    width: int = 128

    @property
    def name(self) -> str:
        return f"{self.scene}@{self.top},{self.left}+{self.height}x{self.width}"

    def window(self, margin: int = 0) -> tuple[slice, slice]:
        """Index of its rows and columns in the scene, and of so many more around them."""
        top = self.top - margin
        left = self.left - margin
        bottom = self.top + self.height + margin
        right = self.left + self.width + margin
        if min(top, left) < 0:
            # Nothing lies before a scene.
            return slice(0, 0), slice(0, 0)
        return slice(top, bottom), slice(left, right)


CROPS = (
    Crop("balloons_ms", 200, 112),
    Crop("chart_and_stuffed_toy_ms", 200, 280),
    Crop("fake_and_real_food_ms", 200, 110),
    Crop("feathers_ms", 176, 192),
    Crop("flowers_ms", 192, 128),
    Crop("stuffed_toys_ms", 128, 232),
)


@dataclass
class LargeScene:
    """A scene as CAVE ships it.

    Attributes:
        cube: (512, 512, 31) float64, 0 to 1.
        photograph: (512, 512, 3) uint8, sRGB.
    """

    cube: np.ndarray
    photograph: Optional[np.ndarray] = None


@dataclass
class RealPair:
    """A pair with its truth.

    Attributes:
        lr_hsi: (h, w, C) float32.
        hr_msi: (H, W, M) float32.
        hr_hsi: (H, W, C) float32, the truth on the MSI's grid.
        scale: H / h.
        supports: None, the pair is blind.
        srf: (M, C) that made the MSI.
        psf: (k, k) that made the HSI; (C, k, k) where every band has its own; centre where `border` says.
        true: What was done, by name.
    """

    lr_hsi: np.ndarray
    hr_msi: np.ndarray
    hr_hsi: np.ndarray
    scale: int
    srf: np.ndarray
    psf: np.ndarray
    supports: None = None
    true: dict[str, Any] = field(default_factory=dict)


def load_scene(folder: Path | str, name: str) -> LargeScene:
    """One CAVE scene from a folder of scenes."""
    place = Path(folder) / name
    # As Columbia packs them: a folder within a folder.
    if (place / name).is_dir():
        place = place / name
    bands = []
    for path in sorted(place.glob("*_ms_[0-9][0-9].png")):
        values = np.asarray(Image.open(path))
        if values.ndim == 3:
            # A picture of three equal channels.
            values = values[..., 0]
        bands.append(values.astype(np.float64) / _white_of(values))
    scene = LargeScene(np.stack(bands, axis=2))
    photographs = sorted(place.glob("*_RGB.bmp"))
    if photographs:
        picture = Image.open(photographs[0]).convert("RGB")
        scene.photograph = np.asarray(picture)
    return scene


def _white_of(values: np.ndarray) -> int:
    """The largest number of a PNG of eight or of sixteen bits, which Pillow may hold in more."""
    if values.dtype == np.uint8:
        return np.iinfo(np.uint8).max
    return np.iinfo(np.uint16).max


def load_srf(path: Path | str) -> np.ndarray:
    """(M, C) from a file of (C, M), as it stands."""
    stored = np.load(path)
    return stored.astype(np.float64).T


def blur_and_cut(
    cube: np.ndarray,
    psf: np.ndarray,
    crop: Crop,
    scale: int = SCALE,
) -> np.ndarray:
    """LR pixels of the crop, seen through the PSF on the whole scene.

    Args:
        cube: (H, W, C) of the scene.
        psf: (k, k), or (C, k, k).
        crop: Which part of it.
        scale: s.

    Returns:
        (h, w, C).

    Raises:
        ValueError: The PSF reaches beyond the scene.
    """
    size = psf.shape[-1]
    reach = size // 2
    part = cube[crop.window(reach)]
    bands = cube.shape[2]
    if part.shape != (crop.height + 2 * reach, crop.width + 2 * reach, bands):
        raise ValueError(f"{crop.name}: the PSF sees more than the scene")
    height = crop.height // scale
    width = crop.width // scale
    # "valid" output p is the mean over part[p : p + k]; LR pixel i is centred on crop position i*s + (s - 1)/2.
    first = reach + (scale - 1) / 2 - (size - 1) / 2
    start = round(first)
    kernels = np.broadcast_to(psf, (bands, size, size))
    lr = np.empty((height, width, bands))
    for band, kernel in enumerate(kernels):
        turned = kernel[::-1, ::-1]
        seen = fftconvolve(part[..., band], turned, mode="valid")
        every_lr_pixel = seen[start::scale, start::scale]
        lr[..., band] = every_lr_pixel[:height, :width]
    return lr


def blur_wrapped(
    cube: np.ndarray,
    psf: np.ndarray,
    first: int,
    scale: int = SCALE,
) -> np.ndarray:
    """LR pixels of a cube that goes on at its other side; LR pixel i begins at HR pixel i*s + first."""
    height, width, bands = cube.shape
    lr = np.zeros((height // scale, width // scale, bands))
    for row, taps in enumerate(psf):
        for column, tap in enumerate(taps):
            back = (-(first + row), -(first + column))
            moved = np.roll(cube, back, axis=(0, 1))
            lr += tap * moved[::scale, ::scale]
    return lr
