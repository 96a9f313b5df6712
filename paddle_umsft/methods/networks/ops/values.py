"""What a plan is made of: buffers, maps, their gradients, and the layer's parameters."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Callable, Optional

import numpy as np

from paddle_umsft.methods.networks.ops import onednn as dnnl
from paddle_umsft.methods.networks.ops.onednn import Desc, Library, Memory, Primitive, Step

BLOCK = 16  # channels that oneDNN's layout nChw16c keeps together
CACHE_LINE = 64  # bytes; kernels are fastest on addresses that begin one
FLOAT_BYTES = 4
BYTES_OF = {dnnl.F32: FLOAT_BYTES, dnnl.BF16: 2}  # of a number in a map
# A free buffer up to so many times too large is taken rather than a new one made.
LOOSEST_FIT = 2


def whole_blocks(channels: int) -> int:
    """Return the channels that a map really takes: up to a whole number of blocks."""
    blocks = -(-channels // BLOCK)  # rounded up
    return blocks * BLOCK


def aligned(buffer: np.ndarray) -> int:
    """First address in a buffer on a cache line's border."""
    address = int(buffer.ctypes.data)
    return address + (-address) % CACHE_LINE


def fresh_buffer(size: int) -> np.ndarray:
    """A new buffer that holds `size` bytes behind its first aligned address, zeroed."""
    return np.zeros(size + CACHE_LINE, np.uint8)


def as_floats(memory: Memory, shape: Sequence[int]) -> np.ndarray:
    """A memory in the plain layout as a NumPy array of that shape, not copied."""
    start = aligned(memory.keep) - memory.keep.ctypes.data
    count = int(np.prod(shape))
    stop = start + FLOAT_BYTES * count
    floats: np.ndarray = memory.keep[start:stop].view(np.float32)
    return floats.reshape(tuple(shape))


class Pool:
    """Buffers handed out and taken back while plans are being built, so that lifetimes that do not meet share one.

    All plans share one pool: none holds anything in it between its forward and its backward run, and `lock` keeps
    two from running at the same time.
    """

    def __init__(self) -> None:
        self.free: list[np.ndarray] = []
        self.total = 0
        self.lock = threading.RLock()

    def take(self, size: int) -> np.ndarray:
        """At least `size` bytes, zeroed when fresh (kernels rely on zeros in a block's unused channels)."""
        fitting = [buffer for buffer in self.free if size <= buffer.nbytes - CACHE_LINE <= LOOSEST_FIT * size]
        if fitting:
            best = min(fitting, key=lambda buffer: buffer.nbytes)
            # By identity: arrays have no plain ==.
            self.free = [buffer for buffer in self.free if buffer is not best]
            return best
        buffer = fresh_buffer(size)
        self.total += buffer.nbytes
        return buffer

    def give(self, buffer: np.ndarray) -> None:
        """Take a buffer back."""
        self.free.append(buffer)

    def step(self, primitive: Primitive, args: Mapping[int, Memory]) -> Step:
        """A primitive on its memories, with what it needs to compute in lent for the time of the step."""
        needed = primitive.query(dnnl.Q_SCRATCHPAD)
        if needed.size == 0:
            return primitive.bind(args)
        buffer = self.take(needed.size)
        scratchpad = Memory(
            primitive.lib,
            needed,
            aligned(buffer),
            buffer,
        )
        self.give(buffer)
        return primitive.bind({**args, dnnl.SCRATCHPAD: scratchpad})


class Grad:
    """The gradient of a value while the backward list is being built.

    Args:
        memory: Where it lies.
        buffer: The pool's buffer that is given back with it; None: it lies in another one's.
        parent: The gradient of the joined map that it is a part of.
    """

    def __init__(
        self,
        memory: Memory,
        buffer: Optional[np.ndarray],
        parent: Optional[Grad] = None,
    ) -> None:
        self.memory = memory
        self.buffer = buffer
        self.parent = parent
        self.users = 1


class Value:
    """A map (1, C, H, W) inside a plan.

    Args:
        shape: (C, H, W).
        memory: Where it lies in the forward run.
        needs_grad: Whether anybody wants its gradient.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        memory: Memory,
        needs_grad: bool = True,
    ) -> None:
        self.shape = shape
        self.memory = memory
        self.needs_grad = needs_grad
        self.grad: Optional[Grad] = None
        self.parts: tuple[Value, ...] = ()
        # In a lean plan: the pool's buffer it has in the forward run, how it is made again, and where it then is.
        self.lent: Optional[np.ndarray] = None
        self.remake: Optional[Callable[[Memory], None]] = None
        self.again: Optional[tuple[Memory, np.ndarray]] = None

    @property
    def desc(self) -> Desc:
        """Its layout."""
        return self.memory.desc

    @property
    def pixels(self) -> int:
        """Height times width."""
        return self.shape[1] * self.shape[2]


@dataclass(frozen=True)
class Bound:
    """Memories that are pointed at one of the layer's parameters with every call.

    Attributes:
        index: Its place among the layer's parameters.
        offset: Bytes from its beginning.
        memory: Is pointed at the parameter.
        grad: Is pointed at its gradient.
    """

    index: int
    offset: int
    memory: Memory
    grad: Memory


class Param:
    """A parameter of the layer, living in Paddle's memory: its address and its gradient's come with every call.

    Args:
        lib: The library.
        bound: The plan's list of what has to be pointed at Paddle's memory.
        shape: As Paddle has it.
        index: Its place among the layer's parameters.
        start: First element, for a part of a vector.
        frozen: Whether nobody wants its gradient.
    """

    def __init__(
        self,
        lib: Library,
        bound: list[Bound],
        shape: Sequence[int],
        index: int,
        *,
        start: int = 0,
        frozen: bool = False,
    ) -> None:
        self.shape = tuple(shape)
        self.index = index
        self.frozen = frozen
        self._lib = lib
        self._bound = bound
        desc = lib.desc(self.shape, dnnl.TAG_NCHW)
        self.memory = Memory(lib, desc, 0)
        self.grad = Memory(lib, desc, 0)
        own = Bound(
            index=index,
            offset=FLOAT_BYTES * start,
            memory=self.memory,
            grad=self.grad,
        )
        bound.append(own)

    def part(self, start: int, count: int) -> Param:
        """Elements start ... start + count - 1 of a vector."""
        return Param(
            self._lib,
            self._bound,
            shape=(count,),
            index=self.index,
            start=start,
        )
