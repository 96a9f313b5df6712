"""Tensors that leave nothing behind: what Paddle 3's constructor forgets to let go of, it is not given.

Paddle's own constructor, written in C++, makes a list of the names of its keyword arguments and never lets go of it: 72
bytes a tensor where there are none. A tensor made by Paddle 3 always has keyword arguments, if none at all, because a
function in between hands them on. The parameters of a network and what AdamW keeps for them are 1600 tensors a fit:
0.1 MB, and a collector of circles that takes longer after each. Paddle 2.6 has no function in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable, Optional

import paddle

# How Paddle calls its C++ constructor's own name, where something else stands before it.
ORIGINAL = "original_init"


@contextmanager
def nothing_left_behind() -> Iterator[None]:
    """Make tensors as ever, without what they leave behind. Threads beside this one get the very same tensors."""
    replaced = paddle.Tensor.__init__
    original: Optional[Callable[..., None]] = getattr(paddle, ORIGINAL, None)
    if original is None:
        yield
        return
    ours = _short_way(original, replaced)
    paddle.Tensor.__init__ = ours
    try:
        yield
    finally:
        # Whoever has put something else there meanwhile knows better.
        if paddle.Tensor.__init__ is ours:
            paddle.Tensor.__init__ = replaced


def _short_way(original: Callable[..., None], replaced: Callable[..., None]) -> Callable[..., None]:
    """Return a constructor that goes to Paddle's own one straight away where that is what happens in the end.

    Args:
        original: Of C++.
        replaced: Paddle's function in between, which knows more ways to make a tensor: sizes, or a list of numbers.
    """

    def make(self: Any, *values: Any, **named: Any) -> None:
        several = len(values) > 1
        if named or not several or isinstance(values[0], int):
            replaced(self, *values, **named)
        else:
            original(self, *values)

    return make
