"""A 3×3 kernel as nine kernels of one pixel, inside a plan."""

from __future__ import annotations

from paddle_umsft.methods.networks.ops import onednn as dnnl
from paddle_umsft.methods.networks.ops.moving import copy, recast
from paddle_umsft.methods.networks.ops.onednn import Desc, Memory
from paddle_umsft.methods.networks.ops.plan import Plan
from paddle_umsft.methods.networks.ops.values import Bound, Param, whole_blocks

TAPS = 3  # along a side of the kernel
ALL_TAPS = TAPS * TAPS


class TapWeights:
    """Some of a 3×3 kernel's input channels: the taps one behind the other, each in whole blocks of output channels.

    Args:
        plan: Where to write.
        param: (C_out, all C_in, 3, 3).
        start: First input channel.
        count: How many there are.

    Attributes:
        shape: (9 × whole blocks of C_out, count, 1, 1), of a convolution that applies all taps at once.
    """

    def __init__(
        self,
        plan: Plan,
        param: Param,
        start: int,
        count: int,
    ) -> None:
        self.plan = plan
        self.param = param
        outside = param.shape[0]
        whole = whole_blocks(outside)
        self.shape = (ALL_TAPS * whole, count, 1, 1)
        self._plain = plan.lib.desc(self.shape, dnnl.TAG_NCHW)
        self._staged = plan.keep(self._plain)  # rows that no output channel has stay zero
        box = (outside, count, TAPS, TAPS)
        self._part = param.memory.desc.part(box, (0, start, 0, 0))
        # The same box among the staged kernels, where the taps lie farthest apart.
        a_tap = whole * count
        a_row = TAPS * a_tap
        self._box = plan.lib.strided(box, (count, 1, a_row, a_tap))

    def bring(self, wanted: Desc) -> Memory:
        """The taps in the layout wanted, by steps of the forward list."""
        part = self._bound().memory
        boxed = recast(self._staged, self._box)
        copy(self.plan, "weights", part, boxed)
        target = self.plan.keep(wanted)
        copy(self.plan, "weights", self._staged, target)
        return target

    def bring_again(self, wanted: Desc) -> Memory:
        """The same in another layout, by a step of the backward list."""
        # The forward run has staged them.
        target = self.plan.keep(wanted)
        copy(
            self.plan,
            "weights",
            self._staged,
            target,
            backward=True,
        )
        return target

    def send(self, gradient: Memory) -> None:
        """The gradient back into Paddle's layout."""
        staged, buffer = self.plan.temporary(self._plain)
        copy(
            self.plan,
            "weights",
            gradient,
            staged,
            backward=True,
        )
        of_part = self._bound().grad
        boxed = recast(staged, self._box)
        copy(
            self.plan,
            "weights",
            boxed,
            of_part,
            backward=True,
        )
        self.plan.pool.give(buffer)

    def _bound(self) -> Bound:
        """The part of the parameter and of its gradient, to be pointed at Paddle's memory with every call."""
        lib = self.plan.lib
        bound = Bound(
            index=self.param.index,
            offset=0,
            memory=Memory(lib, self._part, 0),
            grad=Memory(lib, self._part, 0),
        )
        self.plan.bound_params.append(bound)
        return bound
