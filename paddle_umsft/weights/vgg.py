"""VGG start weights, from whatever file they come in: VGG16-BN for the encoders, VGG19 for the perceptual term."""

from __future__ import annotations

from pathlib import Path
from typing import Union

import numpy as np

from paddle_umsft.errors import ConversionError
from paddle_umsft.weights import shapes
from paddle_umsft.weights.formats.reader import read_weights
from paddle_umsft.weights.recognise import recognise

_FLOATS = ("float16", "bfloat16", "float32", "float64")
# VGG16 without BN has VGG19's first layers, index for index, and a convolution where VGG19 has a ReLU.
_NOT_VGG19 = ("features.17.weight", "features.1.weight")


def load_vgg_features(path: Union[str, Path]) -> dict[str, np.ndarray]:
    """Reads VGG16-BN's layers 0 to 21, all that the encoders use.

    Args:
        path: A ``.pth`` (torchvision's ``vgg16_bn-6c64b313.pth``), ``.pdparams``, ``.npz`` or ``.safetensors``.

    Returns:
        float32 arrays named ``features.N.weight``, ``.bias``, ``.running_mean``, ``.running_var``; convolutions
        (out, in, 3, 3), the rest (channels,).

    Raises:
        ConversionError: It cannot be read, is no VGG16-BN, or tensors are missing or of a wrong shape (all listed).
    """
    wanted = shapes.vgg_shapes(dead=False)
    counted = {name: shape for name, shape in wanted.items() if not name.endswith(".num_batches_tracked")}
    return _load(path, "VGG16-BN", counted)


def load_vgg19_features(path: Union[str, Path]) -> dict[str, np.ndarray]:
    """Reads the layers 0 to 14 of VGG19 without BN, all that the perceptual term uses.

    Args:
        path: A ``.pth`` (torchvision's ``vgg19-dcbb9e9d.pth``), ``.pdparams``, ``.npz`` or ``.safetensors``.

    Returns:
        float32 arrays named ``features.N.weight`` (out, in, 3, 3) and ``features.N.bias`` (out,).

    Raises:
        ConversionError: It cannot be read, is no VGG19, or tensors are missing or of a wrong shape (all listed).
    """
    return _load(path, "VGG19", shapes.vgg19_shapes(), other=_NOT_VGG19)


def _load(
    path: Union[str, Path], what: str, wanted: shapes.Shapes, other: tuple[str, ...] = ()
) -> dict[str, np.ndarray]:
    """The tensors of `wanted`; `other` are names that only another network's file has."""
    part = recognise(read_weights(path)).parts.get("vgg")
    if part is None:
        raise ConversionError(f"no {what} weights", where=path)
    found = {
        name.replace("._mean", ".running_mean").replace("._variance", ".running_var"): leaf
        for name, leaf in part.tensors.items()
    }
    foreign = [name for name in other if name in found]
    if foreign:
        raise ConversionError(f"not {what}'s weights", where=path, got=f"{foreign[0]}, where {what} has no weights")
    features: dict[str, np.ndarray] = {}
    problems: list[str] = []
    for name, shape in wanted.items():
        leaf = found.get(name)
        if leaf is None:
            problems.append(f"{name} missing")
        elif leaf.values().shape != shape:
            problems.append(f"{name} {leaf.values().shape} instead of {shape}")
        elif leaf.dtype not in _FLOATS:
            problems.append(f"{name} is {leaf.dtype}")
        else:
            features[name] = np.array(leaf.values(), dtype=np.float32)  # a copy: the file need not stay open
    if problems:
        raise ConversionError(f"{what} weights do not fit", where=path, got="; ".join(problems))
    return features
