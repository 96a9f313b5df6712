"""The shapes that a published uHNTC state_dict must have, made from the two counts of bands.

The attentions that are never called depend on the image's size too; theirs are in `unused`.

References:
    Shapes of the published network (`MultiLevelFsusionTransformer` in FeafusFormer, commit d5c5de2) for 31×3 bands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from paddle_umsft.weights.names_uhntc import QUERY_KEYS
from paddle_umsft.weights.places import LIVE_BLOCKS
from paddle_umsft.weights.shapes import Shapes, Table, put_scale, vgg_shapes
from paddle_umsft.weights.vgg_stacks import KERNEL_SIZE, VGG16_BN

# Channels of the VGG features at the high, the middle and the low level: VGG's third, second and first block.
TAPS = {"h": 256, "m": 128, "l": 64}
# The query convolution gives what VGG's own first one gives.
QUERY_CHANNELS = VGG16_BN.convolutions()[0].channels_out
# Channels for each band between the two doublings of up_16.
_MIDDLE_PER_BAND = 2.06
# A doubling makes two by two pixels out of four channels.
_DOUBLING = 4


@dataclass(frozen=True)
class UhntcSizes:
    """What a uHNTC checkpoint's shapes depend on, but for its unused attentions.

    Args:
        bands: C.
        msi_bands: M.
    """

    bands: int
    msi_bands: int


@dataclass(frozen=True)
class _SkipBlock:
    """One of the three skip blocks.

    Args:
        name: Its published name.
        channels: Coming in beside the bands; None: as many as there are bands.
        kernel: Size of the convolution that it begins with.
        scales: Of its hourglass.
        skip: Channels of the hourglass's skip branches.
    """

    name: str
    channels: Optional[int]
    kernel: int
    scales: int
    skip: int


# The low level has the image's own size and takes VGG's first features as they are; the two others took theirs up.
SKIP_BLOCKS = (
    _SkipBlock(
        name="skiph",
        channels=None,
        kernel=3,
        scales=3,
        skip=1,
    ),
    _SkipBlock(
        name="skipm",
        channels=None,
        kernel=3,
        scales=3,
        skip=1,
    ),
    _SkipBlock(
        name="skipl",
        channels=TAPS["l"],
        kernel=1,
        scales=5,
        skip=5,
    ),
)


def uhntc_shapes(
    sizes: UhntcSizes,
    *,
    query: bool,
    unused: Optional[Shapes] = None,
) -> Shapes:
    """Return every key of the network with its shape, in the published order.

    Args:
        sizes: Of the network.
        query: Whether the query convolution is among them, which no published checkpoint has (P12).
        unused: The keys of the attentions that are never called; None: without them.
    """
    shapes = _upsamplings(sizes.bands)
    shapes.update(unused or {})
    for block in SKIP_BLOCKS:
        shapes.update(_skip_block(block, sizes.bands))
    shapes.update(
        vgg_shapes(
            "FE.model",
            channels=sizes.msi_bands,
            blocks=LIVE_BLOCKS,
        )
    )
    if query:
        shapes.update(query_shapes(sizes.bands))
    return shapes


def query_shapes(bands: int) -> Shapes:
    """Return the keys of the query convolution for so many bands."""
    weight, bias = QUERY_KEYS
    return {
        weight: (QUERY_CHANNELS, bands, KERNEL_SIZE, KERNEL_SIZE),
        bias: (QUERY_CHANNELS,),
    }


def _upsamplings(bands: int) -> Shapes:
    """Return the keys of up_16 and up_4: depthwise and pointwise convolutions in turn, none of them with a bias."""
    table = Table()
    middle = int(_MIDDLE_PER_BAND * bands)
    # Twice up, by way of the middle channels, and a filter.
    table.put("up_16.0.weight", TAPS["h"], 1, 3, 3)
    table.put("up_16.2.weight", _DOUBLING * middle, TAPS["h"], 1, 1)
    table.put("up_16.5.weight", middle, 1, 3, 3)
    table.put("up_16.7.weight", _DOUBLING * bands, middle, 1, 1)
    table.put("up_16.10.weight", bands, 1, 3, 3)
    table.put("up_16.11.weight", bands, bands, 1, 1)
    # Once up, and a filter.
    table.put("up_4.0.weight", TAPS["m"], 1, 3, 3)
    table.put("up_4.2.weight", _DOUBLING * bands, TAPS["m"], 1, 1)
    table.put("up_4.5.weight", bands, 1, 3, 3)
    table.put("up_4.6.weight", bands, bands, 1, 1)
    return table.shapes


def _skip_block(block: _SkipBlock, bands: int) -> Shapes:
    channels = block.channels
    if channels is None:
        channels = bands
    table = Table(f"{block.name}.")
    # Without a bias: an instance normalisation follows, which would take it off again.
    table.put("0.weight", bands, channels + bands, block.kernel, block.kernel)
    put_scale(
        table,
        place="3.",
        step="0",
        scales=block.scales,
        channels=bands,
        width=bands,
        skip=block.skip,
    )
    table.conv("3.9.0", bands, bands, 1)
    return table.shapes
