"""Finds out what a weight file holds, under whatever wrapping and prefixes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Optional

from paddle_umsft.errors import ConversionError
from paddle_umsft.weights import names
from paddle_umsft.weights.formats.reader import ASIDE_PREFIX, META_KEY
from paddle_umsft.weights.formats.values import Leaf, WeightFile

# kind, grammar, and what its names begin with, wherever that stands in a longer name.
_ANCHORS: tuple[tuple[str, str, str], ...] = (
    (
        "umsft",
        "torch",
        r"(?:attention[23]?\.(?:w_qs|w_ks|w_vs|fc)|super[23]?\.\d|FeatureMerge\d|[HM]SIFE\.extractor|rm\.(?:refine|srf))\.",
    ),
    ("umsft", "paddle", r"(?:levels\.\d+|hsi_encoder|msi_encoder|spatial_fusion)\."),
    ("uhntc", "torch", r"(?:up_16|up_4|skip[hml]|FTB_[hml]2|HSIconv|FE\.model)\."),
    (
        "uhntc",
        "paddle",
        r"(?:encoder\.(?:conv\d+|norm\d+|query)|upsample_(?:high|middle)|skip_(?:high|middle|low))\.",
    ),
    ("vgg", "", r"(?:features\.\d+|classifier\.\d+)\."),
    ("psf", "torch", r"net\.(?:down|spadown)\."),
    ("psf", "paddle", r"kernel$"),
    ("srf", "torch", r"(?:srf_list\.\d+$|conv_lst\.\d+\.)"),
    ("srf", "paddle", r"responses\.\d+\."),
)
_PATTERNS = [(kind, grammar, re.compile(rf"(?:^|(?<=\.)){anchor}")) for kind, grammar, anchor in _ANCHORS]
_USUAL_PREFIXES = ("", names.NETWORK_PREFIX, names.SRF_PREFIX, names.PSF_PREFIX)
_LONGEST_NAME = 300
_PADDLE_TABLES = ("StructuredToParameterName@@", "UnpackBigParamInfor@@")
_KINDS = {
    "umsft": "UMSFT network",
    "uhntc": "uHNTC (FeafusFormer) network",
    "vgg": "VGG16-BN",
    "psf": "PSF net",
    "srf": "SRF net",
}


@dataclass
class Part:
    """One network found in a file.

    Args:
        kind: ``umsft``, ``uhntc``, ``vgg``, ``psf`` or ``srf``.
        grammar: ``torch`` or ``paddle``: whose names it uses; empty where both are the same.
        prefix: What stands before every name.
        tensors: By name without the prefix.
    """

    kind: str
    grammar: str
    prefix: str
    tensors: dict[str, Leaf] = field(default_factory=dict)


@dataclass
class Recognised:
    """What a file holds.

    Args:
        parts: Its networks, by kind.
        aside: Tensors that our files keep for the published network alone.
        extra: Names beside a network's that belong to no network known.
        dropped: (name, why) of what is no weight.
        grammar: ``torch`` or ``paddle``.
    """

    parts: dict[str, Part]
    aside: dict[str, Leaf]
    extra: list[str]
    dropped: list[tuple[str, str]]
    grammar: str

    def describe(self) -> str:
        """Returns what it is, in a few words."""
        parts = []
        for part in self.parts.values():
            where = f" (under {part.prefix!r})" if part.prefix not in _USUAL_PREFIXES else ""
            parts.append(f"{_KINDS[part.kind]}{where}")
        form = {"torch": "published names", "paddle": "this package's names"}[self.grammar]
        return f"{' + '.join(parts)}, {form}"


def recognise(file: WeightFile, key: Optional[str] = None) -> Recognised:
    """Finds the networks in a weight file.

    Args:
        file: The file.
        key: Which entry to take where a checkpoint holds one network several times, for instance ``model``.

    Returns:
        What was found.

    Raises:
        ConversionError: Nothing known is in it, nothing under that key, or one network several times.
    """
    if isinstance(file.tree, Leaf):
        raise ConversionError("a single tensor, not a set of weights", where=file.path)
    found: dict[tuple[str, str, str], Part] = {}
    aside: dict[str, Leaf] = {}
    others: list[str] = []
    dropped: list[tuple[str, str]] = []
    listed = list(_flatten(file, file.tree))
    if key is not None and not any(name.startswith(f"{key}.") for name, _ in listed):
        entries = list(dict.fromkeys(name.partition(".")[0][:60] for name, _ in listed))
        got = ", ".join(entries[:8]) + (" ..." if len(entries) > 8 else "")
        raise ConversionError(f"no entry {key!r}", where=file.path, got=got or "nothing", hint="give another --key")
    for name, value in listed:
        if name.startswith(ASIDE_PREFIX):
            if name != META_KEY and isinstance(value, Leaf):
                aside[name[len(ASIDE_PREFIX) :]] = value
        elif key is not None and not name.startswith(f"{key}."):
            dropped.append((name, f"outside {key!r}"))
        elif not isinstance(value, Leaf) or _is_training_state(name):
            dropped.append((name, "training state" if isinstance(value, Leaf) else "no tensor"))
        else:
            _place(file, name, value, found, others)
    parts = _one_of_each(file, found)
    grammars = {part.grammar for part in parts.values() if part.grammar} or {_vgg_grammar(parts)}
    if len(grammars) > 1:
        raise ConversionError("names of both grammars in one file", where=file.path)
    prefixes = tuple(part.prefix for part in parts.values())
    extra = [name for name in others if name.startswith(prefixes)]
    dropped += [(name, "belongs to no network known") for name in others if not name.startswith(prefixes)]
    return Recognised(parts, aside, extra, dropped, grammars.pop())


def _place(file: WeightFile, name: str, leaf: Leaf, found: dict[tuple[str, str, str], Part], others: list[str]) -> None:
    """Puts a tensor with the network that its name speaks for; of several anchors the first in the name counts."""
    best: Optional[tuple[int, str, str]] = None
    for kind, grammar, pattern in _PATTERNS:
        match = pattern.search(name)
        if match and (best is None or match.start() < best[0]):
            best = (match.start(), kind, grammar)
    if best is None:
        others.append(name)
        return
    start, kind, grammar = best
    part = found.setdefault((kind, grammar, name[:start]), Part(kind, grammar, name[:start]))
    if part.tensors.setdefault(name[start:], leaf) is not leaf:
        raise ConversionError(f"{name!r} is in it twice", where=file.path)


def _is_training_state(name: str) -> bool:
    """Tells whether a name lies under an optimiser, a schedule, a scaler or a generator of random numbers."""
    for part in name.lower().split("."):
        if part.startswith("optim") or part.endswith("scheduler") or "rng" in part.split("_") or part == "scaler":
            return True
    return False


def _one_of_each(file: WeightFile, found: dict[tuple[str, str, str], Part]) -> dict[str, Part]:
    if not found:
        raise ConversionError(
            "no network known is in it", where=file.path, expected="UMSFT, uHNTC, VGG16-BN, or the PSF or SRF net"
        )
    parts: dict[str, Part] = {}
    for part in found.values():
        if part.kind in parts:
            raise ConversionError(
                f"the {_KINDS[part.kind]} is in it more than once",
                where=file.path,
                got=f"under {parts[part.kind].prefix!r} and {part.prefix!r}",
                hint="say which with --key",
            )
        parts[part.kind] = part
    if "vgg" in parts and len(parts) > 1:
        raise ConversionError("VGG16-BN and another network in one file", where=file.path, hint="say which with --key")
    return parts


def _vgg_grammar(parts: dict[str, Part]) -> str:
    tensors = parts["vgg"].tensors
    return "paddle" if any(name.endswith(("._mean", "._variance")) for name in tensors) else "torch"


def _flatten(file: WeightFile, tree: Any) -> Iterator[tuple[str, Any]]:
    """Yields (dotted name, leaf or other value); lists are passed over, so a shared one cannot multiply."""
    if not isinstance(tree, dict):
        raise ConversionError("not a set of named weights", where=file.path, got=f"a {type(tree).__name__}")
    pending: list[tuple[str, Any, int]] = [("", tree, 0)]
    budget = 200_000
    while pending:
        prefix, level, depth = pending.pop()
        for name, value in level.items():
            budget -= 1
            if budget < 0 or depth > 8:
                raise ConversionError("nested too deeply or too large to be a set of weights", where=file.path)
            full = f"{prefix}{name}"
            if len(full) > _LONGEST_NAME or not full.isprintable():
                raise ConversionError("a name of more than 300 characters, or of unprintable ones", where=file.path)
            if isinstance(value, Leaf) and value.array is None:
                raise ConversionError(f"damaged: {full!r} never gets its values", where=file.path)
            if name in _PADDLE_TABLES:
                if name == "UnpackBigParamInfor@@":
                    raise ConversionError("a tensor of more than 1 GiB, cut into slices", where=file.path)
            elif isinstance(value, dict):
                pending.append((f"{full}.", value, depth + 1))
            elif isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], Leaf):
                yield full, value[1]  # how Paddle saves a tensor outside a plain state dict: (its own name, values)
            else:
                yield full, value
