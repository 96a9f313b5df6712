"""The hourglass: a U-shaped net with thin skip branches, used once per level of UMSFT and of uHNTC."""

from __future__ import annotations

from typing import Optional

import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_umsft.methods.networks.layers import BatchNorm, Conv2D, ConvNormAct, centre_crop, upsample_twice
from paddle_umsft.methods.networks.ops import builders
from paddle_umsft.methods.networks.ops.autograd import run
from paddle_umsft.methods.networks.ops.precision import recomputed


class HourglassScale(nn.Layer):
    """One scale: a skip branch beside a branch at half the resolution, which may hold the next scale.

    Args:
        in_channels: Channels coming in.
        width: Channels of the deeper branch and of the result.
        skip: Channels of the skip branch.
        inner: The next scale, working at half the resolution; None at the innermost.
        padding_mode: "zeros" or "reflect", of every 3×3 convolution.
        upsampling: "bilinear" or "bicubic".
        activation: "leaky_relu" or "elu".
    """

    def __init__(
        self,
        *,
        in_channels: int,
        width: int,
        skip: int,
        inner: Optional[HourglassScale],
        padding_mode: str,
        upsampling: str,
        activation: str,
    ) -> None:
        super().__init__()

        def block(
            before: int,
            after: int,
            kernel_size: int,
            stride: int = 1,
        ) -> ConvNormAct:
            return ConvNormAct(
                before,
                after,
                kernel_size,
                stride=stride,
                padding_mode=padding_mode,
                activation=activation,
            )

        self.skip = block(in_channels, skip, 1)
        self.down = block(in_channels, width, 3, stride=2)
        self.deep = block(width, width, 3)
        self.inner = inner
        self.norm = BatchNorm(skip + width)
        self.merge = block(skip + width, width, 3)
        self.mix = block(width, width, 1)
        self.upsampling = upsampling

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """(B, in_channels, H, W) -> (B, width, H, W)."""
        skip = self.skip(x)
        deep = self.deep(self.down(x))
        if self.inner is not None:
            deep = self.inner(deep)
        deep = upsample_twice(deep, self.upsampling)
        # An odd side comes back a pixel longer: it was rounded up on the way down.
        height = min(skip.shape[2], deep.shape[2])
        width = min(skip.shape[3], deep.shape[3])
        skip = centre_crop(skip, height, width)
        deep = centre_crop(deep, height, width)
        both = paddle.concat([skip, deep], axis=1)  # (B, skip + width, H, W)
        merged = self.merge(self.norm(both))
        return self.mix(merged)


class Hourglass(nn.Layer):
    """The published code's deep-image-prior net (`super`, `super2`, `super3` there).

    Args:
        in_channels: C + M in UMSFT, C in uHNTC.
        out_channels: C.
        scales: How many times the resolution is halved.
        width: Channels at every scale.
        skip: Channels of the skip branches.
        padding_mode: "zeros" or "reflect".
        upsampling: "bilinear" or "bicubic".
        activation: "leaky_relu" (slope 0.2) or "elu".
        sigmoid: Whether the result goes through a sigmoid.

    References:
        Ulyanov et al., Deep Image Prior, CVPR 2018.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        scales: int,
        width: int = 191,
        skip: int = 20,
        padding_mode: str = "reflect",
        upsampling: str = "bilinear",
        activation: str = "leaky_relu",
        sigmoid: bool = False,
    ) -> None:
        super().__init__()
        scale: Optional[HourglassScale] = None
        # From the innermost outwards: every scale holds the one below it.
        for depth in reversed(range(scales)):
            channels = width
            if depth == 0:
                channels = in_channels
            scale = HourglassScale(
                in_channels=channels,
                width=width,
                skip=skip,
                inner=scale,
                padding_mode=padding_mode,
                upsampling=upsampling,
                activation=activation,
            )
        self.outer = scale
        self.head = Conv2D(width, out_channels, 1)
        self.sigmoid = sigmoid

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, H, W)."""
        fast = run(self, builders.hourglass, [x])
        if fast is not None:
            return fast[0]
        x = recomputed(self._plain, x)
        if self.sigmoid:
            x = F.sigmoid(x)
        return x

    def _plain(self, x: paddle.Tensor) -> paddle.Tensor:
        # There is one scale at least.
        assert self.outer is not None
        return self.head(self.outer(x))
