"""VGG16-BN start weights for the encoders, from whatever file they come in."""

from __future__ import annotations

from pathlib import Path
from typing import Union

import numpy as np

from paddle_umsft.errors import ConversionError
from paddle_umsft.weights import names, shapes
from paddle_umsft.weights.check import FLOATS
from paddle_umsft.weights.fit import Shape, misfits, shapes_of
from paddle_umsft.weights.formats.reader import read_weights
from paddle_umsft.weights.mapping import Arrays
from paddle_umsft.weights.recognise import recognise


def load_vgg_features(path: Union[str, Path]) -> Arrays:
    """Read VGG16-BN's layers 0 to 21, all that the encoders use.

    Args:
        path: A `.pth` (torchvision's `vgg16_bn-6c64b313.pth`), `.pdparams` or `.safetensors`.

    Returns:
        float32 arrays named `features.N.weight`, `.bias`, `.running_mean`, `.running_var`; convolutions
        (out, in, 3, 3), the rest (channels,).

    Raises:
        ConversionError: It cannot be read, is no VGG16-BN, or tensors are missing or of a wrong shape (all listed).
    """
    file = read_weights(path)
    part = recognise(file).parts.get("vgg")
    if part is None:
        raise ConversionError("no VGG16-BN weights", where=path)
    arrays: Arrays = {}
    dtypes: dict[str, str] = {}
    for name, leaf in part.tensors.items():
        published = names.published_vgg_key(name)
        arrays[published] = leaf.values()
        dtypes[published] = leaf.dtype
    wanted: dict[str, Shape] = {}
    for name, shape in shapes.vgg_shapes(blocks=names.LIVE_BLOCKS).items():
        # Nothing here counts batches.
        if not name.endswith(".num_batches_tracked"):
            wanted[name] = shape
    # The classifier and the blocks behind the third are in most files.
    misfitting = misfits(wanted, shapes_of(arrays), allow_extra=True)
    problems = [str(problem) for problem in misfitting]
    for name in wanted:
        if name in dtypes and dtypes[name] not in FLOATS:
            problems.append(f"{name} is {dtypes[name]}")
    if problems:
        raise ConversionError(
            "VGG16-BN weights do not fit",
            where=path,
            got="; ".join(problems),
        )
    features: Arrays = {}
    for name in wanted:
        # A copy, so that the file need not stay open.
        features[name] = np.array(arrays[name], dtype=np.float32)
    return features
