"""Numbers that have a factor and a constant a band, brought to one scale and divided, some bands at a time.

What lies between the numbers of a file and the result is float64, twice as large as the image: it is never all there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Union

import numpy as np

from paddle_umsft.data.layout import divisor_of
from paddle_umsft.data.masks import filled

# Values that are worked on at a time: 32 MB of float64.
VALUES_AT_ONCE = 2**22
# Of float32.
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Scaling:
    """What a file's numbers become.

    Attributes:
        scale: (C,) factors.
        offset: (C,) constants, added afterwards.
    """

    scale: np.ndarray
    offset: np.ndarray

    def of(self, values: np.ndarray, bands: slice) -> np.ndarray:
        """(H, W, n) float64 of some bands of (H, W, C)."""
        scaled = values[:, :, bands] * self.scale[bands]
        scaled += self.offset[bands]
        return np.asarray(scaled)


def divided_in_place(
    values: np.ndarray,
    scaling: Scaling,
    mask: Optional[np.ndarray],
    normalise: Union[str, float],
    where: str,
) -> Optional[float]:
    """Scale, fill what is masked and divide in the memory of the numbers themselves.

    Args:
        values: (H, W, C) float32, changed; as they came where None is returned.
        scaling: What they become.
        mask: (H, W) bool, True where there is data; None: everywhere.
        normalise: See `divisor_of`.
        where: What the image is called in a message.

    Returns:
        The divisor; None where something is wrong with the image: whoever looks at all of it at once can say what.
    """
    height, width, bands = values.shape
    # Neither end of numbers is finite if one of them is not.
    if not _is_finite(values.min(), values.max()):
        return None
    step = max(1, VALUES_AT_ONCE // (height * width))
    parts = []
    for first in range(0, bands, step):
        parts.append(slice(first, first + step))

    def made(some: slice) -> np.ndarray:
        scaled = scaling.of(values, some)
        if mask is None:
            return scaled
        return filled(scaled, mask, where)

    # Once for the divisor, and once more to divide: all of it together would be float64.
    lowest, highest = np.inf, -np.inf
    for some in parts:
        part = made(some)
        lowest = min(lowest, float(part.min()))
        highest = max(highest, float(part.max()))
    if not _is_finite(lowest, highest):
        return None
    # Constant, or without any light.
    if lowest >= highest or (normalise == "max" and highest <= 0):
        return None
    # The largest value stands for all of them.
    largest = np.array([highest])
    divisor = divisor_of(largest, normalise, where)
    # What float32 cannot hold is told by its size, which is lost once it is stored.
    if max(-lowest, highest) / divisor > LARGEST:
        return None
    with np.errstate(over="ignore", under="ignore"):
        for some in parts:
            values[:, :, some] = made(some) / divisor
    return divisor


def _is_finite(lowest: float, highest: float) -> bool:
    """Whether both ends of an image are finite numbers."""
    return bool(np.isfinite(lowest) and np.isfinite(highest))
