"""Weights to start a model from: a published checkpoint, or what a run here saved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Union

import numpy as np

from paddle_umsft.errors import ConversionError
from paddle_umsft.weights.check import checked_networks
from paddle_umsft.weights.declared import query_start
from paddle_umsft.weights.fit import shapes_of
from paddle_umsft.weights.formats.reader import read_weights
from paddle_umsft.weights.mapping import Arrays, published_to_ours
from paddle_umsft.weights.names import SRF_PREFIX, our_key
from paddle_umsft.weights.names_uhntc import QUERY_KEYS
from paddle_umsft.weights.recognise import recognise
from paddle_umsft.weights.report import Report, TensorFate
from paddle_umsft.weights.sizes import uhntc_sizes

_QUERY_WEIGHT = str(our_key(QUERY_KEYS[0]))


def load_start(path: Union[str, Path]) -> Arrays:
    """Read the network, its learned SRF and its PSF, as far as a file holds them.

    Args:
        path: Any file that `read_weights` reads, with published names or ours.

    Returns:
        float32 or float64 arrays named and laid out as in `FusionModel`.

    Raises:
        ConversionError: It cannot be read or holds nothing to start from; or tensors are missing, extra, mis-shaped
            (all listed).
    """
    file = read_weights(path)
    found = recognise(file)
    if "vgg" in found.parts:
        raise ConversionError(
            "VGG16-BN alone",
            where=path,
            expected="UMSFT or uHNTC",
            hint="give it as network.vgg_weights or uhntc.vgg_weights",
        )
    report = Report(
        recognised=found.summary(),
        source=(file.path.name, file.sha256),
    )
    networks = checked_networks(found, report)
    if found.grammar == "paddle" and "srf" not in found.parts:
        # A run that knew the SRF has none to offer.
        report.fates = [fate for fate in report.fates if not _is_missing_srf(fate)]
    if report.problems():
        raise ConversionError(
            "weights do not fit",
            where=path,
            got=report.problems(),
        )
    published: Arrays = {}
    for network in networks.values():
        for name, leaf in network.tensors.items():
            published[name] = leaf.values()
    if "uhntc" in networks:
        # No published checkpoint has the query convolution (P12).
        sizes = uhntc_sizes(shapes_of(published))
        published = {**query_start(sizes.bands), **published}
    ours, _ = published_to_ours(published)
    start: Arrays = {}
    for name, array in ours.items():
        start[name] = _copy(array)
    return start


def has_declared_query(start: Mapping[str, np.ndarray]) -> bool:
    """Tell whether uHNTC's query convolution is the declared start, which no training has moved (P12).

    Args:
        start: What `load_start` returned.
    """
    weight = start.get(_QUERY_WEIGHT)
    if weight is None:
        return False
    bands = weight.shape[1]
    declared = query_start(bands)[QUERY_KEYS[0]]
    return np.array_equal(weight, declared)


def _is_missing_srf(fate: TensorFate) -> bool:
    return fate.status == "missing" and fate.name.startswith(SRF_PREFIX)


def _copy(array: np.ndarray) -> np.ndarray:
    """Return a copy, so that the file need not stay open, in the nearest type that layers have."""
    if array.dtype == np.float64:
        return np.array(array, np.float64)
    return np.array(array, np.float32)
