"""What can be written into a plan: convolution, padding, normalisation, activation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from paddle_umsft.methods.networks.ops import onednn as dnnl
from paddle_umsft.methods.networks.ops.onednn import Desc, Memory, OneDnnError, pair
from paddle_umsft.methods.networks.ops.plan import BLOCK, Param, Plan, Value, aligned


def copy(plan: Plan, label: str, source: Memory, target: Memory, *, backward: bool = False, add: bool = False) -> None:
    """Copy between layouts or views."""
    step = plan.lib.reorder(source.desc, target.desc, add).bind({dnnl.SRC: source, dnnl.DST: target})
    (plan.backward if backward else plan.forward).append((label, step))


def view(memory: Memory, box: Sequence[int], offsets: Sequence[int]) -> Memory:
    """A box inside a memory."""
    return Memory(memory.lib, memory.desc.part(box, offsets), aligned(memory.keep), memory.keep)


def recast(memory: Memory, desc: Desc) -> Memory:
    """The same bytes under another descriptor."""
    return Memory(memory.lib, desc, aligned(memory.keep), memory.keep)


class _Weights:
    """A convolution's weights in the kernel's layout, brought there once a step, and the way back.

    A joined input (`Plan.joined`) has unused channels between its parts. `order` says where the published
    order's channels lie in it: (start in the weight, count, start in the joined map) per part.
    """

    def __init__(self, plan: Plan, param: Param, in_channels: int, order: Sequence[tuple[int, int, int]]) -> None:
        self.plan, self.param, self.order = plan, param, order
        self.shape = param.shape
        if order:
            outside, _, high, wide = param.shape
            self.shape = (outside, in_channels, high, wide)
        self.plain = plan.lib.desc(self.shape, dnnl.TAG_NCHW)
        self.staged = plan.keep(self.plain) if order else param.memory

    def _boxes(self, whole: Memory, spread: Memory) -> list[tuple[Memory, Memory]]:
        outside, _, high, wide = self.shape
        pairs = []
        for start, count, target in self.order:
            box = (outside, count, high, wide)
            source = Memory(whole.lib, whole.desc.part(box, (0, start, 0, 0)), 0)
            unused = Memory(whole.lib, whole.desc, 0)
            ends = (source, unused) if whole is self.param.memory else (unused, source)
            self.plan.bound_params.append((self.param.index, 0, *ends))
            pairs.append((source, view(spread, box, (0, target, 0, 0))))
        return pairs

    def bring(self, wanted: Desc, *, backward: bool, stage: bool) -> Memory:
        """The weights in the layout a kernel wants."""
        if stage and self.order:
            for source, target in self._boxes(self.param.memory, self.staged):
                copy(self.plan, "weights", source, target, backward=backward)
        if wanted == self.plain:
            return self.staged
        target = self.plan.keep(wanted)
        copy(self.plan, "weights", self.staged, target, backward=backward)
        return target

    def send(self, gradient: Memory) -> None:
        """The gradient back into Paddle's layout."""
        if not self.order:
            copy(self.plan, "weights", gradient, self.param.grad, backward=True)
            return
        spread, buffer = self.plan.temporary(self.plain)
        copy(self.plan, "weights", gradient, spread, backward=True)
        for target, source in self._boxes(self.param.grad, spread):
            copy(self.plan, "weights", source, target, backward=True)
        self.plan.pool.give(buffer)


def conv(
    plan: Plan,
    x: Value,
    weight: Param,
    bias: Optional[Param],
    *,
    stride: int = 1,
    padding: int = 0,
    order: Sequence[tuple[int, int, int]] = (),
) -> Value:
    """Convolution with zero padding.

    Args:
        plan: Where to write.
        x: The map.
        weight: (C_out, C_in, k, k); (C, 1, 1, k, k) gives each channel a kernel of its own.
        bias: (C_out,), or None.
        stride: Of the kernel.
        padding: Pixels of zeros on each side.
        order: Where the weight's channels lie in a joined map (see `_Weights`).

    Raises:
        OneDnnError: If there is no fast kernel for it.
    """
    lib = plan.lib
    depthwise = len(weight.shape) == 5
    outside, inside, size = weight.shape[0], weight.shape[-3], weight.shape[-1]
    if x.shape[0] <= 3:
        raise OneDnnError("no fast kernel for so few channels")
    if depthwise and x.shape[0] != outside:
        raise OneDnnError("an input filled up to a block has more channels than there are kernels")
    if x.shape[0] != inside and not order and not depthwise:
        order = ((0, inside, 0),)  # an input of few channels, filled up to a block
    height, width = ((n + 2 * padding - size) // stride + 1 for n in x.shape[1:])
    y = plan.map(outside, height, width)
    weights = _Weights(plan, weight, x.shape[0], order)
    free = lib.desc(weights.shape, dnnl.TAG_ANY)
    bias_desc = bias.memory.desc if bias else None
    geometry = (pair(stride), pair(0), pair(padding), pair(padding))
    forward = lib.primitive(
        "convolution_forward", dnnl.FORWARD, dnnl.CONVOLUTION_DIRECT, x.desc, free, bias_desc, y.desc, *geometry
    )
    kernel_desc = forward.query(dnnl.Q_WEIGHTS)
    kernel = weights.bring(kernel_desc, backward=False, stage=True)
    args = {dnnl.SRC: x.memory, dnnl.WEIGHTS: kernel, dnnl.DST: y.memory}
    if bias:
        args[dnnl.BIAS] = bias.memory
    plan.forward.append(("conv", forward.bind(args)))

    def undo() -> None:
        assert y.grad is not None
        slope = y.grad.memory
        if not (weight.frozen and (bias is None or bias.frozen)):
            kind = "convolution_backward_weights"
            by_weight = lib.primitive(
                kind, dnnl.CONVOLUTION_DIRECT, x.desc, free, bias_desc, y.desc, *geometry, forward
            )
            gradient, buffer = plan.temporary(by_weight.query(dnnl.Q_DIFF_WEIGHTS))
            args = {dnnl.SRC: plan.saved(x), dnnl.DIFF_DST: slope, dnnl.DIFF_WEIGHTS: gradient}
            if bias:
                args[dnnl.DIFF_BIAS] = bias.grad
            plan.backward.append(("conv by weight", by_weight.bind(args)))
            weights.send(gradient)
            plan.pool.give(buffer)
        if x.needs_grad:
            by_data = lib.primitive(
                "convolution_backward_data", dnnl.CONVOLUTION_DIRECT, x.desc, free, y.desc, *geometry, forward
            )
            wanted = by_data.query(dnnl.Q_WEIGHTS)
            turned = kernel if wanted == kernel_desc else weights.bring(wanted, backward=True, stage=False)

            def write(memory: Memory) -> None:
                step = by_data.bind({dnnl.DIFF_DST: slope, dnnl.WEIGHTS: turned, dnnl.DIFF_SRC: memory})
                plan.backward.append(("conv by data", step))

            plan.add_grad(x, "conv by data", write)
        plan.drop_grad(y)

    plan.on_backward(undo)
    return y


def reflect(plan: Plan, x: Value) -> Value:
    """Reflection padding by one pixel."""
    lib, (channels, height, width) = plan.lib, x.shape
    full = -(-channels // BLOCK) * BLOCK  # unused channels of a block are copied along: they must be zero
    dense = lib.desc((1, full, height, width), dnnl.TAG_NCHW16C)
    padded = lib.desc((1, full, height + 2, width + 2), dnnl.TAG_NCHW16C)
    frame = _frame(full, height, width)
    box, corner = (1, full, height, width), (0, 0, 1, 1)

    def pad(source: Memory, target: Memory, backward: bool) -> None:
        source, target = recast(source, dense), recast(target, padded)
        copy(plan, "pad", source, view(target, box, corner), backward=backward)
        for strip, there, here in frame:
            copy(plan, "pad", view(target, strip, here), view(target, strip, there), backward=backward)

    y = plan.passing(channels, height + 2, width + 2)
    pad(x.memory, y.memory, False)
    if plan.lean:
        y.remake = lambda memory: pad(plan.saved(x), memory, True)

    def undo() -> None:
        assert y.grad is not None
        plan.forget(y)
        slope = recast(y.grad.memory, padded)
        for strip, there, here in reversed(frame):
            copy(plan, "pad", view(slope, strip, there), view(slope, strip, here), backward=True, add=True)
        if x.needs_grad:
            earlier = x.grad
            whole = recast(plan.new_grad(x) if earlier is None else earlier.memory, dense)
            copy(plan, "pad", view(slope, box, corner), whole, backward=True, add=earlier is not None)
        plan.drop_grad(y)

    plan.on_backward(undo)
    return y


def _frame(channels: int, height: int, width: int) -> list[tuple[Sequence[int], Sequence[int], Sequence[int]]]:
    """(box, offset of the copy, offset of the original): columns first, then whole rows with their corners."""
    column, row = (1, channels, height, 1), (1, channels, 1, width + 2)
    return [
        (column, (0, 0, 1, 0), (0, 0, 1, 2)),
        (column, (0, 0, 1, width + 1), (0, 0, 1, width - 1)),
        (row, (0, 0, 0, 0), (0, 0, 2, 0)),
        (row, (0, 0, height + 1, 0), (0, 0, height - 1, 0)),
    ]


def norm(
    plan: Plan,
    x: Value,
    scale: Param,
    shift: Param,
    layer: Any,
    *,
    start: int = 0,
    slope: Optional[float] = None,
    bend: int = dnnl.RELU_FROM_OUTPUT,
    out: Optional[Value] = None,
) -> Value:
    """Batch normalisation by the map's own statistics, then LeakyReLU where `slope` is given (0: ReLU).

    Args:
        plan: Where to write.
        x: The map.
        scale: (C,) weight, a part of it when `start` is not 0.
        shift: (C,) bias, likewise.
        layer: The BatchNorm layer: its epsilon, momentum and running statistics.
        start: First channel of the layer that x stands for.
        slope: Negative slope of the activation (of an ELU its alpha), None for no activation.
        bend: Kind of the activation: LeakyReLU or ELU, by its result.
        out: Write the result here (a part of a joined map).
    """
    lib = plan.lib
    y = out or plan.passing(*x.shape)
    fused = slope == 0.0
    flags = dnnl.USE_SCALE | dnnl.USE_SHIFT | (dnnl.FUSE_RELU if fused else 0)
    epsilon = float(layer._epsilon)
    (mean, mean_view), (variance, variance_view) = plan.vector(x.shape[0]), plan.vector(x.shape[0])
    forward = lib.primitive("batch_normalization_forward", dnnl.FORWARD, x.desc, y.desc, epsilon, flags)
    known = {dnnl.MEAN: mean, dnnl.VARIANCE: variance, dnnl.SCALE: scale.memory}
    mask = {dnnl.WORKSPACE: plan.keep(forward.query(dnnl.Q_WORKSPACE))} if fused else {}
    args = {**known, **mask, dnnl.SRC: x.memory, dnnl.SHIFT: shift.memory, dnnl.DST: y.memory}
    plan.forward.append(("norm", forward.bind(args)))
    plan.statistics.append((lambda: layer._mean, start, mean_view, layer._momentum))
    plan.statistics.append((lambda: layer._variance, start, variance_view, layer._momentum))
    bent = lib.primitive("eltwise_forward", dnnl.FORWARD, bend, y.desc, y.desc, slope or 0.0, 0.0)
    if slope:
        plan.forward.append(("activation", bent.bind({dnnl.SRC: y.memory, dnnl.DST: y.memory})))

    def remake(memory: Memory) -> None:
        again = lib.primitive(
            "batch_normalization_forward", dnnl.INFERENCE, x.desc, y.desc, epsilon, flags | dnnl.GLOBAL_STATISTICS
        )
        step = again.bind({**known, dnnl.SRC: plan.saved(x), dnnl.SHIFT: shift.memory, dnnl.DST: memory})
        plan.backward.append(("norm again", step))
        if slope:
            plan.backward.append(("activation again", bent.bind({dnnl.SRC: memory, dnnl.DST: memory})))

    if plan.lean:
        y.remake = remake

    def undo() -> None:
        assert y.grad is not None
        g = y.grad.memory
        if slope:
            back = lib.primitive("eltwise_backward", bend, y.desc, y.desc, y.desc, slope, 0.0, bent)
            step = back.bind({dnnl.DST: plan.saved(y), dnnl.DIFF_DST: g, dnnl.DIFF_SRC: g})
            plan.backward.append(("activation", step))
        plan.forget(y)
        kind = dnnl.BACKWARD
        back = lib.primitive("batch_normalization_backward", kind, x.desc, y.desc, x.desc, epsilon, flags, forward)
        args = {**known, **mask, dnnl.SRC: plan.saved(x), dnnl.DIFF_DST: g}
        args.update({dnnl.DIFF_SCALE: scale.grad, dnnl.DIFF_SHIFT: shift.grad})

        def write(memory: Memory) -> None:
            plan.backward.append(("norm", back.bind({**args, dnnl.DIFF_SRC: memory})))

        if plan.pass_grad(y, x):
            write(g)
        else:
            plan.add_grad(x, "norm", write)
            plan.drop_grad(y)

    plan.on_backward(undo)
    return y


def standardise(plan: Plan, x: Value, epsilon: float) -> Value:
    """Each channel to mean 0 and deviation 1: instance normalisation of the one image, without parameters."""
    lib = plan.lib
    y = plan.passing(*x.shape)
    (mean, _), (variance, _) = plan.vector(x.shape[0]), plan.vector(x.shape[0])
    known = {dnnl.MEAN: mean, dnnl.VARIANCE: variance}
    forward = lib.primitive("batch_normalization_forward", dnnl.FORWARD, x.desc, y.desc, epsilon, 0)
    plan.forward.append(("norm", forward.bind({**known, dnnl.SRC: x.memory, dnnl.DST: y.memory})))

    def remake(memory: Memory) -> None:
        flags = dnnl.GLOBAL_STATISTICS
        again = lib.primitive("batch_normalization_forward", dnnl.INFERENCE, x.desc, y.desc, epsilon, flags)
        plan.backward.append(("norm again", again.bind({**known, dnnl.SRC: plan.saved(x), dnnl.DST: memory})))

    if plan.lean:
        y.remake = remake

    def undo() -> None:
        assert y.grad is not None
        g = y.grad.memory
        plan.forget(y)
        kind = dnnl.BACKWARD_DATA
        back = lib.primitive("batch_normalization_backward", kind, x.desc, y.desc, x.desc, epsilon, 0, forward)
        args = {**known, dnnl.SRC: plan.saved(x), dnnl.DIFF_DST: g}

        def write(memory: Memory) -> None:
            plan.backward.append(("norm", back.bind({**args, dnnl.DIFF_SRC: memory})))

        if plan.pass_grad(y, x):
            write(g)
        else:
            plan.add_grad(x, "norm", write)
            plan.drop_grad(y)

    plan.on_backward(undo)
    return y


def elu(plan: Plan, x: Value) -> Value:
    """ELU, alpha 1."""
    return _pointwise(plan, x, dnnl.ELU, 1.0)


def relu(plan: Plan, x: Value) -> Value:
    """Rectifier."""
    return _pointwise(plan, x, dnnl.RELU, 0.0)


def sigmoid(plan: Plan, x: Value) -> Value:
    """Logistic function, for what leaves the plan: it makes the unused channels of a block one half, not zero."""
    return _pointwise(plan, x, dnnl.LOGISTIC, 0.0)


def _pointwise(plan: Plan, x: Value, kind: int, alpha: float) -> Value:
    channels, height, width = x.shape
    y = plan.map(*x.shape)
    # Over whole blocks: what does not keep their unused channels zero has a slow kernel only where it must mind them.
    full = -(-channels // BLOCK) * BLOCK
    dense = plan.lib.desc((1, full, height, width), dnnl.TAG_NCHW16C)
    forward = plan.lib.primitive("eltwise_forward", dnnl.FORWARD, kind, dense, dense, alpha, 0.0)
    ends = {dnnl.SRC: recast(x.memory, dense), dnnl.DST: recast(y.memory, dense)}
    plan.forward.append(("activation", forward.bind(ends)))

    def undo() -> None:
        assert y.grad is not None
        g = recast(y.grad.memory, dense)
        back = plan.lib.primitive("eltwise_backward", kind, dense, dense, dense, alpha, 0.0, forward)

        def write(memory: Memory) -> None:
            args = {dnnl.SRC: recast(plan.saved(x), dense), dnnl.DIFF_DST: g, dnnl.DIFF_SRC: recast(memory, dense)}
            plan.backward.append(("activation", back.bind(args)))

        if plan.pass_grad(y, x):
            write(g)
        else:
            plan.add_grad(x, "activation", write)
            plan.drop_grad(y)

    plan.on_backward(undo)
    return y
