"""What changes a map's size inside a plan: pooling, cropping, upsampling."""

from __future__ import annotations

import numpy as np

from paddle_umsft.methods.networks.exact import bicubic_matrix
from paddle_umsft.methods.networks.ops import onednn as dnnl
from paddle_umsft.methods.networks.ops.moving import copy, view
from paddle_umsft.methods.networks.ops.onednn import Memory, pair
from paddle_umsft.methods.networks.ops.plan import Plan
from paddle_umsft.methods.networks.ops.values import Value, as_floats


def max_pool(plan: Plan, x: Value) -> Value:
    """Largest of each 2×2 block; an odd last row or column falls away."""
    lib = plan.lib
    channels, height, width = x.shape
    y = plan.map(channels, height // 2, width // 2)  # (C, H/2, W/2)
    stride = kernel = pair(2)
    dilation = padding = pair(0)
    geometry = (stride, kernel, dilation, padding, padding)
    forward = lib.primitive(
        "pooling_forward",
        dnnl.FORWARD,
        dnnl.MAX_POOL,
        x.desc,
        y.desc,
        *geometry,
    )
    # Which of the four it was.
    workspace = forward.query(dnnl.Q_WORKSPACE)
    where = plan.keep(workspace)
    plan.then(
        "pool",
        forward,
        {
            dnnl.SRC: x.memory,
            dnnl.DST: y.memory,
            dnnl.WORKSPACE: where,
        },
    )

    def undo() -> None:
        assert y.grad is not None
        of_y = y.grad.memory
        back = lib.primitive(
            "pooling_backward",
            dnnl.MAX_POOL,
            x.desc,
            y.desc,
            *geometry,
            forward,
        )

        def write(memory: Memory) -> None:
            plan.then_back(
                "pool",
                back,
                {
                    dnnl.DIFF_DST: of_y,
                    dnnl.WORKSPACE: where,
                    dnnl.DIFF_SRC: memory,
                },
            )

        plan.add_grad(x, "pool", write)
        plan.drop_grad(y)

    plan.on_backward(undo)
    return y


def crop(
    plan: Plan,
    x: Value,
    height: int,
    width: int,
) -> Value:
    """The middle (height, width) of a map."""
    channels, full_height, full_width = x.shape
    if (height, width) == (full_height, full_width):
        return x
    top = (full_height - height) // 2
    left = (full_width - width) // 2
    corner = (0, 0, top, left)
    box = (1, channels, height, width)
    y = plan.map(channels, height, width)
    middle = view(x.memory, box, corner)
    copy(plan, "crop", middle, y.memory)

    def undo() -> None:
        assert y.grad is not None
        of_y = y.grad.memory

        def write(memory: Memory) -> None:
            # The margin's gradient is zero: a kept map that nothing is ever written into brings the zeros.
            zeros = plan.map(*x.shape)
            of_middle = view(memory, box, corner)
            copy(plan, "crop", zeros.memory, memory, backward=True)
            copy(plan, "crop", of_y, of_middle, backward=True)

        plan.add_grad(x, "crop", write)
        plan.drop_grad(y)

    plan.on_backward(undo)
    return y


def upsample_bilinear(plan: Plan, x: Value) -> Value:
    """Twice the height and width, linear, corners not aligned."""
    lib = plan.lib
    channels, height, width = x.shape
    y = plan.passing(channels, 2 * height, 2 * width)  # (C, 2H, 2W)
    factors = None  # by the sizes
    sizes = (dnnl.RESAMPLE_LINEAR, factors, x.desc, y.desc)
    forward = lib.primitive("resampling_forward", dnnl.FORWARD, *sizes)
    plan.then("upsample", forward, {dnnl.SRC: x.memory, dnnl.DST: y.memory})

    def remake(memory: Memory) -> None:
        entered = plan.saved(x)
        plan.then_back("upsample again", forward, {dnnl.SRC: entered, dnnl.DST: memory})

    if plan.lean:
        y.remake = remake

    def undo() -> None:
        assert y.grad is not None
        plan.forget(y)
        of_y = y.grad.memory
        back = lib.primitive("resampling_backward", *sizes, forward)

        def write(memory: Memory) -> None:
            plan.then_back("upsample", back, {dnnl.DIFF_DST: of_y, dnnl.DIFF_SRC: memory})

        plan.add_grad(x, "upsample", write)
        plan.drop_grad(y)

    plan.on_backward(undo)
    return y


def upsample_bicubic(plan: Plan, x: Value) -> Value:
    """Twice the height and width, cubic: two small matrix products on the plain layout."""
    channels, height, width = x.shape
    y = plan.map(channels, 2 * height, 2 * width)  # (C, 2H, 2W)
    # oneDNN has no cubic kernel; NumPy takes the numbers as Paddle lays them out.
    low_desc = plan.lib.desc((1, *x.shape), dnnl.TAG_NCHW)
    high_desc = plan.lib.desc((1, *y.shape), dnnl.TAG_NCHW)
    low = plan.keep(low_desc)
    high = plan.keep(high_desc)
    small = as_floats(low, x.shape)  # (C, H, W)
    large = as_floats(high, y.shape)  # (C, 2H, 2W)
    rows = bicubic_matrix(height, 2 * height)  # (2H, H)
    rows = rows.astype(np.float32)
    columns = bicubic_matrix(width, 2 * width)  # (2W, W)
    columns = columns.astype(np.float32)

    def enlarge() -> None:
        wide = small @ columns.T  # (C, H, 2W)
        np.matmul(rows, wide, out=large)

    def shrink() -> None:
        narrow = large @ columns  # (C, 2H, W)
        np.matmul(rows.T, narrow, out=small)

    copy(plan, "upsample", x.memory, low)
    plan.forward.append(("upsample", enlarge))
    copy(plan, "upsample", high, y.memory)

    def write(memory: Memory) -> None:
        copy(plan, "upsample", low, memory, backward=True)

    def undo() -> None:
        assert y.grad is not None
        copy(plan, "upsample", y.grad.memory, high, backward=True)
        plan.backward.append(("upsample", shrink))
        plan.add_grad(x, "upsample", write)
        plan.drop_grad(y)

    plan.on_backward(undo)
    return y
