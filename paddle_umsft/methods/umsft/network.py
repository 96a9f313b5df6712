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
from paddle_umsft.methods.umsft.encoding import MergedEncoder

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
        merged: tuple[paddle.Tensor, paddle.Tensor],
        fuse_spatially: SpatialStep,
        record: Recorder,
    ) -> paddle.Tensor:
        """Run the level.

        Args:
            x: (B, C, h', w') from the level before.
            msi: (B, M, h', w').
            merged: (B, C, h', w') each, the taps of the HSI and of the MSI encoder behind this level's merges.
            fuse_spatially: The shared spatial fusion, (x, msi) -> x.
            record: Called with "denoiser", "attention", "spafm" and the tensor after that step.

        Returns:
            (B, C, h', w').
        """
        from_hsi, from_msi = merged
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
        fine_to_coarse = [self.levels[2], self.levels[1], self.levels[0]]
        of_hsi = [level.merge_hsi for level in fine_to_coarse]
        of_msi = [level.merge_msi for level in fine_to_coarse]
        self._encodings = (
            MergedEncoder(self.hsi_encoder, of_hsi),
            MergedEncoder(self.msi_encoder, of_msi),
        )

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
        from_hsi, from_msi = self._encode(inputs, seams)

        def fuse_spatially(x: paddle.Tensor, msi: paddle.Tensor) -> paddle.Tensor:
            return self.spatial_fusion(x, msi - spectral(x))

        x = inputs.hsi_coarse
        for level, (stage, msi) in enumerate(zip(self.levels, inputs.msi)):

            def record(step: str, value: paddle.Tensor, prefix: str = f"level{level + 1}_") -> None:
                if seams is not None:
                    seams[prefix + step] = value

            x = resize(x, *msi.shape[2:])
            # Levels go from coarse to fine, encoders from fine to coarse.
            merged = (from_hsi[-1 - level], from_msi[-1 - level])
            x = stage(x, msi, merged, fuse_spatially, record)
        return x

    def _encode(
        self,
        inputs: FusionInputs,
        seams: Optional[dict[str, paddle.Tensor]],
    ) -> list[list[paddle.Tensor]]:
        """Both images' merged taps, the HSI's first, fine to coarse each; where seams are wanted by way of the taps."""
        encoded = []
        images = {"hsi": inputs.hsi_full, "msi": inputs.msi[2]}
        for (name, image), encoding in zip(images.items(), self._encodings):
            if seams is None:
                merged = encoding(image)
            else:
                taps = encoding.encoder(image)
                seams.update({f"{name}_feature{i}": tap for i, tap in enumerate(taps)})
                merged = encoding.merged(taps)
            encoded.append(merged)
        return encoded
