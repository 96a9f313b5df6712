"""The declared starts of tensors that one side has and the other has not: what PyTorch would draw for such a layer.

Such are the VGG layers that nobody listens to, uHNTC's attentions that are never called, and its query convolution.
What is drawn has the CRC-32 of its published name as the seed, and so is the same everywhere.

References:
    PyTorch `torch/nn/modules/conv.py`, `linear.py` and `batchnorm.py` (reset_parameters).
"""

from __future__ import annotations

import math
import zlib

import numpy as np

from paddle_umsft.weights.fit import Shape
from paddle_umsft.weights.mapping import Arrays
from paddle_umsft.weights.shapes_uhntc import query_shapes
from paddle_umsft.weights.vgg_stacks import KERNEL_SIZE, VGG16_BN

# Leaves of a batch normalisation that are 1 at rest; the others are 0.
_ONES = ("weight", "running_var")


def dead_layer_start(key: str, shape: Shape) -> np.ndarray:
    """Make the start of a VGG layer that nobody listens to.

    Args:
        key: Its published name.
        shape: Its shape.

    Returns:
        float32 (int64 for a count of batches): a convolution's weight and bias uniform in ±1/sqrt(fan_in), a BN's
        weight and variance 1, bias and mean 0.
    """
    # HSIFE.extractor.<index>.<leaf>
    _, _, index, leaf = key.split(".")
    channels_in: dict[int, int] = {}
    for layer in VGG16_BN.convolutions():
        channels_in[layer.index] = layer.channels_in
    if int(index) not in channels_in:
        return _norm_at_rest(leaf, shape)
    return _drawn(key, shape, KERNEL_SIZE**2 * channels_in[int(index)])


def unused_start(key: str, shape: Shape) -> np.ndarray:
    """Make the start of a tensor of an attention that is never called.

    Args:
        key: Its published name.
        shape: Its shape: two axes, (out, in), for a Linear layer's weight, at most one for a BN's.

    Returns:
        float32 (int64 for a count of batches): a Linear layer's weight uniform in ±1/sqrt(in), a BN as in
        `dead_layer_start`.
    """
    if len(shape) > 1:
        return _drawn(key, shape, shape[1])
    leaf = key.rpartition(".")[2]
    return _norm_at_rest(leaf, shape)


def query_start(bands: int) -> Arrays:
    """Make the start of uHNTC's query convolution, for a checkpoint that cannot have it (P12).

    Args:
        bands: C.

    Returns:
        float32 by published name: weight and bias uniform in ±1/sqrt(fan_in).
    """
    start: Arrays = {}
    for key, shape in query_shapes(bands).items():
        start[key] = _drawn(key, shape, KERNEL_SIZE**2 * bands)
    return start


def _drawn(
    key: str,
    shape: Shape,
    fan_in: int,
) -> np.ndarray:
    """Return float32 numbers uniform in ±1/sqrt(fan_in): numbers that each output of the layer is made of."""
    bound = 1.0 / math.sqrt(fan_in)
    seed = zlib.crc32(key.encode())
    random = np.random.RandomState(seed)
    drawn = random.uniform(-bound, bound, shape)
    return drawn.astype(np.float32)


def _norm_at_rest(leaf: str, shape: Shape) -> np.ndarray:
    """Return a tensor of a batch normalisation that changes nothing."""
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if leaf in _ONES:
        return np.ones(shape, np.float32)
    return np.zeros(shape, np.float32)
