"""VGG16-BN start weights for the encoders, from whatever file they come in."""

from __future__ import annotations

from pathlib import Path
from typing import Union

import numpy as np

from paddle_umsft.errors import ConversionError
from paddle_umsft.weights import shapes
from paddle_umsft.weights.formats.reader import read_weights
from paddle_umsft.weights.recognise import recognise


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
    file = read_weights(path)
    part = recognise(file).parts.get("vgg")
    if part is None:
        raise ConversionError("no VGG16-BN weights", where=path)
    found = {
        name.replace("._mean", ".running_mean").replace("._variance", ".running_var"): leaf
        for name, leaf in part.tensors.items()
    }
    features: dict[str, np.ndarray] = {}
    problems: list[str] = []
    for name, shape in shapes.vgg_shapes(dead=False).items():
        if name.endswith(".num_batches_tracked"):
            continue
        leaf = found.get(name)
        if leaf is None:
            problems.append(f"{name} missing")
        elif leaf.values().shape != shape:
            problems.append(f"{name} {leaf.values().shape} instead of {shape}")
        elif leaf.dtype not in ("float16", "bfloat16", "float32", "float64"):
            problems.append(f"{name} is {leaf.dtype}")
        else:
            features[name] = np.array(leaf.values(), dtype=np.float32)  # a copy: the file need not stay open
    if problems:
        raise ConversionError("VGG16-BN weights do not fit", where=path, got="; ".join(problems))
    return features
