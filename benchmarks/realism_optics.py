"""Realistic pairs as far as optics and places go: PSFs, shifts, turned and zoomed MSIs; see `realism_effects.py`.

Where the MSI is shifted, turned or zoomed, MSI pixel p shows the place middle + zoom * R(angle) * (p - middle) + shift
of the HSI's grid, and the truth is given on the grid of the MSI, interpolated by splines of fifth order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Optional

import numpy as np
from scipy.ndimage import map_coordinates

from benchmarks.realism_psfs import airy_psf, gaussian_psf, moffat_psf, published_psf, pushbroom_psf, slope_psfs
from benchmarks.realism_scenes import MARGIN, SCALE, Crop, RealPair, blur_and_cut, blur_wrapped

MOFFAT_BETA = 2.5
# Standard deviation of the optics before a pushbroom's detector, in LR pixels.
PUSHBROOM_SIGMA = 0.35
# Order of the splines that turn a scene.
SPLINE_ORDER = 5


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

    def cut(
        self,
        down: int = 0,
        right: int = 0,
    ) -> np.ndarray:
        """(H, W, C) of the scene under the crop, or so many pixels from it."""
        moved = replace(
            self.crop,
            top=self.crop.top + down,
            left=self.crop.left + right,
        )
        return self.cube[moved.window()]

    def pair(self, psf: np.ndarray, **true: Any) -> RealPair:
        """Real border, this PSF, otherwise nothing wrong."""
        truth = self.cut()
        lr_hsi = blur_and_cut(
            self.cube,
            psf,
            self.crop,
            self.scale,
        )
        return self._seen(truth, lr_hsi, psf, {"border": "real", **true})

    def wrapped(self, psf: np.ndarray, **true: Any) -> RealPair:
        """A picture that goes on at its other side, this PSF around the middle of LR pixels."""
        pair = self.usual()
        first = (self.scale - len(psf)) // 2
        pair.psf = psf
        pair.lr_hsi = blur_wrapped(
            pair.hr_hsi,
            psf,
            first,
            self.scale,
        )
        pair.true = {"border": "wrap", **true}
        return pair

    def usual(self) -> RealPair:
        """What effects other than PSFs are laid on: the clean pair of the published simulator."""
        truth = self.cut()
        psf = published_psf(self.scale)
        lr_hsi = blur_wrapped(
            truth,
            psf,
            first=0,
            scale=self.scale,
        )
        return self._seen(truth, lr_hsi, psf, {"border": "wrap", "sigma": self.scale // 1.5})

    def _seen(
        self,
        truth: np.ndarray,
        lr_hsi: np.ndarray,
        psf: np.ndarray,
        true: dict[str, Any],
    ) -> RealPair:
        """The pair of a truth and of its blurred image, the MSI by the SRF."""
        return RealPair(
            lr_hsi=lr_hsi,
            hr_msi=truth @ self.srf.T,
            hr_hsi=truth,
            scale=self.scale,
            srf=self.srf,
            psf=psf,
            true=true,
        )


Effect = Callable[[Bench], RealPair]


def clean(bench: Bench) -> RealPair:
    return bench.usual()


def gaussian(fraction: float) -> Effect:
    def effect(bench: Bench) -> RealPair:
        sigma = fraction * bench.scale
        psf = gaussian_psf(sigma, bench.scale)
        return bench.pair(psf, sigma=sigma)

    return effect


def gaussian_wrapped(fraction: float) -> Effect:
    def effect(bench: Bench) -> RealPair:
        sigma = fraction * bench.scale
        psf = gaussian_psf(sigma, bench.scale)
        return bench.wrapped(psf, sigma=sigma)

    return effect


def gaussian_slope(low: float, high: float) -> Effect:
    def effect(bench: Bench) -> RealPair:
        bands = bench.cube.shape[2]
        sigmas = bench.scale * np.linspace(low, high, bands)
        psfs = slope_psfs(sigmas, bench.scale)
        return bench.pair(psfs, sigma=sigmas.tolist())

    return effect


def airy(scale: int) -> np.ndarray:
    """As wide as an LR pixel."""
    return airy_psf(float(scale), scale)


def moffat(scale: int) -> np.ndarray:
    """As wide as an LR pixel."""
    return moffat_psf(float(scale), MOFFAT_BETA, scale)


def pushbroom(scale: int) -> np.ndarray:
    return pushbroom_psf(PUSHBROOM_SIGMA * scale, scale)


def named_psf(make: Callable[[int], np.ndarray], **true: Any) -> Effect:
    def effect(bench: Bench) -> RealPair:
        psf = make(bench.scale)
        return bench.pair(psf, **true)

    return effect


def named_psf_wrapped(make: Callable[[int], np.ndarray], **true: Any) -> Effect:
    def effect(bench: Bench) -> RealPair:
        psf = make(bench.scale)
        return bench.wrapped(psf, **true)

    return effect


def shift(pixels: int) -> Effect:
    def effect(bench: Bench) -> RealPair:
        pair = bench.usual()
        # The HSI stays; the MSI and the truth look elsewhere in the scene.
        pair.hr_hsi = bench.cut(pixels, pixels)
        pair.hr_msi = pair.hr_hsi @ bench.srf.T
        pair.true["shift"] = (float(pixels), float(pixels))
        return pair

    return effect


def turned(angle_deg: float, zoom: float) -> Effect:
    def effect(bench: Bench) -> RealPair:
        pair = bench.usual()
        truth = _turned_cut(bench, angle_deg, zoom)
        pair.hr_hsi = np.maximum(truth, 0.0)
        pair.hr_msi = pair.hr_hsi @ bench.srf.T
        pair.true.update(angle_deg=angle_deg, zoom=zoom)
        return pair

    return effect


def _turned_cut(
    bench: Bench,
    angle_deg: float,
    zoom: float,
) -> np.ndarray:
    """(H, W, C) of the scene as an MSI that is turned and zoomed around the middle of the crop shows it."""
    crop = bench.crop
    angle = np.deg2rad(angle_deg)
    cosine = np.cos(angle)
    sine = np.sin(angle)
    middle_row = (crop.height - 1) / 2
    middle_column = (crop.width - 1) / 2
    rows, columns = np.mgrid[: crop.height, : crop.width].astype(np.float64)
    down = rows - middle_row
    right = columns - middle_column
    # The place in the HSI's grid, then in the part of the scene that is interpolated.
    row = zoom * (cosine * down - sine * right) + middle_row
    column = zoom * (sine * down + cosine * right) + middle_column
    around = MARGIN // 2
    part = bench.cube[crop.window(around)]
    places = np.stack([row + around, column + around])
    bands = []
    for band in range(part.shape[2]):
        seen = map_coordinates(
            part[..., band],
            places,
            order=SPLINE_ORDER,
            mode="mirror",
        )
        bands.append(seen)
    return np.stack(bands, axis=2)
