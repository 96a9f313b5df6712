"""Means of a picture over cells whose edges lie anywhere: what a grid of another pitch sees of it.

A pixel's value is a mean over its area. The sums of a line of pixels up to its edges are therefore known exactly; in
between they are interpolated by polynomials, and the mean over a cell is the difference of two such sums. A cell
that is made of whole pixels gets exactly their mean, and nothing is lost or counted twice between cells.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from paddle_umsft.cameras.border import Border, continued
from paddle_umsft.cameras.taps import taps_matrix

# Places closer to a whole number than this are one.
ON_PIXEL = 1e-6
# The sums that an interpolation goes through, counted from the pixel's edge before the place: quintic polynomials. Of
# four, six and eight sums six are the fewest that lose nothing on photographs.
NODES = (-2, -1, 0, 1, 2, 3)
# Pixels between them, whose values decide how the sum runs.
AROUND = len(NODES) - 1


def whole_and_fraction(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split places into whole numbers and what they lie past these, zero but for rounding included."""
    below = np.floor(places + ON_PIXEL)
    fraction = places - below
    is_whole = np.abs(fraction) < ON_PIXEL
    fraction = np.where(is_whole, 0.0, fraction)
    return below.astype(int), fraction


def polynomial_weights(
    fraction: np.ndarray,
    nodes: tuple[int, ...],
) -> np.ndarray:
    """Weights of values at whole numbers for places between them: Lagrange's polynomials.

    Args:
        fraction: (n,) places, from 0 to 1.
        nodes: m whole numbers around these.

    Returns:
        (n, m).
    """
    weights = np.ones((len(fraction), len(nodes)))
    for number, node in enumerate(nodes):
        for other in nodes:
            if other == node:
                continue
            # 1 at its own node, 0 at the other one.
            from_other = fraction - other
            weights[:, number] *= from_other / (node - other)
    return weights


def cubic_weights(fraction: np.ndarray) -> np.ndarray:
    """(n, 4) weights of the pixels -1, 0, 1, 2 for a place `fraction` (n,) past pixel 0: cubic Lagrange polynomials."""
    # From each of the four pixels to the place.
    past_before = fraction + 1
    past_here = fraction
    past_next = fraction - 1
    past_last = fraction - 2
    before = -past_here * past_next * past_last / 6
    here = past_before * past_next * past_last / 2
    following = -past_before * past_here * past_last / 2
    last = past_before * past_here * past_next / 6
    return np.stack([before, here, following, last], axis=1)


def within(
    positions: np.ndarray,
    span: tuple[int, int],
    border: Border,
) -> np.ndarray:
    """Return which pixel stands in for each position where the picture is the pixels of a half-open span alone."""
    first, stop = span
    length = stop - first
    from_first = positions - first
    return first + continued(from_first, length, border)


def cell_means(
    edges: np.ndarray,
    length: int,
    span: tuple[int, int],
    border: Border,
) -> sparse.csr_matrix:
    """The means over neighbouring cells along one axis, as a matrix.

    Args:
        edges: (n + 1,) edges of the cells, rising; pixel k reaches from k to k + 1.
        length: Pixels along the axis.
        span: Those of them that were recorded; beyond, the border rules.
        border: What lies beyond.

    Returns:
        (n, length).
    """
    whole, fraction = whole_and_fraction(edges)
    begin = whole[:-1]
    end = whole[1:]
    wholly = end - begin  # (n,) pixels between the pixel that a cell begins in and that it ends in
    count = len(wholly)
    width = int(np.max(wholly)) + AROUND
    numbers = np.arange(width)
    # The sum over a cell: all pixels before its end, less all before its begin.
    taps = np.zeros((count, width))
    parts = _parts_of_sums(fraction)  # (n + 1, 5)
    before_begin = parts[:-1]
    before_end = parts[1:]
    cells = np.arange(count)
    for pixel in range(AROUND):
        taps[:, pixel] -= before_begin[:, pixel]
        taps[cells, wholly + pixel] += before_end[:, pixel]
    # Those that the sum up to the end has as a whole, and the sum up to the begin has not.
    taps += numbers < wholly[:, None]
    sizes = np.diff(edges)
    taps /= sizes[:, None]
    first = begin + NODES[0]
    positions = first[:, None] + numbers
    pixels = within(positions, span, border)
    return taps_matrix(pixels, taps, length)


def _parts_of_sums(fraction: np.ndarray) -> np.ndarray:
    """What the sum up to a place holds of the five pixels around it.

    Args:
        fraction: (n,) how far the place is past the edge of a pixel.

    Returns:
        (n, 5): the sum is that up to the first of `NODES`, and these parts of the pixels that follow.
    """
    weights = polynomial_weights(fraction, NODES)  # (n, 6), of the sums at the edges around
    # A pixel is in the sums at all nodes behind it, so its part is the sum of their weights: added up from the last.
    from_the_last = weights[:, :0:-1]
    added_up = np.cumsum(from_the_last, axis=1)
    return added_up[:, ::-1]


def shares_within(
    edges: np.ndarray,
    span: tuple[int, int],
) -> np.ndarray:
    """(n,) share of each cell that lies within a half-open span of pixels."""
    inner = np.clip(edges, *span)
    shares = np.diff(inner) / np.diff(edges)
    return np.asarray(shares)
