"""Colour pictures of cubes: sRGB where the bands are visible, named false colour otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional, Union

import numpy as np

Wavelengths = Optional[Union[np.ndarray, Sequence[float]]]

# Linear sRGB from CIE XYZ, and the XYZ of its white (D65): IEC 61966-2-1.
_XYZ_TO_RGB = np.array(
    [
        [3.2406, -1.5372, -0.4986],
        [-0.9689, 1.8758, 0.0415],
        [0.0557, -0.2040, 1.0570],
    ]
)
_D65_WHITE = np.array([0.95047, 1.0, 1.08883])

# The CIE 1931 matching functions as sums of lobes: height, peak (nm), width to its left and to its right (nm).
_LOBES = (
    # x̄
    (
        (1.056, 599.8, 37.9, 31.0),
        (0.362, 442.0, 16.0, 26.7),
        (-0.065, 501.1, 20.4, 26.2),
    ),
    # ȳ
    (
        (0.821, 568.8, 46.9, 40.5),
        (0.286, 530.9, 16.3, 31.1),
    ),
    # z̄
    (
        (1.217, 437.0, 11.8, 36.0),
        (0.681, 459.0, 26.0, 13.8),
    ),
)

# The transfer function of sRGB (IEC 61966-2-1): linear near black, a power above.
_LINEAR_UP_TO = 0.0031308
_LINEAR_SLOPE = 12.92
_CURVE_GAIN = 1.055
_CURVE_OFFSET = 0.055
_CURVE_POWER = 1 / 2.4
_LEVELS = 255.0

# A cube has a true colour if its bands lie in what eyes see and sample the middle of it without a large gap. Fewer
# bands than this sample the matching functions too coarsely: then three of them are shown as they are.
_MIN_BANDS_FOR_CIE = 8
_VISIBLE_NM = (380.0, 780.0)
_NEEDED_NM = (470.0, 630.0)
_LARGEST_GAP_NM = 40.0

# Red, green and blue of a few bands; one further away than this is not that colour any more.
_PRIMARIES_NM = (640.0, 550.0, 460.0)
_FARTHEST_NM = 45.0
# Without such bands: three spread over the range, from long wavelengths to short.
_SPREAD = (5 / 6, 1 / 2, 1 / 6)

# How labels of such colours begin.
_FALSE_COLOUR = "false colour"

# A scene whose darkest pixels are brighter than this part of its white shows hardly any contrast as it is.
_HAZE = 0.15


def _lobe(
    x: np.ndarray,
    peak: float,
    left: float,
    right: float,
) -> np.ndarray:
    """Return a Gaussian with one width on each side of its peak, all in nm."""
    width = np.where(x < peak, left, right)
    distance = (x - peak) / width
    return np.asarray(np.exp(-0.5 * distance**2))


def matching_functions(wavelengths_nm: np.ndarray) -> np.ndarray:
    """Return the CIE 1931 2° colour matching functions, as sums of lobes.

    Args:
        wavelengths_nm: (C,) in nanometres.

    Returns:
        (C, 3): x̄, ȳ, z̄.

    References:
        C. Wyman, P.-P. Sloan, P. Shirley, "Simple analytic approximations to the CIE XYZ color matching functions",
        Journal of Computer Graphics Techniques 2(2), 2013, multi-lobe fit.
    """
    x = np.asarray(wavelengths_nm, dtype=np.float64)
    functions = []
    for lobes in _LOBES:
        function = np.zeros_like(x)
        for height, peak, left, right in lobes:
            function += height * _lobe(x, peak, left, right)
        functions.append(function)
    return np.stack(functions, axis=1)


def covers_visible(wavelengths_nm: Wavelengths) -> bool:
    """Tell whether the bands sample 470–630 nm without a gap over 40 nm: enough for a true colour."""
    if wavelengths_nm is None or len(wavelengths_nm) < _MIN_BANDS_FOR_CIE:
        return False
    nm = np.asarray(wavelengths_nm, dtype=np.float64)
    nm = np.sort(nm)
    shortest, longest = _VISIBLE_NM
    is_visible = (nm >= shortest) & (nm <= longest)
    visible = nm[is_visible]
    if len(visible) < _MIN_BANDS_FOR_CIE:
        return False
    first_needed, last_needed = _NEEDED_NM
    if visible[0] > first_needed or visible[-1] < last_needed:
        return False
    gaps = np.diff(visible)
    return bool(gaps.max() <= _LARGEST_GAP_NM)


def _cie_weights(wavelengths_nm: np.ndarray) -> np.ndarray:
    """Return the (C, 3) matrix from a spectrum to linear sRGB, in which a flat spectrum of 1 is white."""
    # Bands may lie unevenly, and out of order: each stands for as much of the spectrum as lies around it.
    order = np.argsort(wavelengths_nm)
    steps = np.empty(len(order))
    steps[order] = np.gradient(wavelengths_nm[order])
    steps = np.clip(steps, 0.0, None)
    to_xyz = matching_functions(wavelengths_nm) * steps[:, None]  # (C, 3)
    of_flat = to_xyz.sum(axis=0)  # what a spectrum of 1 comes to
    to_xyz = to_xyz / of_flat * _D65_WHITE
    return np.asarray(to_xyz @ _XYZ_TO_RGB.T)


@dataclass(frozen=True)
class _Bands:
    """The bands shown as red, green and blue.

    Attributes:
        numbers: Their numbers, from 0.
        label: What to call the picture.
        false_colour: Whether the colours are not those that eyes would see.
    """

    numbers: list[int]
    label: str
    false_colour: bool


def _is_colour_camera(srf: np.ndarray, bands: int) -> bool:
    """Whether a response makes red, green and blue of a cube of so many bands: three, none of which is blind."""
    if srf.shape != (len(_PRIMARIES_NM), bands):
        return False
    return bool((np.clip(srf, 0.0, None).sum(axis=1) > 0).all())


def _pick_bands(bands: int, wavelengths_nm: Optional[np.ndarray]) -> _Bands:
    """Return the three bands that are shown."""
    if wavelengths_nm is not None:
        return _pick_by_wavelength(wavelengths_nm)
    if bands == 3:
        return _Bands(
            numbers=[0, 1, 2],
            label="bands R, G, B",
            false_colour=False,
        )
    chosen = [int(bands * part) for part in _SPREAD]
    counted = "/".join(str(band + 1) for band in chosen)
    return _Bands(
        numbers=chosen,
        label=f"{_FALSE_COLOUR}, bands {counted}",
        false_colour=True,
    )


def _pick_by_wavelength(wavelengths_nm: np.ndarray) -> _Bands:
    """Return the bands nearest to red, green and blue where there are such, else three spread over the range."""
    chosen = []
    misses = []
    for nm in _PRIMARIES_NM:
        distance = np.abs(wavelengths_nm - nm)  # (C,)
        band = int(np.argmin(distance))
        chosen.append(band)
        misses.append(distance[band])
    word = "RGB"
    # Two colours from one band, or a colour from a band far off, would be a lie.
    false_colour = len(set(chosen)) < len(chosen) or max(misses) > _FARTHEST_NM
    if false_colour:
        word = _FALSE_COLOUR
        order = np.argsort(wavelengths_nm)
        places = [int(len(order) * part) for part in _SPREAD]
        chosen = [int(order[place]) for place in places]
    shown = "/".join(f"{wavelengths_nm[band]:.0f}" for band in chosen)
    return _Bands(
        numbers=chosen,
        label=f"{word} {shown} nm",
        false_colour=false_colour,
    )


def _encode(linear: np.ndarray) -> np.ndarray:
    """Return linear sRGB as it is stored: through the transfer function, clipped, as uint8."""
    clipped = np.clip(linear, 0.0, 1.0)
    straight = _LINEAR_SLOPE * clipped
    power = _CURVE_GAIN * clipped**_CURVE_POWER - _CURVE_OFFSET
    curved = np.where(clipped <= _LINEAR_UP_TO, straight, power)
    levels = np.round(curved * _LEVELS)
    return np.asarray(levels, dtype=np.uint8)


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

    @property
    def is_false_colour(self) -> bool:
        """Whether the colours are not those that eyes would see."""
        return self.label.startswith(_FALSE_COLOUR)

    @classmethod
    def fit(
        cls,
        cube: np.ndarray,
        wavelengths_nm: Wavelengths = None,
        *,
        percentile: float = 99.5,
        srf: Optional[np.ndarray] = None,
    ) -> RgbView:
        """Choose colours by the wavelengths, and brightness by the cube.

        sRGB goes through the CIE 1931 matching functions with a flat spectrum as white, one gain for all colours.
        False colour shows three bands, each stretched by itself; so are the colours of a scene without anything dark
        (haze over land, mostly), and its label then says "stretched".

        Args:
            cube: (H, W, C).
            wavelengths_nm: (C,) band centres; None: not known.
            percentile: Brightness at this percentile becomes white.
            srf: (M, C) response, given or learned. Where the wavelengths are not known and M is 3, the cube is shown
                as that camera sees it: in the colours of its own picture.

        Returns:
            The view.
        """
        bands = cube.shape[2]
        nm = None
        if wavelengths_nm is not None:
            nm = np.asarray(wavelengths_nm, dtype=np.float64)
        stretch = False
        weights = np.zeros((bands, 3))
        if nm is not None and covers_visible(nm):
            weights = _cie_weights(nm)
            label = "sRGB"
        elif bands < 3:
            weights[0] = 1.0  # the first band as grey
            label = "band 1"
        elif nm is None and srf is not None and _is_colour_camera(srf, bands):
            weights = np.clip(np.asarray(srf, dtype=np.float64), 0.0, None).T  # (C, 3)
            label = "as the MSI sees it"
        else:
            chosen = _pick_bands(bands, nm)
            weights[chosen.numbers, [0, 1, 2]] = 1.0
            label = chosen.label
            stretch = chosen.false_colour

        linear = np.asarray(cube, dtype=np.float64) @ weights  # (H, W, 3)
        low_percentile = 100.0 - percentile
        # One gain for all colours, which keeps their relations.
        brightest = np.percentile(linear.max(axis=2), percentile)
        darkest = np.percentile(linear.min(axis=2), low_percentile)
        black = np.zeros(3)
        white = np.full(3, brightest)
        if not stretch and darkest > _HAZE * brightest:
            stretch = True
            label += ", stretched"
        if stretch:
            ends = (low_percentile, percentile)
            black, white = np.percentile(linear, ends, axis=(0, 1))
        # A flat picture has no contrast, and must not divide by zero.
        white = np.where(white > black, white, black + 1.0)
        return cls(
            weights=weights,
            black=black,
            white=white,
            label=label,
        )

    def render(self, cube: np.ndarray) -> np.ndarray:
        """Return the picture of a cube, (H, W, C) to (H, W, 3) uint8."""
        linear = np.asarray(cube, dtype=np.float64) @ self.weights
        contrast = self.white - self.black
        return _encode((linear - self.black) / contrast)


def rgb_image(cube: np.ndarray, wavelengths_nm: Wavelengths = None) -> np.ndarray:
    """Return a colour picture of one cube.

    Args:
        cube: (H, W, C).
        wavelengths_nm: (C,) band centres in nm; without them, or outside the visible, three bands in false colour.

    Returns:
        (H, W, 3) uint8.
    """
    view = RgbView.fit(cube, wavelengths_nm)
    return view.render(cube)
