"""Plans behind Paddle's autograd: find or build the plan for a layer and a size, run it, hand gradients back."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from typing import Any, Callable, Optional

import paddle
from paddle.autograd import PyLayer

from paddle_umsft.methods.networks.ops import mode
from paddle_umsft.methods.networks.ops.onednn import Library, OneDnnError
from paddle_umsft.methods.networks.ops.plan import Plan, Pool
from paddle_umsft.methods.networks.ops.small import contiguous

Builder = Callable[[Plan, Any, Sequence[Any]], None]
_plans: weakref.WeakKeyDictionary[Any, dict[Any, Optional[list[Plan]]]] = weakref.WeakKeyDictionary()
_lock = threading.Lock()
_pool = Pool()


class Lease:
    """A plan in use: from a forward pass until its backward pass, or until nobody can ask for one any more."""

    def __init__(self, plan: Plan, free: list[Plan]) -> None:
        self.plan: Optional[Plan] = plan
        self._free = free
        self.used, self.generation = plan, -1

    def release(self) -> None:
        """Let the next forward pass have the plan."""
        with _lock:
            if self.plan is not None:
                self._free.append(self.plan)
                self.plan = None

    def __del__(self) -> None:
        self.release()


class _RunPlan(PyLayer):
    @staticmethod
    def forward(ctx: Any, lease: Lease, count: int, *tensors: paddle.Tensor) -> Any:
        plan = lease.used
        outputs = _forward(plan, tensors[:count], tensors[count:])
        lease.generation = plan.generation
        ctx.lease, ctx.count = lease, count
        ctx.params = tensors[count:]
        return outputs if len(outputs) > 1 else outputs[0]

    @staticmethod
    def backward(ctx: Any, *slopes: paddle.Tensor) -> Any:
        plan, lease = ctx.lease.used, ctx.lease
        if plan.generation != lease.generation:
            raise RuntimeError(
                "a second backward pass through a fast path after another forward pass; "
                "use paddle_umsft.methods.networks.ops.set_mode('plain') for this"
            )
        for (_, _, memory), slope in zip(plan.outputs, map(contiguous, slopes)):
            memory.point_to(slope.data_ptr())
        gradients: list[Any] = []
        for i, (_, memory, wanted) in enumerate(plan.inputs):
            gradients.append(paddle.empty(plan.input_shapes[i], "float32") if wanted else None)
            if wanted:
                memory.point_to(gradients[i].data_ptr())
        of_params = [paddle.empty(p.shape, "float32") for p in ctx.params]
        plan.bind_params([g.data_ptr() for g in of_params], gradients=True)
        plan.run_backward()
        lease.release()
        gradients += [None if p.stop_gradient else g for p, g in zip(ctx.params, of_params)]
        return tuple(gradients) if len(gradients) > 1 else gradients[0]


def _forward(plan: Plan, inputs: Sequence[paddle.Tensor], params: Sequence[paddle.Tensor]) -> list[paddle.Tensor]:
    inputs = [contiguous(x) for x in inputs]
    for (memory, _, _), tensor in zip(plan.inputs, inputs):
        memory.point_to(tensor.data_ptr())
    outputs = [paddle.empty(shape, "float32") for shape, _, _ in plan.outputs]
    for (_, memory, _), tensor in zip(plan.outputs, outputs):
        memory.point_to(tensor.data_ptr())
    plan.bind_params([p.data_ptr() for p in params])
    plan.run_forward()
    return outputs


def usable(layer: Any, inputs: Sequence[paddle.Tensor]) -> Optional[Library]:
    """The library, if these inputs can go through a plan of this layer."""
    library = mode.library()
    if library is None or not layer.training:
        return None
    for x in inputs:
        if x.dtype != paddle.float32 or not x.place.is_cpu_place() or len(x.shape) != 4 or x.shape[0] != 1:
            return None
    if any(p.dtype != paddle.float32 for p in layer.parameters()):
        return None
    return library


def run(layer: Any, build: Builder, inputs: Sequence[paddle.Tensor]) -> Optional[tuple[paddle.Tensor, ...]]:
    """Run a layer by plan.

    Args:
        layer: The layer; its parameters take part in autograd.
        build: Writes the layer into a plan, given the plan, the layer and the plan's input values.
        inputs: (1, C, H, W) float32 each.

    Returns:
        The outputs, or None where the plain path has to be taken.
    """
    library = usable(layer, inputs)
    if library is None:
        return None
    recording = paddle.is_grad_enabled()
    wanted = tuple(recording and not x.stop_gradient for x in inputs)
    # A plan leaves out the gradients of what is frozen: to be thawed later takes another plan.
    frozen = tuple(bool(p.stop_gradient) for p in layer.parameters())
    key = (build, tuple(tuple(x.shape) for x in inputs), wanted, mode.threads(), mode.lean(inputs[0]), frozen)
    lease = _lease(library, layer, build, key)
    if lease is None:
        return None
    params = [param() for param in lease.used.params]
    if recording and (any(wanted) or not all(p.stop_gradient for p in params)):
        outputs = _RunPlan.apply(lease, len(inputs), *inputs, *params)
        return (outputs,) if isinstance(outputs, paddle.Tensor) else tuple(outputs)
    outputs = tuple(_forward(lease.used, inputs, params))
    lease.release()
    return outputs


def _lease(library: Library, layer: Any, build: Builder, key: Any) -> Optional[Lease]:
    with _lock:
        free = _plans.setdefault(layer, {}).setdefault(key, [])
        if free is None:
            return None
        plan = free.pop() if free else None
    if plan is None:
        try:
            plan = Plan(library, _pool, key[4])
            values = [plan.input(s[1], s[2], s[3], needs) for s, needs in zip(key[1], key[2])]
            build(plan, layer, values)
            plan.finish()
        except OneDnnError:
            _plans[layer][key] = None  # this layer runs plain at this size
            return None
    return Lease(plan, free)


def release_plans(layer: Optional[Any] = None) -> None:
    """Give back the buffers of idle plans, of one layer and its sublayers or of all."""
    layers = list(_plans) if layer is None else list(layer.sublayers(include_self=True))
    with _lock:
        for one in layers:
            for free in _plans.get(one, {}).values():
                if free is not None:
                    free.clear()
