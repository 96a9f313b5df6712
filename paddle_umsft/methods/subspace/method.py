"""`method: subspace`: estimate both degradations, learn a map from MSI to spectra, make it agree with both images."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Callable, Optional

import numpy as np

from paddle_umsft.cameras.operators import PsfOperator
from paddle_umsft.config.subspace import SubspaceSettings
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.errors import DataError
from paddle_umsft.methods.subspace.blend import blend
from paddle_umsft.methods.subspace.leftover import add_leftover
from paddle_umsft.methods.subspace.rank import choose_rank
from paddle_umsft.methods.subspace.solve import CoefficientProblem, edge_weights
from paddle_umsft.methods.subspace.spectral_map import Features, Kernel, MapFit, PixelInputs, fit_map
from paddle_umsft.preparation.estimate import Degradations, estimate

Record = Optional[Callable[[dict[str, Any]], None]]
STRIP_VALUES = 8_000_000
# Noise puts a little below zero; more is no image of light, and the result has nothing below zero.
BELOW_ZERO = 0.02
# Below this share of explained variance the two images hardly show the same scene through one PSF and one SRF.
AGREEMENT = 0.9


@dataclass
class Ground:
    """Everything about an observation that the solver and the correction on top of it share.

    Attributes:
        lr_hsi: (h, w, C) float32, divided by `level`.
        hr_msi: (H, W, M) float32, divided by `level`.
        level: Root mean square of the LR-HSI, so that the arithmetic is about 1.
        degradations: PSF and SRF.
        operator: The PSF as an operator.
        rank: K.
        basis: (C, K) orthonormal spectral basis.
        msi_noise: Noise standard deviation of the MSI, relative to `level`.
        hsi_noise: The same for the LR-HSI, mean over bands.
        lift: (C, M) linear estimate of a spectrum from its MSI pixel.
        inputs: Prepared MSI.
    """

    lr_hsi: np.ndarray
    hr_msi: np.ndarray
    level: float
    degradations: Degradations
    operator: PsfOperator
    rank: int
    basis: np.ndarray
    msi_noise: float
    hsi_noise: float
    lift: np.ndarray
    inputs: PixelInputs


def check_images(observation: Observation) -> None:
    """Refuse what cannot be fused.

    Raises:
        DataError: Wrong number of axes, sizes that do not agree, values that are not finite or below zero, or all zero.
    """
    for name, image in (("lr_hsi", observation.lr_hsi), ("hr_msi", observation.hr_msi)):
        if image.ndim != 3 or 0 in image.shape:
            raise DataError("must be (rows, columns, bands)", where=name, got=image.shape)
        if not np.all(np.isfinite(image)):
            raise DataError("values that are not finite", where=name, got=int(np.sum(~np.isfinite(image))))
        if not np.any(image):
            raise DataError("the image is all zero", where=name)
        energy = np.square(image, dtype=np.float64)
        below = float(energy[image < 0].sum() / energy.sum())
        if below > BELOW_ZERO:
            hint = "undo what made them negative (a subtracted mean?), or take method=gsa"
            raise DataError("values below zero", where=name, got=f"{100 * below:.3g} % of its energy", hint=hint)
    height, width = observation.lr_hsi.shape[:2]
    scale = observation.scale
    if scale < 1 or (height * scale, width * scale) != observation.shape:
        expected = f"{height * scale}x{width * scale}"
        got = "x".join(map(str, observation.shape))
        raise DataError("size does not agree with LR-HSI and scale", where="hr_msi", expected=expected, got=got)


def prepare(observation: Observation, settings: SubspaceSettings) -> Ground:
    """Degradations, subspace, noise and the linear estimate.

    Args:
        observation: The image pair.
        settings: See `SubspaceSettings`.

    Returns:
        What both methods build on.

    Raises:
        DataError: See `check_images` and `estimate`.
    """
    check_images(observation)
    level = float(np.sqrt(np.mean(np.square(observation.lr_hsi, dtype=np.float64))))
    degradations = estimate(observation, settings)
    operator = PsfOperator(degradations.psf, observation.scale, observation.shape)
    lr_hsi = (observation.lr_hsi / level).astype(np.float32)
    hr_msi = (observation.hr_msi / level).astype(np.float32)
    pixels = lr_hsi.reshape(-1, lr_hsi.shape[2]).astype(np.float64)
    rank, band_noise = choose_rank(pixels, settings.max_rank, least=observation.msi_bands)
    if settings.rank is not None:
        rank = min(settings.rank, pixels.shape[1], pixels.shape[0])
    _, values, right = np.linalg.svd(pixels, full_matrices=False)
    basis = right[:rank].T
    # What PSF(msi) and SRF(lr_hsi) disagree by bounds the noise of both.
    disagree = degradations.residual / level
    msi_noise = min(_pixel_noise(hr_msi), disagree / np.sqrt(np.sum(degradations.psf**2)))
    mix = degradations.srf @ basis
    power = values[:rank] ** 2 / len(pixels)
    seen = mix @ (power[:, None] * mix.T)
    ridge = msi_noise**2 + 1e-9 * np.trace(seen) / len(seen) + 1e-30
    lift = basis @ (power[:, None] * mix.T) @ np.linalg.inv(seen + ridge * np.eye(len(seen)))
    return Ground(
        lr_hsi,
        hr_msi,
        level,
        degradations,
        operator,
        rank,
        basis,
        float(msi_noise),
        float(np.sqrt(np.mean(band_noise**2))),
        lift.astype(np.float32),
        PixelInputs.of(hr_msi),
    )


def _pixel_noise(image: np.ndarray) -> float:
    """Robust noise level, mean over bands: median of the finest diagonal differences over 0.6745."""
    diagonal = (image[1:, 1:] - image[1:, :-1] - image[:-1, 1:] + image[:-1, :-1]) / 2.0
    if not diagonal.size:
        return 0.0
    return float(np.sqrt(np.mean((np.median(np.abs(diagonal), axis=(0, 1)) / 0.6745) ** 2)))


def map_spectra(
    ground: Ground,
    kernels: list[Kernel],
    counts: list[int],
    rng: np.random.Generator,
    *,
    gamma: float = 0.5,
    caution: float = 3.0,
) -> tuple[np.ndarray, MapFit, np.ndarray]:
    """Linear estimate plus the learned map of what it misses.

    Args:
        ground: See `Ground`.
        kernels: Kernels whose features are stacked.
        counts: Number of features of each.
        rng: Source of the random features.
        gamma: LR pixels weigh brightness to the power -2 gamma, so that dark spectra count as well.
        caution: Factor on the likeliest ridge.

    Returns:
        (H, W, K) coefficients, the fit, and the (K, K) rotation of its columns.
    """
    operator, basis = ground.operator, ground.basis.astype(np.float32)
    coeffs: np.ndarray = ground.hr_msi @ (ground.lift.T @ basis)
    missing = ground.lr_hsi @ basis - operator.forward(coeffs)
    flat = missing.reshape(-1, ground.rank).astype(np.float64)
    axes = np.linalg.eigh(flat.T @ flat)[1][:, ::-1]
    features = [Features(ground.inputs, k, c, rng) for k, c in zip(kernels, counts)]
    blurred = np.concatenate([f.blurred(operator) for f in features], axis=1)
    brightness = operator.forward(ground.inputs.brightness[..., None]).ravel() / ground.inputs.level
    trust = (np.maximum(brightness, 0.0) + 0.05) ** -gamma
    fit = fit_map(blurred, flat @ axes, trust, caution=caution)
    weights = (fit.weights @ axes.T).astype(np.float32)
    height, width = operator.shape
    step = max(1, STRIP_VALUES // (width * sum(counts)))
    for top in range(0, height, step):
        index = np.arange(top, min(top + step, height))
        start = 0
        for feature, count in zip(features, counts):
            coeffs[index] += feature.rows(index) @ weights[start : start + count]
            start += count
    return coeffs, fit, axes


def agree(ground: Ground, prior: np.ndarray, settings: SubspaceSettings) -> tuple[np.ndarray, list[float]]:
    """The cube closest to `prior` that explains both images up to their noise.

    Args:
        ground: See `Ground`.
        prior: (H, W, K) coefficients.
        settings: Iterations, smoothness and edge.

    Returns:
        (H, W, K) coefficients and the solver's relative residuals.
    """
    basis = ground.basis
    lr_coeffs = (ground.lr_hsi @ basis).astype(np.float32)
    rest = lr_coeffs - ground.operator.forward(prior)
    # Prior variance per LR pixel over the noise variances: what the data may pull.
    spread = float(np.mean(rest.astype(np.float64) ** 2)) + 1e-12
    pull = np.full(ground.rank, 1e-2)
    lr_weight = spread / (spread + ground.hsi_noise**2)
    msi_weight = 10.0 * spread / (spread + 10.0 * ground.msi_noise**2)
    smoothness = np.full(ground.rank, settings.smoothness)
    problem = CoefficientProblem(
        ground.operator,
        ground.degradations.srf @ basis,
        lr_coeffs,
        ground.hr_msi,
        prior,
        lr_weight=lr_weight,
        msi_weight=msi_weight,
        smoothness=smoothness,
        edges=edge_weights(ground.hr_msi, settings.edge),
        pull=pull,
    )
    return problem.solve(settings.iterations)


def notes_on(ground: Ground) -> list[str]:
    """What a user should know before trusting the result."""
    agreement = ground.degradations.agreement
    if agreement >= AGREEMENT:
        return []
    return [
        f"PSF and SRF explain only {100 * max(agreement, 0.0):.0f} % of what the two images share: are they of one "
        "scene, aligned, linear (no gamma) and, if PSF or SRF were given, on one scale? method=gsa depends less on that"
    ]


def held_out_rmse(left_out: np.ndarray, bands: int) -> float:
    """Root mean square over pixels and bands of (n, K) residuals in an orthonormal basis."""
    return float(np.sqrt(np.mean(np.sum(left_out**2, axis=1)) / bands))


def to_cube(
    ground: Ground, coeffs: np.ndarray, settings: SubspaceSettings, left_out: Optional[np.ndarray] = None
) -> np.ndarray:
    """(H, W, K) coefficients to the non-negative (H, W, C) cube in the units of the input.

    Args:
        ground: See `Ground`.
        coeffs: (H, W, K).
        settings: Whether to blend and to bring back what is left over.
        left_out: (h*w, K) leave-one-out residuals of the map that the coefficients come from, if there was one.
    """
    fused = coeffs @ ground.basis.T.astype(np.float32)
    if settings.blend and left_out is not None:
        blend(fused, ground.lr_hsi, ground.hr_msi, ground.operator, left_out @ ground.basis.T)
    np.maximum(fused, 0.0, out=fused)
    if settings.leftover:
        add_leftover(fused, ground.lr_hsi, ground.operator)
    fused *= np.float32(ground.level)
    return np.asarray(fused)


def bicubic_coefficients(ground: Ground) -> np.ndarray:
    """(H, W, K) cubic-spline interpolation of the LR coefficients, each value at its LR pixel's centre."""
    from scipy.ndimage import zoom

    coeffs = (ground.lr_hsi @ ground.basis).astype(np.float32)
    scale = ground.operator.scale
    return np.asarray(zoom(coeffs, (scale, scale, 1), order=3, mode="nearest", grid_mode=True), dtype=np.float32)


def recorder(on_record: Record) -> tuple[Callable[..., None], list[dict[str, Any]]]:
    """A function that notes a stage with its values and the seconds so far, and the list it notes in."""
    started = time.perf_counter()
    history: list[dict[str, Any]] = []

    def record(stage: str, **values: Any) -> None:
        entry = {"stage": stage, "iteration": len(history), "seconds": time.perf_counter() - started, **values}
        history.append(entry)
        if on_record is not None:
            on_record(entry)

    return record, history


def fuse_subspace(observation: Observation, config: Any, on_record: Record = None) -> FusionResult:
    """Fuse one scene.

    Args:
        observation: The image pair; PSF and SRF are used if given.
        config: Anything with an attribute `subspace` (`SubspaceSettings`); its `seed` is used if it has one.
        on_record: Called with one dict per stage.

    Returns:
        The fused cube with PSF, SRF, history and the choices that were made.

    Raises:
        DataError: The images, PSF, SRF or supports do not fit together.
    """
    started = time.perf_counter()
    settings: SubspaceSettings = config.subspace
    record, history = recorder(on_record)
    ground = prepare(observation, settings)
    record("estimate", loss=ground.degradations.residual, rank=ground.rank)
    extras: dict[str, Any] = {
        "rank": ground.rank,
        "psf_family": ground.degradations.psf_family,
        "supports": ground.degradations.supports,
        "msi_noise": ground.msi_noise * ground.level,
        "hsi_noise": ground.hsi_noise * ground.level,
        "agreement": ground.degradations.agreement,
        "notes": notes_on(ground),
    }
    left_out: Optional[np.ndarray] = None
    if settings.map_features:
        rng = np.random.default_rng(int(getattr(config, "seed", 0)))
        prior, fit, axes = map_spectra(ground, [Kernel()], [settings.map_features], rng)
        left_out = fit.left_out @ axes.T
        extras["held_out_rmse"] = held_out_rmse(left_out, observation.bands) * ground.level
        record("map", loss=extras["held_out_rmse"])
    else:
        prior = bicubic_coefficients(ground)
    coeffs, curve = agree(ground, prior, settings)
    record("solve", loss=curve[-1] if curve else 0.0, steps=len(curve))
    return FusionResult(
        fused=to_cube(ground, coeffs, settings, left_out),
        psf=ground.degradations.psf,
        srf=ground.degradations.srf,
        history=history,
        method="subspace",
        seconds=time.perf_counter() - started,
        extras=extras,
    )
