"""PSFs of real cameras, in a handful of parameters each and with their tails: nothing is cut at the LR pixel's edge.

Optics and movement blur beyond the detector's pixel, so the window is a matter of the width and never a parameter. All
kernels are (size, size) and sum to 1; positions are HR pixels from the window's middle. The families that end at a
window stand in `psf_shapes.py`.

References:
    A. F. J. Moffat: A theoretical investigation of focal stellar images in the photographic emulsion. A&A 3, 1969.
    M. Born, E. Wolf: Principles of optics, chapter 8.5 (Airy pattern).
    R. A. Schowengerdt: Remote sensing, chapter 3 (detector, optics and image motion of scanners).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import numpy as np
from scipy.special import erf, j1

from paddle_umsft.cameras.psf_shapes import bell, normalised
from paddle_umsft.cameras.psf_shapes import gaussian as oblique_gaussian

# Half of an Airy pattern's peak lies at this argument of 2 J1(x) / x squared.
AIRY_HALF = 1.61634
# The pattern's middle, where the quotient is 0 / 0, is taken this far beside it.
AIRY_MIDDLE = 1e-6
# A Gaussian's full width at half maximum in standard deviations.
FWHM_OF_SIGMA = 2.354820
# Four standard deviations of a Gaussian as wide as the LR pixel; what rings and wings need.
NEAR, FAR = 4, 6
# What may be cut off at the edge of a window, as a share of the kernel's sum.
NEGLIGIBLE = 2e-4
# A Moffat's exponent less 1 lies within exp(-4) and exp(4): all tail, and all but Gaussian.
TAIL_LIMIT = 4.0
# Boxes shorter than this many HR pixels are points.
SHORTEST_BOX = 0.2

# Where fits begin, beside the round Gaussian (logarithms of ratios): an ellipse a little longer than wide at an angle
# that is no symmetry of the grid, half maxima a little narrower than its own, and a Moffat with beta = 3.
ELONGATION = 0.05
OBLIQUE_ANGLE = 0.4
NARROWER = -0.1
LOG_TAIL = np.log(2.0)
# In squared HR pixels: less is a point, and a search may step as far as to divide by zero.
LEAST_VARIANCE = 1e-6
# Half of the variance for the optics, the rest for the detector (a box of length L has variance L^2 / 12).
LOG_OPTICS = -0.35
LOG_DETECTOR = 0.9
LOG_MOTION = 0.3


def _positions(size: int, centre: float) -> np.ndarray:
    """Positions of the taps relative to a centre, (size,)."""
    middle = (size - 1) / 2
    return np.arange(size) - middle - centre


def _squared_radius(
    row: float,
    column: float,
    size: int,
) -> np.ndarray:
    """Squared distance of every tap from the centre, (size, size)."""
    down = _positions(size, row)
    across = _positions(size, column)
    return np.asarray(np.add.outer(down**2, across**2))


def gaussian(parameters: np.ndarray, size: int) -> np.ndarray:
    """Parameters: centre row, centre column, log standard deviation."""
    row, column, log_sigma = parameters
    variance = np.maximum(np.exp(2.0 * log_sigma), LEAST_VARIANCE)
    distance = _squared_radius(row, column, size)
    return bell(0.5 * distance / variance)


def airy(parameters: np.ndarray, size: int) -> np.ndarray:
    """Diffraction at a round aperture. Parameters: centre row, centre column, log full width at half maximum."""
    row, column, log_fwhm = parameters
    distance = _squared_radius(row, column, size)
    radius = np.sqrt(distance)
    per_pixel = 2.0 * AIRY_HALF / np.exp(log_fwhm)
    argument = radius * per_pixel
    argument = np.maximum(argument, AIRY_MIDDLE)
    amplitude = 2.0 * j1(argument) / argument
    return normalised(amplitude**2)


def moffat(parameters: np.ndarray, size: int) -> np.ndarray:
    """Turbulence, scattered light: (1 + (r / a)^2)^-beta, the more tail the smaller beta.

    Parameters: centre row, centre column, log full width at half maximum, log (beta - 1).
    """
    row, column, log_fwhm, log_tail = parameters
    limited = np.clip(log_tail, -TAIL_LIMIT, TAIL_LIMIT)
    beta = 1.0 + np.exp(limited)
    # Half of the peak is reached at r = a sqrt(2^(1 / beta) - 1).
    power = 2.0 ** (1.0 / beta)
    half = np.sqrt(power - 1.0)
    width = np.exp(log_fwhm) / (2.0 * half)
    distance = _squared_radius(row, column, size)
    relative = distance / width**2
    kernel = (1.0 + relative) ** -beta
    return normalised(kernel)


def _smoothed_ramp(position: np.ndarray, sigma: float) -> np.ndarray:
    """max(x, 0) convolved with a Gaussian: its second differences are boxes convolved with each other and with it."""
    reduced = position / sigma
    error = erf(reduced / np.sqrt(2.0))
    cumulative = 0.5 * (1.0 + error)
    density = np.exp(-0.5 * reduced**2)
    density = density / np.sqrt(2.0 * np.pi)
    ramp = position * cumulative + sigma * density
    return np.asarray(ramp)


def _two_boxes(
    position: np.ndarray,
    first: float,
    second: float,
    sigma: float,
) -> np.ndarray:
    """Box of one length * box of another * Gaussian."""
    near = (first - second) / 2
    far = (first + second) / 2
    ramps = [_smoothed_ramp(position + shift, sigma) for shift in (far, near, -near, -far)]
    profile = ramps[0] - ramps[1] - ramps[2] + ramps[3]
    # Far outside the differences of large numbers leave rounding of either sign.
    return np.asarray(np.maximum(profile, 0.0))


def _length(logarithm: float) -> float:
    """A length in HR pixels, nothing shorter than a point."""
    return max(float(np.exp(logarithm)), SHORTEST_BOX)


def scanner_down(parameters: np.ndarray, size: int) -> np.ndarray:
    """Square detector * optics * movement along the columns (a pushbroom scanner flying down the picture).

    Parameters: centre row, centre column, log standard deviation of the optics, log length of the detector, log
    distance moved while the shutter is open.
    """
    row, column, log_sigma, log_detector, log_motion = parameters
    sigma = _length(log_sigma)
    detector = _length(log_detector)
    down = _two_boxes(
        _positions(size, row),
        first=detector,
        second=_length(log_motion),
        sigma=sigma,
    )
    across = _two_boxes(
        _positions(size, column),
        first=detector,
        second=SHORTEST_BOX,
        sigma=sigma,
    )
    kernel = np.outer(down, across)
    return normalised(kernel)


def scanner_across(parameters: np.ndarray, size: int) -> np.ndarray:
    """`scanner_down` with the movement along the rows."""
    row, column, log_sigma, log_detector, log_motion = parameters
    turned = np.array([column, row, log_sigma, log_detector, log_motion])
    kernel = scanner_down(turned, size)
    return np.ascontiguousarray(kernel.T)


@dataclass(frozen=True)
class Family:
    """One family with what a fit of it begins with.

    Attributes:
        name: For notes and results.
        kernel: (parameters, size) -> (size, size).
        start: From the parameters of the round Gaussian that fits best.
        width: Which parameters are logarithms of widths, for a wider or narrower PSF of the same kind.
        reach: Length of its window to either side, in LR pixels.
    """

    name: str
    kernel: Callable[[np.ndarray, int], np.ndarray]
    start: Callable[[np.ndarray], np.ndarray]
    width: tuple[int, ...]
    reach: int = NEAR


def _as_round(round_one: np.ndarray) -> np.ndarray:
    return round_one


def _as_oblique(round_one: np.ndarray) -> np.ndarray:
    row, column, log_sigma = round_one
    longer = log_sigma + ELONGATION
    shorter = log_sigma - ELONGATION
    return np.array([row, column, longer, shorter, OBLIQUE_ANGLE])


def _as_airy(round_one: np.ndarray) -> np.ndarray:
    row, column, log_sigma = round_one
    log_fwhm = log_sigma + np.log(FWHM_OF_SIGMA) + NARROWER
    return np.array([row, column, log_fwhm])


def _as_moffat(round_one: np.ndarray) -> np.ndarray:
    row, column, log_sigma = round_one
    log_fwhm = log_sigma + np.log(FWHM_OF_SIGMA) + NARROWER
    return np.array([row, column, log_fwhm, LOG_TAIL])


def _as_scanner(round_one: np.ndarray) -> np.ndarray:
    row, column, log_sigma = round_one
    log_optics = log_sigma + LOG_OPTICS
    log_detector = log_sigma + LOG_DETECTOR
    log_motion = log_sigma + LOG_MOTION
    return np.array([row, column, log_optics, log_detector, log_motion])


ROUND = Family(
    name="gaussian-uncut",
    kernel=gaussian,
    start=_as_round,
    width=(2,),
)
OTHERS = (
    Family(
        name="gaussian-oblique-uncut",
        kernel=oblique_gaussian,
        start=_as_oblique,
        width=(2, 3),
    ),
    Family(
        name="scanner-down",
        kernel=scanner_down,
        start=_as_scanner,
        width=(2, 3, 4),
    ),
    Family(
        name="scanner-across",
        kernel=scanner_across,
        start=_as_scanner,
        width=(2, 3, 4),
    ),
    Family(
        name="airy",
        kernel=airy,
        start=_as_airy,
        width=(2,),
        reach=FAR,
    ),
    Family(
        name="moffat",
        kernel=moffat,
        start=_as_moffat,
        width=(2,),
        reach=FAR,
    ),
)


def trimmed(kernel: np.ndarray) -> np.ndarray:
    """Return the smallest window of the same parity around the middle that holds all but `NEGLIGIBLE` of a kernel."""
    size = kernel.shape[0]
    enough = (1.0 - NEGLIGIBLE) * kernel.sum()
    widest = (size - 1) // 2
    for margin in range(widest, 0, -1):
        inner = slice(margin, size - margin)
        part = kernel[inner, inner]
        if part.sum() >= enough:
            return np.asarray(part / part.sum())
    return kernel


def sharpness(psf: np.ndarray) -> float:
    """Return the standard deviation, in HR pixels, of the Gaussian that is as sharp as a PSF.

    Sharp by what it leaves of white noise: the sum of squares of a Gaussian is 1 / (4 pi sigma^2). The second moment,
    which for a Gaussian is the same, has no limit where tails fall slowly.

    Args:
        psf: (k, k), sum 1.
    """
    energy = float(np.sum(psf**2))
    return float(1.0 / np.sqrt(4.0 * np.pi * energy))
