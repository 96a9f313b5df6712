"""What brings an enlarged tap and the picture so far together: a convolution, then an hourglass."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_umsft.methods.networks.hourglass import Hourglass
from paddle_umsft.methods.networks.layers import Conv2D, instance_norm
from paddle_umsft.methods.networks.ops import builders
from paddle_umsft.methods.networks.ops.autograd import run


class SkipBlock(nn.Layer):
    """Convolution without bias, instance normalisation, ELU, hourglass (`skiph`, `skipm`, `skipl` there).

    Args:
        in_channels: Of tap and picture together.
        bands: C, also the width of the hourglass.
        kernel_size: Of the convolution, 1 or 3.
        scales: Of the hourglass.
        skip: Channels of its skip branches.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        bands: int,
        kernel_size: int,
        scales: int,
        skip: int,
    ) -> None:
        super().__init__()
        self.epsilon = 1e-5
        self.entry = Conv2D(in_channels, bands, kernel_size, padding=kernel_size // 2, bias=False)
        self.hourglass = Hourglass(
            in_channels=bands,
            out_channels=bands,
            scales=scales,
            width=bands,
            skip=skip,
            padding_mode="zeros",
            upsampling="bicubic",
            activation="elu",
            sigmoid=True,
        )

    def forward(self, tap: paddle.Tensor, x: paddle.Tensor) -> paddle.Tensor:
        """(B, in_channels - C, H, W) and (B, C, H, W) -> (B, C, H, W) between 0 and 1."""
        both = paddle.concat([tap, x], axis=1)
        fast = run(self, builders.skip_block, [both])
        if fast is not None:
            return fast[0]
        return self.hourglass(F.elu(instance_norm(self.entry(both), self.epsilon)))
