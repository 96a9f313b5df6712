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
from dataclasses import dataclass
from typing import NamedTuple, Optional, Union

import numpy as np

from paddle_umsft.cameras.border import Border
from paddle_umsft.cameras.psf_families import FAR, Family, trimmed
from paddle_umsft.cameras.spatial import tap_positions
from paddle_umsft.preparation.descent import descend, differences
from paddle_umsft.preparation.projection import ProjectedOut, unit_penalty
from paddle_umsft.preparation.seen_rows import SeenRows

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
# Variance of a band, relative to its mean square, that is none: rounding of inputs stored as float32.
NO_CONTRAST = 1e-12
TINY = 1e-30

# Stacks of kernels, one for all MSI bands or one for each.
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


def _triangle(rows: list[np.ndarray]) -> np.ndarray:
    """R of the QR decomposition of rows one below the other: it has the same norms and angles between columns."""
    return np.asarray(np.linalg.qr(np.concatenate(rows), mode="r"))


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
        self._seen_rows: Optional[SeenRows] = None
        self._weigh(np.ones(len(self.pixels)))

    def window(self, family: Family) -> int:
        """Length of the family's window on this picture."""
        return self._window(family.reach)

    def _window(self, reach: int) -> int:
        """Taps of a window that reaches so many LR pixels to either side."""
        pixels = min(reach * self.scale, *self.hr_msi.shape[:2])
        return int(2 * pixels + self.scale % 2)

    def _rows_for(self, size: int) -> SeenRows:
        """The MSI under the rows in use, for kernels of so many taps."""
        if self._seen_rows is None or self._seen_rows.widest < size:
            self._seen_rows = SeenRows(
                self.hr_msi,
                self.scale,
                self.rows,
                self.border,
                widest=max(size, self._window(FAR)),
            )
        return self._seen_rows

    def seen(self, kernels: Kernels) -> np.ndarray:
        """(q, n, M): the LR pixels in use of the MSI behind (q, k, k) kernels, or behind as many for every band."""
        if isinstance(kernels, np.ndarray):
            return self._rows_for(kernels.shape[2]).through(kernels)
        bands = []
        for band, own in enumerate(kernels):
            bands.append(self._rows_for(own.shape[2]).through(own, band))
        return np.concatenate(bands, axis=2)

    def _inside(self, psf: np.ndarray) -> np.ndarray:
        """(n,): how much of each LR pixel's PSF lies on the picture; 1 if the picture wraps around."""
        if self.border == "wrap":
            return np.ones(len(self.pixels))
        down = self._taps_inside(0, len(psf))[self.rows]
        across = self._taps_inside(1, len(psf))
        share = down @ psf @ across.T  # (rows, w)
        return np.asarray(np.clip(share, 0.0, 1.0)).ravel()

    def _taps_inside(self, axis: int, size: int) -> np.ndarray:
        """(h, k) or (w, k): 1 where a tap falls on the picture, else 0."""
        length = self.hr_msi.shape[axis]
        positions = tap_positions(size, self.scale, length // self.scale)
        is_inside = (positions >= 0) & (positions < length)
        return np.asarray(is_inside, dtype=np.float64)

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

    def _design(self, support: tuple[int, int]) -> np.ndarray:
        """(n, b) what explains an MSI band: the HSI bands that it can see, and the constant if it may have one."""
        low, high = support
        pixels = self.pixels[:, low:high]
        if self.constant:
            pixels = np.column_stack([pixels, np.ones(len(pixels))])
        return np.asarray(pixels)

    def _penalty(self, support: tuple[int, int], roots: np.ndarray) -> np.ndarray:
        """Rows below those of `_design` that keep a response smooth, for (n,) factors on the residuals."""
        low, high = support
        energy = np.sum(self.pixels[:, low:high] ** 2, axis=1) / (high - low)
        level = np.sqrt(energy @ roots**2)
        return np.asarray(level * unit_penalty(high - low, self.constant))

    def _rests(self, seen: np.ndarray) -> np.ndarray:
        """(q, N) what no SRF explains of (q, n, M) blurred MSIs, weighted; a known SRF explains the first alone."""
        rests = []
        for band, support in enumerate(self.supports):
            wanted = seen[:, :, band].T  # (n, q)
            if self.srf is not None:
                wanted = wanted.copy()
                wanted[:, 0] -= self.pixels @ self.srf[band]
                rest = self._roots[:, None] * wanted
            else:
                rest = self._projections[support].left_of(self._roots[:, None] * wanted)
            rests.append(rest)
        return np.asarray(np.concatenate(rests).T)

    def _least_inside(self, kernels: Kernels) -> np.ndarray:
        """(n,) share of the PSF inside the picture; of the widest if there are several."""
        if isinstance(kernels, np.ndarray):
            return self._inside(kernels[0])
        shares = [self._inside(own[0]) for own in kernels]
        return np.asarray(np.min(shares, axis=0))

    def _contrast(self, seen: np.ndarray) -> tuple[float, np.ndarray]:
        """Geometric mean of the bands' standard deviations, and how its logarithm changes with every parameter.

        Args:
            seen: (1 + p, n, M) blurred MSI, and how it changes with the parameters.

        Returns:
            1 and zeros if a known SRF sets the scale.
        """
        if self.srf is not None:
            return 1.0, np.zeros(len(seen) - 1)
        trusted = seen[:, self.trusted]
        value = trusted[0]
        least = NO_CONTRAST * np.mean(value**2, axis=0) + TINY
        variances = np.maximum(value.var(axis=0), least)  # (M,)
        apart = (value - value.mean(axis=0)) / variances
        changes = np.mean(apart * trusted[1:], axis=(1, 2))
        return float(np.exp(0.5 * np.mean(np.log(variances)))), changes

    def left_by(self, psf: np.ndarray) -> float:
        """What a kernel leaves unexplained as a part of the contrast, root mean square over all equations."""
        misfit, _ = self.around(psf[None])
        return float(np.sqrt(np.sum(misfit**2) / self.count))

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
        return rests[0], rests[1:] - log_changes[:, None] * rests[0]

    def judge(self, kernels: Kernels, freedom: float) -> Verdict:
        """Criterion, likeliest doubt and residual of (1, k, k) kernels; leaves the equations weighted accordingly."""
        seen = self.seen(kernels)
        inside = self._least_inside(kernels)
        bands = seen.shape[2]
        floor = self.count * (STORAGE * self.level) ** 2
        contrast, _ = self._contrast(seen)
        doubts = DOUBTS
        if np.all(inside > 1.0 - WHOLE):
            doubts = DOUBTS[:1]
        best: Optional[Verdict] = None
        energies = self._energies(seen[0], inside, doubts)
        for doubt, left in zip(doubts, energies):
            energy = left + floor
            variance = variance_ratio(inside, doubt)
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

    def _energies(
        self,
        seen: np.ndarray,
        inside: np.ndarray,
        doubts: Sequence[float],
    ) -> list[float]:
        """Sum of squares that is left of (n, M) blurred MSI pixels under every doubt.

        The triangle of a QR decomposition has it at its lower end. LR pixels that see nothing beyond the picture weigh
        the same whatever the doubt: they are brought to a triangle once.
        """
        is_whole = self.trusted & (inside > 1.0 - WHOLE)
        is_edge = self.trusted & ~is_whole
        edge_inside = inside[is_edge]
        energies = np.zeros(len(doubts))
        for support in set(self.supports):
            wanted = [band for band, own in enumerate(self.supports) if own == support]
            if self.srf is not None:
                columns = seen[:, wanted] - self.pixels @ self.srf[wanted].T
            else:
                columns = np.concatenate([self._design(support), seen[:, wanted]], axis=1)
            explaining = columns.shape[1] - len(wanted)
            whole = _triangle([columns[is_whole]])
            for number, doubt in enumerate(doubts):
                edge_roots = 1.0 / np.sqrt(variance_ratio(edge_inside, doubt))
                parts = [whole, columns[is_edge] * edge_roots[:, None]]
                if self.srf is None:
                    roots = self.trusted / np.sqrt(variance_ratio(inside, doubt))
                    penalty = self._penalty(support, roots)
                    parts.append(np.pad(penalty, ((0, 0), (0, len(wanted)))))
                left = _triangle(parts)[explaining:, explaining:]
                energies[number] += np.sum(left**2)
        return [float(energy) for energy in energies]

    def stand(self, known: Known) -> WideFit:
        """A known kernel on these equations."""
        return WideFit(
            psf=known.psf,
            family=known.name,
            border=self.border,
            verdict=self.judge(known.psf[None], known.freedom),
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
            return self.around(differences(kernel, parameters))

        self.judge(kernel(start)[None], len(start))
        parameters = descend(around, start, steps)
        psf = kernel(parameters)
        verdict = self.judge(psf[None], len(start))
        return WideFit(
            psf=trimmed(psf),
            family=family.name,
            border=self.border,
            verdict=verdict,
            parameters=parameters,
        )
