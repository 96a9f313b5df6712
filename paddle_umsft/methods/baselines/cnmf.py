"""CNMF, coupled non-negative matrix factorisation."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.methods.baselines.bicubic import bicubic_upsample
from paddle_umsft.methods.baselines.guesses import find_psf, fit_srf

_TINY = 1e-9


def extreme_spectra(pixels: np.ndarray, count: int) -> np.ndarray:
    """Picks start spectra by successive projection: each is the pixel that those before it explain least.

    Args:
        pixels: (n, C).
        count: How many, at most C and n.

    Returns:
        (C, count').

    References:
        U. Araújo et al., "The successive projections algorithm for variable selection", Chemom. Intell. Lab. Syst.
        57, 2001. (The paper on CNMF takes VCA, its randomised relative; this one needs no seed.)
    """
    left = pixels.astype(np.float64).copy()
    chosen: list[int] = []
    for _ in range(min(count, *pixels.shape)):
        power = np.einsum("nc,nc->n", left, left)
        best = int(np.argmax(power))
        if power[best] <= _TINY:
            break
        chosen.append(best)
        direction = left[best] / np.sqrt(power[best])
        left -= np.outer(left @ direction, direction)
    return np.maximum(pixels[chosen].T, _TINY) if chosen else np.full((pixels.shape[1], 1), _TINY)


def _improve(
    data: np.ndarray, spectra: np.ndarray, abundances: np.ndarray, sweeps: int, free_spectra: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Lee and Seung's multiplicative updates for data ≈ spectra @ abundances, stopped when they hardly move.

    Args:
        data: (C, n).
        spectra: (C, p).
        abundances: (p, n).
        sweeps: Largest number of rounds.
        free_spectra: Whether the spectra move too.

    Returns:
        Spectra and abundances.
    """
    energy = float(np.sum(data.astype(np.float64) ** 2)) + _TINY
    before = np.inf
    for sweep in range(sweeps):
        if free_spectra:
            spectra = spectra * (data @ abundances.T) / np.maximum(spectra @ (abundances @ abundances.T), _TINY)
        cross, gram = spectra.T @ data, spectra.T @ spectra
        abundances = abundances * cross / np.maximum(gram @ abundances, _TINY)
        if sweep % 10 == 9:
            error = (energy - 2 * np.sum(abundances * cross) + np.sum(gram * (abundances @ abundances.T))) / energy
            if before - error < 1e-3 * abs(error):
                break
            before = float(error)
    return spectra, abundances


def fuse_cnmf(
    observation: Observation,
    config: Any = None,
    on_record: Callable[[dict[str, Any]], None] | None = None,
    *,
    endmembers: int = 30,
    rounds: int = 4,
    sweeps: int = 200,
) -> FusionResult:
    """Unmixes both images in turn, the HSI for its spectra, the MSI for its abundances, each starting the other.

    lr_hsi ≈ W·A_low and hr_msi ≈ (SRF·W)·A with A_low = PSF(A); the result is W·A. Updates are Lee and Seung's. The
    sum of the abundances is left free, because close-up scenes are shaded. Where PSF and SRF are unknown, the PSF is
    the box or Gaussian that fits best, and the SRF comes from non-negative least squares within the supports.

    Args:
        observation: What the cameras saw.
        config: Not used; here because every method is called alike.
        on_record: Called after each round with stage, iteration and both relative errors.
        endmembers: Number of spectra p.
        rounds: Outer rounds.
        sweeps: Largest number of updates of one factorisation.

    Returns:
        (H, W, C) cube, and PSF and SRF in use.

    References:
        N. Yokoya, T. Yairi, A. Iwasaki, "Coupled nonnegative matrix factorization unmixing for hyperspectral and
        multispectral data fusion", IEEE TGRS 50(2), 2012.
    """
    start = time.perf_counter()
    (height, width), scale = observation.shape, observation.scale
    spatial = SpatialDegradation(find_psf(observation), scale)
    srf = observation.srf
    if srf is None:
        srf = fit_srf(observation.lr_hsi, spatial.forward(observation.hr_msi), observation)[0]
    srf = np.asarray(srf, dtype=np.float32)
    low = np.maximum(observation.lr_hsi.reshape(-1, observation.bands).T, 0).astype(np.float32)  # (C, n)
    high = np.maximum(observation.hr_msi.reshape(-1, observation.msi_bands).T, 0).astype(np.float32)  # (M, N)

    spectra = extreme_spectra(low.T, endmembers).astype(np.float32)
    count = spectra.shape[1]
    first = np.full((count, low.shape[1]), 1.0 / count, dtype=np.float32)
    first = _improve(low, spectra, first, sweeps, free_spectra=False)[1]
    spectra, low_abundances = _improve(low, spectra, first, sweeps, free_spectra=True)
    h, w = observation.lr_hsi.shape[:2]
    maps = bicubic_upsample(low_abundances.T.reshape(h, w, count), scale)
    abundances = np.maximum(maps.reshape(-1, count).T, _TINY)  # (p, N)
    history: list[dict[str, Any]] = []
    for iteration in range(rounds):
        abundances = _improve(high, srf @ spectra, abundances, sweeps, free_spectra=False)[1]
        low_abundances = spatial.forward(abundances.T.reshape(height, width, count)).reshape(-1, count).T
        spectra, low_abundances = _improve(low, spectra, low_abundances, sweeps, free_spectra=True)
        record = {
            "stage": "cnmf",
            "iteration": iteration + 1,
            "hsi_error": _relative(low, spectra @ low_abundances),
            "msi_error": _relative(high, (srf @ spectra) @ abundances),
        }
        history.append(record)
        if on_record is not None:
            on_record(record)
    fused = (spectra @ abundances).T.reshape(height, width, -1)
    return FusionResult(
        fused=np.ascontiguousarray(fused, dtype=np.float32),
        psf=spatial.psf,
        srf=srf,
        history=history,
        method="cnmf",
        seconds=time.perf_counter() - start,
    )


def _relative(data: np.ndarray, model: np.ndarray) -> float:
    """Root of the squared error relative to the data's energy."""
    return float(np.linalg.norm(data - model) / max(float(np.linalg.norm(data)), _TINY))
