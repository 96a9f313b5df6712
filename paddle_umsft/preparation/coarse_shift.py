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
        return np.asarray(np.conj(fft.rfft2(spread)))

    def sums(self, probe: np.ndarray, image: np.ndarray) -> np.ndarray:
        """(2R+1, 2R+1) sums for a probe and the spectrum of an image."""
        everywhere = fft.irfft2(probe * image, s=self.shape)
        return np.asarray(everywhere[: self.size, : self.size], dtype=np.float64)


def _as_seen(
    view: View,
    step: int,
    reach: int,
) -> np.ndarray:
    """(H', W', M) mean of the LR pixel that begins at every coarse pixel, the picture padded by the reach."""
    view = view.on_its_ground()
    height, width, bands = view.hr_msi.shape
    scale = view.scale // step
    calm = median_filter(view.hr_msi.astype(np.float32), size=(CALM, CALM, 1), mode="nearest")
    cells = calm.reshape(height // step, step, width // step, step, bands)
    coarse = cells.mean(axis=(1, 3))
    margins = []
    for side in coarse.shape[:2]:
        # Lengths that the Fourier transform is fast on.
        length = fft.next_fast_len(side + 2 * reach, real=True)
        margins.append((reach, length - side - reach))
    margins.append((0, 0))
    padded = np.pad(coarse, margins, mode="edge")
    begin = -(scale // 2)
    return np.asarray(uniform_filter(padded, size=(scale, scale, 1), mode="nearest", origin=(begin, begin, 0)))


def explained(view: View) -> tuple[np.ndarray, np.ndarray]:
    """How badly each coarse shift explains the pair.

    Args:
        view: The pair.

    Returns:
        (2R+1, 2R+1) sum over MSI bands of log(1 - R²), and the (2R+1,) shifts along either axis in HR pixels.
    """
    step = coarse_step(view.scale)
    scale = view.scale // step
    shorter = min(view.hr_msi.shape[:2]) // step
    reach = max(scale, int(FARTHEST * shorter))
    seen = _as_seen(view, step, reach)
    correlations = _Correlations(view.lr_shape, scale, (seen.shape[0], seen.shape[1]), reach)

    trusted = view.trusted.ravel()
    spectra = spectral_directions(view.lr_hsi, view.trusted)[:, :DIRECTIONS]
    constant = np.ones((len(spectra), 1))
    design = np.concatenate([constant, spectra], axis=1) * trusted[:, None]
    orthogonal, _ = np.linalg.qr(design)  # the constant comes first
    probes = [correlations.probe(column) for column in orthogonal.T]
    everywhere = correlations.probe(trusted.astype(np.float32))

    size = correlations.size
    table = np.zeros((size, size))
    for band in range(seen.shape[2]):
        image = seen[..., band] - seen[..., band].mean()
        spectrum = fft.rfft2(image)
        energy = correlations.sums(everywhere, fft.rfft2(image**2))
        parts = [correlations.sums(probe, spectrum) ** 2 for probe in probes]
        variance = energy - parts[0]
        variance = np.maximum(variance, LEAST_VARIANCE * energy.max() + TINY)
        left = 1.0 - sum(parts[1:]) / variance
        table += np.log(np.maximum(left, LEAST_LEFT))
    return table, step * np.arange(-reach, reach + 1)


def whole_shift(view: View) -> tuple[np.ndarray, float]:
    """The coarse shift that explains the pair best, and the share that it explains (mean over MSI bands).

    Where the view has a placement, the shift is one of the HSI's ground under it.
    """
    table, shifts = explained(view)
    row, column = np.unravel_index(int(table.argmin()), table.shape)
    left = np.exp(table.min() / view.hr_msi.shape[2])
    shift = np.array([shifts[row], shifts[column]], dtype=np.float64)
    return shift, 1.0 - float(left)
