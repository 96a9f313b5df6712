"""The error to expect at every value of a fused cube, from the pair and the cube alone.

Four things make a cube wrong, and each leaves a trace that needs no truth:

- what the MSI shows and the cube does not is seen pixel by pixel: MSI - SRF(cube), turned into bands by the linear fit;
- what the LR-HSI shows and the cube does not is seen LR pixel by LR pixel;
- noise of both images is bounded by what nothing else predicts;
- detail that the MSI does not tell, the largest part of a good result's error, is extrapolated from the LR pixels: how
  much a band changes from one LR pixel to the next, beyond what its prediction says, over how much the MSI does, times
  the detail that the MSI has within an LR pixel.

What extrapolation across scales gets wrong, one factor puts right. It was fitted on simulations of other scenes than
any report of this project is about: see docs/trust.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np
from scipy.ndimage import uniform_filter

from paddle_umsft.cameras.resize import bicubic_upsample
from paddle_umsft.data.trust import ExpectedError, pattern_of, strips_of
from paddle_umsft.trust.linear import MEDIAN_DEVIATION, ROUGHNESS_OF_NOISE, LinearView, roughness

# Hidden detail over visible detail grows slower than what is missed between LR pixels does over what is seen there: a
# prediction that misses little of the coarse differences misses more of the fine ones. Texture hides more than edges
# do. Gain and both powers are least squares fits (in logarithms, which they leave with a deviation of 0.2) over crops
# of CAVE's cloth, flowers, stuffed toys and watercolors, San Diego and made-up scenes, at the scales 4, 8 and 32, for
# GSA and for `fast` and `best`, which need the same.
HIDDEN_GAIN = 0.76
MISSED_POWER = 0.55
TEXTURE_POWER = 0.25
# A PSF wider than its LR pixel leaves less of hidden detail, rougher than the MSI's, than of the MSI's: a power of how
# much less of white detail comes through than through a box of one LR pixel. Fitted on wide PSFs on the same crops.
BLUR_POWER = 0.5
# No band is free of what the others hide: this part of the error of all bands together, more under a wide PSF, whose
# inversion leaves errors that the bands have in common.
LEAST_OF_ALL = 0.2
# However sparse the edges are: no error is foreseen to be nil.
LEAST_TEXTURE = 0.05
# Part of the differences that no noise explains away, however much noise there seems to be.
LEAST_SIGNAL = 0.2
# HR pixels around a pixel whose detail tells how hard the place is.
NEIGHBOURHOOD = 5
# Flat places are not free of errors: this much of the mean energy of detail.
LEAST_DETAIL = 0.05
# Rows of an LR pixel that stand for all of them where a mean is taken.
ROWS_LOOKED_AT = 4
TINY = 1e-30
# Differences of four independent pixels, halved, have the variance of one.
HALVED = 2.0
# A plane over a pixel has this part of the squares of its slopes as variance.
PLANE = 12.0


@dataclass(frozen=True)
class Evidence:
    """What the expected error is read from.

    Attributes:
        lr_hsi: (h, w, C).
        hr_msi: (H, W, M).
        lr_msi: (h, w, M) PSF(MSI).
        fused: (H, W, C).
        again: (h, w, C) PSF(fused).
        srf: (M, C).
        white: Root of the sum of squares of the PSF: what comes through of white detail.
        linear: See `LinearView`.
        used: (h, w) LR pixels that belong to the scene.
        hsi_noise: (C,) standard deviations, bounds from above.
        msi_noise: (M,) the same.
        fine: (M,) robust size and (M,) root mean square of the MSI's finest differences.
        held_out: (h, w, C) the method's own residuals at LR pixels left out of its fits, NaN where there are none;
            None: it has none.
    """

    lr_hsi: np.ndarray
    hr_msi: np.ndarray
    lr_msi: np.ndarray
    fused: np.ndarray
    again: np.ndarray
    srf: np.ndarray
    white: float
    linear: LinearView
    used: np.ndarray
    hsi_noise: np.ndarray
    msi_noise: np.ndarray
    fine: tuple[np.ndarray, np.ndarray]
    held_out: Optional[np.ndarray] = None

    @property
    def scale(self) -> int:
        """H / h."""
        return int(self.hr_msi.shape[0] // self.lr_hsi.shape[0])


def fine_differences(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The finest diagonal differences of (H, W, M): (M,) their robust size, noise and texture, and their rms."""
    bands = image.shape[2]
    across = image[:, 1:] - image[:, :-1]
    diagonal = (across[1:] - across[:-1]) / HALVED
    if not diagonal.size:
        return np.zeros(bands), np.zeros(bands)
    flat = diagonal.reshape(-1, bands)
    middle = np.median(np.abs(flat), axis=0)
    squares = np.mean(flat**2, axis=0, dtype=np.float64)
    robust = middle.astype(np.float64) / MEDIAN_DEVIATION
    return np.asarray(robust), np.sqrt(squares)


def _through(weights: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """(C,) variance of a mix of independent bands with these (M,) deviations."""
    return np.asarray(np.square(deviations) @ np.square(weights))


def _squares_of_mixes(weights: np.ndarray, image: np.ndarray) -> np.ndarray:
    """(C,) mean squares over the pixels of an image's mixes, from the image's second moments alone.

    Args:
        weights: (M, C).
        image: (H, W, M).
    """
    flat = image.reshape(-1, image.shape[2])
    moments = (flat.T @ flat) / len(flat)  # (M, M)
    return np.asarray(np.sum(weights * (moments.astype(np.float64) @ weights), axis=0))


def _texture(seen: Evidence) -> float:
    """Share of texture in the finest differences of the MSI, as the HSI's bands mix it: 1 without any edges."""
    weights = seen.linear.weights
    robust, whole = seen.fine
    usual = float(np.mean(_through(weights, robust)))
    all_of_it = float(np.mean(_through(weights, whole)))
    share = np.sqrt(usual / max(all_of_it, TINY))
    return float(np.clip(share, LEAST_TEXTURE, 1.0))


def hidden_error(seen: Evidence, detail: np.ndarray) -> np.ndarray:
    """(C,) root mean square of the detail that the MSI does not tell.

    Args:
        seen: See `Evidence`.
        detail: (H, W, M) what the MSI shows within LR pixels.
    """
    weights = seen.linear.weights
    noise_in_mix = float(np.mean(_through(weights, seen.msi_noise)))
    shown = float(np.mean(_squares_of_mixes(weights, detail)))
    within = max(shown - noise_in_mix, 0.0)
    mixed = seen.lr_msi.astype(np.float64) @ weights  # (h, w, C)
    between = float(np.mean(roughness(mixed) ** 2))

    rough = roughness(seen.linear.left_out)
    if seen.held_out is not None and np.isfinite(seen.held_out).any():
        # A method that knows what it misses will not do worse than a linear mix, which it could take instead.
        rough = np.minimum(rough, roughness(seen.held_out))
    squares = rough**2
    noise = ROUGHNESS_OF_NOISE * seen.hsi_noise**2
    least = LEAST_SIGNAL**2 * squares
    signal = np.maximum(squares - noise, least)
    usual = float(signal.mean())
    if usual == 0:
        return np.zeros(len(signal))
    missed = np.sqrt(usual / max(between, TINY))
    blur = max(1.0 / (seen.scale * seen.white), 1.0)
    gain = HIDDEN_GAIN * missed**MISSED_POWER * _texture(seen) ** TEXTURE_POWER * blur**BLUR_POWER
    of_band = np.sqrt(signal / usual + (LEAST_OF_ALL * blur) ** 2)
    return np.asarray(gain * np.sqrt(within) * of_band)


def _departures(seen: Evidence) -> np.ndarray:
    """(h, w, C) mean squares, within LR pixels, of what a cube shows that neither a linear mix nor the LR-HSI says."""
    scale = seen.scale
    height, width, bands = seen.lr_hsi.shape
    weights = seen.linear.weights.astype(np.float32)
    srf = seen.srf.T.astype(np.float32)
    variance = np.empty(seen.lr_hsi.shape)
    for row in range(height):
        top = row * scale
        cube = seen.fused[top : top + scale]  # (s, W, C)
        told = (cube @ srf) @ weights
        blocks = (cube - told).reshape(scale, width, scale, bands)
        variance[row] = blocks.var(axis=(0, 2))
    # Interpolated residuals slope through their LR pixels; that is no departure.
    rest = np.nan_to_num(seen.linear.left_out)
    slopes = np.zeros(rest.shape)
    for axis in (0, 1):
        if rest.shape[axis] > 1:
            slopes += np.gradient(rest, axis=axis) ** 2
    return np.maximum(variance - slopes / PLANE, 0.0)


def _shown(detail: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(H, W) how much detail the MSI shows around a pixel, as the HSI's bands mix it; root mean square about 1.

    Args:
        detail: (H, W, M).
        weights: (M, C).
    """
    # The mean square of all mixes is one square form in the MSI's bands.
    form = weights @ weights.T  # (M, M)
    turned = detail @ form.astype(np.float32)
    energy = np.sum(turned * detail, axis=2)  # (H, W)
    energy = uniform_filter(energy, NEIGHBOURHOOD, mode="nearest")
    mean = float(energy.mean())
    if mean <= 0:
        return np.ones(energy.shape, dtype=np.float32)
    relative = np.maximum(energy / np.float32(mean), 0.0)
    return np.asarray(np.sqrt(relative + np.float32(LEAST_DETAIL)))


@dataclass(frozen=True)
class ApartFromNoise:
    """What a cube does not give back of an image, sorted into error and noise.

    Attributes:
        share: (C,) part of the squares that is the cube's error.
        carried: (C,) variance of the noise that the cube has taken over.
    """

    share: np.ndarray
    carried: np.ndarray


def apart_from_noise(missed: np.ndarray, noise: np.ndarray) -> ApartFromNoise:
    """A cube that misses as much of an image as there is noise has left the noise out, and nothing else.

    Args:
        missed: (C,) mean squares of what the cube does not give back.
        noise: (C,) variances of the image's noise.
    """
    has_missed = missed > 0
    relative = noise / np.where(has_missed, missed, 1.0)
    share = np.where(has_missed, 1.0 - relative, 0.0)
    return ApartFromNoise(
        share=np.maximum(share, 0.0),
        carried=np.maximum(noise - missed, 0.0),
    )


def expected_error(seen: Evidence) -> ExpectedError:
    """Put together what can be known of a cube's error.

    Args:
        seen: See `Evidence`.
    """
    weights = seen.linear.weights
    hr_msi = seen.hr_msi.astype(np.float32)
    detail = hr_msi - bicubic_upsample(seen.lr_msi, seen.scale)  # (H, W, M)
    hidden = hidden_error(seen, detail)
    unmet = hr_msi - seen.fused @ seen.srf.T.astype(np.float32)  # (H, W, M)
    # What a dead LR pixel shows is no error of the cube.
    coarse = (seen.lr_hsi - seen.again) ** 2 * seen.used[:, :, None]  # (h, w, C)
    of_hsi = apart_from_noise(coarse.mean(axis=(0, 1), dtype=np.float64), seen.hsi_noise**2)
    of_msi = apart_from_noise(_squares_of_mixes(weights, unmet), _through(weights, seen.msi_noise))
    coarse = coarse * of_hsi.share
    if seen.held_out is None:
        coarse = coarse + _departures(seen)
    weighted = weights * np.sqrt(of_msi.share)

    # Means over the pixels of the four parts.
    noise = of_hsi.carried + of_msi.carried
    missing = _squares_of_mixes(weighted, unmet)
    unmet_by_hsi = coarse.mean(axis=(0, 1), dtype=np.float64)
    squares = hidden**2 + noise + missing + unmet_by_hsi
    by_interpolation = hidden**2 + _squares_of_mixes(weights, detail)
    shown = _shown(detail, weights)
    light = _light(seen.fused)
    usual = _mean_pattern(seen, light, shown)  # (C,)
    return ExpectedError(
        fused=seen.fused,
        floor=np.sqrt(noise),
        hidden=hidden / np.sqrt(usual),
        light=light,
        shown=shown,
        unmet=unmet,
        weights=weighted,
        coarse=coarse.astype(np.float32),
        scale=seen.scale,
        interpolated=float(np.sqrt(by_interpolation.mean())),
        bands=np.sqrt(squares),
    )


def _light(fused: np.ndarray) -> np.ndarray:
    """(C,) root mean square of a cube."""
    flat = fused.reshape(-1, fused.shape[2])
    total = np.einsum("pk,pk->k", flat, flat, dtype=np.float64)
    return np.asarray(np.sqrt(total / len(flat)))


def _mean_pattern(
    seen: Evidence,
    light: np.ndarray,
    shown: np.ndarray,
) -> np.ndarray:
    """(C,) mean over the pixels of `pattern_of`, some rows of every LR pixel for all of them."""
    step = max(1, seen.scale // ROWS_LOOKED_AT)
    count = 0
    total = np.zeros(len(light))
    for top, bottom in strips_of(seen.fused.shape, seen.scale):
        rows = np.s_[top:bottom:step]
        pattern = pattern_of(seen.fused[rows], light, shown[rows])
        # A row's sum is short enough for float32.
        by_row = pattern.sum(axis=1)
        total += by_row.sum(axis=0, dtype=np.float64)
        height, width, _ = pattern.shape
        count += height * width
    return total / count
