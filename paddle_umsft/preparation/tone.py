"""The tone curve of a photograph: sRGB first, a power else, undone before anything linear is asked of the MSI."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from paddle_umsft.preparation.gains import Undone
from paddle_umsft.preparation.view import View

POWERS = (1.4, 1.8, 2.2, 2.6)


def linear_from_srgb(values: np.ndarray) -> np.ndarray:
    """Linear light from sRGB values, 1 being white.

    References:
        IEC 61966-2-1:1999.
    """
    upper = ((np.maximum(values, 0.0) + 0.055) / 1.055) ** 2.4
    return np.asarray(np.where(values <= 0.04045, values / 12.92, upper))


def white_level(hr_msi: np.ndarray) -> float:
    """The number that stands for white: 1, or 255 (65535) where the values say so; else the largest value."""
    largest = float(hr_msi.max())
    for level in (1.0, 255.0, 65535.0):
        if 0.5 * level < largest <= level * (1 + 1e-6):
            return level
    return largest


def _power(power: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda values: np.maximum(values, 0.0) ** power


def curves() -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Inverse curves by name, on values whose white is 1."""
    named: dict[str, Callable[[np.ndarray], np.ndarray]] = {"sRGB": linear_from_srgb}
    named.update({f"gamma {power:g}": _power(power) for power in POWERS})
    return named


def without_curve(view: View, name: str) -> Undone:
    """The MSI in linear light."""
    white = white_level(view.hr_msi)
    linear = white * curves()[name](view.hr_msi / white)
    return Undone(view.but(hr_msi=linear), f"the MSI has a tone curve ({name}), undone", 1, 1.0)
