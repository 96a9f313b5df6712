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
from paddle_umsft.trust.linear import LinearView
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


def _relative(squares: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """(h, w, C) over the scene's mean in each band, 1 where there is none, and never far below it."""
    relative = np.where(mean > 0, squares / np.where(mean > 0, mean, 1.0), 1.0)
    return relative + LEAST_HARDNESS


def _around(seen: Evidence) -> np.ndarray:
    """(h, w, C) mean squares of what is missed around LR pixels."""
    missed = np.nan_to_num(seen.missed) ** 2
    return np.asarray(np.maximum(uniform_filter(missed, (NEIGHBOURS, NEIGHBOURS, 1), mode="nearest"), 0.0))


@dataclass(frozen=True)
class Traces:
    """What shows, pixel by pixel, where a cube errs: nothing further away than a few pixels counts.

    Attributes:
        energy: (H, W) of the finest detail.
        unmet: (H, W, M) what the MSI shows and the cube does not.
        coarse: (h, w, C) squares of what the LR-HSI shows and the cube does not.
        departures: (h, w, C) squares of what only the cube shows.
        around: (h, w, C) squares of what is missed around LR pixels.
    """

    energy: np.ndarray
    unmet: np.ndarray
    coarse: np.ndarray
    departures: np.ndarray
    around: np.ndarray

    @classmethod
    def of(cls, seen: Evidence) -> Traces:
        """Those of a scene, or of a part of it."""
        hr_msi = seen.hr_msi.astype(np.float32)
        return cls(
            energy=texture(hr_msi, seen.linear.weights),
            unmet=hr_msi - seen.fused @ seen.srf.T.astype(np.float32),
            # What a dead LR pixel shows is no error of the cube.
            coarse=(seen.lr_hsi - seen.again) ** 2 * seen.used[:, :, None],
            departures=_departures(seen),
            around=_around(seen),
        )


@dataclass(frozen=True)
class Usual:
    """Means over a scene, which a place is held against.

    Attributes:
        energy: Of the finest detail.
        departures: (C,) squares of what only the cube shows.
        around: (C,) squares of what is missed around LR pixels.
        missed: (C,) mean squares of what is missed at an LR pixel that is left out.
        coarse_share: (C,) part of the squares at LR pixels that is the cube's error.
    """

    energy: float
    departures: np.ndarray
    around: np.ndarray
    missed: np.ndarray
    coarse_share: np.ndarray

    def shown(self, traces: Traces) -> np.ndarray:
        """(H, W) factor on squares of errors, from the energy of the finest detail around a pixel."""
        if self.energy <= 0:
            return np.ones(traces.energy.shape, dtype=np.float32)
        relative = traces.energy / np.float32(self.energy) + np.float32(LEAST_TEXTURE)
        return np.asarray(relative ** np.float32(POWER_OF_TEXTURE))

    def hard(self, traces: Traces) -> np.ndarray:
        """(h, w, C) factor on squares: what is missed around LR pixels, and how far the cube departs from a mix."""
        by_missed = _relative(traces.around, self.around) ** POWER_OF_MISSED
        hardness = by_missed * _relative(traces.departures, self.departures) ** POWER_OF_DEPARTURE
        return np.asarray(hardness.astype(np.float32))

    def coarse(self, seen: Evidence, traces: Traces) -> np.ndarray:
        """(h, w, C) squares of the error that an LR pixel tells of all of its HR pixels."""
        coarse = traces.coarse * self.coarse_share
        if seen.held_out is None:
            coarse = coarse + PART_OF_DEPARTURES * traces.departures
        if seen.lost is not None and seen.lost.any():
            # No LR pixel corrects what is there: it errs by what is missed at one that is left out.
            coarse = coarse + seen.lost[:, :, None] * self.missed
        return np.asarray(coarse)


@dataclass(frozen=True)
class Levels:
    """What all pixels of a scene share: with it the expected error of any of its rows can be told by these alone.

    Attributes:
        usual: See `Usual`.
        linear: The fit, and the mix of the MSI's bands that it makes.
        srf: (M, C).
        floor: See `ExpectedError`, and so on.
        hidden: (C,).
        light: (C,).
        weights: (M, C).
        unseen: (C,).
        interpolated: Of interpolation alone.
        bands: (C,).
    """

    usual: Usual
    linear: LinearView
    srf: np.ndarray
    floor: np.ndarray
    hidden: np.ndarray
    light: np.ndarray
    weights: np.ndarray
    unseen: np.ndarray
    interpolated: float
    bands: np.ndarray

    def told(
        self,
        seen: Evidence,
        traces: Traces,
        shown: np.ndarray,
        hard: np.ndarray,
        coarse: np.ndarray,
    ) -> ExpectedError:
        """The expected error of a scene, or of a part of it.

        Args:
            seen: What it is read from.
            traces: Its traces.
            shown: (H, W) see `Usual`, and so on.
            hard: (h, w, C).
            coarse: (h, w, C).
        """
        return ExpectedError(
            fused=seen.fused,
            floor=self.floor,
            hidden=self.hidden,
            light=self.light,
            shown=shown,
            hard=hard,
            unmet=traces.unmet,
            weights=self.weights,
            coarse=coarse.astype(np.float32),
            scale=seen.scale,
            interpolated=self.interpolated,
            bands=self.bands,
            unseen=self.unseen,
            doubted=seen.doubted,
            unsure_light=seen.unsure_light,
        )

    def elsewhere(self, seen: Evidence) -> ExpectedError:
        """The expected error of some rows of the scene that these levels are of.

        Args:
            seen: Of these rows; its noise and what it says of the PSF do not count.
        """
        traces = Traces.of(seen)
        usual = self.usual
        return self.told(seen, traces, usual.shown(traces), usual.hard(traces), usual.coarse(seen, traces))


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
    return error_and_levels(seen)[0]


def error_and_levels(seen: Evidence) -> tuple[ExpectedError, Levels]:
    """Return the expected error of a cube, and what of it holds for all pixels of the scene.

    Args:
        seen: See `Evidence`.
    """
    weights = seen.linear.weights
    traces = Traces.of(seen)
    hr_msi = seen.hr_msi.astype(np.float32)
    detail = moments_of(hr_msi - bicubic_upsample(seen.lr_msi, seen.scale))  # (M, M)
    energy = float(traces.energy.mean())
    hidden = hidden_error(seen, detail, energy / seen.lr_hsi.shape[2])
    unmet_moments = moments_of(traces.unmet)
    of_hsi = apart_from_noise(traces.coarse.mean(axis=(0, 1), dtype=np.float64), seen.hsi_noise**2)
    mixed_noise = noise_of_mixes(weights, seen.msi_noise)
    of_msi = apart_from_noise(squares_of_mixes(weights, unmet_moments), mixed_noise)
    missed = np.zeros(seen.lr_hsi.shape[2])
    if np.isfinite(seen.missed).any():
        missed = np.nan_to_num(np.nanmean(seen.missed**2, axis=(0, 1)))
    usual = Usual(
        energy=energy,
        departures=traces.departures.mean(axis=(0, 1)),
        around=traces.around.mean(axis=(0, 1)),
        missed=missed,
        coarse_share=of_hsi.share,
    )
    coarse = usual.coarse(seen, traces)
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
    shown = usual.shown(traces)
    hard = usual.hard(traces)
    light = _light(seen.fused)
    if seen.doubted is not None:
        squares = squares + unseen**2 * float(seen.doubted.mean())
    if seen.unsure_light is not None:
        squares = squares + _mean_of_light(seen.fused, seen.unsure_light)
    levels = Levels(
        usual=usual,
        linear=seen.linear,
        srf=seen.srf,
        floor=np.sqrt(floor),
        hidden=placed / np.sqrt(_mean_pattern(seen, light, shown, hard)),
        light=light,
        weights=weighted,
        unseen=unseen,
        interpolated=float(np.sqrt(by_interpolation.mean())),
        bands=np.sqrt(squares),
    )
    return levels.told(seen, traces, shown, hard, coarse), levels


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
