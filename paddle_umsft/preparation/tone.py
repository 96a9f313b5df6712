"""The tone curve of a photograph: sRGB first, a power else, undone before anything linear is asked of the MSI."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from paddle_umsft.preparation.gains import Undone
from paddle_umsft.preparation.view import View

POWERS = (1.4, 1.8, 2.2, 2.6)
# The curve of sRGB: a straight part up to a limit, above it a shifted power.
LINEAR_LIMIT = 0.04045
LINEAR_SLOPE = 12.92
SRGB_SHIFT = 0.055
SRGB_POWER = 2.4
# Numbers that stand for white in files; one is believed if the largest value reaches half of it.
WHITES = (1.0, 255.0, 65535.0)
REACHED = 0.5
ROUNDING = 1e-6

Curve = Callable[[np.ndarray], np.ndarray]


def linear_from_srgb(values: np.ndarray) -> np.ndarray:
    """Linear light from sRGB values, 1 being white.

    References:
        IEC 61966-2-1:1999.
    """
    light = np.maximum(values, 0.0)
    upper = ((light + SRGB_SHIFT) / (1.0 + SRGB_SHIFT)) ** SRGB_POWER
    lower = values / LINEAR_SLOPE
    return np.asarray(np.where(values <= LINEAR_LIMIT, lower, upper))


def white_level(hr_msi: np.ndarray) -> float:
    """The number that stands for white: 1, or 255 (65535) where the values say so; else the largest value."""
    largest = float(hr_msi.max())
    for level in WHITES:
        if REACHED * level < largest <= level * (1.0 + ROUNDING):
            return level
    return largest


def _power(power: float) -> Curve:
    return lambda values: np.maximum(values, 0.0) ** power


def curves() -> dict[str, Curve]:
    """Inverse curves by name, on values whose white is 1."""
    named: dict[str, Curve] = {"sRGB": linear_from_srgb}
    for power in POWERS:
        named[f"gamma {power:g}"] = _power(power)
    return named


def without_curve(view: View, name: str) -> Undone:
    """The MSI in linear light."""
    white = white_level(view.hr_msi)
    curve = curves()[name]
    light = white * curve(view.hr_msi / white)
    return Undone(
        view=view.but(hr_msi=light),
        note=f"the MSI has a tone curve ({name}), undone",
        freedom=1,
        size=1.0,
    )
