"""Quality metrics. A figure means nothing without its convention: name it in every row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from paddle_umsft.errors import unknown_name
from paddle_umsft.metrics.author import author, author_bands
from paddle_umsft.metrics.common import live_bands
from paddle_umsft.metrics.dian import dian, dian_bands
from paddle_umsft.metrics.no_reference import consistency, qnr
from paddle_umsft.metrics.quality_index import band_uiqi, q2n
from paddle_umsft.metrics.yokoya import yokoya, yokoya_bands


@dataclass(frozen=True)
class Convention:
    """One way of measuring.

    Attributes:
        cube: Function for the figures of a whole cube.
        bands: Function for the figures of each band.
    """

    cube: Callable[..., dict[str, float]]
    bands: Callable[..., dict[str, np.ndarray]]


CONVENTIONS: dict[str, Convention] = {
    "author": Convention(cube=author, bands=author_bands),
    "dian": Convention(cube=dian, bands=dian_bands),
    "yokoya": Convention(cube=yokoya, bands=yokoya_bands),
}


def find_convention(name: str, *, where: str = "convention") -> Convention:
    """Return the convention of a name.

    Args:
        name: Its name.
        where: The setting or option that it stands in, for the message.

    Raises:
        ConfigError: There is none of that name; the nearest known one is suggested.
    """
    # A list, which a dict cannot look up, is no name either.
    if not isinstance(name, str) or name not in CONVENTIONS:
        raise unknown_name("convention", name, CONVENTIONS, where=where)
    return CONVENTIONS[name]


def evaluate(
    reference: Any,
    fused: Any,
    *,
    scale: float,
    convention: str = "author",
    valid: Optional[np.ndarray] = None,
) -> dict[str, float]:
    """Compare a fused cube with the truth.

    Args:
        reference: (H, W, C) truth, in about [0, 1]; of an integer type: counts, and both are divided by its maximum.
        fused: (H, W, C) estimate, in the same units.
        scale: Ratio of the resolutions, for ERGAS.
        convention: One of `CONVENTIONS`.
        valid: (H, W) bool, the pixels that count; the others may hold anything. None: all.

    Returns:
        Figure by name, in the order of the convention's table.

    Raises:
        ConfigError: No such convention.
        DataError: Shapes differ, NaN, or no positive scale.
    """
    chosen = find_convention(convention)
    return chosen.cube(reference, fused, scale=scale, valid=valid)


def evaluate_bands(
    reference: Any,
    fused: Any,
    *,
    convention: str = "author",
    valid: Optional[np.ndarray] = None,
) -> dict[str, np.ndarray]:
    """Return the figures of each band, (C,) by name, for the metrics that have such.

    Args:
        reference: (H, W, C) truth.
        fused: (H, W, C) estimate.
        convention: One of `CONVENTIONS`.
        valid: (H, W) bool, the pixels that count; None: all.

    Returns:
        Figure by name.

    Raises:
        ConfigError: No such convention.
        DataError: Shapes differ or NaN.
    """
    chosen = find_convention(convention)
    return chosen.bands(reference, fused, valid=valid)


__all__ = [
    "CONVENTIONS",
    "band_uiqi",
    "consistency",
    "evaluate",
    "evaluate_bands",
    "find_convention",
    "live_bands",
    "q2n",
    "qnr",
]
