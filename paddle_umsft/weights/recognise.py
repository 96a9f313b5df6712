"""Finds out what a weight file holds, under whatever wrapping and prefixes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from paddle_umsft.errors import ConversionError
from paddle_umsft.weights import names
from paddle_umsft.weights.flatten import flatten
from paddle_umsft.weights.formats.reader import ASIDE_PREFIX, META_KEY
from paddle_umsft.weights.formats.values import Leaf, WeightFile

# kind, grammar, and what its names begin with, wherever that stands in a longer name.
_ANCHORS: tuple[tuple[str, str, str], ...] = (
    ("umsft", "torch", r"attention[23]?\.(?:w_qs|w_ks|w_vs|fc)\."),
    ("umsft", "torch", r"super[23]?\.\d\."),
    ("umsft", "torch", r"FeatureMerge\d\."),
    ("umsft", "torch", r"[HM]SIFE\.extractor\."),
    ("umsft", "torch", r"rm\.(?:refine|srf)\."),
    ("umsft", "paddle", r"(?:levels\.\d+|hsi_encoder|msi_encoder|spatial_fusion)\."),
    ("vgg", "", r"(?:features\.\d+|classifier\.\d+)\."),
    ("psf", "torch", r"net\.(?:down|spadown)\."),
    ("psf", "paddle", r"kernel$"),
    ("srf", "torch", r"(?:srf_list\.\d+$|conv_lst\.\d+\.)"),
    ("srf", "paddle", r"responses\.\d+\."),
)
# An anchor begins a name, or one of its parts.
_PATTERNS = [(kind, grammar, re.compile(rf"(?:^|(?<=\.)){anchor}")) for kind, grammar, anchor in _ANCHORS]
# Layers of FeafusFormer, UMSFT's first form.
_FOREIGN = re.compile(r"(?:^|\.)(?:HSIconv\.|FTB_[hml]2?\.|skip[hml]\.)")
_USUAL_PREFIXES = ("", names.NETWORK_PREFIX, names.SRF_PREFIX, names.PSF_PREFIX)
_KINDS = {
    "umsft": "UMSFT network",
    "vgg": "VGG16-BN",
    "psf": "PSF net",
    "srf": "SRF net",
}
_GRAMMARS = {
    "torch": "published names",
    "paddle": "this package's names",
}
# How much of what the file says may go into a message.
_SHOWN_NAME = 60
_SHOWN_ENTRIES = 8


@dataclass
class Part:
    """One network found in a file.

    Args:
        kind: `umsft`, `vgg`, `psf` or `srf`.
        grammar: `torch` or `paddle`: whose names it uses; empty where both are the same.
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
        grammar: `torch` or `paddle`.
    """

    parts: dict[str, Part]
    aside: dict[str, Leaf]
    extra: list[str]
    dropped: list[tuple[str, str]]
    grammar: str

    def summary(self) -> str:
        """Return what it is, in a few words."""
        parts = []
        for part in self.parts.values():
            where = ""
            if part.prefix not in _USUAL_PREFIXES:
                where = f" (under {part.prefix!r})"
            parts.append(f"{_KINDS[part.kind]}{where}")
        networks = " + ".join(parts)
        return f"{networks}, {_GRAMMARS[self.grammar]}"


def recognise(file: WeightFile, key: Optional[str] = None) -> Recognised:
    """Find the networks in a weight file.

    Args:
        file: The file.
        key: Which entry to take where a checkpoint holds one network several times, for instance `model`.

    Returns:
        What was found.

    Raises:
        ConversionError: Nothing known is in it, nothing under that key, or one network several times.
    """
    if isinstance(file.tree, Leaf):
        raise ConversionError("a single tensor, not a set of weights", where=file.path)
    entries = list(flatten(file.tree, file.path))
    if key is not None:
        _check_key(key, [name for name, _ in entries], file.path)
    search = _Search(file.path)
    for name, value in entries:
        if name.startswith(ASIDE_PREFIX):
            search.put_aside(name, value)
        elif key is not None and not name.startswith(f"{key}."):
            search.dropped.append((name, f"outside {key!r}"))
        elif not isinstance(value, Leaf):
            search.dropped.append((name, "no tensor"))
        elif _is_training_state(name):
            search.dropped.append((name, "training state"))
        else:
            search.place(name, value)
    return search.result()


class _Search:
    """What is found of a file while its entries are gone through.

    Args:
        where: The file, for messages.
    """

    def __init__(self, where: Path) -> None:
        self.where = where
        self.dropped: list[tuple[str, str]] = []
        self._aside: dict[str, Leaf] = {}
        self._others: list[str] = []
        # By kind, grammar and prefix: one network may be there under several prefixes.
        self._found: dict[tuple[str, str, str], Part] = {}

    def put_aside(self, name: str, value: Any) -> None:
        """Keep a tensor that only the published network has; what our files say about themselves is none."""
        if name != META_KEY and isinstance(value, Leaf):
            self._aside[names.without_prefix(name, ASIDE_PREFIX)] = value

    def place(self, name: str, leaf: Leaf) -> None:
        """Put a tensor with the network that its name speaks for.

        Raises:
            ConversionError: It belongs to FeafusFormer, or there is another one of its name.
        """
        if _FOREIGN.search(name):
            raise ConversionError(
                f"a checkpoint of FeafusFormer (uHNTC), the method's first form ({name[:_SHOWN_NAME]!r})",
                where=self.where,
                hint="this package has the network of its successor, UMSFT, only",
            )
        anchor = _first_anchor(name)
        if anchor is None:
            self._others.append(name)
            return
        kind, grammar, start = anchor
        prefix = name[:start]
        part = self._found.setdefault(
            (kind, grammar, prefix),
            Part(
                kind=kind,
                grammar=grammar,
                prefix=prefix,
            ),
        )
        # Nested dicts and a name with dots in it can say the same.
        if part.tensors.setdefault(name[start:], leaf) is not leaf:
            raise ConversionError(f"{name!r} is in it twice", where=self.where)

    def result(self) -> Recognised:
        """Return what was found.

        Raises:
            ConversionError: That is nothing, or one network several times, or names of both grammars.
        """
        parts = self._one_of_each()
        grammars = {part.grammar for part in parts.values() if part.grammar}
        if not grammars:
            grammars = {_vgg_grammar(parts["vgg"])}
        if len(grammars) > 1:
            raise ConversionError("names of both grammars in one file", where=self.where)
        prefixes = tuple(part.prefix for part in parts.values())
        extra = []
        for name in self._others:
            if name.startswith(prefixes):
                extra.append(name)
            else:
                self.dropped.append((name, "belongs to no network known"))
        return Recognised(
            parts=parts,
            aside=self._aside,
            extra=extra,
            dropped=self.dropped,
            grammar=grammars.pop(),
        )

    def _one_of_each(self) -> dict[str, Part]:
        if not self._found:
            expected = "UMSFT, VGG16-BN, or the PSF or SRF net"
            raise ConversionError(
                "no network known is in it",
                where=self.where,
                expected=expected,
            )
        parts: dict[str, Part] = {}
        for part in self._found.values():
            other = parts.setdefault(part.kind, part)
            if other is not part:
                raise ConversionError(
                    f"the {_KINDS[part.kind]} is in it more than once",
                    where=self.where,
                    got=f"under {other.prefix!r} and {part.prefix!r}",
                    hint="say which with --key",
                )
        if "vgg" in parts and len(parts) > 1:
            what = "VGG16-BN and another network in one file"
            raise ConversionError(
                what,
                where=self.where,
                hint="say which with --key",
            )
        return parts


def _first_anchor(name: str) -> Optional[tuple[str, str, int]]:
    """Return kind, grammar and place of the anchor that stands first in a name, None if there is none."""
    best: Optional[tuple[str, str, int]] = None
    for kind, grammar, pattern in _PATTERNS:
        match = pattern.search(name)
        if match is None:
            continue
        if best is None or match.start() < best[2]:
            best = (kind, grammar, match.start())
    return best


def _check_key(
    key: str,
    entries: Sequence[str],
    where: Path,
) -> None:
    """Raise ConversionError if nothing stands under a key, and say what there is instead."""
    first_parts = []
    for name in entries:
        if name.startswith(f"{key}."):
            return
        first_parts.append(name.partition(".")[0][:_SHOWN_NAME])
    different = list(dict.fromkeys(first_parts))
    got = ", ".join(different[:_SHOWN_ENTRIES])
    if len(different) > _SHOWN_ENTRIES:
        got += " ..."
    raise ConversionError(
        f"no entry {key!r}",
        where=where,
        got=got or "nothing",
        hint="give another --key",
    )


def _is_training_state(name: str) -> bool:
    """Tell whether a name lies under an optimiser, a schedule, a scaler or a generator of random numbers."""
    for part in name.lower().split("."):
        if part.startswith("optim") or part.endswith("scheduler"):
            return True
        if part == "scaler" or "rng" in part.split("_"):
            return True
    return False


def _vgg_grammar(part: Part) -> str:
    """Tell the grammars of VGG apart: the statistics alone have two names."""
    if any(name.endswith(("._mean", "._variance")) for name in part.tensors):
        return "paddle"
    return "torch"
