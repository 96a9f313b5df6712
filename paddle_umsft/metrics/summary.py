"""Means of figures over several scenes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np


@dataclass(frozen=True)
class SceneMean:
    """One figure over several scenes.

    Attributes:
        mean: Mean of the finite values.
        std: Their sample standard deviation (the scenes stand for others); None where there is only one.
        count: How many finite values there are: a mean of fewer than all scenes must say so.
    """

    mean: float
    std: Optional[float]
    count: int


def mean_over_scenes(values: Iterable[Any]) -> Optional[SceneMean]:
    """Return the mean of the finite numbers among values; None if there is none.

    Args:
        values: One for each scene; what is no number (None, empty text) or not finite is left out.
    """
    finite = [value for value in values if isinstance(value, (int, float)) and math.isfinite(value)]
    if not finite:
        return None
    std = None
    if len(finite) > 1:
        std = float(np.std(finite, ddof=1))
    return SceneMean(mean=float(np.mean(finite)), std=std, count=len(finite))


def means_over_scenes(rows: Sequence[Mapping[str, Any]]) -> dict[str, SceneMean]:
    """Return the mean of every figure over rows of one method and convention.

    Args:
        rows: Value by name, one row for each scene; a name need not be in all of them.

    Returns:
        Mean by name, in the order in which the names appear; names without any finite number are left out.
    """
    names = dict.fromkeys(name for row in rows for name in row)
    means = {name: mean_over_scenes(row.get(name) for row in rows) for name in names}
    return {name: mean for name, mean in means.items() if mean is not None}
