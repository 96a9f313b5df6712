"""Shifts of any size, in steps of a few pixels: for each the share of PSF(MSI) that the HSI's spectra explain.

With orthonormal columns q_k of the spectra, R² of a shift is the sum of (q_k' t)² over that shift's LR pixels t, so all
shifts at once are correlations by the Fourier transform.
"""

from __future__ import annotations

import numpy as np
from scipy import fft
from scipy.ndimage import median_filter, uniform_filter

from paddle_umsft.preparation.view import View, spectral_directions

# Longest shift looked for, as a share of the shorter side.
FARTHEST = 0.3
# Spectral directions that explain: few, so that no shift explains anything by chance.
DIRECTIONS = 5
# Steps of the search in an LR pixel, at least; what is between them is left to the refinement.
FINEST = 4
# Single wild pixels must not hide the place; the median of so many along a side removes them.
CALM = 3
# Variances and what is unexplained stop here: rounding of float32 sums.
LEAST_VARIANCE = 1e-6
LEAST_LEFT = 1e-5
TINY = 1e-30


def coarse_step(scale: int) -> int:
    """HR pixels that the search takes together: the LR pixel keeps at least `FINEST` of them along a side."""
    best = 1
    for step in range(2, scale + 1):
        if scale % step == 0 and scale // step >= FINEST:
            best = step
    return best


class _Correlations:
    """Sums over all LR pixels of a factor times what they see, for all shifts at once.

    Args:
        lr_shape: (h, w).
        scale: Coarse pixels in an LR pixel.
        shape: Size of the padded picture.
        reach: Longest shift.
    """

    def __init__(
        self,
        lr_shape: tuple[int, int],
        scale: int,
        shape: tuple[int, int],
        reach: int,
    ) -> None:
        self.lr_shape = lr_shape
        self.scale = scale
        self.shape = shape
        self.size = 2 * reach + 1

    def probe(self, factors: np.ndarray) -> np.ndarray:
        """Spectrum of (h*w,) factors put where LR pixels begin."""
        height, width = self.lr_shape
        spread = np.zeros(self.shape, dtype=np.float32)
        rows = slice(0, height * self.scale, self.scale)
        columns = slice(0, width * self.scale, self.scale)
        spread[rows, columns] = factors.reshape(self.lr_shape)
        spectrum = fft.rfft2(spread)
        return np.asarray(np.conj(spectrum))

    def sums(self, probe: np.ndarray, image: np.ndarray) -> np.ndarray:
        """(2R+1, 2R+1) sums for a probe and the spectrum of an image."""
        everywhere = fft.irfft2(probe * image, s=self.shape)
        in_reach = everywhere[: self.size, : self.size]
        return np.asarray(in_reach, dtype=np.float64)


def _as_seen(
    view: View,
    step: int,
    reach: int,
) -> np.ndarray:
    """(H', W', M) mean of the LR pixel that begins at every coarse pixel, the picture padded by the reach.

    Args:
        view: The pair.
        step: HR pixels along a side of a coarse one.
        reach: Coarse pixels of padding, at least.
    """
    view = view.on_its_ground()
    calm = median_filter(
        view.hr_msi.astype(np.float32),
        size=(CALM, CALM, 1),
        mode="nearest",
    )
    height, width, bands = calm.shape
    cells = calm.reshape(height // step, step, width // step, step, bands)
    coarse = cells.mean(axis=(1, 3))
    coarse_height, coarse_width, _ = coarse.shape
    margins = (
        _margins(coarse_height, reach),
        _margins(coarse_width, reach),
        (0, 0),
    )
    padded = np.pad(coarse, margins, mode="edge")
    # Of the LR pixel that begins here, not of that around it.
    scale = view.scale // step
    begin = -(scale // 2)
    means = uniform_filter(
        padded,
        size=(scale, scale, 1),
        mode="nearest",
        origin=(begin, begin, 0),
    )
    return np.asarray(means)


def _margins(length: int, reach: int) -> tuple[int, int]:
    """Padding before and behind a side, to a length that the Fourier transform is fast on."""
    padded = fft.next_fast_len(length + 2 * reach, real=True)
    return reach, padded - length - reach


def explained(view: View) -> tuple[np.ndarray, np.ndarray]:
    """How badly each coarse shift explains the pair.

    Args:
        view: The pair.

    Returns:
        (2R+1, 2R+1) sum over MSI bands of log(1 - R²), and the (2R+1,) shifts along either axis in HR pixels.
    """
    step = coarse_step(view.scale)
    scale = view.scale // step
    height, width, bands = view.hr_msi.shape
    shorter = min(height, width) // step
    reach = max(scale, int(FARTHEST * shorter))
    seen = _as_seen(view, step, reach)
    correlations = _Correlations(
        view.lr_shape,
        scale,
        shape=(seen.shape[0], seen.shape[1]),
        reach=reach,
    )
    orthogonal = _orthogonal_directions(view)
    probes = [correlations.probe(column) for column in orthogonal.T]
    trusted = view.trusted.ravel()
    everywhere = correlations.probe(trusted.astype(np.float32))
    table = np.zeros((correlations.size, correlations.size))
    for band in range(bands):
        image = seen[..., band] - seen[..., band].mean()
        left = _left_of(image, correlations, probes, everywhere)
        table += np.log(left)
    shifts = step * np.arange(-reach, reach + 1)
    return table, shifts


def _orthogonal_directions(view: View) -> np.ndarray:
    """(h*w, q) orthonormal columns of the spectra's leading directions, a constant first; 0 where not trusted."""
    directions = spectral_directions(view.lr_hsi, view.trusted)
    few = directions[:, :DIRECTIONS]
    constant = np.ones((len(few), 1))
    design = np.concatenate([constant, few], axis=1)
    trusted = view.trusted.ravel()
    orthogonal, _ = np.linalg.qr(design * trusted[:, None])
    return np.asarray(orthogonal)


def _left_of(
    image: np.ndarray,
    correlations: _Correlations,
    probes: list[np.ndarray],
    everywhere: np.ndarray,
) -> np.ndarray:
    """1 - R² of one band for every shift.

    Args:
        image: (H', W') what LR pixels would see, mean 0.
        correlations: Sums for all shifts at once.
        probes: Of the orthonormal columns, that of the constant first.
        everywhere: Probe of the trusted LR pixels.

    Returns:
        (2R+1, 2R+1).
    """
    spectrum = fft.rfft2(image)
    spectrum_of_squares = fft.rfft2(image**2)
    energy = correlations.sums(everywhere, spectrum_of_squares)
    parts = []
    for probe in probes:
        sums = correlations.sums(probe, spectrum)
        parts.append(sums**2)
    # What the constant explains is the mean: no variance.
    by_mean, *by_spectra = parts
    variance = energy - by_mean
    least = LEAST_VARIANCE * energy.max() + TINY
    share = sum(by_spectra) / np.maximum(variance, least)
    return np.asarray(np.maximum(1.0 - share, LEAST_LEFT))


def whole_shift(view: View) -> tuple[np.ndarray, float]:
    """The coarse shift that explains the pair best, and the share that it explains (mean over MSI bands).

    Where the view has a placement, the shift is one of the HSI's ground under it.
    """
    table, shifts = explained(view)
    best = int(table.argmin())
    row, column = np.unravel_index(best, table.shape)
    shift = np.array([shifts[row], shifts[column]], dtype=np.float64)
    bands = view.hr_msi.shape[2]
    left = np.exp(table.min() / bands)
    return shift, 1.0 - float(left)
