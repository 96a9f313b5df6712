"""uHNTC's two grammars of names, as `names` has UMSFT's.

`skiph.3.1.0.2.weight` there is `network.skip_high.hourglass.outer.skip.norm.weight` here. Its learned SRF and PSF are
networks of their own there too.

References:
    Caoxuheng/FeafusFormer, Model/UA.py (MIT, commit d5c5de2): names only.
"""

from __future__ import annotations

import re
from typing import Optional

from paddle_umsft.weights.places import inverse, our_hourglass, our_vgg_layer, published_hourglass

# Drawn anew at every step there, and so in no published checkpoint (P12).
QUERY_KEYS = ("HSIconv.weight", "HSIconv.bias")

# All of its hourglasses pad with zeros, so that no layer stands before a convolution.
_STEP = "0"
_SKIPS = {
    "skiph": "skip_high",
    "skipm": "skip_middle",
    "skipl": "skip_low",
}
# Positions in a skip block.
_SKIP_ENTRY = "0"
_SKIP_HOURGLASS = "3."
# Published position of a layer of the upsamplings -> our name.
_UPSAMPLINGS = {
    "up_16.0": "upsample_high.doublings.0.depthwise",
    "up_16.2": "upsample_high.doublings.0.pointwise",
    "up_16.5": "upsample_high.doublings.1.depthwise",
    "up_16.7": "upsample_high.doublings.1.pointwise",
    "up_16.10": "upsample_high.filter.depthwise",
    "up_16.11": "upsample_high.filter.pointwise",
    "up_4.0": "upsample_middle.doublings.0.depthwise",
    "up_4.2": "upsample_middle.doublings.0.pointwise",
    "up_4.5": "upsample_middle.filter.depthwise",
    "up_4.6": "upsample_middle.filter.pointwise",
}
_QUERY_LAYER = "HSIconv"
_OUR_QUERY_LAYER = "encoder.query"

_UNUSED_TENSOR = re.compile(r"FTB_[hml]2\.")
_ENCODER_LAYER = re.compile(r"FE\.model\.(\d+)")
_OUR_ENCODER_LAYER = re.compile(r"encoder\.(?:conv|norm)(\d+)")
_OUR_HOURGLASS = "hourglass."


def is_unused(published: str) -> bool:
    """Tell whether a tensor belongs to the second set of attentions, which is never called."""
    return _UNUSED_TENSOR.match(published) is not None


def our_module(stem: str) -> Optional[str]:
    """Translate a published layer's name.

    Args:
        stem: A tensor's name without its last part.

    Returns:
        Our name of the layer; None if it is no layer of this network, or one that is never called.
    """
    if stem == _QUERY_LAYER:
        return _OUR_QUERY_LAYER
    if stem in _UPSAMPLINGS:
        return _UPSAMPLINGS[stem]
    found = _ENCODER_LAYER.fullmatch(stem)
    if found:
        return _our_encoder_layer(int(found[1]))
    head, _, place = stem.partition(".")
    if head in _SKIPS:
        return _our_skip(_SKIPS[head], place)
    return None


def published_module(stem: str) -> Optional[str]:
    """Translate one of our layers' names; the inverse of `our_module`.

    Args:
        stem: A tensor's name without `network.` and without its last part.

    Returns:
        The published name of the layer; None if it is no layer of this network.
    """
    if stem == _OUR_QUERY_LAYER:
        return _QUERY_LAYER
    upsampling = inverse(_UPSAMPLINGS).get(stem)
    if upsampling is not None:
        return upsampling
    found = _OUR_ENCODER_LAYER.fullmatch(stem)
    if found:
        return f"FE.model.{found[1]}"
    head, _, name = stem.partition(".")
    block = inverse(_SKIPS).get(head)
    if block is None:
        return None
    return _published_skip(block, name)


def _our_encoder_layer(index: int) -> Optional[str]:
    layer = our_vgg_layer(index)
    if layer is None:
        return None
    return f"encoder.{layer}"


def _our_skip(block: str, place: str) -> Optional[str]:
    if place == _SKIP_ENTRY:
        return f"{block}.entry"
    if not place.startswith(_SKIP_HOURGLASS):
        return None
    name = our_hourglass(place[len(_SKIP_HOURGLASS) :], _STEP)
    if name is None:
        return None
    return f"{block}.{_OUR_HOURGLASS}{name}"


def _published_skip(block: str, name: str) -> Optional[str]:
    if name == "entry":
        return f"{block}.{_SKIP_ENTRY}"
    if not name.startswith(_OUR_HOURGLASS):
        return None
    place = published_hourglass(name[len(_OUR_HOURGLASS) :], _STEP)
    if place is None:
        return None
    return f"{block}.{_SKIP_HOURGLASS}{place}"
