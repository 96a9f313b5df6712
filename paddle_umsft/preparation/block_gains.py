"""Gains that vary over a very large picture: where a block of it has shown some, they are found in all of it.

Stripes of the HSI and a smooth shading of the MSI are seen at LR pixels, behind the PSF that the block has told: there
the whole is small. A common factor belongs to the SRF, which is the block's; so gains have the mean 1 on the block.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import sparse

from paddle_umsft.cameras.placement import Placement
from paddle_umsft.preparation.block_placed import Block
from paddle_umsft.preparation.block_seen import AtLrPixels, at_lr_pixels, seen_by_all
from paddle_umsft.preparation.candidates import LEAST_GAIN as LEAST_BETTER
from paddle_umsft.preparation.estimate import Degradations
from paddle_umsft.preparation.gains import (
    DEGREES,
    LEAST_GAIN,
    PASSES,
    SHADED,
    STRIPED,
    Lines,
    common_gain,
    polynomials,
)
from paddle_umsft.preparation.prepared import Prepared
from paddle_umsft.preparation.view import View, fit

# What they are called in findings.
STRIPES, SHADING = "stripes", "shading"
NAMES = {STRIPES, SHADING}
# LR pixels that gains are found from, at most, and lines of them at least.
MOST_FITTED = 2**17
LEAST_LINES = 8
# HR pixels whose gain is undone at a time.
AT_ONCE = 2**20


def without_gains(
    whole: Prepared,
    block: Block,
    prepared: Prepared,
    degradations: Degradations,
) -> list[str]:
    """Undo gains in a whole pair, if they were found in a block of it.

    Args:
        whole: The pair, placed; is given images without them, and what they are.
        block: The block as it was.
        prepared: The block with everything undone.
        degradations: Those of the block.

    Returns:
        Names of those that do not explain the whole as they explain the block: they are not undone.
    """
    unexplained = []
    if STRIPES in prepared.found:
        axis = int(any(note.startswith(STRIPED[1]) for note in prepared.notes))
        if not _without_stripes(whole, block, degradations, axis):
            unexplained.append(STRIPES)
    if SHADING in prepared.found and not _without_shading(whole, block, degradations):
        unexplained.append(SHADING)
    return unexplained


def _without_stripes(
    whole: Prepared,
    block: Block,
    degradations: Degradations,
    axis: int,
) -> bool:
    """Divide the HSI's rows (axis 0) or columns (axis 1) by their gains, if the images agree better then."""
    lr_shape = whole.fit_trust.shape
    across = 1 - axis
    # All lines, and on each of them some pixels.
    places = [np.arange(length) for length in lr_shape]
    wanted = MOST_FITTED // lr_shape[axis]
    places[across] = _spread(lr_shape[across], wanted)
    first = _seen_at(whole, degradations, places[0], places[1])
    lines = Lines(axis, first.lr_shape)
    gains = np.ones(lines.count)
    current: View = first
    for _ in range(PASSES):
        gains = lines.bettered(gains, current)
        lr_hsi = first.lr_hsi / lines.along(gains)
        current = current.but(lr_hsi=lr_hsi)
    if not _helps(first, current, lines.count - 1):
        return False
    begin = block.lr_first[axis]
    end = begin + block.pair.lr_hsi.shape[axis]
    gains /= gains[begin:end].mean()
    observation = whole.observation
    along = lines.along(gains).astype(np.float32)
    lr_hsi = observation.lr_hsi / along
    whole.observation = replace(observation, lr_hsi=lr_hsi.astype(np.float32, copy=False))
    mean_square = np.mean((gains - 1) ** 2)
    spread = float(np.sqrt(mean_square))
    told = f"{STRIPED[axis]} (± {100 * spread:.1f} %), undone"
    _tell(whole, STRIPES, spread, STRIPED[axis], told)
    return True


def _without_shading(
    whole: Prepared,
    block: Block,
    degradations: Degradations,
) -> bool:
    """Divide the MSI by a smooth gain, if the images agree better then."""
    observation = whole.observation
    lr_shape = (whole.fit_trust.shape[0], whole.fit_trust.shape[1])
    lr_rows = _spread(lr_shape[0], MOST_FITTED // lr_shape[1])
    first = _seen_at(whole, degradations, lr_rows, np.arange(lr_shape[1]))
    placement = whole.placement or Placement(observation.scale)
    places = placement.places(lr_shape)
    degree = max(DEGREES)
    in_use = places[lr_rows].reshape(-1, 2)
    at_lr = polynomials(in_use, observation.shape, degree)  # (n, e)
    fields = sparse.csr_matrix(at_lr)
    contrasts = np.eye(at_lr.shape[1])
    seen = first.seen()
    current: View = first
    passes: list[np.ndarray] = []
    for _ in range(PASSES):
        factors = common_gain(current, fields, contrasts)
        passes.append(factors)
        # So smooth a gain is the same before and behind the PSF.
        gain = _gain(at_lr, passes)
        values = seen.values / gain[:, None]
        current = current.but(known=replace(seen, values=values))
    if not _helps(first, current, at_lr.shape[1]):
        return False
    top, left = block.lr_first
    height, width = block.pair.lr_hsi.shape[:2]
    on_block = places[top : top + height, left : left + width]
    in_block = polynomials(on_block, observation.shape, degree)
    level = float(_gain(in_block, passes).mean())
    hr_msi, low, high = _divided(observation.hr_msi, passes, degree, level)
    whole.observation = replace(observation, hr_msi=hr_msi)
    told = f"{SHADED} its gain runs smoothly from {low:.2f} to {high:.2f}, undone"
    _tell(whole, SHADING, (high / low - 1.0) / 2, SHADED, told)
    return True


def _helps(before: View, after: View, freedom: int) -> bool:
    """Whether the images agree better without an effect, by what is asked for in small pairs.

    Args:
        before: The pair.
        after: The pair without it.
        freedom: Parameters of the effect.
    """
    count = max(int(before.trusted.sum()), 2)
    price = freedom * float(np.log(count)) / count
    gain = fit(before).criterion - fit(after).criterion
    bands = before.hr_msi.shape[2]
    return bool(gain - price > LEAST_BETTER * bands)


def _gain(values: np.ndarray, passes: list[np.ndarray]) -> np.ndarray:
    """(...) gains after some passes, from (..., e) polynomials there."""
    gain = np.ones(values.shape[:-1])
    for factors in passes:
        gain *= np.maximum(1.0 + values @ factors, LEAST_GAIN)
    return gain


def _divided(
    hr_msi: np.ndarray,
    passes: list[np.ndarray],
    degree: int,
    level: float,
) -> tuple[np.ndarray, float, float]:
    """The MSI without its shading, float32, a few rows at a time; the smallest and the largest gain.

    Args:
        hr_msi: (H, W, M).
        passes: Factors of the polynomials.
        degree: Of these.
        level: The gain that is none.
    """
    height, width = hr_msi.shape[:2]
    out: np.ndarray = np.empty(hr_msi.shape, dtype=np.float32)
    low, high = np.inf, 0.0
    step = max(1, AT_ONCE // width)
    for top in range(0, height, step):
        some = slice(top, min(top + step, height))
        rows, columns = np.mgrid[some, :width]
        smooth = polynomials(np.stack([rows, columns], axis=2), (height, width), degree)
        gain = _gain(smooth, passes) / level
        out[some] = hr_msi[some] / gain[..., None]
        low = min(low, float(gain.min()))
        high = max(high, float(gain.max()))
    return out, low, high


def _spread(length: int, wanted: int) -> np.ndarray:
    """Evenly spread numbers below a length, as many as are wanted but not too few; all where there are no more."""
    kept = min(length, max(wanted, LEAST_LINES))
    spread = np.linspace(0, length - 1, kept)
    return np.unique(np.round(spread).astype(int))


def _seen_at(
    whole: Prepared,
    degradations: Degradations,
    lr_rows: np.ndarray,
    lr_columns: np.ndarray,
) -> AtLrPixels:
    """The pair at some LR rows and columns of it, behind the PSF.

    Args:
        whole: The pair.
        degradations: Those of a block of it.
        lr_rows: (m,).
        lr_columns: (n,).
    """
    lr_msi, inside = seen_by_all(whole, degradations)
    places = np.ix_(lr_rows, lr_columns)
    return at_lr_pixels(whole, degradations, places, lr_msi, inside)


def _tell(
    whole: Prepared,
    name: str,
    size: float,
    begin: str,
    told: str,
) -> None:
    """Say of the whole what was said of the block, in a line that begins alike."""
    whole.found[name] = size
    whole.notes = [note for note in whole.notes if not note.startswith(begin)]
    whole.notes.append(told)
