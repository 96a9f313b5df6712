"""How well kernels with tails explain a pair, given what lies beyond the picture.

The equations are those of `psf_fit.py` (what any smooth SRF could explain is projected out), but kernels are applied to
the image itself, so their windows may be as wide as they need. Where the picture goes on outside, an LR pixel sees
things that are not in it: its equation has the variance

    v = noise^2 * (1 + (doubt * (1 - inside))^2),

and the doubt is the likeliest one. The Bayesian information criterion with this variance in its likelihood compares
borders as it compares kernels.

With the SRF unknown what counts is the part of the blurred MSI that stays unexplained, not its size: the wider the
kernel, the less there is of either. In a pair that PSF and SRF explain well the two are the same; in one that they do
not, the size alone would ask for kernels without end.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Optional

import numpy as np

from paddle_umsft.cameras.border import Border
from paddle_umsft.cameras.psf_families import Family, trimmed
from paddle_umsft.preparation.border_doubt import criterion, doubts_to_try, left_under, variance_ratio
from paddle_umsft.preparation.descent import descend, differences
from paddle_umsft.preparation.projection import ProjectedOut, unit_penalty
from paddle_umsft.preparation.seen_through import Kernels, SeenThrough
from paddle_umsft.preparation.wide_fit import Known, Verdict, WideFit

# Rounding of inputs stored as float32, relative to their level: a few half units in the last place.
STORAGE = 2e-7
# LR pixels in use: evenly spread rows of a larger picture, the first and the last among them; four rows at least, as
# fewer tell nothing of the blur along the columns.
MOST_PIXELS = 1024
LEAST_ROWS = 4
# Variance of a band, relative to its mean square, that is none: rounding of inputs stored as float32.
NO_CONTRAST = 1e-12
# Variance of a band that is all zero: its logarithm stays finite.
TINY = 1e-30


def _root_mean_square(squares: float, count: int) -> float:
    """Of as many residuals, whose squares' sum is given."""
    mean = squares / count
    return float(np.sqrt(mean))


def _criterion_of(verdict: Verdict) -> float:
    """The key to compare verdicts by."""
    return verdict.criterion


def _rows_in_use(height: int, width: int) -> np.ndarray:
    """LR rows of a picture that the equations are of: evenly spread, no more pixels than are needed."""
    least = min(LEAST_ROWS, height)
    affordable = MOST_PIXELS // width
    kept = int(np.clip(affordable, least, height))
    spread = np.linspace(0, height - 1, kept)
    nearest = np.round(spread).astype(int)
    return np.unique(nearest)


class BorderEquations:
    """The equations of one pair under one border.

    Args:
        lr_hsi: (h, w, C).
        hr_msi: (H, W, M).
        scale: H / h.
        supports: Per MSI band the half-open range of HSI bands it can see.
        srf: (M, C); None: projected out.
        border: What lies outside.
        trusted: (h, w) LR pixels that count; None: all.
        constant: Whether the MSI's bands may hold a constant that the HSI does not have.
    """

    def __init__(
        self,
        lr_hsi: np.ndarray,
        hr_msi: np.ndarray,
        scale: int,
        supports: Sequence[tuple[int, int]],
        srf: Optional[np.ndarray],
        border: Border,
        *,
        trusted: Optional[np.ndarray] = None,
        constant: bool = False,
    ) -> None:
        self.hr_msi = hr_msi
        self.scale = scale
        self.supports = [(low, high) for low, high in supports]
        self.srf = srf
        self.border = border
        height, width, bands = lr_hsi.shape
        self.rows = _rows_in_use(height, width)
        pixels = lr_hsi[self.rows].reshape(-1, bands)
        self.pixels = pixels.astype(np.float64)  # (n, C)
        self.constant = constant
        if trusted is None:
            trusted = np.ones((height, width), dtype=bool)
        self.trusted = trusted[self.rows].ravel()  # (n,)
        trusted_pixels = self.pixels[self.trusted]
        mean_square = np.mean(trusted_pixels**2)
        self.level = float(np.sqrt(mean_square))
        # Equations: every LR pixel that counts has one for each MSI band.
        msi_bands = hr_msi.shape[2]
        self.count = len(trusted_pixels) * msi_bands
        self._through = SeenThrough(hr_msi, scale, self.rows, border)
        alike = np.ones(len(self.pixels))
        self._weigh(alike)

    def window(self, family: Family) -> int:
        """Length of the family's window on this picture."""
        return self._through.window(family.reach)

    def seen(self, kernels: Kernels) -> np.ndarray:
        """(q, n, M): the LR pixels in use of the MSI behind kernels, see `SeenThrough.seen`."""
        return self._through.seen(kernels)

    def _weigh(self, roots: np.ndarray) -> None:
        """Weigh every LR pixel's equations; (n,) factors on the residuals."""
        roots = roots * self.trusted
        self._roots = roots
        self._projections: dict[tuple[int, int], ProjectedOut] = {}
        if self.srf is not None:
            return
        # Mostly all bands can see the whole range: one projection then serves them all.
        for low, high in set(self.supports):
            pixels = self.pixels[:, low:high]
            projection = ProjectedOut(pixels, roots, constant=self.constant)
            self._projections[low, high] = projection

    def _design(self, support: tuple[int, int]) -> np.ndarray:
        """(n, b) what explains an MSI band: the HSI bands that it can see, and the constant if it may have one."""
        low, high = support
        pixels = self.pixels[:, low:high]
        if self.constant:
            ones = np.ones(len(pixels))
            pixels = np.column_stack([pixels, ones])
        return np.asarray(pixels)

    def _penalty(
        self,
        support: tuple[int, int],
        roots: np.ndarray,
    ) -> np.ndarray:
        """Rows below those of `_design` that keep a response smooth, for (n,) factors on the residuals."""
        low, high = support
        bands = high - low
        pixels = self.pixels[:, low:high]
        energy = np.sum(pixels**2, axis=1) / bands  # (n,)
        weighted = energy @ roots**2
        level = np.sqrt(weighted)
        unit = unit_penalty(bands, self.constant)
        return np.asarray(level * unit)

    def _rests(self, seen: np.ndarray) -> np.ndarray:
        """(q, N) what no SRF explains of (q, n, M) blurred MSIs, weighted; a known SRF explains the first alone."""
        rests = []
        roots = self._roots[:, None]
        for band, support in enumerate(self.supports):
            wanted = seen[:, :, band].T  # (n, q)
            if self.srf is not None:
                explained = self.pixels @ self.srf[band]
                wanted = wanted.copy()
                wanted[:, 0] -= explained
                rest = roots * wanted
            else:
                projection = self._projections[support]
                rest = projection.left_of(roots * wanted)
            rests.append(rest)
        together = np.concatenate(rests)  # (N, q)
        return np.asarray(together.T)

    def _contrast(self, seen: np.ndarray) -> tuple[float, np.ndarray]:
        """Geometric mean of the bands' standard deviations, and how its logarithm changes with every parameter.

        Args:
            seen: (1 + p, n, M) blurred MSI, and how it changes with the parameters.

        Returns:
            1 and zeros if a known SRF sets the scale.
        """
        if self.srf is not None:
            parameters = len(seen) - 1
            return 1.0, np.zeros(parameters)
        trusted = seen[:, self.trusted]
        value = trusted[0]
        derivatives = trusted[1:]
        mean_squares = np.mean(value**2, axis=0)  # (M,)
        least = NO_CONTRAST * mean_squares + TINY
        variances = np.maximum(value.var(axis=0), least)  # (M,)
        centred = value - value.mean(axis=0)
        apart = centred / variances
        # Half the logarithm of a variance changes with a pixel by what that is off the mean, over n variances.
        log_changes = np.mean(apart * derivatives, axis=(1, 2))  # (p,)
        log_variance = np.mean(np.log(variances))
        contrast = np.exp(0.5 * log_variance)
        return float(contrast), log_changes

    def left_by(self, psf: np.ndarray) -> float:
        """What a kernel leaves unexplained as a part of the contrast, root mean square over all equations."""
        misfit, _ = self.around(psf[None])
        squares = np.sum(misfit**2)
        return _root_mean_square(squares, self.count)

    def around(self, kernels: Kernels) -> tuple[np.ndarray, np.ndarray]:
        """Residuals of a kernel as a part of the contrast, and how they change with its parameters.

        Args:
            kernels: (1 + p, k, k) the kernel and its derivatives, or a list of these for every MSI band.

        Returns:
            (N,) and (p, N).
        """
        seen = self.seen(kernels)
        contrast, log_changes = self._contrast(seen)
        rests = self._rests(seen) / contrast
        misfit = rests[0]
        # What is a part of the contrast changes with that, too.
        by_contrast = log_changes[:, None] * misfit
        return misfit, rests[1:] - by_contrast

    def judge(self, kernels: Kernels, freedom: float) -> Verdict:
        """What the equations say of a kernel, at the doubt that is likeliest; they are weighted by that afterwards.

        Args:
            kernels: (1, k, k), or a list of these for every MSI band.
            freedom: Parameters of the kernel.
        """
        seen = self.seen(kernels)
        inside = self._through.inside(kernels)
        contrast, _ = self._contrast(seen)
        doubts = doubts_to_try(inside)
        energies = self._energies(seen[0], inside, doubts)
        # Rounding of the inputs is left of the best kernel, too.
        rounding = STORAGE * self.level
        energies = energies + self.count * rounding**2
        verdicts = []
        for doubt, energy in zip(doubts, energies):
            variance = variance_ratio(inside, doubt)
            # The doubt is one more parameter, unless there is none.
            parameters = freedom + (doubt > 0)
            badness = criterion(
                energy,
                contrast=contrast,
                variance=variance[self.trusted],
                bands=len(self.supports),
                parameters=parameters,
            )
            verdict = Verdict(
                criterion=badness,
                doubt=doubt,
                residual=_root_mean_square(energy, self.count),
            )
            verdicts.append(verdict)
        best = min(verdicts, key=_criterion_of)
        variance = variance_ratio(inside, best.doubt)
        self._weigh(1.0 / np.sqrt(variance))
        return best

    def _energies(
        self,
        seen: np.ndarray,
        inside: np.ndarray,
        doubts: Sequence[float],
    ) -> np.ndarray:
        """Sum of squares that is left of (n, M) blurred MSI pixels under every doubt."""
        energies = np.zeros(len(doubts))
        for support in set(self.supports):
            bands = self._bands_on(support)
            wanted = seen[:, bands]
            penalty = None
            if self.srf is not None:
                # Nothing is fitted: what the SRF leaves is left.
                wanted = wanted - self.pixels @ self.srf[bands].T
                explaining = wanted[:, :0]
            else:
                explaining = self._design(support)
                penalty = partial(self._penalty, support)
            energies += left_under(
                doubts,
                explaining,
                wanted,
                inside=inside,
                trusted=self.trusted,
                penalty=penalty,
            )
        return energies

    def _bands_on(self, support: tuple[int, int]) -> list[int]:
        """The MSI bands that can see this range of HSI bands."""
        bands = []
        for band, own in enumerate(self.supports):
            if own == support:
                bands.append(band)
        return bands

    def stand(self, known: Known) -> WideFit:
        """A known kernel on these equations."""
        verdict = self.judge(known.psf[None], known.freedom)
        return WideFit(
            psf=known.psf,
            family=known.name,
            border=self.border,
            verdict=verdict,
        )

    def fit(
        self,
        family: Family,
        start: np.ndarray,
        steps: int,
    ) -> WideFit:
        """The best kernel of one family after some steps from `start`, at the doubt that is likeliest there."""
        size = self.window(family)

        def kernel(parameters: np.ndarray) -> np.ndarray:
            return family.kernel(parameters, size)

        def around(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            kernels = differences(kernel, parameters)
            return self.around(kernels)

        freedom = len(start)
        first = kernel(start)
        # For the weights of what lies outside.
        self.judge(first[None], freedom)
        parameters = descend(around, start, steps)
        psf = kernel(parameters)
        verdict = self.judge(psf[None], freedom)
        return WideFit(
            psf=trimmed(psf),
            family=family.name,
            border=self.border,
            verdict=verdict,
            parameters=parameters,
        )
