"""uHNTC's two grammars of names, as ``names`` has UMSFT's.

``skiph.3.1.0.2.weight`` there is ``network.skip_high.hourglass.outer.skip.norm.weight`` here. Its learned SRF and PSF
are networks of their own there too.

References:
    Caoxuheng/FeafusFormer, Model/UA.py (MIT, commit d5c5de2): names only.
"""

from __future__ import annotations

import re
from typing import Optional

from paddle_umsft.weights.places import our_hourglass, published_hourglass, vgg_kind

LAST_VGG_LAYER = 21
QUERY_KEYS = ("HSIconv.weight", "HSIconv.bias")  # drawn anew at every step there, in no published checkpoint (P12)

_STEP = "0"  # all of its hourglasses pad with zeros: no layer before a convolution
_SKIPS = {"skiph": "skip_high", "skipm": "skip_middle", "skipl": "skip_low"}
_SKIP_ENTRY = "0"
_SKIP_HOURGLASS = "3."
# Position in the published Sequential -> our name.
_UPSAMPLINGS = {
    "up_16": {
        "0": "upsample_high.doublings.0.depthwise",
        "2": "upsample_high.doublings.0.pointwise",
        "5": "upsample_high.doublings.1.depthwise",
        "7": "upsample_high.doublings.1.pointwise",
        "10": "upsample_high.filter.depthwise",
        "11": "upsample_high.filter.pointwise",
    },
    "up_4": {
        "0": "upsample_middle.doublings.0.depthwise",
        "2": "upsample_middle.doublings.0.pointwise",
        "5": "upsample_middle.filter.depthwise",
        "6": "upsample_middle.filter.pointwise",
    },
}
_BACK_SKIPS = {ours: theirs for theirs, ours in _SKIPS.items()}
_BACK_UPSAMPLINGS = {
    ours: f"{block}.{place}" for block, places in _UPSAMPLINGS.items() for place, ours in places.items()
}


def is_unused(published: str) -> bool:
    """Tells whether a tensor belongs to the second set of attentions, which is never called."""
    return re.match(r"FTB_[hml]2\.", published) is not None


def our_module(stem: str) -> Optional[str]:
    """Translates a published name without its last part; None if it is no layer of this network, or one unused."""
    if stem == "HSIconv":
        return "encoder.query"
    head, _, place = stem.partition(".")
    if head in _UPSAMPLINGS:
        return _UPSAMPLINGS[head].get(place)
    if head in _SKIPS:
        return _our_skip(_SKIPS[head], place)
    found = re.fullmatch(r"FE\.model\.(\d+)", stem)
    if found and int(found[1]) <= LAST_VGG_LAYER:
        return f"encoder.{vgg_kind(int(found[1]))}{found[1]}"
    return None


def _our_skip(block: str, place: str) -> Optional[str]:
    if place == _SKIP_ENTRY:
        return f"{block}.entry"
    if not place.startswith(_SKIP_HOURGLASS):
        return None
    name = our_hourglass(place[len(_SKIP_HOURGLASS) :], _STEP)
    return f"{block}.hourglass.{name}" if name else None


def published_module(stem: str) -> Optional[str]:
    """The inverse of ``our_module``; None if it is no layer of this network."""
    if stem == "encoder.query":
        return "HSIconv"
    if stem in _BACK_UPSAMPLINGS:
        return _BACK_UPSAMPLINGS[stem]
    found = re.fullmatch(r"encoder\.(?:conv|norm)(\d+)", stem)
    if found:
        return f"FE.model.{found[1]}"
    block, _, rest = stem.partition(".")
    if block not in _BACK_SKIPS:
        return None
    if rest == "entry":
        return f"{_BACK_SKIPS[block]}.{_SKIP_ENTRY}"
    if not rest.startswith("hourglass."):
        return None
    place = published_hourglass(rest[len("hourglass.") :], _STEP)
    return f"{_BACK_SKIPS[block]}.{_SKIP_HOURGLASS}{place}" if place else None
