"""Values below zero: noise around nought, or data that somebody has shifted. Either is fused, nothing is cut off."""

from __future__ import annotations

import numpy as np

# Share of an image's energy below zero that noise leaves in an image of light.
NOISE_SHARE = 0.02


def share_below_zero(image: np.ndarray) -> float:
    """Energy below zero over the whole energy, between 0 and 1."""
    energy = np.square(image, dtype=np.float64)
    total = float(energy.sum())
    return float(energy[image < 0].sum()) / total if total > 0 else 0.0


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
