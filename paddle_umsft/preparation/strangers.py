"""LR pixels at which the two images do not show the same thing: dead HSI pixels, clouds, shadows, moved objects.

Pixels that agree with each other are found first, by least trimmed squares; what lies far off their common SRF is a
stranger. Single ones are the sensor's, groups are the scene's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import label

from paddle_umsft.preparation.border_equations import variance_ratio
from paddle_umsft.preparation.view import INSIDE, View, fit, majority

# Off by more than so many robust scales, and by a share of the MSI's contrast that a wrong PSF does not explain.
TIMES_USUAL = 8.0
LEAST_SHARE = 0.12
BORDER_SHARE = 1.0
# Groups of at least so many LR pixels are something in the scene.
GROUP = 4
# More than this share of strangers: then the two images have no common ground to tell them by.
MOST = 0.35


@dataclass
class Strangers:
    """What was found.

    Attributes:
        mask: (h, w) LR pixels that do not belong.
        groups: Bounding boxes (top, left, bottom, right) in LR pixels of the larger ones.
        singles: Number of LR pixels outside the groups.
        distance: Median distance of the strangers in robust scales.
    """

    mask: np.ndarray
    groups: list[tuple[int, int, int, int]]
    singles: int
    distance: float


def find_strangers(view: View, *, whole_only: bool = False) -> Strangers:
    """LR pixels far off what the majority agrees on.

    Args:
        view: The pair; pixels it does not trust are looked at as well.
        whole_only: Leave out LR pixels whose footprint leaves the MSI: they see what nobody knows.

    Returns:
        The pixels, none where there are too many to tell.
    """
    seen = view.seen()
    found = fit(view, seen=seen, start=majority(view, seen))
    doubt = np.sqrt(variance_ratio(seen.inside, view.profile.doubt))  # (n,)
    enough = TIMES_USUAL * found.scale * doubt[:, None]
    far = np.abs(found.rest)
    # Along the border part of what an LR pixel sees is unknown, and it may be off by that.
    beyond = (seen.inside <= INSIDE)[:, None]
    share = np.where(beyond, BORDER_SHARE, LEAST_SHARE)
    off = np.any((far > enough) & (far > share * found.spread), axis=1)
    if whole_only:
        off &= seen.inside > INSIDE
    mask = off.reshape(view.lr_shape)
    if mask.mean() > MOST:
        mask = np.zeros_like(mask)
    regions, count = label(mask, structure=np.ones((3, 3)))
    groups, grouped = [], 0
    for number in range(1, count + 1):
        rows, columns = np.nonzero(regions == number)
        if len(rows) >= GROUP:
            groups.append((int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1))
            grouped += len(rows)
    distance = np.max(far / np.maximum(found.scale, 1e-30), axis=1)[mask.ravel()]
    return Strangers(mask, groups, int(mask.sum()) - grouped, float(np.median(distance)) if mask.any() else 0.0)
