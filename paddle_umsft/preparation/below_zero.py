"""Values below zero: noise around nought, or data that somebody has shifted. Either is fused, nothing is cut off."""

from __future__ import annotations

import numpy as np

# Share of an image's energy below zero that noise leaves in an image of light.
NOISE_SHARE = 0.02
# Values whose squares are summed up together.
AT_ONCE = 2**22


def share_below_zero(image: np.ndarray) -> float:
    """Energy below zero over the whole energy, between 0 and 1."""
    total = 0.0
    below = 0.0
    values = image.reshape(-1)
    # A large image a few values at a time: their squares would be twice as large as it.
    for first in range(0, len(values), AT_ONCE):
        some = values[first : first + AT_ONCE]
        energy = np.square(some, dtype=np.float64)
        total += float(energy.sum())
        below += float(energy[some < 0].sum())
    if total <= 0:
        return 0.0
    return below / total


def is_light(image: np.ndarray) -> bool:
    """Whether what lies below zero may be noise."""
    return share_below_zero(image) <= NOISE_SHARE


def lifted(image: np.ndarray) -> np.ndarray:
    """The bands of an image that is no light moved up to begin at zero; an image of light as it is."""
    if is_light(image):
        return image
    return np.asarray(image - np.minimum(image.min(axis=(0, 1)), 0.0))


def note_below_zero(name: str, image: np.ndarray) -> list[str]:
    """What the user is told about values below zero that are no noise."""
    if is_light(image):
        return []
    share = 100 * share_below_zero(image)
    return [f"{name}: {share:.3g} % of its energy lies below zero; taken as data, and nothing is cut off at zero"]
