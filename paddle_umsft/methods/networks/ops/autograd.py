"""Plans behind Paddle's autograd: find or build the plan for a layer and a size, run it, hand gradients back."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable, Optional

import paddle
from paddle.autograd import PyLayer

from paddle_umsft.methods.networks.ops import mode
from paddle_umsft.methods.networks.ops import onednn as dnnl
from paddle_umsft.methods.networks.ops.onednn import Library, OneDnnError
from paddle_umsft.methods.networks.ops.plan import Plan
from paddle_umsft.methods.networks.ops.small import contiguous
from paddle_umsft.methods.networks.ops.values import Pool

IMAGE_AXES = 4  # (B, C, H, W)
# Writes a layer into a plan, given the plan, the layer and the plan's input values.
Builder = Callable[[Plan, Any, Sequence[Any]], None]


@dataclass(frozen=True)
class _Key:
    """What a plan of a layer was built for; whatever differs in any of it takes another plan.

    Attributes:
        build: What wrote it.
        shapes: (1, C, H, W) of every input.
        wanted: Of which inputs the gradient is wanted.
        threads: That oneDNN's kernels were made for.
        lean: Whether it keeps less for the backward run.
        frozen: Which parameters of the layer are: a plan leaves out their gradients.
        dtype: Of the maps inside.
    """

    build: Builder
    shapes: tuple[tuple[int, ...], ...]
    wanted: tuple[bool, ...]
    threads: int
    lean: bool
    frozen: tuple[bool, ...]
    dtype: int


# Layer -> key -> its idle plans; None where there can be no plan.
_plans: weakref.WeakKeyDictionary[Any, dict[_Key, Optional[list[Plan]]]] = weakref.WeakKeyDictionary()
_lock = threading.Lock()
_pool = Pool()


class Lease:
    """A plan in use: from a forward pass until its backward pass, or until nobody can ask for one any more."""

    def __init__(self, plan: Plan, free: list[Plan]) -> None:
        self.plan: Optional[Plan] = plan
        self.used = plan
        self.generation = -1
        self._free = free

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
        """Run forward; the first `count` tensors are inputs, the others parameters."""
        plan = lease.used
        inputs = tensors[:count]
        params = tensors[count:]
        outputs = _forward(plan, inputs, params)
        lease.generation = plan.generation
        ctx.lease = lease
        ctx.params = params
        return _one_or_all(outputs)

    @staticmethod
    def backward(ctx: Any, *gradients: paddle.Tensor) -> Any:
        """Gradients of the inputs, then of the parameters; None where none is wanted."""
        lease = ctx.lease
        plan = lease.used
        if plan.generation != lease.generation:
            raise RuntimeError(
                "a second backward pass through a fast path after another forward pass; "
                "use paddle_umsft.methods.networks.ops.set_mode('plain') for this"
            )
        # A list: what had to be copied must live until the plan has run.
        gradients_in = [contiguous(gradient) for gradient in gradients]
        for border, gradient in zip(plan.outputs, gradients_in):
            border.grad.point_to(gradient.data_ptr())
        found: list[Optional[paddle.Tensor]] = []
        for border in plan.inputs:
            of_input = None
            if border.needs_grad:
                of_input = paddle.empty(border.shape, "float32")
                border.grad.point_to(of_input.data_ptr())
            found.append(of_input)
        of_params = [paddle.empty(param.shape, "float32") for param in ctx.params]
        addresses = [gradient.data_ptr() for gradient in of_params]
        plan.bind_gradients(addresses)
        plan.run_backward()
        lease.release()
        for param, of_param in zip(ctx.params, of_params):
            if param.stop_gradient:
                found.append(None)
            else:
                found.append(of_param)
        return _one_or_all(found)


def _one_or_all(found: Sequence[Any]) -> Any:
    """Return a single result bare, as PyLayer wants it, and several as a tuple."""
    if len(found) == 1:
        return found[0]
    return tuple(found)


def _forward(
    plan: Plan,
    inputs: Sequence[paddle.Tensor],
    params: Sequence[paddle.Tensor],
) -> list[paddle.Tensor]:
    """Point the plan at Paddle's tensors and run it forward."""
    inputs = [contiguous(x) for x in inputs]
    for border, tensor in zip(plan.inputs, inputs):
        border.memory.point_to(tensor.data_ptr())
    outputs = []
    for border in plan.outputs:
        output = paddle.empty(border.shape, "float32")
        border.memory.point_to(output.data_ptr())
        outputs.append(output)
    addresses = [param.data_ptr() for param in params]
    plan.bind_params(addresses)
    plan.run_forward()
    return outputs


def usable(layer: Any, inputs: Sequence[paddle.Tensor]) -> Optional[Library]:
    """The library, if these inputs can go through a plan of this layer."""
    library = mode.library()
    if library is None or not layer.training:
        return None
    for x in inputs:
        if x.dtype != paddle.float32 or not x.place.is_cpu_place():
            return None
        if len(x.shape) != IMAGE_AXES or x.shape[0] != 1:
            return None
    if any(param.dtype != paddle.float32 for param in layer.parameters()):
        return None
    return library


def run(
    layer: Any,
    build: Builder,
    inputs: Sequence[paddle.Tensor],
    *,
    exact: bool = False,
) -> Optional[tuple[paddle.Tensor, ...]]:
    """Run a layer by plan.

    Args:
        layer: The layer; its parameters take part in autograd.
        build: Writes the layer into a plan, given the plan, the layer and the plan's input values.
        inputs: (1, C, H, W) float32 each.
        exact: In float32 whatever `runtime.precision` says.

    Returns:
        The outputs, or None where the plain path has to be taken.
    """
    library = usable(layer, inputs)
    if library is None:
        return None
    recording = paddle.is_grad_enabled()
    dtype = mode.map_type(inputs[0])
    if exact:
        dtype = dnnl.F32
    key = _Key(
        build=build,
        shapes=tuple(tuple(x.shape) for x in inputs),
        wanted=tuple(recording and not x.stop_gradient for x in inputs),
        threads=mode.threads(),
        lean=mode.lean(),
        # To be thawed later takes another plan.
        frozen=tuple(bool(param.stop_gradient) for param in layer.parameters()),
        dtype=dtype,
    )
    lease = _lease(library, layer, key)
    if lease is None:
        return None
    # Asked for anew with every call: a layer's parameter may be another tensor by now.
    params = [param() for param in lease.used.params]
    all_frozen = all(param.stop_gradient for param in params)
    wants_gradients = any(key.wanted) or not all_frozen
    if recording and wants_gradients:
        outputs = _RunPlan.apply(
            lease,
            len(inputs),
            *inputs,
            *params,
        )
        if isinstance(outputs, paddle.Tensor):
            return (outputs,)
        return tuple(outputs)
    outputs = tuple(_forward(lease.used, inputs, params))
    lease.release()
    return outputs


def _lease(
    library: Library,
    layer: Any,
    key: _Key,
) -> Optional[Lease]:
    """Take an idle plan or build one; None where there can be none."""
    plan = None
    # Another thread may be asking for a plan of the same layer.
    with _lock:
        of_layer = _plans.setdefault(layer, {})
        free = of_layer.setdefault(key, [])
        if free is None:
            return None
        if free:
            plan = free.pop()
    if plan is None:
        try:
            plan = _built(library, layer, key)
        except OneDnnError:
            _plans[layer][key] = None  # this layer runs plain at this size
            return None
    return Lease(plan, free)


def _built(
    library: Library,
    layer: Any,
    key: _Key,
) -> Plan:
    plan = Plan(library, _pool, key.lean, key.dtype)
    values = []
    for (_, channels, height, width), wanted in zip(key.shapes, key.wanted):
        value = plan.input(channels, height, width, wanted)
        values.append(value)
    key.build(plan, layer, values)
    # Gradients flow back from the outputs: their list can only be made once all maps are there.
    plan.finish()
    return plan
