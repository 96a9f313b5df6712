"""Plans: a piece of network as a fixed list of oneDNN calls on fixed buffers, forward and backward.

A plan is built once per layer and size. Everything between its inputs and outputs stays in oneDNN's blocked layout
(nChw16c); weights are brought into the kernels' layout once a step. Nothing is allocated while it runs, apart from
the outputs and gradients it hands back to Paddle, which are float32. One image at a time (batch 1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable, Optional

import numpy as np

from paddle_umsft.methods.networks.ops import onednn as dnnl
from paddle_umsft.methods.networks.ops.onednn import Desc, Library, Memory, Primitive
from paddle_umsft.methods.networks.ops.outside import Border, Statistic
from paddle_umsft.methods.networks.ops.values import (
    BLOCK,
    BYTES_OF,
    Bound,
    Grad,
    Param,
    Pool,
    Value,
    aligned,
    as_floats,
    fresh_buffer,
    whole_blocks,
)

Run = Callable[[], None]


class Plan:
    """Fixed forward and backward lists; `convolution`, `pointwise` and `resizing` write into them.

    Args:
        lib: The library.
        pool: Where passing buffers come from.
        lean: Keep only the convolutions' outputs for the backward run; normalise, pad and enlarge a second time there.
        dtype: Of the maps inside, and of the weights as the kernels get them: `onednn.F32` or `onednn.BF16`.
    """

    def __init__(
        self,
        lib: Library,
        pool: Pool,
        lean: bool = False,
        dtype: int = dnnl.F32,
    ) -> None:
        self.lib = lib
        self.dtype = dtype
        self.pool = pool
        self.lean = lean
        self.kept: list[np.ndarray] = []
        self.forward: list[tuple[str, Run]] = []
        self.backward: list[tuple[str, Run]] = []
        self.inputs: list[Border] = []
        self.outputs: list[Border] = []
        self.params: list[Callable[[], Any]] = []
        self.bound_params: list[Bound] = []
        self.statistics: list[Statistic] = []
        self.generation = 0
        self._undo: list[Run] = []
        self._indices: dict[tuple[int, str], int] = {}

    # -- memory ---------------------------------------------------------------------------------------------

    def keep(self, desc: Desc) -> Memory:
        """Memory that lives as long as the plan."""
        buffer = fresh_buffer(desc.size)
        self.kept.append(buffer)
        return Memory(self.lib, desc, aligned(buffer), buffer)

    def vector(self, length: int) -> tuple[Memory, np.ndarray]:
        """A kept float32 vector and its NumPy view."""
        desc = self.lib.desc((length,), dnnl.TAG_NCHW)
        memory = self.keep(desc)
        floats = as_floats(memory, (length,))
        return memory, floats

    def map(self, channels: int, height: int, width: int, dtype: Optional[int] = None) -> Value:
        """A fresh kept map, of the plan's type where no other is given."""
        memory = self.keep(self._blocked(channels, height, width, dtype))
        return Value((channels, height, width), memory)

    def _plain(self, channels: int, height: int, width: int) -> Desc:
        """Paddle's layout."""
        return self.lib.desc((1, channels, height, width), dnnl.TAG_NCHW)

    def _blocked(self, channels: int, height: int, width: int, dtype: Optional[int] = None) -> Desc:
        """The layout inside plans."""
        return self.lib.desc((1, channels, height, width), dnnl.TAG_NCHW16C, dtype or self.dtype)

    def temporary(self, desc: Desc) -> tuple[Memory, np.ndarray]:
        """Memory from the pool; give its buffer back with `pool.give` once no later step reads it."""
        buffer = self.pool.take(desc.size)
        memory = Memory(self.lib, desc, aligned(buffer), buffer)
        return memory, buffer

    def passing(self, channels: int, height: int, width: int) -> Value:
        """A map that the backward run can make again: kept, or in a lean plan lent until `done`."""
        if not self.lean:
            return self.map(channels, height, width)
        desc = self._blocked(channels, height, width)
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
            memory, _ = value.again
            value.remake(memory)
        memory, _ = value.again
        return memory

    def forget(self, value: Value) -> None:
        """No later step of the backward list reads what `saved` gave."""
        if value.again is not None:
            _, buffer = value.again
            self.pool.give(buffer)
            value.again = None

    def joined(self, channels: Sequence[int], height: int, width: int) -> Value:
        """A passing map whose `parts` lie one behind the other, each beginning on a block of 16 channels.

        The channels between a part's last and the next block stay zero. Only for one image: the blocks of
        channels are then the outermost axis.
        """
        before_last = sum(whole_blocks(count) for count in channels[:-1])
        total = self.passing(before_last + channels[-1], height, width)
        places = self.split(total.memory, channels, total.pixels)
        parts = []
        for count, memory in zip(channels, places):
            part = Value((count, height, width), memory)
            parts.append(part)
        total.parts = tuple(parts)
        if self.lean:
            total.remake = lambda memory: self._remake_parts(total, memory)
        return total

    def split(self, whole: Memory, channels: Sequence[int], pixels: int) -> list[Memory]:
        """The memories of the parts inside that of a joined map."""
        height, width = whole.desc.dims[2:]
        address = aligned(whole.keep)
        memories = []
        for count in channels:
            desc = self._blocked(count, height, width)
            memory = Memory(self.lib, desc, address, whole.keep)
            memories.append(memory)
            address += BYTES_OF[desc.dtype] * whole_blocks(count) * pixels
        return memories

    def _split_like(self, value: Value, memory: Memory) -> list[Memory]:
        """The memories of a joined map's parts inside another one of its layout."""
        channels = [part.shape[0] for part in value.parts]
        return self.split(memory, channels, value.pixels)

    def _remake_parts(self, total: Value, memory: Memory) -> None:
        places = self._split_like(total, memory)
        for part, place in zip(total.parts, places):
            assert part.remake is not None
            part.remake(place)

    # -- steps ----------------------------------------------------------------------------------------------

    def then(
        self,
        label: str,
        primitive: Primitive,
        args: Mapping[int, Memory],
    ) -> None:
        """Add a step to the forward list.

        Args:
            label: For whoever measures.
            primitive: What is done.
            args: On what, by the number of the argument (`onednn.SRC` and so on).
        """
        self.forward.append((label, self.pool.step(primitive, args)))

    def then_back(
        self,
        label: str,
        primitive: Primitive,
        args: Mapping[int, Memory],
    ) -> None:
        """Add a step to the backward list; arguments as of `then`."""
        self.backward.append((label, self.pool.step(primitive, args)))

    # -- gradients ------------------------------------------------------------------------------------------

    def on_backward(self, undo: Run) -> None:
        """Have `undo` write its share of the backward list when the list is made."""
        self._undo.append(undo)

    def new_grad(self, value: Value) -> Memory:
        """Where the only or first share of a value's gradient goes."""
        memory, buffer = self.temporary(value.desc)
        value.grad = Grad(memory, buffer)
        if value.parts:
            # The buffer goes back to the pool with the last of the parts.
            value.grad.users = len(value.parts)
            places = self._split_like(value, memory)
            for part, place in zip(value.parts, places):
                part.grad = Grad(
                    memory=place,
                    buffer=None,
                    parent=value.grad,
                )
        return memory

    def add_grad(
        self,
        value: Value,
        label: str,
        write: Callable[[Memory], None],
    ) -> None:
        """Let `write` put a share of the value's gradient somewhere; a second share is added to the first."""
        if not value.needs_grad:
            return
        if value.grad is None:
            write(self.new_grad(value))
            return
        memory, buffer = self.temporary(value.desc)
        write(memory)
        add = self.lib.primitive(
            "binary",
            dnnl.ADD,
            value.desc,
            value.desc,
            value.desc,
        )
        target = value.grad.memory
        self.then_back(
            f"{label} sum",
            add,
            {
                dnnl.SRC: target,
                dnnl.SRC_1: memory,
                dnnl.DST: target,
            },
        )
        self.pool.give(buffer)

    def drop_grad(self, value: Value) -> None:
        """Nothing later in the backward list reads this gradient."""
        grad = value.grad
        value.grad = None
        while grad is not None:
            grad.users -= 1
            if grad.users > 0:
                return
            if grad.buffer is not None:
                self.pool.give(grad.buffer)
            grad = grad.parent

    def pass_grad(self, source: Value, target: Value) -> bool:
        """Make the buffer of source's gradient that of target's, if target has none yet and source owns its own."""
        if target.grad is not None or source.parts:
            return False
        owns_its_buffer = source.grad is not None and source.grad.buffer is not None
        if not owns_its_buffer:
            return False
        target.grad = source.grad
        source.grad = None
        return True

    # -- the border to Paddle -------------------------------------------------------------------------------

    def parameter(
        self,
        layer: Any,
        name: str,
        shape: Optional[Sequence[int]] = None,
    ) -> Param:
        """The layer's parameter of that name, seen in another shape where one is given."""
        key = (id(layer), name)
        if key not in self._indices:
            self._indices[key] = len(self.params)
            self.params.append(lambda: getattr(layer, name))
        tensor = getattr(layer, name)
        if shape is None:
            shape = tensor.shape
        return Param(
            self.lib,
            self.bound_params,
            shape=shape,
            index=self._indices[key],
            frozen=bool(tensor.stop_gradient),
        )

    def input(
        self,
        channels: int,
        height: int,
        width: int,
        needs_grad: bool,
    ) -> Value:
        """A map that comes from Paddle."""
        value = self.map(max(channels, BLOCK), height, width)  # the kernels do not take 1-3 blocked channels
        value.needs_grad = needs_grad
        plain = self._plain(channels, height, width)
        blocked = self._blocked(channels, height, width)
        outside = Memory(self.lib, plain, 0)
        outside_grad = Memory(self.lib, plain, 0)
        border = Border(
            shape=(1, channels, height, width),
            memory=outside,
            grad=outside_grad,
            needs_grad=needs_grad,
        )
        self.inputs.append(border)

        buffer = value.memory.keep
        inside = Memory(self.lib, blocked, aligned(buffer), buffer)
        bring = self.lib.reorder(plain, blocked)
        self.then("layout", bring, {dnnl.SRC: outside, dnnl.DST: inside})

        def undo() -> None:
            if not needs_grad or value.grad is None:
                return
            buffer = value.grad.memory.keep
            inside_grad = Memory(self.lib, blocked, aligned(buffer), buffer)
            send = self.lib.reorder(blocked, plain)
            self.then_back("layout", send, {dnnl.SRC: inside_grad, dnnl.DST: outside_grad})
            self.drop_grad(value)

        self.on_backward(undo)
        return value

    def output(self, value: Value) -> None:
        """Hand a map to Paddle."""
        plain = self._plain(*value.shape)
        outside = Memory(self.lib, plain, 0)
        outside_grad = Memory(self.lib, plain, 0)
        border = Border(
            shape=(1, *value.shape),
            memory=outside,
            grad=outside_grad,
        )
        self.outputs.append(border)
        send = self.lib.reorder(value.desc, plain)
        self.then("layout", send, {dnnl.SRC: value.memory, dnnl.DST: outside})

        def undo() -> None:
            bring = self.lib.reorder(plain, value.desc)

            def write(memory: Memory) -> None:
                self.then_back("layout", bring, {dnnl.SRC: outside_grad, dnnl.DST: memory})

            self.add_grad(value, "layout", write)

        self.on_backward(undo)

    def finish(self) -> None:
        """Make the backward list; nothing can be added to the plan after that."""
        for undo in reversed(self._undo):
            undo()
        self._undo = []

    # -- running --------------------------------------------------------------------------------------------

    def bind_params(self, addresses: Sequence[int]) -> None:
        """Point every parameter at Paddle's memory."""
        for bound in self.bound_params:
            bound.memory.point_to(addresses[bound.index] + bound.offset)

    def bind_gradients(self, addresses: Sequence[int]) -> None:
        """Point every parameter's gradient at Paddle's memory."""
        for bound in self.bound_params:
            bound.grad.point_to(addresses[bound.index] + bound.offset)

    def run_forward(self) -> None:
        """Run the forward list, then move the running statistics as BatchNorm does."""
        self.generation += 1
        with self.pool.lock:
            for _, step in self.forward:
                step()
        for statistic in self.statistics:
            statistic.move()

    def run_backward(self) -> None:
        """Run the backward list."""
        with self.pool.lock:
            for _, step in self.backward:
                step()
