"""Made-up scenes with the statistics of natural images, so that a demo needs no download.

The picture is a dead-leaves model: opaque discs whose radii follow a power law, each hiding what lies behind
it. Each disc has a smooth reflectance spectrum, a shading of its own and a fine texture; the light is CIE D65.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from paddle_umsft.data.scene import Scene

# The visible range, evenly sampled; a single band lies in its middle.
FIRST_NM = 400.0
LAST_NM = 700.0
MIDDLE_NM = 550.0
# A reflectance is a smooth random curve of this correlation length. Measured reflectances of paints and plants
# need 6 to 10 principal components; so do these.
SPECTRAL_LENGTH_NM = 60.0
# Curves are drawn on a grid of 2.5 nm and read off at the bands, so that another number of bands is the same scene.
GRID_BANDS = 121
MATERIALS = 48
# Points per pixel along each side.
OVERSAMPLING = 2

# Discs. The smallest covers two pixels or so: smaller ones would be noise. The largest is a third of the picture.
SMALLEST_RADIUS = 2.8
LARGEST_SHARE = 0.35
# Enough discs, smallest ones mostly, that hardly a point is left to the background.
COVER = 0.5
# Centres lie up to a tenth outside, so that the margin is as crowded as the middle.
MARGIN = 0.1

# Reflectances: strength of a material's colour (gamma), its mean level (normal, before the logistic function), how
# far discs of one material differ in colour and in level, and the range that real surfaces keep to.
CHROMA_SHAPE, CHROMA_SCALE = 2.0, 0.5
LEVEL_MEAN, LEVEL_SPREAD = -1.0, 0.9
OWN_CHROMA, OWN_LEVEL = 0.12, 0.3
DARKEST, REFLECTANCE_RANGE = 0.02, 0.93

# Light: tilt of each disc, slope over the whole picture, and the least that shading leaves.
TILT_SPREAD = 0.18
SLOPE_LIMIT = 0.3
DARKEST_SHADE = 0.1
# Texture: sizes of its grains in points, its strength (gamma), and the least that it leaves.
GRAINS = (1, 2, 4)
GRAIN_SHAPE, GRAIN_SCALE = 1.5, 0.012
DARKEST_GRAIN = 0.2


def dead_leaves_scene(
    height: int = 128,
    width: int = 128,
    bands: int = 31,
    seed: int = 0,
) -> Scene:
    """Make a scene of occluding discs under daylight, 400...700 nm.

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
    # The order of the draws is part of the scene: another order is another scene.
    rng = np.random.RandomState(seed)
    wavelengths = np.array([MIDDLE_NM])
    if bands > 1:
        wavelengths = np.linspace(FIRST_NM, LAST_NM, bands)
    rows = height * OVERSAMPLING
    columns = width * OVERSAMPLING
    discs = _draw_discs(rng, rows, columns)
    owner = _front_most(discs, rows, columns)
    material = rng.randint(0, MATERIALS, len(discs))
    spectra = _reflectances(rng, material, wavelengths)
    spectra = spectra * _daylight(wavelengths)  # (N, C)
    light = _shading(rng, discs, owner)
    light = light * _texture(rng, len(discs), owner)  # (rows, columns)
    # Pixels at the edges mix what they cover, as a sensor's do.
    cube = np.zeros((height, width, bands))
    for dy in range(OVERSAMPLING):
        for dx in range(OVERSAMPLING):
            down = slice(dy, None, OVERSAMPLING)
            across = slice(dx, None, OVERSAMPLING)
            seen = spectra[owner[down, across]]  # (H, W, C)
            lit = light[down, across]  # (H, W)
            cube += lit[..., None] * seen
    raw_maximum = float(cube.max())
    cube = cube / raw_maximum
    name = "dead_leaves"
    if seed != 0:
        name = f"dead_leaves_{seed}"
    return Scene(
        hr_hsi=cube.astype(np.float32),
        name=name,
        wavelengths_nm=wavelengths,
        normalise="max",
        divisor=raw_maximum / OVERSAMPLING**2,
        source=f"made by paddle_umsft from seed {seed}",
    )


def _draw_discs(
    rng: np.random.RandomState,
    rows: int,
    columns: int,
) -> np.ndarray:
    """Draw (N, 3) row, column, radius of the discs, front to back; the last one covers everything.

    Radii have the density r^-3, which makes the picture look alike at every scale (power spectrum about 1/f^2).
    """
    largest = LARGEST_SHARE * min(rows, columns)
    largest = max(largest, 2 * SMALLEST_RADIUS)
    count = int(COVER * rows * columns / SMALLEST_RADIUS**2)
    # r^-2 is uniform between its ends where r has the density r^-3.
    u = rng.uniform(size=count)
    low = SMALLEST_RADIUS**-2
    high = largest**-2
    inverse_square = low + u * (high - low)
    radius = inverse_square**-0.5
    centre_row = rng.uniform(-MARGIN, 1 + MARGIN, count) * rows
    centre_column = rng.uniform(-MARGIN, 1 + MARGIN, count) * columns
    discs = np.stack(
        [
            centre_row,
            centre_column,
            radius,
        ],
        axis=1,
    )  # (N - 1, 3)
    background = [
        rows / 2,
        columns / 2,
        2.0 * max(rows, columns),
    ]
    return np.concatenate([discs, [background]])


def _front_most(
    discs: np.ndarray,
    rows: int,
    columns: int,
) -> np.ndarray:
    """Return (rows, columns) index of the front-most disc at each point."""
    background = len(discs) - 1
    owner = np.full((rows, columns), background, np.int64)
    # Painted back to front, each disc only within its own square.
    for index in range(background - 1, -1, -1):
        y, x, r = discs[index]
        top, bottom = _reach(y, r, rows)
        left, right = _reach(x, r, columns)
        # Its square may lie outside the picture.
        if top >= bottom or left >= right:
            continue
        dy = np.arange(top, bottom) - y
        dx = np.arange(left, right) - x
        distance = np.add.outer(dy * dy, dx * dx)
        inside = distance <= r * r
        owner[top:bottom, left:right][inside] = index
    return owner


def _reach(
    centre: float,
    radius: float,
    length: int,
) -> tuple[int, int]:
    """Return the half-open range of points on the picture that lie within a radius, along one axis."""
    first = int(np.ceil(centre - radius))
    last = int(centre + radius)
    return max(first, 0), min(last + 1, length)


def _reflectances(
    rng: np.random.RandomState,
    material: np.ndarray,
    wavelengths: np.ndarray,
) -> np.ndarray:
    """Return (N, C) smooth reflectances between 0.02 and 0.95, one per disc.

    A random curve is pressed through a logistic function. Discs of one material differ a little, as leaves do.
    """
    discs = len(material)
    grid = np.linspace(FIRST_NM, LAST_NM, GRID_BANDS)
    window = _smoothing(grid)
    chroma = rng.gamma(CHROMA_SHAPE, CHROMA_SCALE, (MATERIALS, 1))
    level = rng.normal(LEVEL_MEAN, LEVEL_SPREAD, (MATERIALS, 1))
    noise = rng.standard_normal((MATERIALS, GRID_BANDS))
    curves = noise @ window.T
    kinds = chroma * curves + level  # (materials, grid)
    own_noise = OWN_CHROMA * rng.standard_normal((discs, GRID_BANDS))
    own_colour = own_noise @ window.T
    own_level = rng.normal(0.0, OWN_LEVEL, (discs, 1))
    own = own_colour + own_level
    on_grid = kinds[material] + own  # (N, grid)
    curves = [np.interp(wavelengths, grid, curve) for curve in on_grid]
    at_bands = np.stack(curves)  # (N, C)
    logistic = 1.0 + np.exp(-at_bands)
    return np.asarray(DARKEST + REFLECTANCE_RANGE / logistic)


def _smoothing(grid: np.ndarray) -> np.ndarray:
    """Return the (grid, grid) window that makes white noise a curve of the wanted correlation length.

    A Gaussian: noise behind it is correlated over its width times the root of two. Rows have norm 1.
    """
    width = SPECTRAL_LENGTH_NM / np.sqrt(2)
    apart = np.subtract.outer(grid, grid)
    window = np.exp(-0.5 * (apart / width) ** 2)
    energy = (window**2).sum(axis=1, keepdims=True)
    return np.asarray(window / np.sqrt(energy))


def _daylight(wavelengths: np.ndarray) -> np.ndarray:
    """Return (C,) relative power of CIE D65, largest 1."""
    table = np.loadtxt(Path(__file__).parent / "tables" / "d65.csv", delimiter=",")
    nm = table[:, 0]
    power = table[:, 1]
    at_bands = np.interp(wavelengths, nm, power)
    return np.asarray(at_bands / power.max())


def _shading(
    rng: np.random.RandomState,
    discs: np.ndarray,
    owner: np.ndarray,
) -> np.ndarray:
    """Return (rows, columns) brightness: a tilt of its own on every disc, and a slow change over the whole picture."""
    rows, columns = owner.shape
    tilt = rng.normal(0.0, TILT_SPREAD, (len(discs), 2))
    y = np.arange(rows)[:, None]
    x = np.arange(columns)[None, :]
    disc = discs[owner]  # (rows, columns, 3)
    centre_row, centre_column, radius = np.moveaxis(disc, -1, 0)
    # Distances from the centre in radii: a disc's brightness changes as much across a small one as across a large one.
    down = tilt[owner, 0] * (y - centre_row)
    right = tilt[owner, 1] * (x - centre_column)
    local = (down + right) / radius
    slope_down, slope_right = rng.uniform(-SLOPE_LIMIT, SLOPE_LIMIT, 2)
    from_middle_row = y / rows - 0.5
    from_middle_column = x / columns - 0.5
    whole = slope_down * from_middle_row + slope_right * from_middle_column
    light = 1.0 + local + whole
    return np.asarray(np.maximum(light, DARKEST_SHADE))


def _texture(
    rng: np.random.RandomState,
    count: int,
    owner: np.ndarray,
) -> np.ndarray:
    """Return (rows, columns) fine texture around 1, stronger on some discs than on others."""
    rows, columns = owner.shape
    noise = np.zeros(owner.shape)
    for step in GRAINS:
        # Rounded up: the last grain may reach over the edge, and is cut.
        down = -(-rows // step)
        across = -(-columns // step)
        coarse = rng.standard_normal((down, across))
        fine: Any = coarse.repeat(step, axis=0)
        fine = fine.repeat(step, axis=1)
        noise += fine[:rows, :columns]
    strength = rng.gamma(GRAIN_SHAPE, GRAIN_SCALE, count)
    grain = 1.0 + strength[owner] * noise
    return np.asarray(np.maximum(grain, DARKEST_GRAIN))
