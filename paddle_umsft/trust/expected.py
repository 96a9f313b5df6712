"""The error to expect at every value of a fused cube, from the pair and the cube alone.

Four things make a cube wrong, and each leaves a trace that needs no truth:

- what the MSI shows and the cube does not is seen pixel by pixel: MSI - SRF(cube), turned into bands by the linear fit;
- what the LR-HSI shows and the cube does not is seen LR pixel by LR pixel;
- noise of both images is bounded by what nothing else predicts, and how much of it the cube holds by its own finest
  differences, see `passed_on.py`;
- detail that the MSI does not tell, the largest part of a good result's error: see `hidden.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter

from paddle_umsft.cameras.resize import bicubic_upsample
from paddle_umsft.data.trust import ExpectedError, lit
from paddle_umsft.trust.evidence import Evidence, moments_of, noise_of_mixes, squares_of_mixes
from paddle_umsft.trust.hidden import hidden_error, texture
from paddle_umsft.trust.passed_on import noise_passed_on
from paddle_umsft.trust.white import white_detail

# Squares of errors grow as the energy of the finest detail to this power, and flat places are not free of them.
POWER_OF_TEXTURE = 0.4
LEAST_TEXTURE = 0.02
# The same of what is missed around an LR pixel, and of what within it the cube shows and a linear mix does not.
POWER_OF_MISSED = 0.12
POWER_OF_DEPARTURE = 0.2
LEAST_HARDNESS = 0.1
# LR pixels on each side that tell of the middle one.
NEIGHBOURS = 3
# This much of the mean square of what is hidden is anywhere, in any band.
ANYWHERE = 0.1
# What only the cube shows is an error in part: some of it is what a method is for.
PART_OF_DEPARTURES = 0.5
# Where the MSI shows nothing of the scene a cube errs by this part of the detail that it lacks.
PART_OF_UNSEEN = 0.5
# Rows and columns of an LR pixel that stand for all of them where a mean is taken.
LINES_LOOKED_AT = 4
# A plane over a pixel has this part of the squares of its slopes as variance.
PLANE = 12.0


def _departures(seen: Evidence) -> np.ndarray:
    """(h, w, C) mean squares, within LR pixels, of what a cube shows that neither a linear mix nor the LR-HSI says."""
    scale = seen.scale
    height, width, bands = seen.lr_hsi.shape
    weights = seen.linear.weights.astype(np.float32)
    srf = seen.srf.T.astype(np.float32)
    variance = np.empty(seen.lr_hsi.shape, dtype=np.float32)
    for row in range(height):
        rows = slice(row * scale, (row + 1) * scale)
        own = (seen.fused[rows] @ srf) @ -weights  # (s, W, C)
        own += seen.fused[rows]
        blocks = own.reshape(scale, width, scale, bands)
        mean = blocks.mean(axis=(0, 2), keepdims=True)
        blocks -= mean
        variance[row] = np.einsum("rwck,rwck->wk", blocks, blocks) / scale**2
    # Interpolated residuals slope through their LR pixels; that is no departure.
    rest = np.nan_to_num(seen.linear.left_out)
    slopes = np.zeros(rest.shape)
    for axis in (0, 1):
        if rest.shape[axis] > 1:
            slopes += np.gradient(rest, axis=axis) ** 2
    return np.maximum(variance - slopes / PLANE, 0.0)


def _unknown(seen: Evidence) -> np.ndarray:
    """(h, w, C) mean squares of what no LR pixel corrects where one is lost: what is missed at one that is left out."""
    assert seen.lost is not None
    usual = np.nan_to_num(np.nanmean(seen.missed**2, axis=(0, 1)))
    return np.asarray(seen.lost[:, :, None] * usual)


def _relative(squares: np.ndarray) -> np.ndarray:
    """(h, w, C) over its mean in each band, 1 where there is none, and never far below it."""
    mean = squares.mean(axis=(0, 1))
    relative = np.where(mean > 0, squares / np.where(mean > 0, mean, 1.0), 1.0)
    return relative + LEAST_HARDNESS


def _hardness(seen: Evidence, departures: np.ndarray) -> np.ndarray:
    """(h, w, C) factor on squares: what is missed around LR pixels, and how far the cube departs from a linear mix.

    Args:
        seen: See `Evidence`.
        departures: (h, w, C) squares.
    """
    missed = np.nan_to_num(seen.missed) ** 2
    around = np.maximum(uniform_filter(missed, (NEIGHBOURS, NEIGHBOURS, 1), mode="nearest"), 0.0)
    hardness = _relative(around) ** POWER_OF_MISSED * _relative(departures) ** POWER_OF_DEPARTURE
    return np.asarray(hardness.astype(np.float32))


def _shown(energy: np.ndarray) -> np.ndarray:
    """(H, W) factor on squares of errors, from the energy of the finest detail around a pixel."""
    mean = float(energy.mean())
    if mean <= 0:
        return np.ones(energy.shape, dtype=np.float32)
    relative = energy / np.float32(mean) + np.float32(LEAST_TEXTURE)
    return np.asarray(relative ** np.float32(POWER_OF_TEXTURE))


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
    detail = moments_of(hr_msi - bicubic_upsample(seen.lr_msi, seen.scale))  # (M, M)
    energy = texture(hr_msi, weights)
    hidden = hidden_error(seen, detail, float(energy.mean()) / seen.lr_hsi.shape[2])
    unmet = hr_msi - seen.fused @ seen.srf.T.astype(np.float32)  # (H, W, M)
    unmet_moments = moments_of(unmet)
    # What a dead LR pixel shows is no error of the cube.
    coarse = (seen.lr_hsi - seen.again) ** 2 * seen.used[:, :, None]  # (h, w, C)
    of_hsi = apart_from_noise(coarse.mean(axis=(0, 1), dtype=np.float64), seen.hsi_noise**2)
    mixed_noise = noise_of_mixes(weights, seen.msi_noise)
    of_msi = apart_from_noise(squares_of_mixes(weights, unmet_moments), mixed_noise)
    coarse = coarse * of_hsi.share
    departures = _departures(seen)
    if seen.held_out is None:
        coarse = coarse + PART_OF_DEPARTURES * departures
    if seen.lost is not None and seen.lost.any():
        coarse = coarse + _unknown(seen)
    weighted = weights * np.sqrt(of_msi.share)

    # Means over the pixels of the parts.
    unseen = PART_OF_UNSEEN * np.sqrt(squares_of_mixes(weights, detail))  # (C,)
    by_msi_noise = np.minimum(of_msi.carried, noise_passed_on(seen.fused, mixed_noise))
    # White detail is a part of what is hidden anywhere, and may be more than that.
    anywhere = np.maximum(ANYWHERE * np.mean(hidden**2), white_detail(seen) ** 2)  # (C,)
    floor = of_hsi.carried + by_msi_noise + anywhere
    placed = hidden * np.sqrt(1.0 - ANYWHERE)
    missing = squares_of_mixes(weighted, unmet_moments)
    unmet_by_hsi = coarse.mean(axis=(0, 1), dtype=np.float64)
    squares = placed**2 + floor + missing + unmet_by_hsi
    by_interpolation = hidden**2 + squares_of_mixes(weights, detail)
    shown = _shown(energy)
    hard = _hardness(seen, departures)
    light = _light(seen.fused)
    if seen.doubted is not None:
        squares = squares + unseen**2 * float(seen.doubted.mean())
    if seen.unsure_light is not None:
        squares = squares + _mean_of_light(seen.fused, seen.unsure_light)
    return ExpectedError(
        fused=seen.fused,
        floor=np.sqrt(floor),
        hidden=placed / np.sqrt(_mean_pattern(seen, light, shown, hard)),
        light=light,
        shown=shown,
        hard=hard,
        unmet=unmet,
        weights=weighted,
        coarse=coarse.astype(np.float32),
        scale=seen.scale,
        interpolated=float(np.sqrt(by_interpolation.mean())),
        bands=np.sqrt(squares),
        unseen=unseen,
        doubted=seen.doubted,
        unsure_light=seen.unsure_light,
    )


def _mean_of_light(fused: np.ndarray, unsure: np.ndarray) -> np.ndarray:
    """(C,) mean squares of what unsure light changes.

    Args:
        fused: (H, W, C).
        unsure: (H, W) part of the values.
    """
    total = np.zeros(fused.shape[2])
    for row, unsure_row in zip(fused, unsure):
        if unsure_row.any():
            changed = row * unsure_row[:, None]  # (W, C)
            total += np.einsum("wk,wk->k", changed, changed, dtype=np.float64)
    return np.asarray(total / unsure.size)


def _light(fused: np.ndarray) -> np.ndarray:
    """(C,) root mean square of a cube."""
    flat = fused.reshape(-1, fused.shape[2])
    total = np.einsum("pk,pk->k", flat, flat, dtype=np.float64)
    return np.asarray(np.sqrt(total / len(flat)))


def _mean_pattern(
    seen: Evidence,
    light: np.ndarray,
    shown: np.ndarray,
    hard: np.ndarray,
) -> np.ndarray:
    """(C,) mean over the pixels of what `hidden` is multiplied by, some pixels of each LR pixel for all of them."""
    step = max(1, seen.scale // LINES_LOOKED_AT)
    first = step // 2
    total = np.zeros(hard.shape)
    count = 0
    for row in range(first, seen.scale, step):
        for column in range(first, seen.scale, step):
            pixels = np.s_[row :: seen.scale, column :: seen.scale]
            total += lit(seen.fused[pixels], light) * shown[pixels][:, :, None]
            count += 1
    return np.asarray(np.mean(total * hard, axis=(0, 1)) / count)
