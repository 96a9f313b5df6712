"""What a plan does to every channel or number of a map by itself: normalisation and activation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Optional

import numpy as np

from paddle_umsft.methods.networks.ops import onednn as dnnl
from paddle_umsft.methods.networks.ops.moving import recast
from paddle_umsft.methods.networks.ops.onednn import Memory
from paddle_umsft.methods.networks.ops.outside import Statistic
from paddle_umsft.methods.networks.ops.plan import Plan
from paddle_umsft.methods.networks.ops.values import Param, Value, whole_blocks

ELU_ALPHA = 1.0
UNUSED = 0.0  # oneDNN asks for an alpha and a beta of every activation


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
    y = out
    if y is None:
        y = plan.passing(*x.shape)
    epsilon = float(layer._epsilon)
    flags = dnnl.USE_SCALE | dnnl.USE_SHIFT
    fuses_relu = slope == 0.0
    if fuses_relu:
        flags |= dnnl.FUSE_RELU
    mean, mean_view = plan.vector(x.shape[0])
    variance, variance_view = plan.vector(x.shape[0])

    forward = lib.primitive(
        "batch_normalization_forward",
        dnnl.FORWARD,
        x.desc,
        y.desc,
        epsilon,
        flags,
    )
    known = {
        dnnl.MEAN: mean,
        dnnl.VARIANCE: variance,
        dnnl.SCALE: scale.memory,
    }
    mask: dict[int, Memory] = {}
    if fuses_relu:
        # Where the ReLU let through.
        workspace = forward.query(dnnl.Q_WORKSPACE)
        mask[dnnl.WORKSPACE] = plan.keep(workspace)
    plan.then(
        "norm",
        forward,
        {
            **known,
            **mask,
            dnnl.SRC: x.memory,
            dnnl.SHIFT: shift.memory,
            dnnl.DST: y.memory,
        },
    )
    keep_statistics(
        plan,
        layer,
        start=start,
        mean=mean_view,
        variance=variance_view,
    )
    # A ReLU is fused already, and no activation has no slope either.
    bends = bool(slope)
    alpha = slope or UNUSED
    bent = lib.primitive(
        "eltwise_forward",
        dnnl.FORWARD,
        bend,
        y.desc,
        y.desc,
        alpha,
        UNUSED,
    )
    if bends:
        plan.then("activation", bent, {dnnl.SRC: y.memory, dnnl.DST: y.memory})

    def remake(memory: Memory) -> None:
        _norm_again(
            plan,
            x,
            y,
            target=memory,
            known={**known, dnnl.SHIFT: shift.memory},
            epsilon=epsilon,
            flags=flags,
        )
        if bends:
            plan.then_back("activation again", bent, {dnnl.SRC: memory, dnnl.DST: memory})

    if plan.lean:
        y.remake = remake

    def undo() -> None:
        assert y.grad is not None
        of_y = y.grad.memory
        if bends:
            unbend = lib.primitive(
                "eltwise_backward",
                bend,
                y.desc,
                y.desc,
                y.desc,
                alpha,
                UNUSED,
                bent,
            )
            # In place: nobody needs the gradient behind the activation any more.
            plan.then_back(
                "activation",
                unbend,
                {
                    dnnl.DST: plan.saved(y),
                    dnnl.DIFF_DST: of_y,
                    dnnl.DIFF_SRC: of_y,
                },
            )
        plan.forget(y)
        back = lib.primitive(
            "batch_normalization_backward",
            dnnl.BACKWARD,
            x.desc,
            y.desc,
            x.desc,
            epsilon,
            flags,
            forward,
        )
        args = {
            **known,
            **mask,
            dnnl.SRC: plan.saved(x),
            dnnl.DIFF_DST: of_y,
            dnnl.DIFF_SCALE: scale.grad,
            dnnl.DIFF_SHIFT: shift.grad,
        }

        def write(memory: Memory) -> None:
            plan.then_back("norm", back, {**args, dnnl.DIFF_SRC: memory})

        hand_on(plan, y, x, "norm", write)

    plan.on_backward(undo)
    return y


def keep_statistics(
    plan: Plan,
    layer: Any,
    *,
    start: int,
    mean: np.ndarray,
    variance: np.ndarray,
) -> None:
    """Have a layer's running statistics move after every forward run; (C,) views of the run's own."""
    running_mean = Statistic(
        running=lambda: layer._mean,
        start=start,
        batch=mean,
        momentum=layer._momentum,
    )
    running_variance = Statistic(
        running=lambda: layer._variance,
        start=start,
        batch=variance,
        momentum=layer._momentum,
    )
    plan.statistics += [running_mean, running_variance]


def standardise(
    plan: Plan,
    x: Value,
    epsilon: float,
) -> Value:
    """Each channel to mean 0 and deviation 1: instance normalisation of the one image, without parameters."""
    lib = plan.lib
    no_flags = 0
    y = plan.passing(*x.shape)
    mean, _ = plan.vector(x.shape[0])
    variance, _ = plan.vector(x.shape[0])
    known = {dnnl.MEAN: mean, dnnl.VARIANCE: variance}
    forward = lib.primitive(
        "batch_normalization_forward",
        dnnl.FORWARD,
        x.desc,
        y.desc,
        epsilon,
        no_flags,
    )
    plan.then(
        "norm",
        forward,
        {
            **known,
            dnnl.SRC: x.memory,
            dnnl.DST: y.memory,
        },
    )

    def remake(memory: Memory) -> None:
        _norm_again(
            plan,
            x,
            y,
            target=memory,
            known=known,
            epsilon=epsilon,
            flags=no_flags,
        )

    if plan.lean:
        y.remake = remake

    def undo() -> None:
        assert y.grad is not None
        of_y = y.grad.memory
        plan.forget(y)
        back = lib.primitive(
            "batch_normalization_backward",
            dnnl.BACKWARD_DATA,
            x.desc,
            y.desc,
            x.desc,
            epsilon,
            no_flags,
            forward,
        )
        args = {
            **known,
            dnnl.SRC: plan.saved(x),
            dnnl.DIFF_DST: of_y,
        }

        def write(memory: Memory) -> None:
            plan.then_back("norm", back, {**args, dnnl.DIFF_SRC: memory})

        hand_on(plan, y, x, "norm", write)

    plan.on_backward(undo)
    return y


def _norm_again(
    plan: Plan,
    x: Value,
    y: Value,
    *,
    target: Memory,
    known: Mapping[int, Memory],
    epsilon: float,
    flags: int,
) -> None:
    """Normalise a second time, in the backward run, by the statistics of the first."""
    again = plan.lib.primitive(
        "batch_normalization_forward",
        dnnl.INFERENCE,
        x.desc,
        y.desc,
        epsilon,
        flags | dnnl.GLOBAL_STATISTICS,
    )
    plan.then_back(
        "norm again",
        again,
        {
            **known,
            dnnl.SRC: plan.saved(x),
            dnnl.DST: target,
        },
    )


def hand_on(
    plan: Plan,
    y: Value,
    x: Value,
    label: str,
    write: Callable[[Memory], None],
) -> None:
    """Let `write` turn the gradient of y into that of x: in place where nobody else has a share in either."""
    assert y.grad is not None
    of_y = y.grad.memory
    if plan.pass_grad(y, x):
        write(of_y)
        return
    plan.add_grad(x, label, write)
    plan.drop_grad(y)


def elu(plan: Plan, x: Value) -> Value:
    """ELU, alpha 1."""
    return _bend(plan, x, dnnl.ELU, ELU_ALPHA)


def relu(plan: Plan, x: Value) -> Value:
    """Rectifier."""
    return _bend(plan, x, dnnl.RELU, UNUSED)


def sigmoid(plan: Plan, x: Value) -> Value:
    """Logistic function, for what leaves the plan: it makes the unused channels of a block one half, not zero."""
    return _bend(plan, x, dnnl.LOGISTIC, UNUSED)


def _bend(
    plan: Plan,
    x: Value,
    kind: int,
    alpha: float,
) -> Value:
    channels, height, width = x.shape
    dtype = x.desc.dtype
    y = plan.map(*x.shape, dtype)
    # Over whole blocks: what does not keep their unused channels zero has a slow kernel only where it must mind them.
    full = whole_blocks(channels)
    dense = plan.lib.desc((1, full, height, width), dnnl.TAG_NCHW16C, dtype)
    forward = plan.lib.primitive(
        "eltwise_forward",
        dnnl.FORWARD,
        kind,
        dense,
        dense,
        alpha,
        UNUSED,
    )
    plan.then(
        "activation",
        forward,
        {
            dnnl.SRC: recast(x.memory, dense),
            dnnl.DST: recast(y.memory, dense),
        },
    )

    def undo() -> None:
        assert y.grad is not None
        of_y = recast(y.grad.memory, dense)
        back = plan.lib.primitive(
            "eltwise_backward",
            kind,
            dense,
            dense,
            dense,
            alpha,
            UNUSED,
            forward,
        )

        def write(memory: Memory) -> None:
            plan.then_back(
                "activation",
                back,
                {
                    dnnl.SRC: recast(plan.saved(x), dense),
                    dnnl.DIFF_DST: of_y,
                    dnnl.DIFF_SRC: recast(memory, dense),
                },
            )

        # `write` recasts itself, so it is given the memory as it is.
        hand_on(plan, y, x, "activation", write)

    plan.on_backward(undo)
    return y
