"""Network and degradations as one model: what a checkpoint holds and the converter reads and writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import numpy as np
from paddle import nn

from paddle_umsft.blind.spatial_net import KnownPsf, LearnedPsf
from paddle_umsft.blind.spectral_net import KnownSrf, LearnedSrf
from paddle_umsft.config import NetworkConfig
from paddle_umsft.data.scene import Supports
from paddle_umsft.networks.umsft import UMSFT


class FusionModel(nn.Layer):
    """UMSFT with its two degradations.

    Attributes:
        network: The fusion network.
        spatial: `LearnedPsf` or `KnownPsf`.
        spectral: `LearnedSrf` or `KnownSrf`.
    """

    def __init__(
        self, network: UMSFT, spatial: LearnedPsf | KnownPsf, spectral: LearnedSrf | KnownSrf
    ) -> None:
        super().__init__()
        self.network = network
        self.spatial = spatial
        self.spectral = spectral


def build_model(
    *,
    bands: int,
    msi_bands: int,
    scale: int,
    supports: Optional[Supports] = None,
    psf: Optional[np.ndarray] = None,
    srf: Optional[np.ndarray] = None,
    network: Optional[NetworkConfig] = None,
    srf_start: Optional[Sequence[Sequence[float]]] = None,
) -> FusionModel:
    """Build a model; what is known of the cameras is held fixed, the rest is learned.

    Args:
        bands: C.
        msi_bands: M.
        scale: s.
        supports: Per MSI band the half-open range of HSI bands it sees; None: all of them.
        psf: (k, k) known PSF.
        srf: (M, C) known SRF.
        network: Sizes and start of the network.
        srf_start: Per MSI band three taps and a bias, where the learned SRF starts; None: drawn.
    """
    settings = network or NetworkConfig()
    net = UMSFT(
        bands=bands,
        msi_bands=msi_bands,
        width=settings.width,
        skip=settings.skip,
        heads=settings.heads,
        paper_attention=settings.attention == "paper",
    )
    if settings.vgg_weights is not None:
        from paddle_umsft.convert import load_vgg_features

        net.load_vgg(load_vgg_features(settings.vgg_weights))
    spatial = LearnedPsf(scale=scale) if psf is None else KnownPsf(psf, scale=scale)
    spectral: LearnedSrf | KnownSrf
    if srf is None:
        spectral = LearnedSrf(bands=bands, supports=supports or ((0, bands),) * msi_bands, start=srf_start)
    else:
        spectral = KnownSrf(srf)
    return FusionModel(net, spatial, spectral)
