"""PSFs of the realistic pairs, sampled at HR pixels around the middle of an LR pixel: even lengths for even scales."""

from __future__ import annotations

import numpy as np
from scipy.special import j1

# A Gaussian is cut where nothing is left of it, in standard deviations; others in full widths at half maximum.
GAUSSIAN_REACH = 5.0
AIRY_REACH = 5.0
MOFFAT_REACH = 6.0
# (2 J1(x) / x)^2 is a half at half of this.
AIRY_FULL_WIDTH = 3.2326
# Argument in the middle, where J1(x) / x is not defined.
LEAST_ARGUMENT = 1e-9
# Steps of the finer grid of a PSF that is made of boxes, in an HR pixel.
FINE_STEPS = 20


def tap_offsets(reach: float, scale: int) -> np.ndarray:
    """HR pixel positions relative to the LR pixel's middle, at least `reach` to either side."""
    count = int(np.ceil(reach))
    if scale % 2 == 0:
        # The middle lies between two HR pixels.
        positive = np.arange(count) + 0.5
        return np.concatenate([-positive[::-1], positive])
    positive = np.arange(1, count + 1)
    return np.concatenate([-positive[::-1], [0.0], positive])


def _radius(reach: float, scale: int) -> np.ndarray:
    """(k, k) distances of the taps from the middle."""
    offsets = tap_offsets(reach, scale)
    return np.hypot(offsets[:, None], offsets[None, :])


def gaussian_psf(sigma: float, scale: int) -> np.ndarray:
    """Uncut: five standard deviations to each side."""
    radius = _radius(GAUSSIAN_REACH * sigma, scale)
    psf = np.exp(-0.5 * (radius / sigma) ** 2)
    return psf / psf.sum()


def airy_psf(fwhm: float, scale: int) -> np.ndarray:
    """Diffraction at a round aperture, cut after five rings."""
    radius = _radius(AIRY_REACH * fwhm, scale)
    argument = radius * (AIRY_FULL_WIDTH / fwhm)
    argument = np.maximum(argument, LEAST_ARGUMENT)
    amplitude = 2.0 * j1(argument) / argument
    psf = amplitude**2
    return psf / psf.sum()


def moffat_psf(
    fwhm: float,
    beta: float,
    scale: int,
) -> np.ndarray:
    """Turbulence: (1 + (r / a)^2)^-beta, cut at six times the full width at half maximum."""
    radius = _radius(MOFFAT_REACH * fwhm, scale)
    # Where the half is reached.
    half_at = np.sqrt(2.0 ** (1.0 / beta) - 1.0)
    width = fwhm / (2.0 * half_at)
    psf = (1.0 + (radius / width) ** 2) ** -beta
    return psf / psf.sum()


def pushbroom_psf(sigma: float, scale: int) -> np.ndarray:
    """Detector (s x s box) * optics (Gaussian) * movement down the picture by one LR pixel, on a finer grid."""
    offsets = tap_offsets(2.0 * scale + GAUSSIAN_REACH * sigma, scale)
    half = len(offsets) * FINE_STEPS // 2
    positions = (np.arange(-half, half) + 0.5) / FINE_STEPS
    optics = np.exp(-0.5 * (positions / sigma) ** 2)
    is_inside = np.abs(positions) < scale / 2
    box = is_inside.astype(np.float64)
    across = np.convolve(box, optics, mode="same")
    along = np.convolve(across, box, mode="same")
    down_taps = np.interp(offsets, positions, along)
    across_taps = np.interp(offsets, positions, across)
    psf = np.outer(down_taps, across_taps)
    return psf / psf.sum()


def slope_psfs(sigmas: np.ndarray, scale: int) -> np.ndarray:
    """(C, k, k) Gaussians of a standard deviation for each band, on the taps of the widest."""
    widest = float(sigmas.max())
    offsets = tap_offsets(GAUSSIAN_REACH * widest, scale)
    squares = offsets[:, None] ** 2 + offsets[None, :] ** 2
    variances = sigmas[:, None, None] ** 2
    psfs = np.exp(-0.5 * squares / variances)
    return psfs / psfs.sum(axis=(1, 2), keepdims=True)


def published_psf(scale: int) -> np.ndarray:
    """s x s taps of a Gaussian with sigma = s // 1.5, middle at tap s // 2 of an even number and in the middle else."""
    offsets = np.arange(scale) - scale // 2
    line = np.exp(-0.5 * (offsets / (scale // 1.5)) ** 2)
    psf = np.outer(line, line)
    return psf / psf.sum()
