"""What a PSF sees beyond the picture: the other side of it (simulators), or the picture continued (cameras).

"wrap" is what published simulators do. "reflect" mirrors the picture at its outer edge, the edge pixel included: the
best that one can say of a place that was not recorded, and no more than that. How much of an LR pixel lies outside is
therefore told beside it, see `SpatialDegradation.inside`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

Border = Literal["wrap", "reflect"]


def continued(
    positions: np.ndarray,
    length: int,
    border: Border,
) -> np.ndarray:
    """Return which pixel of the picture stands in for each position.

    Args:
        positions: Any whole numbers.
        length: Pixels along this axis, n; positions 0 ... n - 1 stand for themselves.
        border: See the module.

    Returns:
        Indices within [0, n), of the shape given.
    """
    if border == "wrap":
        return np.asarray(positions % length)
    # One period of the mirrored picture: 0 ... n - 1, n - 1 ... 0.
    within = positions % (2 * length)
    mirrored = 2 * length - 1 - within
    return np.asarray(np.minimum(within, mirrored))
