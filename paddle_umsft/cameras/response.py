"""The record of a spectral response (SRF), and which HSI bands each MSI band sees.

An SRF is an (M, C) float64 array: MSI band j = sum over c of srf[j, c] * HSI band c.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np

from paddle_umsft.data.scene import Supports

# Share of a band's largest response under which it is taken for nothing: leaks of a filter are a per cent at most.
SUPPORT_THRESHOLD = 0.01


@dataclass(frozen=True)
class Srf:
    """A spectral response with its names.

    Attributes:
        values: (M, C) float64.
        names: M names.
        supports: Per MSI band the half-open range [a, b) of HSI bands.
        notes: Lines worth printing.
        kept: Of the camera's bands, those that the scene covers, by their place; None: all.
        wanted: Number of the camera's bands before any was left out; None: as many as there are.
    """

    values: np.ndarray
    names: tuple[str, ...]
    supports: Supports
    notes: tuple[str, ...] = ()
    kept: Optional[tuple[int, ...]] = None
    wanted: Optional[int] = None


def supports_of(
    srf: np.ndarray,
    threshold: float = SUPPORT_THRESHOLD,
) -> Supports:
    """Return the range from the first to the last HSI band whose response exceeds a share of the row's maximum.

    Args:
        srf: (M, C), no row all zero.
        threshold: The share.
    """
    # A range, not a set: a filter with two humps sees what lies between them too.
    supports = []
    for row in srf:
        least = threshold * row.max()
        seen = np.flatnonzero(row > least)
        first = int(seen[0])
        last = int(seen[-1])
        supports.append((first, last + 1))
    return tuple(supports)
