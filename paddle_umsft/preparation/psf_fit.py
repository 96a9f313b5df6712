"""The PSF from one image pair: the simplest family that explains the data, or a free kernel where the data carry one.

With the SRF given, the kernel p is the least-squares solution of "MSI patches times p = SRF(LR-HSI)". With the SRF
unknown as well, the part of the blurred MSI that any SRF could explain is projected out first (variable projection):
no alternation can then get stuck in a wrong pair. The Bayesian information criterion chooses family and window.

References:
    G. Golub, V. Pereyra: Separable nonlinear least squares: the variable projection method. Inverse Problems 19, 2003.
    M. Simoes et al.: A convex formulation for hyperspectral image superresolution via subspace-based regularization
    (HySure). IEEE TGRS 53(6), 2015 (free kernel by regularised least squares).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Optional

import numpy as np
from scipy.optimize import least_squares

from paddle_umsft.cameras.operators import patches
from paddle_umsft.preparation.psf_shapes import Shape, starts
from paddle_umsft.preparation.srf_fit import curvature

MAX_ROWS = 2500
# Relative residual that only rounding can leave: no richer kernel is tried below it.
EXACT = 3e-5


@dataclass
class PsfFit:
    """A fitted kernel and how it came about.

    Attributes:
        psf: (k, k), non-negative, sum 1.
        family: Name of the family, or "free".
        criterion: Bayesian information criterion, smaller is better.
        residual: Root mean square of what the kernel leaves unexplained.
        parameters: Parameters of the family.
        table: family/window -> criterion, for all that were tried.
    """

    psf: np.ndarray
    family: str
    criterion: float
    residual: float
    parameters: Optional[np.ndarray] = None
    table: dict[str, float] = field(default_factory=dict)


class _Equations:
    """Rows B and targets t of the linear problem B p = t for one window, with the SRF known or projected out."""

    def __init__(
        self,
        hr_msi: np.ndarray,
        lr_hsi: np.ndarray,
        scale: int,
        size: int,
        supports: Sequence[tuple[int, int]],
        srf: Optional[np.ndarray],
        rows: np.ndarray,
    ) -> None:
        seen = patches(hr_msi, size, scale)[:, rows].astype(np.float64)
        pixels = lr_hsi.reshape(-1, lr_hsi.shape[2])[rows].astype(np.float64)
        self.size = size
        blocks, targets = [], []
        for band, (low, high) in enumerate(supports):
            if srf is not None:
                blocks.append(seen[band])
                targets.append(pixels @ srf[band])
            else:
                blocks.append(_project_out(pixels[:, low:high], seen[band]))
                targets.append(np.zeros(len(blocks[-1])))
        self.matrix, self.target = np.concatenate(blocks), np.concatenate(targets)
        self.count = len(rows) * len(supports)
        if len(self.matrix) > 1.5 * self.matrix.shape[1]:
            # Same residual norms up to a constant, far fewer rows.
            orthogonal, reduced = np.linalg.qr(self.matrix)
            target = orthogonal.T @ self.target
            self.lost = max(float(self.target @ self.target - target @ target), 0.0)
            self.matrix, self.target = reduced, target
        else:
            self.lost = 0.0
        # Floor of the residual: what float32 storage of the inputs leaves.
        self.level = float(np.sqrt(np.mean(pixels**2)))
        self.floor = self.count * (2e-7 * self.level) ** 2

    def misfit(self, psf: np.ndarray) -> np.ndarray:
        """Residual vector of a kernel."""
        return np.asarray(self.matrix @ psf.ravel() - self.target)

    def energy(self, psf: np.ndarray) -> float:
        """Sum of squares that a kernel leaves."""
        rest = self.misfit(psf)
        return float(rest @ rest) + self.lost + self.floor

    def residual(self, psf: np.ndarray) -> float:
        """Root mean square per equation."""
        return float(np.sqrt(self.energy(psf) / self.count))

    def criterion(self, psf: np.ndarray, freedom: float) -> float:
        """Bayesian information criterion."""
        count = self.count
        return float(count * np.log(self.energy(psf) / count) + freedom * np.log(count))


def _project_out(pixels: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Rows whose norm is the least residual over all smooth SRF rows: (I - QQ')[seen; 0], [pixels; penalty] = QR."""
    bands = pixels.shape[1]
    level = np.sqrt(np.sum(pixels**2) / bands)
    penalty = level * np.concatenate([3e-4 * curvature(bands), 1e-6 * np.eye(bands)])
    orthogonal, _ = np.linalg.qr(np.concatenate([pixels, penalty]))
    top = orthogonal[: len(pixels)].T @ seen
    rest = -orthogonal @ top
    rest[: len(pixels)] += seen
    return np.asarray(rest)


def _fit_family(equations: _Equations, shape: Shape, first: np.ndarray, limit: int = 25) -> np.ndarray:
    """Parameters that fit best from one start."""
    scaling = 1.0 / np.sqrt(max(equations.energy(shape(first, equations.size)), 1e-30))

    def misfit(parameters: np.ndarray) -> np.ndarray:
        return np.asarray(scaling * equations.misfit(shape(parameters, equations.size)))

    sizes = np.maximum(np.abs(first), 0.3)
    found = least_squares(misfit, first, method="trf", max_nfev=limit, x_scale=sizes, xtol=1e-9)
    return np.asarray(found.x)


def _free_kernel(equations: _Equations, prior: np.ndarray, strength: float) -> tuple[np.ndarray, float]:
    """Non-negative kernel near `prior`: ridge plus smoothness on the difference; and its degrees of freedom."""
    size = equations.size
    second = curvature(size)
    smooth = np.kron(second, np.eye(size)), np.kron(np.eye(size), second)
    matrix = equations.matrix
    gram = matrix.T @ matrix
    level = strength * np.trace(gram) / len(gram)
    penalty = level * (smooth[0].T @ smooth[0] + smooth[1].T @ smooth[1] + 0.1 * np.eye(size * size))
    cross = matrix.T @ equations.target + penalty @ prior.ravel()
    system = gram + penalty
    free = np.ones(size * size, dtype=bool)
    kernel = np.zeros(size * size)
    for _ in range(8):
        # Sum 1 by a Lagrange multiplier; taps that turn negative are set to zero and stay there.
        solved = np.linalg.solve(system[np.ix_(free, free)], np.stack([cross[free], np.ones(int(free.sum()))], axis=1))
        multiplier = (1.0 - solved[:, 0].sum()) / solved[:, 1].sum()
        values = solved[:, 0] + multiplier * solved[:, 1]
        kernel[:] = 0.0
        kernel[free] = values
        if values.min() >= 0 or int((values > 0).sum()) < 2:
            break
        free = kernel > 0
    kernel = np.clip(kernel, 0.0, None)
    inverse = np.linalg.solve(system[np.ix_(free, free)], gram[np.ix_(free, free)])
    return (kernel / kernel.sum()).reshape(size, size), float(np.trace(inverse))


def windows(scale: int, shape: tuple[int, int]) -> list[int]:
    """Kernel lengths worth a try: the LR pixel itself, one more, and twice as long with either parity."""
    sizes = [scale, scale + 1, 2 * scale, 2 * scale + 1]
    fitting = [size for size in sizes if size <= min(shape)]
    return fitting or [scale]


def _rows(lr_shape: tuple[int, int], limit: int, seed: int) -> np.ndarray:
    """Indices of the LR pixels in use: all, or a seeded choice."""
    total = lr_shape[0] * lr_shape[1]
    if total <= limit:
        return np.arange(total)
    return np.sort(np.random.default_rng(seed).choice(total, limit, replace=False))


def _families(
    equations: _Equations, families: list[tuple[str, Shape, list[np.ndarray]]], table: dict[str, float]
) -> list[PsfFit]:
    """The best fit of each family on one window; notes the criteria in `table`."""
    fits = []
    for name, family, firsts in families:
        best: Optional[PsfFit] = None
        for first in firsts:
            parameters = _fit_family(equations, family, first)
            kernel = family(parameters, equations.size)
            criterion = equations.criterion(kernel, len(first))
            if best is None or criterion < best.criterion:
                best = PsfFit(kernel, name, criterion, equations.residual(kernel), parameters)
        assert best is not None
        table[f"{name}/{equations.size}"] = best.criterion
        fits.append(best)
    return fits


def _free_candidates(equations: _Equations, found: list[PsfFit], table: dict[str, float]) -> list[PsfFit]:
    """Free kernels around the best family of the same window, over a range of strengths."""
    near = next((fit for fit in found if fit.psf.shape[0] == equations.size), None)
    if near is None or near.parameters is None:
        return []
    fits = []
    for strength in 10.0 ** np.arange(-8, 0.5, 1.0):
        kernel, freedom = _free_kernel(equations, near.psf, float(strength))
        criterion = equations.criterion(kernel, freedom + len(near.parameters))
        fits.append(PsfFit(kernel, "free", criterion, equations.residual(kernel)))
    table[f"free/{equations.size}"] = min(fit.criterion for fit in fits)
    return fits


def fit_psf(
    lr_hsi: np.ndarray,
    hr_msi: np.ndarray,
    scale: int,
    supports: Sequence[tuple[int, int]],
    *,
    srf: Optional[np.ndarray] = None,
    sizes: Optional[Sequence[int]] = None,
    free: bool = True,
    seed: int = 0,
) -> PsfFit:
    """Estimate the PSF.

    Args:
        lr_hsi: (h, w, C).
        hr_msi: (H, W, M).
        scale: H / h.
        supports: Per MSI band the half-open range of HSI bands it can see.
        srf: (M, C) SRF; None: unknown, projected out.
        sizes: Kernel lengths to try; None: see `windows`.
        free: Whether a free kernel is tried as well.
        seed: Chooses the LR pixels in use where there are very many.

    Returns:
        The kernel with the smallest Bayesian information criterion.
    """
    rows = _rows((lr_hsi.shape[0], lr_hsi.shape[1]), MAX_ROWS, seed)
    shape = (hr_msi.shape[0], hr_msi.shape[1])
    table: dict[str, float] = {}
    found: list[PsfFit] = []
    problems: dict[int, _Equations] = {}
    for size in sizes or windows(scale, shape):
        problems[size] = _Equations(hr_msi, lr_hsi, scale, size, supports, srf, rows)
        found += _families(problems[size], starts(scale, size)[:1], table)
        if found[-1].residual < EXACT * problems[size].level:
            break
    else:
        # No round Gaussian is exact: the other families on the two windows that came closest.
        found.sort(key=lambda fit: fit.criterion)
        for size in list(dict.fromkeys(fit.psf.shape[0] for fit in found))[:2]:
            found += _families(problems[size], starts(scale, size)[1:], table)
        found.sort(key=lambda fit: fit.criterion)
        for size, equations in problems.items():
            if free and size <= scale + 1:
                found += _free_candidates(equations, found, table)
    best = min(found, key=lambda fit: fit.criterion)
    best.table = table
    return best
