"""The convolutional part of VGG networks, numbered as torchvision numbers its layers: one row a network.

torchvision puts all layers of the part into one list, `features`: each convolution, its batch normalisation where there
is one, and a ReLU; after each block a max-pool. A layer's number in that list is a part of its weights' name.

References:
    Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, ICLR 2015, table 1;
    torchvision `torchvision/models/vgg.py` (`cfgs`, `make_layers`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

# An RGB picture.
_PICTURE_CHANNELS = 3
# Every convolution of every VGG network is 3 x 3.
KERNEL_SIZE = 3
# uHNTC's perceptual term listens to VGG19 up to this layer, a convolution in its third block (P18).
VGG19_LAST = 14


@dataclass(frozen=True)
class VggConvolution:
    """One convolution of a stack.

    Args:
        index: Its number among torchvision's `features`; a batch normalisation has the next one.
        channels_in: Channels coming in.
        channels_out: Channels going out.
        pooled: Whether a max-pool follows, as behind the last one of each block.
    """

    index: int
    channels_in: int
    channels_out: int
    pooled: bool


@dataclass(frozen=True)
class VggStack:
    """A VGG network's convolutional part.

    Args:
        name: What people call it.
        blocks: Per block the number of its convolutions, and how many channels each puts out.
        batch_norm: Whether a batch normalisation follows each convolution.
    """

    name: str
    blocks: tuple[tuple[int, int], ...]
    batch_norm: bool

    def convolutions(self, blocks: Optional[int] = None) -> tuple[VggConvolution, ...]:
        """Return the convolutions in their order.

        Args:
            blocks: Of how many blocks, counted from the picture; None: of all.
        """
        layers_each = 2
        if self.batch_norm:
            layers_each = 3
        found: list[VggConvolution] = []
        index = 0
        channels = _PICTURE_CHANNELS
        for count, channels_out in self.blocks[:blocks]:
            for number in range(1, count + 1):
                found.append(
                    VggConvolution(
                        index=index,
                        channels_in=channels,
                        channels_out=channels_out,
                        pooled=number == count,
                    )
                )
                index += layers_each
                channels = channels_out
            # The max-pool.
            index += 1
        return tuple(found)

    def weighted_layers(self) -> set[int]:
        """Return the numbers of all layers that have weights."""
        layers: set[int] = set()
        for layer in self.convolutions():
            layers.add(layer.index)
            if self.batch_norm:
                layers.add(layer.index + 1)
        return layers


def vgg19_convolutions() -> tuple[VggConvolution, ...]:
    """Return the convolutions of VGG19 that the perceptual term goes through."""
    return tuple(layer for layer in VGG19.convolutions() if layer.index <= VGG19_LAST)


VGG16_BN = VggStack(
    name="VGG16-BN",
    blocks=((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)),
    batch_norm=True,
)
VGG19 = VggStack(
    name="VGG19",
    blocks=((2, 64), (2, 128), (4, 256), (4, 512), (4, 512)),
    batch_norm=False,
)
