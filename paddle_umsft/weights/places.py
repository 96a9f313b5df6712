"""Names by position in what both published networks hold: the hourglass, and torchvision's VGG16-BN."""

from __future__ import annotations

from typing import Optional

from paddle_umsft.weights.vgg_stacks import VGG16_BN

# The encoders end with VGG's third block: the taps lie in it and before it (P4).
LIVE_BLOCKS = 3
_LIVE_CONVOLUTIONS = tuple(layer.index for layer in VGG16_BN.convolutions(LIVE_BLOCKS))
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


def our_hourglass(place: str, step: str) -> Optional[str]:
    """Translate a position in a published hourglass to our name inside an `Hourglass`.

    Args:
        place: The position, without the tensor's last part, for instance `1.1.7.2`.
        step: Index of a convolution behind its place: `1` behind a reflection pad, else `0`.

    Returns:
        For instance `outer.inner.norm`; None if no tensor is there.
    """
    if place == f"9.{step}":
        return "head"
    prefix = "outer"
    while place.startswith(_NEXT_SCALE):
        prefix += ".inner"
        place = place[len(_NEXT_SCALE) :]
    name = _scale_places(step).get(place)
    if name is None:
        return None
    return f"{prefix}.{name}"


def published_hourglass(name: str, step: str) -> Optional[str]:
    """Translate one of our names inside an `Hourglass`; the inverse of `our_hourglass`.

    Args:
        name: For instance `outer.inner.norm`.
        step: Index of a convolution behind its place.

    Returns:
        The position in the published hourglass; None if it is none of our names.
    """
    if name == "head":
        return f"9.{step}"
    head, _, name = name.partition(".")
    if head != "outer":
        return None
    prefix = ""
    while name.startswith("inner."):
        prefix += _NEXT_SCALE
        name = name[len("inner.") :]
    place = inverse(_scale_places(step)).get(name)
    if place is None:
        return None
    return f"{prefix}{place}"


def our_vgg_layer(index: int) -> Optional[str]:
    """Return our name of a layer of VGG16-BN, `conv0` or `norm1`; None if nobody listens to it or it holds nothing.

    Args:
        index: Its number among torchvision's `features`.
    """
    if index in _LIVE_CONVOLUTIONS:
        return f"conv{index}"
    if index - 1 in _LIVE_CONVOLUTIONS:
        return f"norm{index}"
    return None


def inverse(table: dict[str, str]) -> dict[str, str]:
    """Return a table of names the other way round."""
    return {ours: theirs for theirs, ours in table.items()}


def _scale_places(step: str) -> dict[str, str]:
    """Return position in one scale of an hourglass -> our name."""
    return {place.replace("#", step): name for place, name in _SCALE.items()}
