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
        return np.asarray(values[:, :, bands] * self.scale[bands] + self.offset[bands])


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
    if not (np.isfinite(values.min()) and np.isfinite(values.max())):
        return None
    step = max(1, VALUES_AT_ONCE // (height * width))
    parts = [slice(first, first + step) for first in range(0, bands, step)]

    def made(some: slice) -> np.ndarray:
        scaled = scaling.of(values, some)
        if mask is None:
            return scaled
        return filled(scaled, mask, where)

    ends = np.array([(part.min(), part.max()) for part in map(made, parts)])
    lowest, highest = ends[:, 0].min(), ends[:, 1].max()
    if not (np.isfinite(lowest) and np.isfinite(highest) and lowest < highest):
        return None
    if normalise == "max" and highest <= 0:
        return None
    # The largest value stands for all of them.
    divisor = divisor_of(np.array([highest]), normalise, where)
    with np.errstate(over="ignore", under="ignore"):
        for some in parts:
            values[:, :, some] = made(some) / divisor
    return divisor
