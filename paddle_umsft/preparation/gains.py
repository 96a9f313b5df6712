"""Gains that vary over the image: shading of the MSI (a smooth field), stripes of the HSI (one factor a line).

With PSF(MSI) = t and the HSI's spectra X, both obey t = g X a with a gain g = 1 + sum of c_p f_p(place): a few
factors c besides the SRF a, and a is projected out. A smooth gain is taken for the MSI's, one that jumps for the HSI's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from paddle_umsft.cameras.taps import taps_matrix
from paddle_umsft.preparation.geometry import refine
from paddle_umsft.preparation.robust import BOUND, RANK_TOLERANCE, TINY_NORM, robust_scale
from paddle_umsft.preparation.view import INSIDE, ROUNDING, View, border_weights, fit

ROUNDS = 6
# No gain is smaller than this.
LEAST_GAIN = 0.05
RIDGE = 1e-9
# Undoing a field changes what the PSF is fitted to, and that the next estimate; after so many times nothing moves.
PASSES = 3
FEW_ROUNDS = 3
# The first pass has to find as much as this, or there is nothing to go on with.
WORTH_ANOTHER = 0.002
DEGREES = (1, 2)
# What a user is told of a shading, and of gains of the HSI's rows and of its columns; how large they are follows.
SHADED = "the MSI is shaded:"
STRIPED = ("the HSI's rows have gains of their own", "the HSI's columns have gains of their own")
# Mean of x² over -1 ... 1: taken off, so that a curvature is no constant gain.
MEAN_SQUARE = 1 / 3


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


def common_gain(
    view: View,
    fields: sparse.csr_matrix,
    contrasts: np.ndarray,
) -> np.ndarray:
    """Factors c of a gain g = 1 + fields c with PSF(MSI) = g SRF(HSI), the same for all MSI bands, by Gauss-Newton.

    The residual is taken where the MSI is: asked the other way round, a gain of nought would explain everything.

    Args:
        view: The pair.
        fields: (n, e) values at the LR pixels.
        contrasts: (e, f) what the factors may be: sums of its columns.

    Returns:
        (e,).
    """
    seen = view.seen()
    found = fit(view, seen=seen)
    shared = view.directions(found.counted)  # (n, q)
    # All alike at first: where every line has a gain of its own, no pixel is an outlier.
    is_inside = seen.inside > INSIDE
    prior = border_weights(view, seen, is_inside) * found.counted
    is_whole = prior == prior.max()
    weights = prior
    scale = found.scale
    largest = float(np.abs(seen.values).max())
    least = ROUNDING * largest
    factors = np.zeros(fields.shape[1])
    for _ in range(ROUNDS):
        gain = np.maximum(1.0 + fields @ factors, LEAST_GAIN)
        gain = gain[:, None]  # (n, 1)
        root = np.sqrt(weights)[:, None]
        energy = np.sum((shared * gain * root) ** 2, axis=0)
        norms = np.sqrt(energy) + TINY_NORM
        columns = shared / norms
        design = columns * gain * root
        mix, *_ = np.linalg.lstsq(
            design,
            seen.values * root,
            rcond=RANK_TOLERANCE,
        )
        plain = columns @ mix  # (n, M): SRF(HSI)
        rest = seen.values - gain * plain
        step = _gain_step(
            design,
            rest * root,
            plain * root,
            fields,
            contrasts,
            scale=scale + least,
        )
        factors = factors + contrasts @ step
        scale = robust_scale(rest[is_whole])
        # Huber's weights: harsher ones would let a line that is still far off pass for an outlier, and stay so.
        bound = BOUND * scale + least
        far = np.max(np.abs(rest) / bound, axis=1)
        weights = prior / np.maximum(far, 1.0)
    return np.asarray(factors)


def _gain_step(
    design: np.ndarray,
    rest: np.ndarray,
    plain: np.ndarray,
    fields: sparse.csr_matrix,
    contrasts: np.ndarray,
    scale: np.ndarray,
) -> np.ndarray:
    """(f,) step of the contrasts' factors, over all bands together, what the SRF can take up projected out.

    Args:
        design: (n, q) weighted spectra.
        rest: (n, M) weighted residual.
        plain: (n, M) weighted SRF(HSI).
        fields: (n, e).
        contrasts: (e, f).
        scale: (M,) size of the residuals.
    """
    orthogonal, _ = np.linalg.qr(design)
    count = fields.shape[1]
    gram = np.zeros((count, count))
    slope = np.zeros(count)
    for band in range(rest.shape[1]):
        size = scale[band]
        light = plain[:, band] / size  # (n,), what the fields multiply
        target = rest[:, band] / size
        by_srf = orthogonal @ (orthogonal.T @ target)
        target = target - by_srf
        # Products with the fields, which are next to nothing where each is one line's.
        inside = fields.T @ (light[:, None] * orthogonal)  # (e, q)
        energy = sparse.diags(light**2)
        squares = fields.T @ energy @ fields  # (e, e)
        gram += squares.toarray() - inside @ inside.T
        slope += fields.T @ (light * target)
    gram = contrasts.T @ gram @ contrasts
    depth = len(gram)
    ridge = RIDGE * np.trace(gram) / depth
    gram += ridge * np.eye(depth)
    step = np.linalg.solve(gram, contrasts.T @ slope)
    return np.asarray(step)


def polynomials(
    places: np.ndarray,
    shape: tuple[int, int],
    degree: int,
) -> np.ndarray:
    """(..., e) products of powers up to a degree, without the constant.

    Args:
        places: (..., 2) rows and columns.
        shape: (H, W), which they run over.
        degree: 1 or 2.
    """
    # A picture of one line has no length.
    last = np.maximum(np.array(shape) - 1, 1)
    position = 2.0 * places / last - 1.0  # -1 ... 1
    rows = position[..., 0]
    columns = position[..., 1]
    terms = [rows, columns]
    if degree > 1:
        terms.append(rows**2 - MEAN_SQUARE)
        terms.append(rows * columns)
        terms.append(columns**2 - MEAN_SQUARE)
    return np.stack(terms, axis=-1)


def without_shading(
    degree: int,
    view: View,
    passes: int = PASSES,
) -> Undone:
    """The MSI divided by a smooth gain field, its mean 1."""
    height, width, _ = view.hr_msi.shape
    shape = (height, width)
    rows, columns = np.mgrid[:height, :width]
    pixels = np.stack([rows, columns], axis=2)
    smooth = polynomials(pixels, shape, degree)  # (H, W, e)
    places = view.placement.places(view.lr_shape)
    at_lr = polynomials(places.reshape(-1, 2), shape, degree)  # (n, e)
    fields = sparse.csr_matrix(at_lr)
    terms = at_lr.shape[1]
    # Every term has a factor of its own.
    contrasts = np.eye(terms)
    gain = np.ones(shape)
    current = view
    for number in range(1, passes + 1):
        factors = common_gain(current, fields, contrasts)
        more = 1.0 + smooth @ factors
        gain = gain * np.maximum(more, LEAST_GAIN)
        gain /= gain.mean()
        current = current.but(hr_msi=view.hr_msi / gain[..., None])
        if number == passes or gain.max() - gain.min() < WORTH_ANOTHER:
            break
        current = refine(current, rounds=FEW_ROUNDS).view
    return Undone(
        view=current,
        note=f"{SHADED} its gain runs smoothly from {gain.min():.2f} to {gain.max():.2f}, undone",
        freedom=terms,
        size=float(gain.max() / gain.min() - 1.0) / 2,
    )


def without_stripes(
    axis: int,
    view: View,
    passes: int = PASSES,
) -> Undone:
    """The HSI with its columns (axis 1) or rows (axis 0) divided by a gain of their own, mean 1."""
    lines = Lines(axis, view.lr_shape)
    gains = np.ones(lines.count)
    current = view
    for number in range(1, passes + 1):
        gains = lines.bettered(gains, current)
        current = current.but(lr_hsi=view.lr_hsi / lines.along(gains))
        if number == passes or np.ptp(gains) < WORTH_ANOTHER:
            break
        current = refine(current, rounds=FEW_ROUNDS).view
    variance = np.mean((gains - 1) ** 2)
    spread = float(np.sqrt(variance))
    return Undone(
        view=current,
        note=f"{STRIPED[axis]} (± {100 * spread:.1f} %), undone",
        freedom=lines.count - 1,
        size=spread,
    )


class Lines:
    """Rows (axis 0) or columns (axis 1) of the HSI, a gain each.

    Args:
        axis: Which.
        lr_shape: (h, w).
    """

    def __init__(self, axis: int, lr_shape: tuple[int, int]) -> None:
        self.axis = axis
        self.count = lr_shape[axis]
        indices = np.indices(lr_shape)
        line_of = indices[axis].ravel()  # (n,)
        self._lines = taps_matrix(
            line_of[:, None],
            np.ones((len(line_of), 1)),
            length=self.count,
        )  # (n, count)
        # One factor a line, their sum zero: a common factor belongs to the SRF.
        free = np.eye(self.count - 1)
        last = -np.ones((1, self.count - 1))
        self._contrasts = np.concatenate([free, last])

    def bettered(self, gains: np.ndarray, view: View) -> np.ndarray:
        """(count,) gains, their mean 1, after one more look at what is left of them.

        Args:
            gains: (count,) found so far.
            view: The pair, its HSI divided by them.
        """
        factors = common_gain(view, self._lines, self._contrasts)
        more = np.maximum(1.0 + factors, LEAST_GAIN)
        gains = gains / more
        return np.asarray(gains / gains.mean())

    def along(self, gains: np.ndarray) -> np.ndarray:
        """The gains as an image can be divided by them."""
        across = 1 - self.axis
        return np.expand_dims(gains, (across, 2))
