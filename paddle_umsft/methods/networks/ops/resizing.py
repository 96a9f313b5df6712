"""What changes a map's size inside a plan: pooling, cropping, upsampling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paddle_umsft.methods.networks.ops import onednn as dnnl
from paddle_umsft.methods.networks.ops.blocks import copy, view
from paddle_umsft.methods.networks.ops.onednn import Memory, pair
from paddle_umsft.methods.networks.ops.plan import Plan, Value, aligned


def max_pool(plan: Plan, x: Value) -> Value:
    """Largest of each 2×2 block; an odd last row or column falls away."""
    lib = plan.lib
    channels, height, width = x.shape
    y = plan.map(channels, height // 2, width // 2)
    geometry = (pair(2), pair(2), pair(0), pair(0), pair(0))
    forward = lib.primitive("pooling_forward", dnnl.FORWARD, dnnl.MAX_POOL, x.desc, y.desc, *geometry)
    where = plan.keep(forward.query(dnnl.Q_WORKSPACE))
    plan.forward.append(("pool", forward.bind({dnnl.SRC: x.memory, dnnl.DST: y.memory, dnnl.WORKSPACE: where})))

    def undo() -> None:
        assert y.grad is not None
        g = y.grad.memory
        back = lib.primitive("pooling_backward", dnnl.MAX_POOL, x.desc, y.desc, *geometry, forward)

        def write(memory: Memory) -> None:
            step = back.bind({dnnl.DIFF_DST: g, dnnl.WORKSPACE: where, dnnl.DIFF_SRC: memory})
            plan.backward.append(("pool", step))

        plan.add_grad(x, "pool", write)
        plan.drop_grad(y)

    plan.on_backward(undo)
    return y


def crop(plan: Plan, x: Value, height: int, width: int) -> Value:
    """The middle (height, width) of a map."""
    channels = x.shape[0]
    if (height, width) == x.shape[1:]:
        return x
    corner = (0, 0, (x.shape[1] - height) // 2, (x.shape[2] - width) // 2)
    box = (1, channels, height, width)
    y = plan.map(channels, height, width)
    copy(plan, "crop", view(x.memory, box, corner), y.memory)

    def undo() -> None:
        assert y.grad is not None
        g = y.grad.memory

        def write(memory: Memory) -> None:
            copy(plan, "crop", plan.map(*x.shape).memory, memory, backward=True)
            copy(plan, "crop", g, view(memory, box, corner), backward=True)

        plan.add_grad(x, "crop", write)
        plan.drop_grad(y)

    plan.on_backward(undo)
    return y


def upsample_bilinear(plan: Plan, x: Value) -> Value:
    """Twice the height and width, linear, corners not aligned."""
    lib = plan.lib
    channels, height, width = x.shape
    y = plan.passing(channels, 2 * height, 2 * width)
    forward = lib.primitive("resampling_forward", dnnl.FORWARD, dnnl.RESAMPLE_LINEAR, None, x.desc, y.desc)
    plan.forward.append(("upsample", forward.bind({dnnl.SRC: x.memory, dnnl.DST: y.memory})))

    def remake(memory: Memory) -> None:
        plan.backward.append(("upsample again", forward.bind({dnnl.SRC: plan.saved(x), dnnl.DST: memory})))

    if plan.lean:
        y.remake = remake

    def undo() -> None:
        assert y.grad is not None
        plan.forget(y)
        g = y.grad.memory
        back = lib.primitive("resampling_backward", dnnl.RESAMPLE_LINEAR, None, x.desc, y.desc, forward)

        def write(memory: Memory) -> None:
            plan.backward.append(("upsample", back.bind({dnnl.DIFF_DST: g, dnnl.DIFF_SRC: memory})))

        plan.add_grad(x, "upsample", write)
        plan.drop_grad(y)

    plan.on_backward(undo)
    return y


def cubic_matrix(length: int) -> np.ndarray:
    """(2·length, length): bicubic ×2 of a line, a = -0.75, corners not aligned, borders repeated."""
    matrix = np.zeros((2 * length, length))
    for i in range(2 * length):
        centre = (i + 0.5) / 2 - 0.5
        base = int(np.floor(centre))
        for tap in range(base - 1, base + 3):
            d = abs(centre - tap)
            near = ((-0.75 + 2) * d - (-0.75 + 3)) * d * d + 1
            far = -0.75 * (((d - 5) * d + 8) * d - 4)
            matrix[i, min(max(tap, 0), length - 1)] += near if d <= 1 else far if d < 2 else 0.0
    return matrix.astype(np.float32)


def upsample_bicubic(plan: Plan, x: Value) -> Value:
    """Twice the height and width, cubic: two small matrix products on the plain layout."""
    channels, height, width = x.shape
    y = plan.map(channels, 2 * height, 2 * width)
    low = plan.keep(plan.lib.desc((1, *x.shape), dnnl.TAG_NCHW))
    high = plan.keep(plan.lib.desc((1, *y.shape), dnnl.TAG_NCHW))
    rows, columns = cubic_matrix(height), cubic_matrix(width)
    small, large = _numpy(low, x.shape), _numpy(high, y.shape)

    def enlarge() -> None:
        np.matmul(rows, small @ columns.T, out=large)

    def shrink() -> None:
        np.matmul(rows.T, large @ columns, out=small)

    copy(plan, "upsample", x.memory, low)
    plan.forward.append(("upsample", enlarge))
    copy(plan, "upsample", high, y.memory)

    def undo() -> None:
        assert y.grad is not None
        copy(plan, "upsample", y.grad.memory, high, backward=True)
        plan.backward.append(("upsample", shrink))
        plan.add_grad(x, "upsample", lambda memory: copy(plan, "upsample", low, memory, backward=True))
        plan.drop_grad(y)

    plan.on_backward(undo)
    return y


def _numpy(memory: Memory, shape: Sequence[int]) -> np.ndarray:
    start = aligned(memory.keep) - memory.keep.ctypes.data
    count = int(np.prod(shape))
    floats: np.ndarray = memory.keep[start : start + 4 * count].view(np.float32)
    return floats.reshape(tuple(shape))
