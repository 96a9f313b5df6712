"""Colour pictures of cubes: sRGB where the bands are visible, named false colour otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional, Union

import numpy as np

Wavelengths = Optional[Union[np.ndarray, Sequence[float]]]

# Linear sRGB from CIE XYZ, and the XYZ of its white (D65): IEC 61966-2-1.
_XYZ_TO_RGB = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
_D65_WHITE = np.array([0.95047, 1.0, 1.08883])

# Fewer bands than this sample the matching functions too coarsely: then three of them are shown as they are.
_MIN_BANDS_FOR_CIE = 8
_PRIMARIES_NM = (640.0, 550.0, 460.0)

# A scene whose darkest pixels are brighter than this part of its white shows hardly any contrast as it is.
_HAZE = 0.15


def _lobe(x: np.ndarray, peak: float, left: float, right: float) -> np.ndarray:
    """A Gaussian with one width on each side of its peak, all in nm."""
    width = np.where(x < peak, left, right)
    return np.asarray(np.exp(-0.5 * ((x - peak) / width) ** 2))


def matching_functions(wavelengths_nm: np.ndarray) -> np.ndarray:
    """CIE 1931 2° colour matching functions, as sums of lobes.

    Args:
        wavelengths_nm: (C,) in nanometres.

    Returns:
        (C, 3): x̄, ȳ, z̄.

    References:
        C. Wyman, P.-P. Sloan, P. Shirley, "Simple analytic approximations to the CIE XYZ color matching functions",
        Journal of Computer Graphics Techniques 2(2), 2013, multi-lobe fit.
    """
    x = np.asarray(wavelengths_nm, dtype=np.float64)
    red = 1.056 * _lobe(x, 599.8, 37.9, 31.0) + 0.362 * _lobe(x, 442.0, 16.0, 26.7)
    red -= 0.065 * _lobe(x, 501.1, 20.4, 26.2)
    green = 0.821 * _lobe(x, 568.8, 46.9, 40.5) + 0.286 * _lobe(x, 530.9, 16.3, 31.1)
    blue = 1.217 * _lobe(x, 437.0, 11.8, 36.0) + 0.681 * _lobe(x, 459.0, 26.0, 13.8)
    return np.stack([red, green, blue], axis=1)


def covers_visible(wavelengths_nm: Wavelengths) -> bool:
    """Whether the bands sample 470–630 nm without a gap over 40 nm: enough for a true colour."""
    if wavelengths_nm is None or len(wavelengths_nm) < _MIN_BANDS_FOR_CIE:
        return False
    visible = np.sort(np.asarray(wavelengths_nm, dtype=np.float64))
    visible = visible[(visible >= 380.0) & (visible <= 780.0)]
    if len(visible) < _MIN_BANDS_FOR_CIE or visible[0] > 470.0 or visible[-1] < 630.0:
        return False
    return bool(np.diff(visible).max() <= 40.0)


def _cie_weights(wavelengths_nm: np.ndarray) -> np.ndarray:
    """(C, 3) matrix from a spectrum to linear sRGB, in which a flat spectrum of 1 is white."""
    order = np.argsort(wavelengths_nm)
    steps = np.empty(len(order))
    steps[order] = np.gradient(wavelengths_nm[order])  # bands may lie unevenly, and out of order
    weights = matching_functions(wavelengths_nm) * np.clip(steps, 0.0, None)[:, None]
    return np.asarray(weights / weights.sum(axis=0) * _D65_WHITE @ _XYZ_TO_RGB.T)


def _pick_bands(bands: int, wavelengths_nm: np.ndarray | None) -> tuple[tuple[int, int, int], str]:
    """The three bands shown as red, green and blue, and what to call the picture."""
    if wavelengths_nm is not None:
        nearest = [int(np.argmin(np.abs(wavelengths_nm - nm))) for nm in _PRIMARIES_NM]
        misses = [abs(wavelengths_nm[b] - nm) for b, nm in zip(nearest, _PRIMARIES_NM)]
        seen = len(set(nearest)) == 3 and max(misses) <= 45.0
        order = np.argsort(wavelengths_nm)
        chosen = nearest if seen else [int(order[int(bands * part)]) for part in (5 / 6, 1 / 2, 1 / 6)]
        places = "/".join(f"{wavelengths_nm[b]:.0f}" for b in chosen)
        return (chosen[0], chosen[1], chosen[2]), f"{'RGB' if seen else 'false colour'} {places} nm"
    if bands == 3:
        return (0, 1, 2), "bands R, G, B"
    chosen = [int(bands * part) for part in (5 / 6, 1 / 2, 1 / 6)]
    return (chosen[0], chosen[1], chosen[2]), "false colour, bands " + "/".join(str(b + 1) for b in chosen)


def _encode(linear: np.ndarray) -> np.ndarray:
    """sRGB transfer function (IEC 61966-2-1), clipped, as uint8."""
    clipped = np.clip(linear, 0.0, 1.0)
    curved = np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)
    return np.asarray(np.round(curved * 255.0), dtype=np.uint8)


@dataclass(frozen=True)
class RgbView:
    """One way of turning cubes into pictures, so that pictures beside each other can be compared.

    Attributes:
        weights: (C, 3) from a spectrum to linear red, green, blue.
        black: (3,) value shown as black.
        white: (3,) value shown as white.
        label: What the colours are, for a title.
    """

    weights: np.ndarray
    black: np.ndarray
    white: np.ndarray
    label: str

    @classmethod
    def fit(cls, cube: np.ndarray, wavelengths_nm: Wavelengths = None, *, percentile: float = 99.5) -> RgbView:
        """Chooses colours by the wavelengths, and brightness by the cube.

        sRGB goes through the CIE 1931 matching functions with a flat spectrum as white, one gain for all colours.
        False colour shows three bands, each stretched by itself; so are the colours of a scene without anything dark
        (haze over land, mostly), and its label then says "stretched".

        Args:
            cube: (H, W, C).
            wavelengths_nm: (C,) band centres; None: not known.
            percentile: Brightness at this percentile becomes white.

        Returns:
            The view.
        """
        bands = cube.shape[2]
        nm = None if wavelengths_nm is None else np.asarray(wavelengths_nm, dtype=np.float64)
        false_colour = False
        if nm is not None and covers_visible(nm):
            weights, label = _cie_weights(nm), "sRGB"
        elif bands < 3:
            weights, label = np.zeros((bands, 3)), "band 1"
            weights[0] = 1.0
        else:
            chosen, label = _pick_bands(bands, nm)
            weights = np.zeros((bands, 3))
            weights[list(chosen), [0, 1, 2]] = 1.0
            false_colour = label.startswith("false")
        linear = np.asarray(cube, dtype=np.float64) @ weights
        if false_colour:
            black, white = np.percentile(linear, (100.0 - percentile, percentile), axis=(0, 1))
        else:
            black, white = np.zeros(3), np.full(3, np.percentile(linear.max(axis=2), percentile))
            if np.percentile(linear.min(axis=2), 100.0 - percentile) > _HAZE * white[0]:
                black, white = np.percentile(linear, (100.0 - percentile, percentile), axis=(0, 1))
                label += ", stretched"
        return cls(weights, black, np.where(white > black, white, black + 1.0), label)

    def render(self, cube: np.ndarray) -> np.ndarray:
        """The picture of a cube, (H, W, 3) uint8."""
        linear = np.asarray(cube, dtype=np.float64) @ self.weights
        return _encode((linear - self.black) / (self.white - self.black))


def rgb_image(cube: np.ndarray, wavelengths_nm: Wavelengths = None) -> np.ndarray:
    """A colour picture of one cube.

    Args:
        cube: (H, W, C).
        wavelengths_nm: (C,) band centres in nm; without them, or outside the visible, three bands in false colour.

    Returns:
        (H, W, 3) uint8.
    """
    return RgbView.fit(cube, wavelengths_nm).render(cube)
