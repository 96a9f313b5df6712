"""Made-up scenes with the statistics of natural images, so that a demo needs no download.

The picture is a dead-leaves model: opaque discs whose radii follow a power law, each hiding what lies behind
it. Each disc has a smooth reflectance spectrum, a shading of its own and a fine texture; the light is CIE D65.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from paddle_umsft.data.scene import Scene

# Between bands of a reflectance: a smooth random curve of this correlation length. Measured reflectances of
# paints and plants need 6 to 10 principal components; so do these.
_SPECTRAL_LENGTH_NM = 60.0
_MATERIALS = 48
_OVERSAMPLING = 2
_GRID_BANDS = 121


def dead_leaves_scene(height: int = 128, width: int = 128, bands: int = 31, seed: int = 0) -> Scene:
    """Makes a scene of occluding discs under daylight, 400...700 nm.

    Args:
        height: H.
        width: W.
        bands: C, evenly from 400 to 700 nm.
        seed: Seed of the scene; all random numbers come from one `RandomState`, whose stream numpy keeps fixed.

    Returns:
        The scene; hr_hsi is (H, W, C) float32, not negative, its maximum is 1.

    References:
        Lee, Mumford, Huang: Occlusion models for natural images. IJCV 41, 2001.
    """
    rng = np.random.RandomState(seed)
    wavelengths = np.linspace(400.0, 700.0, bands) if bands > 1 else np.array([550.0])
    rows, cols = height * _OVERSAMPLING, width * _OVERSAMPLING
    discs = _draw_discs(rng, rows, cols)
    owner = _front_most(discs, rows, cols)
    material = rng.randint(0, _MATERIALS, len(discs))
    spectra = _reflectances(rng, material, wavelengths) * _daylight(wavelengths)
    light = _shading(rng, discs, owner) * _texture(rng, len(discs), owner)
    # Pixels at the edges mix what they cover, as a sensor's do.
    cube = np.zeros((height, width, bands))
    for dy in range(_OVERSAMPLING):
        for dx in range(_OVERSAMPLING):
            part = (slice(dy, None, _OVERSAMPLING), slice(dx, None, _OVERSAMPLING))
            cube += light[part][..., None] * spectra[owner[part]]
    raw_maximum = float(cube.max())
    return Scene(
        hr_hsi=(cube / raw_maximum).astype(np.float32),
        name="dead_leaves" if seed == 0 else f"dead_leaves_{seed}",
        wavelengths_nm=wavelengths,
        normalise="max",
        divisor=raw_maximum / _OVERSAMPLING**2,
        source=f"made by paddle_umsft from seed {seed}",
    )


def _draw_discs(rng: np.random.RandomState, rows: int, cols: int) -> np.ndarray:
    """(N, 3) row, column, radius of the discs, front to back; the last one covers everything.

    Radii have the density r^-3, which makes the picture look alike at every scale (power spectrum about 1/f^2).
    """
    smallest, largest = 2.8, 0.35 * min(rows, cols)
    count = int(0.5 * rows * cols / smallest**2)
    u = rng.uniform(size=count)
    low, high = smallest**-2, max(largest, 2 * smallest) ** -2
    radius = (low + u * (high - low)) ** -0.5
    centre_row = rng.uniform(-0.1, 1.1, count) * rows
    centre_col = rng.uniform(-0.1, 1.1, count) * cols
    discs = np.stack([centre_row, centre_col, radius], axis=1)
    return np.concatenate([discs, [[rows / 2, cols / 2, 2.0 * max(rows, cols)]]])


def _front_most(discs: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """(rows, cols) index of the front-most disc at each point."""
    owner = np.full((rows, cols), len(discs) - 1, np.int64)
    # Painted back to front, each disc only within its own square.
    for index in range(len(discs) - 2, -1, -1):
        y, x, r = discs[index]
        top, bottom = max(int(np.ceil(y - r)), 0), min(int(y + r) + 1, rows)
        left, right = max(int(np.ceil(x - r)), 0), min(int(x + r) + 1, cols)
        if top < bottom and left < right:
            dy = np.arange(top, bottom)[:, None] - y
            dx = np.arange(left, right)[None, :] - x
            owner[top:bottom, left:right][dy * dy + dx * dx <= r * r] = index
    return owner


def _reflectances(rng: np.random.RandomState, material: np.ndarray, wavelengths: np.ndarray) -> np.ndarray:
    """(N, C) smooth reflectances between 0.02 and 0.95, one per disc.

    A random curve is pressed through a logistic function. Discs of one material differ a little, as leaves do.
    """
    grid = np.linspace(400.0, 700.0, _GRID_BANDS)
    reach = np.exp(-0.5 * ((grid[:, None] - grid[None, :]) / (_SPECTRAL_LENGTH_NM / np.sqrt(2))) ** 2)
    reach /= np.sqrt((reach**2).sum(axis=1, keepdims=True))
    chroma = rng.gamma(2.0, 0.5, (_MATERIALS, 1))
    level = rng.normal(-1.0, 0.9, (_MATERIALS, 1))
    kind = chroma * (rng.standard_normal((_MATERIALS, _GRID_BANDS)) @ reach.T) + level
    own = 0.12 * rng.standard_normal((len(material), _GRID_BANDS)) @ reach.T + rng.normal(0.0, 0.3, (len(material), 1))
    at_bands = np.stack([np.interp(wavelengths, grid, row) for row in kind[material] + own])
    return np.asarray(0.02 + 0.93 / (1.0 + np.exp(-at_bands)))


def _daylight(wavelengths: np.ndarray) -> np.ndarray:
    """(C,) relative power of CIE D65, largest 1."""
    table = np.loadtxt(Path(__file__).parent / "tables" / "d65.csv", delimiter=",")
    return np.asarray(np.interp(wavelengths, table[:, 0], table[:, 1]) / table[:, 1].max())


def _shading(rng: np.random.RandomState, discs: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """(rows, cols) brightness: a tilt of its own on every disc, and a slow change over the whole picture."""
    rows, cols = owner.shape
    tilt = rng.normal(0.0, 0.18, (len(discs), 2))
    y = np.arange(rows)[:, None]
    x = np.arange(cols)[None, :]
    centre = discs[owner]
    local = (tilt[owner, 0] * (y - centre[..., 0]) + tilt[owner, 1] * (x - centre[..., 1])) / centre[..., 2]
    slope = rng.uniform(-0.3, 0.3, 2)
    whole = slope[0] * (y / rows - 0.5) + slope[1] * (x / cols - 0.5)
    return np.asarray(np.clip(1.0 + local + whole, 0.1, None))


def _texture(rng: np.random.RandomState, count: int, owner: np.ndarray) -> np.ndarray:
    """(rows, cols) fine texture around 1, stronger on some discs than on others."""
    noise = np.zeros(owner.shape)
    for step in (1, 2, 4):
        coarse = rng.standard_normal((-(-owner.shape[0] // step), -(-owner.shape[1] // step)))
        fine: Any = np.repeat(np.repeat(coarse, step, axis=0), step, axis=1)
        noise += fine[: owner.shape[0], : owner.shape[1]]
    strength = rng.gamma(1.5, 0.012, count)
    return np.asarray(np.clip(1.0 + strength[owner] * noise, 0.2, None))
