"""Convolutions inside a plan, their weights, and reflection padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

from paddle_umsft.methods.networks.ops import onednn as dnnl
from paddle_umsft.methods.networks.ops.moving import copy, recast, view
from paddle_umsft.methods.networks.ops.onednn import Desc, Memory, OneDnnError, pair
from paddle_umsft.methods.networks.ops.plan import Plan
from paddle_umsft.methods.networks.ops.values import Bound, Param, Value, whole_blocks

# Up to so many channels oneDNN has no blocked kernel for what comes in.
FEW_CHANNELS = 3
# (C, 1, 1, k, k), where every channel has a kernel of its own.
GROUPED_AXES = 5


@dataclass(frozen=True)
class Place:
    """Where some input channels of a weight lie in a map whose channels are in another order.

    Attributes:
        start: The first of them in the weight.
        count: How many there are.
        target: The first of them in the map.
        column: Of the kernel, where the map has its columns side by side; None: all of it.
    """

    start: int
    count: int
    target: int
    column: Optional[int] = None


Order = Sequence[Place]


class _Weights:
    """A convolution's weights in the kernel's layout, brought there once a step, and the way back.

    A joined input (`Plan.joined`) has unused channels between its parts, and `side_by_side` has the kernel's columns
    one behind the other. `order` says where the published order's channels lie in it.
    """

    def __init__(
        self,
        plan: Plan,
        param: Param,
        in_channels: int,
        order: Order,
    ) -> None:
        self.plan = plan
        self.param = param
        self.order = order
        self.shape = param.shape
        if order:
            outside, _, high, wide = param.shape
            if order[0].column is not None:
                wide = 1
            self.shape = (outside, in_channels, high, wide)
        self.plain = plan.lib.desc(self.shape, dnnl.TAG_NCHW)
        self.staged = param.memory
        if order:
            self.staged = plan.keep(self.plain)

    def _boxes(
        self,
        whole: Memory,
        spread: Memory,
        *,
        of_gradient: bool,
    ) -> list[tuple[Memory, Memory]]:
        """Pair each part of the weight (or of its gradient) with its place among a joined map's channels."""
        outside, _, high, wide = self.shape
        pairs = []
        for place in self.order:
            box = (outside, place.count, high, wide)
            column = place.column or 0
            desc = whole.desc.part(box, (0, place.start, 0, column))
            part = Memory(whole.lib, desc, 0)
            unused = Memory(whole.lib, whole.desc, 0)
            if of_gradient:
                bound = Bound(
                    index=self.param.index,
                    offset=0,
                    memory=unused,
                    grad=part,
                )
            else:
                bound = Bound(
                    index=self.param.index,
                    offset=0,
                    memory=part,
                    grad=unused,
                )
            self.plan.bound_params.append(bound)
            inside = view(spread, box, (0, place.target, 0, 0))
            pairs.append((part, inside))
        return pairs

    def bring(
        self,
        wanted: Desc,
        *,
        backward: bool,
        stage: bool,
    ) -> Memory:
        """The weights in the layout a kernel wants.

        Args:
            wanted: That layout.
            backward: Whether this is a step of the backward list.
            stage: Whether the parts have to be spread first; the forward run has done so for the backward run.
        """
        if stage and self.order:
            parts = self._boxes(self.param.memory, self.staged, of_gradient=False)
            for source, target in parts:
                self._copy(source, target, backward=backward)
        if wanted == self.plain:
            return self.staged
        target = self.plan.keep(wanted)
        self._copy(self.staged, target, backward=backward)
        return target

    def send(self, gradient: Memory) -> None:
        """The gradient back into Paddle's layout."""
        if not self.order:
            self._copy(gradient, self.param.grad, backward=True)
            return
        spread, buffer = self.plan.temporary(self.plain)
        self._copy(gradient, spread, backward=True)
        parts = self._boxes(self.param.grad, spread, of_gradient=True)
        for target, source in parts:
            self._copy(source, target, backward=True)
        self.plan.pool.give(buffer)

    def _copy(
        self,
        source: Memory,
        target: Memory,
        *,
        backward: bool,
    ) -> None:
        copy(self.plan, "weights", source, target, backward=backward)


def conv(
    plan: Plan,
    x: Value,
    weight: Param,
    bias: Optional[Param],
    *,
    stride: int = 1,
    padding: int = 0,
    order: Order = (),
    exact: bool = False,
) -> Value:
    """Convolution with zero padding; sums, bias and the gradients of both parameters are float32 in any plan.

    Args:
        plan: Where to write.
        x: The map.
        weight: (C_out, C_in, k, k); (C, 1, 1, k, k) gives each channel a kernel of its own.
        bias: (C_out,), or None.
        stride: Of the kernel.
        padding: Pixels of zeros on each side.
        order: Where the weight's channels lie in a joined map.
        exact: Give a float32 map in any plan, for what is rounded no more on its way out.

    Raises:
        OneDnnError: If there is no fast kernel for it.
    """
    lib = plan.lib
    order = _order_for(x, weight, order)
    in_channels, *lengths = x.shape
    out_channels = weight.shape[0]
    weights = _Weights(plan, weight, in_channels, order)
    sizes = weights.shape[-2:]
    height, width = ((length + 2 * padding - size) // stride + 1 for length, size in zip(lengths, sizes))
    dtype = plan.dtype
    if exact:
        dtype = dnnl.F32
    y = plan.map(out_channels, height, width, dtype)  # (C_out, H', W')

    any_layout = lib.desc(weights.shape, dnnl.TAG_ANY, plan.dtype)  # the kernel chooses
    any_gradient = lib.desc(weights.shape, dnnl.TAG_ANY)
    bias_desc = None
    if bias is not None:
        bias_desc = bias.memory.desc
    dilation = pair(0)
    geometry = (pair(stride), dilation, pair(padding), pair(padding))
    # The gradient's kernels take all maps in one type.
    lowered = lib.desc(y.desc.dims, dnnl.TAG_NCHW16C, plan.dtype)
    forward = lib.primitive(
        "convolution_forward",
        dnnl.FORWARD,
        dnnl.CONVOLUTION_DIRECT,
        x.desc,
        any_layout,
        bias_desc,
        y.desc,
        *geometry,
    )
    kernel_desc = forward.query(dnnl.Q_WEIGHTS)
    kernel = weights.bring(kernel_desc, backward=False, stage=True)
    args = {
        dnnl.SRC: x.memory,
        dnnl.WEIGHTS: kernel,
        dnnl.DST: y.memory,
    }
    if bias is not None:
        args[dnnl.BIAS] = bias.memory
    plan.then("conv", forward, args)

    def undo_weights(of_y: Memory) -> None:
        by_weight = lib.primitive(
            "convolution_backward_weights",
            dnnl.CONVOLUTION_DIRECT,
            x.desc,
            any_gradient,
            bias_desc,
            lowered,
            *geometry,
            forward,
        )
        wanted = by_weight.query(dnnl.Q_DIFF_WEIGHTS)
        gradient, buffer = plan.temporary(wanted)
        args = {
            dnnl.SRC: plan.saved(x),
            dnnl.DIFF_DST: of_y,
            dnnl.DIFF_WEIGHTS: gradient,
        }
        if bias is not None:
            args[dnnl.DIFF_BIAS] = bias.grad
        plan.then_back("conv by weight", by_weight, args)
        weights.send(gradient)
        plan.pool.give(buffer)

    def undo_data(of_y: Memory) -> None:
        by_data = lib.primitive(
            "convolution_backward_data",
            dnnl.CONVOLUTION_DIRECT,
            x.desc,
            any_layout,
            lowered,
            *geometry,
            forward,
        )
        wanted = by_data.query(dnnl.Q_WEIGHTS)
        turned = kernel
        if wanted != kernel_desc:
            turned = weights.bring(wanted, backward=True, stage=False)

        def write(memory: Memory) -> None:
            plan.then_back(
                "conv by data",
                by_data,
                {
                    dnnl.DIFF_DST: of_y,
                    dnnl.WEIGHTS: turned,
                    dnnl.DIFF_SRC: memory,
                },
            )

        plan.add_grad(x, "conv by data", write)

    all_frozen = weight.frozen and (bias is None or bias.frozen)

    def undo() -> None:
        assert y.grad is not None
        of_y = y.grad.memory
        buffer = None
        if y.desc != lowered:
            of_y, buffer = plan.temporary(lowered)
            copy(plan, "lower", y.grad.memory, of_y, backward=True)
        if not all_frozen:
            undo_weights(of_y)
        if x.needs_grad:
            undo_data(of_y)
        if buffer is not None:
            plan.pool.give(buffer)
        plan.drop_grad(y)

    plan.on_backward(undo)
    return y


def _order_for(
    x: Value,
    weight: Param,
    order: Order,
) -> Order:
    """Return the order that a map and a weight need, or refuse what has no fast kernel."""
    channels = x.shape[0]
    by_channel = len(weight.shape) == GROUPED_AXES
    if channels <= FEW_CHANNELS:
        raise OneDnnError("no fast kernel for so few channels")
    if by_channel and channels != weight.shape[0]:
        raise OneDnnError("an input filled up to a block has more channels than there are kernels")
    if by_channel or order:
        return order
    in_channels = weight.shape[1]
    if channels != in_channels:
        # An input of few channels, filled up to a block.
        return (Place(start=0, count=in_channels, target=0),)
    return order


def reflect(plan: Plan, x: Value) -> Value:
    """Reflection padding by one pixel."""
    lib = plan.lib
    channels, height, width = x.shape
    full = whole_blocks(channels)  # unused channels of a block are copied along: they must be zero
    dense = lib.desc((1, full, height, width), dnnl.TAG_NCHW16C, plan.dtype)
    padded = lib.desc((1, full, height + 2, width + 2), dnnl.TAG_NCHW16C, plan.dtype)
    frame = frame_of(full, height, width, inset=1)
    inner = (1, full, height, width)
    inner_corner = (0, 0, 1, 1)

    def pad(
        source: Memory,
        target: Memory,
        backward: bool,
    ) -> None:
        source = recast(source, dense)
        target = recast(target, padded)
        middle = view(target, inner, inner_corner)
        copy(plan, "pad", source, middle, backward=backward)
        for box, to_corner, from_corner in frame:
            pixels = view(target, box, from_corner)
            strip = view(target, box, to_corner)
            copy(plan, "pad", pixels, strip, backward=backward)

    y = plan.passing(channels, height + 2, width + 2)
    pad(x.memory, y.memory, backward=False)
    if plan.lean:
        y.remake = lambda memory: pad(plan.saved(x), memory, backward=True)

    def undo() -> None:
        assert y.grad is not None
        plan.forget(y)
        of_y = recast(y.grad.memory, padded)
        # The frame's gradients go where its pixels came from, in the reverse order, corners included.
        for box, to_corner, from_corner in reversed(frame):
            copy(
                plan,
                "pad",
                source=view(of_y, box, to_corner),
                target=view(of_y, box, from_corner),
                backward=True,
                add=True,
            )
        if x.needs_grad:
            is_first = x.grad is None
            if x.grad is None:
                of_x = plan.new_grad(x)
            else:
                of_x = x.grad.memory
            copy(
                plan,
                "pad",
                source=view(of_y, inner, inner_corner),
                target=recast(of_x, dense),
                backward=True,
                add=not is_first,
            )
        plan.drop_grad(y)

    plan.on_backward(undo)
    return y


def frame_of(
    channels: int,
    height: int,
    width: int,
    *,
    inset: int,
) -> list[tuple[Sequence[int], Sequence[int], Sequence[int]]]:
    """(box, corner of the copy, corner of the original): columns first, then whole rows with their corners.

    The originals lie `inset` pixels inside the border: 1 for reflection, 0 for the border repeated.
    """
    column = (1, channels, height, 1)
    row = (1, channels, 1, width + 2)
    return [
        (column, (0, 0, 1, 0), (0, 0, 1, 1 + inset)),
        (column, (0, 0, 1, width + 1), (0, 0, 1, width - inset)),
        (row, (0, 0, 0, 0), (0, 0, 1 + inset, 0)),
        (row, (0, 0, height + 1, 0), (0, 0, height - inset, 0)),
    ]
