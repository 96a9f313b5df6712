"""CNMF, coupled non-negative matrix factorisation."""

from __future__ import annotations

import time
from typing import Any, Optional

import numpy as np

from paddle_umsft.cameras.resize import bicubic_upsample
from paddle_umsft.data.records import OnRecord
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.methods.baselines.guesses import find_operator, find_srf

# Keeps factors positive (a zero never moves again under multiplicative updates) and denominators away from zero.
TINY = 1e-9
# The error is looked at every so many updates, and they stop once it falls by less than this part of itself.
SWEEPS_PER_CHECK = 10
STALLED = 1e-3


def extreme_spectra(pixels: np.ndarray, count: int) -> np.ndarray:
    """Pick start spectra by successive projection: each is the pixel that those before it explain least.

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
        if power[best] <= TINY:
            break
        chosen.append(best)
        direction = left[best] / np.sqrt(power[best])
        left -= np.outer(left @ direction, direction)
    if not chosen:
        return np.full((pixels.shape[1], 1), TINY)
    return np.asarray(np.maximum(pixels[chosen].T, TINY))


def _improve(
    data: np.ndarray,
    spectra: np.ndarray,
    abundances: np.ndarray,
    sweeps: int,
    free_spectra: bool,
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
    energy = float(np.sum(data.astype(np.float64) ** 2)) + TINY
    before = np.inf
    for sweep in range(1, sweeps + 1):
        if free_spectra:
            numerator = spectra * (data @ abundances.T)  # (C, p)
            denominator = spectra @ (abundances @ abundances.T)
            spectra = numerator / np.maximum(denominator, TINY)
        cross = spectra.T @ data  # (p, n)
        gram = spectra.T @ spectra  # (p, p)
        abundances = abundances * cross / np.maximum(gram @ abundances, TINY)
        if sweep % SWEEPS_PER_CHECK == 0:
            # |data - spectra abundances|^2, from what is at hand and without a (C, n) array.
            explained = 2 * np.sum(abundances * cross)
            model = np.sum(gram * (abundances @ abundances.T))
            error = (energy - explained + model) / energy
            if before - error < STALLED * abs(error):
                break
            before = float(error)
    return spectra, abundances


def _as_columns(image: np.ndarray) -> np.ndarray:
    """(h, w, B) to (B, h * w) float32 without negative values."""
    columns = image.reshape(-1, image.shape[2]).T
    return np.asarray(np.maximum(columns, 0), dtype=np.float32)


def fuse_cnmf(
    observation: Observation,
    settings: None = None,
    *,
    seed: int = 0,
    on_record: Optional[OnRecord] = None,
    endmembers: int = 30,
    rounds: int = 4,
    sweeps: int = 200,
) -> FusionResult:
    """Unmix both images in turn, the HSI for its spectra, the MSI for its abundances, each starting the other.

    lr_hsi ≈ W·A_low and hr_msi ≈ (SRF·W)·A with A_low = PSF(A); the result is W·A. Updates are Lee and Seung's. The
    sum of the abundances is left free, because close-up scenes are shaded. Where PSF and SRF are unknown, the PSF is
    the box or Gaussian that fits best, and the SRF comes from non-negative least squares within the supports.

    Args:
        observation: What the cameras saw.
        settings: None: what could be set are the arguments below.
        seed: Not used: nothing is drawn.
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
    height, width = observation.shape
    lr_height, lr_width = observation.lr_hsi.shape[:2]
    spatial = find_operator(observation)
    srf = find_srf(observation, spatial.forward(observation.hr_msi))
    srf = np.asarray(srf, dtype=np.float32)
    low = _as_columns(observation.lr_hsi)  # (C, n)
    high = _as_columns(observation.hr_msi)  # (M, N)

    # Start: extreme pixels as spectra W, their abundances at low resolution, then both together.
    spectra = extreme_spectra(low.T, endmembers).astype(np.float32)  # (C, p)
    count = spectra.shape[1]
    even = np.full((count, low.shape[1]), 1.0 / count, dtype=np.float32)
    _, low_abundances = _improve(low, spectra, even, sweeps, free_spectra=False)
    spectra, low_abundances = _improve(low, spectra, low_abundances, sweeps, free_spectra=True)
    low_maps = low_abundances.T.reshape(lr_height, lr_width, count)
    maps = bicubic_upsample(low_maps, observation.scale)  # (H, W, p)
    abundances = np.maximum(maps.reshape(-1, count).T, TINY)  # (p, N)

    history: list[dict[str, Any]] = []
    for iteration in range(rounds):
        # The MSI for the abundances, with the spectra as the multispectral camera sees them ...
        _, abundances = _improve(high, srf @ spectra, abundances, sweeps, free_spectra=False)
        # ... and the HSI for the spectra, with the abundances as the hyperspectral camera sees them.
        maps = abundances.T.reshape(height, width, count)
        low_abundances = spatial.forward(maps).reshape(-1, count).T  # (p, n)
        spectra, low_abundances = _improve(low, spectra, low_abundances, sweeps, free_spectra=True)
        entry = {
            "stage": "cnmf",
            "iteration": iteration + 1,
            "hsi_error": _relative(low, spectra @ low_abundances),
            "msi_error": _relative(high, (srf @ spectra) @ abundances),
        }
        history.append(entry)
        if on_record is not None:
            on_record(entry)
    fused = (spectra @ abundances).T.reshape(height, width, -1)
    return FusionResult(
        fused=np.ascontiguousarray(fused, dtype=np.float32),
        psf=spatial.psf,
        srf=srf,
        history=history,
        method="cnmf",
        extras={"border": spatial.border},
        seconds=time.perf_counter() - start,
    )


def _relative(data: np.ndarray, model: np.ndarray) -> float:
    """Root of the squared error relative to the data's energy."""
    norm = float(np.linalg.norm(data))
    return float(np.linalg.norm(data - model) / max(norm, TINY))
