"""Mirrored or turned images: the HSI is turned back, which costs nothing, and the user is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Optional

import numpy as np

from paddle_umsft.data.scene import Observation
from paddle_umsft.preparation.coarse_shift import whole_shift
from paddle_umsft.preparation.layout import upright_pair
from paddle_umsft.preparation.view import View

# Two images that share this much as they lie are not turned any other way.
ENOUGH = 0.85
# What another way has to leave unexplained at most, as a share of what this one does.
CLEARLY_LESS = 0.5

Turn = Callable[[np.ndarray], np.ndarray]


def turns(square: bool) -> dict[str, Turn]:
    """Ways to turn an HSI, by what is wrong with it; those that swap the axes for square images only."""
    ways: dict[str, Turn] = {
        "mirrored top to bottom": lambda cube: cube[::-1],
        "mirrored left to right": lambda cube: cube[:, ::-1],
        "turned by 180 degrees": lambda cube: cube[::-1, ::-1],
    }
    if square:
        ways["with rows and columns swapped"] = lambda cube: cube.swapaxes(0, 1)
        ways["turned by 90 degrees clockwise"] = lambda cube: np.rot90(cube, 1)
        ways["turned by 90 degrees anticlockwise"] = lambda cube: np.rot90(cube, -1)
        ways["swapped and turned by 180 degrees"] = lambda cube: np.rot90(cube.swapaxes(0, 1), 2)
    return ways


def upright(view: View, share: float) -> tuple[View, str]:
    """The pair with the HSI turned as the MSI is, and a note; an empty note where it is so already.

    Args:
        view: The pair.
        share: What the best shift explains as the images lie, between 0 and 1.
    """
    if share >= ENOUGH:
        return view, ""
    best, note = view, ""
    least = 1.0 - share
    for what, turn in turns(view.lr_shape[0] == view.lr_shape[1]).items():
        other = view.but(
            lr_hsi=np.ascontiguousarray(turn(view.lr_hsi)),
            trusted=turn(view.trusted),
            has_data=turn(view.has_data),
        )
        left = 1.0 - whole_shift(other)[1]
        if left < CLEARLY_LESS * (1.0 - share) and left < least:
            best, least = other, left
            note = _note(what)
    return best, note


def _note(what: str) -> str:
    """What a user is told of an HSI that is turned in this way."""
    return f"the HSI is {what} against the MSI; it was turned back"


def turned_back(observation: Observation, note: str) -> Optional[Observation]:
    """A whole pair with its HSI turned as that of a block of it was.

    Args:
        observation: The pair.
        note: What was told of the block.

    Returns:
        The pair; None: what is turned so is not as high as it is wide, or under a mask.
    """
    if observation.grid is not None:
        observation = upright_pair(observation)
    if observation.mask_hsi is not None:
        # A sample of the result is judged by the mask as it was given.
        return None
    lr_hsi = observation.lr_hsi
    for what, turn in turns(lr_hsi.shape[0] == lr_hsi.shape[1]).items():
        if note == _note(what):
            return replace(observation, lr_hsi=np.ascontiguousarray(turn(lr_hsi)))
    return None
