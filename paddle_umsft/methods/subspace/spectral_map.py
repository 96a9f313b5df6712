"""A map from the MSI to spectra, learned on the LR pair of the very scene, with the PSF inside the fit.

The spectrum of an HR pixel p is linear in its features z(p) (`map_features.py`), W'z(p), and so is what the
hyperspectral camera sees of it, W'PSF(z): ridge regression on the blurred features fits W with no approximation of
mixed pixels. It is Gaussian process regression from integrals of the unknown function, with a low-rank kernel. The
ridge of each spectral dimension is the most likely one.

How it reads beside Rasmussen and Williams ("GPML": the comments name its sections, and two equations by number):

    section 2.1, weight-space view
    f(x) = phi(x)'w            the value of one spectral dimension at an HR pixel; our phi(x) is z(p), D numbers
    w ~ N(0, sigma_p^2 I)      the prior of the weights; the length scales are inside phi
    X, n inputs                n LR pixels; an input is what the PSF covers, not a point
    y = f(x) + noise           y = sum over q of psf(q) f(x_q) + noise, q the HR pixels under the PSF
    Phi (D, n)                 `design`' with `design` = PSF(z), (n, D): the sum over q goes through to phi
    sigma_n^2                  noise; only `ridge` = sigma_n^2 / sigma_p^2 matters for the mean

    section 2.2, function-space view
    K = Phi' Sigma_p Phi       sigma_p^2 `design` `design`', so K never has to be built

A linear functional of a Gaussian process is Gaussian together with the process, so all of chapters 2 and 5 holds with
PSF(phi) wherever the book has phi at a training input, and with plain phi at the test inputs, the HR pixels.

In the order of the book: chapter 2 is the weights in `fit_map`; chapter 4 `map_features.py`; section 5.4.1
`_log_evidence` and `_likeliest_ridges`; section 5.4.2 `_left_out`.

References:
    C. Rasmussen, C. Williams: Gaussian processes for machine learning. MIT Press 2006 (2.1, 2.2, 2.6, 5.4).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

import numpy as np

# Ridges that compete, relative to the mean energy of an LR pixel's features: half a decade apart, from far below the
# noise of float32 inputs to a map that is all but zero.
RIDGES = np.logspace(-9.0, 2.0, num=23)
# Factor on the likeliest ridge of a map that stands alone: LR pixels are averages, so they do not show how far a map
# strays on single HR pixels, and a little smoother than likely is safer.
SINGLE_CAUTION = 3.0
# Values of a design that are there at a time in float64: 32 MB.
AT_ONCE = 2**22
# Eigenvalues of a Gram matrix below this share of the largest are rounding (float64 has 2e-16, summed over n).
RANK_TOLERANCE = 1e-13
# A pixel that determines its own fit (leverage 1) has no leave-one-out residual: the division stops here.
LEAST_FREEDOM = 1e-6
# Keeps divisions and logarithms finite where an image is all dark.
TINY_ENERGY = 1e-300


@dataclass
class MapFit:
    """Weights of the map and how well it predicts LR pixels it has not seen.

    Attributes:
        weights: (D, K).
        ridges: (K,) chosen ridges, relative to the mean energy of an LR pixel's features.
        evidence: Log marginal likelihood, summed over dimensions.
        left_out: (n, K) leave-one-out residuals, unweighted.
    """

    weights: np.ndarray
    ridges: np.ndarray
    evidence: float
    left_out: np.ndarray


class _Design:
    """A design (n, D) in float64, made a few rows at a time where it is large.

    Args:
        blurred: (n, D).
        trust: (n,) factors on its rows; None: 1.

    Attributes:
        whole: (n, D) of a small one.
    """

    def __init__(self, blurred: np.ndarray, trust: Optional[np.ndarray]) -> None:
        self.blurred = blurred
        self.trust = trust
        self.count, self.features = blurred.shape
        self.step = max(1, AT_ONCE // self.features)
        if self.count <= self.features:
            # Its Gram matrix is that of all pixels with all others.
            self.step = self.count
        self.whole: Optional[np.ndarray] = None
        if self.count <= self.step:
            self.whole = self._made(slice(0, self.count))

    def _made(self, some: slice) -> np.ndarray:
        rows = self.blurred[some].astype(np.float64)
        if self.trust is not None:
            # Noise of another size in every pixel becomes noise of one size, sigma_n, by scaling the rows.
            rows = rows * self.trust[some, None]
        return np.asarray(rows)

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield which rows, and (m, D) of them."""
        if self.whole is not None:
            yield slice(0, self.count), self.whole
            return
        for first in range(0, self.count, self.step):
            some = slice(first, min(first + self.step, self.count))
            yield some, self._made(some)


@dataclass
class _Decomposition:
    """Thin singular value decomposition of a design (n, D): design = left diag(singular) right'.

    Attributes:
        design: That.
        singular: (r,) s, all positive.
        energies: (r,) s^2: the eigenvalues of design design' that are not 0.
        right: (D, r) V.
        vectors: (n, r) U, where the design is there as a whole; None: it follows from V, block by block.
    """

    design: _Design
    singular: np.ndarray
    energies: np.ndarray
    right: np.ndarray
    vectors: Optional[np.ndarray]

    def left(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield which pixels, and (m, r) rows of U."""
        if self.vectors is not None:
            yield slice(0, len(self.vectors)), self.vectors
            return
        turned = self.right / self.singular
        for some, rows in self.design.blocks():
            yield some, rows @ turned

    def inside(self, wanted: np.ndarray) -> np.ndarray:
        """(r, K) coordinates U'y of the targets (n, K)."""
        total: np.ndarray = np.zeros((len(self.singular), wanted.shape[1]))
        for some, left in self.left():
            total += left.T @ wanted[some]
        return total


def _thin_svd(design: _Design) -> _Decomposition:
    """Decompose a design through its smaller Gram matrix; directions that only rounding fills are left out."""
    few_pixels = design.count <= design.features
    if few_pixels:
        assert design.whole is not None
        gram = design.whole @ design.whole.T  # (n, n)
    else:
        gram = np.zeros((design.features, design.features))
        for _, rows in design.blocks():
            gram += rows.T @ rows
    energies, vectors = np.linalg.eigh(gram)
    largest = max(energies[-1], TINY_ENERGY)
    keep = energies > largest * RANK_TOLERANCE
    singular = np.sqrt(energies[keep])
    vectors = vectors[:, keep]
    left: Optional[np.ndarray] = None
    right = vectors
    if few_pixels:
        assert design.whole is not None
        left = vectors
        right = design.whole.T @ left
        right = right / singular
    elif design.whole is not None:
        left = design.whole @ (right / singular)
    return _Decomposition(
        design=design,
        singular=singular,
        energies=singular**2,
        right=right,
        vectors=left,
    )


def _log_evidence(
    energies: np.ndarray,
    inside: np.ndarray,
    outside: np.ndarray,
    count: int,
    ridge: float,
) -> np.ndarray:
    """Log marginal likelihood of every column under one ridge, up to a constant.

    With K + sigma_n^2 I = sigma_p^2 G, G = design design' + ridge I, GPML's equation (2.30) reads

        -1/2 y'G^-1 y / sigma_p^2  -  1/2 log|G|  -  n/2 log sigma_p^2  -  n/2 log 2 pi,

    and is largest at sigma_p^2 = y'G^-1 y / n, which is put in ("profiled out"); terms that depend on n alone are
    dropped.

    Args:
        energies: (r,) squared singular values of the design: the eigenvalues of design design' that are not 0.
        inside: (r, K) coordinates U'y of the targets along the left singular vectors.
        outside: (K,) energy of the targets beyond those vectors, where G is the ridge alone.
        count: n.
        ridge: sigma_n^2 / sigma_p^2.

    Returns:
        (K,).
    """
    # In the eigenbasis of G, which has r eigenvalues s^2 + ridge, and n - r that are the ridge itself:
    eigenvalues = energies + ridge  # (r,)
    rest = count - len(energies)
    # y'G^-1 y ...
    explained = inside**2 / eigenvalues[:, None]  # (r, K)
    data_fit = np.sum(explained, axis=0)
    data_fit = data_fit + outside / ridge  # (K,)
    # ... and log|G|.
    complexity = np.sum(np.log(eigenvalues))
    complexity = complexity + rest * np.log(ridge)
    likeliest_variance = data_fit / count  # sigma_p^2
    profiled = count * np.log(likeliest_variance)
    return np.asarray(-0.5 * (complexity + profiled))


def _likeliest_ridges(
    parts: _Decomposition,
    inside: np.ndarray,
    wanted: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Model selection by the marginal likelihood (GPML, section 5.4.1), on a grid instead of by its gradient.

    Args:
        parts: The design, decomposed.
        inside: (r, K) coordinates U'y of the targets.
        wanted: (n, K) targets y.

    Returns:
        (K,) ridges in units of the mean energy of a row of the design, and their log evidence (K,).
    """
    count = len(wanted)
    total = np.sum(wanted**2, axis=0)
    explained = np.sum(inside**2, axis=0)
    # The two differ by rounding alone where the design explains all.
    outside = np.maximum(total - explained, 0.0)
    outside = outside + TINY_ENERGY  # (K,)
    scale = parts.energies.sum() / count
    evidence = []
    for ridge in RIDGES * scale:
        column = _log_evidence(
            parts.energies,
            inside,
            outside,
            count=count,
            ridge=ridge,
        )
        evidence.append(column)
    likeliest = np.argmax(evidence, axis=0)  # (K,)
    return RIDGES[likeliest], np.max(evidence, axis=0)


def _left_out(
    parts: _Decomposition,
    inside: np.ndarray,
    wanted: np.ndarray,
    ridges: np.ndarray,
) -> np.ndarray:
    """Leave-one-out residuals without fitting n times (GPML, section 5.4.2, equation 5.12).

    The book's [K^-1 y]_i / [K^-1]_ii is (y - Hy)_i / (1 - H_ii) with the linear smoother (section 2.6)
    H = U diag(s^2 / (s^2 + ridge)) U'.

    Args:
        parts: The design, decomposed.
        inside: (r, K) coordinates U'y of the targets.
        wanted: (n, K) targets y.
        ridges: (K,).

    Returns:
        (n, K).
    """
    energies = parts.energies[:, None]  # (r, 1)
    shrink = energies / (energies + ridges)  # (r, K)
    left_out = np.empty_like(wanted)
    for some, left in parts.left():
        smoothed = left @ (shrink * inside)  # (m, K), Hy
        residuals = wanted[some] - smoothed
        leverage = left**2 @ shrink  # (m, K), the diagonal of H
        freedom = np.maximum(1.0 - leverage, LEAST_FREEDOM)
        left_out[some] = residuals / freedom
    return left_out


def fit_map(
    blurred: np.ndarray,
    targets: np.ndarray,
    trust: Optional[np.ndarray] = None,
    *,
    caution: float = SINGLE_CAUTION,
) -> MapFit:
    """Ridge regression; the ridge of each column maximises its marginal likelihood (prior variance profiled out).

    Leave-one-out errors choose far smaller ridges where a few hundred LR pixels meet a thousand features, and lose up
    to 3 dB by it: LR pixels are averages, so they do not show how far the map strays on single HR pixels.

    Args:
        blurred: (n, D) features behind the PSF.
        targets: (n, K) what they should give.
        trust: (n,) weights of the pixels, the inverse of their noise's standard deviation up to a factor; None: all
            alike.
        caution: Factor on the chosen ridge.

    Returns:
        Weights, the ridges that gave them, and leave-one-out residuals.
    """
    design = _Design(blurred, trust)
    wanted = targets.astype(np.float64)  # (n, K)
    if trust is not None:
        wanted = wanted * trust[:, None]

    # One decomposition serves all ridges and all K dimensions: design = U diag(s) V'.
    parts = _thin_svd(design)
    inside = parts.inside(wanted)  # (r, K)
    likeliest, evidence = _likeliest_ridges(parts, inside, wanted)
    scale = parts.energies.sum() / len(blurred)  # mean energy of a row of the design
    ridges = caution * scale * likeliest  # (K,)

    # Posterior mean of the weights (GPML, section 2.1.1):
    # (design'design + ridge I)^-1 design'y = V diag(s / (s^2 + ridge)) U'y.
    damped = parts.energies[:, None] + ridges  # (r, K)
    gains = parts.singular[:, None] / damped
    weights = parts.right @ (gains * inside)  # (D, K)

    left_out = _left_out(parts, inside, wanted, ridges)
    if trust is not None:
        left_out = left_out / trust[:, None]
    return MapFit(
        weights=weights,
        ridges=ridges / scale,
        evidence=float(np.sum(evidence)),
        left_out=left_out,
    )
