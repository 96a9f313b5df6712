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
    args = {dnnl.SRC: source, dnnl.DST: target}
    if backward:
        plan.then_back(label, reorder, args)
    else:
        plan.then(label, reorder, args)


def view(
    memory: Memory,
    box: Sequence[int],
    offsets: Sequence[int],
) -> Memory:
    """A box inside a memory."""
    part = memory.desc.part(box, offsets)
    return Memory(memory.lib, part, aligned(memory.keep), memory.keep)


def recast(memory: Memory, desc: Desc) -> Memory:
    """The same bytes under another descriptor."""
    return Memory(memory.lib, desc, aligned(memory.keep), memory.keep)
