"""`method: ensemble`: what a linear model cannot know, learned from the scene itself.

The base is the subspace solver. Its correction is an ensemble of spectral maps (Gaussian process regression through
the PSF, see `spectral_map.py`) whose length scales are drawn, not picked: the mean over plausible kernels
beats the likeliest one. A local refinement follows, and every stage ends in agreement with both images. Whether
the ensemble and the refinement may replace the base is decided on LR pixels left out of the fit, never by the truth.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np

from paddle_umsft.config.ensemble import EnsembleSettings
from paddle_umsft.config.subspace import SubspaceSettings
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.methods.subspace.method import (
    Ground,
    Record,
    agree,
    held_out_rmse,
    map_spectra,
    notes_on,
    prepare,
    recorder,
    to_cube,
)
from paddle_umsft.methods.subspace.refine import guided_refine
from paddle_umsft.methods.subspace.spectral_map import Kernel, PixelInputs

# Members may trust LR pixels more, and dark ones much more, than a single map: the mean smooths what each overdoes.
CAUTION = 1.0
GAMMA = 0.75


def draw_kernel(rng: np.random.Generator, surround: bool = False, weight: float = 1.0) -> Kernel:
    """Length scales between bounds within which single maps do about equally well."""

    def between(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    colour = between(0.6, 3.0)
    return Kernel(
        colour=colour,
        brightness=between(1.0, 5.0),
        place=between(0.15, 1.0),
        power=float(rng.choice([0.5, 1.0])),
        tail=float(rng.choice([5.0, 50.0])),
        floor=between(0.005, 0.1),
        surround=2.0 * colour + 2.0 if surround else np.inf,
        weight=weight,
    )


def ensemble(ground: Ground, settings: EnsembleSettings, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean of several maps.

    Args:
        ground: See `Ground`.
        settings: Number of members and features.
        seed: Draws length scales and features.

    Returns:
        (H, W, K) coefficients and the (h*w, K) mean of the members' leave-one-out residuals.
    """
    rng = np.random.default_rng([seed, 1])
    pixels = ground.lr_hsi.shape[0] * ground.lr_hsi.shape[1]
    surround = pixels >= settings.surround_pixels
    if surround:
        ground = replace(ground, inputs=PixelInputs.of(ground.hr_msi, (ground.operator.scale / 4,)))
    drawn = [[draw_kernel(rng, surround), draw_kernel(rng, surround, 0.3)] for _ in range(settings.members)]
    counts = [settings.features - settings.features // 2, settings.features // 2]

    def member(number: int) -> tuple[np.ndarray, np.ndarray]:
        own = np.random.default_rng([seed, 2, number])
        coeffs, fit, axes = map_spectra(ground, drawn[number], counts, own, gamma=GAMMA, caution=CAUTION)
        return coeffs, fit.left_out @ axes.T

    threads = settings.threads or min(2, os.cpu_count() or 1)
    total: np.ndarray = np.zeros((*ground.operator.shape, ground.rank), dtype=np.float32)
    left_out: np.ndarray = np.zeros((pixels, ground.rank))
    with ThreadPoolExecutor(threads) as pool:
        # In order and a few at a time: the same sum on every machine, and no pile of finished cubes.
        for first in range(0, settings.members, threads):
            batch = range(first, min(first + threads, settings.members))
            for coeffs, rest in pool.map(member, batch):
                total += coeffs / np.float32(settings.members)
                left_out += rest / settings.members
    return total, left_out


def refine_radius(settings: EnsembleSettings, scale: int) -> int:
    """The radius that the settings or the scale ask for."""
    return min(8, max(2, scale // 2)) if settings.refine_radius is None else settings.refine_radius


def _refine(
    ground: Ground, coeffs: np.ndarray, limit: float, members: EnsembleSettings, subspace: SubspaceSettings
) -> tuple[np.ndarray, bool]:
    """One round of refinement and agreement, unless it disturbs the LR pixels more than `limit` (root mean square)."""
    ridge = max(1e-5 * float(np.mean(ground.hr_msi.astype(np.float64) ** 2)), 4.0 * ground.msi_noise**2)
    radius = refine_radius(members, ground.operator.scale)
    refined = guided_refine(ground.hr_msi, coeffs, radius, ridge)
    moved = ground.operator.forward(refined - coeffs).reshape(-1, ground.rank)
    if not np.all(np.isfinite(refined)) or held_out_rmse(moved, len(ground.basis)) > limit:
        return coeffs, False
    return agree(ground, refined, subspace)[0], True


def fuse_ensemble(observation: Observation, config: Any, on_record: Record = None) -> FusionResult:
    """Fuse one scene.

    Args:
        observation: The image pair; PSF and SRF are used if given.
        config: Anything with attributes `subspace` (`SubspaceSettings`) and `ensemble` (`EnsembleSettings`).
        on_record: Called with one dict per stage.

    Returns:
        The fused cube with PSF, SRF, history and the choices that were made.

    Raises:
        DataError: The images, PSF, SRF or supports do not fit together.
    """
    started = time.perf_counter()
    settings: EnsembleSettings = config.ensemble
    seed = int(getattr(config, "seed", 0))
    subspace: SubspaceSettings = config.subspace.model_copy(
        update={"max_rank": max(settings.max_rank, config.subspace.max_rank)}
    )
    record, history = recorder(on_record)
    bands = observation.bands
    ground = prepare(observation, subspace)
    record("estimate", loss=ground.degradations.residual, rank=ground.rank)
    count = max(subspace.map_features, 1)
    prior, fit, axes = map_spectra(ground, [Kernel()], [count], np.random.default_rng(seed))
    base_left_out = fit.left_out @ axes.T
    base_error = held_out_rmse(base_left_out, bands)
    record("base", loss=base_error * ground.level)
    mean, left_out = ensemble(ground, settings, seed)
    error = held_out_rmse(left_out, bands)
    kept = error <= base_error
    record("ensemble", loss=error * ground.level, kept=kept)
    coeffs, _ = agree(ground, mean if kept else prior, subspace)
    refined = 0
    for _ in range(settings.refine_rounds if refine_radius(settings, observation.scale) else 0):
        coeffs, accepted = _refine(ground, coeffs, min(error, base_error), settings, subspace)
        refined += accepted
        record("refine", loss=0.0, kept=accepted)
        if not accepted:
            break
    return FusionResult(
        fused=to_cube(ground, coeffs, subspace, left_out if kept else base_left_out),
        psf=ground.degradations.psf,
        srf=ground.degradations.srf,
        history=history,
        method="ensemble",
        seconds=time.perf_counter() - started,
        extras={
            "rank": ground.rank,
            "psf_family": ground.degradations.psf_family,
            "supports": ground.degradations.supports,
            "msi_noise": ground.msi_noise * ground.level,
            "hsi_noise": ground.hsi_noise * ground.level,
            "base_held_out_rmse": base_error * ground.level,
            "ensemble_held_out_rmse": error * ground.level,
            "ensemble_kept": kept,
            "refined": refined,
            "agreement": ground.degradations.agreement,
            "notes": notes_on(ground),
        },
    )
