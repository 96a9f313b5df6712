"""What a plan has to do with Paddle's own tensors: maps on its border, and statistics that move."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any, Callable

import numpy as np

from paddle_umsft.methods.networks.ops.onednn import Memory
from paddle_umsft.methods.networks.ops.values import FLOAT_BYTES


@dataclass(frozen=True)
class Border:
    """A map on the border to Paddle; both memories are pointed at Paddle's with every call.

    Attributes:
        shape: (1, C, H, W).
        memory: The map, in Paddle's layout.
        grad: Its gradient.
        needs_grad: Whether Paddle wants (of an input) or has (of an output) the gradient.
    """

    shape: tuple[int, ...]
    memory: Memory
    grad: Memory
    needs_grad: bool = True


@dataclass(frozen=True)
class Statistic:
    """A running mean or variance that moves after each forward run.

    Attributes:
        running: Gives Paddle's tensor.
        start: First channel of it that moves.
        batch: (C,) of the run.
        momentum: Share of the old one that stays.
    """

    running: Callable[[], Any]
    start: int
    batch: np.ndarray
    momentum: float

    def move(self) -> None:
        """Move it as BatchNorm does."""
        tensor = self.running()
        address = tensor.data_ptr() + FLOAT_BYTES * self.start
        c_array = ctypes.c_float * self.batch.size
        floats = c_array.from_address(address)
        running = np.ctypeslib.as_array(floats)
        step = self.batch - running
        running += (1 - self.momentum) * step
