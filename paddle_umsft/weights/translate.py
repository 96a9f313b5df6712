"""Turns checked networks into the state_dict to write, and notes what became of each tensor."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from paddle_umsft.weights import names, names_uhntc
from paddle_umsft.weights.check import FUSION_NETWORKS, Network, wanted_shapes
from paddle_umsft.weights.declared import dead_layer_start, query_start, unused_start
from paddle_umsft.weights.fit import shapes_of
from paddle_umsft.weights.formats.reader import ASIDE_PREFIX
from paddle_umsft.weights.mapping import Arrays, published_to_ours
from paddle_umsft.weights.narrowing import HALF_TYPES
from paddle_umsft.weights.report import Report
from paddle_umsft.weights.shapes import Shapes
from paddle_umsft.weights.shapes_uhntc import uhntc_shapes
from paddle_umsft.weights.sizes import uhntc_sizes
from paddle_umsft.weights.unused import unused_shapes

_COUNT_NOTE = "num_batches_tracked, which Paddle does not count"
_DEAD_NOTE = "VGG layers that nobody listens to (P4)"
_UNUSED_NOTE = "an attention of uHNTC that is never called"
_QUERY_NOTE = "the query convolution is in no published checkpoint (P12)"
_DECLARED_START = "PyTorch's default start, seed = CRC-32 of the name"


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
    if "uhntc" in networks:
        _drop_unused(networks["uhntc"], report)
        ours.update(_filled_query(networks["uhntc"], report))
    if len(networks) == 1 and not any(kind in FUSION_NETWORKS for kind in networks):
        # A net alone has its layer's own names.
        ours = {name.partition(".")[2]: array for name, array in ours.items()}
    for name, array in aside.items():
        ours[f"{ASIDE_PREFIX}{name}"] = array
    return ours


def to_torch(
    network: Network,
    report: Report,
    pixels: Mapping[str, int],
) -> Arrays:
    """Return the full published state_dict; what our files do not have is filled in.

    Args:
        network: A checked network.
        report: Gets what became of each tensor.
        pixels: For how many pixels of each level's tap uHNTC's unused attentions are filled in.
    """
    published = {name: leaf.values() for name, leaf in network.tensors.items()}
    # Ready-made, of a source with published names.
    unused = {name: leaf.values() for name, leaf in network.unused.items()}
    output: Arrays = {}
    for name in names_uhntc.QUERY_KEYS:
        if name in published:
            report.add("dropped", network.source_names[name], _QUERY_NOTE)
    for name, shape in _wanted_by_torch(network.kind, published, pixels).items():
        if name in published:
            output[name] = published[name]
            report.add("converted", name, _how_put_back(network, name))
        elif name in unused and unused[name].shape == shape:
            output[name] = unused[name]
            report.add("converted", name, "as it is")
        elif names_uhntc.is_unused(name):
            output[name] = unused_start(name, shape)
            report.add("filled", name, f"{_UNUSED_NOTE}: {_DECLARED_START}")
        elif network.kind == "umsft" and names.is_dead(name):
            output[name] = dead_layer_start(name, shape)
            report.add("filled", name, f"{_DEAD_NOTE}: {_DECLARED_START}")
        # A count whose layer is there; others are optional together with their layer.
        elif name.replace("num_batches_tracked", "running_mean") in published:
            output[name] = np.zeros((), np.int64)
            report.add("filled", name, "num_batches_tracked = 0")
    return output


def _drop_unused(network: Network, report: Report) -> None:
    for name in network.unused:
        report.add("dropped", network.source_names[name], _UNUSED_NOTE)


def _filled_query(network: Network, report: Report) -> Arrays:
    """Return what a file lacks of the query convolution, by our names."""
    found = {name: leaf.values() for name, leaf in network.tensors.items()}
    sizes = uhntc_sizes(shapes_of(found))
    missing: Arrays = {}
    for name, array in query_start(sizes.bands).items():
        if name not in found:
            missing[name] = array
            report.add("filled", name, f"{_QUERY_NOTE}: {_DECLARED_START}")
    ours, _ = published_to_ours(missing)
    return ours


def _wanted_by_torch(
    kind: str,
    published: Arrays,
    pixels: Mapping[str, int],
) -> Shapes:
    """Return what the published state_dict has: of uHNTC the unused attentions, but no query convolution."""
    found = shapes_of(published)
    if kind != "uhntc":
        return wanted_shapes(kind, found)
    return uhntc_shapes(
        uhntc_sizes(found),
        query=False,
        unused=unused_shapes(pixels),
    )


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
