"""A 3×3 convolution of a bilinear enlargement ×2, at the small map's size: a quarter of the multiplications.

The enlarged map is never made; `tap_maps` has the arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paddle_umsft.methods.networks.ops import onednn as dnnl
from paddle_umsft.methods.networks.ops.depthwise import Blur
from paddle_umsft.methods.networks.ops.moving import copy, recast
from paddle_umsft.methods.networks.ops.onednn import Memory, pair
from paddle_umsft.methods.networks.ops.plan import Plan
from paddle_umsft.methods.networks.ops.tap_maps import BLUR, PADDINGS, gather, spread
from paddle_umsft.methods.networks.ops.tap_weights import ALL_TAPS, TAPS, TapWeights
from paddle_umsft.methods.networks.ops.values import BLOCK, Param, Value, as_floats, whole_blocks


def conv_enlarged(
    plan: Plan,
    x: Value,
    onto: Value,
    weight: Param,
    *,
    start: int,
    padding: str,
) -> None:
    """Add the convolution of an enlargement onto a map; what made that map drops its gradient.

    Args:
        plan: Where to write.
        x: (C, h, w), the small map.
        onto: (C_out, 2h, 2w), to which the other input channels have contributed, and the bias.
        weight: (C_out, all C_in, 3, 3).
        start: First of the input channels that x stands for.
        padding: Of the enlarged map by one pixel, "reflect" or "zeros".
    """
    mixing = _Mixing(plan, x, weight, start)
    blurring = _Blurring(plan, x, onto, padding)
    taps, buffer = mixing.run()
    blurring.run(taps, buffer)

    def undo() -> None:
        of_taps, buffer = blurring.undo()
        mixing.undo(of_taps, buffer)

    plan.on_backward(undo)


class _Mixing:
    """The nine taps' mixes of a small map's channels, as one convolution by one pixel, (C, h, w) -> (9·C_out, h, w).

    Args:
        plan: Where to write.
        x: The small map.
        weight: (C_out, all C_in, 3, 3).
        start: First of the input channels that x stands for.
    """

    def __init__(
        self,
        plan: Plan,
        x: Value,
        weight: Param,
        start: int,
    ) -> None:
        self.plan = plan
        self.x = x
        self.weight = weight
        channels, height, width = x.shape
        self.weights = TapWeights(plan, weight, start, channels)
        dims = (1, self.weights.shape[0], height, width)
        self.mixed = plan.lib.desc(dims, dnnl.TAG_NCHW16C)
        # The gradients' kernels take all maps in one type.
        self.lowered = plan.lib.desc(dims, dnnl.TAG_NCHW16C, plan.dtype)
        self.any_layout = plan.lib.desc(self.weights.shape, dnnl.TAG_ANY, plan.dtype)
        self.any_gradient = plan.lib.desc(self.weights.shape, dnnl.TAG_ANY)
        self.geometry = (pair(1), pair(0), pair(0), pair(0))
        no_bias = None
        self.forward = plan.lib.primitive(
            "convolution_forward",
            dnnl.FORWARD,
            dnnl.CONVOLUTION_DIRECT,
            x.desc,
            self.any_layout,
            no_bias,
            self.mixed,
            *self.geometry,
        )
        self.kernel_desc = self.forward.query(dnnl.Q_WEIGHTS)
        self.kernel = self.weights.bring(self.kernel_desc)

    def run(self) -> tuple[Memory, np.ndarray]:
        """Mix; returns where the mixes are, in float32, and the buffer to be given back."""
        taps, buffer = self.plan.temporary(self.mixed)
        self.plan.then(
            "conv",
            self.forward,
            {
                dnnl.SRC: self.x.memory,
                dnnl.WEIGHTS: self.kernel,
                dnnl.DST: taps,
            },
        )
        return taps, buffer

    def undo(self, of_taps: Memory, buffer: np.ndarray) -> None:
        """From the mixes' gradient, whose buffer it gives back, those of the weights and of the map."""
        if self.lowered != self.mixed:
            small, small_buffer = self.plan.temporary(self.lowered)
            copy(
                self.plan,
                "lower",
                of_taps,
                small,
                backward=True,
            )
            self.plan.pool.give(buffer)
            of_taps, buffer = small, small_buffer
        if not self.weight.frozen:
            self._undo_weights(of_taps)
        self._undo_data(of_taps)
        self.plan.pool.give(buffer)

    def _undo_weights(self, of_taps: Memory) -> None:
        plan = self.plan
        no_bias = None
        by_weight = plan.lib.primitive(
            "convolution_backward_weights",
            dnnl.CONVOLUTION_DIRECT,
            self.x.desc,
            self.any_gradient,
            no_bias,
            self.lowered,
            *self.geometry,
            self.forward,
        )
        wanted = by_weight.query(dnnl.Q_DIFF_WEIGHTS)
        gradient, buffer = plan.temporary(wanted)
        plan.then_back(
            "conv by weight",
            by_weight,
            {
                dnnl.SRC: plan.saved(self.x),
                dnnl.DIFF_DST: of_taps,
                dnnl.DIFF_WEIGHTS: gradient,
            },
        )
        self.weights.send(gradient)
        plan.pool.give(buffer)

    def _undo_data(self, of_taps: Memory) -> None:
        plan = self.plan
        by_data = plan.lib.primitive(
            "convolution_backward_data",
            dnnl.CONVOLUTION_DIRECT,
            self.x.desc,
            self.any_layout,
            self.lowered,
            *self.geometry,
            self.forward,
        )
        wanted = by_data.query(dnnl.Q_WEIGHTS)
        turned = self.kernel
        if wanted != self.kernel_desc:
            turned = self.weights.bring_again(wanted)

        def write(memory: Memory) -> None:
            plan.then_back(
                "conv by data",
                by_data,
                {
                    dnnl.DIFF_DST: of_taps,
                    dnnl.WEIGHTS: turned,
                    dnnl.DIFF_SRC: memory,
                },
            )

        plan.add_grad(self.x, "conv by data", write)


class _Blurring:
    """What becomes of the mixes: repeated, shifted by their taps, summed and blurred onto the result.

    Args:
        plan: Where to write.
        x: The small map, (C, h, w).
        onto: The result, (C_out, 2h, 2w).
        padding: Of the enlarged map.
    """

    def __init__(
        self,
        plan: Plan,
        x: Value,
        onto: Value,
        padding: str,
    ) -> None:
        self.plan = plan
        self.onto = onto
        self.padding = PADDINGS[padding]
        _, self.height, self.width = x.shape
        channels = whole_blocks(onto.shape[0])
        blocks = channels // BLOCK
        tall = 2 * self.height + 2
        wide = 2 * self.width + 2
        self.taps_shape = (TAPS, TAPS, blocks, self.height, self.width, BLOCK)
        self.sum_shape = (blocks, tall, wide, BLOCK)
        self.sum = plan.lib.desc((1, channels, tall, wide), dnnl.TAG_NCHW16C)
        large = (1, channels, 2 * self.height, 2 * self.width)
        self.large = plan.lib.desc(large, dnnl.TAG_NCHW16C)
        self.in_plan = plan.lib.desc(large, dnnl.TAG_NCHW16C, plan.dtype)
        self.blur = Blur(plan, self.sum, self.large, BLUR)

    def run(self, taps: Memory, buffer: np.ndarray) -> None:
        """Sum and blur; gives the mixes' buffer back."""
        plan = self.plan
        total, total_buffer = plan.temporary(self.sum)
        # A block of channels at a time, summed along the rows but not yet along the columns.
        _, tall_length, _, _ = self.sum_shape
        tall, tall_buffer = self._room((TAPS, 1, tall_length, self.width, BLOCK))
        mixes = as_floats(taps, self.taps_shape)
        sums = as_floats(total, self.sum_shape)
        plan.forward.append(("spread", lambda: spread(mixes, tall, sums, self.padding)))
        plan.pool.give(buffer)
        plan.pool.give(tall_buffer)
        result = recast(self.onto.memory, self.in_plan)
        # A float32 result takes the blur's own numbers, another one's are rounded on their way.
        if self.in_plan == self.large:
            self.blur.run("blur", total, result, add=True)
        else:
            blurred, blurred_buffer = plan.temporary(self.large)
            self.blur.run("blur", total, blurred)
            copy(plan, "blur", blurred, result, add=True)
            plan.pool.give(blurred_buffer)
        plan.pool.give(total_buffer)

    def undo(self) -> tuple[Memory, np.ndarray]:
        """Bring the result's gradient back to the mixes; returns where, in float32, and the buffer."""
        plan = self.plan
        assert self.onto.grad is not None
        of_result = recast(self.onto.grad.memory, self.in_plan)
        of_sum, sum_buffer = plan.temporary(self.sum)
        if self.in_plan == self.large:
            self.blur.undo("blur", of_result, of_sum)
        else:
            raised, raised_buffer = plan.temporary(self.large)
            copy(
                plan,
                "blur",
                of_result,
                raised,
                backward=True,
            )
            self.blur.undo("blur", raised, of_sum)
            plan.pool.give(raised_buffer)

        blocks, _, wide, _ = self.sum_shape
        channels = ALL_TAPS * blocks * BLOCK
        mixed = plan.lib.desc((1, channels, self.height, self.width), dnnl.TAG_NCHW16C)
        of_taps, buffer = plan.temporary(mixed)
        low, low_buffer = self._room((TAPS, 1, self.height, wide, BLOCK))
        of_sums = as_floats(of_sum, self.sum_shape)
        of_mixes = as_floats(of_taps, self.taps_shape)
        plan.backward.append(("gather", lambda: gather(of_sums, low, of_mixes, self.padding)))
        plan.pool.give(low_buffer)
        plan.pool.give(sum_buffer)
        return of_taps, buffer

    def _room(self, shape: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Passing room for float32 numbers, and the buffer to give back."""
        count = int(np.prod(shape))
        memory, buffer = self.plan.temporary(self.plan.lib.desc((count,), dnnl.TAG_NCHW))
        return as_floats(memory, shape), buffer
