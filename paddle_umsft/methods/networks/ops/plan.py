"""Plans: a piece of network as a fixed list of oneDNN calls on fixed buffers, forward and backward.

A plan is built once per layer and size. Everything between its inputs and outputs stays in oneDNN's blocked layout
(nChw16c); weights are brought into the kernels' layout once a step. Nothing is allocated while it runs, apart from
the outputs and gradients it hands back to Paddle. One image at a time (batch 1), float32.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from typing import Any, Callable, Optional

import numpy as np

from paddle_umsft.methods.networks.ops import onednn as dnnl
from paddle_umsft.methods.networks.ops.onednn import Desc, Library, Memory

Run = Callable[[], None]
BLOCK = 16


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
        fitting = [b for b in self.free if size <= b.nbytes - 64 <= 2 * size]
        if fitting:
            best = min(fitting, key=lambda b: b.nbytes)
            self.free = [b for b in self.free if b is not best]
            return best
        self.total += size + 64
        return np.zeros(size + 64, np.uint8)

    def give(self, buffer: np.ndarray) -> None:
        """Take a buffer back."""
        self.free.append(buffer)


def aligned(buffer: np.ndarray) -> int:
    """First address in a buffer on a cache line's border."""
    address = int(buffer.ctypes.data)
    return address + (-address) % 64


class Grad:
    """The gradient of a value while the backward list is being built."""

    def __init__(self, memory: Memory, buffer: Optional[np.ndarray], parent: Optional[Grad] = None) -> None:
        self.memory, self.buffer, self.parent = memory, buffer, parent
        self.users = 1


class Value:
    """A map (1, C, H, W) inside a plan."""

    def __init__(self, shape: tuple[int, int, int], memory: Memory, needs_grad: bool = True) -> None:
        self.shape, self.memory, self.needs_grad = shape, memory, needs_grad
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


class Param:
    """A parameter of the layer, living in Paddle's memory: its address and its gradient's come with every call.

    Args:
        plan: Whose parameter.
        shape: As Paddle has it.
        index: Its place among the layer's parameters.
        start: First element, for a part of a vector.
        frozen: Whether nobody wants its gradient.
    """

    def __init__(
        self, plan: Plan, shape: Sequence[int], index: int, start: int = 0, *, frozen: bool = False
    ) -> None:
        desc = plan.lib.desc(tuple(shape), dnnl.TAG_NCHW)
        self.plan, self.shape, self.index, self.frozen = plan, tuple(shape), index, frozen
        self.memory = Memory(plan.lib, desc, 0)
        self.grad = Memory(plan.lib, desc, 0)
        plan.bound_params.append((index, 4 * start, self.memory, self.grad))

    def part(self, start: int, count: int) -> Param:
        """Elements start ... start + count - 1 of a vector."""
        return Param(self.plan, (count,), self.index, start)


class Plan:
    """Fixed forward and backward lists; see `paddle_umsft.methods.networks.ops.blocks` for what is written into them.

    Args:
        lib: The library.
        pool: Where passing buffers come from.
        lean: Keep only what cannot be made again cheaply (the convolutions' outputs) for the backward run; normalise,
            pad and enlarge a second time there.
    """

    def __init__(self, lib: Library, pool: Pool, lean: bool = False) -> None:
        self.lib, self.pool, self.lean = lib, pool, lean
        self.kept: list[np.ndarray] = []
        self.forward: list[tuple[str, Run]] = []
        self.backward: list[tuple[str, Run]] = []
        self.inputs: list[tuple[Memory, Memory, bool]] = []
        self.input_shapes: list[tuple[int, ...]] = []
        self.outputs: list[tuple[tuple[int, ...], Memory, Memory]] = []
        self.params: list[Callable[[], Any]] = []
        self.bound_params: list[tuple[int, int, Memory, Memory]] = []
        self.statistics: list[tuple[Callable[[], Any], int, np.ndarray, float]] = []
        self._undo: list[Run] = []
        self._indices: dict[tuple[int, str], int] = {}
        self.generation = 0

    # -- memory ---------------------------------------------------------------------------------------------

    def keep(self, desc: Desc) -> Memory:
        """Memory that lives as long as the plan."""
        buffer = np.zeros(desc.size + 64, np.uint8)
        self.kept.append(buffer)
        return Memory(self.lib, desc, aligned(buffer), buffer)

    def vector(self, length: int) -> tuple[Memory, np.ndarray]:
        """A kept float32 vector and its NumPy view."""
        memory = self.keep(self.lib.desc((length,), dnnl.TAG_NCHW))
        start = aligned(memory.keep) - memory.keep.ctypes.data
        return memory, memory.keep[start : start + 4 * length].view(np.float32)

    def map(self, channels: int, height: int, width: int) -> Value:
        """A fresh kept map."""
        desc = self.lib.desc((1, channels, height, width), dnnl.TAG_NCHW16C)
        return Value((channels, height, width), self.keep(desc))

    def temporary(self, desc: Desc) -> tuple[Memory, np.ndarray]:
        """Memory from the pool; give its buffer back with `pool.give` once no later step reads it."""
        buffer = self.pool.take(desc.size)
        return Memory(self.lib, desc, aligned(buffer), buffer), buffer

    def passing(self, channels: int, height: int, width: int) -> Value:
        """A map that the backward run can make again: kept, or in a lean plan lent until `done`."""
        if not self.lean:
            return self.map(channels, height, width)
        desc = self.lib.desc((1, channels, height, width), dnnl.TAG_NCHW16C)
        memory, buffer = self.temporary(desc)
        value = Value((channels, height, width), memory)
        value.lent = buffer
        return value

    def done(self, value: Value) -> None:
        """No later step of the forward list reads this map."""
        if value.lent is not None:
            self.pool.give(value.lent)
            value.lent = None

    def saved(self, value: Value) -> Memory:
        """A map's numbers in the backward run, made again if need be."""
        if value.remake is None:
            return value.memory
        if value.again is None:
            value.again = self.temporary(value.desc)
            value.remake(value.again[0])
        return value.again[0]

    def forget(self, value: Value) -> None:
        """No later step of the backward list reads what `saved` gave."""
        if value.again is not None:
            self.pool.give(value.again[1])
            value.again = None

    def joined(self, channels: Sequence[int], height: int, width: int) -> Value:
        """A passing map whose `parts` lie one behind the other, each beginning on a block of 16 channels.

        The channels between a part's last and the next block stay zero. Only for one image: the blocks of
        channels are then the outermost axis.
        """
        before = sum(-(-count // BLOCK) * BLOCK for count in channels[:-1])
        total = self.passing(before + channels[-1], height, width)
        parts = []
        for count, memory in zip(channels, self.split(total.memory, channels, height * width)):
            parts.append(Value((count, height, width), memory))
        total.parts = tuple(parts)
        if self.lean:
            total.remake = lambda memory: self._remake_parts(total, memory)
        return total

    def split(self, whole: Memory, channels: Sequence[int], pixels: int) -> list[Memory]:
        """The memories of the parts inside that of a joined map."""
        height_width = whole.desc.dims[2:]
        address, memories = aligned(whole.keep), []
        for count in channels:
            desc = self.lib.desc((1, count, *height_width), dnnl.TAG_NCHW16C)
            memories.append(Memory(self.lib, desc, address, whole.keep))
            address += 4 * -(-count // BLOCK) * BLOCK * pixels
        return memories

    def _remake_parts(self, total: Value, memory: Memory) -> None:
        channels, pixels = [part.shape[0] for part in total.parts], total.shape[1] * total.shape[2]
        for part, place in zip(total.parts, self.split(memory, channels, pixels)):
            assert part.remake is not None
            part.remake(place)

    # -- gradients ------------------------------------------------------------------------------------------

    def on_backward(self, undo: Run) -> None:
        """Have `undo` write its share of the backward list when the list is made."""
        self._undo.append(undo)

    def new_grad(self, value: Value) -> Memory:
        """Where the only or first share of a value's gradient goes."""
        memory, buffer = self.temporary(value.desc)
        value.grad = Grad(memory, buffer)
        if value.parts:
            value.grad.users = len(value.parts)
            channels, pixels = [part.shape[0] for part in value.parts], value.shape[1] * value.shape[2]
            for part, place in zip(value.parts, self.split(memory, channels, pixels)):
                part.grad = Grad(place, None, value.grad)
        return memory

    def add_grad(self, value: Value, label: str, write: Callable[[Memory], None]) -> None:
        """Let `write` put a share of the value's gradient somewhere; a second share is added to the first."""
        if not value.needs_grad:
            return
        if value.grad is None:
            write(self.new_grad(value))
            return
        memory, buffer = self.temporary(value.desc)
        write(memory)
        add = self.lib.primitive("binary", dnnl.ADD, value.desc, value.desc, value.desc)
        target = value.grad.memory
        self.backward.append((label + " sum", add.bind({dnnl.SRC: target, dnnl.SRC_1: memory, dnnl.DST: target})))
        self.pool.give(buffer)

    def drop_grad(self, value: Value) -> None:
        """Nothing later in the backward list reads this gradient."""
        grad, value.grad = value.grad, None
        while grad is not None:
            grad.users -= 1
            if grad.users > 0:
                return
            if grad.buffer is not None:
                self.pool.give(grad.buffer)
            grad = grad.parent

    def pass_grad(self, source: Value, target: Value) -> bool:
        """Make the buffer of source's gradient that of target's, if target has none yet and source owns its own."""
        if target.grad is not None or source.grad is None or source.grad.buffer is None or source.parts:
            return False
        target.grad, source.grad = source.grad, None
        return True

    # -- the border to Paddle -------------------------------------------------------------------------------

    def parameter(self, layer: Any, name: str, shape: Optional[Sequence[int]] = None) -> Param:
        """The layer's parameter of that name, seen in another shape where one is given."""
        key = (id(layer), name)
        if key not in self._indices:
            self._indices[key] = len(self.params)
            self.params.append(lambda: getattr(layer, name))
        tensor = getattr(layer, name)
        seen = tensor.shape if shape is None else shape
        return Param(self, seen, self._indices[key], frozen=bool(tensor.stop_gradient))

    def input(self, channels: int, height: int, width: int, needs_grad: bool) -> Value:
        """A map that comes from Paddle."""
        value = self.map(max(channels, BLOCK), height, width)  # the kernels do not take 1-3 blocked channels
        value.needs_grad = needs_grad
        plain = self.lib.desc((1, channels, height, width), dnnl.TAG_NCHW)
        blocked = self.lib.desc((1, channels, height, width), dnnl.TAG_NCHW16C)
        outside, outside_grad = Memory(self.lib, plain, 0), Memory(self.lib, plain, 0)
        self.inputs.append((outside, outside_grad, needs_grad))
        self.input_shapes.append((1, channels, height, width))
        inside = Memory(self.lib, blocked, aligned(value.memory.keep), value.memory.keep)
        bring = self.lib.reorder(plain, blocked)
        self.forward.append(("layout", bring.bind({dnnl.SRC: outside, dnnl.DST: inside})))

        def undo() -> None:
            if needs_grad and value.grad is not None:
                buffer = value.grad.memory.keep
                slope = Memory(self.lib, blocked, aligned(buffer), buffer)
                back = self.lib.reorder(blocked, plain)
                self.backward.append(("layout", back.bind({dnnl.SRC: slope, dnnl.DST: outside_grad})))
                self.drop_grad(value)

        self.on_backward(undo)
        return value

    def output(self, value: Value) -> None:
        """Hand a map to Paddle."""
        plain = self.lib.desc((1, *value.shape), dnnl.TAG_NCHW)
        outside, outside_grad = Memory(self.lib, plain, 0), Memory(self.lib, plain, 0)
        self.outputs.append(((1, *value.shape), outside, outside_grad))
        send = self.lib.reorder(value.desc, plain)
        self.forward.append(("layout", send.bind({dnnl.SRC: value.memory, dnnl.DST: outside})))

        def undo() -> None:
            back = self.lib.reorder(plain, value.desc)

            def write(memory: Memory) -> None:
                self.backward.append(("layout", back.bind({dnnl.SRC: outside_grad, dnnl.DST: memory})))

            self.add_grad(value, "layout", write)

        self.on_backward(undo)

    def finish(self) -> None:
        """Make the backward list; nothing can be added to the plan after that."""
        for undo in reversed(self._undo):
            undo()
        self._undo = []

    # -- running --------------------------------------------------------------------------------------------

    def bind_params(self, addresses: Sequence[int], gradients: bool = False) -> None:
        """Point every parameter, or every parameter's gradient, at Paddle's memory."""
        for index, offset, memory, grad in self.bound_params:
            (grad if gradients else memory).point_to(addresses[index] + offset)

    def run_forward(self) -> None:
        """Run the forward list, then move the running statistics as BatchNorm does."""
        self.generation += 1
        with self.pool.lock:
            for _, step in self.forward:
                step()
        for tensor, start, batch, momentum in self.statistics:
            floats = (ctypes.c_float * batch.size).from_address(tensor().data_ptr() + 4 * start)
            running = np.ctypeslib.as_array(floats)
            running += (1 - momentum) * (batch - running)

    def run_backward(self) -> None:
        """Run the backward list."""
        with self.pool.lock:
            for _, step in self.backward:
                step()
