"""Brings what a file holds under its published names, and compares it with what that network must have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from paddle_umsft.weights import names, names_uhntc, shapes, shapes_uhntc
from paddle_umsft.weights.formats.reader import ASIDE_PREFIX
from paddle_umsft.weights.formats.values import Leaf
from paddle_umsft.weights.mapping import to_published_layout
from paddle_umsft.weights.recognise import Part, Recognised
from paddle_umsft.weights.report import Report, Row

_FLOATS = ("float16", "bfloat16", "float32", "float64")


@dataclass
class Network:
    """One network under its published names.

    Args:
        kind: ``umsft``, ``uhntc``, ``vgg``, ``psf`` or ``srf``.
        tensors: By published name, in the published order once checked.
        source_names: Published name -> its name in the file.
        source_shapes: Published name -> its shape in the file.
        ours: Whether the file has this package's names and layout.
        unused: By published name, the tensors of uHNTC's attentions that are never called.
    """

    kind: str
    tensors: dict[str, Leaf] = field(default_factory=dict)
    source_names: dict[str, str] = field(default_factory=dict)
    source_shapes: dict[str, shapes.Shape] = field(default_factory=dict)
    ours: bool = False
    unused: dict[str, Leaf] = field(default_factory=dict)

    def source_of(self, name: str) -> str:
        """Returns how a tensor is called in the file."""
        return self.source_names.get(name, name)

    def put(self, name: str, leaf: Leaf, source_name: str, report: Report) -> None:
        """Adds a tensor; one that is there already must be the same to the last bit."""
        known = self.tensors.setdefault(name, leaf)
        if known is not leaf and not _same(known, leaf):
            report.rows.append(Row("extra", source_name, "there twice, with different values"))
        self.source_names.setdefault(name, source_name)


def checked_networks(found: Recognised, report: Report) -> dict[str, Network]:
    """Brings each network under its published names and checks it; what is wrong becomes rows of the report.

    Args:
        found: What the file holds. A separate SRF net beside UMSFT becomes its child, as published (P2).
        report: Gets a row for everything missing, extra, of wrong shape or type, and dropped.

    Returns:
        Networks by kind.
    """
    report.rows += [Row("extra", name) for name in found.extra]
    networks: dict[str, Network] = {}
    for kind in ("umsft", "uhntc", "vgg", "psf", "srf"):
        part = found.parts.get(kind)
        if part is None:
            continue
        home = networks.get("umsft") if kind == "srf" else None
        network = home or networks.setdefault(kind, Network(kind, ours=found.grammar == "paddle"))
        for name, leaf in part.tensors.items():
            _put_under_published_name(network, part, name, leaf, report)
        if kind in ("umsft", "uhntc"):
            for name, leaf in found.aside.items():
                network.put(name, leaf, ASIDE_PREFIX + name, report)
    for network in networks.values():
        _check(network, report)
    return networks


def wanted_shapes(kind: str, found: Mapping[str, shapes.Shape]) -> shapes.Shapes:
    """Returns what a network must have, by the sizes that its own tensors show.

    Args:
        kind: ``umsft``, ``uhntc``, ``vgg``, ``psf`` or ``srf``.
        found: Shapes by published name.
    """
    if kind == "umsft":
        return shapes.umsft_shapes(shapes.umsft_sizes(found))
    if kind == "uhntc":
        return shapes_uhntc.uhntc_shapes(shapes_uhntc.uhntc_sizes(found), query=True)
    if kind == "vgg":
        return shapes.vgg_shapes()
    if kind == "srf":
        return shapes.srf_shapes(shapes.srf_supports(found))
    kernel = found.get(names.PSF_KEYS[0], ())
    return shapes.psf_shapes(kernel[-1] if kernel else 1)


def _put_under_published_name(network: Network, part: Part, name: str, leaf: Leaf, report: Report) -> None:
    source_name = part.prefix + name
    if part.kind == "vgg" and name.startswith("classifier."):
        report.rows.append(Row("dropped", source_name, "the encoders use VGG's features alone"))
        return
    key = name
    if part.kind == "vgg":
        key = name.replace("._mean", ".running_mean").replace("._variance", ".running_var")
    elif part.grammar == "paddle":
        try:
            key = names.published_key(name)
        except KeyError:
            report.rows.append(Row("extra", source_name))
            return
    if part.kind == "uhntc" and key in shapes_uhntc.UNUSED_KEYS:
        network.unused[key] = leaf
        network.source_names[key] = source_name
        return
    if part.kind == "srf":
        key = key[len("rm.srf.") :] if key.startswith("rm.srf.") else key
        key = f"rm.srf.{key}" if network.kind == "umsft" else key
    if part.grammar == "paddle" and leaf.array is not None:
        network.source_shapes[key] = leaf.array.shape
        leaf = Leaf(to_published_layout(key, leaf.array), leaf.dtype)
    network.put(key, leaf, source_name, report)
    if part.kind == "psf" and part.grammar == "paddle":
        network.put(names.PSF_KEYS[1], leaf, source_name, report)


def _check(network: Network, report: Report) -> None:
    tensors = network.tensors
    found = {name: tuple(leaf.array.shape) for name, leaf in tensors.items() if leaf.array is not None}
    wanted = wanted_shapes(network.kind, found)
    optional = _optional(network.kind, wanted, found)
    if not network.ours:  # no published checkpoint has it (P12); one that was made by others may
        optional.update(names_uhntc.QUERY_KEYS)
    for name, shape in wanted.items():
        source_name = network.source_of(name)
        if name not in found:
            if name not in optional:
                report.rows.append(Row("missing", _expected_name(network, name)))
        elif _layout(network, name, found[name]) != _wanted_layout(network, name, shape):
            note = f"{_layout(network, name, found[name])} instead of {_wanted_layout(network, name, shape)}"
            report.rows.append(Row("wrong shape", source_name, note))
        elif not _right_type(name, tensors[name]):
            report.rows.append(Row("wrong type", source_name, tensors[name].dtype))
    report.rows += [Row("extra", network.source_names[name]) for name in tensors if name not in wanted]
    kernels = [tensors[key] for key in names.PSF_KEYS if key in tensors]
    if len(kernels) == 2 and not _same(*kernels):
        note = f"another kernel than {names.PSF_KEYS[0]}, though they are one tensor"
        report.rows.append(Row("extra", network.source_names[names.PSF_KEYS[1]], note))
    network.tensors = {name: tensors[name] for name in wanted if name in tensors}


def _layout(network: Network, name: str, shape: shapes.Shape) -> shapes.Shape:
    """Returns a tensor's shape as it is in the file."""
    return network.source_shapes.get(name, shape)


def _wanted_layout(network: Network, name: str, shape: shapes.Shape) -> shapes.Shape:
    """Returns a published shape as it should be in the file."""
    return names.our_shape(name, shape) if network.ours else shape


def _expected_name(network: Network, published: str) -> str:
    """Returns how a missing tensor would be called in the file."""
    if not network.ours or network.kind == "vgg":
        return published
    ours = names.our_key(published)
    return ours if ours else ASIDE_PREFIX + published


def _optional(kind: str, wanted: shapes.Shapes, found: Mapping[str, shapes.Shape]) -> set[str]:
    """Counts of batches (PyTorch before 0.4.1 has none); and dead layers, if none of them is there."""
    optional = {name for name in wanted if name.endswith(".num_batches_tracked")}
    dead = {name for name in wanted if _is_dead(kind, name)}
    return optional if any(name in found for name in dead - optional) else optional | dead


def _is_dead(kind: str, name: str) -> bool:
    if kind == "vgg":
        return int(name.split(".")[1]) >= names.DEAD_FROM
    return names.is_dead(name)


def _right_type(name: str, leaf: Leaf) -> bool:
    if not name.endswith(".num_batches_tracked"):
        return leaf.dtype in _FLOATS
    if "int" in leaf.dtype:
        return True
    if leaf.dtype not in _FLOATS:
        return False
    # Who makes every tensor of a state_dict half makes the counts half too.
    counts = leaf.values()
    return bool(np.all(np.isfinite(counts)) and np.all(counts == np.trunc(counts)))


def _same(first: Leaf, second: Leaf) -> bool:
    a, b = first.values(), second.values()
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
