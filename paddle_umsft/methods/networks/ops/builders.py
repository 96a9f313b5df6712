"""The networks' parts, written into plans; `encoders` has VGG and what takes up its taps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from paddle_umsft.methods.networks.ops import convolution, pointwise, resizing
from paddle_umsft.methods.networks.ops import onednn as dnnl
from paddle_umsft.methods.networks.ops.convolution import Order, Place
from paddle_umsft.methods.networks.ops.enlarged import conv_enlarged
from paddle_umsft.methods.networks.ops.enlarged_norm import norm_enlarged
from paddle_umsft.methods.networks.ops.onednn import OneDnnError
from paddle_umsft.methods.networks.ops.plan import Plan
from paddle_umsft.methods.networks.ops.side_by_side import conv_side_by_side, fits_side_by_side
from paddle_umsft.methods.networks.ops.tap_maps import PADDINGS
from paddle_umsft.methods.networks.ops.values import Value, whole_blocks

# Pixels along a side from which the border of an enlarged map is what `tap_maps` takes it for.
SMALLEST_ENLARGED = 2


def conv(
    plan: Plan,
    x: Value,
    layer: Any,
    order: Order = (),
    exact: bool = False,
) -> Value:
    """A `networks.layers.Conv2D`, padding and all; `exact` as of `convolution.conv`."""
    shape = list(layer.weight.shape)  # (C_out, C_in, k, k)
    if layer.by_channel:
        shape = [shape[0], 1, 1, *shape[2:]]  # (C, 1, 1, k, k): how `convolution.conv` knows it
    weight = plan.parameter(layer, "weight", shape)
    bias = None
    if layer.bias is not None:
        bias = plan.parameter(layer, "bias")
    # oneDNN pads with zeros alone: reflection is a step of its own, by the one pixel that the networks ask for.
    reflects = layer.border_mode == "reflect"
    if reflects and layer.border == 1:
        padded = convolution.reflect(plan, x)
        y = convolution.conv(
            plan,
            padded,
            weight,
            bias,
            stride=layer.step,
            order=order,
            exact=exact,
        )
        plan.done(padded)
        return y
    wider_reflection = reflects and layer.border > 0
    if wider_reflection or layer.border_mode not in ("zeros", "reflect"):
        raise OneDnnError(f"no plan for padding {layer.border} {layer.border_mode}")
    return convolution.conv(
        plan,
        x,
        weight,
        bias,
        stride=layer.step,
        padding=layer.border,
        order=order,
        exact=exact,
    )


def norm(
    plan: Plan,
    x: Value,
    layer: Any,
    slope: Optional[float],
) -> Value:
    """A `networks.layers.BatchNorm` with a LeakyReLU behind it where there is a slope."""
    return pointwise.norm(
        plan,
        x,
        scale=plan.parameter(layer, "weight"),
        shift=plan.parameter(layer, "bias"),
        layer=layer,
        slope=slope,
    )


def conv_norm_act(
    plan: Plan,
    x: Value,
    layer: Any,
    order: Order = (),
) -> Value:
    """A `networks.layers.ConvNormAct`."""
    x = conv(plan, x, layer.conv, order)
    if layer.activation == "leaky_relu":
        return norm(plan, x, layer.norm, layer.negative_slope)
    return pointwise.norm(
        plan,
        x,
        scale=plan.parameter(layer.norm, "weight"),
        shift=plan.parameter(layer.norm, "bias"),
        layer=layer.norm,
        slope=pointwise.ELU_ALPHA,
        bend=dnnl.ELU_FROM_OUTPUT,
    )


def hourglass_scale(
    plan: Plan,
    x: Value,
    layer: Any,
) -> Value:
    """A `networks.hourglass.HourglassScale`.

    The normalisation behind the concatenation works channel by channel, so each branch is normalised by itself,
    right into its place in the joined map; the deeper branch lies first there, because it fills whole blocks.
    """
    skip = conv_norm_act(plan, x, layer.skip)
    deep = _deep_branch(plan, x, layer)
    if _is_cheaper_small(plan, skip, deep, layer):
        merged = _merged_small(plan, skip, deep, layer)
    else:
        merged = _merged_large(plan, skip, deep, layer)
    mixed = conv_norm_act(plan, merged, layer.mix)
    plan.done(merged)
    return mixed


def _is_cheaper_small(
    plan: Plan,
    skip: Value,
    deep: Value,
    layer: Any,
) -> bool:
    """Whether the deeper branch can be merged before it is enlarged: bilinear, an even size, something to reflect."""
    _, height, width = deep.shape
    convolution = layer.merge.conv
    return (
        layer.upsampling == "bilinear"
        and layer.merge.activation == "leaky_relu"
        and skip.shape[1:] == (2 * height, 2 * width)
        and min(height, width) >= SMALLEST_ENLARGED
        and convolution.border == 1
        and convolution.border_mode in PADDINGS
    )


def _merged_small(
    plan: Plan,
    skip: Value,
    deep: Value,
    layer: Any,
) -> Value:
    """Both branches normalised and convolved together, the deeper one at its own size."""
    thin = skip.shape[0]
    wide = deep.shape[0]
    scale = plan.parameter(layer.norm, "weight")
    shift = plan.parameter(layer.norm, "bias")
    deep_normal = norm_enlarged(
        plan,
        deep,
        scale=scale.part(thin, wide),
        shift=shift.part(thin, wide),
        layer=layer.norm,
        start=thin,
    )
    plan.done(deep)
    skip_normal = pointwise.norm(
        plan,
        skip,
        scale=scale.part(0, thin),
        shift=shift.part(0, thin),
        layer=layer.norm,
    )
    plan.done(skip)
    convolution = layer.merge.conv
    if fits_side_by_side(thin) and convolution.border_mode == "reflect":
        merged = conv_side_by_side(
            plan,
            skip_normal,
            plan.parameter(convolution, "weight"),
            plan.parameter(convolution, "bias"),
        )
    else:
        of_skip = Place(start=0, count=thin, target=0)
        merged = conv(plan, skip_normal, convolution, (of_skip,))
    plan.done(skip_normal)
    conv_enlarged(
        plan,
        deep_normal,
        merged,
        plan.parameter(convolution, "weight"),
        start=thin,
        padding=convolution.border_mode,
    )
    plan.done(deep_normal)
    return norm(plan, merged, layer.merge.norm, layer.merge.negative_slope)


def _merged_large(
    plan: Plan,
    skip: Value,
    deep: Value,
    layer: Any,
) -> Value:
    """The same with the deeper branch enlarged first, by any method and to any size."""
    if layer.upsampling == "bicubic":
        large = resizing.upsample_bicubic(plan, deep)
    else:
        large = resizing.upsample_bilinear(plan, deep)
    plan.done(deep)
    height = min(skip.shape[1], large.shape[1])
    width = min(skip.shape[2], large.shape[2])
    skip = resizing.crop(plan, skip, height, width)
    deep = resizing.crop(plan, large, height, width)

    thin = skip.shape[0]
    wide = deep.shape[0]
    both = plan.joined((wide, thin), height, width)
    # The layer's own channels are in the published order, the skip branch first.
    weight = plan.parameter(layer.norm, "weight")
    bias = plan.parameter(layer.norm, "bias")
    deep_place, skip_place = both.parts
    for branch, place, start in ((deep, deep_place, thin), (skip, skip_place, 0)):
        count = branch.shape[0]
        pointwise.norm(
            plan,
            branch,
            scale=weight.part(start, count),
            shift=bias.part(start, count),
            layer=layer.norm,
            start=start,
            out=place,
        )
        plan.done(branch)
    of_deep = Place(start=thin, count=wide, target=0)
    of_skip = Place(start=0, count=thin, target=whole_blocks(wide))
    merged = conv_norm_act(plan, both, layer.merge, (of_deep, of_skip))
    plan.done(both)
    return merged


def _deep_branch(
    plan: Plan,
    x: Value,
    layer: Any,
) -> Value:
    """Down by 2, and whatever lies deeper."""
    down = conv_norm_act(plan, x, layer.down)
    deep = conv_norm_act(plan, down, layer.deep)
    plan.done(down)
    if layer.inner is not None:
        inner = hourglass_scale(plan, deep, layer.inner)
        plan.done(deep)
        deep = inner
    return deep


def hourglass(
    plan: Plan,
    layer: Any,
    inputs: Sequence[Value],
) -> None:
    """A `networks.hourglass.Hourglass`."""
    _hourglass(plan, layer, inputs[0])


def skip_block(
    plan: Plan,
    layer: Any,
    inputs: Sequence[Value],
) -> None:
    """A `methods.uhntc.skip_block.SkipBlock` behind its concatenation."""
    entered = conv(plan, inputs[0], layer.entry)
    normal = pointwise.standardise(plan, entered, layer.epsilon)
    bent = pointwise.elu(plan, normal)
    plan.done(normal)
    _hourglass(plan, layer.hourglass, bent)


def _hourglass(
    plan: Plan,
    layer: Any,
    x: Value,
) -> None:
    body = hourglass_scale(plan, x, layer.outer)
    y = conv(plan, body, layer.head, exact=True)
    plan.done(body)
    if layer.sigmoid:
        y = pointwise.sigmoid(plan, y)
    plan.output(y)


def spread_channels(
    plan: Plan,
    layer: Any,
    inputs: Sequence[Value],
) -> None:
    """Both convolutions of a `methods.uhntc.upsampling.Doubling`, without the shuffle behind them."""
    filtered = conv(plan, inputs[0], layer.depthwise)
    filtered = pointwise.elu(plan, filtered)
    spread = conv(plan, filtered, layer.pointwise)
    spread = pointwise.elu(plan, spread)
    plan.output(spread)


def filter_bands(
    plan: Plan,
    layer: Any,
    inputs: Sequence[Value],
) -> None:
    """A `methods.uhntc.upsampling.BandFilter`."""
    filtered = conv(plan, inputs[0], layer.depthwise)
    mixed = conv(plan, filtered, layer.pointwise)
    mixed = pointwise.elu(plan, mixed)
    plan.output(mixed)


def vgg19(
    plan: Plan,
    layer: Any,
    inputs: Sequence[Value],
) -> None:
    """A `methods.uhntc.perceptual.Vgg19Features` behind its input scaling, with its taps as outputs."""
    x = inputs[0]
    for stage in layer.stages():
        convolution = getattr(layer, f"conv{stage.index}")
        x = conv(plan, x, convolution)
        if stage.relu:
            x = pointwise.relu(plan, x)
        if stage.weight > 0:
            plan.output(x)
        if stage.pool:
            x = resizing.max_pool(plan, x)


def refine(
    plan: Plan,
    layer: Any,
    inputs: Sequence[Value],
) -> None:
    """The two convolutions of a `umsft.attention.SpatialFusion`."""
    widened = conv(plan, inputs[0], layer.widen)
    widened = pointwise.elu(plan, widened)
    spread = conv(plan, widened, layer.spread)
    spread = pointwise.elu(plan, spread)
    plan.output(spread)
