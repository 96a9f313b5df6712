"""How large the detail is that the MSI does not tell, and where: most of a good result's error.

Nothing in the pair shows it, but the MSI holds a trial of it. What one of its bands shows and its others do not tell
is hidden detail, too, of a band that is known at HR pixels as well as at LR pixels. How much larger it is within LR
pixels than from one of them to the next says the same of the HSI's bands, whatever scale, PSF and scene are: behind a
wide PSF next to nothing is left of it between LR pixels, and the MSI's bands say by how much.

The level is a product of powers (a fit in logarithms) of what leaves a trace of hidden detail: residuals at LR pixels
left out, of the linear mix and of the method's own map, that trial, the finest detail of the MSI, and light. See
docs/trust.md for the scenes that it was fitted on.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter

from paddle_umsft.trust.evidence import Evidence, noise_of_mixes, squares_of_mixes
from paddle_umsft.trust.linear import ROUGHNESS_OF_NOISE, differences, roughness

# The powers of lengths add up to one, so that the level has the unit of the images.
GAIN = 0.22
POWER_OF_TRIAL = 0.6
POWER_OF_TEXTURE = 0.4
POWER_OF_LINEAR = 0.2
POWER_OF_USUAL = 0.2
POWER_OF_LIGHT = 0.2
# What is hidden grows a little with how many octaves lie within an LR pixel.
POWER_OF_SCALE = 0.15
# Hidden detail leaves a trace at LR pixels left out: within LR pixels it is no more than so many times as large as by
# trial. Of 36 natural pairs none had more than 15 times, most 1 to 3.
MOST_OF_TRACE = 15.0
# What refinement at HR pixels leaves of it: over the fitting scenes results with it err so much less than those
# without, at the same residuals at LR pixels.
REFINED = 0.92
# LR pixels that let through less than this of the energy of white detail, against the mean over an LR pixel, say little
# of a map that bends: behind a Gaussian of 0.63 LR pixels and more its residuals fall faster than its errors do.
SEES_ENOUGH = 0.2
# Errors differ less from band to band than residuals do.
POWER_OF_BAND = 0.8
LEAST_BAND = 0.1
# Part of an amplitude that no noise explains away, however much noise there seems to be.
LEAST_SIGNAL = 0.6
# However many LR pixels are all alike: the usual one misses this part of the root mean square.
LEAST_USUAL = 0.03
# A window of so many pixels is the finest detail's neighbourhood, and smooths its energy.
FINEST = 3
# Of the noise's variance this much is left when the mean of the window is taken off.
OFF_THE_MEAN = 1.0 - 1.0 / FINEST**2
# Added to the covariance of the MSI, relative to its mean variance: bands that copy each other can be inverted.
COVARIANCE_RIDGE = 1e-6
TINY = 1e-30


def without_noise(
    squares: np.ndarray,
    noise: np.ndarray,
) -> np.ndarray:
    """Mean squares less the noise's, a little of them always left."""
    least = LEAST_SIGNAL**2 * squares
    return np.asarray(np.maximum(squares - noise, least))


def texture(
    hr_msi: np.ndarray,
    weights: np.ndarray,
) -> np.ndarray:
    """(H, W) energy of the finest detail around a pixel, as all of the HSI's bands together mix the MSI's.

    Args:
        hr_msi: (H, W, M).
        weights: (M, C).
    """
    finest = hr_msi - _smooth(hr_msi)
    # The sum of squares of all mixes is one square form in the MSI's bands.
    form = weights @ weights.T  # (M, M)
    turned = finest @ form.astype(np.float32)
    energy = np.sum(turned * finest, axis=2)
    smooth = uniform_filter(energy, FINEST, mode="nearest")
    return np.asarray(np.maximum(smooth, 0.0))


def _smooth(image: np.ndarray) -> np.ndarray:
    """(H, W, M) means of the neighbourhood of every pixel."""
    window = (FINEST, FINEST, 1)
    return np.asarray(uniform_filter(image, window, mode="nearest"))


def trial(seen: Evidence, detail: np.ndarray) -> float:
    """How much larger hidden detail is within LR pixels than from one to the next, by the MSI's bands.

    A band less what all the others say of it by least squares is a column of the inverse covariance over its diagonal
    element. A single band is a trial as it is.

    Args:
        seen: See `Evidence`.
        detail: (M, M) mean products of what the MSI shows within LR pixels.
    """
    own = own_mixes(seen.lr_msi[seen.used])
    noise = noise_of_mixes(own, seen.msi_noise)
    squares = squares_of_mixes(own, detail)
    within = without_noise(squares, noise)
    is_used = seen.used[:, :, None]
    at_lr = np.where(is_used, seen.lr_msi @ own, np.nan)
    noise_at_lr = ROUGHNESS_OF_NOISE * seen.white**2 * noise
    between = without_noise(roughness(at_lr) ** 2, noise_at_lr)
    tells = (within > 0) & (between > 0)
    if not tells.any():
        return 1.0
    ratios = within[tells] / between[tells]
    # The geometric mean, of sizes instead of squares.
    mean = np.mean(np.log(ratios))
    return float(np.exp(0.5 * mean))


def own_mixes(pixels: np.ndarray) -> np.ndarray:
    """(M, M) a column for each band: the mix of all bands that is the band less what the others say of it.

    Args:
        pixels: (n, M).
    """
    bands = pixels.shape[1]
    mean = pixels.mean(axis=0, dtype=np.float64)
    centred = pixels.astype(np.float64) - mean
    covariance = centred.T @ centred / len(centred)
    variance = np.trace(covariance) / bands
    if variance <= 0:
        return np.eye(bands)
    ridge = COVARIANCE_RIDGE * variance * np.eye(bands)
    inverse = np.linalg.inv(covariance + ridge)
    diagonal = np.diag(inverse)
    return np.asarray(inverse / diagonal)


def hidden_error(
    seen: Evidence,
    detail: np.ndarray,
    shown: float,
) -> np.ndarray:
    """(C,) root mean square of the detail that the MSI does not tell.

    Args:
        seen: See `Evidence`.
        detail: (M, M) mean products of what the MSI shows within LR pixels.
        shown: Mean of `texture`.
    """
    noise = ROUGHNESS_OF_NOISE * seen.hsi_noise**2
    own = without_noise(roughness(seen.missed) ** 2, noise)  # (C,)
    by_linear = without_noise(roughness(seen.linear.left_out) ** 2, noise)
    if not own.any() or not by_linear.any():
        return np.zeros(len(own))
    within = trial(seen, detail)
    # What residuals of a map no longer tell, those of the linear mix do: with few weights it cannot follow every LR
    # pixel.
    enough = min(_passed(seen) / SEES_ENOUGH, 1.0)
    of_usual = POWER_OF_USUAL * enough
    of_linear = POWER_OF_LINEAR + POWER_OF_USUAL - of_usual
    level = (
        GAIN
        * within**POWER_OF_TRIAL
        * np.sqrt(_finest(seen, shown)) ** POWER_OF_TEXTURE
        * np.sqrt(by_linear.mean()) ** of_linear
        * np.sqrt(_usual(seen, noise.mean())) ** of_usual
        * np.sqrt(_light(seen)) ** POWER_OF_LIGHT
        * seen.scale**POWER_OF_SCALE
    )
    if seen.is_refined:
        level *= REFINED
    missed = float(np.sqrt(own.mean()))
    largest = _largest_by_trace(seen, within, missed)
    level = min(level, largest)
    profile = _profile(own)
    size = np.sqrt(np.mean(profile**2))
    return np.asarray(level * profile / size)


def _finest(seen: Evidence, shown: float) -> np.ndarray:
    """Mean square of the MSI's finest detail, `shown` less what noise has of it."""
    in_mixes = noise_of_mixes(seen.linear.weights, seen.msi_noise)
    noise = OFF_THE_MEAN * np.mean(in_mixes)
    return without_noise(np.asarray(shown), noise)


def _usual(seen: Evidence, noise: np.ndarray) -> np.ndarray:
    """Mean square of what the usual LR pixel misses, from one to the next.

    Args:
        seen: See `Evidence`.
        noise: Mean square of what noise has of it.
    """
    squares = differences(seen.missed) ** 2
    in_pixels = np.mean(squares, axis=1)  # (n,)
    # Half of the pixels are smooth: what the few on edges miss says little of them.
    least = LEAST_USUAL**2 * np.mean(in_pixels)
    usual = max(np.median(in_pixels), least)
    return without_noise(np.asarray(usual), noise)


def _light(seen: Evidence) -> float:
    """Mean square of the HSI."""
    pixels = seen.lr_hsi[seen.used]
    squares = np.square(pixels, dtype=np.float64)
    return float(np.mean(squares))


def _profile(own: np.ndarray) -> np.ndarray:
    """(C,) how the error is spread over bands, of (C,) mean squares that are missed of these."""
    relative = own / own.mean()
    squares = relative + LEAST_BAND**2
    return np.asarray(squares ** (0.5 * POWER_OF_BAND))


def _passed(seen: Evidence) -> float:
    """Energy of white detail that an LR pixel shows, over what its mean would; at most 1."""
    return min((seen.scale * seen.white) ** 2, 1.0)


def _largest_by_trace(
    seen: Evidence,
    within: float,
    missed: float,
) -> float:
    """Largest level of hidden detail that agrees with what is missed at LR pixels left out.

    Scenes that hide nothing are found to the last digit there; what their light and texture are like says nothing then.

    Args:
        seen: See `Evidence`.
        within: See `trial`.
        missed: Root mean square of what is missed, from one LR pixel to the next.
    """
    # A PSF wider than an LR pixel shows less of white detail than the mean over it does. The trace is fainter than
    # that: behind such a PSF neighbours tell what a pixel that is left out holds.
    return MOST_OF_TRACE * within * missed / _passed(seen)
