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
from scipy.special import j1

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


CROPS = (
    Crop("balloons_ms", 200, 112),
    Crop("chart_and_stuffed_toy_ms", 200, 280),
    Crop("fake_and_real_food_ms", 200, 110),
    Crop("feathers_ms", 176, 192),
    Crop("flowers_ms", 192, 128),
    Crop("stuffed_toys_ms", 128, 232),
)
NOT_SQUARE = (Crop("flowers_ms", 192, 128, 120, 136), Crop("cloth_ms", 192, 192, 120, 136))


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
    if (place / name).is_dir():
        place = place / name
    bands = []
    for path in sorted(place.glob("*_ms_[0-9][0-9].png")):
        values = np.asarray(Image.open(path))
        if values.ndim == 3:
            values = values[..., 0]
        bands.append(values.astype(np.float64) / np.iinfo(np.uint8 if values.dtype == np.uint8 else np.uint16).max)
    photographs = sorted(place.glob("*_RGB.bmp"))
    photograph = np.asarray(Image.open(photographs[0]).convert("RGB")) if photographs else None
    return LargeScene(np.stack(bands, axis=2), photograph)


def load_srf(path: Path | str) -> np.ndarray:
    """(M, C) from a file of (C, M), as it stands."""
    return np.load(path).astype(np.float64).T


# ---- PSFs, sampled at HR pixels around the middle of an LR pixel: even lengths for even scales.


def tap_offsets(reach: float, scale: int) -> np.ndarray:
    """HR pixel positions relative to the LR pixel's middle, at least `reach` to either side."""
    half = (scale % 2 == 0) * 0.5
    count = int(np.ceil(reach))
    positive = np.arange(count) + half if half else np.arange(1, count + 1)
    return np.concatenate([-positive[::-1], [] if half else [0.0], positive])


def _radius(reach: float, scale: int) -> np.ndarray:
    offsets = tap_offsets(reach, scale)
    return np.hypot(offsets[:, None], offsets[None, :])


def gaussian_psf(sigma: float, scale: int = SCALE) -> np.ndarray:
    """Uncut: five standard deviations to each side."""
    psf = np.exp(-0.5 * (_radius(5.0 * sigma, scale) / sigma) ** 2)
    return psf / psf.sum()


def airy_psf(fwhm: float, scale: int = SCALE) -> np.ndarray:
    """Diffraction at a round aperture, cut after five rings."""
    argument = np.maximum(_radius(5.0 * fwhm, scale) * (3.2326 / fwhm), 1e-9)  # half of the peak at 1.6163
    psf = (2.0 * j1(argument) / argument) ** 2
    return psf / psf.sum()


def moffat_psf(fwhm: float, beta: float = 2.5, scale: int = SCALE) -> np.ndarray:
    """Turbulence: (1 + (r / a)^2)^-beta, cut at six times the full width at half maximum."""
    width = fwhm / (2.0 * np.sqrt(2.0 ** (1.0 / beta) - 1.0))
    psf = (1.0 + (_radius(6.0 * fwhm, scale) / width) ** 2) ** -beta
    return psf / psf.sum()


def pushbroom_psf(sigma: float, scale: int = SCALE) -> np.ndarray:
    """Detector (s x s box) * optics (Gaussian) * movement down the picture by one LR pixel, on a finer grid."""
    fine = 10
    offsets = tap_offsets(2.0 * scale + 5.0 * sigma, scale)
    positions = (np.arange(-len(offsets) * fine, len(offsets) * fine) + 0.5) / (2 * fine) * 1.0
    optics = np.exp(-0.5 * (positions / sigma) ** 2)
    box = (np.abs(positions) < scale / 2).astype(np.float64)
    across = np.convolve(box, optics, mode="same")
    along = np.convolve(across, box, mode="same")
    psf = np.outer(np.interp(offsets, positions, along), np.interp(offsets, positions, across))
    return psf / psf.sum()


def blur_and_cut(cube: np.ndarray, psf: np.ndarray, crop: Crop, scale: int = SCALE) -> np.ndarray:
    """LR pixels of the crop, seen through the PSF on the whole scene."""
    reach = psf.shape[-1] // 2
    top, left = crop.top - reach, crop.left - reach
    bottom, right = crop.top + crop.height + reach, crop.left + crop.width + reach
    if min(top, left) < 0 or bottom > cube.shape[0] or right > cube.shape[1]:
        raise ValueError(f"{crop.name}: the PSF sees more than the scene")
    part = cube[top:bottom, left:right]
    out = np.empty((crop.height // scale, crop.width // scale, cube.shape[2]))
    # "valid" output p is the mean over part[p : p + k]; LR pixel i is centred on crop position i*s + (s - 1)/2.
    first = reach + (scale - 1) / 2 - (psf.shape[-1] - 1) / 2
    start = round(first)
    for band in range(cube.shape[2]):
        kernel = psf if psf.ndim == 2 else psf[band]
        seen = fftconvolve(part[..., band], kernel[::-1, ::-1], mode="valid")
        out[..., band] = seen[start::scale, start::scale][: out.shape[0], : out.shape[1]]
    return out


def blur_wrapped(cube: np.ndarray, psf: np.ndarray, first: int, scale: int = SCALE) -> np.ndarray:
    """LR pixels of a cube that goes on at its other side; LR pixel i begins at HR pixel i*s + first."""
    height, width, bands = cube.shape
    out = np.zeros((height // scale, width // scale, bands))
    for row in range(psf.shape[0]):
        for column in range(psf.shape[1]):
            moved = np.roll(cube, (-(first + row), -(first + column)), axis=(0, 1))
            out += psf[row, column] * moved[::scale, ::scale]
    return out


def published_psf(scale: int = SCALE) -> np.ndarray:
    """s x s taps of a Gaussian with sigma = s // 1.5, middle at tap s // 2."""
    offsets = np.arange(scale) - (scale // 2 if scale % 2 == 0 else (scale - 1) // 2)
    line = np.exp(-0.5 * (offsets / (scale // 1.5)) ** 2)
    psf = np.outer(line, line)
    return psf / psf.sum()


def psnr(reference: np.ndarray, fused: np.ndarray) -> float:
    """`author` convention: mean over bands of 10 log10(1 / mse)."""
    mse = np.mean((reference.astype(np.float64) - fused) ** 2, axis=(0, 1))
    return float(np.mean(10.0 * np.log10(1.0 / np.maximum(mse, 1e-30))))


def sam(reference: np.ndarray, fused: np.ndarray) -> float:
    """Mean spectral angle in degrees."""
    truth, other = reference.astype(np.float64), fused.astype(np.float64)
    norms = np.linalg.norm(truth, axis=2) * np.linalg.norm(other, axis=2)
    cosine = np.sum(truth * other, axis=2) / np.maximum(norms, 1e-30)
    return float(np.rad2deg(np.mean(np.arccos(np.clip(cosine, -1.0, 1.0)))))
