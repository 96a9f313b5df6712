"""The networks' parts, written into plans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from paddle_umsft.ops import blocks
from paddle_umsft.ops.plan import BLOCK, Plan, Value


def conv(plan: Plan, x: Value, layer: Any, order: Sequence[tuple[int, int, int]] = ()) -> Value:
    """A `networks.layers.Conv2D`, padding and all."""
    padding = layer.border
    if padding and layer.border_mode == "reflect":
        for _ in range(padding):
            x = blocks.reflect(plan, x)
        padding = 0
    weight, bias = plan.parameter(layer, "weight"), plan.parameter(layer, "bias")
    return blocks.conv(plan, x, weight, bias, stride=layer.step, padding=padding, order=order)


def norm(plan: Plan, x: Value, layer: Any, slope: Optional[float]) -> Value:
    """A `networks.layers.BatchNorm` with an activation behind it."""
    weight, bias = plan.parameter(layer, "weight"), plan.parameter(layer, "bias")
    return blocks.norm(plan, x, weight, bias, layer, slope=slope)


def conv_norm_act(plan: Plan, x: Value, layer: Any, order: Sequence[tuple[int, int, int]] = ()) -> Value:
    """A `networks.layers.ConvNormAct`."""
    return norm(plan, conv(plan, x, layer.conv, order), layer.norm, layer.negative_slope)


def hourglass_scale(plan: Plan, x: Value, layer: Any) -> Value:
    """A `networks.hourglass.HourglassScale`.

    The normalisation behind the concatenation works channel by channel, so each branch is normalised by itself,
    right into its place in the joined map; the deeper branch lies first there, because it fills whole blocks.
    """
    skip = conv_norm_act(plan, x, layer.skip)
    deep = conv_norm_act(plan, conv_norm_act(plan, x, layer.down), layer.deep)
    if layer.inner is not None:
        deep = hourglass_scale(plan, deep, layer.inner)
    up = blocks.upsample_bicubic if layer.upsampling == "bicubic" else blocks.upsample_bilinear
    deep = up(plan, deep)
    height, width = (min(a, b) for a, b in zip(skip.shape[1:], deep.shape[1:]))
    skip, deep = (blocks.crop(plan, value, height, width) for value in (skip, deep))
    thin, wide = skip.shape[0], deep.shape[0]
    both = plan.joined((wide, thin), height, width)
    weight, bias = plan.parameter(layer.norm, "weight"), plan.parameter(layer.norm, "bias")
    for value, out, start in ((deep, both.parts[0], thin), (skip, both.parts[1], 0)):
        part = (weight.part(start, value.shape[0]), bias.part(start, value.shape[0]))
        blocks.norm(plan, value, *part, layer.norm, start=start, out=out)
    order = ((thin, wide, 0), (0, thin, -(-wide // BLOCK) * BLOCK))
    return conv_norm_act(plan, conv_norm_act(plan, both, layer.merge, order), layer.mix)


def hourglass(plan: Plan, layer: Any, inputs: Sequence[Value]) -> None:
    """A `networks.hourglass.Hourglass`."""
    x = conv(plan, hourglass_scale(plan, inputs[0], layer.outer), layer.head)
    plan.output(blocks.sigmoid(plan, x) if layer.sigmoid else x)


def vgg(plan: Plan, layer: Any, inputs: Sequence[Value]) -> None:
    """A `networks.vgg.VggFeatures` behind its input scaling, with its three taps as outputs."""
    for tap in vgg_taps(plan, layer, inputs[0]):
        plan.output(tap)


def vgg_taps(plan: Plan, layer: Any, x: Value) -> list[Value]:
    """The three taps, inside a plan."""
    taps = []
    for index, pool, tap in layer.stages():
        x = conv(plan, x, getattr(layer, f"conv{index}"))
        x = norm(plan, x, getattr(layer, f"norm{index + 1}"), 0.0)
        if tap:
            taps.append(x)
        if pool:
            x = blocks.max_pool(plan, x)
    return [*taps, x]


def merge(plan: Plan, layer: Any, inputs: Sequence[Value]) -> None:
    """A `networks.attention.Merge`."""
    plan.output(conv(plan, blocks.elu(plan, conv(plan, inputs[0], layer.reduce)), layer.refine))


def refine(plan: Plan, layer: Any, inputs: Sequence[Value]) -> None:
    """The two convolutions of a `networks.attention.SpatialFusion`."""
    plan.output(blocks.elu(plan, conv(plan, blocks.elu(plan, conv(plan, inputs[0], layer.widen)), layer.spread)))
