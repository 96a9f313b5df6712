"""The perceptual term: two multispectral images compared through the features of a VGG19 that stands still."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_umsft.methods.networks.layers import Conv2D
from paddle_umsft.methods.networks.ops import builders
from paddle_umsft.methods.networks.ops.autograd import run
from paddle_umsft.methods.networks.vgg import CENTRE
from paddle_umsft.weights.vgg_stacks import VGG19_LAST, vgg19_convolutions

CHANNELS = 3  # VGG19's own first layer, and no other, has ImageNet weights


@dataclass(frozen=True)
class Layer:
    """A convolution of VGG19.

    Attributes:
        index: Its index among torchvision's `features`.
        in_channels: Channels coming in.
        out_channels: Channels going out.
        weight: Of the comparison behind it; 0: nobody listens.
        relu: Whether its ReLU follows, before anybody listens.
        pool: Whether a max-pool follows that.
    """

    index: int
    in_channels: int
    out_channels: int
    weight: float
    relu: bool
    pool: bool


# The published code lists layers 2, 7 and 14, "before the ReLU". But torchvision's ReLUs work in place, so that what it
# kept of layers 2 and 7 has gone through theirs by the time it is compared; 14 is the last, and has none (P18).
TAP_WEIGHTS = {
    2: 1.0,
    7: 0.2,
    14: 0.04,
}
LAYERS = tuple(
    Layer(
        index=layer.index,
        in_channels=layer.channels_in,
        out_channels=layer.channels_out,
        weight=TAP_WEIGHTS.get(layer.index, 0.0),
        relu=layer.index != VGG19_LAST,
        pool=layer.pooled,
    )
    for layer in vgg19_convolutions()
)


class Vgg19Features(nn.Layer):
    """VGG19 without batch normalisation up to layer 14, with three taps, and nothing in it that learns.

    Args:
        weights: `features.N.weight`, `features.N.bias` by torchvision's names (`weights.load_vgg19_features`).
    """

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        super().__init__()
        for layer in LAYERS:
            convolution = Conv2D(layer.in_channels, layer.out_channels, 3, padding=1)
            dtype = str(convolution.weight.dtype).split(".")[-1]
            convolution.weight.set_value(weights[f"features.{layer.index}.weight"].astype(dtype))
            convolution.bias.set_value(weights[f"features.{layer.index}.bias"].astype(dtype))
            for parameter in convolution.parameters():
                parameter.stop_gradient = True
            self.add_sublayer(f"conv{layer.index}", convolution)

    def forward(self, x: paddle.Tensor) -> tuple[paddle.Tensor, ...]:
        """(B, 3, H, W) in about [0, 1] -> (B, 64, H, W), (B, 128, H//2, W//2), (B, 256, H//4, W//4)."""
        x = (x - CENTRE) / CENTRE  # 0 to 1 -> -1 to 1
        fast = run(self, builders.vgg19, [x])
        if fast is not None:
            return fast
        return self._plain(x)

    def _plain(self, x: paddle.Tensor) -> tuple[paddle.Tensor, ...]:
        taps = []
        for layer in self.stages():
            x = getattr(self, f"conv{layer.index}")(x)
            if layer.relu:
                x = F.relu(x)
            if layer.weight > 0:
                taps.append(x)
            if layer.pool:
                x = F.max_pool2d(x, kernel_size=2, stride=2)
        return tuple(taps)

    @staticmethod
    def stages() -> tuple[Layer, ...]:
        """What there is, in its order."""
        return LAYERS


class PerceptualDistance:
    """How far an image is from a given one through VGG19's eyes; calling it gives the term P.

    Args:
        features: The network.
        target: (1, 3, H, W), the HR-MSI.
    """

    def __init__(self, features: Vgg19Features, target: paddle.Tensor) -> None:
        self.features = features
        with paddle.no_grad():
            self.target = features(target)

    def __call__(self, seen_msi: paddle.Tensor) -> paddle.Tensor:
        """(1, 3, H, W) -> weighted sum of the mean squared differences of the taps."""
        weights = [layer.weight for layer in LAYERS if layer.weight > 0]
        distance = paddle.zeros([], seen_msi.dtype)
        for weight, tap, wanted in zip(weights, self.features(seen_msi), self.target):
            distance = distance + weight * F.mse_loss(tap, wanted)
        return distance
