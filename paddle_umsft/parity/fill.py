"""Weights and a scene that both sides make alike: from a tensor's published name, and from a seed.

A network's worth of weights need not be stored to be compared: each tensor is filled with random numbers whose seed
is the CRC-32 of its name in the published state_dict. All values go through float32, so that a float32 and a float64
run start from the same numbers.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

# Agreed on with the script that runs the published code (docs/parity.md): no number here may change on one side alone.
SPREAD = 0.1  # of what lies around 0 or 1
BIAS_SPREAD = 0.05
LEAST_RESPONSE = 0.02  # no band of the SRF falls silent, and its ReLU stays open
SMOOTHING_SPREAD = 0.3
LEAST_SMOOTHING = 0.05
TEXTURES = 6
SPECTRAL_SPREAD = (0.1, 0.5)  # widths of their spectra, as a share of all bands
PIXELS_PER_RADIAN = 32.0
FASTEST = 3.0  # radians of a texture in as many pixels as that
BENDING = 0.3  # of a texture's waves, in radians


def fill(key: str, shape: Sequence[int]) -> np.ndarray:
    """Make the values of a tensor.

    Args:
        key: Its published name; the PSF's kernel is called ``psf``.
        shape: Its published shape.

    Returns:
        float64 of that shape.
    """
    shape = tuple(int(size) for size in shape)
    *_, last = key.split(".")
    if last == "num_batches_tracked":
        return np.zeros(shape)
    seed = zlib.crc32(key.encode())
    random = np.random.RandomState(seed)
    noise: np.ndarray = np.asarray(random.standard_normal(shape))
    if last == "running_mean":
        values = SPREAD * noise
    elif last == "running_var":
        values = 1.0 + SPREAD * np.abs(noise)
    elif last == "bias":
        values = BIAS_SPREAD * noise
    elif last.isdigit():  # one band of the SRF
        values = SPREAD * np.abs(noise) + LEAST_RESPONSE
    else:
        values = _weight(noise)
    single = values.astype(np.float32)
    return single.astype(np.float64)


def _weight(noise: np.ndarray) -> np.ndarray:
    """Scale by the number of axes, which tells the kind of layer; values keep their size from layer to layer."""
    shape = noise.shape
    if noise.ndim == 1:  # batch normalisation
        values = 1.0 + SPREAD * noise
    elif noise.ndim == 2:  # linear
        values = noise / np.sqrt(shape[1])
    elif noise.ndim == 3:  # the SRF's smoothing convolution
        values = SMOOTHING_SPREAD * np.abs(noise) + LEAST_SMOOTHING
    elif shape[:2] == (1, 1):  # the PSF
        values = np.abs(noise) / (shape[2] * shape[3])
    else:  # a convolution, behind which a rectifier halves the power
        fan_in = np.prod(shape[1:])
        values = noise * np.sqrt(2.0 / fan_in)
    return np.asarray(values)


def make_scene(
    bands: int,
    height: int,
    width: int,
    seed: int,
) -> np.ndarray:
    """Make a smooth scene of six textures with a spectrum each.

    Returns:
        (C, H, W) float64 with float32 values, largest 1.
    """
    random = np.random.RandomState(seed)
    grid = np.mgrid[:height, :width]  # (2, H, W)
    y, x = grid / PIXELS_PER_RADIAN
    position = np.linspace(0.0, 1.0, bands)
    scene = np.zeros((bands, height, width))
    for _ in range(TEXTURES):
        # The order of the draws belongs to the agreement, too.
        across, down, phase, bend = random.uniform(-FASTEST, FASTEST, 4)
        centre = random.uniform(0.0, 1.0)
        spread = random.uniform(*SPECTRAL_SPREAD)
        from_centre = (position - centre) / spread
        spectrum = np.exp(-(from_centre**2))  # (C,)
        bent = BENDING * np.sin(bend * x * y)
        wave = np.sin(across * x + down * y + phase + bent)  # (H, W)
        texture = 0.5 + 0.5 * wave  # 0 to 1
        scene += spectrum[:, None, None] * texture
    relative = scene / scene.max()
    single = relative.astype(np.float32)
    return np.asarray(single, dtype=np.float64)


def observe(
    scene: np.ndarray,
    scale: int,
    supports: Sequence[tuple[int, int]],
) -> tuple[np.ndarray, np.ndarray]:
    """Make the two images of the parity check out of its scene: plain averages.

    Args:
        scene: (C, H, W).
        scale: s.
        supports: Per MSI band the half-open range of HSI bands that it averages.

    Returns:
        lr_hsi (1, C, H/s, W/s) and hr_msi (1, M, H, W), float64.
    """
    bands, height, width = scene.shape
    low_height = height // scale
    low_width = width // scale
    blocks = scene.reshape(bands, low_height, scale, low_width, scale)
    lr_hsi = blocks.mean(axis=(2, 4))  # (C, h, w)
    msi_bands = []
    for a, b in supports:
        share = np.float32(1.0 / (b - a))  # both sides hold the SRF in float32
        seen = scene[a:b] * np.float64(share)
        msi_bands.append(seen.sum(axis=0))
    hr_msi = np.stack(msi_bands)  # (M, H, W)
    return lr_hsi[None], hr_msi[None]


def every_kth(values: np.ndarray, most: int) -> np.ndarray:
    """Flatten and take every k-th value, k = ceil(size / most)."""
    flat = np.ascontiguousarray(values).reshape(-1)
    step = -(-flat.size // most)  # rounded up
    step = max(1, step)
    return flat[::step]
