"""Encoders written into plans, alone or with the merges that take up their taps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from paddle_umsft.methods.networks.ops import pointwise, resizing
from paddle_umsft.methods.networks.ops.builders import conv, norm
from paddle_umsft.methods.networks.ops.plan import Plan
from paddle_umsft.methods.networks.ops.values import Value

# What is done with a tap of an encoder.
TakeUp = Callable[[Value], None]


def vgg(
    plan: Plan,
    layer: Any,
    inputs: Sequence[Value],
) -> None:
    """A `networks.vgg.VggFeatures` behind its input scaling, with its three taps as outputs."""
    last = _vgg_behind(plan, layer, inputs[0], layer.conv0, plan.output)
    plan.output(last)


def vgg_query(
    plan: Plan,
    layer: Any,
    inputs: Sequence[Value],
) -> None:
    """The same of a `methods.uhntc.encoder.SharedEncoder` behind its query convolution."""
    last = _vgg_behind(plan, layer, inputs[0], layer.query, plan.output)
    plan.output(last)


def vgg_with_merges(
    plan: Plan,
    layer: Any,
    inputs: Sequence[Value],
) -> None:
    """A `umsft.encoding.MergedEncoder` behind its input scaling: both finer taps merged, the coarsest as it is.

    The finer taps are the largest maps between a step's plans: here they never leave the blocked layout.
    """
    merges = iter(layer.merges)

    def take_up(tap: Value) -> None:
        merged = _merged(plan, next(merges), tap)
        plan.output(merged)

    encoder = layer.encoder
    last = _vgg_behind(plan, encoder, inputs[0], encoder.conv0, take_up)
    plan.output(last)


def merge(
    plan: Plan,
    layer: Any,
    inputs: Sequence[Value],
) -> None:
    """A `umsft.attention.Merge`."""
    merged = _merged(plan, layer, inputs[0])
    plan.output(merged)


def _merged(
    plan: Plan,
    layer: Any,
    tap: Value,
) -> Value:
    reduced = conv(plan, tap, layer.reduce)
    reduced = pointwise.elu(plan, reduced)
    return conv(plan, reduced, layer.refine)


def _vgg_behind(
    plan: Plan,
    layer: Any,
    x: Value,
    first: Any,
    take_up: TakeUp,
) -> Value:
    """VGG with `first` in place of its first convolution; returns the last tap, the others are taken up on the way."""
    for stage in layer.stages():
        convolution = first
        if stage.index > 0:
            convolution = getattr(layer, f"conv{stage.index}")
        entered = x
        x = conv(plan, entered, convolution)
        plan.done(entered)
        slope = None
        if stage.relu:
            slope = 0.0  # a ReLU is a LeakyReLU without a leak
        normalisation = getattr(layer, f"norm{stage.index + 1}")
        x = norm(plan, x, normalisation, slope)
        if stage.tap:
            take_up(x)
        if stage.pool:
            large = x
            x = resizing.max_pool(plan, large)
            plan.done(large)
    return x
