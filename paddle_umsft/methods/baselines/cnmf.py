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
TINY_LEVEL = 1e-300
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
    bands = pixels.shape[1]
    left = pixels.astype(np.float64)  # a copy, even of float64
    chosen: list[int] = []
    for _ in range(min(count, *pixels.shape)):
        power = np.einsum("nc,nc->n", left, left)
        best = int(np.argmax(power))
        if power[best] <= TINY:
            break
        chosen.append(best)
        length = np.sqrt(power[best])
        direction = left[best] / length
        shares = left @ direction  # (n,)
        left -= np.outer(shares, direction)
    if not chosen:
        # An image that is all dark still needs a spectrum to start from.
        return np.full((bands, 1), TINY)
    spectra = pixels[chosen].T  # (C, count')
    return np.asarray(np.maximum(spectra, TINY))


def _relative_energy(
    energy: float,
    abundances: np.ndarray,
    cross: np.ndarray,
    gram: np.ndarray,
) -> float:
    """|data - spectra abundances|^2 over |data|^2, from what the updates hold anyway and without a (C, n) array.

    Args:
        energy: |data|^2.
        abundances: (p, n).
        cross: (p, n) spectra' data.
        gram: (p, p) spectra' spectra.

    Returns:
        The squared error relative to the energy.
    """
    explained = 2 * np.sum(abundances * cross)
    moments = abundances @ abundances.T  # (p, p)
    model = np.sum(gram * moments)
    error = energy - explained + model
    return float(error / energy)


def _improve(
    data: np.ndarray,
    spectra: np.ndarray,
    abundances: np.ndarray,
    *,
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
    values = data.astype(np.float64)
    energy = float(np.sum(values**2)) + TINY
    before = np.inf
    for sweep in range(1, sweeps + 1):
        if free_spectra:
            wanted = data @ abundances.T  # (C, p)
            moments = abundances @ abundances.T  # (p, p)
            made = spectra @ moments  # (C, p)
            spectra = spectra * wanted / np.maximum(made, TINY)
        cross = spectra.T @ data  # (p, n)
        gram = spectra.T @ spectra  # (p, p)
        made = gram @ abundances  # (p, n)
        abundances = abundances * cross / np.maximum(made, TINY)
        if sweep % SWEEPS_PER_CHECK == 0:
            error = _relative_energy(
                energy,
                abundances=abundances,
                cross=cross,
                gram=gram,
            )
            if before - error < STALLED * abs(error):
                break
            before = error
    return spectra, abundances


def _as_columns(image: np.ndarray) -> np.ndarray:
    """(h, w, B) to (B, h * w) float32 without negative values."""
    bands = image.shape[2]
    columns = image.reshape(-1, bands).T
    positive = np.maximum(columns, 0)
    return np.asarray(positive, dtype=np.float32)


def _as_image(
    columns: np.ndarray,
    height: int,
    width: int,
) -> np.ndarray:
    """(B, h * w) to (h, w, B)."""
    bands = len(columns)
    image = columns.T.reshape(height, width, bands)
    return np.asarray(image)


def _start(
    low: np.ndarray,
    endmembers: int,
    sweeps: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Extreme pixels as spectra, their abundances at low resolution, then both together.

    Args:
        low: (C, n) LR-HSI.
        endmembers: Number of spectra.
        sweeps: Largest number of updates of one factorisation.

    Returns:
        Spectra (C, p) and abundances (p, n).
    """
    spectra = extreme_spectra(low.T, endmembers)
    spectra = spectra.astype(np.float32)  # (C, p)
    count = spectra.shape[1]
    pixels = low.shape[1]
    even = np.full((count, pixels), 1.0 / count, dtype=np.float32)
    _, abundances = _improve(
        low,
        spectra,
        even,
        sweeps=sweeps,
        free_spectra=False,
    )
    return _improve(
        low,
        spectra,
        abundances,
        sweeps=sweeps,
        free_spectra=True,
    )


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
    lr_msi = spatial.forward(observation.hr_msi)
    srf = find_srf(observation, lr_msi)
    srf = np.asarray(srf, dtype=np.float32)
    # About 1, so that "tiny" means the same in all units.
    level = float(np.sqrt(np.mean(np.square(observation.lr_hsi, dtype=np.float64)))) + TINY_LEVEL
    low = _as_columns(observation.lr_hsi / level)  # (C, n)
    high = _as_columns(observation.hr_msi / level)  # (M, N)

    spectra, low_abundances = _start(low, endmembers, sweeps)
    count = spectra.shape[1]
    low_maps = _as_image(low_abundances, lr_height, lr_width)  # (h, w, p)
    maps = bicubic_upsample(low_maps, observation.scale)  # (H, W, p)
    abundances = maps.reshape(-1, count).T  # (p, N)
    abundances = np.maximum(abundances, TINY)

    history: list[dict[str, Any]] = []
    for iteration in range(rounds):
        # The MSI for the abundances, with the spectra as the multispectral camera sees them ...
        _, abundances = _improve(
            high,
            srf @ spectra,
            abundances,
            sweeps=sweeps,
            free_spectra=False,
        )
        # ... and the HSI for the spectra, with the abundances as the hyperspectral camera sees them.
        maps = _as_image(abundances, height, width)
        low_maps = spatial.forward(maps)  # (h, w, p)
        spectra, low_abundances = _improve(
            low,
            spectra,
            low_maps.reshape(-1, count).T,
            sweeps=sweeps,
            free_spectra=True,
        )
        made_low = spectra @ low_abundances
        made_high = (srf @ spectra) @ abundances
        entry = {
            "stage": "cnmf",
            "iteration": iteration + 1,
            "hsi_error": _relative(low, made_low),
            "msi_error": _relative(high, made_high),
        }
        history.append(entry)
        if on_record is not None:
            on_record(entry)
    fused = level * _as_image(spectra @ abundances, height, width)
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
    misfit = np.linalg.norm(data - model)
    return float(misfit / max(norm, TINY))
