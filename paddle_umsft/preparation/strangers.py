"""LR pixels at which the two images do not show the same thing: dead HSI pixels, clouds, shadows, moved objects.

Pixels that agree with each other are found first, by least trimmed squares; what lies far off their common SRF is a
stranger. Single ones are the sensor's, groups are the scene's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import find_objects, label

from paddle_umsft.preparation.border_doubt import variance_ratio
from paddle_umsft.preparation.view import INSIDE, Fit, View, fit, majority

# Off by more than so many robust scales, and by a share of the MSI's contrast that a wrong PSF does not explain.
TIMES_USUAL = 8.0
LEAST_SHARE = 0.12
# The same along the border, where part of what an LR pixel sees is unknown.
BORDER_SHARE = 1.0
# Single pixels have to be off by more: a highlight smaller than an LR pixel is no fault of the sensor.
SINGLE_SHARE = 0.5
# Groups of at least so many LR pixels are something in the scene; corners connect.
GROUP = 4
CORNERS = np.ones((3, 3))
# More than this share of strangers: then the two images have no common ground to tell them by.
MOST = 0.35


@dataclass
class Strangers:
    """What was found.

    Attributes:
        mask: (h, w) LR pixels that do not belong.
        groups: Bounding boxes (top, left, bottom, right) in LR pixels of the larger ones.
        singles: Number of LR pixels outside the groups.
    """

    mask: np.ndarray
    groups: list[tuple[int, int, int, int]]
    singles: int


def find_strangers(view: View, *, whole_only: bool = False) -> Strangers:
    """LR pixels far off what the majority agrees on.

    Args:
        view: The pair; pixels it does not trust are looked at as well, masked ones are not.
        whole_only: Leave out LR pixels whose footprint leaves the MSI: they see what nobody knows.

    Returns:
        The pixels, none where there are too many to tell.
    """
    seen = view.seen()
    found = fit(view, seen=seen, start=majority(view, seen))
    off, is_wild = far_off(
        np.abs(found.rest),
        found,
        seen.inside,
        view.profile.doubt,
        whole_only=whole_only,
    )
    off &= view.has_data.ravel()
    return strangers_of(off.reshape(view.lr_shape), is_wild.reshape(view.lr_shape))


def far_off(
    distance: np.ndarray,
    found: Fit,
    inside: np.ndarray,
    doubt: float,
    *,
    whole_only: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Which LR pixels are off by more than chance and a wrong PSF explain.

    Args:
        distance: (n, M) how far they are off what the others agree on.
        found: How far the others are off, and their contrast.
        inside: (n,) share of their footprints that lies on the MSI.
        doubt: How much less is known of what lies beyond.
        whole_only: See `find_strangers`.

    Returns:
        (n,) those that are, and (n,) those of them that are off by much.
    """
    unsure = np.sqrt(variance_ratio(inside, doubt))  # (n,)
    is_border = inside <= INSIDE
    share = np.where(is_border, BORDER_SHARE, LEAST_SHARE)
    is_unusual = distance > TIMES_USUAL * found.scale * unsure[:, None]
    is_much = distance > share[:, None] * found.spread
    off = np.any(is_unusual & is_much, axis=1)
    if whole_only:
        off &= ~is_border
    is_wild = np.any(distance > SINGLE_SHARE * found.spread, axis=1)
    return off, is_wild


def strangers_of(off: np.ndarray, is_wild: np.ndarray) -> Strangers:
    """Sort what is far off into groups and single pixels; none where it is too many to tell.

    Args:
        off: (h, w).
        is_wild: (h, w) pixels that are off by so much that a single one counts.
    """
    mask = _without_tame_singles(off, is_wild)
    if mask.mean() > MOST:
        mask = np.zeros_like(mask)
    found = Strangers(mask=mask, groups=[], singles=0)
    return those_within(found, mask)


def those_within(strangers: Strangers, allowed: np.ndarray) -> Strangers:
    """Those of them that are allowed, grouped anew.

    Args:
        strangers: What was found.
        allowed: (h, w).
    """
    mask = strangers.mask & allowed
    groups, grouped = _groups(mask)
    return Strangers(
        mask=mask,
        groups=groups,
        singles=int(mask.sum()) - grouped,
    )


def _without_tame_singles(mask: np.ndarray, is_wild: np.ndarray) -> np.ndarray:
    """The mask without small groups in which no pixel is far off."""
    regions, count = label(mask, structure=CORNERS)
    sizes = np.bincount(regions.ravel(), minlength=count + 1)
    has_wild = np.bincount(regions.ravel(), weights=is_wild.ravel(), minlength=count + 1) > 0
    is_kept = has_wild | (sizes >= GROUP)
    is_kept[0] = False
    return np.asarray(is_kept[regions])


def _groups(mask: np.ndarray) -> tuple[list[tuple[int, int, int, int]], int]:
    """Bounding boxes of the larger groups, and how many pixels are in them."""
    regions, _ = label(mask, structure=CORNERS)
    sizes = np.bincount(regions.ravel())
    groups = []
    grouped = 0
    for number, box in enumerate(find_objects(regions), start=1):
        if sizes[number] < GROUP:
            continue
        rows, columns = box
        groups.append((rows.start, columns.start, rows.stop, columns.stop))
        grouped += int(sizes[number])
    return groups, grouped
