"""Gains that vary over the image: shading of the MSI (a smooth field), stripes of the HSI (one factor a line).

With PSF(MSI) = t and the HSI's spectra X, both obey t = g X a with a gain g = 1 + sum of c_p f_p(place): a few
factors c besides the SRF a, and a is projected out. A smooth gain is taken for the MSI's, one that jumps for the HSI's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paddle_umsft.preparation.border_equations import variance_ratio
from paddle_umsft.preparation.geometry import refine
from paddle_umsft.preparation.view import (
    BORDER_WEIGHT,
    BOUND,
    INSIDE,
    ROUNDING,
    View,
    fit,
    robust_scale,
    shared_columns,
)

ROUNDS = 6
LEAST_GAIN = 0.05
# Undoing a field changes what the PSF is fitted to, and that the next estimate; after so many times nothing moves.
PASSES = 3
# The first pass has to find as much as this, or there is nothing to go on with.
WORTH_ANOTHER = 0.002
DEGREES = (1, 2)


@dataclass
class Undone:
    """A pair with an effect undone.

    Attributes:
        view: The pair.
        note: What was found, for the user.
        freedom: Parameters of the effect over all MSI bands together.
        size: How strong it is, as a share.
    """

    view: View
    note: str
    freedom: int
    size: float


def common_gain(view: View, fields: np.ndarray) -> np.ndarray:
    """Factors c of a gain g = 1 + fields c with PSF(MSI) = g SRF(HSI), the same for all MSI bands, by Gauss-Newton.

    The residual is taken where the MSI is: asked the other way round, a gain of nought would explain everything.

    Args:
        view: The pair.
        fields: (n, e) values at the LR pixels.

    Returns:
        (e,).
    """
    seen = view.seen()
    found = fit(view, seen=seen)
    shared = shared_columns(view, found.counted)
    # All alike at first: where every line has a gain of its own, no pixel is an outlier.
    doubt = np.where(seen.inside > INSIDE, 1.0, BORDER_WEIGHT) * found.counted
    doubt = doubt / variance_ratio(seen.inside, view.profile.doubt)
    weights, scale = doubt.copy(), found.scale.copy()
    factors = np.zeros(fields.shape[1])
    bands = seen.values.shape[1]
    least = ROUNDING * float(np.abs(seen.values).max())
    for _ in range(ROUNDS):
        gain = np.maximum(1.0 + fields @ factors, LEAST_GAIN)[:, None]
        root = np.sqrt(weights)[:, None]
        norms = np.sqrt(np.sum((shared * gain * root) ** 2, axis=0)) + 1e-300
        design = shared * gain / norms
        mix = np.linalg.lstsq(design * root, seen.values * root, rcond=1e-9)[0]
        plain = (shared / norms) @ mix  # SRF(HSI), (n, M)
        rest = seen.values - gain * plain
        orthogonal, _ = np.linalg.qr(design * root)
        rows, targets = [], []
        for band in range(bands):
            block = np.concatenate([rest[:, band : band + 1], fields * plain[:, band : band + 1]], axis=1) * root
            block = (block - orthogonal @ (orthogonal.T @ block)) / (scale[band] + least)
            rows.append(block[:, 1:])
            targets.append(block[:, 0])
        matrix, target = np.concatenate(rows), np.concatenate(targets)
        gram = matrix.T @ matrix
        gram += 1e-9 * np.trace(gram) / len(gram) * np.eye(len(gram))
        factors = factors + np.linalg.solve(gram, matrix.T @ target)
        scale = robust_scale(rest[doubt == doubt.max()])
        # Huber's weights: harsher ones would let a line that is still far off pass for an outlier, and stay so.
        far = np.max(np.abs(rest) / (BOUND * scale + least), axis=1)
        weights = doubt / np.maximum(far, 1.0)
    return np.asarray(factors)


def _polynomials(rows: np.ndarray, columns: np.ndarray, degree: int) -> np.ndarray:
    """(..., e) products of powers up to a degree, without the constant."""
    terms = [rows, columns]
    if degree > 1:
        terms += [rows**2 - 1 / 3, rows * columns, columns**2 - 1 / 3]
    return np.stack(terms, axis=-1)


def without_shading(degree: int, view: View, passes: int = PASSES) -> Undone:
    """The MSI divided by a smooth gain field, its mean 1."""
    height, width = view.hr_msi.shape[:2]
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    smooth = _polynomials(2 * rows / max(height - 1, 1) - 1, 2 * columns / max(width - 1, 1) - 1, degree)
    places = view.placement.places(view.lr_shape).reshape(-1, 2)
    at_lr = _polynomials(2 * places[:, 0] / max(height - 1, 1) - 1, 2 * places[:, 1] / max(width - 1, 1) - 1, degree)
    gain = np.ones((height, width))
    current = view
    for number in range(passes):
        gain = gain * np.maximum(1.0 + smooth @ common_gain(current, at_lr), LEAST_GAIN)
        gain /= gain.mean()
        current = current.but(hr_msi=view.hr_msi / gain[..., None])
        if number == passes - 1 or gain.max() - gain.min() < WORTH_ANOTHER:
            break
        current = refine(current, rounds=3).view
    size = float(gain.max() / gain.min() - 1.0) / 2
    note = f"the MSI is shaded: its gain runs smoothly from {gain.min():.2f} to {gain.max():.2f}, undone"
    return Undone(current, note, at_lr.shape[1], size)


def without_stripes(axis: int, view: View, passes: int = PASSES) -> Undone:
    """The HSI with its columns (axis 1) or rows (axis 0) divided by a gain of their own, mean 1."""
    count = view.lr_shape[axis]
    number = np.indices(view.lr_shape)[axis].ravel()
    # One factor a line, their sum zero: a common factor belongs to the SRF.
    lines = np.eye(count)[number]
    fields = lines[:, :-1] - lines[:, -1:]
    gains = np.ones(count)
    current = view
    for number in range(passes):
        factors = common_gain(current, fields)
        gains = gains / np.maximum(1.0 + np.append(factors, -factors.sum()), LEAST_GAIN)
        gains /= gains.mean()
        along = gains[None, :, None] if axis == 1 else gains[:, None, None]
        current = current.but(lr_hsi=view.lr_hsi / along)
        if number == passes - 1 or np.ptp(gains) < WORTH_ANOTHER:
            break
        current = refine(current, rounds=3).view
    what = "columns" if axis == 1 else "rows"
    spread = float(np.sqrt(np.mean((gains - 1) ** 2)))
    note = f"the HSI's {what} have gains of their own (± {100 * spread:.1f} %), undone"
    return Undone(current, note, count - 1, spread)
