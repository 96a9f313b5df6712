"""Spectral cross-attention and spatial fusion: what follows the hourglass at each level."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_umsft.methods.networks.layers import Conv2D, Linear, zero_mean
from paddle_umsft.methods.networks.ops import builders, encoders
from paddle_umsft.methods.networks.ops.autograd import run


class SpectralCrossAttention(nn.Layer):
    """Attention along the spectrum (Spe-FCA in the paper): each head mixes its d spectral channels.

    Args:
        bands: C.
        heads: Number of heads; the head size is C // heads. With fewer bands than heads there are as many
            heads as bands (P11: the published head size would be zero).
    """

    def __init__(self, *, bands: int, heads: int = 5) -> None:
        super().__init__()
        self.heads = min(heads, bands)
        self.head_size = bands // self.heads
        inner = self.heads * self.head_size
        self.query = Linear(bands, inner)
        self.key = Linear(bands, inner)
        self.value = Linear(bands, inner)
        self.out = Linear(inner, bands)
        self.temperature = bands**0.5

    def _project(self, linear: Linear, x: paddle.Tensor) -> paddle.Tensor:
        batch, _, height, width = x.shape
        # The weight from the left: pixels stay in place, where a Linear would want them transposed.
        mixed = paddle.matmul(linear.weight, x.flatten(2), transpose_x=True)  # (B, heads·d, HW)
        return mixed.reshape([batch, self.heads, self.head_size, height * width])

    def forward(
        self,
        query: paddle.Tensor,
        key: paddle.Tensor,
        value: paddle.Tensor,
    ) -> paddle.Tensor:
        """Three maps (B, C, H, W) -> (B, C, H, W): value plus the zero-mean attended value."""
        q = self._project(self.query, query)  # (B, heads, d, HW), as the next two
        k = self._project(self.key, key)
        v = self._project(self.value, value)
        likeness = paddle.matmul(q, k, transpose_y=True) / self.temperature  # (B, heads, d, d)
        weights = F.softmax(likeness, axis=-1)
        attended = paddle.matmul(weights, v).flatten(1, 2)  # (B, heads·d, HW)
        mixed = paddle.matmul(self.out.weight, attended, transpose_x=True)  # (B, C, HW)
        return value + zero_mean(mixed.reshape(value.shape))


class SpatialFusion(nn.Layer):
    """What the multispectral image still sees and x does not, fed back into x (Spa-FM in the paper).

    One instance serves all levels.

    Args:
        bands: C.
        msi_bands: M.
    """

    def __init__(self, *, bands: int, msi_bands: int) -> None:
        super().__init__()
        self.widen = Conv2D(msi_bands, 2 * msi_bands, 1)
        self.spread = Conv2D(2 * msi_bands, bands, 1)

    def forward(self, x: paddle.Tensor, missing: paddle.Tensor) -> paddle.Tensor:
        """x (B, C, H, W) and missing = msi - SRF(x), (B, M, H, W) -> (B, C, H, W)."""
        # What comes out is added to the result itself, and its arithmetic is next to nothing.
        fast = run(self, builders.refine, [missing], exact=True)
        if fast is not None:
            refined = fast[0]
        else:
            widened = F.elu(self.widen(missing))  # (B, 2M, H, W)
            refined = F.elu(self.spread(widened))  # (B, C, H, W)
        return F.elu(zero_mean(refined) + x)


class Merge(nn.Layer):
    """Brings a VGG tap to C channels: convolution, ELU, 3×3 convolution (`FeatureMergeN` in the published code)."""

    def __init__(
        self,
        in_channels: int,
        bands: int,
        *,
        kernel_size: int = 1,
    ) -> None:
        super().__init__()
        self.reduce = Conv2D(in_channels, bands, kernel_size, padding=kernel_size // 2)
        self.refine = Conv2D(bands, bands, 3, padding=1)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """(B, in_channels, H, W) -> (B, C, H, W)."""
        fast = run(self, encoders.merge, [x])
        if fast is not None:
            return fast[0]
        reduced = F.elu(self.reduce(x))  # (B, C, H, W)
        return self.refine(reduced)
