"""Small building blocks of the networks, started the way the published code's framework starts them."""

from __future__ import annotations

import math
from typing import Union

import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_umsft.methods.networks.exact import for_batch_norm, leaky_relu, plus, resize_bicubic, resize_bilinear


def uniform_start(fan_in: int) -> paddle.ParamAttr:
    """Parameter attribute for the default start: uniform in ±1/sqrt(fan_in), weights and biases alike."""
    bound = 1.0 / math.sqrt(fan_in)
    return paddle.ParamAttr(initializer=nn.initializer.Uniform(-bound, bound))


class Conv2D(nn.Conv2D):
    """Convolution whose sizes come by keyword and whose fresh start is uniform in ±1/sqrt(fan_in).

    Args:
        in_channels: Channels coming in.
        out_channels: Channels going out.
        kernel_size: Height and width of the kernel.
        stride: Of the kernel.
        padding: Pixels added on each side.
        padding_mode: "zeros" or "reflect".
        groups: 1, or as many as channels: each has a kernel of its own then.
        bias: Whether there is one.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        padding_mode: str = "zeros",
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        fan_in = in_channels // groups * kernel_size * kernel_size
        if not padding:  # nothing to reflect
            padding_mode = "zeros"
        bias_attr: Union[bool, paddle.ParamAttr] = False
        if bias:
            bias_attr = uniform_start(fan_in)
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=padding,
            padding_mode=padding_mode,
            groups=groups,
            weight_attr=uniform_start(fan_in),
            bias_attr=bias_attr,
        )
        # What plans ask a layer for.
        self.step = stride
        self.border = padding
        self.border_mode = padding_mode
        self.by_channel = groups > 1


class Linear(nn.Linear):
    """Linear map without bias, (..., in) -> (..., out), started uniform in ±1/sqrt(in)."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features, weight_attr=uniform_start(in_features), bias_attr=False)


class BatchNorm(nn.BatchNorm2D):
    """Batch normalisation that always uses the statistics of the batch at hand (one scene is one batch).

    `eval()` makes no difference: the running statistics are kept for conversion, and never used.
    """

    def __init__(self, channels: int) -> None:
        # Momentum and epsilon are PyTorch's, whose momentum of 0.1 is the share of the new statistics.
        super().__init__(
            channels,
            momentum=0.9,
            epsilon=1e-5,
            use_global_stats=False,
        )

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        # In float64 the running statistics take the scale along: 1e-8, as much as Paddle's float32 momentum is off by.
        return super().forward(for_batch_norm(x, self._epsilon))


class ConvNormAct(nn.Layer):
    """Convolution, batch normalisation, activation: (B, C_in, H, W) -> (B, C_out, H/stride, W/stride).

    Args:
        in_channels: C_in.
        out_channels: C_out.
        kernel_size: Odd.
        stride: Of the convolution.
        padding_mode: "zeros" or "reflect".
        activation: "leaky_relu" or "elu".
        negative_slope: Of the LeakyReLU.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding_mode: str = "zeros",
        activation: str = "leaky_relu",
        negative_slope: float = 0.2,
    ) -> None:
        super().__init__()
        self.conv = Conv2D(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=kernel_size // 2,
            padding_mode=padding_mode,
        )
        self.norm = BatchNorm(out_channels)
        self.activation = activation
        self.negative_slope = negative_slope

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """The plain path; hourglasses on the fast path read the parts instead."""
        x = self.norm(self.conv(x))
        if self.activation == "elu":
            return F.elu(x)
        return leaky_relu(x, self.negative_slope)


def zero_mean(x: paddle.Tensor) -> paddle.Tensor:
    """Take each channel's spatial mean away: (B, C, H, W) -> (B, C, H, W)."""
    # Over one flat axis: the gradient of a mean over two axes is ten times as slow in Paddle.
    mean = x.flatten(2).mean(axis=2)  # (B, C)
    return x - mean.reshape([x.shape[0], x.shape[1], 1, 1])


def instance_norm(x: paddle.Tensor, epsilon: float) -> paddle.Tensor:
    """Each channel of (B, C, H, W) to mean 0 and deviation 1, without parameters.

    Written out, because Paddle's own keeps epsilon in float32 whatever the tensor's type.
    """
    centred = zero_mean(x)
    squares = centred * centred
    variance = squares.flatten(2).mean(axis=2)  # (B, C)
    variance = variance.reshape([x.shape[0], x.shape[1], 1, 1])
    return centred * paddle.rsqrt(plus(variance, epsilon))


def resize(
    x: paddle.Tensor,
    height: int,
    width: int,
    mode: str = "nearest",
) -> paddle.Tensor:
    """Resize (B, C, H, W) to (B, C, height, width) without aligned corners; the same size comes back untouched."""
    if (height, width) == tuple(x.shape[2:]):
        return x
    if mode == "nearest":
        return F.interpolate(x, size=[height, width], mode="nearest")
    resample = {"bilinear": resize_bilinear, "bicubic": resize_bicubic}[mode]
    return resample(x, height, width)


def upsample_twice(x: paddle.Tensor, mode: str) -> paddle.Tensor:
    """Double the height and width of (B, C, H, W); mode "bilinear" or "bicubic"."""
    return F.interpolate(
        x,
        scale_factor=2,
        mode=mode,
        align_corners=False,
    )


def centre_crop(
    x: paddle.Tensor,
    height: int,
    width: int,
) -> paddle.Tensor:
    """Cut (B, C, height, width) out of the middle of x."""
    if (height, width) == tuple(x.shape[2:]):
        return x
    top = (x.shape[2] - height) // 2
    left = (x.shape[3] - width) // 2
    return x[:, :, top : top + height, left : left + width]
