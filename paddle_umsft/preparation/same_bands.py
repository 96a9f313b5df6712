"""MSI bands that say the same: a grey picture saved as RGB, a band stored twice. They are one band, and fused as one.

What such bands differ by is rounding and noise, which a fit would take for colour and blow up. Colour, however faint,
is alike from pixel to pixel: it is still there in the means over LR pixels, where noise has shrunk.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from paddle_umsft.data.scene import Observation

# Bands that differ by more than this share of their contrast, one mapped onto the other by a straight line, differ.
LARGEST_NOISE = 0.05
# Means of white noise over cells of n pixels have an n-th of its variance, give or take; colour has far more.
WHITE = 2.0
# A difference below the rounding of float32 has no colour.
ROUNDING = 1e-6
# Pixels that are compared, at most.
MOST_PIXELS = 2**21
TINY = 1e-30


def _cell_means(image: np.ndarray, scale: int) -> np.ndarray:
    """(h, w) means over LR pixels of (H, W)."""
    height, width = image.shape
    cells = image.reshape(height // scale, scale, width // scale, scale)
    return np.asarray(cells.mean(axis=(1, 3)))


def say_the_same(
    first: np.ndarray,
    second: np.ndarray,
    scale: int,
) -> bool:
    """Whether two (H, W) bands are one and the same but for gain, offset and white noise."""
    a = first - first.mean()
    b = second - second.mean()
    power = float(np.mean(a**2))
    contrast = float(np.mean(b**2))
    if power <= TINY or contrast <= TINY:
        return False
    slope = float(np.mean(a * b)) / power
    left = b - slope * a
    noise = float(np.mean(left**2))
    if slope <= 0 or noise > LARGEST_NOISE**2 * contrast:
        return False
    if noise <= ROUNDING**2 * contrast:
        return True
    of_means = float(np.mean(_cell_means(left, scale) ** 2))
    return of_means <= WHITE * noise / scale**2


def _looked_at(hr_msi: np.ndarray, scale: int) -> np.ndarray:
    """The MSI, or of a very large one the HR rows of every n-th LR row."""
    height, width, bands = hr_msi.shape
    step = -(-height * width // MOST_PIXELS)
    if step <= 1:
        return hr_msi
    rows = hr_msi.reshape(height // scale, scale, width, bands)[::step]
    return rows.reshape(-1, width, bands)


def groups_of(hr_msi: np.ndarray, scale: int) -> list[list[int]]:
    """Numbers of the bands that say the same, group by group, in the order of their first ones."""
    image = _looked_at(hr_msi, scale)
    groups: list[list[int]] = []
    for band in range(image.shape[2]):
        own = image[..., band].astype(np.float64)
        for group in groups:
            first = image[..., group[0]].astype(np.float64)
            if say_the_same(first, own, scale):
                group.append(band)
                break
        else:
            groups.append([band])
    return groups


def with_bands_once(observation: Observation) -> tuple[Observation, list[str]]:
    """A pair in which every group of such bands is one band, their mean, and a note; the very pair if there is none.

    Args:
        observation: What the cameras saw. Of a known SRF the rows of a group are averaged, supports are united.
    """
    groups = groups_of(observation.hr_msi, observation.scale)
    if len(groups) == observation.msi_bands:
        return observation, []
    merged = [observation.hr_msi[..., group].mean(axis=2, dtype=np.float64) for group in groups]
    srf = observation.srf
    if srf is not None:
        srf = np.stack([srf[group].mean(axis=0) for group in groups])
    supports = observation.supports
    if supports is not None:
        given = supports
        supports = tuple(
            (min(given[band][0] for band in group), max(given[band][1] for band in group)) for group in groups
        )
    pair = replace(
        observation,
        hr_msi=np.stack(merged, axis=2).astype(np.float32),
        srf=srf,
        supports=supports,
    )
    same = [" = ".join(map(str, group)) for group in groups if len(group) > 1]
    note = f"MSI bands {', '.join(same)} (counted from 0) say the same (grey saved as colour?): fused as one band"
    return pair, [note]
