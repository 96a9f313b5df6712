"""Pairs as cameras make them, from scenes larger than the pair: everything that can be wrong with one, by name.

`pair_of(scene, crop, effect)` makes a pair; `EFFECTS` names the effects, by name and strength. Values are divided by
the maximum of the crop. What blurs and moves stands in `realism_optics.py`, what changes values here.
"""

from __future__ import annotations

import numpy as np

from benchmarks.realism_optics import (
    MOFFAT_BETA,
    PUSHBROOM_SIGMA,
    Bench,
    Effect,
    airy,
    clean,
    gaussian,
    gaussian_slope,
    gaussian_wrapped,
    moffat,
    named_psf,
    named_psf_wrapped,
    pushbroom,
    shift,
    turned,
)
from benchmarks.realism_scenes import SCALE, Crop, LargeScene, RealPair

# Black levels of an MSI's bands.
OFFSETS = (0.05, 0.02, 0.08)
LARGEST_BYTE = 255.0
DEAD_SHARE = 0.05
SATURATED_SHARE = 0.05
DROWNED_BANDS = (2, 11, 19, 28)


def _offset(bench: Bench) -> RealPair:
    pair = bench.usual()
    offset = np.array(OFFSETS)
    pair.hr_msi = pair.hr_msi + offset
    pair.true["offset"] = offset.tolist()
    return pair


def srgb_curve(values: np.ndarray) -> np.ndarray:
    """Linear light 0..1 to sRGB 0..1 (IEC 61966-2-1)."""
    light = np.clip(values, 0.0, 1.0)
    in_the_dark = 12.92 * light
    elsewhere = 1.055 * light ** (1 / 2.4) - 0.055
    return np.where(light <= 0.0031308, in_the_dark, elsewhere)


def _srgb(bench: Bench) -> RealPair:
    pair = bench.usual()
    brightest = float(pair.hr_msi.max())
    exposure = 1.0 / brightest
    curved = srgb_curve(exposure * pair.hr_msi)
    pair.hr_msi = np.round(LARGEST_BYTE * curved) / LARGEST_BYTE
    pair.true.update(curve="srgb", exposure=exposure)
    return pair


def _photograph(bench: Bench) -> RealPair:
    pair = bench.usual()
    if bench.photograph is None:
        raise ValueError("the scene comes without a photograph")
    part = bench.photograph[bench.crop.window()]
    pair.hr_msi = part.astype(np.float64) / LARGEST_BYTE
    pair.true["curve"] = "the camera's"
    return pair


def _shading(strength: float) -> Effect:
    def effect(bench: Bench) -> RealPair:
        pair = bench.usual()
        gains = np.linspace(1 - strength, 1 + strength, bench.crop.width)
        pair.hr_msi = pair.hr_msi * gains[None, :, None]
        pair.true["shading"] = strength
        return pair

    return effect


def _stripes(strength: float) -> Effect:
    def effect(bench: Bench) -> RealPair:
        pair = bench.usual()
        columns = pair.lr_hsi.shape[1]
        signs = bench.rng.choice([-1.0, 1.0], size=(1, columns, 1))
        gains = 1.0 + strength * signs
        pair.lr_hsi = pair.lr_hsi * gains
        pair.true["gains"] = gains.ravel().tolist()
        return pair

    return effect


def _dead(bench: Bench, image: np.ndarray) -> np.ndarray:
    """(H, W) pixels of an image that are struck, and are as bright as can be from now on."""
    height, width, _ = image.shape
    dead = bench.rng.random((height, width)) < DEAD_SHARE
    image[dead] = 1.0
    return dead


def _dead_hsi(bench: Bench) -> RealPair:
    pair = bench.usual()
    pair.true["dead_hsi"] = _dead(bench, pair.lr_hsi)
    return pair


def _dead_msi(bench: Bench) -> RealPair:
    pair = bench.usual()
    pair.true["dead_msi"] = _dead(bench, pair.hr_msi)
    return pair


def _saturated(bench: Bench) -> RealPair:
    pair = bench.usual()
    levels = np.quantile(pair.hr_msi, 1.0 - SATURATED_SHARE, axis=(0, 1))
    pair.hr_msi = np.minimum(pair.hr_msi, levels)
    pair.true["levels"] = levels.tolist()
    return pair


def _drowned(bench: Bench) -> RealPair:
    pair = bench.usual()
    height, width, _ = pair.lr_hsi.shape
    for band in DROWNED_BANDS:
        mean_square = np.mean(pair.lr_hsi[..., band] ** 2)
        # Twice as much noise as there is light.
        deviation = 2.0 * np.sqrt(mean_square)
        pair.lr_hsi[..., band] += deviation * bench.rng.standard_normal((height, width))
    pair.true["drowned"] = list(DROWNED_BANDS)
    return pair


def _half_shadow(bench: Bench) -> RealPair:
    pair = bench.usual()
    height = bench.crop.height
    width = bench.crop.width
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    # A disc over about a tenth of the picture, its rim soft over four pixels, in the MSI only.
    down = rows - 0.4 * height
    right = columns - 0.6 * width
    radius = 0.18 * min(height, width)
    beyond_rim = np.hypot(down, right) - radius
    share = 1.0 / (1.0 + np.exp(beyond_rim))
    light = 1.0 - 0.5 * share
    pair.hr_msi = pair.hr_msi * light[..., None]
    pair.true["shadow"] = share > 0.5
    return pair


def _moved_object(bench: Bench) -> RealPair:
    pair = bench.usual()
    height = bench.crop.height
    width = bench.crop.width
    # A square in the middle that is seen again below it, half a side to the right.
    size = min(height, width) // 5
    top = height // 2 - size // 2
    left = width // 2 - size // 2
    source = _square(top, left, size)
    target = _square(top + size + size // 2, left + size // 2, size)
    truth = pair.hr_hsi.copy()
    truth[target] = pair.hr_hsi[source]
    # The truth is the scene at the time of the MSI.
    pair.hr_hsi = truth
    pair.hr_msi = truth @ bench.srf.T
    moved = np.zeros((height, width), dtype=bool)
    moved[target] = True
    pair.true["moved"] = moved
    return pair


def _square(
    top: int,
    left: int,
    size: int,
) -> tuple[slice, slice]:
    return slice(top, top + size), slice(left, left + size)


def _poisson(photons: float) -> Effect:
    def effect(bench: Bench) -> RealPair:
        pair = bench.usual()
        hsi_photons = bench.rng.poisson(photons * pair.lr_hsi)
        msi_photons = bench.rng.poisson(photons * pair.hr_msi)
        pair.lr_hsi = hsi_photons / photons
        pair.hr_msi = msi_photons / photons
        pair.true["photons_at_white"] = photons
        return pair

    return effect


EFFECTS: dict[str, Effect] = {
    "clean": clean,
    "psf_gaussian_0.5": gaussian(0.5),
    "psf_gaussian_1.0": gaussian(1.0),
    "psf_slope_0.35_0.65": gaussian_slope(0.35, 0.65),
    "psf_airy": named_psf(airy, fwhm=float(SCALE)),
    "psf_moffat": named_psf(moffat, fwhm=float(SCALE), beta=MOFFAT_BETA),
    "psf_pushbroom": named_psf(pushbroom, sigma=PUSHBROOM_SIGMA * SCALE),
    "psf_gaussian_0.5_wrapped": gaussian_wrapped(0.5),
    "psf_gaussian_1.0_wrapped": gaussian_wrapped(1.0),
    "psf_airy_wrapped": named_psf_wrapped(airy, fwhm=float(SCALE)),
    "psf_moffat_wrapped": named_psf_wrapped(moffat, fwhm=float(SCALE)),
    "shift_1": shift(1),
    "shift_2": shift(2),
    "shift_8": shift(8),
    "rotation_1": turned(1.0, 1.0),
    "rotation_2": turned(2.0, 1.0),
    "zoom_2": turned(0.0, 1.02),
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
    scene: LargeScene,
    crop: Crop,
    effect: str,
    srf: np.ndarray,
    *,
    seed: int = 0,
    scale: int = SCALE,
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
    part = scene.cube[crop.window()]
    divisor = float(part.max())
    # Every effect and every crop has noise of its own.
    number = sorted(EFFECTS).index(effect)
    rng = np.random.default_rng([seed, number, crop.top, crop.left])
    bench = Bench(
        cube=scene.cube / divisor,
        photograph=scene.photograph,
        crop=crop,
        srf=srf,
        rng=rng,
        divisor=divisor,
        scale=scale,
    )
    pair = EFFECTS[effect](bench)
    pair.lr_hsi = pair.lr_hsi.astype(np.float32)
    pair.hr_msi = pair.hr_msi.astype(np.float32)
    pair.hr_hsi = pair.hr_hsi.astype(np.float32)
    pair.true.update(effect=effect, crop=crop.name, divisor=divisor)
    return pair
