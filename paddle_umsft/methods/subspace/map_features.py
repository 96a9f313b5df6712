"""Features whose linear functions are draws from a Gaussian process over colours and places.

Every HR pixel p gets features z(p): random Fourier features of its colour, its brightness and its place, all multiplied
by its brightness, so that a map that is linear in them says which *shape* of spectrum belongs to a colour at a place.
The comments name sections of Rasmussen and Williams ("GPML"), whose chapter 4 this file is; `spectral_map.py` says how
the rest of the book goes on from here.

References:
    A. Rahimi, B. Recht: Random features for large-scale kernel machines. NeurIPS 2007 (algorithm 1).
    C. Rasmussen, C. Williams: Gaussian processes for machine learning. MIT Press 2006 (4.2, 5.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Optional

import numpy as np

from paddle_umsft.cameras.border import Border
from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.machine.side_by_side import side_by_side

# The surround's brightness changes less from place to place than its colour tells: it counts half as much.
SURROUND_BRIGHTNESS = 2
# A pixel's own colour and brightness come first among its coordinates.
OWN_LOOKS = 2
# A cosine's phase is drawn from one whole turn.
TURN = 2 * np.pi
# Features made at a time: a quarter of a megabyte of float32, which a core's own cache holds beside what is read.
CACHED_VALUES = 2**16
# Keep divisions finite where an image is all dark or has no contrast.
TINY_LEVEL = 1e-12
TINY_SPREAD = 1e-9


@dataclass
class Kernel:
    """Length scales of one kernel; larger is smoother.

    The covariance of the map at two HR pixels p and q is

        weight * b(p)^power * b(q)^power * k(|x(p) - x(q)|),

    b the brightness over its mean, x the scaled inputs (colour, brightness, place, surround), and k the Matérn kernel
    of order nu = tail / 2 (GPML, section 4.2.1), which tends to the squared exponential as `tail` grows.

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
        rows: Of a window of a picture, its rows there; None: it is the whole picture.
        height: H of the whole picture, if it is a window.
    """

    hr_msi: np.ndarray
    brightness: np.ndarray
    level: float
    surround: list[np.ndarray] = field(default_factory=list)
    rows: Optional[np.ndarray] = None
    height: int = 0

    @classmethod
    def of(
        cls,
        hr_msi: np.ndarray,
        radii: tuple[float, ...] = (),
        border: Border = "wrap",
    ) -> PixelInputs:
        """Prepare an MSI; `radii` are the standard deviations (pixels) of the neighbourhoods."""
        from scipy.ndimage import gaussian_filter

        msi = np.maximum(hr_msi, 0.0)
        msi = msi.astype(np.float32)
        brightness = msi.mean(axis=2)  # (H, W)
        level = float(brightness.mean())
        around = []
        for radius in radii:
            blurred = gaussian_filter(
                msi,
                sigma=(radius, radius, 0.0),  # bands are not mixed
                mode=border,
            )
            around.append(blurred)  # (H, W, M)
        return cls(
            hr_msi=msi,
            brightness=brightness,
            level=level + TINY_LEVEL,
            surround=around,
        )

    @classmethod
    def none_of(cls, shape: tuple[int, ...]) -> PixelInputs:
        """No pixel of a picture (H, W, M), whose windows are made one by one."""
        height, width, bands = shape
        return cls(
            hr_msi=np.zeros((0, width, bands), dtype=np.float32),
            brightness=np.zeros((0, width), dtype=np.float32),
            level=TINY_LEVEL,
            rows=np.arange(0),
            height=height,
        )


def _chromaticity(msi: np.ndarray, floor: float) -> np.ndarray:
    """Bands over their mean, pulled to 0 in the dark; (H, W, 0) for one band, which has no colour."""
    height, width, bands = msi.shape
    if bands == 1:
        return np.zeros((height, width, 0), dtype=np.float32)
    mean = msi.mean(axis=2, keepdims=True)  # (H, W, 1)
    deviation = msi - mean
    relative = deviation / (mean + floor)
    return np.asarray(relative, dtype=np.float32)


def _log_brightness(brightness: np.ndarray, floor: float) -> np.ndarray:
    """Logarithm of (H, W) brightness, which does not dive in the dark, as one channel: (H, W, 1)."""
    logarithm = np.log(brightness + floor)
    return np.expand_dims(logarithm, axis=2)


@dataclass(frozen=True)
class Spread:
    """What coordinates are centred by and divided by: of the whole picture, whichever part of it is looked at.

    Attributes:
        mean: (1, 1, channels).
        deviation: Common standard deviation.
    """

    mean: np.ndarray
    deviation: float

    @classmethod
    def of(cls, values: np.ndarray) -> Spread:
        """That of (H, W, channels)."""
        if values.shape[2] == 0:
            return cls(np.zeros((1, 1, 0), dtype=np.float32), 0.0)
        mean = values.mean(axis=(0, 1), keepdims=True)  # (1, 1, channels)
        centred = values - mean
        variance = np.mean(centred**2)
        return cls(mean, float(np.sqrt(variance)))


def _scaled(values: np.ndarray, length: float, spread: Spread) -> np.ndarray:
    """Centre, divide by the common standard deviation and the length scale.

    All channels are divided by one number: a distance of 1 afterwards is one length scale (r / l in GPML's kernels).
    """
    if values.shape[2] == 0:
        return values
    centred = values - spread.mean
    unit = (spread.deviation + TINY_SPREAD) * length
    return np.asarray(centred / unit, dtype=np.float32)


def _places(inputs: PixelInputs, length: float) -> np.ndarray:
    """Row and column of every HR pixel in length scales, (H, W, 2); the longer side is 1 / `length` long."""
    height, width = inputs.brightness.shape
    rows = np.arange(height)
    if inputs.rows is not None:
        rows = inputs.rows
        height = inputs.height
    longer = max(height, width)
    places = np.empty((len(rows), width, 2), dtype=np.float32)
    for axis, lines in enumerate((rows[:, None], np.arange(width)[None])):
        shares = lines.astype(np.float32) / longer
        places[..., axis] = shares / np.float32(length)
    return places


def looks(inputs: PixelInputs, kernel: Kernel) -> list[tuple[np.ndarray, float]]:
    """What pixels look like, before it is scaled: coordinates of the MSI, then of its surround, with length scales.

    Args:
        inputs: Prepared MSI.
        kernel: Length scales.

    Returns:
        Of each image its chromaticity (H, W, M) and its logarithmic brightness (H, W, 1).
    """
    floor = kernel.floor * inputs.level
    found = [
        (_chromaticity(inputs.hr_msi, floor), kernel.colour),
        (_log_brightness(inputs.brightness, floor), kernel.brightness),
    ]
    if np.isfinite(kernel.surround):
        for around in inputs.surround:
            found.append((_chromaticity(around, floor), kernel.surround))
            light = SURROUND_BRIGHTNESS * kernel.surround
            found.append((_log_brightness(around.mean(axis=2), floor), light))
    return found


def spreads_of(inputs: PixelInputs, kernel: Kernel) -> list[Spread]:
    """What the coordinates of a whole picture are scaled by, in the order of `looks`."""
    return [Spread.of(values) for values, _ in looks(inputs, kernel)]


def kernel_inputs(
    inputs: PixelInputs,
    kernel: Kernel,
    spreads: Optional[Sequence[Spread]] = None,
) -> np.ndarray:
    """The points x between which the kernel measures its distances.

    Args:
        inputs: Prepared MSI.
        kernel: Length scales.
        spreads: See `spreads_of`; None: those of these very inputs.

    Returns:
        (H, W, d) float32, every coordinate in units of its own length scale (one l per input: the automatic relevance
        determination of GPML, section 5.1).
    """
    found = looks(inputs, kernel)
    if spreads is None:
        spreads = [Spread.of(values) for values, _ in found]
    parts = []
    for (values, length), spread in zip(found, spreads):
        parts.append(_scaled(values, length, spread))
    if np.isfinite(kernel.place):
        # After the pixel's own look, before its surround's.
        parts.insert(OWN_LOOKS, _places(inputs, kernel.place))
    points = np.concatenate(parts, axis=2)  # (H, W, d)
    return np.asarray(points, dtype=np.float32)


class Features:
    """Random Fourier features of one kernel, evaluated strip by strip.

    z_j(p) = a(p) sqrt(2 weight / D) cos(omega_j'x(p) + beta_j), so that z(p)'z(q) tends to the covariance of `Kernel`
    as D grows (Rahimi and Recht, algorithm 1).

    Args:
        inputs: Prepared MSI.
        kernel: Length scales.
        count: Number of features D.
        rng: Source of the frequencies.
        spreads: Of the whole picture, where the inputs are a window of it; None: of the inputs.
    """

    def __init__(
        self,
        inputs: PixelInputs,
        kernel: Kernel,
        count: int,
        rng: np.random.Generator,
        spreads: Optional[Sequence[Spread]] = None,
    ) -> None:
        self.count = count
        self.kernel = kernel
        self.spreads = spreads
        self.points = kernel_inputs(inputs, kernel, spreads)  # (H, W, d)
        dimension = self.points.shape[2]
        # Bochner's theorem (GPML, section 4.2.1): a stationary kernel is the Fourier transform of a density, and
        # frequencies omega drawn from that density give the kernel back on average. That of the squared exponential is
        # Gaussian; that of the Matérn kernel is Student's with 2 nu degrees of freedom: a Gaussian over the root of a
        # chi-square.
        gaussian = rng.standard_normal((dimension, count))
        chi_square = rng.chisquare(kernel.tail, count)  # one for all coordinates of omega_j
        widening = np.sqrt(chi_square / kernel.tail)
        frequencies = gaussian / widening
        self.frequencies = frequencies.astype(np.float32)  # (d, D)
        # A random phase makes the cosine alone enough: its mean over the phase is that of cosine and sine together.
        phases = rng.uniform(0, TURN, count)
        self.phases = phases.astype(np.float32)  # (D,)
        self.amplitude = self._amplitude(inputs)  # (H, W)

    @classmethod
    def kept(
        cls,
        kernel: Kernel,
        frequencies: np.ndarray,
        phases: np.ndarray,
        spreads: Sequence[Spread],
    ) -> Features:
        """Features that were drawn before, of no pixel yet: `on` gives them some.

        Args:
            kernel: Length scales.
            frequencies: (d, D) float32.
            phases: (D,) float32.
            spreads: Of the whole picture.
        """
        features = cls.__new__(cls)
        features.kernel = kernel
        features.count = len(phases)
        features.frequencies = frequencies
        features.phases = phases
        features.spreads = spreads
        return features

    def _amplitude(self, inputs: PixelInputs) -> np.ndarray:
        """(H, W) a(p) times what makes the cosines' mean square one."""
        # A process times a known function a(p) has the covariance a(p) k a(q) (GPML, section 4.2.4): brighter pixels
        # have proportionally larger spectra, and the map only has to know their shape.
        light = np.maximum(inputs.brightness, 0.0)
        relative = light / inputs.level
        shading = relative**self.kernel.power
        shading = shading.astype(np.float32)
        # The mean of a squared cosine is one half.
        height = np.sqrt(2.0 * self.kernel.weight / self.count)
        return np.asarray(np.float32(height) * shading)

    def on(self, inputs: PixelInputs) -> Features:
        """The same features of another window of the picture; both need the spreads of the whole."""
        moved = copy(self)
        moved.points = kernel_inputs(inputs, self.kernel, self.spreads)
        moved.amplitude = self._amplitude(inputs)
        return moved

    def rows(self, index: np.ndarray) -> np.ndarray:
        """(len(index), W, D) features of some HR rows."""
        points = self.points[index]  # (rows, W, d)
        height, width, dimension = points.shape
        values = np.empty((height * width, self.count), dtype=np.float32)
        self._cosines(points.reshape(-1, dimension), values)
        values *= self.amplitude[index].reshape(-1, 1)
        return values.reshape(height, width, self.count)

    def _cosines(self, points: np.ndarray, out: np.ndarray) -> None:
        """cos(omega_j'x(p) + beta_j) of (n, d) points into (n, D), a few pixels at a time: they stay in the cache."""
        turning = np.concatenate([self.frequencies, self.phases[None]])  # (d + 1, D), the phases for a coordinate of 1
        pixels = self._pixels_at_a_time()
        for first in range(0, len(points), pixels):
            some = points[first : first + pixels]
            ones = np.ones((len(some), 1), dtype=np.float32)
            angles = out[first : first + pixels]
            np.matmul(np.concatenate([some, ones], axis=1), turning, out=angles)
            np.cos(angles, out=angles)

    def _pixels_at_a_time(self) -> int:
        """Pixels whose features fit into the cache."""
        return max(1, CACHED_VALUES // self.count)

    def add_mapped(self, coeffs: np.ndarray, weights: np.ndarray, threads: int = 1) -> None:
        """Add W'z(p) to coefficients in place.

        Args:
            coeffs: (H, W, K) float32, contiguous.
            weights: (D, K).
            threads: That share the pixels.
        """
        mapped = coeffs.reshape(-1, coeffs.shape[2])
        points = self.points.reshape(-1, self.points.shape[2])
        amplitude = self.amplitude.reshape(-1, 1)
        pixels = self._pixels_at_a_time()

        def add(firsts: range) -> None:
            cosines = np.empty((pixels, self.count), dtype=np.float32)
            for first in firsts:
                some = slice(first, first + pixels)
                here = cosines[: len(points[some])]
                self._cosines(points[some], here)
                # The amplitude is one number a pixel: it may wait until D values have become K.
                mapped[some] += amplitude[some] * (here @ weights)

        # Every n-th block is one thread's.
        shares = [range(thread * pixels, len(points), threads * pixels) for thread in range(threads)]
        for _ in side_by_side(add, shares, threads):
            pass

    def blurred(self, operator: SpatialDegradation) -> np.ndarray:
        """(h*w, D): the PSF applied to the features without ever holding them all."""
        height, width = self.amplitude.shape
        shape = (height, width, self.count)
        seen = operator.forward_by_rows(self.rows, shape)  # (h, w, D)
        return seen.reshape(-1, self.count)
