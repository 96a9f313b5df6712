"""The encoders: VGG16 with batch normalisation, up to the last layer anybody listens to."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_umsft.errors import DataError
from paddle_umsft.methods.networks.layers import BatchNorm, Conv2D
from paddle_umsft.methods.networks.ops import builders
from paddle_umsft.methods.networks.ops.autograd import run
from paddle_umsft.methods.networks.ops.precision import recomputed
from paddle_umsft.weights.fit import misfits, shapes_of
from paddle_umsft.weights.places import LIVE_BLOCKS
from paddle_umsft.weights.vgg_stacks import VGG16_BN

_LAYERS = VGG16_BN.convolutions(LIVE_BLOCKS)
# (index among torchvision's `features`, in, out) of the convolutions in use; the BN sits at index + 1.
CONVOLUTIONS = tuple((layer.index, layer.channels_in, layer.channels_out) for layer in _LAYERS)
POOL_AFTER = tuple(layer.index for layer in _LAYERS if layer.pooled)
TAP_AFTER_CONVOLUTION = (3, 10)
TAP_CHANNELS = (64, 128, 256)


class VggFeatures(nn.Layer):
    """VGG16-BN up to its third max-pool, with the three taps that UMSFT uses (`HSIFE`, `MSIFE` there).

    The published code runs on through two more blocks and drops what they compute (P4); here they are left out.

    Args:
        bands: Channels coming in. Three use VGG's own first convolution; any other count gets a fresh one.

    References:
        Simonyan and Zisserman, Very Deep Convolutional Networks, ICLR 2015.
    """

    def __init__(self, *, bands: int) -> None:
        super().__init__()
        self.bands = bands
        for index, in_channels, out_channels in CONVOLUTIONS:
            first = bands if index == 0 else in_channels
            self.add_sublayer(f"conv{index}", Conv2D(first, out_channels, 3, padding=1))
            self.add_sublayer(f"norm{index + 1}", BatchNorm(out_channels))

    def forward(self, x: paddle.Tensor) -> tuple[paddle.Tensor, paddle.Tensor, paddle.Tensor]:
        """(B, bands, H, W) in about [0, 1] -> (B, 64, H, W), (B, 128, H//2, W//2), (B, 256, H//8, W//8)."""
        x = (x - 0.5) / 0.5
        fast = run(self, builders.vgg, [x])
        if fast is not None:
            return fast[0], fast[1], fast[2]
        taps = recomputed(self._plain, x)
        return taps[0], taps[1], taps[2]

    def _plain(self, x: paddle.Tensor) -> tuple[paddle.Tensor, ...]:
        taps = []
        for index, pool, tap in self.stages():
            x = F.relu(getattr(self, f"norm{index + 1}")(getattr(self, f"conv{index}")(x)))
            if tap:
                taps.append(x)
            if pool:
                x = F.max_pool2d(x, kernel_size=2, stride=2)
        return (*taps, x)

    @staticmethod
    def stages() -> list[tuple[int, bool, bool]]:
        """Per convolution its index, whether a max-pool follows, and whether its activation is a tap."""
        return [(index, index in POOL_AFTER, index in TAP_AFTER_CONVOLUTION) for index, _, _ in CONVOLUTIONS]

    def load_vgg(self, weights: Mapping[str, np.ndarray]) -> None:
        """Start from VGG16-BN weights named as torchvision names them.

        Args:
            weights: `features.N.weight|bias|running_mean|running_var`, N the index of the layer. The first
                convolution is taken only where the input has three bands, as published.

        Raises:
            DataError: If tensors are missing or of another shape; all of them are listed, nothing is changed.
        """
        wanted: dict[str, paddle.Tensor] = {}
        for index, _, _ in CONVOLUTIONS:
            conv, norm = getattr(self, f"conv{index}"), getattr(self, f"norm{index + 1}")
            if index > 0 or self.bands == 3:
                wanted[f"features.{index}.weight"] = conv.weight
                wanted[f"features.{index}.bias"] = conv.bias
            wanted[f"features.{index + 1}.weight"] = norm.weight
            wanted[f"features.{index + 1}.bias"] = norm.bias
            wanted[f"features.{index + 1}.running_mean"] = norm._mean
            wanted[f"features.{index + 1}.running_var"] = norm._variance
        wanted_shapes = shapes_of(wanted)
        problems = [str(problem) for problem in misfits(wanted_shapes, shapes_of(weights), allow_extra=True)]
        if problems:
            raise DataError("VGG16-BN weights do not fit", where="network.vgg_weights", got="; ".join(problems))
        for name, tensor in wanted.items():
            tensor.set_value(np.asarray(weights[name]).astype(str(tensor.dtype).split(".")[-1]))
