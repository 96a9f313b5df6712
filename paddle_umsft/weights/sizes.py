"""The sizes of a published network, read off the shapes of its tensors, of which some may be missing or wrong."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from paddle_umsft.weights.fit import Shape
from paddle_umsft.weights.names import LEVELS, PUBLISHED_SRF_PREFIX, conv_step
from paddle_umsft.weights.shapes import Sizes

# The published network's sizes, for files that show none of their own.
_BANDS = 31
_MSI_BANDS = 3
_HEADS = 5
_WIDTH = 191
_SKIP = 20
# A wrong tensor must not make the table of what there must be endless.
_MOST_MSI_BANDS = 10_000


def umsft_sizes(found: Mapping[str, Shape]) -> Sizes:
    """Read the sizes off a checkpoint's shapes.

    Each size is seen in several tensors and the majority counts, so that one wrong tensor is reported as such instead
    of making all others look wrong.

    Args:
        found: Shapes by published key; some may be missing or wrong.
    """
    witnesses = [f"FeatureMerge{number}.2.bias" for number in range(1, 7)]
    bands = _majority(
        found,
        [*witnesses, "rm.refine.2.bias"],
        default=_BANDS,
    )
    supports = []
    for band in range(_msi_bands(found)):
        supports.append(_length(found, f"{PUBLISHED_SRF_PREFIX}srf_list.{band}"))
    # Heads share the bands evenly; those that are left over are nobody's.
    usual_attention = _HEADS * (bands // _HEADS)
    attention = []
    widths = []
    skips = []
    for suffix, level in LEVELS.items():
        layers = [f"attention{suffix}.{name}.weight" for name in ("w_qs", "w_ks", "w_vs")]
        attention.append(
            _majority(
                found,
                layers,
                default=usual_attention,
            )
        )
        top = f"super{suffix}."
        norms = [f"{top}{place}.bias" for place in ("1.1.2", "1.1.5", "4", "7")]
        widths.append(
            _majority(
                found,
                norms,
                default=_WIDTH,
            )
        )
        branch = [f"{top}1.0.1.{conv_step(level)}.bias", f"{top}1.0.2.bias", f"{top}1.0.2.weight"]
        skips.append(
            _majority(
                found,
                branch,
                default=_SKIP,
            )
        )
    return Sizes(
        bands=bands,
        supports=tuple(supports),
        attention=tuple(attention),
        widths=tuple(widths),
        skips=tuple(skips),
    )


def srf_supports(found: Mapping[str, Shape]) -> tuple[int, ...]:
    """Read the supports' lengths off the shapes of an SRF net."""
    highest = -1
    for key in found:
        # Four digits: a number without end must not become a table without end.
        entry = re.match(r"(?:srf_list|conv_lst)\.(\d{1,4})(?:\.|$)", key)
        if entry:
            highest = max(highest, int(entry[1]))
    return tuple(_length(found, f"srf_list.{band}") for band in range(highest + 1))


def _msi_bands(found: Mapping[str, Shape]) -> int:
    # Three witnesses; the number of srf_list entries is none, as a missing one must show as missing.
    votes = []
    for key in ("rm.refine.0.weight", "MSIFE.extractor.0.weight"):
        shape = found.get(key, ())
        if len(shape) > 1:
            votes.append(shape[1])
    shape = found.get("rm.refine.0.bias", ())
    if shape:
        votes.append(shape[0] // 2)
    return min(_most_common(votes, default=_MSI_BANDS), _MOST_MSI_BANDS)


def _length(found: Mapping[str, Shape], key: str) -> int:
    """Return the length of a row; of one that is missing or no row, any."""
    shape = found.get(key, ())
    if len(shape) != 1:
        return 1
    return shape[0]


def _majority(
    found: Mapping[str, Shape],
    keys: Sequence[str],
    *,
    default: int,
) -> int:
    """Return the first size that most of these tensors have."""
    votes = [found[key][0] for key in keys if found.get(key)]
    return _most_common(votes, default=default)


def _most_common(votes: Sequence[int], *, default: int) -> int:
    if not votes:
        return default
    ((winner, _),) = Counter(votes).most_common(1)
    return winner
