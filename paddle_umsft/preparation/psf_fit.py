"""The PSF from one image pair: the simplest family that explains the data, or a free kernel where the data carry one.

With the SRF given, the kernel p is the least-squares solution of "MSI patches times p = SRF(LR-HSI)". With the SRF
unknown as well, the part of the blurred MSI that any SRF could explain is projected out first (variable projection):
no alternation can then get stuck in a wrong pair. The Bayesian information criterion chooses family and window.

References:
    G. Golub, V. Pereyra: Separable nonlinear least squares: the variable projection method. Inverse Problems 19, 2003.
    M. Simoes et al.: A convex formulation for hyperspectral image superresolution via subspace-based regularization
    (HySure). IEEE TGRS 53(6), 2015 (free kernel by regularised least squares).
    G. Schwarz: Estimating the dimension of a model. Annals of Statistics 6(2), 1978 (the criterion).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

import numpy as np

from paddle_umsft.cameras.border import Border
from paddle_umsft.cameras.psf_shapes import Shape
from paddle_umsft.preparation.band_widths import BandWidths, fit_band_widths
from paddle_umsft.preparation.descent import descend, differences
from paddle_umsft.preparation.psf_starts import Family, other_families, simplest_family
from paddle_umsft.preparation.srf_fit import curvature
from paddle_umsft.preparation.wide_fit import Known, WideFit, criterion_of
from paddle_umsft.preparation.wide_psf import WideSearch
from paddle_umsft.preparation.window_equations import WindowEquations

# LR pixels in use: a kernel has at most some hundred taps, and more pixels only cost time.
MAX_ROWS = 2500
# Relative residual that only rounding can leave: no richer kernel is tried below it.
EXACT = 3e-5
# Below this part of what is to be explained a narrow kernel is taken at its word. Measured: PSFs with tails leave 3e-3
# and more in narrow windows, cut ones with an SRF over 200 bands 6e-5.
NEARLY_EXACT = 5e-4
# Fits of a family: residuals are evaluated this often at most.
EVALUATIONS = 25
# Strengths of a free kernel's tie to the best family, and the tie's weight on the taps beside that on their curvature.
STRENGTHS = 10.0 ** np.arange(-8, 0.5, 1.0)
TAP_WEIGHT = 0.1
# Rounds of setting negative taps to zero; three suffice as a rule.
ACTIVE_SET_ROUNDS = 8
# On how many of the windows that a round Gaussian fits best the other families are tried.
BEST_WINDOWS = 2
# Gain in the criterion per band from which on widths of their own are believed: a wrong family mimics small ones.
OWN_WIDTHS = 30.0
# Kernels of scanners and of motion bend into almost anything: what a tone curve or noise leaves is often explained best
# by one that has nothing to do with the camera. They have to be ahead by this much. Measured: cameras without them let
# them get ahead by 9 to 33, a scanner by thousands.
MOVING = ("scanner-down", "scanner-across", "motion")
MOVING_MARGIN = 40.0
# A pair of which the uncut round Gaussian leaves more than this part of the contrast has something else wrong with it.
# Measured: other PSFs leave 0.02 to 0.044; a turn by 1 degree, a zoom by 2 %, dead pixels, an sRGB curve 0.069 to 0.3.
NOT_THE_PSF = 0.06


@dataclass
class PsfFit:
    """A fitted kernel and how it came about.

    Attributes:
        psf: (k, k), non-negative, sum 1.
        family: Name of the family, or "free".
        criterion: Bayesian information criterion, smaller is better.
        residual: Root mean square of what the kernel leaves unexplained.
        parameters: Parameters of the family.
        freedom: Degrees of freedom that the criterion charges for.
        border: What lies beyond the picture.
        doubt: How much less is known of what lies beyond, see `border_doubt.py`.
        widths: Where every MSI band has a width of its own.
        rough: Whether no more than round Gaussians were tried.
    """

    psf: np.ndarray
    family: str
    criterion: float
    residual: float
    parameters: Optional[np.ndarray] = None
    freedom: float = 0.0
    border: Border = "wrap"
    doubt: float = 0.0
    widths: Optional[BandWidths] = None
    rough: bool = False

    @property
    def size(self) -> int:
        """k, the length of the window."""
        return int(self.psf.shape[0])


def _fit_family(
    equations: WindowEquations,
    shape: Shape,
    start: np.ndarray,
) -> np.ndarray:
    """Parameters that fit best from one start."""

    def kernel(parameters: np.ndarray) -> np.ndarray:
        return shape(parameters, equations.size)

    def around(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return equations.around(differences(kernel, parameters))

    return descend(around, start, EVALUATIONS)


def _tie(size: int) -> np.ndarray:
    """(k*k, k*k) penalty on the difference of two kernels: its curvature both ways, and a little on each tap."""
    second = curvature(size)
    along_rows = np.kron(second, np.eye(size))
    along_columns = np.kron(np.eye(size), second)
    taps = np.eye(size * size)
    return np.asarray(along_rows.T @ along_rows + along_columns.T @ along_columns + TAP_WEIGHT * taps)


def _free_kernel(
    equations: WindowEquations,
    prior: np.ndarray,
    strength: float,
) -> tuple[np.ndarray, float]:
    """Non-negative kernel near `prior`: ridge plus smoothness on the difference; and its degrees of freedom."""
    size = equations.size
    taps = size * size
    matrix = equations.matrix
    gram = matrix.T @ matrix  # (k*k, k*k)
    level = strength * np.trace(gram) / len(gram)
    penalty = level * _tie(size)
    cross = matrix.T @ equations.target + penalty @ prior.ravel()
    system = gram + penalty
    free = np.ones(taps, dtype=bool)
    kernel = np.zeros(taps)
    for _ in range(ACTIVE_SET_ROUNDS):
        # Sum 1 by a Lagrange multiplier; taps that turn negative are set to zero and stay there.
        ones = np.ones(int(free.sum()))
        sides = np.stack([cross[free], ones], axis=1)
        solved = np.linalg.solve(system[np.ix_(free, free)], sides)
        unconstrained, response = solved[:, 0], solved[:, 1]
        multiplier = (1.0 - unconstrained.sum()) / response.sum()
        values = unconstrained + multiplier * response
        kernel[:] = 0.0
        kernel[free] = values
        positive = int((values > 0).sum())
        if values.min() >= 0 or positive < 2:
            break
        free = kernel > 0
    kernel = np.clip(kernel, 0.0, None)
    # The trace of the smoother matrix counts the parameters that the data decide.
    smoother = np.linalg.solve(system[np.ix_(free, free)], gram[np.ix_(free, free)])
    freedom = float(np.trace(smoother))
    return (kernel / kernel.sum()).reshape(size, size), freedom


def windows(scale: int, shape: tuple[int, int]) -> list[int]:
    """Kernel lengths worth a try: the LR pixel itself, one more, and twice as long with either parity."""
    sizes = sorted({scale, scale + 1, 2 * scale, 2 * scale + 1})
    fitting = [size for size in sizes if size <= min(shape)]
    return fitting or [scale]


def _rows(
    trusted: np.ndarray,
    limit: int,
    seed: int,
) -> np.ndarray:
    """Indices of the LR pixels in use: all that are trusted, or a seeded choice of them."""
    usable = np.flatnonzero(trusted)
    total = len(usable)
    if total <= limit:
        return usable
    chosen = np.random.default_rng(seed).choice(total, limit, replace=False)
    return np.asarray(usable[np.sort(chosen)])


def _best_of(family: Family, equations: WindowEquations) -> PsfFit:
    """The best fit of a family on one window, over its starts."""
    best: Optional[PsfFit] = None
    for start in family.starts:
        parameters = _fit_family(equations, family.shape, start)
        kernel = family.shape(parameters, equations.size)
        criterion = equations.criterion(kernel, len(start))
        if best is None or criterion < best.criterion:
            best = PsfFit(
                psf=kernel,
                family=family.name,
                criterion=criterion,
                residual=equations.residual(kernel),
                parameters=parameters,
                freedom=len(start),
            )
    assert best is not None
    return best


def _free_candidates(equations: WindowEquations, near: PsfFit) -> list[PsfFit]:
    """Free kernels around a family's fit on the same window, over a range of strengths."""
    assert near.parameters is not None
    fits = []
    for strength in STRENGTHS:
        kernel, freedom = _free_kernel(equations, near.psf, float(strength))
        freedom += len(near.parameters)
        fit = PsfFit(
            psf=kernel,
            family="free",
            criterion=equations.criterion(kernel, freedom),
            residual=equations.residual(kernel),
            freedom=freedom,
        )
        fits.append(fit)
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
    wide: bool = True,
    borders: Sequence[Border] = ("wrap", "reflect"),
    seed: int = 0,
    trusted: Optional[np.ndarray] = None,
    constant: bool = False,
    first_look: bool = False,
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
        wide: Whether kernels that are not cut at a window are tried as well.
        borders: What may lie beyond the picture.
        seed: Chooses the LR pixels in use where there are very many.
        trusted: (h, w) LR pixels that count; None: all.
        constant: Whether the MSI's bands may hold a constant that the HSI does not have.
        first_look: Whether round Gaussians will do where what they leave is too much for any PSF to explain.

    Returns:
        The kernel with the smallest Bayesian information criterion.
    """
    if trusted is None:
        trusted = np.ones(lr_hsi.shape[:2], dtype=bool)
    rows = _rows(trusted, MAX_ROWS, seed)
    found: list[PsfFit] = []
    problems: dict[int, WindowEquations] = {}
    search = WideSearch(
        lr_hsi,
        hr_msi,
        scale,
        supports,
        srf=srf,
        borders=borders,
        trusted=trusted,
        constant=constant,
    )
    uncut: Optional[WideFit] = None
    for size in sizes or windows(scale, (hr_msi.shape[0], hr_msi.shape[1])):
        if first_look and wide and uncut is None and size > scale + 1:
            # Longer windows are dear: is it the PSF at all that is wrong with the pair?
            uncut = search.rounds()
            if search.better.left_by(uncut.psf) > NOT_THE_PSF:
                rough = _of_wide(min(uncut, _stand(search, found), key=criterion_of))
                rough.rough = True
                return rough
        equations = WindowEquations(hr_msi, lr_hsi, scale, size, supports, srf, rows, constant)
        problems[size] = equations
        found.append(_best_of(simplest_family(scale), equations))
        if found[-1].residual < EXACT * equations.level:
            return min(found, key=_criterion_of)

    # No round Gaussian is exact within a narrow window. Uncut, with what lies beyond the picture?
    candidates = []
    widths: Optional[BandWidths] = None
    # A narrow kernel that leaves next to nothing has no tails to be found; the search is dear where bands are many.
    least = min(fit.residual for fit in found)
    if wide and least > NEARLY_EXACT * equations.level:
        if uncut is None:
            uncut = search.rounds()
        narrow = _stand(search, found)
        # Of two that leave next to nothing a smooth scene may still prefer the narrow one, and a box then is near.
        if search.is_exact(uncut) and criterion_of(uncut) < criterion_of(narrow):
            return _of_wide(uncut)
        candidates.append(uncut)
        widths = _clear_widths(search, uncut)
        known = np.inf
        if widths is not None:
            known = criterion_of(widths.fit)
        candidates += search.others(known)
    # What narrow windows offer has been judged without a border: the best of it competes under the better one.
    found += _richer_kernels(problems, found, scale, free)
    candidates.append(_stand(search, found))
    best = min(candidates, key=charged)
    if widths is not None and criterion_of(widths.fit) < criterion_of(best):
        return _of_wide(widths.fit, widths)
    return _of_wide(best)


def _stand(search: WideSearch, found: list[PsfFit]) -> WideFit:
    """The best of the narrow kernels under the border that suits it better."""
    best = min(found, key=_charged_narrow)
    return search.stand(Known(best.family, best.psf, best.freedom))


def _clear_widths(search: WideSearch, uncut: WideFit) -> Optional[BandWidths]:
    """A width for every MSI band, where that explains the pair clearly better than the common round Gaussian."""
    widths = fit_band_widths(search.better, search.start)
    if widths is None:
        return None
    gain = criterion_of(uncut) - criterion_of(widths.fit)
    if gain > OWN_WIDTHS * len(widths.log_ratios):
        return widths
    return None


def _of_wide(fit: WideFit, widths: Optional[BandWidths] = None) -> PsfFit:
    """The fit in the terms of this module."""
    return PsfFit(
        psf=fit.psf,
        family=fit.family,
        criterion=fit.verdict.criterion,
        residual=fit.verdict.residual,
        parameters=fit.parameters,
        border=fit.border,
        doubt=fit.verdict.doubt,
        widths=widths,
    )


def _margin(family: str) -> float:
    """By how much a family has to be ahead of the others."""
    if family in MOVING:
        return MOVING_MARGIN
    return 0.0


def charged(fit: WideFit) -> float:
    """The criterion that families are compared by, one with the other."""
    return criterion_of(fit) + _margin(fit.family)


def _charged_narrow(fit: PsfFit) -> float:
    """The same for kernels within narrow windows."""
    return _criterion_of(fit) + _margin(fit.family)


def _criterion_of(fit: PsfFit) -> float:
    return fit.criterion


def _richer_kernels(
    problems: dict[int, WindowEquations],
    gaussians: list[PsfFit],
    scale: int,
    free: bool,
) -> list[PsfFit]:
    """What to try where no round Gaussian is exact.

    Args:
        problems: Window -> its equations.
        gaussians: The best round Gaussian of every window.
        scale: s.
        free: Whether a free kernel is tried as well.

    Returns:
        The other families on the windows that came closest, and free kernels on the shorter windows.
    """
    ranked = sorted(gaussians, key=_criterion_of)
    richer = []
    for gaussian in ranked[:BEST_WINDOWS]:
        equations = problems[gaussian.size]
        for family in other_families(scale, gaussian.size):
            richer.append(_best_of(family, equations))
    if not free:
        return richer
    ranked = sorted([*ranked, *richer], key=_criterion_of)
    kernels = []
    for size, equations in problems.items():
        # Longer windows have more taps than one scene can tell.
        if size <= scale + 1:
            nearest = next(fit for fit in ranked if fit.size == size)
            kernels += _free_candidates(equations, nearest)
    return richer + kernels
