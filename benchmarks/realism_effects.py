"""Pairs as cameras make them, from scenes larger than the pair: everything that can be wrong with one, by name.

`pair_of(scene, crop, effect)` makes a pair; `EFFECTS` names the effects, by name and strength. Values are divided by
the maximum of the crop. Where the MSI is shifted, turned or zoomed, MSI pixel p shows the place
middle + zoom * R(angle) * (p - middle) + shift of the HSI's grid, and the truth is given on the grid of the MSI,
interpolated by splines of fifth order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from scipy.ndimage import map_coordinates

from benchmarks.realism_scenes import (
    MARGIN,
    SCALE,
    Crop,
    LargeScene,
    RealPair,
    airy_psf,
    blur_and_cut,
    blur_wrapped,
    gaussian_psf,
    moffat_psf,
    published_psf,
    pushbroom_psf,
    tap_offsets,
)


@dataclass
class Bench:
    """A crop of a scene, ready for effects: the whole scene divided by the crop's maximum."""

    cube: np.ndarray
    photograph: Optional[np.ndarray]
    crop: Crop
    srf: np.ndarray
    rng: np.random.Generator
    divisor: float
    scale: int = SCALE

    def cut(self, down: int = 0, right: int = 0) -> np.ndarray:
        crop = self.crop
        top, left = crop.top + down, crop.left + right
        return self.cube[top : top + crop.height, left : left + crop.width]

    def pair(self, psf: np.ndarray, truth: Optional[np.ndarray] = None, **true: Any) -> RealPair:
        """Real border, this PSF, otherwise nothing wrong."""
        truth = self.cut() if truth is None else truth
        lr_hsi = blur_and_cut(self.cube, psf, self.crop, self.scale)
        return RealPair(
            lr_hsi=lr_hsi,
            hr_msi=truth @ self.srf.T,
            hr_hsi=truth,
            scale=self.scale,
            srf=self.srf,
            psf=psf,
            true={"border": "real", **true},
        )

    def usual(self) -> RealPair:
        """What effects other than PSFs are laid on: the clean pair of the published simulator."""
        truth = self.cut()
        psf = published_psf(self.scale)
        return RealPair(
            lr_hsi=blur_wrapped(truth, psf, 0, self.scale),
            hr_msi=truth @ self.srf.T,
            hr_hsi=truth,
            scale=self.scale,
            srf=self.srf,
            psf=psf,
            true={"border": "wrap", "sigma": self.scale // 1.5},
        )


def _clean(bench: Bench) -> RealPair:
    return bench.usual()


def _gaussian(fraction: float) -> Callable[[Bench], RealPair]:
    def effect(bench: Bench) -> RealPair:
        sigma = fraction * bench.scale
        return bench.pair(gaussian_psf(sigma, bench.scale), sigma=sigma)

    return effect


def _gaussian_wrapped(fraction: float) -> Callable[[Bench], RealPair]:
    def effect(bench: Bench) -> RealPair:
        pair = bench.usual()
        sigma = fraction * bench.scale
        pair.psf = gaussian_psf(sigma, bench.scale)
        first = (bench.scale - len(pair.psf)) // 2
        pair.lr_hsi = blur_wrapped(pair.hr_hsi, pair.psf, first, bench.scale)
        pair.true["sigma"] = sigma
        return pair

    return effect


def _gaussian_slope(low: float, high: float) -> Callable[[Bench], RealPair]:
    def effect(bench: Bench) -> RealPair:
        sigmas = bench.scale * np.linspace(low, high, bench.cube.shape[2])
        offsets = tap_offsets(5.0 * sigmas.max(), bench.scale)
        squares = offsets[:, None] ** 2 + offsets[None, :] ** 2
        psfs = np.exp(-0.5 * squares / sigmas[:, None, None] ** 2)
        psfs /= psfs.sum(axis=(1, 2), keepdims=True)
        return bench.pair(psfs, sigma=sigmas.tolist())

    return effect


def _named_psf(make: Callable[[int], np.ndarray], **true: Any) -> Callable[[Bench], RealPair]:
    def effect(bench: Bench) -> RealPair:
        return bench.pair(make(bench.scale), **true)

    return effect


def _named_psf_wrapped(make: Callable[[int], np.ndarray], **true: Any) -> Callable[[Bench], RealPair]:
    def effect(bench: Bench) -> RealPair:
        pair = bench.usual()
        pair.psf = make(bench.scale)
        first = (bench.scale - len(pair.psf)) // 2
        pair.lr_hsi = blur_wrapped(pair.hr_hsi, pair.psf, first, bench.scale)
        pair.true = {"border": "wrap", **true}
        return pair

    return effect


def _shift(pixels: int) -> Callable[[Bench], RealPair]:
    def effect(bench: Bench) -> RealPair:
        pair = bench.usual()
        # The HSI stays; the MSI and the truth look elsewhere in the scene.
        pair.hr_hsi = bench.cut(pixels, pixels)
        pair.hr_msi = pair.hr_hsi @ bench.srf.T
        pair.true["shift"] = (float(pixels), float(pixels))
        return pair

    return effect


def _turned(angle_deg: float, zoom: float) -> Callable[[Bench], RealPair]:
    def effect(bench: Bench) -> RealPair:
        pair = bench.usual()
        crop = bench.crop
        middle = np.array([(crop.height - 1) / 2, (crop.width - 1) / 2])
        rows, columns = np.mgrid[: crop.height, : crop.width].astype(np.float64)
        rows, columns = rows - middle[0], columns - middle[1]
        cosine, sine = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
        # Rows and columns of the place in the HSI's grid, then in the part of the scene that is interpolated.
        there = zoom * (cosine * rows - sine * columns) + middle[0], zoom * (sine * rows + cosine * columns) + middle[1]
        part = bench.cube[
            crop.top - MARGIN // 2 : crop.top + crop.height + MARGIN // 2,
            crop.left - MARGIN // 2 : crop.left + crop.width + MARGIN // 2,
        ]
        points = np.stack([there[0] + MARGIN // 2, there[1] + MARGIN // 2])
        bands = [map_coordinates(part[..., k], points, order=5, mode="mirror") for k in range(part.shape[2])]
        pair.hr_hsi = np.maximum(np.stack(bands, axis=2), 0.0)
        pair.hr_msi = pair.hr_hsi @ bench.srf.T
        pair.true.update(angle_deg=angle_deg, zoom=zoom)
        return pair

    return effect


def _offset(bench: Bench) -> RealPair:
    pair = bench.usual()
    offset = np.array([0.05, 0.02, 0.08])
    pair.hr_msi = pair.hr_msi + offset
    pair.true["offset"] = offset.tolist()
    return pair


def srgb_curve(values: np.ndarray) -> np.ndarray:
    """Linear light 0..1 to sRGB 0..1 (IEC 61966-2-1)."""
    light = np.clip(values, 0.0, 1.0)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def _srgb(bench: Bench) -> RealPair:
    pair = bench.usual()
    exposure = 1.0 / float(pair.hr_msi.max())
    pair.hr_msi = np.round(255.0 * srgb_curve(exposure * pair.hr_msi)) / 255.0
    pair.true.update(curve="srgb", exposure=exposure)
    return pair


def _photograph(bench: Bench) -> RealPair:
    pair = bench.usual()
    crop = bench.crop
    if bench.photograph is None:
        raise ValueError("the scene comes without a photograph")
    part = bench.photograph[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
    pair.hr_msi = part.astype(np.float64) / 255.0
    pair.true["curve"] = "the camera's"
    return pair


def _shading(strength: float) -> Callable[[Bench], RealPair]:
    def effect(bench: Bench) -> RealPair:
        pair = bench.usual()
        pair.hr_msi = pair.hr_msi * np.linspace(1 - strength, 1 + strength, bench.crop.width)[None, :, None]
        pair.true["shading"] = strength
        return pair

    return effect


def _stripes(strength: float) -> Callable[[Bench], RealPair]:
    def effect(bench: Bench) -> RealPair:
        pair = bench.usual()
        gains = 1.0 + strength * bench.rng.choice([-1.0, 1.0], size=(1, pair.lr_hsi.shape[1], 1))
        pair.lr_hsi = pair.lr_hsi * gains
        pair.true["gains"] = gains.ravel().tolist()
        return pair

    return effect


def _dead_hsi(bench: Bench) -> RealPair:
    pair = bench.usual()
    dead = bench.rng.random(pair.lr_hsi.shape[:2]) < 0.05
    pair.lr_hsi[dead] = 1.0
    pair.true["dead_hsi"] = dead
    return pair


def _dead_msi(bench: Bench) -> RealPair:
    pair = bench.usual()
    dead = bench.rng.random(pair.hr_msi.shape[:2]) < 0.05
    pair.hr_msi[dead] = 1.0
    pair.true["dead_msi"] = dead
    return pair


def _saturated(bench: Bench) -> RealPair:
    pair = bench.usual()
    levels = np.quantile(pair.hr_msi, 0.95, axis=(0, 1))
    pair.hr_msi = np.minimum(pair.hr_msi, levels)
    pair.true["levels"] = levels.tolist()
    return pair


def _drowned(bench: Bench) -> RealPair:
    pair = bench.usual()
    bands = [2, 11, 19, 28]
    for band in bands:
        noise = 2.0 * np.sqrt(np.mean(pair.lr_hsi[..., band] ** 2))
        pair.lr_hsi[..., band] += noise * bench.rng.standard_normal(pair.lr_hsi.shape[:2])
    pair.true["drowned"] = bands
    return pair


def _half_shadow(bench: Bench) -> RealPair:
    pair = bench.usual()
    height, width = bench.crop.height, bench.crop.width
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    # A disc over about a tenth of the picture, its rim soft over four pixels, in the MSI only.
    distance = np.hypot(rows - 0.4 * height, columns - 0.6 * width) - 0.18 * min(height, width)
    share = 1.0 / (1.0 + np.exp(distance))
    pair.hr_msi = pair.hr_msi * (1.0 - 0.5 * share[..., None])
    pair.true["shadow"] = share > 0.5
    return pair


def _moved_object(bench: Bench) -> RealPair:
    pair = bench.usual()
    height, width = bench.crop.height, bench.crop.width
    size = min(height, width) // 5
    source = (height // 2 - size // 2, width // 2 - size // 2)
    target = (source[0] + size + size // 2, source[1] + size // 2)
    truth = pair.hr_hsi.copy()
    thing = truth[source[0] : source[0] + size, source[1] : source[1] + size].copy()
    truth[target[0] : target[0] + size, target[1] : target[1] + size] = thing
    # The truth is the scene at the time of the MSI.
    pair.hr_hsi = truth
    pair.hr_msi = truth @ bench.srf.T
    moved = np.zeros((height, width), dtype=bool)
    moved[target[0] : target[0] + size, target[1] : target[1] + size] = True
    pair.true["moved"] = moved
    return pair


def _poisson(photons: float) -> Callable[[Bench], RealPair]:
    def effect(bench: Bench) -> RealPair:
        pair = bench.usual()
        pair.lr_hsi = bench.rng.poisson(photons * pair.lr_hsi) / photons
        pair.hr_msi = bench.rng.poisson(photons * pair.hr_msi) / photons
        pair.true["photons_at_white"] = photons
        return pair

    return effect


EFFECTS: dict[str, Callable[[Bench], RealPair]] = {
    "clean": _clean,
    "psf_gaussian_0.5": _gaussian(0.5),
    "psf_gaussian_1.0": _gaussian(1.0),
    "psf_slope_0.35_0.65": _gaussian_slope(0.35, 0.65),
    "psf_airy": _named_psf(lambda scale: airy_psf(float(scale), scale), fwhm=float(SCALE)),
    "psf_moffat": _named_psf(lambda scale: moffat_psf(float(scale), 2.5, scale), fwhm=float(SCALE), beta=2.5),
    "psf_pushbroom": _named_psf(lambda scale: pushbroom_psf(0.35 * scale, scale), sigma=0.35 * SCALE),
    "psf_gaussian_0.5_wrapped": _gaussian_wrapped(0.5),
    "psf_gaussian_1.0_wrapped": _gaussian_wrapped(1.0),
    "psf_airy_wrapped": _named_psf_wrapped(lambda scale: airy_psf(float(scale), scale), fwhm=float(SCALE)),
    "psf_moffat_wrapped": _named_psf_wrapped(lambda scale: moffat_psf(float(scale), 2.5, scale), fwhm=float(SCALE)),
    "shift_1": _shift(1),
    "shift_2": _shift(2),
    "shift_8": _shift(8),
    "rotation_1": _turned(1.0, 1.0),
    "rotation_2": _turned(2.0, 1.0),
    "zoom_2": _turned(0.0, 1.02),
    "offset": _offset,
    "srgb": _srgb,
    "photograph": _photograph,
    "shading_10": _shading(0.1),
    "shading_30": _shading(0.3),
    "stripes_2": _stripes(0.02),
    "stripes_10": _stripes(0.1),
    "dead_hsi_5": _dead_hsi,
    "dead_msi_5": _dead_msi,
    "saturated_5": _saturated,
    "drowned_bands": _drowned,
    "half_shadow": _half_shadow,
    "moved_object": _moved_object,
    "poisson_1000": _poisson(1000.0),
}


def pair_of(
    scene: LargeScene, crop: Crop, effect: str, srf: np.ndarray, *, seed: int = 0, scale: int = SCALE
) -> RealPair:
    """Make one pair.

    Args:
        scene: See `load_scene`.
        crop: Part of it.
        effect: A key of `EFFECTS`.
        srf: (M, C), see `load_srf`.
        seed: Of the noise, the dead pixels, the stripes.
        scale: Ratio of the resolutions.

    Returns:
        The pair in float32, with its truth.
    """
    part = scene.cube[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
    divisor = float(part.max())
    bench = Bench(
        cube=scene.cube / divisor,
        photograph=scene.photograph,
        crop=crop,
        srf=srf,
        rng=np.random.default_rng([seed, sorted(EFFECTS).index(effect), crop.top, crop.left]),
        divisor=divisor,
        scale=scale,
    )
    pair = EFFECTS[effect](bench)
    pair.lr_hsi = pair.lr_hsi.astype(np.float32)
    pair.hr_msi = pair.hr_msi.astype(np.float32)
    pair.hr_hsi = pair.hr_hsi.astype(np.float32)
    pair.true["effect"], pair.true["crop"], pair.true["divisor"] = effect, crop.name, divisor
    return pair
