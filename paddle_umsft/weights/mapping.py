"""Pure functions from the published tensors to ours and back: names, and how each tensor lies."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Optional

import numpy as np

from paddle_umsft.weights import names
from paddle_umsft.weights.vgg_stacks import KERNEL_SIZE, VGG16_BN

Arrays = dict[str, np.ndarray]


def published_to_ours(published: Mapping[str, np.ndarray]) -> tuple[Arrays, Arrays]:
    """Rename the published network's tensors to ours, Linear layers transposed.

    Args:
        published: Name -> array, as in the published state_dict of the network, its SRF net or its PSF net.

    Returns:
        Our tensors (views where possible), and those that only the published network has, under their own names.
    """
    ours: Arrays = {}
    aside: Arrays = {}
    for key, array in published.items():
        name = names.our_key(key)
        if name is None:
            aside[key] = array
        else:
            ours[name] = to_our_layout(key, array)
    return ours, aside


def ours_to_published(ours: Mapping[str, np.ndarray], aside: Optional[Mapping[str, np.ndarray]] = None) -> Arrays:
    """Rename our tensors to the published ones; the inverse of `published_to_ours`.

    Args:
        ours: Name -> array.
        aside: What only the published network has.

    Returns:
        Name -> array. The PSF's kernel comes under both of its names, as one array.

    Raises:
        KeyError: A name is none of ours.
    """
    first_psf_key, second_psf_key = names.PSF_KEYS
    published: Arrays = {}
    for name, array in ours.items():
        key = names.published_key(name)
        published[key] = to_published_layout(key, array)
        if key == first_psf_key:
            published[second_psf_key] = array
    published.update(aside or {})
    return published


def to_our_layout(published: str, array: np.ndarray) -> np.ndarray:
    """Turn a published tensor the way it lies here: Linear weights transposed, SRF rows (n,) to (1, 1, n).

    Args:
        published: Its published name.
        array: Its values.

    Returns:
        A view.
    """
    turned = array
    if names.is_linear(published):
        # (out, in) -> (in, out)
        turned = array.T
    elif names.is_response(published):
        # (n,) -> (1, 1, n)
        turned = array.reshape(1, 1, *array.shape)
    return turned


def to_published_layout(published: str, array: np.ndarray) -> np.ndarray:
    """Turn a tensor of ours the way the published one lies, the inverse of `to_our_layout`.

    Args:
        published: Its published name.
        array: Its values; an array of a shape that cannot be turned stays as it is.

    Returns:
        A view.
    """
    turned = array
    if names.is_linear(published):
        # (in, out) -> (out, in)
        turned = array.T
    elif names.is_response(published) and array.shape[:2] == (1, 1):
        # (1, 1, n) -> (n,)
        turned = array.reshape(array.shape[2:])
    return turned


def dead_layer_start(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """Make the declared start of a VGG layer that nobody listens to: PyTorch's default, the key's CRC as the seed.

    Args:
        key: Its published name.
        shape: Its shape.

    Returns:
        float32 (int64 for a count of batches): a convolution's weight and bias uniform in ±1/sqrt(fan_in), a BN's
        weight and variance 1, bias and mean 0.
    """
    # HSIFE.extractor.<index>.<leaf>
    _, _, index, leaf = key.split(".")
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    channels_in: dict[int, int] = {}
    for layer in VGG16_BN.convolutions():
        channels_in[layer.index] = layer.channels_in
    if int(index) not in channels_in:
        # A batch normalisation that changes nothing.
        if leaf in ("weight", "running_var"):
            return np.ones(shape, np.float32)
        return np.zeros(shape, np.float32)
    # Numbers that each output is made of.
    fan_in = KERNEL_SIZE**2 * channels_in[int(index)]
    bound = 1.0 / np.sqrt(fan_in)
    seed = zlib.crc32(key.encode())
    random = np.random.RandomState(seed)
    drawn = random.uniform(-bound, bound, shape)
    return drawn.astype(np.float32)
