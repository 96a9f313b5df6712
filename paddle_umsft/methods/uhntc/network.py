"""uHNTC: unsupervised hybrid network of transformer and CNN, the form of the method before UMSFT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

import numpy as np
import paddle

from paddle_umsft.data.checks import check_minimum_size
from paddle_umsft.methods.networks.layers import resize, zero_mean
from paddle_umsft.methods.networks.model import EncodingNetwork
from paddle_umsft.methods.networks.vgg import TAP_CHANNELS
from paddle_umsft.methods.uhntc.attention import channel_attention
from paddle_umsft.methods.uhntc.encoder import SharedEncoder
from paddle_umsft.methods.uhntc.skip_block import SkipBlock
from paddle_umsft.methods.uhntc.upsampling import LearnedUpsampling

# Five halvings of 33 pixels leave two, of 32 one, whose deviation is zero.
SMALLEST_SIDE = 33


@dataclass(frozen=True)
class UhntcInputs:
    """What the network is fed, made once per scene.

    Attributes:
        coarse: (B, C, H, W), the LR-HSI enlarged by bicubic interpolation.
        blurred_msi: (B, M, H, W), the HR-MSI shrunk to the LR-HSI's size and enlarged again.
        hr_msi: (B, M, H, W).
    """

    coarse: paddle.Tensor
    blurred_msi: paddle.Tensor
    hr_msi: paddle.Tensor


class UHNTC(EncodingNetwork):
    """Unsupervised Hybrid Network of Transformer and CNN (FeafusFormer).

    Three steps from the deepest tap to the first, each adding detail: attention among the channels of a tap,
    enlargement, and an hourglass that joins it with the picture so far.

    Args:
        bands: C.
        msi_bands: M.

    References:
        Cao et al., Unsupervised Hybrid Network of Transformer and CNN for Blind Hyperspectral and Multispectral Image
        Fusion, IEEE TGRS 62, 2024, doi 10.1109/TGRS.2024.3359232; `MultiLevelFsusionTransformer` in
        Caoxuheng/FeafusFormer, Model/UA.py.
    """

    def __init__(self, *, bands: int, msi_bands: int) -> None:
        super().__init__()
        self.bands = bands
        self.msi_bands = msi_bands
        low, middle, high = TAP_CHANNELS
        self.encoder = SharedEncoder(bands=bands, msi_bands=msi_bands)
        self.upsample_high = LearnedUpsampling(
            in_channels=high,
            bands=bands,
            doublings=2,
        )
        self.upsample_middle = LearnedUpsampling(
            in_channels=middle,
            bands=bands,
            doublings=1,
        )
        self.skip_high = SkipBlock(
            in_channels=2 * bands,
            bands=bands,
            kernel_size=3,
            scales=3,
            skip=1,
        )
        self.skip_middle = SkipBlock(
            in_channels=2 * bands,
            bands=bands,
            kernel_size=3,
            scales=3,
            skip=1,
        )
        self.skip_low = SkipBlock(
            in_channels=low + bands,
            bands=bands,
            kernel_size=1,
            scales=5,
            skip=5,
        )

    def load_vgg(self, weights: Mapping[str, np.ndarray]) -> None:
        """Start the encoder from VGG16-BN weights (see `VggFeatures.load_vgg`)."""
        self.encoder.load_vgg(weights)

    @staticmethod
    def prepare(lr_hsi: paddle.Tensor, hr_msi: paddle.Tensor) -> UhntcInputs:
        """Make the fixed inputs of a scene.

        Args:
            lr_hsi: (B, C, h, w), about [0, 1].
            hr_msi: (B, M, H, W), about [0, 1].

        Raises:
            DataError: If H or W is below 33, where batch normalisation would meet a single pixel.
        """
        height, width = hr_msi.shape[2:]
        check_minimum_size((height, width), SMALLEST_SIDE)
        small_height, small_width = lr_hsi.shape[2:]
        small = resize(hr_msi, small_height, small_width, "bicubic")
        return UhntcInputs(
            coarse=resize(lr_hsi, height, width, "bicubic"),
            blurred_msi=resize(small, height, width, "bicubic"),
            hr_msi=hr_msi,
        )

    def forward(self, inputs: UhntcInputs, seams: Optional[dict[str, paddle.Tensor]] = None) -> paddle.Tensor:
        """Fuse.

        Args:
            inputs: From `prepare`.
            seams: If given, intermediate results are put in it by their published names, for the parity tests.

        Returns:
            (B, C, H, W) between 0 and 1.
        """
        coarse = inputs.coarse
        height, width = coarse.shape[2:]
        keys = self.encoder.msi_taps(inputs.blurred_msi)
        values = self.encoder.msi_taps(inputs.hr_msi)
        queries = self.encoder.query_taps(coarse)
        low, middle, high = (channel_attention(q, k, v) for q, k, v in zip(queries, keys, values))

        # The taps' sizes are rounded down: where H or W is no multiple of 4, what was lost is made up for (P17).
        from_high = resize(self.upsample_high(high), height, width, "bilinear")
        refined_high = self.skip_high(from_high, coarse)
        x = zero_mean(refined_high) + coarse

        from_middle = resize(self.upsample_middle(middle), height, width, "bilinear")
        refined_middle = self.skip_middle(from_middle, x)
        x = zero_mean(refined_middle) + x

        fused = self.skip_low(low, x)
        if seams is not None:
            seams.update(
                coarse=coarse,
                FTB_h=high,
                FTB_m=middle,
                FTB_l=low,
                up_16=from_high,
                up_4=from_middle,
            )
            seams.update(
                skiph=refined_high,
                skipm=refined_middle,
                skipl=fused,
                output=fused,
            )
        return fused
