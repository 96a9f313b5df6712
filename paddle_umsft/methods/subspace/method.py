"""`method: subspace`: estimate both degradations, learn a map from MSI to spectra, make it agree with both images."""

from __future__ import annotations

import time
from typing import Any, Callable, Optional

import numpy as np

from paddle_umsft.config.subspace import SubspaceInput, SubspaceSettings
from paddle_umsft.data.records import OnRecord
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.methods.subspace.blend import blend
from paddle_umsft.methods.subspace.fitting import map_spectra
from paddle_umsft.methods.subspace.ground import (
    Ground,
    fit_weights,
    lay_ground,
    lr_weights,
    with_sharper_bands,
)
from paddle_umsft.methods.subspace.leftover import add_leftover
from paddle_umsft.methods.subspace.map_features import Kernel
from paddle_umsft.methods.subspace.outcome import choices_on, finished
from paddle_umsft.methods.subspace.solve import CoefficientProblem, edge_weights
from paddle_umsft.methods.subspace.stack import stack

# Weight of the prior mean in the solve, against about 1 for each image: small enough that the images decide wherever
# they say anything, large enough that what neither sees stays where the map put it.
PULL = 1e-2
# Largest weight of the MSI, reached without noise; the LR-HSI's is 1. The MSI sees every pixel of the result itself,
# so what it says is kept more closely.
MSI_WEIGHT = 10.0
TINY_VARIANCE = 1e-12
# What is told of the shares of two results in a band.
SHARE_DIGITS = 3


def agree(
    ground: Ground,
    prior: np.ndarray,
    settings: SubspaceSettings,
) -> tuple[np.ndarray, list[float]]:
    """Return the cube closest to `prior` that explains both images up to their noise.

    Args:
        ground: See `Ground`.
        prior: (H, W, K) coefficients.
        settings: Iterations, smoothness and edge.

    Returns:
        (H, W, K) coefficients and the solver's relative residuals.
    """
    lr_coeffs = (ground.lr_hsi @ ground.basis).astype(np.float32)  # (h, w, K)
    misfit = lr_coeffs - ground.operator.forward(prior)
    problem = problem_of(
        ground,
        prior,
        settings,
        weights=image_weights(ground, misfit[ground.kept]),
        edges=edge_weights(ground.hr_msi, settings.edge),
    )
    return problem.solve(settings.iterations)


def image_weights(ground: Ground, misfit: np.ndarray) -> tuple[float, float]:
    """How far each image may pull the coefficients away from the map.

    Args:
        ground: See `Ground`.
        misfit: (n, K) what the map misses at LR pixels.

    Returns:
        Weights of the LR-HSI and of the MSI.
    """
    # Prior variance per LR pixel over itself and the error variances: how far the data may pull. Where the images
    # contradict each other neither can be kept to the last digit: behind a wide PSF that would leave rings.
    variance = float(np.mean(misfit.astype(np.float64) ** 2)) + TINY_VARIANCE
    msi_error = ground.msi_noise**2 + ground.clash**2
    lr_weight = variance / (variance + ground.lr_error)
    msi_weight = MSI_WEIGHT * variance / (variance + MSI_WEIGHT * msi_error)
    return lr_weight, msi_weight


def problem_of(
    ground: Ground,
    prior: np.ndarray,
    settings: SubspaceSettings,
    *,
    weights: tuple[float, float],
    edges: tuple[np.ndarray, np.ndarray],
) -> CoefficientProblem:
    """The convex problem of a picture, or of a window of one.

    Args:
        ground: See `Ground`.
        prior: (H, W, K) coefficients.
        settings: Smoothness.
        weights: Of the LR-HSI and of the MSI, see `image_weights`.
        edges: See `edge_weights`.
    """
    basis = ground.basis
    lr_weight, msi_weight = weights
    msi_trust: Optional[np.ndarray] = None
    if not np.all(ground.prepared.msi_trust == 1):
        msi_trust = ground.prepared.msi_trust
    return CoefficientProblem(
        operator=ground.operator,
        mix=ground.degradations.srf @ basis,
        lr_coeffs=(ground.lr_hsi @ basis).astype(np.float32),  # (h, w, K)
        hr_msi=ground.hr_msi,
        prior=prior,
        lr_weight=lr_weight,
        msi_weight=msi_weight,
        smoothness=np.full(ground.rank, settings.smoothness),
        edges=edges,
        pull=np.full(ground.rank, PULL),
        lr_trust=lr_weights(ground),
        msi_trust=msi_trust,
    )


def held_out_rmse(left_out: np.ndarray, bands: int) -> float:
    """Root mean square over pixels and bands of (n, K) residuals in an orthonormal basis."""
    per_pixel = np.sum(left_out**2, axis=1)
    return float(np.sqrt(np.mean(per_pixel) / bands))


def to_cube(
    ground: Ground,
    coeffs: np.ndarray,
    settings: SubspaceSettings,
    left_out: Optional[np.ndarray] = None,
) -> tuple[np.ndarray, Optional[np.ndarray]]:
    """(H, W, K) coefficients to the (H, W, C) cube in the units of the input, not negative if the LR-HSI is light.

    Args:
        ground: See `Ground`.
        coeffs: (H, W, K).
        settings: Whether to blend and to bring back what is left over.
        left_out: (n, K) leave-one-out residuals, at the n LR pixels kept, of the map that the coefficients come from,
            if there was one.

    Returns:
        The cube, and the (h, w) mean squares of what it misses of the LR-HSI over `level`; None: nobody looked.
    """
    fused = coeffs @ ground.basis.T.astype(np.float32)  # (H, W, C)
    lr_trust = lr_weights(ground)
    if settings.blend and left_out is not None:
        blend(
            fused,
            ground.lr_hsi,
            ground.hr_msi,
            ground.operator,
            left_out,
            fit_weights(ground),
            ground.kept,
            ground.basis,
        )
    floor = ground.floor
    np.maximum(fused, floor, out=fused)
    missed: Optional[np.ndarray] = None
    if settings.leftover:
        missed = add_leftover(fused, ground.lr_hsi, ground.operator, lr_trust, floor=floor)
    fused *= np.float32(ground.level)
    return np.asarray(fused), missed


def one_map(
    ground: Ground,
    settings: SubspaceSettings,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Learn a single map, of one kernel.

    Args:
        ground: See `Ground`.
        settings: Number of features; one at least.
        seed: Draws them.

    Returns:
        (H, W, K) coefficients, and the map's (n, K) leave-one-out residuals at the n LR pixels kept.
    """
    count = max(settings.map_features, 1)
    coeffs, fit, axes = map_spectra(ground, [Kernel()], [count], np.random.default_rng(seed))
    return coeffs, fit.left_out @ axes.T


def single_map(settings: SubspaceSettings, seed: int) -> Callable[[Ground], np.ndarray]:
    """All steps from a ground to a cube with one map, for a trial one step coarser."""

    def fuse(ground: Ground) -> np.ndarray:
        prior, left_out = one_map(ground, settings, seed)
        coeffs, _ = agree(ground, prior, settings)
        cube, _ = to_cube(ground, coeffs, settings, left_out)
        return cube

    return fuse


def spline_coefficients(ground: Ground) -> np.ndarray:
    """(H, W, K) cubic-spline interpolation of the LR coefficients, each value at its LR pixel's centre."""
    from scipy.ndimage import zoom

    coeffs = (ground.lr_hsi @ ground.basis).astype(np.float32)
    if ground.prepared.placement is not None:
        return ground.operator.enlarge(coeffs)
    scale = ground.operator.scale
    stretched = zoom(
        coeffs,
        (scale, scale, 1),
        order=3,
        mode="nearest",
        grid_mode=True,
    )
    return np.asarray(stretched, dtype=np.float32)


def recorder(on_record: Optional[OnRecord]) -> tuple[Callable[..., None], list[dict[str, Any]]]:
    """A function that notes a stage with its values and the seconds so far, and the list it notes in."""
    started = time.perf_counter()
    history: list[dict[str, Any]] = []

    def record(stage: str, **values: Any) -> None:
        seconds = time.perf_counter() - started
        entry = {"stage": stage, "iteration": len(history), "seconds": seconds, **values}
        history.append(entry)
        if on_record is not None:
            on_record(entry)

    return record, history


def fuse_subspace(
    observation: Observation,
    settings: SubspaceInput,
    *,
    seed: int = 0,
    on_record: Optional[OnRecord] = None,
) -> FusionResult:
    """Fuse one scene.

    Args:
        observation: The image pair; PSF and SRF are used if given.
        settings: The sections `subspace` and `preparation`.
        seed: Draws the random features.
        on_record: Called with one dict per stage.

    Returns:
        The fused cube with PSF, SRF, history and the choices that were made.

    Raises:
        DataError: The images, PSF, SRF or supports do not fit together.
    """
    started = time.perf_counter()
    record, history = recorder(on_record)
    subspace = settings.subspace
    ground = lay_ground(observation, subspace, settings.preparation)
    record("estimate", loss=ground.degradations.residual, rank=ground.rank)

    extras = choices_on(ground)
    left_out: Optional[np.ndarray] = None
    if subspace.map_features:
        prior, left_out = one_map(ground, subspace, seed)
        if ground.band_operators is not None:
            ground = with_sharper_bands(ground, prior)
            prior, left_out = one_map(ground, subspace, seed)
        extras["held_out_rmse"] = held_out_rmse(left_out, observation.bands) * ground.level
        record("map", loss=extras["held_out_rmse"])
    else:
        prior = spline_coefficients(ground)

    coeffs, curve = agree(ground, prior, subspace)
    last = 0.0
    if curve:
        last = curve[-1]
    record("solve", loss=last, steps=len(curve))
    fused, missed = to_cube(ground, coeffs, subspace, left_out)
    if subspace.stack and subspace.map_features:
        plain_share = stack(ground, fused, single_map(subspace, seed), missed=missed)
        extras["plain_share"] = plain_share.round(SHARE_DIGITS).tolist()
    return finished(
        ground,
        fused,
        left_out,
        history=history,
        method="subspace",
        seconds=time.perf_counter() - started,
        extras=extras,
    )
