"""The networks' parts, written into plans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from paddle_umsft.methods.networks.ops import blocks, resizing
from paddle_umsft.methods.networks.ops import onednn as dnnl
from paddle_umsft.methods.networks.ops.onednn import OneDnnError
from paddle_umsft.methods.networks.ops.plan import BLOCK, Plan, Value


def conv(plan: Plan, x: Value, layer: Any, order: Sequence[tuple[int, int, int]] = ()) -> Value:
    """A `networks.layers.Conv2D`, padding and all."""
    outside, inside, high, wide = layer.weight.shape
    shape = (outside, 1, 1, high, wide) if layer.by_channel else (outside, inside, high, wide)
    weight = plan.parameter(layer, "weight", shape)
    bias = None if layer.bias is None else plan.parameter(layer, "bias")
    if layer.border == 1 and layer.border_mode == "reflect":
        padded = blocks.reflect(plan, x)
        y = blocks.conv(plan, padded, weight, bias, stride=layer.step, order=order)
        plan.done(padded)
        return y
    if layer.border_mode not in ("zeros", "reflect") or (layer.border and layer.border_mode == "reflect"):
        raise OneDnnError(f"no plan for padding {layer.border} {layer.border_mode}")
    return blocks.conv(plan, x, weight, bias, stride=layer.step, padding=layer.border, order=order)


def norm(plan: Plan, x: Value, layer: Any, slope: Optional[float]) -> Value:
    """A `networks.layers.BatchNorm` with a LeakyReLU behind it where there is a slope."""
    weight, bias = plan.parameter(layer, "weight"), plan.parameter(layer, "bias")
    return blocks.norm(plan, x, weight, bias, layer, slope=slope)


def conv_norm_act(plan: Plan, x: Value, layer: Any, order: Sequence[tuple[int, int, int]] = ()) -> Value:
    """A `networks.layers.ConvNormAct`."""
    x = conv(plan, x, layer.conv, order)
    if layer.activation == "leaky_relu":
        return norm(plan, x, layer.norm, layer.negative_slope)
    weight, bias = plan.parameter(layer.norm, "weight"), plan.parameter(layer.norm, "bias")
    return blocks.norm(plan, x, weight, bias, layer.norm, slope=1.0, bend=dnnl.ELU_FROM_OUTPUT)


def hourglass_scale(plan: Plan, x: Value, layer: Any) -> Value:
    """A `networks.hourglass.HourglassScale`.

    The normalisation behind the concatenation works channel by channel, so each branch is normalised by itself,
    right into its place in the joined map; the deeper branch lies first there, because it fills whole blocks.
    """
    skip = conv_norm_act(plan, x, layer.skip)
    down = conv_norm_act(plan, x, layer.down)
    deep = conv_norm_act(plan, down, layer.deep)
    plan.done(down)
    if layer.inner is not None:
        deep, before = hourglass_scale(plan, deep, layer.inner), deep
        plan.done(before)
    up = resizing.upsample_bicubic if layer.upsampling == "bicubic" else resizing.upsample_bilinear
    deep, before = up(plan, deep), deep
    plan.done(before)
    height, width = (min(a, b) for a, b in zip(skip.shape[1:], deep.shape[1:]))
    skip, deep = (resizing.crop(plan, value, height, width) for value in (skip, deep))
    thin, wide = skip.shape[0], deep.shape[0]
    both = plan.joined((wide, thin), height, width)
    weight, bias = plan.parameter(layer.norm, "weight"), plan.parameter(layer.norm, "bias")
    for value, out, start in ((deep, both.parts[0], thin), (skip, both.parts[1], 0)):
        part = (weight.part(start, value.shape[0]), bias.part(start, value.shape[0]))
        blocks.norm(plan, value, *part, layer.norm, start=start, out=out)
        plan.done(value)
    order = ((thin, wide, 0), (0, thin, -(-wide // BLOCK) * BLOCK))
    merged = conv_norm_act(plan, both, layer.merge, order)
    plan.done(both)
    mixed = conv_norm_act(plan, merged, layer.mix)
    plan.done(merged)
    return mixed


def hourglass(plan: Plan, layer: Any, inputs: Sequence[Value]) -> None:
    """A `networks.hourglass.Hourglass`."""
    _hourglass(plan, layer, inputs[0])


def skip_block(plan: Plan, layer: Any, inputs: Sequence[Value]) -> None:
    """A `methods.uhntc.skip_block.SkipBlock` behind its concatenation."""
    entered = conv(plan, inputs[0], layer.entry)
    normal = blocks.standardise(plan, entered, layer.epsilon)
    bent = blocks.elu(plan, normal)
    plan.done(normal)
    _hourglass(plan, layer.hourglass, bent)


def _hourglass(plan: Plan, layer: Any, x: Value) -> None:
    body = hourglass_scale(plan, x, layer.outer)
    x = conv(plan, body, layer.head)
    plan.done(body)
    plan.output(blocks.sigmoid(plan, x) if layer.sigmoid else x)


def vgg(plan: Plan, layer: Any, inputs: Sequence[Value]) -> None:
    """A `networks.vgg.VggFeatures` behind its input scaling, with its three taps as outputs."""
    _vgg_behind(plan, layer, inputs[0], layer.conv0)


def vgg_query(plan: Plan, layer: Any, inputs: Sequence[Value]) -> None:
    """The same of a `methods.uhntc.encoder.SharedEncoder` behind its query convolution."""
    _vgg_behind(plan, layer, inputs[0], layer.query)


def _vgg_behind(plan: Plan, layer: Any, x: Value, first: Any) -> None:
    """VGG with `first` in place of its first convolution."""
    for stage in layer.stages():
        convolution = first if stage.index == 0 else getattr(layer, f"conv{stage.index}")
        x, before = conv(plan, x, convolution), x
        plan.done(before)
        x = norm(plan, x, getattr(layer, f"norm{stage.index + 1}"), 0.0 if stage.relu else None)
        if stage.tap:
            plan.output(x)
        if stage.pool:
            x, before = resizing.max_pool(plan, x), x
            plan.done(before)
    plan.output(x)


def spread_channels(plan: Plan, layer: Any, inputs: Sequence[Value]) -> None:
    """Both convolutions of a `methods.uhntc.upsampling.Doubling`, without the shuffle behind them."""
    filtered = blocks.elu(plan, conv(plan, inputs[0], layer.depthwise))
    plan.output(blocks.elu(plan, conv(plan, filtered, layer.pointwise)))


def filter_bands(plan: Plan, layer: Any, inputs: Sequence[Value]) -> None:
    """A `methods.uhntc.upsampling.BandFilter`."""
    plan.output(blocks.elu(plan, conv(plan, conv(plan, inputs[0], layer.depthwise), layer.pointwise)))


def vgg19(plan: Plan, layer: Any, inputs: Sequence[Value]) -> None:
    """A `methods.uhntc.perceptual.Vgg19Features` behind its input scaling, with its taps as outputs."""
    x = inputs[0]
    for stage in layer.stages():
        x = conv(plan, x, getattr(layer, f"conv{stage.index}"))
        if stage.relu:
            x = blocks.relu(plan, x)
        if stage.weight > 0:
            plan.output(x)
        if stage.pool:
            x = resizing.max_pool(plan, x)


def merge(plan: Plan, layer: Any, inputs: Sequence[Value]) -> None:
    """A `networks.attention.Merge`."""
    plan.output(conv(plan, blocks.elu(plan, conv(plan, inputs[0], layer.reduce)), layer.refine))


def refine(plan: Plan, layer: Any, inputs: Sequence[Value]) -> None:
    """The two convolutions of a `networks.attention.SpatialFusion`."""
    plan.output(blocks.elu(plan, conv(plan, blocks.elu(plan, conv(plan, inputs[0], layer.widen)), layer.spread)))
