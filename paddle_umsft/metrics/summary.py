"""Means of figures over several scenes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from paddle_umsft.metrics.figures import MISSING, number_of


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
    finite = [value for value in values if _is_finite(value)]
    if not finite:
        return None
    std = None
    if len(finite) > 1:
        std = float(np.std(finite, ddof=1))
    return SceneMean(
        mean=float(np.mean(finite)),
        std=std,
        count=len(finite),
    )


def _is_finite(value: Any) -> bool:
    # What is read from a table may be text.
    return isinstance(value, (int, float)) and math.isfinite(value)


def means_over_scenes(rows: Sequence[Mapping[str, Any]]) -> dict[str, SceneMean]:
    """Return the mean of every figure over rows of one method and convention.

    Args:
        rows: Value by name, one row for each scene; a name need not be in all of them.

    Returns:
        Mean by name, in the order in which the names appear; names without any finite number are left out.
    """
    names = dict.fromkeys(name for row in rows for name in row)
    means = {}
    for name in names:
        mean = mean_over_scenes(row.get(name) for row in rows)
        if mean is not None:
            means[name] = mean
    return means


def mean_words(
    name: str,
    found: Optional[SceneMean],
    scenes: int,
    digits: Optional[int] = None,
) -> str:
    """Return mean ± standard deviation as text; where some scenes have no finite figure, of how many it is the mean.

    Args:
        name: Name of the figure.
        found: Its mean; None: there is none.
        scenes: How many scenes there are.
        digits: After the point; None: as the figure's measure says.
    """
    if found is None:
        return MISSING
    words = number_of(name, found.mean, digits)
    if found.std is not None:
        spread = number_of(name, found.std, digits)
        words += f" ± {spread}"
    if found.count < scenes:
        words += f" (of {found.count})"
    return words
