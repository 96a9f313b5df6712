"""How a spectral map is fitted on LR pixels and added to coefficients; a picture and a window of one are alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paddle_umsft.methods.subspace.ground import Ground, fit_weights
from paddle_umsft.methods.subspace.map_features import Features, Kernel, PixelInputs
from paddle_umsft.methods.subspace.spectral_map import SINGLE_CAUTION, MapFit, fit_map

# LR pixels weigh brightness to the power -2 of this: noise that grows as its root, as that of photons does.
SINGLE_GAMMA = 0.5
# Dark LR pixels count more in the fit, down to this share of the mean brightness: below it is noise.
DARKEST = 0.05


def linear_coeffs(ground: Ground) -> np.ndarray:
    """(H, W, K) coefficients of the linear estimate of every spectrum from its MSI pixel."""
    basis = ground.basis.astype(np.float32)
    lift = ground.lift.T @ basis  # (M, K)
    return np.asarray(ground.hr_msi @ lift)


@dataclass(frozen=True)
class FittedOn:
    """What a map is fitted on: n LR pixels of a picture, or of a part of it.

    Attributes:
        missing: (n, K) float64 what the linear estimate misses.
        blurred: (n, D) features behind the PSF.
        trust: (n,) weights.
    """

    missing: np.ndarray
    blurred: np.ndarray
    trust: np.ndarray


def missed_by(ground: Ground, coeffs: np.ndarray) -> np.ndarray:
    """(n, K) float64 what coefficients (H, W, K) miss at the n LR pixels kept."""
    basis = ground.basis.astype(np.float32)
    missing = ground.lr_hsi @ basis - ground.operator.forward(coeffs)  # (h, w, K)
    return np.asarray(missing[ground.kept], dtype=np.float64)


def blurred_features(ground: Ground, features: list[Features]) -> np.ndarray:
    """(n, D) features of a picture or a window as the n LR pixels kept see them."""
    kept = ground.kept.ravel()
    return np.concatenate([part.blurred(ground.operator)[kept] for part in features], axis=1)


def trust_by_brightness(ground: Ground, gamma: float) -> np.ndarray:
    """(n,) weights of the n LR pixels kept: their brightness to the power -2 gamma, and how far they are believed."""
    seen_brightness = ground.operator.forward(ground.inputs.brightness[..., None])  # (h, w, 1)
    brightness = seen_brightness[ground.kept].ravel() / ground.inputs.level
    trust = (np.maximum(brightness, 0.0) + DARKEST) ** -gamma
    return np.asarray(trust * np.sqrt(fit_weights(ground)[ground.kept]))


def to_fit_on(
    ground: Ground,
    coeffs: np.ndarray,
    features: list[Features],
    gamma: float,
) -> FittedOn:
    """Gather what the LR pixels say of the map.

    Args:
        ground: See `Ground`; a picture or a window of one.
        coeffs: (H, W, K) the linear estimate.
        features: Of its pixels.
        gamma: LR pixels weigh brightness to the power -2 gamma.
    """
    return FittedOn(
        missing=missed_by(ground, coeffs),
        blurred=blurred_features(ground, features),
        trust=trust_by_brightness(ground, gamma),
    )


def fit_on(
    seen: FittedOn,
    caution: float,
) -> tuple[np.ndarray, MapFit, np.ndarray]:
    """Fit a map.

    Args:
        seen: What it is fitted on.
        caution: Factor on the likeliest ridge.

    Returns:
        (D, K) weights, the fit, and the (K, K) rotation of its columns.
    """
    # What the linear estimate misses, turned to its principal axes: each gets a ridge of its own.
    _, vectors = np.linalg.eigh(seen.missing.T @ seen.missing)
    axes = vectors[:, ::-1]  # (K, K), the largest first
    targets = seen.missing @ axes
    fit = fit_map(seen.blurred, targets, seen.trust, caution=caution)
    weights = (fit.weights @ axes.T).astype(np.float32)  # (D, K), axes turned back
    return weights, fit, axes


def map_spectra(
    ground: Ground,
    kernels: list[Kernel],
    counts: list[int],
    rng: np.random.Generator,
    *,
    gamma: float = SINGLE_GAMMA,
    caution: float = SINGLE_CAUTION,
) -> tuple[np.ndarray, MapFit, np.ndarray]:
    """Linear estimate plus the learned map of what it misses.

    Args:
        ground: See `Ground`.
        kernels: Kernels whose features are stacked: their covariances add up.
        counts: Number of features of each.
        rng: Source of the random features.
        gamma: LR pixels weigh brightness to the power -2 gamma, so that dark spectra count as well.
        caution: Factor on the likeliest ridge.

    Returns:
        (H, W, K) coefficients, the fit, and the (K, K) rotation of its columns.
    """
    coeffs = linear_coeffs(ground)
    features = []
    for kernel, count in zip(kernels, counts):
        features.append(Features(ground.inputs, kernel, count, rng))
    seen = to_fit_on(ground, coeffs, features, gamma)
    weights, fit, axes = fit_on(seen, caution)
    add_map(coeffs, features, weights)
    return coeffs, fit, axes


def add_map(
    coeffs: np.ndarray,
    features: list[Features],
    weights: np.ndarray,
    threads: int = 1,
) -> None:
    """Add W'z(p) to the (H, W, K) coefficients in place.

    Args:
        coeffs: (H, W, K).
        features: Features of each kernel.
        weights: (D, K), the kernels' weights one below the other.
        threads: That share the pixels.
    """
    start = 0
    for part in features:
        stop = start + part.count
        part.add_mapped(coeffs, weights[start:stop], threads)
        start = stop


@dataclass(frozen=True)
class SpectralMap:
    """A map that was fitted, for any window of the picture.

    Attributes:
        features: Of each of its kernels.
        weights: (D, K) float32, the kernels' weights one below the other.
    """

    features: list[Features]
    weights: np.ndarray

    def add_to(
        self,
        coeffs: np.ndarray,
        inputs: PixelInputs,
        threads: int = 1,
    ) -> None:
        """Add W'z(p) to the (H, W, K) coefficients of a window, in place; threads share its pixels."""
        here = [part.on(inputs) for part in self.features]
        add_map(coeffs, here, self.weights, threads)
