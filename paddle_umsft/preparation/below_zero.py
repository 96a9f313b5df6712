"""Values below zero: noise around nought, or data that somebody has shifted. Either is fused, nothing is cut off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

import numpy as np

# Share of an image's energy below zero that noise leaves in an image of light.
NOISE_SHARE = 0.02
# Values whose squares are summed up together.
AT_ONCE = 2**22


def _parts(image: np.ndarray, kept: Optional[np.ndarray]) -> Iterator[np.ndarray]:
    """The values of pixels that are kept, some after the others: what is made of all is as large as all of them."""
    if kept is None or kept.all():
        values = image.reshape(-1)
        for first in range(0, len(values), AT_ONCE):
            yield values[first : first + AT_ONCE]
        return
    rows = max(1, AT_ONCE * len(image) // image.size)
    for top in range(0, len(image), rows):
        some = slice(top, top + rows)
        yield image[some][kept[some]]


def share_below_zero(image: np.ndarray, kept: Optional[np.ndarray] = None) -> float:
    """Energy below zero over the whole energy, between 0 and 1.

    Args:
        image: Any shape.
        kept: Which of its pixels count; None: all.
    """
    total = 0.0
    below = 0.0
    for some in _parts(image, kept):
        energy = np.square(some, dtype=np.float64)
        total += float(energy.sum())
        below += float(energy[some < 0].sum())
    if total <= 0:
        return 0.0
    return below / total


def is_light(image: np.ndarray, kept: Optional[np.ndarray] = None) -> bool:
    """Whether what lies below zero may be noise; arguments as those of `share_below_zero`."""
    return share_below_zero(image, kept) <= NOISE_SHARE


def least_of(
    image: np.ndarray,
    kept: np.ndarray,
    level: float = 1.0,
) -> float:
    """Smallest value of a result: what light leaves at least, but nothing that the image holds is cut off.

    Args:
        image: (h, w, C).
        kept: (h, w) pixels that count.
        level: What the result is divided by.
    """
    if not is_light(image, kept):
        return -np.inf
    least = np.array([some.min() for some in _parts(image, kept) if some.size])
    over_level = np.asarray(least / level, dtype=np.float32)
    return min(0.0, float(over_level.min()))


def lifted(image: np.ndarray) -> np.ndarray:
    """The bands of an image that is no light moved up to begin at zero; an image of light as it is."""
    if is_light(image):
        return image
    return np.asarray(image - np.minimum(image.min(axis=(0, 1)), 0.0))


def note_below_zero(name: str, image: np.ndarray, kept: Optional[np.ndarray] = None) -> list[str]:
    """What the user is told about values below zero that are no noise; `kept` as in `share_below_zero`."""
    if is_light(image, kept):
        return []
    share = 100 * share_below_zero(image, kept)
    return [f"{name}: {share:.3g} % of its energy lies below zero; taken as data, and nothing is cut off at zero"]
