"""Copies between layouts and places inside a plan."""

from __future__ import annotations

from collections.abc import Sequence

from paddle_umsft.methods.networks.ops import onednn as dnnl
from paddle_umsft.methods.networks.ops.onednn import Desc, Memory
from paddle_umsft.methods.networks.ops.plan import Plan
from paddle_umsft.methods.networks.ops.values import aligned


def copy(
    plan: Plan,
    label: str,
    source: Memory,
    target: Memory,
    *,
    backward: bool = False,
    add: bool = False,
) -> None:
    """Copy between layouts or views.

    Args:
        plan: Where to write.
        label: Of the step, for whoever measures.
        source: From here.
        target: To here.
        backward: Whether it belongs to the backward list.
        add: Whether to add onto what is there.
    """
    reorder = plan.lib.reorder(source.desc, target.desc, add)
    step = reorder.bind({dnnl.SRC: source, dnnl.DST: target})
    steps = plan.forward
    if backward:
        steps = plan.backward
    steps.append((label, step))


def view(memory: Memory, box: Sequence[int], offsets: Sequence[int]) -> Memory:
    """A box inside a memory."""
    part = memory.desc.part(box, offsets)
    return Memory(memory.lib, part, aligned(memory.keep), memory.keep)


def recast(memory: Memory, desc: Desc) -> Memory:
    """The same bytes under another descriptor."""
    return Memory(memory.lib, desc, aligned(memory.keep), memory.keep)
