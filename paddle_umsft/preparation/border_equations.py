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

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Optional, Union

import numpy as np
from scipy.optimize import least_squares

from paddle_umsft.cameras.border import Border
from paddle_umsft.cameras.psf_families import Family, trimmed
from paddle_umsft.cameras.spatial import seen_positions
from paddle_umsft.preparation.axis_taps import AxisTaps, separable_terms
from paddle_umsft.preparation.projection import ProjectedOut

# Rounding of inputs stored as float32, relative to their level: a few half units in the last place.
STORAGE = 2e-7
# How much worse than the noise the continued picture may be.
DOUBTS = (0.0, *10.0 ** np.arange(0.0, 4.01, 0.5))
# An LR pixel with no more than this share outside sees nothing of it: rounding of the sums.
WHOLE = 1e-9
# LR pixels in use: evenly spread rows of a larger picture, the first and the last among them; four rows at least, as
# fewer tell nothing of the blur along the columns.
MOST_PIXELS = 1024
LEAST_ROWS = 4
# Tolerances of a descent, and how much a parameter that starts near zero (a centre, an angle) is taken to vary.
STEP_TOLERANCE = 1e-6
COST_TOLERANCE = 1e-9
LEAST_PARAMETER = 0.3
# Variance of a band, relative to its mean square, that is none: rounding of inputs stored as float32.
NO_CONTRAST = 1e-12
TINY = 1e-30

# One kernel for all MSI bands, or one for each.
Kernels = Union[np.ndarray, list[np.ndarray]]


class Known(NamedTuple):
    """A kernel that is a candidate as it stands: given, or fitted within a narrow window."""

    name: str
    psf: np.ndarray
    freedom: float


class Verdict(NamedTuple):
    """What the equations say of a kernel.

    Attributes:
        criterion: Bayesian information criterion over all LR pixels and MSI bands.
        doubt: Standard deviation of what lies outside over that of the noise, the likeliest one.
        residual: Root mean square of the unexplained, per LR pixel weighted with 1 / v.
    """

    criterion: float
    doubt: float
    residual: float


@dataclass
class WideFit:
    """A fitted kernel and what it says of the border.

    Attributes:
        psf: (k, k), sum 1, trimmed to what counts.
        family: Name of the family, or of the known kernel.
        border: "wrap" or "reflect".
        verdict: Criterion, doubt and residual.
        parameters: Of the family; None for a known kernel.
    """

    psf: np.ndarray
    family: str
    border: Border
    verdict: Verdict
    parameters: Optional[np.ndarray] = None


def criterion_of(fit: WideFit) -> float:
    """The key to compare fits by."""
    return fit.verdict.criterion


def variance_ratio(inside: np.ndarray, doubt: float) -> np.ndarray:
    """v / noise^2 of LR pixels that lie partly outside the picture."""
    return np.asarray(1.0 + (doubt * (1.0 - inside)) ** 2)


def descend(
    misfit: Callable[[np.ndarray], np.ndarray],
    start: np.ndarray,
    steps: int,
) -> np.ndarray:
    """Parameters of least squares near `start`, after a few steps."""
    norm = float(np.linalg.norm(misfit(start)))
    # Residuals of norm 1 at the start: tolerances then mean the same in any units.
    scaling = 1.0 / max(norm, TINY)
    found = least_squares(
        lambda parameters: scaling * misfit(parameters),
        start,
        method="trf",
        max_nfev=steps,
        x_scale=np.maximum(np.abs(start), LEAST_PARAMETER),
        xtol=STEP_TOLERANCE,
        ftol=COST_TOLERANCE,
    )
    return np.asarray(found.x)


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
        self.hr_msi = np.asarray(hr_msi, dtype=np.float64)
        # Each band by itself, (H, W, 1), for kernels of its own.
        self._bands = [np.ascontiguousarray(self.hr_msi[..., [band]]) for band in range(hr_msi.shape[2])]
        self.scale = scale
        self.supports = [(low, high) for low, high in supports]
        self.srf = srf
        self.border = border
        height, width, bands = lr_hsi.shape
        kept = int(np.clip(MOST_PIXELS // width, min(LEAST_ROWS, height), height))
        spread = np.linspace(0, height - 1, kept)
        self.rows = np.unique(np.round(spread).astype(int))
        self.columns = np.arange(width)
        self.pixels = lr_hsi[self.rows].reshape(-1, bands).astype(np.float64)  # (n, C)
        self.constant = constant
        if trusted is None:
            trusted = np.ones((height, width), dtype=bool)
        self.trusted = trusted[self.rows].ravel()  # (n,)
        self.count = int(self.trusted.sum()) * hr_msi.shape[2]
        self.level = float(np.sqrt(np.mean(self.pixels[self.trusted] ** 2)))
        self._placements: dict[tuple[int, int], AxisTaps] = {}
        self._msi_strips: dict[int, np.ndarray] = {}
        self._weigh(np.ones(len(self.pixels)))

    def window(self, family: Family) -> int:
        """Length of the family's window on this picture."""
        reach = min(family.reach * self.scale, *self.hr_msi.shape[:2])
        return int(2 * reach + self.scale % 2)

    def _placement(self, axis: int, size: int) -> AxisTaps:
        """Where the taps of kernels of this size fall along an axis."""
        if (axis, size) not in self._placements:
            lines = (self.rows, self.columns)[axis]
            self._placements[axis, size] = AxisTaps(
                lines=lines,
                size=size,
                scale=self.scale,
                length=self.hr_msi.shape[axis],
                border=self.border,
            )
        return self._placements[axis, size]

    def _strips(self, image: np.ndarray, size: int) -> np.ndarray:
        """(rows, k, W * M): the HR rows under the taps of every LR row in use; those of the MSI are kept at hand."""
        is_msi = image is self.hr_msi
        if is_msi and size in self._msi_strips:
            return self._msi_strips[size]
        positions = seen_positions(size, self.scale, len(image), self.border)
        strips = image.reshape(len(image), -1)[positions[self.rows]]
        if is_msi:
            self._msi_strips = {size: strips}
        return np.asarray(strips)

    def _blurred(self, psf: np.ndarray, image: np.ndarray) -> np.ndarray:
        """(n, M): the LR pixels in use of (H, W, M) behind a kernel."""
        height, width, bands = image.shape
        down = self._placement(0, len(psf))
        across = self._placement(1, len(psf))
        terms = separable_terms(psf)
        if len(terms) == 1:
            row_taps, _ = terms[0]
            narrow = down.matrix(row_taps) @ image.reshape(height, -1)  # (rows, W * M)
        else:
            # Several terms look at the same rows, which are a small part of a large picture.
            narrow = np.stack([row_taps for row_taps, _ in terms]) @ self._strips(image, len(psf))
        # The second product runs along the columns: they come first.
        columns = narrow.reshape(-1, len(terms), width, bands).transpose(1, 2, 0, 3)
        columns = columns.reshape(len(terms), width, -1)  # (terms, W, rows * M)
        seen = np.zeros((len(self.columns), columns.shape[2]))
        for (_, column_taps), lines in zip(terms, columns):
            seen += across.matrix(column_taps) @ lines  # (w, rows * M)
        by_rows = seen.reshape(len(self.columns), -1, bands).transpose(1, 0, 2)  # (rows, w, M)
        return np.asarray(by_rows.reshape(-1, bands))

    def _inside(self, psf: np.ndarray) -> np.ndarray:
        """(n,): how much of each LR pixel's PSF lies on the picture; 1 if the picture wraps around."""
        if self.border == "wrap":
            return np.ones(len(self.pixels))
        down = self._placement(0, len(psf))
        across = self._placement(1, len(psf))
        share = np.zeros((len(self.rows), len(self.columns)))
        for row_taps, column_taps in separable_terms(psf):
            share += np.outer(down.is_inside @ row_taps, across.is_inside @ column_taps)
        return np.clip(share, 0.0, 1.0).ravel()

    def _weigh(self, roots: np.ndarray) -> None:
        """Weigh every LR pixel's equations; (n,) factors on the residuals."""
        roots = roots * self.trusted
        self._roots = roots
        self._projections: dict[tuple[int, int], ProjectedOut] = {}
        if self.srf is not None:
            return
        # Mostly all bands can see the whole range: one projection then serves them all.
        for low, high in set(self.supports):
            self._projections[low, high] = ProjectedOut(self.pixels[:, low:high], roots, constant=self.constant)

    def _rests(self, seen: np.ndarray) -> np.ndarray:
        """What no SRF explains of (n, M) blurred MSI pixels, weighted: one row per MSI band."""
        if self.srf is not None:
            apart = seen - self.pixels @ self.srf.T
            return np.asarray(apart.T * self._roots)
        wanted = self._roots[:, None] * seen  # (n, M)
        if len(self._projections) == 1:
            # All bands at once, where all may see the same.
            (projection,) = self._projections.values()
            return np.asarray(projection.left_of(wanted).T)
        rows = []
        for band, support in enumerate(self.supports):
            rest = self._projections[support].left_of(wanted[:, [band]])
            rows.append(rest[:, 0])
        # Supports of different widths have penalties of different lengths.
        longest = max(len(row) for row in rows)
        padded = [np.pad(row, (0, longest - len(row))) for row in rows]
        return np.stack(padded)

    def _seen(self, kernels: Kernels) -> np.ndarray:
        """(n, M) blurred MSI."""
        if isinstance(kernels, np.ndarray):
            return self._blurred(kernels, self.hr_msi)
        seen = []
        for kernel, band in zip(kernels, self._bands):
            seen.append(self._blurred(kernel, band))
        return np.concatenate(seen, axis=1)

    def _least_inside(self, kernels: Kernels) -> np.ndarray:
        """(n,) share of the PSF inside the picture; of the widest if there are several."""
        if isinstance(kernels, np.ndarray):
            return self._inside(kernels)
        shares = [self._inside(kernel) for kernel in kernels]
        return np.asarray(np.min(shares, axis=0))

    def _contrast(self, seen: np.ndarray) -> float:
        """Standard deviation of (n, M) blurred MSI bands, their geometric mean; 1 if a known SRF sets the scale."""
        if self.srf is not None:
            return 1.0
        trusted = seen[self.trusted]
        least = NO_CONTRAST * np.mean(trusted**2, axis=0) + TINY
        variances = np.maximum(trusted.var(axis=0), least)  # (M,)
        return float(np.exp(0.5 * np.mean(np.log(variances))))

    def left_by(self, psf: np.ndarray) -> float:
        """What a kernel leaves unexplained as a part of the contrast, root mean square over all equations."""
        misfit = self.misfit(psf)
        return float(np.sqrt(np.sum(misfit**2) / self.count))

    def misfit(self, kernels: Kernels) -> np.ndarray:
        """Residual vector of one kernel, or of one for every MSI band, as a part of the contrast."""
        seen = self._seen(kernels)
        return self._rests(seen).ravel() / self._contrast(seen)

    def judge(self, kernels: Kernels, freedom: float) -> Verdict:
        """Criterion, likeliest doubt and residual of a kernel; leaves the equations weighted accordingly."""
        seen = self._seen(kernels)
        inside = self._least_inside(kernels)
        bands = seen.shape[1]
        floor = self.count * (STORAGE * self.level) ** 2
        contrast = self._contrast(seen)
        doubts = DOUBTS
        if np.all(inside > 1.0 - WHOLE):
            doubts = DOUBTS[:1]
        best: Optional[Verdict] = None
        for doubt in doubts:
            variance = variance_ratio(inside, doubt)
            self._weigh(1.0 / np.sqrt(variance))
            energy = float(np.sum(self._rests(seen) ** 2)) + floor
            badness = self.count * np.log(energy / self.count / contrast**2)
            volume = bands * float(np.sum(np.log(variance[self.trusted])))
            complexity = (freedom + (doubt > 0)) * np.log(self.count)
            verdict = Verdict(
                criterion=float(badness + volume + complexity),
                doubt=doubt,
                residual=float(np.sqrt(energy / self.count)),
            )
            if best is None or verdict.criterion < best.criterion:
                best = verdict
        assert best is not None
        self._weigh(1.0 / np.sqrt(variance_ratio(inside, best.doubt)))
        return best

    def stand(self, known: Known) -> WideFit:
        """A known kernel on these equations."""
        return WideFit(
            psf=known.psf,
            family=known.name,
            border=self.border,
            verdict=self.judge(known.psf, known.freedom),
        )

    def fit(
        self,
        family: Family,
        start: np.ndarray,
        steps: int,
    ) -> WideFit:
        """The best kernel of one family after some steps from `start`, at the doubt that is likeliest there."""
        size = self.window(family)

        def misfit(trial: np.ndarray) -> np.ndarray:
            return self.misfit(family.kernel(trial, size))

        self.judge(family.kernel(start, size), len(start))
        parameters = descend(misfit, start, steps)
        psf = family.kernel(parameters, size)
        verdict = self.judge(psf, len(start))
        return WideFit(
            psf=trimmed(psf),
            family=family.name,
            border=self.border,
            verdict=verdict,
            parameters=parameters,
        )
