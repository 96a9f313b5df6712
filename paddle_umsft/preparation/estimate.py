"""PSF and SRF together: given ones are used as given, the others are estimated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np

from paddle_umsft.cameras.operators import PsfOperator
from paddle_umsft.config.subspace import SubspaceSettings
from paddle_umsft.data.scene import Observation
from paddle_umsft.errors import ConfigError, DataError
from paddle_umsft.preparation.psf_fit import EXACT, PsfFit, fit_psf
from paddle_umsft.preparation.srf_fit import check_supports, fit_srf

Ranges = list[tuple[int, int]]


@dataclass
class Degradations:
    """Both degradations as the solver uses them.

    Attributes:
        psf: (k, k), sum 1.
        srf: (M, C).
        psf_family: "given", a family's name, or "free".
        supports: "given SRF", "as given", "overruled" or "whole range".
        residual: Root mean square of PSF(msi) - SRF(lr_hsi).
        agreement: Share of the variance of PSF(msi) that SRF(lr_hsi) explains, 1 at best.
    """

    psf: np.ndarray
    srf: np.ndarray
    psf_family: str
    supports: str
    residual: float
    agreement: float


def _check_known(observation: Observation) -> tuple[Optional[np.ndarray], Optional[np.ndarray]]:
    """Known PSF and SRF as float64 arrays of the right shape."""
    psf = None if observation.psf is None else np.asarray(observation.psf, dtype=np.float64)
    srf = None if observation.srf is None else np.asarray(observation.srf, dtype=np.float64)
    wanted = (observation.msi_bands, observation.bands)
    if srf is not None and srf.shape != wanted:
        raise DataError("SRF of another shape than (MSI bands, HSI bands)", where="srf", expected=wanted, got=srf.shape)
    if psf is not None and (psf.ndim != 2 or psf.shape[0] != psf.shape[1]):
        raise DataError("a PSF must be square", where="psf", got=psf.shape)
    return psf, srf


def _blind_psf(observation: Observation, options: list[Ranges], settings: SubspaceSettings) -> tuple[PsfFit, Ranges]:
    """The PSF, with the SRF unknown; supports and whole range compete by the information criterion."""
    chosen: Optional[tuple[float, PsfFit, Ranges]] = None
    count = np.log(observation.lr_hsi.shape[0] * observation.lr_hsi.shape[1] * observation.msi_bands)
    level = float(np.sqrt(np.mean(np.square(observation.lr_hsi, dtype=np.float64))))
    sizes = None if settings.psf_size is None else [settings.psf_size]
    free = settings.free_psf
    # The whole range first: where it explains the pair exactly, the narrower one need only be tried with that window.
    for ranges in reversed(options):
        found = fit_psf(observation.lr_hsi, observation.hr_msi, observation.scale, ranges, sizes=sizes, free=free)
        # Smoothness ties neighbouring bands, so a wide support has fewer degrees of freedom than bands.
        freedom = sum(min(high - low, 31) for low, high in ranges)
        criterion = found.criterion + freedom * float(count)
        if chosen is None or criterion < chosen[0]:
            chosen = (criterion, found, ranges)
        if found.residual < EXACT * level:
            sizes, free = [found.psf.shape[0]], False
    assert chosen is not None
    return chosen[1], chosen[2]


def estimate(observation: Observation, settings: SubspaceSettings) -> Degradations:
    """Estimate what is not given.

    Args:
        observation: The image pair, with or without PSF, SRF and supports.
        settings: See `SubspaceSettings`.

    Returns:
        Both degradations.

    Raises:
        ConfigError: The PSF's window is longer than the image or than three LR pixels.
        DataError: Given PSF, SRF or supports do not fit the images.
    """
    psf, srf = _check_known(observation)
    longest = min(*observation.shape, 3 * observation.scale + 1)
    if settings.psf_size is not None and settings.psf_size > longest:
        raise ConfigError(
            "window of the PSF", where="subspace.psf_size", expected=f"at most {longest}", got=settings.psf_size
        )
    bands, msi_bands, scale = observation.bands, observation.msi_bands, observation.scale
    whole = check_supports(None, bands, msi_bands)
    given = check_supports(observation.supports, bands, msi_bands)
    if observation.supports is None or settings.supports == "ignore":
        options = [whole]
    elif settings.supports == "trust" or given == whole:
        options = [given]
    else:
        options = [given, whole]
    note = "given SRF" if srf is not None else ("whole range" if options[0] == whole else "as given")
    family, ranges = "given", options[0]
    if psf is None and srf is not None:
        found = fit_psf(observation.lr_hsi, observation.hr_msi, scale, whole, srf=srf, free=settings.free_psf)
        psf, family = found.psf, found.family
    elif psf is None:
        found, ranges = _blind_psf(observation, options, settings)
        psf, family = found.psf, found.family
        note = "overruled" if ranges != options[0] else note
    shape = observation.shape
    lr_msi = PsfOperator(psf, scale, shape, dtype=np.float64).forward(observation.hr_msi)
    if srf is None:
        srf = fit_srf(observation.lr_hsi, lr_msi, ranges, wavelengths_nm=observation.wavelengths_nm)
        if family == "given" and len(options) == 2:
            # With the PSF given, nothing has compared supports and whole range so far.
            wide = fit_srf(observation.lr_hsi, lr_msi, whole, wavelengths_nm=observation.wavelengths_nm)
            errors = [float(np.mean((observation.lr_hsi @ fit.T - lr_msi) ** 2)) for fit in (srf, wide)]
            if errors[1] < 0.7 * errors[0]:
                srf, note = wide, "overruled"
    energy = float(np.mean((observation.lr_hsi @ srf.T - lr_msi) ** 2))
    contrast = float(np.mean((lr_msi - lr_msi.mean(axis=(0, 1))) ** 2))
    agreement = 1.0 - energy / contrast if contrast > 0 else 1.0
    return Degradations(psf, srf, family, note, float(np.sqrt(energy)), agreement)
