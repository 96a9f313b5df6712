"""Learned enlargement of a tap to the full size and to C bands, by shuffling channels into pixels."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_umsft.methods.networks.layers import Conv2D
from paddle_umsft.methods.networks.ops import builders
from paddle_umsft.methods.networks.ops.autograd import run

# Channels between the two doublings of a fourfold enlargement, as a multiple of C; the published number.
MIDDLE_PER_BAND = 2.06


class Doubling(nn.Layer):
    """Twice the height and width: (B, in_channels, H, W) -> (B, out_channels, 2H, 2W), without biases.

    Args:
        in_channels: Channels coming in.
        out_channels: Channels going out; four times as many are made, then moved into pixels.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.depthwise = Conv2D(
            in_channels,
            in_channels,
            3,
            padding=1,
            groups=in_channels,
            bias=False,
        )
        self.pointwise = Conv2D(in_channels, 4 * out_channels, 1, bias=False)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """ELU in between and at the end; the second one before the shuffle, which only moves numbers."""
        fast = run(self, builders.spread_channels, [x])
        if fast is not None:
            spread = fast[0]
        else:
            filtered = F.elu(self.depthwise(x))
            spread = F.elu(self.pointwise(filtered))  # (B, 4·out_channels, H, W)
        return F.pixel_shuffle(spread, 2)


class BandFilter(nn.Layer):
    """A kernel per band, then the bands mixed, then ELU: (B, C, H, W) -> (B, C, H, W), without biases.

    Args:
        bands: C.
    """

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.depthwise = Conv2D(
            bands,
            bands,
            3,
            padding=1,
            groups=bands,
            bias=False,
        )
        self.pointwise = Conv2D(bands, bands, 1, bias=False)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """No activation in between."""
        fast = run(self, builders.filter_bands, [x])
        if fast is not None:
            return fast[0]
        return F.elu(self.pointwise(self.depthwise(x)))


class LearnedUpsampling(nn.Layer):
    """A tap brought to the full size (`up_16`, `up_4` in the published code, after the factor in area).

    Args:
        in_channels: Channels of the tap.
        bands: C.
        doublings: How often height and width are doubled, 1 or 2.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        bands: int,
        doublings: int,
    ) -> None:
        super().__init__()
        middle = int(MIDDLE_PER_BAND * bands)
        channels = [in_channels, *[middle] * (doublings - 1), bands]
        pairs = zip(channels[:-1], channels[1:])
        self.doublings = nn.LayerList([Doubling(before, after) for before, after in pairs])
        self.filter = BandFilter(bands)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """(B, in_channels, H, W) -> (B, C, 2H, 2W) or (B, C, 4H, 4W)."""
        for doubling in self.doublings:
            x = doubling(x)
        return self.filter(x)
