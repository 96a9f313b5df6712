"""The encoders: VGG16 with batch normalisation, up to the last layer anybody listens to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Callable

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_umsft.errors import DataError
from paddle_umsft.methods.networks.layers import BatchNorm, Conv2D
from paddle_umsft.methods.networks.ops import encoders
from paddle_umsft.methods.networks.ops.autograd import Builder, run
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
# Of an input between 0 and 1: as published, for any number of bands, not by ImageNet's means and deviations.
CENTRE = 0.5
RGB_BANDS = 3


def centred(x: paddle.Tensor) -> paddle.Tensor:
    """What the first convolution sees of an input: 0 to 1 becomes -1 to 1."""
    return (x - CENTRE) / CENTRE


@dataclass(frozen=True)
class NormedConvolution:
    """A convolution with its batch normalisation.

    Attributes:
        index: The convolution's, among torchvision's `features`.
        relu: Whether a ReLU follows.
        pool: Whether a max-pool follows that.
        tap: Whether somebody listens in before the pool.
    """

    index: int
    relu: bool
    pool: bool
    tap: bool


class VggFeatures(nn.Layer):
    """VGG16-BN up to its third max-pool, with the three taps that UMSFT uses (`HSIFE`, `MSIFE` there).

    The published code runs on through two more blocks and drops what they compute (P4); here they are left out.

    Args:
        bands: Channels coming in. Three use VGG's own first convolution; any other count gets a fresh one.
        stop_at_norm: End with the last batch normalisation, before its ReLU and the third max-pool, as uHNTC does.

    References:
        Simonyan and Zisserman, Very Deep Convolutional Networks, ICLR 2015.
    """

    def __init__(self, *, bands: int, stop_at_norm: bool = False) -> None:
        super().__init__()
        self.bands = bands
        self.stop_at_norm = stop_at_norm
        for index, in_channels, out_channels in CONVOLUTIONS:
            if index == 0:
                in_channels = bands
            convolution = Conv2D(in_channels, out_channels, 3, padding=1)
            norm = BatchNorm(out_channels)
            self.add_sublayer(f"conv{index}", convolution)
            self.add_sublayer(f"norm{index + 1}", norm)

    def forward(self, x: paddle.Tensor) -> tuple[paddle.Tensor, paddle.Tensor, paddle.Tensor]:
        """Take the taps.

        Args:
            x: (B, bands, H, W) in about [0, 1].

        Returns:
            (B, 64, H, W), (B, 128, H//2, W//2), and (B, 256, H//8, W//8), or H//4, W//4 with `stop_at_norm`.
        """
        return self._taps(x, encoders.vgg, self._plain)

    def _taps(
        self,
        x: paddle.Tensor,
        build: Builder,
        plain: Callable[[paddle.Tensor], tuple[paddle.Tensor, ...]],
    ) -> tuple[paddle.Tensor, paddle.Tensor, paddle.Tensor]:
        x = centred(x)
        taps = run(self, build, [x])
        if taps is None:
            taps = recomputed(plain, x)
        return taps[0], taps[1], taps[2]

    def _plain(self, x: paddle.Tensor) -> tuple[paddle.Tensor, ...]:
        return self._after_first(self.conv0(x))

    def _after_first(self, x: paddle.Tensor) -> tuple[paddle.Tensor, ...]:
        """All that follows the first convolution."""
        taps = []
        for stage in self.stages():
            convolution = getattr(self, f"conv{stage.index}")
            norm = getattr(self, f"norm{stage.index + 1}")
            if stage.index > 0:
                x = convolution(x)
            x = norm(x)
            if stage.relu:
                x = F.relu(x)
            if stage.tap:
                taps.append(x)
            if stage.pool:
                x = F.max_pool2d(x, kernel_size=2, stride=2)
        return (*taps, x)

    def stages(self) -> list[NormedConvolution]:
        """What follows each convolution."""
        last = CONVOLUTIONS[-1][0]
        stages = []
        for index, _, _ in CONVOLUTIONS:
            is_cut = self.stop_at_norm and index == last
            stage = NormedConvolution(
                index=index,
                relu=not is_cut,
                pool=index in POOL_AFTER and not is_cut,
                tap=index in TAP_AFTER_CONVOLUTION,
            )
            stages.append(stage)
        return stages

    def load_vgg(self, weights: Mapping[str, np.ndarray]) -> None:
        """Start from VGG16-BN weights named as torchvision names them.

        Args:
            weights: `features.N.weight|bias|running_mean|running_var`, N the index of the layer. The first
                convolution is taken only where the input has three bands, as published.

        Raises:
            DataError: If tensors are missing or of another shape; all of them are listed, nothing is changed.
        """
        wanted = self._named_as_torchvision()
        found = misfits(
            shapes_of(wanted),
            shapes_of(weights),
            allow_extra=True,
        )
        problems = [str(problem) for problem in found]
        if problems:
            raise DataError(
                "VGG16-BN weights do not fit",
                where="network.vgg_weights",
                got="; ".join(problems),
            )
        for name, tensor in wanted.items():
            dtype = str(tensor.dtype).split(".")[-1]  # "paddle.float32" -> "float32"
            array = np.asarray(weights[name])
            tensor.set_value(array.astype(dtype))

    def _named_as_torchvision(self) -> dict[str, paddle.Tensor]:
        """The tensors that VGG16-BN's weights can fill, by their names there."""
        named: dict[str, paddle.Tensor] = {}
        for index, _, _ in CONVOLUTIONS:
            convolution = getattr(self, f"conv{index}")
            norm = getattr(self, f"norm{index + 1}")
            # The first convolution of an input that is no RGB picture is a fresh one.
            if index > 0 or self.bands == RGB_BANDS:
                named[f"features.{index}.weight"] = convolution.weight
                named[f"features.{index}.bias"] = convolution.bias
            behind = f"features.{index + 1}"
            named[f"{behind}.weight"] = norm.weight
            named[f"{behind}.bias"] = norm.bias
            named[f"{behind}.running_mean"] = norm._mean
            named[f"{behind}.running_var"] = norm._variance
        return named
