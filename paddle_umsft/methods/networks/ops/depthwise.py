"""Fixed 3×3 kernels, the same for every channel of a float32 map: blurs inside a plan."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paddle_umsft.methods.networks.ops import onednn as dnnl
from paddle_umsft.methods.networks.ops.onednn import Desc, Memory, Primitive, pair
from paddle_umsft.methods.networks.ops.plan import Plan
from paddle_umsft.methods.networks.ops.values import as_floats

SIZE = 3  # pixels along a side of the kernels


class Blur:
    """A convolution of each channel with the same kernel, without padding: (C, H + 2, W + 2) -> (C, H, W).

    Args:
        plan: Whose lists it writes into.
        source: Layout of what is blurred, whole blocks of channels.
        target: Layout of the result.
        along: The kernel along either axis.
    """

    def __init__(
        self,
        plan: Plan,
        source: Desc,
        target: Desc,
        along: Sequence[float],
    ) -> None:
        self.plan = plan
        self.source = source
        self.target = target
        self.along = along
        self.shape = (source.dims[1], 1, 1, SIZE, SIZE)
        self._any_layout = plan.lib.desc(self.shape, dnnl.TAG_ANY)
        self._geometry = (pair(1), pair(0), pair(0), pair(0))

    def run(
        self,
        label: str,
        source: Memory,
        target: Memory,
        *,
        backward: bool = False,
        add: bool = False,
    ) -> None:
        """Blur `source` into `target`, with `add` onto what is there, as a step of the forward or the backward list."""
        forward = self._forward(add)
        kernel = self._kernel(forward.query(dnnl.Q_WEIGHTS))
        args = {
            dnnl.SRC: source,
            dnnl.WEIGHTS: kernel,
            dnnl.DST: target,
        }
        if backward:
            self.plan.then_back(label, forward, args)
        else:
            self.plan.then(label, forward, args)

    def undo(
        self,
        label: str,
        of_target: Memory,
        of_source: Memory,
    ) -> None:
        """Bring a gradient through it, by a step of the backward list."""
        back = self.plan.lib.primitive(
            "convolution_backward_data",
            dnnl.CONVOLUTION_DIRECT,
            self.source,
            self._any_layout,
            self.target,
            *self._geometry,
            self._forward(add=False),
        )
        kernel = self._kernel(back.query(dnnl.Q_WEIGHTS))
        self.plan.then_back(
            label,
            back,
            {
                dnnl.DIFF_DST: of_target,
                dnnl.WEIGHTS: kernel,
                dnnl.DIFF_SRC: of_source,
            },
        )

    def _forward(self, add: bool) -> Primitive:
        no_bias = None
        return self.plan.lib.primitive(
            "convolution_forward",
            dnnl.FORWARD,
            dnnl.CONVOLUTION_DIRECT,
            self.source,
            self._any_layout,
            no_bias,
            self.target,
            *self._geometry,
            add=add,
        )

    def _kernel(self, wanted: Desc) -> Memory:
        """The kernel in the layout wanted; it never changes, so it is made while the plan is."""
        lib = self.plan.lib
        plain = self.plan.keep(lib.desc(self.shape, dnnl.TAG_NCHW))
        as_floats(plain, self.shape)[...] = np.multiply.outer(self.along, self.along)
        kernel = self.plan.keep(wanted)
        bring = lib.reorder(plain.desc, wanted)
        bring.bind({dnnl.SRC: plain, dnnl.DST: kernel})()
        return kernel
