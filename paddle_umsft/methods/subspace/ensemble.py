"""`method: ensemble`: what a linear model cannot know, learned from the scene itself.

The base is the subspace solver. Its correction is an ensemble of spectral maps (Gaussian process regression through
the PSF, see `spectral_map.py`) whose length scales are drawn, not picked: the mean over plausible kernels
beats the likeliest one. A local refinement follows, and every stage ends in agreement with both images. Whether
the ensemble and the refinement may replace the base is decided on LR pixels left out of the fit, never by the truth.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import Any, Callable, Optional

import numpy as np

from paddle_umsft.config.ensemble import EnsembleInput, EnsembleSettings
from paddle_umsft.data.records import OnRecord
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.machine.side_by_side import side_by_side
from paddle_umsft.methods.subspace.fitting import map_spectra
from paddle_umsft.methods.subspace.ground import Ground, lay_ground, with_sharper_bands
from paddle_umsft.methods.subspace.map_features import Kernel, PixelInputs
from paddle_umsft.methods.subspace.method import (
    SHARE_DIGITS,
    agree,
    held_out_rmse,
    one_map,
    recorder,
    to_cube,
)
from paddle_umsft.methods.subspace.outcome import choices_on, finished
from paddle_umsft.methods.subspace.refine import guided_refine
from paddle_umsft.methods.subspace.stack import stack

# Members may trust LR pixels more, and dark ones much more, than a single map: the mean smooths what each overdoes.
MEMBER_CAUTION = 1.0
MEMBER_GAMMA = 0.75

# Bounds of the length scales, drawn on a logarithmic scale: within them single maps do about equally well.
COLOUR = (0.6, 3.0)
BRIGHTNESS = (1.0, 5.0)
PLACE = (0.15, 1.0)
FLOOR = (0.005, 0.1)
# Amplitude: the root of the brightness or the brightness itself. Frequencies: Matérn 5/2 or all but Gaussian.
POWERS = (0.5, 1.0)
TAILS = (5.0, 50.0)
# The surround only has to tell materials of one colour apart: it counts at twice the pixel's length scale and more.
SURROUND_FACTOR = 2.0
SURROUND_OFFSET = 2.0
# Prior variance of a member's second kernel, against 1 of its first: a correction at other length scales.
SECOND_WEIGHT = 0.3
# Standard deviation of the neighbourhood, in LR pixels: it averages about as much as one LR pixel does.
SURROUND_WIDTH = 1 / 4

# Bounds of the refinement's radius, HR pixels: fewer than 5 x 5 pixels fit anything, 17 x 17 hold several materials.
SMALLEST_RADIUS = 2
LARGEST_RADIUS = 8
# Ridge of the local fits: the MSI's noise variance with a margin, and at least a little of the MSI's energy.
RIDGE_OF_NOISE = 4.0
RIDGE_OF_ENERGY = 1e-5
# LR pixels of a pair one step coarser of which half is believed, see `stack.py`: many maps and their refinement gain
# more from four times as many than one map does. Of 64 coarser pixels (512 x 512 at x32) a third.
HALF_BELIEVED = 128

# What the second number of a random stream's seed stands for.
STREAM_KERNELS = 1
STREAM_FEATURES = 2


def draw_kernel(
    rng: np.random.Generator,
    surround: bool = False,
    weight: float = 1.0,
) -> Kernel:
    """Draw length scales between bounds within which single maps do about equally well."""

    def between(bounds: tuple[float, float]) -> float:
        low, high = bounds
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    # One draw a line: their order is part of what a seed means.
    colour = between(COLOUR)
    brightness = between(BRIGHTNESS)
    place = between(PLACE)
    power = float(rng.choice(POWERS))
    tail = float(rng.choice(TAILS))
    floor = between(FLOOR)
    around = np.inf
    if surround:
        around = SURROUND_FACTOR * colour + SURROUND_OFFSET
    return Kernel(
        colour=colour,
        brightness=brightness,
        place=place,
        surround=around,
        weight=weight,
        floor=floor,
        tail=tail,
        power=power,
    )


def draw_members(
    settings: EnsembleSettings,
    seed: int,
    *,
    surround: bool,
) -> list[list[Kernel]]:
    """The two kernels of each member.

    Args:
        settings: Number of members.
        seed: Draws length scales.
        surround: Whether the neighbourhood counts.
    """
    rng = np.random.default_rng([seed, STREAM_KERNELS])
    drawn = []
    for _ in range(settings.members):
        first = draw_kernel(rng, surround)
        second = draw_kernel(rng, surround, SECOND_WEIGHT)
        drawn.append([first, second])
    return drawn


def feature_counts(settings: EnsembleSettings) -> list[int]:
    """Features of a member's two kernels."""
    half = settings.features // 2
    return [settings.features - half, half]


def member_stream(seed: int, number: int) -> np.random.Generator:
    """What a member's features are drawn from."""
    return np.random.default_rng([seed, STREAM_FEATURES, number])


def surround_radius(
    pixels: int,
    settings: EnsembleSettings,
    scale: int,
) -> Optional[float]:
    """Standard deviation of the neighbourhood in HR pixels; None: it does not count, there are too few LR pixels."""
    if pixels < settings.surround_pixels:
        return None
    return scale * SURROUND_WIDTH


def ensemble(
    ground: Ground,
    settings: EnsembleSettings,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of several maps.

    Args:
        ground: See `Ground`.
        settings: Number of members and features.
        seed: Draws length scales and features.

    Returns:
        (H, W, K) coefficients and the (n, K) mean of the members' leave-one-out residuals at the n LR pixels kept.
    """
    pixels = int(ground.kept.sum())
    radius = surround_radius(pixels, settings, ground.operator.scale)
    if radius is not None:
        inputs = PixelInputs.of(ground.inputs.hr_msi, (radius,), ground.operator.border)
        ground = replace(ground, inputs=inputs)
    drawn = draw_members(settings, seed, surround=radius is not None)
    counts = feature_counts(settings)

    def member(number: int) -> tuple[np.ndarray, np.ndarray]:
        own = member_stream(seed, number)
        coeffs, fit, axes = map_spectra(ground, drawn[number], counts, own, gamma=MEMBER_GAMMA, caution=MEMBER_CAUTION)
        return coeffs, fit.left_out @ axes.T

    threads = settings.threads or min(2, os.cpu_count() or 1)
    height, width = ground.hr_msi.shape[:2]
    total: np.ndarray = np.zeros((height, width, ground.rank), dtype=np.float32)
    left_out: np.ndarray = np.zeros((pixels, ground.rank))
    # In order and a few at a time: the same sum on every machine, and no pile of finished cubes.
    for coeffs, rest in side_by_side(member, range(settings.members), threads):
        total += coeffs / np.float32(settings.members)
        left_out += rest / settings.members
    return total, left_out


def refine_radius(settings: EnsembleSettings, scale: int) -> int:
    """Return the radius that the settings or the scale ask for."""
    if settings.refine_radius is not None:
        return settings.refine_radius
    return min(LARGEST_RADIUS, max(SMALLEST_RADIUS, scale // 2))


def refine_ridge(energy: float, msi_noise: float) -> float:
    """Ridge of the local fits.

    Args:
        energy: Mean square of the MSI.
        msi_noise: Standard deviation of its noise, in the same units.
    """
    return max(RIDGE_OF_ENERGY * energy, RIDGE_OF_NOISE * msi_noise**2)


def _refine(
    ground: Ground,
    coeffs: np.ndarray,
    limit: float,
    settings: EnsembleInput,
) -> tuple[np.ndarray, bool]:
    """One round of refinement and agreement, unless it disturbs the LR pixels more than `limit` (root mean square)."""
    energy = float(np.mean(ground.hr_msi.astype(np.float64) ** 2))
    ridge = refine_ridge(energy, ground.msi_noise)
    radius = refine_radius(settings.ensemble, ground.operator.scale)
    refined = guided_refine(ground.hr_msi, coeffs, radius, ridge)
    moved = ground.operator.forward(refined - coeffs)[ground.kept]  # (n, K)
    if not np.all(np.isfinite(refined)):
        return coeffs, False
    if held_out_rmse(moved, len(ground.basis)) > limit:
        return coeffs, False
    agreed, _ = agree(ground, refined, settings.subspace)
    return agreed, True


def _refined(
    ground: Ground,
    coeffs: np.ndarray,
    limit: float,
    settings: EnsembleInput,
) -> tuple[np.ndarray, list[bool]]:
    """Rounds of refinement until one is not accepted; the coefficients, and whether each round was accepted."""
    accepted: list[bool] = []
    if refine_radius(settings.ensemble, ground.operator.scale) == 0:
        return coeffs, accepted
    for _ in range(settings.ensemble.refine_rounds):
        coeffs, is_better = _refine(ground, coeffs, limit, settings)
        accepted.append(is_better)
        if not is_better:
            break
    return coeffs, accepted


@dataclass
class _Fused:
    """What the ensemble makes of a ground.

    Attributes:
        cube: (H, W, C) in the units of the input.
        missed: (h, w) mean squares of what it misses of the LR-HSI, over `level`; None: nobody looked.
        left_out: (n, K) leave-one-out residuals of the map it comes from.
        extras: The choices that were made.
    """

    cube: np.ndarray
    missed: Optional[np.ndarray]
    left_out: np.ndarray
    extras: dict[str, Any]


def _all_steps(
    ground: Ground,
    base: np.ndarray,
    base_left_out: np.ndarray,
    settings: EnsembleInput,
    seed: int,
    record: Callable[..., None],
) -> _Fused:
    """From a ground and the base, what a single map says, to the cube.

    Args:
        ground: See `Ground`.
        base: (H, W, K) coefficients that `method: subspace` would take. They stay until something better is proven.
        base_left_out: (n, K) leave-one-out residuals of that map.
        settings: The sections `ensemble`, `subspace` and `preparation`.
        seed: Draws length scales and features.
        record: Notes a stage.
    """
    bands = ground.lr_hsi.shape[2]
    base_error = held_out_rmse(base_left_out, bands)
    record("base", loss=base_error * ground.level)
    mean, mean_left_out = ensemble(ground, settings.ensemble, seed)
    error = held_out_rmse(mean_left_out, bands)
    kept = error <= base_error
    record("ensemble", loss=error * ground.level, kept=kept)
    if kept:
        prior, left_out = mean, mean_left_out
    else:
        prior, left_out = base, base_left_out
    coeffs, _ = agree(ground, prior, settings.subspace)
    coeffs, rounds = _refined(ground, coeffs, min(error, base_error), settings)
    for accepted in rounds:
        record("refine", loss=0.0, kept=accepted)
    extras = {
        "base_held_out_rmse": base_error * ground.level,
        "ensemble_held_out_rmse": error * ground.level,
        "ensemble_kept": kept,
        "refined": sum(rounds),
    }
    cube, missed = to_cube(ground, coeffs, settings.subspace, left_out)
    return _Fused(
        cube=cube,
        missed=missed,
        left_out=left_out,
        extras=extras,
    )


def _nothing_recorded(stage: str, **values: Any) -> None:
    """Note nothing: a trial is no stage of the fusion."""


def trial_by_all_steps(settings: EnsembleInput, seed: int) -> Callable[[Ground], np.ndarray]:
    """The very same steps, from a ground to a cube, for a trial one step coarser."""

    def fuse(ground: Ground) -> np.ndarray:
        base, base_left_out = one_map(ground, settings.subspace, seed)
        return _all_steps(ground, base, base_left_out, settings, seed, _nothing_recorded).cube

    return fuse


def with_larger_rank(settings: EnsembleInput) -> EnsembleInput:
    """The settings with the subspace as large as the ensemble may have it."""
    max_rank = max(settings.ensemble.max_rank, settings.subspace.max_rank)
    subspace = settings.subspace.model_copy(update={"max_rank": max_rank})
    return replace(settings, subspace=subspace)


def fuse_ensemble(
    observation: Observation,
    settings: EnsembleInput,
    *,
    seed: int = 0,
    on_record: Optional[OnRecord] = None,
) -> FusionResult:
    """Fuse one scene.

    Args:
        observation: The image pair; PSF and SRF are used if given.
        settings: The sections `ensemble`, `subspace` and `preparation`.
        seed: Draws length scales and features.
        on_record: Called with one dict per stage.

    Returns:
        The fused cube with PSF, SRF, history and the choices that were made.

    Raises:
        DataError: The images, PSF, SRF or supports do not fit together.
    """
    started = time.perf_counter()
    record, history = recorder(on_record)
    settings = with_larger_rank(settings)
    subspace = settings.subspace
    ground = lay_ground(observation, subspace, settings.preparation)
    record("estimate", loss=ground.degradations.residual, rank=ground.rank)

    base, base_left_out = one_map(ground, settings.subspace, seed)
    if ground.band_operators is not None:
        ground = with_sharper_bands(ground, base)
        base, base_left_out = one_map(ground, settings.subspace, seed)
    made = _all_steps(ground, base, base_left_out, settings, seed, record)
    extras = {**choices_on(ground), **made.extras}
    if subspace.stack:
        trial = trial_by_all_steps(settings, seed)
        plain_share = stack(ground, made.cube, trial, HALF_BELIEVED, missed=made.missed)
        extras["plain_share"] = plain_share.round(SHARE_DIGITS).tolist()
    return finished(
        ground,
        made.cube,
        made.left_out,
        history=history,
        method="ensemble",
        seconds=time.perf_counter() - started,
        extras=extras,
    )
