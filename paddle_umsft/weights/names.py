"""The two grammars of names: the published networks' state_dicts and this package's, each from the other.

UMSFT's stand here, uHNTC's in ``names_uhntc``; no name of one network is one of the other.

``attention2.w_qs.weight`` there is ``levels.1.attention.query.weight`` here. The learned SRF, a child of the network
there (``rm.srf.*``, P2), is a layer of its own here. In a file, as in ``FusionModel``, the network's names begin with
``network.``, the SRF's with ``spectral.`` and the PSF's with ``spatial.``.

References:
    HIFtool, Networks/FeafusFormer (MIT, commit 6a515e4): names only.
"""

from __future__ import annotations

import re
from typing import Optional

from paddle_umsft.weights import names_uhntc
from paddle_umsft.weights.places import our_hourglass, published_hourglass, vgg_kind

LEVELS = {"": 0, "2": 1, "3": 2}  # suffix of super, super2, super3 and attention, attention2, attention3 -> level
DEAD_FROM = 24  # the first VGG layer that nobody listens to (P4)
NETWORK_PREFIX = "network."
SRF_PREFIX = "spectral."
PSF_PREFIX = "spatial."
PSF_KEYS = ("net.down.weight", "net.spadown.weight")  # one tensor, registered twice

_SUFFIX = {level: suffix for suffix, level in LEVELS.items()}
_ATTENTION = {"w_qs": "query", "w_ks": "key", "w_vs": "value", "fc": "out"}
_REFINE = {"0": "widen", "2": "spread"}
_MERGE = {"0": "reduce", "2": "refine"}
_ENCODERS = {"HSIFE": "hsi_encoder", "MSIFE": "msi_encoder"}
_STATISTICS = {"running_mean": "_mean", "running_var": "_variance"}
_BACK_STATISTICS = {ours: theirs for theirs, ours in _STATISTICS.items()}


def our_key(published: str) -> Optional[str]:
    """Translates a published name.

    Args:
        published: A name of the published network's state_dict, or of its SRF or PSF net alone.

    Returns:
        Our name, as in ``FusionModel``; None where we have no such tensor: the count of batches of a BN, a VGG layer
        that nobody listens to, an attention that is never called, or a name that is not in the grammar.
    """
    stem, _, leaf = published.rpartition(".")
    if published in PSF_KEYS:
        return f"{PSF_PREFIX}kernel"
    if leaf == "num_batches_tracked":
        return None
    found = re.fullmatch(r"(?:rm\.srf\.)?(?:srf_list\.(\d+)|conv_lst\.(\d+)\.(weight|bias))", published)
    if found:
        return f"{SRF_PREFIX}responses.{found[1] or found[2]}.{found[3] or 'start'}"
    leaf = _STATISTICS.get(leaf, leaf)
    module = _our_module(stem)
    return f"{NETWORK_PREFIX}{module}.{leaf}" if module and leaf in ("weight", "bias", "_mean", "_variance") else None


def published_key(ours: str) -> str:
    """Translates one of our names.

    Args:
        ours: A name of ``FusionModel`` (``network.levels.0.attention.query.weight``, ``spectral.responses.0.start``,
            ``spatial.kernel``) or of one of its three layers alone (the same without its first part).

    Returns:
        The published name; of the PSF's two names the first.

    Raises:
        KeyError: It is none of ours.
    """
    if ours in ("kernel", f"{PSF_PREFIX}kernel"):
        return PSF_KEYS[0]
    found = re.fullmatch(r"(?:spectral\.)?responses\.(\d+)\.(start|weight|bias)", ours)
    if found:
        return f"rm.srf.srf_list.{found[1]}" if found[2] == "start" else f"rm.srf.conv_lst.{found[1]}.{found[2]}"
    bare = ours[len(NETWORK_PREFIX) :] if ours.startswith(NETWORK_PREFIX) else ours
    stem, _, leaf = bare.rpartition(".")
    module = _published_module(stem)
    if module is None:
        raise KeyError(ours)
    return f"{module}.{_BACK_STATISTICS.get(leaf, leaf)}"


def our_shape(published: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the shape that a published tensor has here.

    Args:
        published: Its published name.
        shape: Its published shape.
    """
    if is_linear(published):
        return shape[::-1]
    return (1, 1, *shape) if is_response(published) else shape


def is_response(published: str) -> bool:
    """Tells whether a tensor is the start of an SRF row, (n,) there and (1, 1, n) here."""
    return re.fullmatch(r"(?:rm\.srf\.)?srf_list\.\d+", published) is not None


def is_linear(published: str) -> bool:
    """Tells whether a tensor is a Linear layer's weight, (out, in) there and (in, out) here."""
    return re.fullmatch(r"attention[23]?\.(w_qs|w_ks|w_vs|fc)\.weight", published) is not None


def is_dead(published: str) -> bool:
    """Tells whether a tensor belongs to a VGG layer that nobody listens to (P4)."""
    found = re.match(r"(?:HSIFE|MSIFE)\.extractor\.(\d+)\.", published)
    return found is not None and int(found[1]) >= DEAD_FROM


def conv_step(level: int) -> str:
    """Index of a convolution behind its place in an hourglass: 1 behind a reflection pad, else 0."""
    return "0" if level == 0 else "1"


def _our_module(stem: str) -> Optional[str]:
    head, _, rest = stem.partition(".")
    found = re.fullmatch(r"(attention|super)([23]?)", head)
    if found and found[1] == "attention":
        return f"levels.{LEVELS[found[2]]}.attention.{_ATTENTION[rest]}" if rest in _ATTENTION else None
    if found:
        level = LEVELS[found[2]]
        name = our_hourglass(rest, conv_step(level))
        return f"levels.{level}.hourglass.{name}" if name else None
    found = re.fullmatch(r"FeatureMerge([1-6])\.([02])", stem)
    if found:
        number = int(found[1]) - 1
        return f"levels.{number // 2}.merge_{'msi' if number % 2 else 'hsi'}.{_MERGE[found[2]]}"
    found = re.fullmatch(r"rm\.refine\.([02])", stem)
    if found:
        return f"spatial_fusion.{_REFINE[found[1]]}"
    found = re.fullmatch(r"(HSIFE|MSIFE)\.extractor\.(\d+)", stem)
    if found and int(found[2]) < DEAD_FROM:
        return f"{_ENCODERS[found[1]]}.{vgg_kind(int(found[2]))}{found[2]}"
    return names_uhntc.our_module(stem)


def _published_module(stem: str) -> Optional[str]:
    found = re.fullmatch(r"levels\.([012])\.(.+)", stem)
    if found:
        return _published_level(int(found[1]), found[2])
    found = re.fullmatch(r"(hsi|msi)_encoder\.(?:conv|norm)(\d+)", stem)
    if found:
        return f"{found[1].upper()}FE.extractor.{found[2]}"
    places = {f"spatial_fusion.{name}": f"rm.refine.{place}" for place, name in _REFINE.items()}
    return places.get(stem) or names_uhntc.published_module(stem)


def _published_level(level: int, rest: str) -> Optional[str]:
    kind, _, name = rest.partition(".")
    if kind == "attention":
        places = {ours: f"attention{_SUFFIX[level]}.{theirs}" for theirs, ours in _ATTENTION.items()}
        return places.get(name)
    if kind in ("merge_hsi", "merge_msi"):
        number = 2 * level + (1 if kind == "merge_hsi" else 2)
        return {ours: f"FeatureMerge{number}.{place}" for place, ours in _MERGE.items()}.get(name)
    if kind != "hourglass":
        return None
    place = published_hourglass(name, conv_step(level))
    return f"super{_SUFFIX[level]}.{place}" if place else None
