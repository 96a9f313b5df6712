"""Brings what a file holds under its published names, and compares it with what that network must have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from paddle_umsft.weights import names, shapes
from paddle_umsft.weights.fit import Shape, misfits
from paddle_umsft.weights.formats.reader import ASIDE_PREFIX
from paddle_umsft.weights.formats.values import Leaf
from paddle_umsft.weights.mapping import to_published_layout
from paddle_umsft.weights.recognise import Part, Recognised
from paddle_umsft.weights.report import Report
from paddle_umsft.weights.sizes import srf_supports, umsft_sizes

# Types that weights may have; counts of batches are integers.
FLOATS = ("float16", "bfloat16", "float32", "float64")
_COUNT = ".num_batches_tracked"


@dataclass
class Network:
    """One network under its published names.

    Args:
        kind: `umsft`, `vgg`, `psf` or `srf`.
        tensors: By published name, in the published order once checked.
        source_names: Published name -> its name in the file.
        source_shapes: Published name -> its shape in the file.
        ours: Whether the file has this package's names and layout.
    """

    kind: str
    tensors: dict[str, Leaf] = field(default_factory=dict)
    source_names: dict[str, str] = field(default_factory=dict)
    source_shapes: dict[str, Shape] = field(default_factory=dict)
    ours: bool = False

    def put(
        self,
        name: str,
        leaf: Leaf,
        source_name: str,
        report: Report,
    ) -> None:
        """Add a tensor; one that is there already must be the same to the last bit."""
        known = self.tensors.setdefault(name, leaf)
        if known is not leaf and not _same(known, leaf):
            report.add("extra", source_name, "there twice, with different values")
        self.source_names.setdefault(name, source_name)

    def found_shapes(self) -> dict[str, Shape]:
        """Return published name -> shape, of the tensors that have their values."""
        found: dict[str, Shape] = {}
        for name, leaf in self.tensors.items():
            if leaf.array is not None:
                found[name] = leaf.array.shape
        return found

    def expected_name(self, published: str) -> str:
        """Return how a missing tensor would be called in the file."""
        if not self.ours or self.kind == "vgg":
            return published
        return names.our_key(published) or f"{ASIDE_PREFIX}{published}"

    def as_in_file(self, published: str, shape: Shape) -> Shape:
        """Return a published shape as the tensor should have it in the file."""
        if self.ours:
            return names.our_shape(published, shape)
        return shape


def checked_networks(found: Recognised, report: Report) -> dict[str, Network]:
    """Bring each network under its published names and check it; what is wrong goes into the report.

    Args:
        found: What the file holds. A separate SRF net beside UMSFT becomes its child, as published (P2).
        report: Gets everything missing, extra, of wrong shape or type, and dropped.

    Returns:
        Networks by kind.
    """
    for name in found.extra:
        report.add("extra", name)
    ours = found.grammar == "paddle"
    networks: dict[str, Network] = {}
    # UMSFT first, so that the SRF net finds it.
    for kind in ("umsft", "vgg", "psf", "srf"):
        part = found.parts.get(kind)
        if part is None:
            continue
        if kind == "srf" and "umsft" in networks:
            network = networks["umsft"]
        else:
            network = Network(kind=kind, ours=ours)
            networks[kind] = network
        for name, leaf in part.tensors.items():
            _put_under_published_name(network, part, name, leaf, report)
        if kind == "umsft":
            for name, leaf in found.aside.items():
                network.put(name, leaf, f"{ASIDE_PREFIX}{name}", report)
    for network in networks.values():
        _check(network, report)
    return networks


def wanted_shapes(kind: str, found: Mapping[str, Shape]) -> shapes.Shapes:
    """Return what a network must have, by the sizes that its own tensors show.

    Args:
        kind: `umsft`, `vgg`, `psf` or `srf`.
        found: Shapes by published name.
    """
    if kind == "umsft":
        return shapes.umsft_shapes(umsft_sizes(found))
    if kind == "vgg":
        return shapes.vgg_shapes()
    if kind == "srf":
        return shapes.srf_shapes(srf_supports(found))
    size = 1
    kernel = found.get(names.PSF_KEYS[0])
    if kernel:
        size = kernel[-1]
    return shapes.psf_shapes(size)


def _put_under_published_name(
    network: Network,
    part: Part,
    name: str,
    leaf: Leaf,
    report: Report,
) -> None:
    source_name = f"{part.prefix}{name}"
    if part.kind == "vgg":
        if name.startswith("classifier."):
            report.add("dropped", source_name, "the encoders use VGG's features alone")
            return
        network.put(names.published_vgg_key(name), leaf, source_name, report)
        return
    key = name
    if part.grammar == "paddle":
        try:
            key = names.published_key(name)
        except KeyError:
            report.add("extra", source_name)
            return
    if part.kind == "srf":
        # The SRF net alone has no prefix; inside UMSFT it has one.
        key = names.without_prefix(key, names.PUBLISHED_SRF_PREFIX)
        if network.kind == "umsft":
            key = f"{names.PUBLISHED_SRF_PREFIX}{key}"
    if part.grammar == "paddle" and leaf.array is not None:
        network.source_shapes[key] = leaf.array.shape
        leaf = Leaf(
            array=to_published_layout(key, leaf.array),
            dtype=leaf.dtype,
        )
    network.put(key, leaf, source_name, report)
    if part.kind == "psf" and part.grammar == "paddle":
        network.put(names.PSF_KEYS[1], leaf, source_name, report)


def _check(network: Network, report: Report) -> None:
    """Report what is wrong with a network, and put what it must have into the published order."""
    found = network.found_shapes()
    wanted = wanted_shapes(network.kind, found)
    # Compared as the file has them and should have them: a Linear layer of ours lies the other way round.
    wanted_there: dict[str, Shape] = {}
    for name, shape in wanted.items():
        wanted_there[name] = network.as_in_file(name, shape)
    found_there: dict[str, Shape] = {}
    for name, shape in found.items():
        found_there[name] = network.source_shapes.get(name, shape)
    misshapen = set()
    optional = _optional(network.kind, wanted, found)
    for problem in misfits(wanted_there, found_there, optional=optional):
        name = problem.name
        if problem.kind == "missing":
            report.add("missing", network.expected_name(name))
        elif problem.kind == "extra":
            report.add("extra", network.source_names[name])
        else:
            misshapen.add(name)
            report.add("wrong shape", network.source_names[name], f"{problem.found} instead of {problem.wanted}")
    for name in wanted:
        # One complaint a tensor.
        if name in misshapen or name not in network.tensors:
            continue
        dtype = network.tensors[name].dtype
        if not _right_type(name, dtype):
            report.add("wrong type", network.source_names[name], dtype)
    _check_kernels(network, report)
    in_order = {}
    for name in wanted:
        if name in network.tensors:
            in_order[name] = network.tensors[name]
    network.tensors = in_order


def _check_kernels(network: Network, report: Report) -> None:
    """Report two kernels that differ: they are one tensor under two names."""
    first, second = names.PSF_KEYS
    if first not in network.tensors or second not in network.tensors:
        return
    if not _same(network.tensors[first], network.tensors[second]):
        note = f"another kernel than {first}, though they are one tensor"
        report.add("extra", network.source_names[second], note)


def _optional(
    kind: str,
    wanted: shapes.Shapes,
    found: Mapping[str, Shape],
) -> set[str]:
    """Return what may be missing: counts of batches (PyTorch before 0.4.1 has none), and all dead layers or none."""
    counts = {name for name in wanted if name.endswith(_COUNT)}
    dead = {name for name in wanted if _is_dead(kind, name)}
    some_are_there = any(name in found for name in dead - counts)
    if some_are_there:
        return counts
    return counts | dead


def _is_dead(kind: str, name: str) -> bool:
    if kind != "vgg":
        return names.is_dead(name)
    # features.<index>.<leaf>
    index = name.split(".")[1]
    return int(index) >= names.DEAD_FROM


def _right_type(name: str, dtype: str) -> bool:
    if name.endswith(_COUNT):
        return "int" in dtype
    return dtype in FLOATS


def _same(first: Leaf, second: Leaf) -> bool:
    """Tell whether two tensors are equal to the last bit, NaN and the sign of zero included."""
    a = first.values()
    b = second.values()
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return a.tobytes() == b.tobytes()
