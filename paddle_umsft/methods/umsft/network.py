"""UMSFT: the multi-level spatio-spectral fusion network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Callable, Optional

import numpy as np
import paddle
from paddle import nn

from paddle_umsft.data.checks import check_minimum_size
from paddle_umsft.methods.networks.hourglass import Hourglass
from paddle_umsft.methods.networks.layers import resize
from paddle_umsft.methods.networks.model import EncodingNetwork
from paddle_umsft.methods.networks.vgg import TAP_CHANNELS, VggFeatures
from paddle_umsft.methods.umsft.attention import Merge, SpatialFusion, SpectralCrossAttention

SpectralOperator = Callable[[paddle.Tensor], paddle.Tensor]
SpatialStep = Callable[[paddle.Tensor, paddle.Tensor], paddle.Tensor]
Recorder = Callable[[str, paddle.Tensor], None]

# Per level, coarse to fine: scales, padding, upsampling, sigmoid. Level 1 pads with zeros where the others
# reflect: a typo in the published code, reproduced (P1).
HOURGLASSES = ((3, "zeros", "bicubic", True), (2, "reflect", "bilinear", False), (2, "reflect", "bilinear", True))
SHRINK = (8, 2, 1)


@dataclass(frozen=True)
class FusionInputs:
    """What the network is fed, made once per scene.

    Attributes:
        hsi_full: (B, C, H, W) bilinear enlargement of the LR-HSI, for the encoder.
        hsi_coarse: (B, C, H//8, W//8), where level 1 starts.
        msi: (B, M, H//8, W//8), (B, M, H//2, W//2), (B, M, H, W).
    """

    hsi_full: paddle.Tensor
    hsi_coarse: paddle.Tensor
    msi: tuple[paddle.Tensor, paddle.Tensor, paddle.Tensor]


class FusionStage(nn.Layer):
    """One level (S2F-FAB in the paper): hourglass, merging of the taps, spectral attention.

    Args:
        level: 0, 1, 2, coarse to fine.
        bands: C.
        msi_bands: M.
        width: Channels of the hourglass.
        skip: Channels of its skip branches.
        heads: Heads of the attention.
        paper_attention: As the paper's text has it: query from the HSI, key from the MSI, and the value is what
            the spatial fusion gives. Off: as the published code does it, the roles and the order reversed (P3).
    """

    def __init__(
        self,
        *,
        level: int,
        bands: int,
        msi_bands: int,
        width: int,
        skip: int,
        heads: int,
        paper_attention: bool,
    ) -> None:
        super().__init__()
        scales, padding_mode, upsampling, sigmoid = HOURGLASSES[level]
        channels = TAP_CHANNELS[2 - level]
        self.hourglass = Hourglass(
            in_channels=bands + msi_bands,
            out_channels=bands,
            scales=scales,
            width=width,
            skip=skip,
            padding_mode=padding_mode,
            upsampling=upsampling,
            sigmoid=sigmoid,
        )
        self.merge_hsi = Merge(channels, bands, kernel_size=3 if level == 0 else 1)
        self.merge_msi = Merge(channels, bands)
        self.attention = SpectralCrossAttention(bands=bands, heads=heads)
        self.paper_attention = paper_attention

    def forward(
        self,
        x: paddle.Tensor,
        msi: paddle.Tensor,
        taps: tuple[paddle.Tensor, paddle.Tensor],
        fuse_spatially: SpatialStep,
        record: Recorder,
    ) -> paddle.Tensor:
        """Run the level.

        Args:
            x: (B, C, h', w') from the level before.
            msi: (B, M, h', w').
            taps: Of the HSI and the MSI encoder at this size.
            fuse_spatially: The shared spatial fusion, (x, msi) -> x.
            record: Called with "denoiser", "attention", "spafm" and the tensor after that step.

        Returns:
            (B, C, h', w').
        """
        from_hsi, from_msi = self.merge_hsi(taps[0]), self.merge_msi(taps[1])
        x = self.hourglass(paddle.concat([x, msi], axis=1))
        record("denoiser", x)
        if self.paper_attention:
            x = fuse_spatially(x, msi)
            record("spafm", x)
            x = self.attention(from_hsi, from_msi, x)
            record("attention", x)
        else:
            x = self.attention(from_msi, from_hsi, x)
            record("attention", x)
            x = fuse_spatially(x, msi)
            record("spafm", x)
        return x


class UMSFT(EncodingNetwork):
    """Unsupervised Multi-level Spatio-spectral Fusion Transformer.

    Args:
        bands: C, hyperspectral bands.
        msi_bands: M, multispectral bands.
        width: Channels of the hourglasses.
        skip: Channels of their skip branches.
        heads: Attention heads (fewer where C is smaller, P11).
        paper_attention: The paper's roles of query, key and value instead of the published code's (P3).

    References:
        Cao et al., Unsupervised multi-level spatio-spectral fusion transformer for hyperspectral image
        super-resolution, Optics & Laser Technology, 2024; `MultiLevelFus` in HIFtool, Networks/FeafusFormer.
    """

    def __init__(
        self,
        *,
        bands: int,
        msi_bands: int,
        width: int = 191,
        skip: int = 20,
        heads: int = 5,
        paper_attention: bool = False,
    ) -> None:
        super().__init__()
        self.bands, self.msi_bands = bands, msi_bands
        self.hsi_encoder = VggFeatures(bands=bands)
        self.msi_encoder = VggFeatures(bands=msi_bands)
        self.levels = nn.LayerList(
            [
                FusionStage(
                    level=level,
                    bands=bands,
                    msi_bands=msi_bands,
                    width=width,
                    skip=skip,
                    heads=heads,
                    paper_attention=paper_attention,
                )
                for level in range(3)
            ]
        )
        self.spatial_fusion = SpatialFusion(bands=bands, msi_bands=msi_bands)

    def load_vgg(self, weights: Mapping[str, np.ndarray]) -> None:
        """Start both encoders from VGG16-BN weights (see `VggFeatures.load_vgg`)."""
        self.hsi_encoder.load_vgg(weights)
        self.msi_encoder.load_vgg(weights)

    @staticmethod
    def prepare(lr_hsi: paddle.Tensor, hr_msi: paddle.Tensor) -> FusionInputs:
        """Make the fixed inputs of a scene.

        Args:
            lr_hsi: (B, C, h, w), about [0, 1].
            hr_msi: (B, M, H, W), about [0, 1].

        Raises:
            DataError: If H or W is below 128, where batch normalisation would meet a single pixel.
        """
        height, width = hr_msi.shape[2:]
        check_minimum_size((height, width))
        eighth, half = (height // 8, width // 8), (height // 2, width // 2)
        return FusionInputs(
            hsi_full=resize(lr_hsi, height, width, "bilinear"),
            hsi_coarse=resize(lr_hsi, *eighth),
            msi=(resize(hr_msi, *eighth), resize(hr_msi, *half), hr_msi),
        )

    def forward(
        self,
        inputs: FusionInputs,
        spectral: SpectralOperator,
        seams: Optional[dict[str, paddle.Tensor]] = None,
    ) -> paddle.Tensor:
        """Fuse.

        Args:
            inputs: From `prepare`.
            spectral: The spectral degradation, (B, C, H, W) -> (B, M, H, W), learned or known.
            seams: If given, intermediate results are put in it, for the parity tests.

        Returns:
            (B, C, H, W).
        """
        hsi_taps, msi_taps = self.hsi_encoder(inputs.hsi_full), self.msi_encoder(inputs.msi[2])
        if seams is not None:
            seams.update({f"hsi_feature{i}": tap for i, tap in enumerate(hsi_taps)})
            seams.update({f"msi_feature{i}": tap for i, tap in enumerate(msi_taps)})

        def fuse_spatially(x: paddle.Tensor, msi: paddle.Tensor) -> paddle.Tensor:
            return self.spatial_fusion(x, msi - spectral(x))

        x = inputs.hsi_coarse
        for level, (stage, msi) in enumerate(zip(self.levels, inputs.msi)):

            def record(step: str, value: paddle.Tensor, prefix: str = f"level{level + 1}_") -> None:
                if seams is not None:
                    seams[prefix + step] = value

            x = resize(x, *msi.shape[2:])
            x = stage(x, msi, (hsi_taps[2 - level], msi_taps[2 - level]), fuse_spatially, record)
        return x
