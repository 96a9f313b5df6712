"""How each figure is written and read: its unit, its digits, its direction. The only place that says so."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Optional

MISSING = "–"
INFINITE = "∞"
# A unit that is a sign stands at the number: 1.23°, but 40.12 dB.
_SIGNS = ("°",)


@dataclass(frozen=True)
class Measure:
    """How one kind of figure is written and read.

    Attributes:
        unit: Its unit; empty where it has none.
        digits: Digits after the point in a table: what differs between methods, and not more.
        higher_is_better: Whether the better result has the higher figure; None: neither is better.
    """

    unit: str = ""
    digits: int = 4
    higher_is_better: Optional[bool] = None


MEASURES: dict[str, Measure] = {
    # Against the truth.
    "PSNR": Measure(unit="dB", digits=2, higher_is_better=True),
    "SAM": Measure(unit="°", digits=2, higher_is_better=False),
    "ERGAS": Measure(digits=3, higher_is_better=False),
    "SSIM": Measure(higher_is_better=True),
    "RMSE": Measure(digits=3, higher_is_better=False),
    "CC": Measure(higher_is_better=True),
    "UIQI": Measure(higher_is_better=True),
    "DD": Measure(digits=3, higher_is_better=False),
    "Q2n": Measure(higher_is_better=True),
    # Without a truth.
    "D_lambda": Measure(higher_is_better=False),
    "D_s": Measure(higher_is_better=False),
    "QNR": Measure(higher_is_better=True),
    "PSNR_HSI": Measure(unit="dB", digits=2, higher_is_better=True),
    "SAM_HSI": Measure(unit="°", higher_is_better=False),
    "PSNR_MSI": Measure(unit="dB", digits=2, higher_is_better=True),
    "SAM_MSI": Measure(unit="°", higher_is_better=False),
    # What it took.
    "seconds": Measure(unit="s", digits=1, higher_is_better=False),
}


def measure_of(name: str) -> Measure:
    """Return how a figure is written; one that nobody has described has no unit and four digits."""
    return MEASURES.get(name, Measure())


def title_of(name: str) -> str:
    """Return a figure's name with its unit, as the head of a column or the label of an axis: `PSNR (dB)`."""
    unit = measure_of(name).unit
    if not unit:
        return name
    return f"{name} ({unit})"


def number_of(
    name: str,
    value: Optional[float],
    digits: Optional[int] = None,
) -> str:
    """Return a figure as text without its unit.

    Args:
        name: Its name.
        value: Its value; None and NaN: there is none.
        digits: After the point; None: as its measure says.
    """
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return INFINITE
    if digits is None:
        digits = measure_of(name).digits
    return f"{value:.{digits}f}"


def words_of(
    name: str,
    value: float,
    digits: Optional[int] = None,
) -> str:
    """Return a figure with name and unit, as the title of a picture: `SAM 1.23°`.

    Args:
        name: Its name.
        value: Its value.
        digits: After the point; None: as its measure says.
    """
    number = number_of(name, value, digits)
    unit = measure_of(name).unit
    if unit in _SIGNS:
        return f"{name} {number}{unit}"
    return f"{name} {number} {unit}".rstrip()
