"""Names by position in what both published networks hold: the hourglass, and torchvision's VGG16-BN."""

from __future__ import annotations

from typing import Optional

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
    """Translates a position in a published hourglass, for instance ``1.1.7.2``, to our name inside an `Hourglass`.

    Args:
        place: The position, without the tensor's last part.
        step: Index of a convolution behind its place (`conv_step`).

    Returns:
        For instance ``outer.inner.norm``; None if no tensor is there.
    """
    if place == f"9.{step}":
        return "head"
    prefix = "outer"
    while place.startswith(_NEXT_SCALE):
        prefix, place = f"{prefix}.inner", place[len(_NEXT_SCALE) :]
    name = _scale_places(step).get(place)
    return f"{prefix}.{name}" if name else None


def published_hourglass(name: str, step: str) -> Optional[str]:
    """The inverse of ``our_hourglass``."""
    if name == "head":
        return f"9.{step}"
    if not name.startswith("outer."):
        return None
    prefix, name = "", name[len("outer.") :]
    while name.startswith("inner."):
        prefix, name = prefix + _NEXT_SCALE, name[len("inner.") :]
    place = {ours: theirs for theirs, ours in _scale_places(step).items()}.get(name)
    return prefix + place if place else None


def vgg_kind(index: int) -> str:
    """Tells a layer's kind; convolutions of torchvision's VGG16-BN sit at these indices, each followed by its BN."""
    return "conv" if index in (0, 3, 7, 10, 14, 17, 20) else "norm"


def _scale_places(step: str) -> dict[str, str]:
    """Position in one scale of an hourglass -> our name."""
    return {place.replace("#", step): name for place, name in _SCALE.items()}
