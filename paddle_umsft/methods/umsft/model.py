"""UMSFT with its two degradations."""

from __future__ import annotations

from typing import Optional

import numpy as np

from paddle_umsft.config.umsft import NetworkConfig
from paddle_umsft.data.scene import Supports
from paddle_umsft.methods.networks.model import FusionModel, build_cameras
from paddle_umsft.methods.umsft.network import UMSFT


def build_model(
    *,
    bands: int,
    msi_bands: int,
    scale: int,
    supports: Optional[Supports] = None,
    psf: Optional[np.ndarray] = None,
    srf: Optional[np.ndarray] = None,
    network: Optional[NetworkConfig] = None,
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

    Raises:
        DataError: If weights to start from cannot be read or do not fit.
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
        from paddle_umsft.weights import load_vgg_features

        net.load_vgg(load_vgg_features(settings.vgg_weights))
    spatial, spectral = build_cameras(
        bands=bands, msi_bands=msi_bands, scale=scale, supports=supports, psf=psf, srf=srf
    )
    model = FusionModel(net, spatial, spectral)
    if settings.weights is not None:
        model.start_from(settings.weights)
    return model
