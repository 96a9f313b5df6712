"""A PSF whose width depends on wavelength: found from the MSI bands, taken off the HSI bands.

Diffraction widens a PSF with the wavelength, chromatic aberration does so either way. The MSI bands carry it: each gets
a width of its own, and where that explains the pair better by the information criterion, a straight line through the
logarithms of the widths over the band centres tells every HSI band's. The solver goes on with one common PSF: the
difference between a band's own PSF and the common one, applied to what is known of the sharp band so far, is taken off
the LR-HSI. Known at first is what the MSI explains linearly, later what a method has found.

References:
    B. Wetherell: The calculation of image quality. Applied Optics and Optical Engineering 8, 1980.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Optional

import numpy as np

from paddle_umsft.cameras.psf_families import ROUND, Family, trimmed
from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.data.scene import Observation
from paddle_umsft.preparation.border_doubt import variance_ratio
from paddle_umsft.preparation.border_equations import BorderEquations
from paddle_umsft.preparation.descent import descend, differences
from paddle_umsft.preparation.srf_fit import fit_srf
from paddle_umsft.preparation.wide_fit import Verdict, WideFit

# Logarithm of the largest ratio of a band's width to the common one: beyond it the line is not believed.
LARGEST_RATIO = np.log(2.0)
# Steps of the descents; the doubt, which follows each, is far too large until the widths are right. Where it stays as
# it is there is nothing to go on for.
STEPS = (10, 10, 15)
# Widths and LR-HSI in turn, until widths differ by less than this (natural logarithm).
WIDTH_ROUNDS = 4
ALIKE = 1e-3
# Singular values of a band's regression below this share of the largest are rounding of float32 inputs.
RANK_TOLERANCE = 1e-6
TINY = 1e-30


@dataclass
class BandWidths:
    """PSFs of one family with a width per band.

    Attributes:
        family: The family.
        parameters: Of the common PSF.
        log_ratios: (M,) logarithm of each MSI band's width over the common one.
        fit: Common PSF, criterion, border.
        size: Window that holds all of them.
    """

    family: Family
    parameters: np.ndarray
    log_ratios: np.ndarray
    fit: WideFit
    size: int

    def kernels(self, log_ratios: np.ndarray) -> np.ndarray:
        """(n, k, k) PSFs of bands on a window that holds all of them."""
        return np.stack([_widened(self.family, self.parameters, float(ratio), self.size) for ratio in log_ratios])

    def psfs(self, log_ratios: np.ndarray) -> list[np.ndarray]:
        """The same, each on a window of its own."""
        return [trimmed(kernel) for kernel in self.kernels(log_ratios)]


def _widened(
    family: Family,
    parameters: np.ndarray,
    log_ratio: float,
    size: int,
) -> np.ndarray:
    """The family's kernel with all its widths multiplied by one ratio."""
    own = np.array(parameters, dtype=np.float64)
    own[list(family.width)] += log_ratio
    return family.kernel(own, size)


def fit_band_widths(
    equations: BorderEquations,
    start: np.ndarray,
    family: Family = ROUND,
) -> Optional[BandWidths]:
    """Fit a width per MSI band.

    Args:
        equations: The pair under its border.
        start: Parameters of the common PSF to begin with.
        family: Family of the PSFs.

    Returns:
        The widths with the criterion they reach; None for a single MSI band, which tells nothing of wavelengths.
    """
    bands = equations.hr_msi.shape[2]
    if bands < 2:
        return None
    common = len(start)
    size = equations.window(family)

    def split(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # The logarithms sum to 0: what all bands share is the common width.
        free = values[common:]
        return values[:common], np.append(free, -np.sum(free))

    def kernels(values: np.ndarray) -> np.ndarray:
        parameters, log_ratios = split(values)
        return np.stack([_widened(family, parameters, float(log_ratio), size) for log_ratio in log_ratios])

    def judged(values: np.ndarray) -> Verdict:
        # One kernel for each band, (M, 1, k, k).
        return equations.judge(list(kernels(values)[:, None]), len(values))

    def around(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        stacks = differences(kernels, values)  # (1 + p, M, k, k)
        return equations.around(list(stacks.swapaxes(0, 1)))

    values = np.concatenate([start, np.zeros(bands - 1)])
    verdict = judged(values)
    for steps in STEPS:
        doubt = verdict.doubt
        values = descend(around, values, steps)
        verdict = judged(values)
        if verdict.doubt == doubt:
            break
    parameters, log_ratios = split(values)
    fit = WideFit(
        psf=trimmed(family.kernel(parameters, size)),
        family=family.name,
        border=equations.border,
        verdict=verdict,
        parameters=parameters,
    )
    return BandWidths(
        family=family,
        parameters=parameters,
        log_ratios=log_ratios,
        fit=fit,
        size=size,
    )


def over_wavelength(
    log_ratios: np.ndarray,
    srf: np.ndarray,
    positions: np.ndarray,
) -> np.ndarray:
    """Every HSI band's logarithmic width ratio, by a straight line through the MSI bands'.

    Args:
        log_ratios: (M,).
        srf: (M, C), for the centre of each MSI band.
        positions: (C,) wavelengths or band numbers.

    Returns:
        (C,), within the bounds of what is believed.
    """
    total = np.maximum(srf.sum(axis=1), TINY)
    centres = srf @ positions / total  # (M,)
    middle = centres.mean()
    design = np.stack([np.ones_like(centres), centres - middle], axis=1)
    (constant, slope), *_ = np.linalg.lstsq(design, log_ratios, rcond=None)
    line = constant + slope * (positions - middle)  # (C,)
    return np.asarray(np.clip(line, -LARGEST_RATIO, LARGEST_RATIO))


class BandOperators:
    """Each HSI band's own PSF beside the common one.

    Args:
        psfs: (C,) list of kernels.
        common: The common PSF as an operator.
    """

    def __init__(self, psfs: Sequence[np.ndarray], common: SpatialDegradation) -> None:
        self.common = common
        self.own = [common.with_psf(psf) for psf in psfs]

    def excess(self, cube: np.ndarray) -> np.ndarray:
        """(h, w, C): what the own PSFs make of (H, W, C) beyond what the common one makes of it."""
        seen = [own.forward(cube[..., [band]]) for band, own in enumerate(self.own)]
        return np.asarray(np.concatenate(seen, axis=2) - self.common.forward(cube))


def linearly_alike(
    lr_hsi: np.ndarray,
    hr_msi: np.ndarray,
    band_operators: BandOperators,
    trust: Optional[np.ndarray] = None,
) -> np.ndarray:
    """LR-HSI with one PSF for all bands, as far as every band is a linear mix of the MSI's and a constant.

    Args:
        lr_hsi: (h, w, C), every band behind its own PSF.
        hr_msi: (H, W, M).
        band_operators: The PSFs.
        trust: (h*w,) factors on the residuals of the LR pixels; None: all alike.

    Returns:
        (h, w, C) float64.
    """
    bands, msi_bands = lr_hsi.shape[2], hr_msi.shape[2]
    # A mix may as well be made of what is seen of the MSI: PSFs are linear, and leave a constant as it is.
    common = band_operators.common.forward(hr_msi).reshape(-1, msi_bands)
    own = (operator.forward(hr_msi).reshape(-1, msi_bands) for operator in band_operators.own)
    alike = _without_excess(lr_hsi.reshape(-1, bands), common, own, trust)
    return alike.reshape(lr_hsi.shape)


def _without_excess(
    pixels: np.ndarray,
    common: np.ndarray,
    own: Iterable[np.ndarray],
    trust: Optional[np.ndarray],
) -> np.ndarray:
    """(n, C) LR pixels as if every band were behind the common PSF.

    Args:
        pixels: (n, C), every band behind its own PSF.
        common: (n, M) what is seen of the MSI behind the common PSF.
        own: For each band (n, M) what is seen of it behind the band's own.
        trust: (n,) factors on the residuals; None: all alike.
    """
    targets = pixels.astype(np.float64)
    roots = np.ones(len(targets))
    if trust is not None:
        roots = trust
    excess = np.empty(targets.shape)
    for band, seen in enumerate(own):
        constant = np.ones((len(seen), 1))
        design = np.concatenate([seen, constant], axis=1) * roots[:, None]  # (n, M + 1)
        weights, *_ = np.linalg.lstsq(design, targets[:, band] * roots, rcond=RANK_TOLERANCE)
        excess[:, band] = (seen - common) @ weights[:-1]
    return targets - excess


@dataclass
class BandPsfs:
    """What is known of a pair whose HSI bands have PSFs of different widths.

    Attributes:
        alike: (h, w, C) LR-HSI as if all bands were behind the common PSF.
        fit: The common PSF with its border and doubt.
        psfs: (C,) list of the HSI bands' own PSFs.
    """

    alike: np.ndarray
    fit: WideFit
    psfs: list[np.ndarray]


def separate_widths(
    observation: Observation,
    widths: BandWidths,
    supports: Sequence[tuple[int, int]],
    known_srf: Optional[np.ndarray],
    *,
    trusted: np.ndarray,
    constant: bool = False,
) -> BandPsfs:
    """LR-HSI with one PSF, and the bands' own PSFs, in turn: MSI bands are wide, and so mix PSFs of several widths.

    Args:
        observation: The image pair.
        widths: A width per MSI band, from the LR-HSI as it is.
        supports: Per MSI band the half-open range of HSI bands it can see.
        known_srf: (M, C), or None: estimated.
        trusted: (h, w) LR pixels that count.
        constant: Whether the MSI's bands may hold a constant that the HSI does not have.

    Returns:
        The bands' own PSFs, and what remains once their differences are taken off.
    """
    lr_hsi = observation.lr_hsi
    hr_msi = observation.hr_msi
    scale = observation.scale
    bands = lr_hsi.shape[2]
    wavelengths_nm = observation.wavelengths_nm
    positions = np.arange(bands, dtype=np.float64)
    if wavelengths_nm is not None:
        positions = np.asarray(wavelengths_nm, dtype=np.float64)
    border = widths.fit.border

    def equations_of(alike: np.ndarray) -> BorderEquations:
        return BorderEquations(
            alike,
            hr_msi,
            scale,
            supports,
            known_srf,
            border,
            trusted=trusted,
            constant=constant,
        )

    # On the way only the LR rows in use are made alike.
    equations = equations_of(lr_hsi)
    rows = equations.rows
    recorded = equations.pixels  # (n, C)
    alike = lr_hsi.astype(np.float64)
    msi_ratios = widths.log_ratios
    psfs: list[np.ndarray] = []
    operator = SpatialDegradation(widths.fit.psf, scale, border)
    trust = np.ones(trusted.size)
    for _ in range(WIDTH_ROUNDS):
        operator = SpatialDegradation(widths.fit.psf, scale, border)
        inside = operator.inside(lr_hsi.shape[:2])
        trust = trusted / np.sqrt(variance_ratio(inside, widths.fit.verdict.doubt))  # (h, w)
        trust_in_use = trust[rows].ravel()
        srf = known_srf
        if srf is None:
            # Every MSI band is compared behind a PSF of its own.
            kernels = list(widths.kernels(msi_ratios)[:, None])
            seen = equations.seen(kernels)  # (1, n, M)
            srf = fit_srf(alike[rows], seen, supports, wavelengths_nm=wavelengths_nm, trust=trust_in_use)
        ratios = over_wavelength(widths.log_ratios, srf, positions)
        psfs = widths.psfs(ratios)
        # The common PSF is the one whose ratio is 1.
        common, *own = equations.seen(widths.kernels(np.append(0.0, ratios)))
        pixels = _without_excess(recorded, common, own, trust_in_use)
        alike[rows] = pixels.reshape(len(rows), -1, bands)
        # What is left of the differences once they are taken off.
        equations = equations_of(alike)
        further = fit_band_widths(equations, widths.parameters)
        assert further is not None
        msi_ratios = further.log_ratios
        widths = replace(further, log_ratios=widths.log_ratios + further.log_ratios)
        if np.max(np.abs(further.log_ratios)) < ALIKE:
            break
    return BandPsfs(
        alike=linearly_alike(lr_hsi, hr_msi, BandOperators(psfs, operator), trust.ravel()),
        fit=widths.fit,
        psfs=psfs,
    )
