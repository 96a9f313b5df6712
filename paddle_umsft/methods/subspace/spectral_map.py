"""A map from the MSI to spectra, learned on the LR pair of the very scene, with the PSF inside the fit.

Every HR pixel p gets features z(p): random Fourier features of its colour, its brightness and its place, all multiplied
by its brightness, so that the map says which *shape* of spectrum belongs to a colour at a place. The spectrum is linear
in the features, W'z(p), and so is what the hyperspectral camera sees of it, W'PSF(z): ridge regression on the blurred
features fits W with no approximation of mixed pixels. It is Gaussian process regression from integrals of the unknown
function, with a low-rank kernel. The ridge of each spectral dimension is the most likely one.

How it reads beside Rasmussen and Williams ("GPML", whose equation numbers stand in the comments):

    f(x) = phi(x)'w (2.10)       the value of one spectral dimension at an HR pixel; our phi(x) is z(p), D numbers
    w ~ N(0, sigma_p^2 I) (2.4)  the prior of the weights; the length scales are inside phi
    X, n inputs                  n LR pixels; an input is what the PSF covers, not a point
    y = f(x) + noise (2.1)       y = sum over q of psf(q) f(x_q) + noise, q the HR pixels under the PSF
    Phi (D, n) (2.11)            `design`' with `design` = PSF(z), (n, D): the sum over q goes through to phi
    K = Phi' Sigma_p Phi (2.12)  sigma_p^2 `design` `design`', so K never has to be built
    sigma_n^2                    noise; only `ridge` = sigma_n^2 / sigma_p^2 matters for the mean

A linear functional of a Gaussian process is Gaussian together with the process, so all of chapters 2 and 5 holds with
PSF(phi) wherever the book has phi at a training input, and with plain phi at the test inputs, the HR pixels.

References:
    A. Rahimi, B. Recht: Random features for large-scale kernel machines. NeurIPS 2007 (algorithm 1).
    C. Rasmussen, C. Williams: Gaussian processes for machine learning. MIT Press 2006 (chapters 2, 4.2 and 5.4).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

import numpy as np

from paddle_umsft.cameras.border import Border
from paddle_umsft.cameras.spatial import SpatialDegradation

# Ridges that compete, relative to the mean energy of an LR pixel's features: half a decade apart, from far below the
# noise of float32 inputs to a map that is all but zero.
RIDGES = 10.0 ** np.arange(-9.0, 2.01, 0.5)
# Factor on the likeliest ridge of a map that stands alone: LR pixels are averages, so they do not show how far a map
# strays on single HR pixels, and a little smoother than likely is safer.
SINGLE_CAUTION = 3.0
# The surround's brightness changes less from place to place than its colour tells: it counts half as much.
SURROUND_BRIGHTNESS = 2
# Eigenvalues of a Gram matrix below this share of the largest are rounding (float64 has 2e-16, summed over n).
RANK_TOLERANCE = 1e-13
# A pixel that determines its own fit (leverage 1) has no leave-one-out residual: the division stops here.
LEAST_FREEDOM = 1e-6
# Keep divisions and logarithms finite where an image is all dark or has no contrast.
TINY_LEVEL = 1e-12
TINY_SPREAD = 1e-9
TINY_ENERGY = 1e-300


@dataclass
class Kernel:
    """Length scales of one kernel; larger is smoother.

    The covariance of the map at two HR pixels p and q is

        weight * b(p)^power * b(q)^power * k(|x(p) - x(q)|),

    b the brightness over its mean, x the scaled inputs (colour, brightness, place, surround), and k the Matérn kernel
    of order nu = tail / 2 (GPML 4.14; 4.17 for tail 3 and 5), which tends to the squared exponential (4.9) as `tail`
    grows.

    Attributes:
        colour: Of the chromaticity, in its own standard deviations.
        brightness: Of the logarithm of the brightness, in its own standard deviations.
        place: Of the position, as a fraction of the longer side; inf: the position does not count.
        surround: Of the chromaticity of the neighbourhood, in standard deviations; inf: does not count.
        weight: Share of the prior variance.
        floor: Brightness (fraction of the mean) below which chromaticity is not believed.
        tail: Degrees of freedom of the frequencies' Student distribution; large: Gaussian kernel.
        power: Amplitude of the features is brightness to this power.
    """

    colour: float = 1.0
    brightness: float = 2.0
    place: float = 0.3
    surround: float = np.inf
    weight: float = 1.0
    floor: float = 0.02
    tail: float = 5.0
    power: float = 1.0


@dataclass
class PixelInputs:
    """What the features are made of, for all HR pixels.

    Attributes:
        hr_msi: (H, W, M) float32, nothing below zero.
        brightness: (H, W) mean over MSI bands.
        level: Mean brightness, a positive number.
        surround: One (H, W, M) blurred MSI per neighbourhood; empty: the surround does not count.
    """

    hr_msi: np.ndarray
    brightness: np.ndarray
    level: float
    surround: list[np.ndarray] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        hr_msi: np.ndarray,
        radii: tuple[float, ...] = (),
        border: Border = "wrap",
    ) -> PixelInputs:
        """Prepare an MSI; `radii` are the standard deviations (pixels) of the neighbourhoods."""
        from scipy.ndimage import gaussian_filter

        msi = np.maximum(hr_msi, 0.0).astype(np.float32)
        brightness = msi.mean(axis=2)  # (H, W)
        level = float(brightness.mean()) + TINY_LEVEL
        around = []
        for radius in radii:
            blurred = gaussian_filter(msi, (radius, radius, 0.0), mode=border)
            around.append(blurred)  # (H, W, M)
        return cls(
            hr_msi=msi,
            brightness=brightness,
            level=level,
            surround=around,
        )


def _chromaticity(msi: np.ndarray, floor: float) -> np.ndarray:
    """Bands over their mean, pulled to 0 in the dark; (H, W, 0) for one band, which has no colour."""
    height, width, bands = msi.shape
    if bands == 1:
        return np.zeros((height, width, 0), dtype=np.float32)
    mean = msi.mean(axis=2, keepdims=True)
    relative = (msi - mean) / (mean + floor)
    return np.asarray(relative, dtype=np.float32)


def _log_brightness(brightness: np.ndarray, floor: float) -> np.ndarray:
    """Logarithm of (H, W) brightness, which does not dive in the dark, as one channel: (H, W, 1)."""
    logarithm = np.log(brightness + floor)
    return np.asarray(logarithm[..., None])


def _scaled(values: np.ndarray, length: float) -> np.ndarray:
    """Centre, divide by the common standard deviation and the length scale.

    All channels are divided by one number: a distance of 1 afterwards is one length scale (r / l in GPML 4.9).
    """
    if not values.shape[2]:
        return values
    centred = values - values.mean(axis=(0, 1), keepdims=True)
    variance = np.mean(centred**2)
    spread = float(np.sqrt(variance)) + TINY_SPREAD
    scaled = centred / (spread * length)
    return np.asarray(scaled, dtype=np.float32)


def _places(
    height: int,
    width: int,
    length: float,
) -> np.ndarray:
    """Row and column of every HR pixel in length scales, (H, W, 2); the longer side is 1 / `length` long."""
    grid = np.mgrid[:height, :width].astype(np.float32)  # (2, H, W)
    rows, columns = grid / max(height, width)
    return np.asarray(np.stack([rows, columns], axis=2) / np.float32(length))


def kernel_inputs(inputs: PixelInputs, kernel: Kernel) -> np.ndarray:
    """The points x between which the kernel measures its distances.

    Args:
        inputs: Prepared MSI.
        kernel: Length scales.

    Returns:
        (H, W, d) float32, every coordinate in units of its own length scale (one l per input, GPML 5.2).
    """
    floor = kernel.floor * inputs.level
    colour = _chromaticity(inputs.hr_msi, floor)
    parts = [_scaled(colour, kernel.colour)]
    brightness = _log_brightness(inputs.brightness, floor)
    parts.append(_scaled(brightness, kernel.brightness))
    if np.isfinite(kernel.place):
        height, width = inputs.brightness.shape
        parts.append(_places(height, width, kernel.place))
    if np.isfinite(kernel.surround):
        for around in inputs.surround:
            colour = _chromaticity(around, floor)
            parts.append(_scaled(colour, kernel.surround))
            brightness = _log_brightness(around.mean(axis=2), floor)
            parts.append(_scaled(brightness, SURROUND_BRIGHTNESS * kernel.surround))
    points = np.concatenate(parts, axis=2)  # (H, W, d)
    return points.astype(np.float32)


class Features:
    """Random Fourier features of one kernel, evaluated strip by strip.

    z_j(p) = a(p) sqrt(2 weight / D) cos(omega_j'x(p) + beta_j), so that z(p)'z(q) tends to the covariance of `Kernel`
    as D grows (Rahimi and Recht, algorithm 1).

    Args:
        inputs: Prepared MSI.
        kernel: Length scales.
        count: Number of features D.
        rng: Source of the frequencies.
    """

    def __init__(
        self,
        inputs: PixelInputs,
        kernel: Kernel,
        count: int,
        rng: np.random.Generator,
    ) -> None:
        self.count = count
        self.points = kernel_inputs(inputs, kernel)  # (H, W, d)
        dimension = self.points.shape[2]
        # Bochner's theorem (GPML 4.5): a stationary kernel is the Fourier transform of a density, and frequencies omega
        # drawn from that density give the kernel back on average. That of the squared exponential is Gaussian; that of
        # the Matérn kernel (4.15) is Student's with 2 nu degrees of freedom: a Gaussian over the root of a chi-square.
        gaussian = rng.standard_normal((dimension, count))
        widening = np.sqrt(rng.chisquare(kernel.tail, count) / kernel.tail)  # one for all coordinates of omega_j
        frequencies = gaussian / widening
        self.frequencies = frequencies.astype(np.float32)  # (d, D)
        # A random phase makes the cosine alone enough: its mean over the phase is that of cosine and sine together.
        phases = rng.uniform(0, 2 * np.pi, count)
        self.phases = phases.astype(np.float32)  # (D,)
        # A process times a known function a(p) has the covariance a(p) k a(q) (GPML 4.2.4): brighter pixels have
        # proportionally larger spectra, and the map only has to know their shape.
        relative = np.maximum(inputs.brightness, 0.0) / inputs.level
        shading = relative**kernel.power
        height = np.sqrt(2.0 * kernel.weight / count)
        self.amplitude = height.astype(np.float32) * shading.astype(np.float32)  # (H, W)

    def rows(self, index: np.ndarray) -> np.ndarray:
        """(len(index), W, D) features of some HR rows."""
        values = self.points[index] @ self.frequencies  # (rows, W, d) -> (rows, W, D)
        values += self.phases
        np.cos(values, out=values)
        values *= self.amplitude[index][..., None]
        return np.asarray(values)

    def blurred(self, operator: SpatialDegradation) -> np.ndarray:
        """(h*w, D): the PSF applied to the features without ever holding them all."""
        height, width = self.amplitude.shape
        seen = operator.forward_by_rows(self.rows, (height, width, self.count))  # (h, w, D)
        return seen.reshape(-1, self.count)


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


def _thin_svd(design: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Thin singular value decomposition through the smaller Gram matrix.

    Args:
        design: (n, D).

    Returns:
        U (n, r), singular values s (r,) and V (D, r) with design = U diag(s) V'; directions that only rounding
        fills are left out.
    """
    pixels, features = design.shape
    few_pixels = pixels <= features
    if few_pixels:
        gram = design @ design.T  # (n, n)
    else:
        gram = design.T @ design  # (D, D)
    energies, vectors = np.linalg.eigh(gram)
    largest = max(energies[-1], TINY_ENERGY)
    keep = energies > largest * RANK_TOLERANCE
    singular = np.sqrt(energies[keep])
    vectors = vectors[:, keep]
    if few_pixels:
        left = vectors
        right = (design.T @ left) / singular
    else:
        right = vectors
        left = design @ (right / singular)
    return left, singular, right


def _log_evidence(
    energies: np.ndarray,
    inside: np.ndarray,
    outside: np.ndarray,
    count: int,
    ridge: float,
) -> np.ndarray:
    """Log marginal likelihood (GPML 2.30, 5.8) of every column under one ridge, up to a constant.

    With K + sigma_n^2 I = sigma_p^2 G, G = design design' + ridge I, equation (2.30) reads

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
    eigenvalues = energies + ridge
    # y'G^-1 y and log|G| in the eigenbasis of G: r eigenvalues s^2 + ridge, and n - r that are the ridge itself.
    data_fit = np.sum(inside**2 / eigenvalues[:, None], axis=0) + outside / ridge  # (K,)
    complexity = np.sum(np.log(eigenvalues)) + (count - len(energies)) * np.log(ridge)
    profiled = count * np.log(data_fit / count)  # n log sigma_p^2
    return np.asarray(-0.5 * (complexity + profiled))


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
    design = blurred.astype(np.float64)  # (n, D)
    wanted = targets.astype(np.float64)  # (n, K)
    if trust is not None:
        # Noise of another size in every pixel becomes noise of one size, sigma_n, by scaling the rows.
        design = design * trust[:, None]
        wanted = wanted * trust[:, None]
    count = len(design)

    # One decomposition serves all ridges and all K dimensions: design = U diag(s) V'.
    left, singular, right = _thin_svd(design)
    energies = singular**2  # (r,)
    inside = left.T @ wanted  # (r, K)
    total = np.sum(wanted**2, axis=0)
    explained = np.sum(inside**2, axis=0)
    outside = np.maximum(total - explained, 0.0) + TINY_ENERGY  # (K,)

    # Model selection by the marginal likelihood (GPML 5.4.1), on a grid instead of by its gradient (5.9).
    scale = energies.sum() / count  # mean energy of a row of the design
    evidence = []
    for ridge in RIDGES * scale:
        evidence.append(_log_evidence(energies, inside, outside, count, ridge))
    likeliest = np.argmax(evidence, axis=0)  # (K,)
    ridges = caution * scale * RIDGES[likeliest]

    # Posterior mean of the weights (GPML 2.8), (design'design + ridge I)^-1 design'y = V diag(s / (s^2 + ridge)) U'y.
    damped = energies[:, None] + ridges  # (r, K)
    gains = singular[:, None] / damped
    weights = right @ (gains * inside)  # (D, K)

    # Leave-one-out residuals (GPML 5.12): [G^-1 y]_i / [G^-1]_ii = (y - Hy)_i / (1 - H_ii), with the smoother
    # H = U diag(s^2 / (s^2 + ridge)) U' (2.35, in the eigenbasis 2.36).
    shrink = energies[:, None] / damped  # (r, K)
    residuals = wanted - left @ (shrink * inside)  # (n, K)
    leverage = (left**2) @ shrink  # (n, K), the diagonal of H
    left_out = residuals / np.maximum(1.0 - leverage, LEAST_FREEDOM)
    if trust is not None:
        left_out = left_out / trust[:, None]

    best_evidence = np.max(evidence, axis=0)  # (K,)
    return MapFit(
        weights=weights,
        ridges=ridges / scale,
        evidence=float(np.sum(best_evidence)),
        left_out=left_out,
    )
