"""VGG weights from whatever file they come in: VGG16-BN to start the encoders, VGG19 for the perceptual term."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Optional, Union

import numpy as np

from paddle_umsft.errors import ConversionError
from paddle_umsft.weights import names, shapes
from paddle_umsft.weights.check import FLOATS
from paddle_umsft.weights.fit import Shape, misfits, shapes_of
from paddle_umsft.weights.formats.reader import read_weights
from paddle_umsft.weights.mapping import Arrays
from paddle_umsft.weights.places import LIVE_BLOCKS
from paddle_umsft.weights.recognise import recognise
from paddle_umsft.weights.vgg_stacks import VGG16_BN, VGG19, VggStack


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
    wanted: dict[str, Shape] = {}
    for name, shape in shapes.vgg_shapes(blocks=LIVE_BLOCKS).items():
        # Nothing here counts batches.
        if not name.endswith(".num_batches_tracked"):
            wanted[name] = shape
    return _load(path, VGG16_BN, wanted)


def load_vgg19_features(path: Union[str, Path]) -> Arrays:
    """Read the layers 0 to 14 of VGG19 without batch normalisation, all that the perceptual term uses.

    Args:
        path: A `.pth` (torchvision's `vgg19-dcbb9e9d.pth`), `.pdparams` or `.safetensors`.

    Returns:
        float32 arrays named `features.N.weight` (out, in, 3, 3) and `features.N.bias` (out,).

    Raises:
        ConversionError: It cannot be read, is no VGG19, or tensors are missing or of a wrong shape (all listed).
    """
    return _load(path, VGG19, shapes.vgg19_shapes())


def _load(
    path: Union[str, Path],
    stack: VggStack,
    wanted: Mapping[str, Shape],
) -> Arrays:
    """Return float32 copies of the tensors wanted of a VGG network."""
    file = read_weights(path)
    part = recognise(file).parts.get("vgg")
    if part is None:
        raise ConversionError(f"no {stack.name} weights", where=path)
    arrays: Arrays = {}
    dtypes: dict[str, str] = {}
    for name, leaf in part.tensors.items():
        published = names.published_vgg_key(name)
        arrays[published] = leaf.values()
        dtypes[published] = leaf.dtype
    foreign = _foreign_name(stack, arrays)
    if foreign is not None:
        raise ConversionError(
            f"not {stack.name}'s weights",
            where=path,
            got=f"{foreign}, where {stack.name} has no weights",
        )
    # The classifier and the blocks behind those in use are in most files.
    misfitting = misfits(wanted, shapes_of(arrays), allow_extra=True)
    problems = [str(problem) for problem in misfitting]
    for name in wanted:
        if name in dtypes and dtypes[name] not in FLOATS:
            problems.append(f"{name} is {dtypes[name]}")
    if problems:
        raise ConversionError(
            f"{stack.name} weights do not fit",
            where=path,
            got="; ".join(problems),
        )
    features: Arrays = {}
    for name in wanted:
        # A copy, so that the file need not stay open.
        features[name] = np.array(arrays[name], dtype=np.float32)
    return features


def _foreign_name(stack: VggStack, found: Iterable[str]) -> Optional[str]:
    """Return the name of a tensor that another VGG network has where this one has none.

    VGG networks share their first layers, number for number: only the layers behind them tell them apart.
    """
    layers = stack.weighted_layers()
    for name in found:
        head, _, rest = name.partition(".")
        index = rest.partition(".")[0]
        if head == "features" and int(index) not in layers:
            return name
    return None
