"""Weights and a scene that both sides make alike: from a tensor's published name, and from a seed.

A network's worth of weights need not be stored to be compared: each tensor is filled with random numbers whose seed
is the CRC-32 of its name in the published state_dict. All values go through float32, so that a float32 and a float64
run start from the same numbers.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np


def fill(key: str, shape: Sequence[int]) -> np.ndarray:
    """Make the values of a tensor.

    Args:
        key: Its published name; the PSF's kernel is called ``psf``.
        shape: Its published shape.

    Returns:
        float64 of that shape.
    """
    shape = tuple(int(size) for size in shape)
    last = key.rsplit(".", 1)[-1]
    if last == "num_batches_tracked":
        return np.zeros(shape)
    noise: np.ndarray = np.asarray(np.random.RandomState(zlib.crc32(key.encode())).standard_normal(shape))
    if last == "running_mean":
        values = 0.1 * noise
    elif last == "running_var":
        values = 1.0 + 0.1 * np.abs(noise)
    elif last == "bias":
        values = 0.05 * noise
    elif last.isdigit():  # one band of the SRF
        values = 0.1 * np.abs(noise) + 0.02
    else:
        values = _weight(noise)
    return values.astype(np.float32).astype(np.float64)


def _weight(noise: np.ndarray) -> np.ndarray:
    """Scale by the number of axes, which tells the kind of layer."""
    shape = noise.shape
    if noise.ndim == 1:  # batch normalisation
        return np.asarray(1.0 + 0.1 * noise)
    if noise.ndim == 2:  # linear
        return np.asarray(noise / np.sqrt(shape[1]))
    if noise.ndim == 3:  # the SRF's smoothing convolution
        return np.asarray(0.3 * np.abs(noise) + 0.05)
    if shape[:2] == (1, 1):  # the PSF
        return np.asarray(np.abs(noise) / (shape[2] * shape[3]))
    return np.asarray(noise * np.sqrt(2.0 / np.prod(shape[1:])))


def make_scene(bands: int, height: int, width: int, seed: int) -> np.ndarray:
    """Make a smooth scene of six textures with a spectrum each.

    Returns:
        (C, H, W) float64 with float32 values, largest 1.
    """
    random = np.random.RandomState(seed)
    y, x = np.mgrid[:height, :width] / 32.0
    position = np.linspace(0.0, 1.0, bands)
    scene = np.zeros((bands, height, width))
    for _ in range(6):
        a, b, c, d = random.uniform(-3.0, 3.0, 4)
        centre, spread = random.uniform(0.0, 1.0), random.uniform(0.1, 0.5)
        spectrum = np.exp(-(((position - centre) / spread) ** 2))
        texture = 0.5 + 0.5 * np.sin(a * x + b * y + c + 0.3 * np.sin(d * x * y))
        scene += spectrum[:, None, None] * texture
    single = np.asarray(scene / scene.max(), dtype=np.float32)
    return single.astype(np.float64)


def observe(scene: np.ndarray, scale: int, supports: Sequence[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Make the two images of the parity check out of its scene: plain averages.

    Args:
        scene: (C, H, W).
        scale: s.
        supports: Per MSI band the half-open range of HSI bands that it averages.

    Returns:
        lr_hsi (1, C, H/s, W/s) and hr_msi (1, M, H, W), float64.
    """
    bands, height, width = scene.shape
    blocks = scene.reshape(bands, height // scale, scale, width // scale, scale)
    hr_msi = np.stack([(scene[a:b] * np.float64(np.float32(1.0 / (b - a)))).sum(axis=0) for a, b in supports])
    return blocks.mean(axis=(2, 4))[None], hr_msi[None]


def every_kth(values: np.ndarray, most: int) -> np.ndarray:
    """Flatten and take every k-th value, k = ceil(size / most)."""
    flat = np.ascontiguousarray(values).reshape(-1)
    return flat[:: max(1, -(-flat.size // most))]
