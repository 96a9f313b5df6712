"""Means of a picture over cells whose edges lie anywhere: what a grid of another pitch sees of it.

A pixel's value is a mean over its area. The sums of a line of pixels up to its edges are therefore known exactly; in
between they are interpolated by polynomials, and the mean over a cell is the difference of two such sums. A cell
that is made of whole pixels gets exactly their mean, and nothing is lost or counted twice between cells.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from paddle_umsft.cameras.border import Border, continued

# Edges closer to a pixel's edge than this are on it.
ON_EDGE = 1e-6
# The sums that an interpolation goes through, counted from the pixel's edge before the place: quintic polynomials. Of
# four, six and eight sums six are the fewest that lose nothing on photographs.
NODES = (-2, -1, 0, 1, 2, 3)
# Pixels between them, whose values decide how the sum runs.
AROUND = len(NODES) - 1


def polynomial_weights(fraction: np.ndarray, nodes: tuple[int, ...]) -> np.ndarray:
    """(n, len(nodes)) weights of values at whole numbers for a place `fraction` (n,) past 0: Lagrange's polynomials."""
    weights = np.ones((len(fraction), len(nodes)))
    for number, node in enumerate(nodes):
        for other in nodes:
            if other != node:
                weights[:, number] *= (fraction - other) / (node - other)
    return weights


def cubic_weights(fraction: np.ndarray) -> np.ndarray:
    """(n, 4) weights of the pixels -1, 0, 1, 2 for a place `fraction` (n,) past pixel 0: cubic Lagrange polynomials."""
    f = fraction
    before = -f * (f - 1) * (f - 2) / 6
    here = (f + 1) * (f - 1) * (f - 2) / 2
    following = -(f + 1) * f * (f - 2) / 2
    last = (f + 1) * f * (f - 1) / 6
    return np.stack([before, here, following, last], axis=1)


def within(
    positions: np.ndarray,
    span: tuple[int, int],
    border: Border,
) -> np.ndarray:
    """Return which pixel stands in for each position where the picture is the pixels of a half-open span alone."""
    first, stop = span
    return first + continued(positions - first, stop - first, border)


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
    whole = np.floor(edges + ON_EDGE).astype(int)
    fraction = edges - whole
    fraction = np.where(np.abs(fraction) < ON_EDGE, 0.0, fraction)
    nodes = polynomial_weights(fraction, NODES)  # (n + 1, 6), of the sums at the edges around
    # The sum up to a place is that up to its first node, and a part of each of the pixels that follow: that of a pixel
    # is the weight of all nodes behind it.
    parts = np.cumsum(nodes[:, :0:-1], axis=1)[:, ::-1]  # (n + 1, 5)
    begin, end = whole[:-1], whole[1:]
    count = len(begin)
    width = int(np.max(end - begin)) + AROUND
    taps = np.zeros((count, width))
    cells = np.arange(count)
    for pixel in range(AROUND):
        taps[:, pixel] -= parts[:-1, pixel]
        taps[cells, end - begin + pixel] += parts[1:, pixel]
    taps += np.arange(width)[None, :] < (end - begin)[:, None]
    taps /= np.diff(edges)[:, None]
    positions = begin[:, None] + NODES[0] + np.arange(width)[None, :]
    rows = np.repeat(cells, width)
    columns = within(positions, span, border)
    return sparse.csr_matrix((taps.ravel(), (rows, columns.ravel())), shape=(count, length))


def shares_within(edges: np.ndarray, span: tuple[int, int]) -> np.ndarray:
    """(n,) share of each cell that lies within a half-open span of pixels."""
    inner = np.clip(edges, *span)
    return np.asarray(np.diff(inner) / np.diff(edges))
