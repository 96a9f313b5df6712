"""A map from the MSI to spectra, learned on the LR pair of the very scene, with the PSF inside the fit.

Every HR pixel p gets features z(p): random Fourier features of its colour, its brightness and its place, all multiplied
by its brightness, so that the map says which *shape* of spectrum belongs to a colour at a place. The spectrum is linear
in the features, W'z(p), and so is what the hyperspectral camera sees of it, W'PSF(z): ridge regression on the blurred
features fits W with no approximation of mixed pixels. It is Gaussian process regression from integrals of the unknown
function, with a low-rank kernel. The ridge of each spectral dimension is the most likely one.

References:
    A. Rahimi, B. Recht: Random features for large-scale kernel machines. NeurIPS 2007.
    C. Rasmussen, C. Williams: Gaussian processes for machine learning. MIT Press 2006 (chapter 5).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

import numpy as np

from paddle_umsft.cameras.operators import PsfOperator, first_index

RIDGES = 10.0 ** np.arange(-9.0, 2.01, 0.5)


@dataclass
class Kernel:
    """Length scales of one kernel; larger is smoother.

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
        hr_msi: (H, W, M).
        brightness: (H, W) mean over MSI bands, at least a small positive number.
        surround: (H, W, M) blurred MSI, or None.
    """

    hr_msi: np.ndarray
    brightness: np.ndarray
    level: float
    surround: list[np.ndarray] = field(default_factory=list)

    @classmethod
    def of(cls, hr_msi: np.ndarray, radii: tuple[float, ...] = ()) -> PixelInputs:
        """Prepare an MSI; `radii` are the standard deviations (pixels) of the neighbourhoods."""
        from scipy.ndimage import gaussian_filter

        msi = np.maximum(hr_msi, 0.0).astype(np.float32)
        brightness = msi.mean(axis=2)
        level = float(brightness.mean()) + 1e-12
        around = [gaussian_filter(msi, (radius, radius, 0.0), mode="wrap") for radius in radii]
        return cls(msi, brightness, level, around)


def _chromaticity(msi: np.ndarray, floor: float) -> np.ndarray:
    """Bands over their mean, pulled to 0 in the dark; for one band there is no colour."""
    if msi.shape[2] == 1:
        return np.zeros((*msi.shape[:2], 0), dtype=np.float32)
    mean = msi.mean(axis=2, keepdims=True)
    return np.asarray((msi - mean) / (mean + floor), dtype=np.float32)


def _scaled(values: np.ndarray, length: float) -> np.ndarray:
    """Centre, divide by the common standard deviation and the length scale."""
    if not values.shape[2]:
        return values
    centred = values - values.mean(axis=(0, 1), keepdims=True)
    spread = float(np.sqrt(np.mean(centred**2))) + 1e-9
    return np.asarray(centred / (spread * length), dtype=np.float32)


class Features:
    """Random Fourier features of one kernel, evaluated strip by strip.

    Args:
        inputs: Prepared MSI.
        kernel: Length scales.
        count: Number of features D.
        rng: Source of the frequencies.
    """

    def __init__(self, inputs: PixelInputs, kernel: Kernel, count: int, rng: np.random.Generator) -> None:
        floor = kernel.floor * inputs.level
        height, width = inputs.brightness.shape
        parts = [_scaled(_chromaticity(inputs.hr_msi, floor), kernel.colour)]
        parts.append(_scaled(np.log(inputs.brightness + floor)[..., None], kernel.brightness))
        if np.isfinite(kernel.place):
            rows, columns = np.mgrid[:height, :width].astype(np.float32) / max(height, width)
            parts.append(np.stack([rows, columns], axis=2) / np.float32(kernel.place))
        if np.isfinite(kernel.surround):
            for around in inputs.surround:
                parts.append(_scaled(_chromaticity(around, floor), kernel.surround))
                parts.append(_scaled(np.log(around.mean(axis=2) + floor)[..., None], 2 * kernel.surround))
        self.points = np.concatenate(parts, axis=2).astype(np.float32)
        dimension = self.points.shape[2]
        frequencies = rng.standard_normal((dimension, count))
        frequencies /= np.sqrt(rng.chisquare(kernel.tail, count) / kernel.tail)
        self.frequencies = frequencies.astype(np.float32)
        self.phases = rng.uniform(0, 2 * np.pi, count).astype(np.float32)
        self.amplitude = np.sqrt(2.0 * kernel.weight / count).astype(np.float32) * (
            (np.maximum(inputs.brightness, 0.0) / inputs.level) ** kernel.power
        ).astype(np.float32)
        self.count = count

    def rows(self, index: np.ndarray) -> np.ndarray:
        """(len(index), W, D) features of some HR rows."""
        values = self.points[index] @ self.frequencies
        values += self.phases
        np.cos(values, out=values)
        values *= self.amplitude[index][..., None]
        return np.asarray(values)

    def blurred(self, operator: PsfOperator) -> np.ndarray:
        """(h*w, D): the PSF applied to the features without ever holding them all."""
        height, width = operator.lr_shape
        size, scale = operator.psf.shape[0], operator.scale
        out = np.zeros((height, width, self.count), dtype=np.float32)
        offsets = np.arange(size) + first_index(size, scale)
        for row in range(height):
            strip = self.rows((row * scale + offsets) % operator.shape[0]).reshape(size, -1)
            for weights, columns in zip(operator.row_taps, operator.column_maps):
                out[row] += columns @ (weights @ strip).reshape(operator.shape[1], self.count)
        return out.reshape(height * width, self.count)


@dataclass
class MapFit:
    """Weights of the map and how well it predicts LR pixels it has not seen.

    Attributes:
        weights: (D, K).
        errors: (K,) mean squared leave-one-out error per spectral dimension.
        ridges: (K,) chosen ridges, relative to the mean energy of an LR pixel's features.
        evidence: Log marginal likelihood, summed over dimensions.
        left_out: (n, K) leave-one-out residuals, unweighted.
    """

    weights: np.ndarray
    errors: np.ndarray
    ridges: np.ndarray
    evidence: float
    left_out: np.ndarray


def _spectrum(design: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Thin singular value decomposition (left, values, right) through the smaller Gram matrix."""
    few = design.shape[0] <= design.shape[1]
    energies, vectors = np.linalg.eigh(design @ design.T if few else design.T @ design)
    keep = energies > max(energies[-1], 1e-300) * 1e-13
    singular, vectors = np.sqrt(energies[keep]), vectors[:, keep]
    if few:
        return vectors, singular, (design.T @ vectors) / singular
    return design @ (vectors / singular), singular, vectors


def fit_map(
    blurred: np.ndarray, targets: np.ndarray, trust: Optional[np.ndarray] = None, *, caution: float = 3.0
) -> MapFit:
    """Ridge regression; the ridge of each column maximises its marginal likelihood (prior variance profiled out).

    Leave-one-out errors choose far smaller ridges where a few hundred LR pixels meet a thousand features, and lose up
    to 3 dB by it: LR pixels are averages, so they do not show how far the map strays on single HR pixels.

    Args:
        blurred: (n, D) features behind the PSF.
        targets: (n, K) what they should give.
        trust: (n,) weights of the pixels; None: all alike.
        caution: Factor on the chosen ridge.

    Returns:
        Weights and leave-one-out errors (weighted, if weights were given).
    """
    design, wanted = blurred.astype(np.float64), targets.astype(np.float64)
    if trust is not None:
        design, wanted = design * trust[:, None], wanted * trust[:, None]
    count = len(design)
    left, singular, right = _spectrum(design)
    energies = singular**2
    inside = left.T @ wanted
    outside = np.maximum(np.sum(wanted**2, axis=0) - np.sum(inside**2, axis=0), 0.0) + 1e-300
    scale = energies.sum() / count
    evidence = []
    for ridge in RIDGES * scale:
        quadratic = np.sum(inside**2 / (energies + ridge)[:, None], axis=0) + outside / ridge
        volume = np.sum(np.log(energies + ridge)) + (count - len(energies)) * np.log(ridge)
        evidence.append(-0.5 * (volume + count * np.log(quadratic / count)))
    ridges = caution * scale * RIDGES[np.argmax(evidence, axis=0)]
    shrink = energies[:, None] / (energies[:, None] + ridges)
    weights = right @ ((singular[:, None] / (energies[:, None] + ridges)) * inside)
    left_out = (wanted - left @ (shrink * inside)) / np.maximum(1.0 - (left**2) @ shrink, 1e-6)
    errors = np.mean(left_out**2, axis=0)
    if trust is not None:
        left_out = left_out / trust[:, None]
    return MapFit(weights, errors, ridges / scale, float(np.sum(np.max(evidence, axis=0))), left_out)
