"""Kernels with tails that were judged by the equations of `border_equations.py`, and what these say of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Optional

import numpy as np

from paddle_umsft.cameras.border import Border


class Known(NamedTuple):
    """A kernel that is a candidate as it stands: given, or fitted within a narrow window."""

    name: str
    psf: np.ndarray
    freedom: float


class Verdict(NamedTuple):
    """What the equations say of a kernel.

    Attributes:
        criterion: Bayesian information criterion over all LR pixels and MSI bands.
        doubt: Standard deviation of what lies outside over that of the noise, the likeliest one.
        residual: Root mean square of the unexplained, per LR pixel weighted with 1 / v.
    """

    criterion: float
    doubt: float
    residual: float


@dataclass
class WideFit:
    """A fitted kernel and what it says of the border.

    Attributes:
        psf: (k, k), sum 1, trimmed to what counts.
        family: Name of the family, or of the known kernel.
        border: "wrap" or "reflect".
        verdict: Criterion, doubt and residual.
        parameters: Of the family; None for a known kernel.
    """

    psf: np.ndarray
    family: str
    border: Border
    verdict: Verdict
    parameters: Optional[np.ndarray] = None


def criterion_of(fit: WideFit) -> float:
    """The key to compare fits by."""
    return fit.verdict.criterion
