"""Shift, rotation and zoom between the images, from what they share: coarse to fine, nothing resampled.

Coarse: for every shift in steps of a few pixels the share of PSF(MSI) that the HSI's spectra explain, all shifts at
once by the Fourier transform. Fine: Gauss-Newton over the affine map and the PSF's width with the SRF profiled out.

References:
    G. Golub, V. Pereyra: Separable nonlinear least squares: the variable projection method. Inverse Problems 19, 2003.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft
from scipy.ndimage import median_filter, uniform_filter

from paddle_umsft.cameras.placement import Placement
from paddle_umsft.preparation.view import Fit, View, fit, spectral_directions

# Longest shift looked for, as a share of the shorter side.
FARTHEST = 0.3
COARSE_DIRECTIONS = 5
# Steps of the coarse search in an LR pixel, at least; what is between them is left to the refinement.
FINEST = 4
ROUNDS = 12
# Change of a logarithm of the PSF's width over which its derivative is taken.
WIDER = 0.05
# Steps shorter than this (HR pixels at the border) end the refinement.
STILL = 2e-3


def coarse_step(scale: int) -> int:
    """HR pixels that the coarse search takes together: the LR pixel keeps at least `FINEST` of them along a side."""
    return max(step for step in range(1, scale + 1) if scale % step == 0 and (scale // step >= FINEST or step == 1))


def explained(view: View) -> tuple[np.ndarray, np.ndarray]:
    """How badly each coarse shift explains the pair.

    Args:
        view: The pair.

    Returns:
        (2R+1, 2R+1) sum over MSI bands of log(1 - R²), and the (2R+1,) shifts along either axis in HR pixels.
    """
    step = coarse_step(view.scale)
    scale = view.scale // step
    bands = view.hr_msi.shape[2]
    # Single wild pixels must not hide the place; a median of nine removes them.
    calm = median_filter(view.hr_msi.astype(np.float32), size=(3, 3, 1), mode="nearest")
    coarse = calm.reshape(calm.shape[0] // step, step, calm.shape[1] // step, step, bands).mean(axis=(1, 3))
    reach = max(scale, int(FARTHEST * min(coarse.shape[:2])))
    height, width = (fft.next_fast_len(size + 2 * reach, real=True) for size in coarse.shape[:2])
    margins = [(reach, size - side - reach) for size, side in zip((height, width), coarse.shape)]
    padded = np.pad(coarse, (*margins, (0, 0)), mode="edge")
    mean = uniform_filter(padded, size=(scale, scale, 1), mode="nearest", origin=(-(scale // 2), -(scale // 2), 0))
    pixels = spectral_directions(view.lr_hsi, view.trusted)[:, :COARSE_DIRECTIONS]
    trusted = view.trusted.ravel()
    design = np.concatenate([np.ones((len(pixels), 1)), pixels], axis=1) * trusted[:, None]
    orthogonal, _ = np.linalg.qr(design)

    def spectrum(values: np.ndarray) -> np.ndarray:
        spread = np.zeros((height, width), dtype=np.float32)
        spread[: view.lr_shape[0] * scale : scale, : view.lr_shape[1] * scale : scale] = values.reshape(view.lr_shape)
        return np.asarray(np.conj(fft.rfft2(spread)))

    probes = [spectrum(orthogonal[:, k]) for k in range(orthogonal.shape[1])]
    everywhere = spectrum(trusted.astype(np.float32))
    size = 2 * reach + 1
    table = np.zeros((size, size))
    for band in range(bands):
        image = mean[..., band] - mean[..., band].mean()
        seen = fft.rfft2(image)

        def correlate(probe: np.ndarray, what: np.ndarray) -> np.ndarray:
            return np.asarray(fft.irfft2(probe * what, s=(height, width))[:size, :size], dtype=np.float64)

        energy = correlate(everywhere, fft.rfft2(image**2))
        constant = correlate(probes[0], seen) ** 2
        shared = sum(correlate(probe, seen) ** 2 for probe in probes[1:])
        variance = np.maximum(energy - constant, 1e-6 * energy.max() + 1e-30)
        table += np.log(np.maximum(1.0 - shared / variance, 1e-5))
    return table, step * np.arange(-reach, reach + 1)


def whole_shift(view: View) -> tuple[np.ndarray, float]:
    """The coarse shift that explains the pair best, and the share that it explains (mean over MSI bands)."""
    table, shifts = explained(view)
    row, column = np.unravel_index(int(table.argmin()), table.shape)
    share = 1.0 - float(np.exp(table.min() / view.hr_msi.shape[2]))
    return np.array([shifts[row], shifts[column]], dtype=np.float64), share


@dataclass
class Placed:
    """A refined placement.

    Attributes:
        view: The pair with placement and profile.
        fit: How well it agrees now.
        deviation: (2,) standard deviation of the shift, HR pixels.
    """

    view: View
    fit: Fit
    deviation: np.ndarray


def _moved(view: View, change: np.ndarray, affine: bool) -> View:
    """A view with the parameters changed: shift, log box, log softness, and the matrix."""
    placement = view.placement
    matrix = placement.matrix
    if affine:
        longest = max(view.hr_msi.shape[:2]) / 2
        matrix = matrix + change[4:].reshape(2, 2) / longest
    return view.but(
        placement=Placement(view.scale, placement.shift + change[:2], matrix),
        profile=view.profile.changed(float(change[2]), float(change[3])),
    )


def _derivatives(view: View, found: Fit, affine: bool) -> np.ndarray:
    """(n, M, p) how what is seen changes with shift, box, softness, and the matrix (in HR pixels at the border)."""
    seen = found.seen
    wider = view.but(profile=view.profile.changed(WIDER, 0.0)).seen().values
    softer = view.but(profile=view.profile.changed(0.0, WIDER)).seen().values
    columns = [seen.down, seen.right, (wider - seen.values) / WIDER, (softer - seen.values) / WIDER]
    if affine:
        placement = view.placement
        own = (placement.own_places(view.lr_shape) - placement.middle(view.lr_shape)).reshape(-1, 2)
        own = own / (max(view.hr_msi.shape[:2]) / 2)
        for gradient in (seen.down, seen.right):
            columns += [gradient * own[:, :1], gradient * own[:, 1:]]
    return np.stack(columns, axis=2)


def refine(view: View, *, affine: bool = False, rounds: int = ROUNDS) -> Placed:
    """Gauss-Newton from where the view stands.

    Args:
        view: The pair.
        affine: Whether rotation, zoom and shear are free too.
        rounds: Steps at most.

    Returns:
        The pair, placed.
    """
    found = fit(view)
    damping = 1e-3
    covariance = np.eye(2)
    for _ in range(rounds):
        change = _derivatives(view, found, affine)
        count, bands, depth = change.shape
        directions = spectral_directions(view.lr_hsi, found.counted.reshape(view.lr_shape))
        if view.offset:
            directions = np.concatenate([directions, np.ones((count, 1))], axis=1)
        root = np.sqrt(found.weights)
        orthogonal, _ = np.linalg.qr(directions * root[:, None])
        weighted = change * root[:, None, None]
        flat = weighted.reshape(count, -1)
        flat = flat - orthogonal @ (orthogonal.T @ flat)
        jacobian = (flat.reshape(count, bands, depth) / found.scale[None, :, None]).reshape(-1, depth)
        rest = (found.rest * root[:, None] / found.scale).ravel()
        gram = jacobian.T @ jacobian
        loss = _loss(found)
        for _ in range(6):
            system = gram + damping * np.diag(np.diag(gram)) + 1e-12 * np.trace(gram) * np.eye(depth)
            step = -np.linalg.solve(system, jacobian.T @ rest)
            step[:2] = np.clip(step[:2], -0.5 * view.scale, 0.5 * view.scale)
            step[2:4] = np.clip(step[2:4], -0.7, 0.7)
            other = _moved(view, step, affine)
            tried = fit(other)
            if _loss(tried) < loss:
                break
            damping *= 10
        else:
            break
        covariance = np.linalg.pinv(gram)[:2, :2]
        view, found, damping = other, tried, damping / 10
        if max(np.abs(step[:2]).max(), np.abs(step[4:]).max(initial=0.0)) < STILL and loss - _loss(tried) < 1e-3:
            break
    return Placed(view, found, np.sqrt(np.diag(covariance)))


def _loss(found: Fit) -> float:
    return float(np.sum(np.log(np.maximum(found.relative, 1e-12))))
