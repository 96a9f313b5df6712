"""PSF and SRF together: given ones are used as given, the others are estimated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np

from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.config.subspace import SubspaceSettings
from paddle_umsft.data.checks import check_psf, check_srf, check_supports
from paddle_umsft.data.scene import Observation, Supports
from paddle_umsft.errors import ConfigError
from paddle_umsft.preparation.psf_fit import EXACT, PsfFit, fit_psf
from paddle_umsft.preparation.srf_fit import fit_srf

# Longest window of a PSF, in LR pixels: beyond it blur and decimation hide what a tap does.
LONGEST_WINDOW = 3
# Smoothness ties neighbouring bands, so a wide support has fewer degrees of freedom than bands: at most this many.
MOST_FREEDOM = 31
# With the PSF given, supports are overruled where the whole range leaves less than this share of their squared error.
CLEARLY_BETTER = 0.7


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


def _known_psf(observation: Observation) -> Optional[np.ndarray]:
    """The known PSF as a checked float64 array, or None."""
    if observation.psf is None:
        return None
    return check_psf(observation.psf, signed=True)


def _known_srf(observation: Observation) -> Optional[np.ndarray]:
    """The known SRF as a checked float64 array, or None."""
    if observation.srf is None:
        return None
    return check_srf(observation.srf, observation.bands, msi_bands=observation.msi_bands, learned=True)


def _check_window(observation: Observation, settings: SubspaceSettings) -> None:
    """Refuse a window that one scene says nothing about."""
    longest = min(*observation.shape, LONGEST_WINDOW * observation.scale + 1)
    size = settings.psf_size
    if size is not None and size > longest:
        raise ConfigError(
            "window of the PSF",
            where="subspace.psf_size",
            expected=f"at most {longest}",
            got=size,
        )


def _support_options(observation: Observation, settings: SubspaceSettings) -> list[Supports]:
    """The supports that compete, the preferred ones first; the last is the whole range unless others are trusted."""
    whole: Supports = ((0, observation.bands),) * observation.msi_bands
    if observation.supports is None:
        return [whole]
    given = check_supports(observation.supports, observation.bands, observation.msi_bands)
    if settings.supports == "ignore" or given == whole:
        return [whole]
    if settings.supports == "trust":
        return [given]
    return [given, whole]


def _blind_psf(
    observation: Observation,
    options: list[Supports],
    settings: SubspaceSettings,
) -> tuple[PsfFit, Supports]:
    """The PSF, with the SRF unknown; supports and whole range compete by the information criterion."""
    lr_hsi = observation.lr_hsi
    height, width = lr_hsi.shape[:2]
    equations = height * width * observation.msi_bands
    level = float(np.sqrt(np.mean(np.square(lr_hsi, dtype=np.float64))))
    sizes: Optional[list[int]] = None
    if settings.psf_size is not None:
        sizes = [settings.psf_size]
    free = settings.free_psf
    chosen: Optional[tuple[PsfFit, Supports]] = None
    least = np.inf
    # The whole range first: where it explains the pair exactly, the narrower one need only be tried with that window.
    for supports in reversed(options):
        found = fit_psf(lr_hsi, observation.hr_msi, observation.scale, supports, sizes=sizes, free=free)
        freedom = sum(min(high - low, MOST_FREEDOM) for low, high in supports)
        criterion = found.criterion + freedom * float(np.log(equations))
        if chosen is None or criterion < least:
            chosen = (found, supports)
            least = criterion
        if found.residual < EXACT * level:
            sizes = [found.size]
            free = False
    assert chosen is not None
    return chosen


def _squared_error(
    lr_hsi: np.ndarray,
    lr_msi: np.ndarray,
    srf: np.ndarray,
) -> float:
    """Mean square of SRF(lr_hsi) - PSF(msi)."""
    return float(np.mean((lr_hsi @ srf.T - lr_msi) ** 2))


def estimate(observation: Observation, settings: SubspaceSettings) -> Degradations:
    """Estimate what is not given.

    Args:
        observation: The image pair, with or without PSF, SRF and supports.
        settings: See `SubspaceSettings`.

    Returns:
        Both degradations.

    Raises:
        ConfigError: The PSF's window is longer than the image or than three LR pixels; supports that do not fit.
        DataError: Given PSF or SRF do not fit the images.
    """
    psf = _known_psf(observation)
    srf = _known_srf(observation)
    _check_window(observation, settings)
    lr_hsi, hr_msi, scale = observation.lr_hsi, observation.hr_msi, observation.scale
    options = _support_options(observation, settings)
    whole: Supports = ((0, observation.bands),) * observation.msi_bands
    supports = options[0]
    if srf is not None:
        note = "given SRF"
    elif supports == whole:
        note = "whole range"
    else:
        note = "as given"

    psf_family = "given"
    if psf is None:
        if srf is not None:
            found = fit_psf(lr_hsi, hr_msi, scale, whole, srf=srf, free=settings.free_psf)
        else:
            found, supports = _blind_psf(observation, options, settings)
        psf = found.psf
        psf_family = found.family
        if supports != options[0]:
            note = "overruled"

    lr_msi = SpatialDegradation(psf, scale).forward(hr_msi.astype(np.float64))  # (h, w, M)
    if srf is None:
        srf = fit_srf(lr_hsi, lr_msi, supports, wavelengths_nm=observation.wavelengths_nm)
        if psf_family == "given" and len(options) > 1:
            # With the PSF given, nothing has compared supports and whole range so far.
            wide = fit_srf(lr_hsi, lr_msi, whole, wavelengths_nm=observation.wavelengths_nm)
            if _squared_error(lr_hsi, lr_msi, wide) < CLEARLY_BETTER * _squared_error(lr_hsi, lr_msi, srf):
                srf = wide
                note = "overruled"

    error = _squared_error(lr_hsi, lr_msi, srf)
    contrast = float(np.mean((lr_msi - lr_msi.mean(axis=(0, 1))) ** 2))
    agreement = 1.0
    if contrast > 0:
        agreement = 1.0 - error / contrast
    return Degradations(
        psf=psf,
        srf=srf,
        psf_family=psf_family,
        supports=note,
        residual=float(np.sqrt(error)),
        agreement=agreement,
    )
