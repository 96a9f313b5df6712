"""PSF and SRF together: given ones are used as given, the others are estimated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np

from paddle_umsft.cameras.border import Border
from paddle_umsft.cameras.placed import PlacedDegradation
from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.config.subspace import SubspaceSettings
from paddle_umsft.data.checks import check_psf, check_srf, check_supports
from paddle_umsft.data.scene import Observation, Supports
from paddle_umsft.errors import ConfigError
from paddle_umsft.preparation.band_widths import separate_widths
from paddle_umsft.preparation.border_doubt import variance_ratio
from paddle_umsft.preparation.noise import noise_before_psf
from paddle_umsft.preparation.offset import constant_of
from paddle_umsft.preparation.prepared import Prepared, untouched
from paddle_umsft.preparation.psf_fit import EXACT, PsfFit, fit_psf
from paddle_umsft.preparation.srf_fit import fit_srf
from paddle_umsft.preparation.wide_fit import Known
from paddle_umsft.preparation.wide_psf import WideSearch

# Longest window that may be asked for, in LR pixels: beyond it blur and decimation hide what a tap does.
LONGEST_WINDOW = 3
# Windows that kernels are cut to reach to this many LR pixels and one HR pixel.
LONGEST_NARROW = 2
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
        noise_bound: Noise of the MSI that would explain what changes from one LR pixel to the next in that difference.
        border: What lies beyond the picture.
        doubt: How much less is known of what lies beyond than of the picture, see `border_doubt.py`.
        band_psfs: (C,) PSFs of the HSI bands, where each has its own; `psf` is what they have in common.
        offset: (M,) constant still to be taken off the MSI, where one was found.
        rough: Whether the PSF is the best round Gaussian only, as no other would explain the pair either.
    """

    psf: np.ndarray
    srf: np.ndarray
    psf_family: str
    supports: str
    residual: float
    agreement: float
    noise_bound: float = np.inf
    border: Border = "wrap"
    doubt: float = 0.0
    band_psfs: Optional[list[np.ndarray]] = None
    offset: Optional[np.ndarray] = None
    rough: bool = False


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


def _borders(settings: SubspaceSettings, prepared: Prepared) -> tuple[Border, ...]:
    """What may lie beyond the picture; one that was moved does not meet itself at its border."""
    if prepared.placement is not None:
        return ("reflect",)
    if settings.border == "auto":
        return ("wrap", "reflect")
    return (settings.border,)


def operator_of(
    psf: np.ndarray,
    prepared: Prepared,
    border: Border,
) -> SpatialDegradation:
    """The PSF as an operator between the two grids as they lie."""
    if prepared.placement is None:
        return SpatialDegradation(psf, prepared.observation.scale, border)
    return PlacedDegradation(psf, prepared.placement, border)


def _given_psf(
    prepared: Prepared,
    psf: np.ndarray,
    srf: Optional[np.ndarray],
    supports: Supports,
    settings: SubspaceSettings,
) -> PsfFit:
    """A known PSF with what lies beyond the picture, and how little is known of that."""
    given = PsfFit(
        psf=psf,
        family="given",
        criterion=0.0,
        residual=0.0,
    )
    borders = _borders(settings, prepared)
    observation = prepared.on_the_hsi
    sees_only_its_pixel = len(psf) <= observation.scale
    if sees_only_its_pixel and len(borders) > 1:
        return given
    search = WideSearch(
        observation.lr_hsi,
        observation.hr_msi,
        observation.scale,
        supports,
        srf=srf,
        borders=borders,
        trusted=prepared.fit_trust,
        constant=prepared.offset,
    )
    fit = search.stand(Known("given", psf, 0.0))
    given.border = fit.border
    given.doubt = fit.verdict.doubt
    return given


def _blind_psf(
    prepared: Prepared,
    options: list[Supports],
    settings: SubspaceSettings,
    first_look: bool,
) -> tuple[PsfFit, Supports]:
    """The PSF, with the SRF unknown; supports and whole range compete by the information criterion."""
    observation = prepared.on_the_hsi
    lr_hsi = observation.lr_hsi
    height, width = lr_hsi.shape[:2]
    equations = height * width * observation.msi_bands
    level = float(np.sqrt(np.mean(np.square(lr_hsi, dtype=np.float64))))
    sizes: Optional[list[int]] = None
    if settings.psf_size is not None:
        sizes = [settings.psf_size]
    free = settings.free_psf
    wide = settings.wide_psf and sizes is None
    chosen: Optional[tuple[PsfFit, Supports]] = None
    least = np.inf
    # The whole range first: where it explains the pair exactly, the narrower one need only be tried with that window.
    for supports in reversed(options):
        found = fit_psf(
            lr_hsi,
            observation.hr_msi,
            observation.scale,
            supports,
            sizes=sizes,
            free=free,
            wide=wide,
            borders=_borders(settings, prepared),
            trusted=prepared.fit_trust,
            constant=prepared.offset,
            first_look=first_look,
        )
        freedom = sum(min(high - low, MOST_FREEDOM) for low, high in supports)
        criterion = found.criterion + freedom * float(np.log(equations))
        if chosen is None or criterion < least:
            chosen = (found, supports)
            least = criterion
        if found.residual < EXACT * level:
            free = False
            # An uncut kernel that is exact has to be found once more: its window is no choice.
            if found.size <= LONGEST_NARROW * observation.scale + 1:
                sizes = [found.size]
                wide = False
    assert chosen is not None
    return chosen


def _mean_square(image: np.ndarray, weights: np.ndarray) -> float:
    """Mean square of (h, w, M) with a weight per pixel, (h, w)."""
    squares = np.mean(image**2, axis=2)
    return float(np.sum(weights * squares) / np.sum(weights))


def estimate(
    observation: Observation,
    settings: SubspaceSettings,
    prepared: Optional[Prepared] = None,
    *,
    first_look: bool = False,
) -> Degradations:
    """Estimate what is not given.

    Args:
        observation: The image pair, with or without PSF, SRF and supports.
        settings: See `SubspaceSettings`.
        prepared: The same pair with what was found in it undone; None: it is taken as it is.
        first_look: Whether a rough PSF will do where none explains the pair: something else will have to be undone.

    Returns:
        Both degradations.

    Raises:
        ConfigError: The PSF's window is longer than the image or than three LR pixels; supports that do not fit.
        DataError: Given PSF or SRF do not fit the images.
    """
    if prepared is None:
        prepared = untouched(observation)
    observation = prepared.observation
    trusted = prepared.fit_trust
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

    if psf is not None:
        found = _given_psf(prepared, psf, srf, supports, settings)
    elif srf is not None:
        found = fit_psf(
            lr_hsi,
            prepared.on_the_hsi.hr_msi,
            scale,
            whole,
            srf=srf,
            free=settings.free_psf,
            wide=settings.wide_psf,
            borders=_borders(settings, prepared),
            trusted=trusted,
            first_look=first_look,
        )
    else:
        found, supports = _blind_psf(prepared, options, settings, first_look)
        if supports != options[0]:
            note = "overruled"
    psf = found.psf
    doubt = found.doubt
    if prepared.placement is not None:
        # A kernel within its own LR pixel says nothing of the border, but on the other grid that pixel may cross it.
        found.border = "reflect"

    band_psfs: Optional[list[np.ndarray]] = None
    if found.widths is not None:
        separated = separate_widths(
            prepared.on_the_hsi,
            found.widths,
            supports,
            srf,
            trusted=trusted,
            constant=prepared.offset,
        )
        lr_hsi = separated.alike
        psf = separated.fit.psf
        doubt = separated.fit.verdict.doubt
        band_psfs = separated.psfs

    operator = operator_of(psf, prepared, found.border)
    lr_msi = operator.forward(hr_msi.astype(np.float64))  # (h, w, M)
    # LR pixels that see beyond the picture count for less, in the fit and in what is said of it.
    height, width = lr_hsi.shape[:2]
    weights = 1.0 / variance_ratio(operator.inside((height, width)), doubt)  # (h, w)
    weights = weights * trusted
    trust = np.sqrt(weights[trusted])  # (n,) of the trusted ones
    offset: Optional[np.ndarray] = None
    if prepared.offset:
        offset = constant_of(lr_hsi, lr_msi, trusted)
        lr_msi = lr_msi - offset
    # As if the trusted ones were an image of one row.
    hsi_pixels, msi_pixels = lr_hsi[trusted][None], lr_msi[trusted][None]
    if srf is None:
        srf = fit_srf(hsi_pixels, msi_pixels, supports, wavelengths_nm=observation.wavelengths_nm, trust=trust)
        if found.family == "given" and len(options) > 1:
            # With the PSF given, nothing has compared supports and whole range so far.
            wide_srf = fit_srf(hsi_pixels, msi_pixels, whole, wavelengths_nm=observation.wavelengths_nm, trust=trust)
            wide_error = _mean_square(lr_hsi @ wide_srf.T - lr_msi, weights)
            error = _mean_square(lr_hsi @ srf.T - lr_msi, weights)
            if wide_error < CLEARLY_BETTER * error:
                srf = wide_srf
                note = "overruled"

    misfit = lr_hsi @ srf.T - lr_msi  # (h, w, M)
    error = _mean_square(misfit, weights)
    # By hand: weights over two axes at once are news to numpy 1.
    middle = np.sum(lr_msi * weights[:, :, None], axis=(0, 1)) / np.sum(weights)  # (M,)
    contrast = _mean_square(lr_msi - middle, weights)
    agreement = 1.0
    if contrast > 0:
        agreement = 1.0 - error / contrast
    # Every square has 1 / weight times the variance of one that lies inside: the level of those inside.
    inner_squares = weights[..., None] * misfit**2
    return Degradations(
        psf=psf,
        srf=srf,
        psf_family=found.family,
        supports=note,
        residual=float(np.sqrt(np.mean(inner_squares[trusted]))),
        agreement=agreement,
        noise_bound=noise_before_psf(misfit, psf, scale),
        border=found.border,
        doubt=doubt,
        band_psfs=band_psfs,
        offset=offset,
        rough=found.rough,
    )
