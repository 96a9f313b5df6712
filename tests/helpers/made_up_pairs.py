"""Pairs with one thing wrong, made with scipy alone from a scene larger than the pair."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from paddle_umsft.data.synthetic import dead_leaves_scene

SCALE, HEIGHT, WIDTH, MARGIN = 4, 80, 112, 24
BANDS = 16
SIGMA = 0.4 * SCALE
LR_SHAPE = (HEIGHT // SCALE, WIDTH // SCALE)


@dataclass
class Pair:
    """LR-HSI, HR-MSI, and the truth on the MSI's grid."""

    lr_hsi: np.ndarray
    hr_msi: np.ndarray
    truth: np.ndarray


@lru_cache(maxsize=2)
def scene(seed: int = 3) -> np.ndarray:
    """(H + 2 margins, W + 2 margins, C)."""
    return dead_leaves_scene(HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN, BANDS, seed).hr_hsi.astype(np.float64)


def response() -> np.ndarray:
    """(3, C) three bells."""
    centres = np.array([0.8, 0.5, 0.2]) * (BANDS - 1)
    bells = np.exp(-0.5 * ((np.arange(BANDS) - centres[:, None]) / (0.12 * BANDS)) ** 2)
    return bells / bells.sum(axis=1, keepdims=True)


def made_pair(
    *,
    shift: tuple[float, float] = (0.0, 0.0),
    angle_deg: float = 0.0,
    noise: float = 5e-4,
    sigma: float = SIGMA,
) -> Pair:
    """MSI pixel p shows the place middle + R(angle)(p - middle) + shift of the HSI's grid."""
    cube = scene()
    middle = np.array([HEIGHT - 1, WIDTH - 1]) / 2
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)
    rows, columns = rows - middle[0], columns - middle[1]
    cosine, sine = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    there = np.stack(
        [
            cosine * rows - sine * columns + middle[0] + shift[0] + MARGIN,
            sine * rows + cosine * columns + middle[1] + shift[1] + MARGIN,
        ]
    )
    truth = np.stack([map_coordinates(cube[..., band], there, order=3) for band in range(BANDS)], axis=2)
    # Seen between HR pixels, in the middle of an LR pixel of even length.
    soft = gaussian_filter(cube, (sigma, sigma, 0))
    half = (SCALE - 1) / 2
    grid = np.mgrid[: LR_SHAPE[0], : LR_SHAPE[1]] * SCALE + half + MARGIN
    lr_hsi = np.stack([map_coordinates(soft[..., band], grid, order=3) for band in range(BANDS)], axis=2)
    rng = np.random.default_rng(0)
    hr_msi = truth @ response().T
    return Pair(
        lr_hsi=lr_hsi + noise * rng.standard_normal(lr_hsi.shape),
        hr_msi=hr_msi + noise * rng.standard_normal(hr_msi.shape),
        truth=truth,
    )
