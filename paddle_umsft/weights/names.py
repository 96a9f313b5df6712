"""The two grammars of names: the published network's state_dict and this package's, each from the other.

`attention2.w_qs.weight` there is `levels.1.attention.query.weight` here. The learned SRF, a child of the network there
(`rm.srf.*`, P2), is a layer of its own here. In a file, as in `FusionModel`, the network's names begin with `network.`,
the SRF's with `spectral.` and the PSF's with `spatial.`.

References:
    HIFtool, Networks/FeafusFormer (MIT, commit 6a515e4): names only.
"""

from __future__ import annotations

import re
from typing import Optional

from paddle_umsft.weights.vgg_stacks import VGG16_BN

# Suffix of super, super2, super3 and attention, attention2, attention3 -> level.
LEVELS = {"": 0, "2": 1, "3": 2}
# The encoders end with VGG's third block: the taps lie in it and before it (P4).
LIVE_BLOCKS = 3
_LIVE_CONVOLUTIONS = tuple(layer.index for layer in VGG16_BN.convolutions(LIVE_BLOCKS))
# The first VGG layer that nobody listens to: the one behind the third block.
DEAD_FROM = VGG16_BN.convolutions()[len(_LIVE_CONVOLUTIONS)].index
NETWORK_PREFIX = "network."
SRF_PREFIX = "spectral."
PSF_PREFIX = "spatial."
# The learned SRF inside the published network.
PUBLISHED_SRF_PREFIX = "rm.srf."
# One tensor, registered twice.
PSF_KEYS = ("net.down.weight", "net.spadown.weight")

_SUFFIX = {level: suffix for suffix, level in LEVELS.items()}
_ATTENTION = {"w_qs": "query", "w_ks": "key", "w_vs": "value", "fc": "out"}
_REFINE = {"0": "widen", "2": "spread"}
_MERGE = {"0": "reduce", "2": "refine"}
_ENCODERS = {"HSIFE": "hsi_encoder", "MSIFE": "msi_encoder"}
# FeatureMerge1 to FeatureMerge6: of each level one for the HSI's features and one for the MSI's.
_MERGE_KINDS = ("merge_hsi", "merge_msi")
# Position inside one scale of an hourglass -> our name; "#" is where a convolution sits one step deeper.
_SCALE = {
    "1.0.1.#": "skip.conv",
    "1.0.2": "skip.norm",
    "1.1.1.#": "down.conv",
    "1.1.2": "down.norm",
    "1.1.4.#": "deep.conv",
    "1.1.5": "deep.norm",
    "2": "norm",
    "3.#": "merge.conv",
    "4": "merge.norm",
    "6.#": "mix.conv",
    "7": "mix.norm",
}
_NEXT_SCALE = "1.1.7."
_STATISTICS = {"running_mean": "_mean", "running_var": "_variance"}
_LEAVES = ("weight", "bias", "_mean", "_variance")

# Published names of tensors, with and without the SRF net's place in the network.
_SRF_START = re.compile(r"(?:rm\.srf\.)?srf_list\.(\d+)")
_SRF_CONVOLUTION = re.compile(r"(?:rm\.srf\.)?conv_lst\.(\d+)\.(weight|bias)")
_LINEAR = re.compile(r"attention[23]?\.(w_qs|w_ks|w_vs|fc)\.weight")
_ENCODER_TENSOR = re.compile(r"(?:HSIFE|MSIFE)\.extractor\.(\d+)\.")
# Published names of layers.
_ATTENTION_LAYER = re.compile(r"attention([23]?)\.(.+)")
_HOURGLASS_LAYER = re.compile(r"super([23]?)\.(.+)")
_MERGE_LAYER = re.compile(r"FeatureMerge([1-6])\.([02])")
_REFINE_LAYER = re.compile(r"rm\.refine\.([02])")
_ENCODER_LAYER = re.compile(r"(HSIFE|MSIFE)\.extractor\.(\d+)")
# Our names: tensors of the SRF, layers of one level, layers of the encoders.
_OUR_RESPONSE = re.compile(r"(?:spectral\.)?responses\.(\d+)\.(start|weight|bias)")
_OUR_LEVEL_LAYER = re.compile(r"levels\.([012])\.([^.]+)\.(.+)")
_OUR_ENCODER_LAYER = re.compile(r"(hsi_encoder|msi_encoder)\.(?:conv|norm)(\d+)")


def our_key(published: str) -> Optional[str]:
    """Translate a published name.

    Args:
        published: A name of the published network's state_dict, or of its SRF or PSF net alone.

    Returns:
        Our name, as in `FusionModel`; None where we have no such tensor: the count of batches of a BN, a VGG layer
        that nobody listens to, or a name that is not in the grammar.
    """
    if published in PSF_KEYS:
        return f"{PSF_PREFIX}kernel"
    found = _SRF_START.fullmatch(published)
    if found:
        return f"{SRF_PREFIX}responses.{found[1]}.start"
    found = _SRF_CONVOLUTION.fullmatch(published)
    if found:
        return f"{SRF_PREFIX}responses.{found[1]}.{found[2]}"
    stem, _, leaf = published.rpartition(".")
    leaf = _STATISTICS.get(leaf, leaf)
    module = _our_module(stem)
    if module is None or leaf not in _LEAVES:
        return None
    return f"{NETWORK_PREFIX}{module}.{leaf}"


def published_key(ours: str) -> str:
    """Translate one of our names.

    Args:
        ours: A name of `FusionModel` (`network.levels.0.attention.query.weight`, `spectral.responses.0.start`,
            `spatial.kernel`) or of one of its three layers alone (the same without its first part).

    Returns:
        The published name; of the PSF's two names the first.

    Raises:
        KeyError: It is none of ours.
    """
    if ours in ("kernel", f"{PSF_PREFIX}kernel"):
        return PSF_KEYS[0]
    found = _OUR_RESPONSE.fullmatch(ours)
    if found and found[2] == "start":
        return f"{PUBLISHED_SRF_PREFIX}srf_list.{found[1]}"
    if found:
        return f"{PUBLISHED_SRF_PREFIX}conv_lst.{found[1]}.{found[2]}"
    stem, _, leaf = without_prefix(ours, NETWORK_PREFIX).rpartition(".")
    module = _published_module(stem)
    if module is None:
        raise KeyError(ours)
    leaf = _inverse(_STATISTICS).get(leaf, leaf)
    return f"{module}.{leaf}"


def our_vgg_key(published: str) -> str:
    """Translate a name of VGG alone: only the statistics have other names here, as in `paddle.vision`."""
    for theirs, ours in _STATISTICS.items():
        published = published.replace(f".{theirs}", f".{ours}")
    return published


def published_vgg_key(ours: str) -> str:
    """Translate one of our names of VGG alone; a published one stays as it is."""
    for theirs, our_name in _STATISTICS.items():
        ours = ours.replace(f".{our_name}", f".{theirs}")
    return ours


def without_prefix(name: str, prefix: str) -> str:
    """Return a name without what stands before it, if it does."""
    if name.startswith(prefix):
        return name[len(prefix) :]
    return name


def our_shape(published: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that a published tensor has here.

    Args:
        published: Its published name.
        shape: Its published shape.
    """
    if is_linear(published):
        return shape[::-1]
    if is_response(published):
        return (1, 1, *shape)
    return shape


def is_response(published: str) -> bool:
    """Tell whether a tensor is the start of an SRF row, (n,) there and (1, 1, n) here."""
    return _SRF_START.fullmatch(published) is not None


def is_linear(published: str) -> bool:
    """Tell whether a tensor is a Linear layer's weight, (out, in) there and (in, out) here."""
    return _LINEAR.fullmatch(published) is not None


def is_dead(published: str) -> bool:
    """Tell whether a tensor belongs to a VGG layer that nobody listens to (P4)."""
    found = _ENCODER_TENSOR.match(published)
    if found is None:
        return False
    return int(found[1]) >= DEAD_FROM


def conv_step(level: int) -> str:
    """Return the index of a convolution behind its place in an hourglass: 1 behind a reflection pad, else 0."""
    if level == 0:
        return "0"
    return "1"


def scale_places(level: int) -> dict[str, str]:
    """Return position in one scale of an hourglass -> our name, for a level (0, 1, 2)."""
    step = conv_step(level)
    return {place.replace("#", step): name for place, name in _SCALE.items()}


def _our_module(stem: str) -> Optional[str]:
    """Return our name of a published layer, None where we have none."""
    found = _ATTENTION_LAYER.fullmatch(stem)
    if found:
        return _our_attention(LEVELS[found[1]], found[2])
    found = _HOURGLASS_LAYER.fullmatch(stem)
    if found:
        return _our_hourglass(LEVELS[found[1]], found[2])
    found = _MERGE_LAYER.fullmatch(stem)
    if found:
        number = int(found[1]) - 1
        level, kind = divmod(number, len(_MERGE_KINDS))
        return f"levels.{level}.{_MERGE_KINDS[kind]}.{_MERGE[found[2]]}"
    found = _REFINE_LAYER.fullmatch(stem)
    if found:
        return f"spatial_fusion.{_REFINE[found[1]]}"
    found = _ENCODER_LAYER.fullmatch(stem)
    if found:
        return _our_vgg_layer(_ENCODERS[found[1]], int(found[2]))
    return None


def _our_attention(level: int, place: str) -> Optional[str]:
    name = _ATTENTION.get(place)
    if name is None:
        return None
    return f"levels.{level}.attention.{name}"


def _our_hourglass(level: int, place: str) -> Optional[str]:
    prefix = f"levels.{level}.hourglass"
    if place == f"9.{conv_step(level)}":
        return f"{prefix}.head"
    prefix += ".outer"
    while place.startswith(_NEXT_SCALE):
        prefix += ".inner"
        place = place[len(_NEXT_SCALE) :]
    name = scale_places(level).get(place)
    if name is None:
        return None
    return f"{prefix}.{name}"


def _our_vgg_layer(encoder: str, index: int) -> Optional[str]:
    if index >= DEAD_FROM:
        return None
    if index in _LIVE_CONVOLUTIONS:
        return f"{encoder}.conv{index}"
    return f"{encoder}.norm{index}"


def _published_module(stem: str) -> Optional[str]:
    """Return the published name of one of our layers, None if it is none."""
    found = _OUR_LEVEL_LAYER.fullmatch(stem)
    if found:
        return _published_level(int(found[1]), found[2], found[3])
    found = _OUR_ENCODER_LAYER.fullmatch(stem)
    if found:
        encoder = _inverse(_ENCODERS)[found[1]]
        return f"{encoder}.extractor.{found[2]}"
    head, _, name = stem.partition(".")
    place = _inverse(_REFINE).get(name)
    if head != "spatial_fusion" or place is None:
        return None
    return f"rm.refine.{place}"


def _published_level(
    level: int,
    kind: str,
    name: str,
) -> Optional[str]:
    """Return the published name of a layer of one level: `kind` is its first part, `name` the rest."""
    if kind == "hourglass":
        return _published_hourglass(level, name)
    if kind == "attention":
        place = _inverse(_ATTENTION).get(name)
        prefix = f"attention{_SUFFIX[level]}"
    elif kind in _MERGE_KINDS:
        place = _inverse(_MERGE).get(name)
        number = 1 + level * len(_MERGE_KINDS) + _MERGE_KINDS.index(kind)
        prefix = f"FeatureMerge{number}"
    else:
        return None
    if place is None:
        return None
    return f"{prefix}.{place}"


def _published_hourglass(level: int, name: str) -> Optional[str]:
    prefix = f"super{_SUFFIX[level]}."
    if name == "head":
        return f"{prefix}9.{conv_step(level)}"
    head, _, name = name.partition(".")
    if head != "outer":
        return None
    while name.startswith("inner."):
        prefix += _NEXT_SCALE
        name = name[len("inner.") :]
    place = _inverse(scale_places(level)).get(name)
    if place is None:
        return None
    return prefix + place


def _inverse(table: dict[str, str]) -> dict[str, str]:
    return {ours: theirs for theirs, ours in table.items()}
