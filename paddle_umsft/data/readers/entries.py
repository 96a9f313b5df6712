"""One array among several of a file, before it is loaded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable, Optional

import numpy as np

from paddle_umsft.data.facts import FileFacts

# Rows, columns, bands.
IMAGE_AXES = 3


@dataclass(frozen=True)
class Entry:
    """One named array of a file, not yet loaded.

    Attributes:
        shape: Its shape, axes as their author had them.
        kind: Its type as the format names it, for messages.
        load: Loads it.
        load_part: Loads a part of it by one slice an axis; None: it can only be loaded whole.
        chunk: Lengths of the blocks that it is stored in; None: it is stored as a whole.
        dims: Names of its axes, where the format has any.
        is_numeric: Integers or real numbers; text, structs and the like cannot be an image.
        facts: What the format says of this array beside its numbers.
    """

    shape: tuple[int, ...]
    kind: str
    load: Callable[[], np.ndarray]
    load_part: Optional[Callable[[tuple[slice, ...]], np.ndarray]] = None
    chunk: Optional[tuple[int, ...]] = None
    dims: tuple[str, ...] = ()
    is_numeric: bool = True
    facts: FileFacts = field(default_factory=FileFacts)

    @property
    def axes(self) -> int:
        """Number of axes, where a MATLAB row, column or single number counts as a vector, not as a table.

        Axes of one number are none where there are more than an image has: a batch of one, a single time.
        """
        if len(self.shape) == 2 and min(self.shape) == 1:
            return 1
        if len(self.shape) > IMAGE_AXES:
            return len([length for length in self.shape if length != 1])
        return len(self.shape)
