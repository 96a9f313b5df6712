"""Pure functions from the published tensors to ours and back: names, and how each tensor lies."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import Optional

import numpy as np

from paddle_umsft.weights import names, names_uhntc, shapes

Arrays = dict[str, np.ndarray]


def published_to_ours(published: Mapping[str, np.ndarray]) -> tuple[Arrays, Arrays]:
    """Renames the published network's tensors to ours, Linear layers transposed.

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
    """Renames our tensors to the published ones; the inverse of ``published_to_ours``.

    Args:
        ours: Name -> array.
        aside: What only the published network has.

    Returns:
        Name -> array. The PSF's kernel comes under both of its names, as one array.

    Raises:
        KeyError: A name is none of ours.
    """
    published: Arrays = {}
    for name, array in ours.items():
        key = names.published_key(name)
        published[key] = to_published_layout(key, array)
        if key == names.PSF_KEYS[0]:
            published[names.PSF_KEYS[1]] = array
    published.update(aside or {})
    return published


def to_our_layout(published: str, array: np.ndarray) -> np.ndarray:
    """Turns a published tensor the way it lies here: Linear weights transposed, SRF rows (n,) to (1, 1, n).

    Args:
        published: Its published name.
        array: Its values.

    Returns:
        A view.
    """
    turned: np.ndarray = array.T if names.is_linear(published) else array
    return turned.reshape(1, 1, *array.shape) if names.is_response(published) else turned


def to_published_layout(published: str, array: np.ndarray) -> np.ndarray:
    """The inverse of ``to_our_layout``; an array of a shape that cannot be turned stays as it is."""
    turned: np.ndarray = array.T if names.is_linear(published) else array
    if names.is_response(published) and array.shape[:2] == (1, 1):
        turned = turned.reshape(array.shape[2:])
    return turned


def declared_start(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """Makes the declared start of a tensor that one side has and the other has not: PyTorch's default.

    Such are the VGG layers that nobody listens to, uHNTC's attentions that are never called, and its query convolution.

    Args:
        key: Its published name; its CRC-32 is the seed.
        shape: Its published shape.

    Returns:
        float32 (int64 for a count of batches): the weight and bias of a convolution and the weight of a Linear layer
        uniform in ±1/sqrt(fan_in), a BN's weight and variance 1, bias and mean 0.
    """
    leaf = key.rpartition(".")[2]
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    fan_in = _fan_in(key, shape)
    if fan_in is None:
        return np.full(shape, 1.0 if leaf in ("weight", "running_var") else 0.0, np.float32)
    bound = 1.0 / np.sqrt(fan_in)
    random = np.random.RandomState(zlib.crc32(key.encode()))
    return random.uniform(-bound, bound, shape).astype(np.float32)


def query_start(bands: int) -> Arrays:
    """Makes the start of uHNTC's query convolution by published name, for a checkpoint that cannot have it (P12)."""
    channels = shapes.VGG_CONVOLUTIONS[0][2]
    weight, bias = names_uhntc.QUERY_KEYS
    start = declared_start(weight, (channels, bands, 3, 3))
    bound = 1.0 / np.sqrt(9.0 * bands)
    random = np.random.RandomState(zlib.crc32(bias.encode()))
    return {weight: start, bias: random.uniform(-bound, bound, channels).astype(np.float32)}


def _fan_in(key: str, shape: tuple[int, ...]) -> Optional[float]:
    """Numbers that go into one of a layer's outputs; None for a BN."""
    if len(shape) > 1:
        return float(np.prod(shape[1:]))
    convolutions = {place: before for place, before, _ in shapes.VGG_CONVOLUTIONS}
    found = re.search(r"\.extractor\.(\d+)\.bias$", key)
    if found is None or int(found[1]) not in convolutions:
        return None
    return 9.0 * convolutions[int(found[1])]
