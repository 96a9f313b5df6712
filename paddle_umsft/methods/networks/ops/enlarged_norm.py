"""Normalising a map as batch normalisation would its bilinear enlargement ×2, at the small map's size.

Enlarging keeps a channel's mean, and what is added to or multiplied with a whole channel may be done before or behind
it. Only the variance is another: that of the enlarged map is mean((x - m) K(x - m)) on the small one, where K blurs
with `tap_maps.SQUARED`, the border repeated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from paddle_umsft.methods.networks.ops import onednn as dnnl
from paddle_umsft.methods.networks.ops.convolution import frame_of
from paddle_umsft.methods.networks.ops.depthwise import Blur
from paddle_umsft.methods.networks.ops.moving import copy, recast, view
from paddle_umsft.methods.networks.ops.onednn import Memory
from paddle_umsft.methods.networks.ops.plan import Plan
from paddle_umsft.methods.networks.ops.pointwise import hand_on, keep_statistics
from paddle_umsft.methods.networks.ops.tap_maps import SQUARED
from paddle_umsft.methods.networks.ops.values import BLOCK, Param, Value, as_floats, whole_blocks


def norm_enlarged(
    plan: Plan,
    x: Value,
    scale: Param,
    shift: Param,
    layer: Any,
    *,
    start: int,
) -> Value:
    """Normalise by the statistics of the enlargement; the result is still to be enlarged.

    Args:
        plan: Where to write.
        x: The small map.
        scale: (C,) weight, a part of the layer's.
        shift: (C,) bias, likewise.
        layer: The BatchNorm layer: its epsilon, momentum and running statistics.
        start: First channel of the layer that x stands for.
    """
    lib = plan.lib
    channels = x.shape[0]
    y = plan.passing(*x.shape)
    epsilon = float(layer._epsilon)
    flags = dnnl.USE_SCALE | dnnl.USE_SHIFT
    mean, mean_view = plan.vector(channels)
    variance, variance_view = plan.vector(channels)
    numbers = _with_smooth(plan, x, x.memory, backward=False)

    def measure() -> None:
        _measure(numbers, mean_view, variance_view)

    plan.forward.append(("norm", measure))
    numbers.give(plan)
    keep_statistics(
        plan,
        layer,
        start=start,
        mean=mean_view,
        variance=variance_view,
    )
    apply = lib.primitive(
        "batch_normalization_forward",
        dnnl.INFERENCE,
        x.desc,
        y.desc,
        epsilon,
        flags | dnnl.GLOBAL_STATISTICS,
    )
    known = {
        dnnl.MEAN: mean,
        dnnl.VARIANCE: variance,
        dnnl.SCALE: scale.memory,
    }
    applied = {**known, dnnl.SHIFT: shift.memory}
    plan.then(
        "norm",
        apply,
        {
            **applied,
            dnnl.SRC: x.memory,
            dnnl.DST: y.memory,
        },
    )

    def remake(memory: Memory) -> None:
        plan.then_back(
            "norm again",
            apply,
            {
                **applied,
                dnnl.SRC: plan.saved(x),
                dnnl.DST: memory,
            },
        )

    if plan.lean:
        y.remake = remake

    def undo() -> None:
        assert y.grad is not None
        plan.forget(y)
        entered = plan.saved(x)
        # NumPy reads both, and Paddle's own memory is elsewhere with every call.
        of_scale, of_scale_view = plan.vector(channels)
        factor, factor_view = plan.vector(channels)
        copy(plan, "norm", scale.memory, factor, backward=True)
        training = lib.primitive(
            "batch_normalization_forward",
            dnnl.FORWARD,
            x.desc,
            y.desc,
            epsilon,
            flags,
        )
        back = lib.primitive(
            "batch_normalization_backward",
            dnnl.BACKWARD,
            x.desc,
            y.desc,
            x.desc,
            epsilon,
            flags,
            training,
        )
        args = {
            **known,
            dnnl.SRC: entered,
            dnnl.DIFF_DST: y.grad.memory,
            dnnl.DIFF_SCALE: of_scale,
            dnnl.DIFF_SHIFT: shift.grad,
        }

        def write(memory: Memory) -> None:
            plan.then_back("norm", back, {**args, dnnl.DIFF_SRC: memory})
            copy(plan, "norm", of_scale, scale.grad, backward=True)
            numbers = _with_smooth(plan, x, entered, backward=True)
            of_x = _raised(plan, x, memory, backward=True)

            def correct() -> None:
                # With oneDNN's gradient the variance grows by x - m, that of the enlargement by K(x - m).
                squared_deviation = variance_view + epsilon
                weight = factor_view * of_scale_view
                weight /= squared_deviation * x.pixels
                _add_roughness(numbers, weight, of_x.rows)

            plan.backward.append(("norm", correct))
            of_x.send_back(plan, memory)
            numbers.give(plan)

        hand_on(plan, y, x, "norm", write)

    plan.on_backward(undo)
    return y


@dataclass(frozen=True)
class _Raised:
    """A map's numbers for NumPy.

    Attributes:
        rows: (blocks, h, w·16) float32.
        memory: Where they lie.
        buffer: The pool's, where they are a float32 copy of a map of another type.
    """

    rows: np.ndarray
    memory: Memory
    buffer: Optional[np.ndarray]

    def send_back(self, plan: Plan, target: Memory) -> None:
        """Round a copy's numbers back into their map, by a step of the backward list."""
        if self.buffer is None:
            return
        in_plan = _dense(plan, target, plan.dtype)
        copy(
            plan,
            "norm",
            self.memory,
            recast(target, in_plan),
            backward=True,
        )
        plan.pool.give(self.buffer)


@dataclass(frozen=True)
class _Numbers:
    """A map x and K x, (blocks, h, w·16) each, and the buffers that are given back when nobody reads them."""

    pixels: np.ndarray
    smooth: np.ndarray
    buffers: tuple[np.ndarray, ...]

    def give(self, plan: Plan) -> None:
        """Let others have the buffers."""
        for buffer in self.buffers:
            plan.pool.give(buffer)


def _dense(
    plan: Plan,
    memory: Memory,
    dtype: int,
    margin: int = 0,
) -> dnnl.Desc:
    """The layout of a map over whole blocks of channels, with a margin around it."""
    _, channels, height, width = memory.desc.dims
    dims = (1, whole_blocks(channels), height + 2 * margin, width + 2 * margin)
    return plan.lib.desc(dims, dnnl.TAG_NCHW16C, dtype)


def _raised(
    plan: Plan,
    x: Value,
    memory: Memory,
    *,
    backward: bool,
) -> _Raised:
    """A map's numbers where they lie, or in a copy where it is not float32."""
    channels, height, width = x.shape
    shape = (whole_blocks(channels) // BLOCK, height, width * BLOCK)
    dense = _dense(plan, memory, dnnl.F32)
    if plan.dtype == dnnl.F32:
        here = recast(memory, dense)
        return _Raised(rows=as_floats(here, shape), memory=here, buffer=None)
    copied, buffer = plan.temporary(dense)
    in_plan = _dense(plan, memory, plan.dtype)
    copy(
        plan,
        "norm",
        recast(memory, in_plan),
        copied,
        backward=backward,
    )
    return _Raised(rows=as_floats(copied, shape), memory=copied, buffer=buffer)


def _with_smooth(
    plan: Plan,
    x: Value,
    memory: Memory,
    *,
    backward: bool,
) -> _Numbers:
    """Blur a map with `SQUARED`, by steps of either list."""
    channels, height, width = x.shape
    full = whole_blocks(channels)
    raised = _raised(plan, x, memory, backward=backward)
    wide = _dense(plan, memory, dnnl.F32, margin=1)
    padded, padded_buffer = plan.temporary(wide)
    middle = view(padded, (1, full, height, width), (0, 0, 1, 1))
    copy(
        plan,
        "pad",
        raised.memory,
        middle,
        backward=backward,
    )
    # Around it the border repeated, as the enlargement has it.
    for box, to_corner, from_corner in frame_of(full, height, width, inset=0):
        nearest = view(padded, box, from_corner)
        strip = view(padded, box, to_corner)
        copy(
            plan,
            "pad",
            nearest,
            strip,
            backward=backward,
        )

    smooth, smooth_buffer = plan.temporary(raised.memory.desc)
    blur = Blur(plan, wide, smooth.desc, SQUARED)
    blur.run("norm", padded, smooth, backward=backward)
    plan.pool.give(padded_buffer)
    buffers = [smooth_buffer]
    if raised.buffer is not None:
        buffers.append(raised.buffer)
    return _Numbers(
        pixels=raised.rows,
        smooth=as_floats(smooth, raised.rows.shape),
        buffers=tuple(buffers),
    )


def _measure(
    numbers: _Numbers,
    mean: np.ndarray,
    variance: np.ndarray,
) -> None:
    """Write the enlargement's mean and variance of each channel, (C,) both; overwrites K x."""
    mean[:] = _channel_means(numbers.pixels)[: mean.size]
    centred = np.empty_like(numbers.pixels[0])  # (h, w·16)
    centres = _as_rows(mean, numbers.pixels)
    for pixels, smooth, centre in zip(numbers.pixels, numbers.smooth, centres):
        np.subtract(pixels, centre, out=centred)
        smooth -= centre
        smooth *= centred
    variance[:] = _channel_means(numbers.smooth)[: variance.size]


def _add_roughness(
    numbers: _Numbers,
    weight: np.ndarray,
    target: np.ndarray,
) -> None:
    """Add weight (C,) times x - K x to a target (blocks, h, w·16); overwrites K x."""
    weights = _as_rows(weight, numbers.pixels)
    for pixels, smooth, factor, row in zip(numbers.pixels, numbers.smooth, weights, target):
        np.subtract(pixels, smooth, out=smooth)
        smooth *= factor
        row += smooth


def _channel_means(pixels: np.ndarray) -> np.ndarray:
    """Mean of each channel of (blocks, h, w·16): (blocks·16,)."""
    blocks, height, row = pixels.shape
    width = row // BLOCK
    columns = pixels.sum(axis=1)  # (blocks, w·16)
    columns = columns.reshape(blocks, width, BLOCK)
    # In double: few are left, and many numbers have gone into each.
    sums = columns.sum(axis=1, dtype=np.float64)
    means: np.ndarray = sums.reshape(-1) / (height * width)
    return means


def _as_rows(vector: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """A number a channel (C,), as rows that go with those of (blocks, h, w·16): (blocks, w·16)."""
    blocks, _, row = pixels.shape
    full = np.zeros((blocks, BLOCK), np.float32)
    full.reshape(-1)[: vector.size] = vector
    return np.tile(full, (1, row // BLOCK))
