"""Quality metrics. A figure means nothing without its convention: name it in every row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from paddle_umsft.errors import ConfigError
from paddle_umsft.metrics.author import author, author_bands
from paddle_umsft.metrics.dian import dian, dian_bands
from paddle_umsft.metrics.no_reference import consistency, qnr
from paddle_umsft.metrics.quality_index import band_uiqi, q2n
from paddle_umsft.metrics.yokoya import yokoya, yokoya_bands

# Name -> (figures of the whole cube, figures per band).
CONVENTIONS: dict[str, tuple[Callable[..., dict[str, float]], Callable[..., dict[str, np.ndarray]]]] = {
    "author": (author, author_bands),
    "dian": (dian, dian_bands),
    "yokoya": (yokoya, yokoya_bands),
}


def _convention(name: str) -> tuple[Callable[..., dict[str, float]], Callable[..., dict[str, np.ndarray]]]:
    if name not in CONVENTIONS:
        raise ConfigError("unknown convention", where="convention", expected=" | ".join(CONVENTIONS), got=name)
    return CONVENTIONS[name]


def evaluate(reference: Any, fused: Any, *, scale: float, convention: str = "author") -> dict[str, float]:
    """Compares a fused cube with the truth.

    Args:
        reference: (H, W, C) truth, in about [0, 1].
        fused: (H, W, C) estimate, in the same units.
        scale: Ratio of the resolutions, for ERGAS.
        convention: One of `CONVENTIONS`.

    Returns:
        Figure by name, in the order of the convention's table.

    Raises:
        ConfigError: No such convention.
        DataError: Shapes differ, NaN, or no positive scale.
    """
    return _convention(convention)[0](reference, fused, scale=scale)


def evaluate_bands(reference: Any, fused: Any, *, convention: str = "author") -> dict[str, np.ndarray]:
    """The figures of each band, (C,) by name, for the metrics that have such.

    Args:
        reference: (H, W, C) truth.
        fused: (H, W, C) estimate.
        convention: One of `CONVENTIONS`.

    Returns:
        Figure by name.

    Raises:
        ConfigError: No such convention.
        DataError: Shapes differ or NaN.
    """
    return _convention(convention)[1](reference, fused)


__all__ = ["CONVENTIONS", "band_uiqi", "consistency", "evaluate", "evaluate_bands", "q2n", "qnr"]
