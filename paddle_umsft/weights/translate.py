"""Turns checked networks into the state_dict to write, and notes what became of each tensor."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from paddle_umsft.weights import names
from paddle_umsft.weights.check import Network, wanted_shapes
from paddle_umsft.weights.fit import shapes_of
from paddle_umsft.weights.formats.reader import ASIDE_PREFIX
from paddle_umsft.weights.mapping import Arrays, dead_layer_start, published_to_ours
from paddle_umsft.weights.narrowing import HALF_TYPES
from paddle_umsft.weights.report import Report

_COUNT_NOTE = "num_batches_tracked, which Paddle does not count"
_DEAD_NOTE = "VGG layers that nobody listens to (P4)"
_START_NOTE = f"{_DEAD_NOTE}: PyTorch's default start, seed = CRC-32 of the name"


def to_paddle(networks: Mapping[str, Network], report: Report) -> Arrays:
    """Return our state_dict.

    Half-precision numbers become float32, exactly: Paddle's layers on a CPU need them so.

    Args:
        networks: Checked networks by kind.
        report: Gets what became of each tensor.
    """
    published: Arrays = {}
    half = set()
    for network in networks.values():
        for name, leaf in network.tensors.items():
            published[name] = _widened(leaf.values())
            if leaf.dtype in HALF_TYPES:
                half.add(name)
    if "vgg" in networks:
        return _vgg_to_paddle(published, report)
    ours, aside = published_to_ours(published)
    # In the published order, whichever way a tensor goes.
    for name in published:
        if name not in aside:
            note = _how_renamed(name)
            if name in half:
                note += ", made float32"
            report.add("converted", name, note)
        elif names.is_dead(name):
            report.add("kept aside", name, _DEAD_NOTE)
        else:
            report.add("kept aside", name, _COUNT_NOTE)
    if len(networks) == 1 and "umsft" not in networks:
        # A net alone has its layer's own names.
        ours = {name.partition(".")[2]: array for name, array in ours.items()}
    for name, array in aside.items():
        ours[f"{ASIDE_PREFIX}{name}"] = array
    return ours


def to_torch(network: Network, report: Report) -> Arrays:
    """Return the full published state_dict; what our files do not have is filled in.

    Args:
        network: A checked network.
        report: Gets what became of each tensor.
    """
    published = {name: leaf.values() for name, leaf in network.tensors.items()}
    output: Arrays = {}
    for name, shape in wanted_shapes(network.kind, shapes_of(published)).items():
        if name in published:
            output[name] = published[name]
            report.add("converted", name, _how_put_back(network, name))
        elif network.kind == "umsft" and names.is_dead(name):
            output[name] = dead_layer_start(name, shape)
            report.add("filled", name, _START_NOTE)
        # A count whose layer is there; others are optional together with their layer.
        elif name.replace("num_batches_tracked", "running_mean") in published:
            output[name] = np.zeros((), np.int64)
            report.add("filled", name, "num_batches_tracked = 0")
    return output


def _vgg_to_paddle(published: Arrays, report: Report) -> Arrays:
    output: Arrays = {}
    for name, array in published.items():
        if name.endswith(".num_batches_tracked"):
            report.add("dropped", name, _COUNT_NOTE)
            continue
        ours = names.our_vgg_key(name)
        note = "renamed"
        if ours == name:
            note = "as it is"
        report.add("converted", name, note)
        output[ours] = array
    return output


def _widened(array: np.ndarray) -> np.ndarray:
    if array.dtype == np.float16:
        return array.astype(np.float32)
    return array


def _how_renamed(name: str) -> str:
    if names.is_linear(name):
        return "Linear, transposed"
    return "renamed"


def _how_put_back(network: Network, name: str) -> str:
    if not network.ours or network.kind == "vgg":
        return "as it is"
    if names.our_key(name) is None:
        return "put back"
    return _how_renamed(name)
